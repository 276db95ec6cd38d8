package attack

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"gatecast/agent"
	"gatecast/internal/officetest"
	"gatecast/internal/wire"
)

func directorOwnClip(w *world) {
	p, _ := w.hostile(11)
	w.inject(wire.KindPlan, offer(11, w.sealBy(p, w.o.Director), w.sealBy(w.man, w.o.Library)))
}

func directorManifest(w *world) {
	p, m := w.hostile(11)
	w.inject(wire.KindPlan, offer(11, w.sealBy(p, w.o.Director), w.sealBy(m, w.o.Director)))
}

// closedNow narrows what the library signed to hours that are not now.
func (w *world) closedNow() {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		w.t.Fatal(err)
	}
	h := (time.Now().In(zone).Hour() + 6) % 24
	w.man.Ceilings.Allowed = []wire.DailyWindow{{FirstMin: h * 60, LastMin: h*60 + 60}}
}

// directorNight is an approved clip at an hour in which nothing may sound.
func directorNight(w *world) {
	w.plan.Version, w.man.Version = 11, 11
	w.plan.Slots = nil
	w.closedNow()
	w.force()
	p, _ := w.hostile(12)
	p.Clips = []string{w.good.SHA256}
	w.starts = []time.Time{time.Now()} // nothing is owed, and nothing may sound
	w.inject(wire.KindPlan, offer(12, w.sealBy(p, w.o.Director), w.sealBy(w.man, w.o.Library)))
	w.o.Await(w.d, 20*time.Second, "the plays refused", func(k officetest.Device) bool { return len(outcomes(k, wire.PlaySkipped)) > 0 })
	for _, o := range outcomes(w.o.Know(w.d), "") {
		if o.Result != wire.PlaySkipped || o.Reason != wire.ReasonQuiet {
			w.t.Errorf("outcome %+v", o)
		}
	}
}

// directorOften wants twenty plays where two an hour are allowed.
func directorOften(w *world) {
	w.plan.Version, w.man.Version = 11, 11
	w.plan.Slots = nil
	w.man.Ceilings.MaxPlaysPerHour = 2
	w.force()
	p, _ := w.hostile(12)
	p.Clips = []string{w.good.SHA256}
	p.Slots[0].EveryS, p.Slots[0].Count = 3, 6
	begin := time.Unix(p.Slots[0].StartS, 0)
	w.starts = []time.Time{begin, begin.Add(3 * time.Second)} // so many may sound
	w.inject(wire.KindPlan, offer(12, w.sealBy(p, w.o.Director), w.sealBy(w.man, w.o.Library)))
	w.o.Await(w.d, 40*time.Second, "six outcomes", func(k officetest.Device) bool { return len(outcomes(k, "")) == 6 })
	if played := outcomes(w.o.Know(w.d), wire.PlaySkipped); len(played) < 4 {
		w.t.Errorf("%d of six plays were skipped, two an hour are allowed", len(played))
	}
}

// outcomes returns those with a result, all for none.
func outcomes(k officetest.Device, result wire.PlayResult) (list []wire.Outcome) {
	for _, records := range k.Records {
		for _, r := range records {
			var o wire.Outcome
			if r.Kind == wire.RecordOutcome && json.Unmarshal(r.Body, &o) == nil && (result == "" || o.Result == result) {
				list = append(list, o)
			}
		}
	}
	return list
}

func directorOther(w *world) { otherGate(w) }

func directorRollback(w *world) {
	w.restart(nil)
	p, _ := w.hostile(9)
	p.Clips = []string{w.good.SHA256}
	w.inject(wire.KindPlan, offer(9, w.sealBy(p, w.o.Director), w.sealBy(w.man, w.o.Library)))
}

func directorConflict(w *world) {
	p, _ := w.hostile(w.plan.Version)
	p.Clips = []string{w.good.SHA256}
	w.inject(wire.KindPlan, offer(p.Version, w.sealBy(p, w.o.Director), w.sealBy(w.man, w.o.Library)))
}

func directorEndless(w *world) {
	p, _ := w.hostile(11)
	p.Clips = []string{w.good.SHA256}
	for i := range 22 {
		at := time.Now().Unix() + int64(i)
		p.Slots = append(p.Slots, wire.PlanSlot{ID: wire.SlotID("2026-11-23.many.s" + strconv.Itoa(i)), Name: "x", StartS: at, EndS: at + 20_000, EveryS: 1, Count: 10_000, Playlist: []int{0}})
	}
	p.Slots = p.Slots[1:]
	w.inject(wire.KindPlan, offer(11, w.sealBy(p, w.o.Director), w.sealBy(w.man, w.o.Library)))
}

// swapClip puts another FLAC under the name of the clip while the agent runs;
// the office sends the right one again.
func swapClip(w *world) {
	if err := os.WriteFile(w.card("clips", w.good.SHA256), w.badRaw, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func swapClipOff(w *world) {
	w.restart(func(d agent.Dirs) {
		if err := os.WriteFile(filepath.Join(d.Clips, w.good.SHA256), w.badRaw, 0o600); err != nil {
			w.t.Fatal(err)
		}
	})
}

// swapPlan writes a plan of its own, with the clip, onto the card.
func swapPlan(w *world) {
	p, m := w.hostile(11)
	own := w.ownKey()
	w.restart(func(d agent.Dirs) {
		w.writePair(d, w.sealBy(p, own), w.sealBy(m, own))
		if err := os.WriteFile(filepath.Join(d.Clips, w.bad.SHA256), w.badRaw, 0o600); err != nil {
			w.t.Fatal(err)
		}
	})
}

// swapBack puts the plan before the present one back, as both were signed.
func swapBack(w *world) {
	path := w.card("plan", "accepted")
	old, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.plan.Version, w.man.Version = 11, 11
	w.force()
	w.restart(func(agent.Dirs) {
		if err := os.WriteFile(path, old, 0o600); err != nil {
			w.t.Fatal(err)
		}
	})
}

// writePair writes the file of agent/plan.
func (w *world) writePair(d agent.Dirs, plan, man []byte) {
	head := "gatecast accepted 1 " + strconv.Itoa(len(plan)) + " " + strconv.Itoa(len(man)) + "\n"
	data := append(append([]byte(head), plan...), man...)
	if err := os.WriteFile(filepath.Join(d.Plan, "accepted"), data, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// stop is the command that attackers capture; there is nothing to stop, which
// the result says.
func (w *world) command(id string, counter uint64) officetest.Outgoing {
	return w.o.Command(w.d, wire.Command{ID: id, Counter: counter, Do: "stop"})
}

func (w *world) results(n int) {
	w.t.Helper()
	w.o.Await(w.d, 20*time.Second, "the result", func(k officetest.Device) bool { return len(k.Results) == n })
}

func replayCommand(w *world) {
	c := w.command("c1", 1)
	w.o.Send(c)
	w.results(1)
	for range 3 {
		w.o.Send(c)
	}
	w.finish()
	w.results(1)
}

func replayLater(w *world) {
	c := w.command("c1", 1)
	w.o.Send(c)
	w.results(1)
	w.restart(nil)
	w.o.Send(c)
	w.expectIncident(wire.IncidentReplayed)
	w.results(1)
}

func commandOther(w *world) {
	now := time.Now()
	w.inject(wire.KindCommand, w.sealBy(wire.Command{
		Header: wire.Header{Type: wire.DocCommand, Device: "d0000000000000000000000aa", Version: 1, IssuedUS: wire.US(now), ExpiresUS: wire.US(now.Add(time.Minute))},
		ID:     "c1", Counter: 1, Nonce: w.nonce(), Do: "test_tone",
	}, w.o.Director))
}

func commandForged(w *world) {
	now := time.Now()
	w.inject(wire.KindCommand, w.sealBy(wire.Command{
		Header: wire.Header{Type: wire.DocCommand, Device: w.d, Version: 1, IssuedUS: wire.US(now), ExpiresUS: wire.US(now.Add(time.Minute))},
		ID:     "c1", Counter: 1, Nonce: w.nonce(), Do: "test_tone",
	}, w.ownKey()))
}

// timeOf is an answer to the present connection that says at.
func (w *world) timeOf(d wire.DeviceID, at time.Time) wire.TimeAnswer {
	return wire.TimeAnswer{Header: wire.Header{Type: wire.DocTime, Device: d, Version: 1, IssuedUS: wire.US(at)}, Nonce: w.nonce(), NowUS: wire.US(at)}
}

func timeForged(w *world) {
	w.inject(wire.KindTime, w.sealBy(w.timeOf(w.d, time.Now().AddDate(10, 0, 0)), w.ownKey()))
	w.expectIncident(wire.IncidentTime)
	w.sameClock()
}

func timeOther(w *world) {
	w.inject(wire.KindTime, w.sealBy(w.timeOf("d0000000000000000000000aa", time.Now().AddDate(10, 0, 0)), w.o.Director))
	w.expectIncident(wire.IncidentTime)
	w.sameClock()
}

// timeReplayed says again, after a restart, what was said long before it.
func timeReplayed(w *world) {
	old := w.sealBy(w.timeOf(w.d, time.Now().Add(-time.Hour)), w.o.Director)
	w.restart(nil)
	w.inject(wire.KindTime, old)
	w.expectIncident(wire.IncidentReplayed)
	w.sameClock()
}

// sameClock holds the gate's clock to this machine's.
func (w *world) sameClock() {
	w.t.Helper()
	if off := time.Until(w.a.Now().Wall).Abs(); off > 5*time.Second {
		w.t.Errorf("the gate's clock is off by %s", off)
	}
}
