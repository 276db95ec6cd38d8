package playout

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatecast/internal/durable"
	"gatecast/internal/simulate/disk"
	"gatecast/internal/wire"
)

// eveningPlan has six plays five minutes apart, from minute 60.
func eveningPlan() *wire.Plan {
	s := testSlot("gates.evening", 60, 6)
	s.EveryS, s.EndS = 300, s.StartS+1800
	return testPlan(s)
}

// TestPowerCutInASlotWithoutAClock is a board without a battery clock: the
// power fails in the middle of the second play and comes back 14 minutes
// later, in 1970. Nothing sounds before there is trust, what is left of the
// slot does, and nothing is made up.
func TestPowerCutInASlotWithoutAClock(t *testing.T) {
	tests := map[string]struct {
		trust float64 // minute at which the controller answers; 0 for never
		want  []string
		heard []float64 // minutes at which something sounds after the cut
	}{
		"trust_in_the_slot": {
			81, []string{"#3 skipped power", "#4 skipped power", "#5 skipped clock", "#6 played"}, []float64{85},
		},
		"trust_within_the_grace": {
			80.25, []string{"#3 skipped power", "#4 skipped power", "#5 played", "#6 played"}, []float64{80.25, 85},
		},
		"trust_just_before_a_play": {
			79.9, []string{"#3 skipped power", "#4 skipped power", "#5 played", "#6 played"}, []float64{80, 85},
		},
		"trust_after_the_slot": {
			95, []string{"#3 skipped power", "#4 skipped power", "#5 skipped clock", "#6 skipped clock"}, nil,
		},
		"trust_just_after_the_slot": {
			90.1, []string{"#3 skipped power", "#4 skipped power", "#5 skipped clock", "#6 skipped clock"}, nil,
		},
		"no_trust": {0, nil, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, eveningPlan(), func(r *rig) {
				off := time.Until(origin)
				truth := func() time.Time { return time.Now().Round(0).Add(off) }
				pass := func(minute float64) { r.pass(minutes(minute).Sub(truth())) }
				r.start()
				pass(65 + 5.0/60)
				n := r.cut(14 * time.Minute)
				n.boot(time.Until(time.Unix(30, 0)), false)
				n.start()
				defer n.stop()
				if tt.trust > 0 {
					pass(tt.trust)
					if plays := n.sink.sounded(); len(plays) > 0 {
						t.Errorf("%d plays before time was trusted", len(plays))
					}
					n.clock.Trust(wire.US(truth()), 40*time.Millisecond)
				}
				pass(100)
				want := []string{"gates.evening#1 played", "gates.evening#2 partial power"}
				for _, s := range tt.want {
					want = append(want, "gates.evening"+s)
				}
				wantOutcomes(t, n, want...)
				var heard []float64
				for _, p := range n.sink.sounded() {
					heard = append(heard, float64(p.at.Round(0).Add(off).Sub(origin).Round(time.Second)/time.Second)/60)
				}
				if diff := cmp.Diff(tt.heard, heard); diff != "" {
					t.Errorf("minutes at which it sounded after the cut (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestNeverMoreThanSounded cuts the power, and kills the agent, at every
// second of a play, with a sink that is on time and one that is behind, and
// compares what the next run says of the play with what had sounded.
func TestNeverMoreThanSounded(t *testing.T) {
	const clip = clipFrames / clipRate * time.Second
	best := map[string]time.Duration{}
	for _, lag := range []time.Duration{0, 400 * time.Millisecond} {
		for cut := -time.Second; cut <= clip+2*time.Second; cut += time.Second {
			for seed := range uint64(4) { // 0 kills only the program
				name := fmt.Sprintf("lag_%v_cut_at_%v_seed_%d", lag, cut, seed)
				synctest.Test(t, func(t *testing.T) {
					o := cutOff(t, lag, cut, seed)
					truth := max(0, min(clip, cut+300*time.Millisecond-lag))
					claimed := time.Duration(o.SoundMS) * time.Millisecond
					whole := truth == clip && (o.Result == wire.PlayPlayed || seed > 0)
					reason := wire.ReasonPower
					if seed == 0 {
						reason = wire.ReasonExit
					}
					switch {
					case o.Result == wire.PlayPlayed && truth < clip, claimed > truth:
						t.Errorf("%s: %s, %v sounded, of %v in truth", name, o.Result, claimed, truth)
					case !whole && (o.Reason != reason || o.Result != wire.PlayPartial && o.Result != wire.PlayFailed && o.Result != wire.PlaySkipped):
						t.Errorf("%s: %s %s", name, o.Result, o.Reason)
					}
					kind := map[bool]string{true: "killed", false: "cut"}[seed == 0]
					if truth == clip/2+300*time.Millisecond+2*time.Second {
						best[kind] = max(best[kind], claimed)
					}
				})
			}
		}
	}
	// Knowing nothing would never be too much either.
	if best["killed"] < clip/2 || best["cut"] < clip/2-time.Second {
		t.Errorf("of 7.3 s a killed program knew %v, a power cut left %v", best["killed"], best["cut"])
	}
}

// cutOff plays one clip, ends the run 300 ms after cut into it and returns
// what the next run writes about the play.
func cutOff(t *testing.T, lag, cut time.Duration, seed uint64) wire.Outcome {
	t.Helper()
	d := disk.New(rand.New(rand.NewPCG(seed, uint64(cut))))
	if err := durable.On(d).MkdirAll("/d", 0o700); err != nil {
		t.Fatal(err)
	}
	plan := testPlan(testSlot("gates.morning", 2, 1))
	r := &rig{t: t, dir: "/d", fs: d, sink: &fakeSink{lag: lag}, lib: &fakeLibrary{}, plan: plan, man: testManifest()}
	r.boot(time.Until(origin), true)
	r.start()
	r.until(minutes(2).Add(cut + 300*time.Millisecond))
	n := &rig{t: t, dir: "/d", sink: &fakeSink{}, lib: r.lib, plan: plan, man: r.man, boots: r.boots, kernel: r.kernel}
	if seed == 0 {
		n.fs = d.Kill()
	} else {
		n.fs = d.Boot()
	}
	r.cancel()
	<-r.stopped
	_ = r.journal.Close() // on a disk that is gone
	r.pass(time.Minute)
	if seed > 0 {
		n.boot(r.kernel.off, true)
	}
	n.start()
	defer n.stop()
	n.until(minutes(5))
	all := n.outcomeRecords()
	if len(all) != 1 {
		t.Fatalf("%d outcomes, want 1", len(all))
	}
	return all[0]
}

// TestHistoryTimesWhatWasWrittenBeforeTrust reads journals whose boots learned
// the time late, or never.
func TestHistoryTimesWhatWasWrittenBeforeTrust(t *testing.T) {
	const second = int64(1_000_000)
	at := func(kind wire.RecordKind, boot string, mono int64, level wire.TimeLevel, wall int64) wire.Record {
		return wire.Record{Kind: kind, BootID: boot, MonoUS: mono * second, Level: level, AtUS: wall * second, Body: json.RawMessage(`{}`)}
	}
	tests := map[string]struct {
		records     []wire.Record
		since, seen int64 // seconds
	}{
		"empty":         {nil, 0, 0},
		"never_trusted": {[]wire.Record{at(wire.RecordBoot, "a", 5, wire.T0, 100)}, 0, 0},
		"trusted_late":  {[]wire.Record{at(wire.RecordBoot, "a", 5, wire.T0, 100), at(wire.RecordClock, "a", 65, wire.T1, 9065)}, 9005, 9065},
		"trust_lost_again": {
			[]wire.Record{at(wire.RecordClock, "a", 65, wire.T1, 9065), at(wire.RecordStop, "a", 100, wire.T0, 200)}, 9065, 9100,
		},
		"first_boot_without_trust": {
			[]wire.Record{at(wire.RecordBoot, "a", 5, wire.T0, 100), at(wire.RecordBoot, "b", 5, wire.T0, 100), at(wire.RecordClock, "b", 15, wire.T1, 9015)}, 9005, 9015,
		},
		"nothing_counts_before_a_gap": {
			[]wire.Record{
				at(wire.RecordClock, "a", 65, wire.T1, 9065), at(wire.RecordGap, "b", 4, wire.T0, 100),
				at(wire.RecordBoot, "b", 5, wire.T0, 100), at(wire.RecordClock, "b", 15, wire.T1, 9515),
			}, 9504, 9515,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHistory(map[wire.PlayID]int64{})
			for _, r := range tt.records {
				if err := h.read(r); err != nil {
					t.Fatal(err)
				}
			}
			if since, seen := h.sinceUS()/second, h.seenUS()/second; since != tt.since || seen != tt.seen {
				t.Errorf("complete since %d, seen until %d, want %d, %d", since, seen, tt.since, tt.seen)
			}
		})
	}
}

// clockEvent is one thing that a kernel does to a device in a day.
type clockEvent struct {
	Op      string
	Minutes int // until the next one
	By      int // minutes
}

// TestNoStepMakesAPlaySoundTwice lets clocks do anything to a device that owes
// a play every minute: each play sounds at most once, is settled at most
// once, and what a jump went over is not made up.
func TestNoStepMakesAPlaySoundTwice(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) clockEvent {
			return clockEvent{
				rapid.SampledFrom([]string{"step", "step", "hand", "sync", "unsync", "answer", "restart", "reboot_1970", "suspend"}).Draw(rt, "op"),
				rapid.IntRange(0, 3).Draw(rt, "minutes"), rapid.IntRange(-8, 8).Draw(rt, "by"),
			}
		}), 1, 7).Draw(rt, "events")
		var fault string
		synctest.Test(t, func(t *testing.T) { fault = dayOf(t, events) })
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}

// dayOf returns what broke.
func dayOf(t *testing.T, events []clockEvent) string {
	d := disk.New(rand.New(rand.NewPCG(1, 2)))
	if err := durable.On(d).MkdirAll("/d", 0o700); err != nil {
		t.Fatal(err)
	}
	s := testSlot("gates.all", 1, 60)
	s.EveryS, s.EndS = 60, s.StartS+60*60
	r := &rig{t: t, dir: "/d", fs: d, sink: &fakeSink{}, lib: &fakeLibrary{}, plan: testPlan(s), man: testManifest()}
	off := time.Until(origin)
	for i := range r.man.Clips {
		r.man.Clips[i].Frames = clipRate / 10 // rendering long ones would take most of the test
	}
	r.boot(off, true)
	r.start()
	for _, e := range events {
		r.pass(time.Duration(e.Minutes) * time.Minute)
		by := time.Duration(e.By) * time.Minute
		switch e.Op {
		case "step":
			r.kernel.step(by)
		case "hand":
			r.kernel.sync(false)
			r.kernel.step(by)
		case "sync":
			r.kernel.sync(true)
		case "unsync":
			r.kernel.sync(false)
		case "answer":
			r.clock.Trust(wire.US(time.Now().Add(off)), 20*time.Millisecond)
		case "restart", "reboot_1970":
			r.stop()
			if e.Op == "reboot_1970" {
				r.pass(by.Abs())
				r.boot(time.Until(time.Unix(10, 0)), false)
			}
			r.start()
		case "suspend": // the kernel's clocks count it
			r.pass(by.Abs())
		}
	}
	r.pass(2 * time.Minute)
	r.stop()
	if err := context.Cause(t.Context()); err != nil {
		return err.Error()
	}
	intents, outcomes := map[wire.PlayID]int{}, map[wire.PlayID]int{}
	for _, rec := range r.records(wire.RecordIntent) {
		var b wire.Intent
		if err := json.Unmarshal(rec.Body, &b); err != nil {
			return err.Error()
		}
		if intents[b.Play]++; rec.Level < wire.T1 {
			return fmt.Sprintf("%s sounded without trust", b.Play)
		}
		if late := rec.AtUS - b.PlannedUS; late > (31 * time.Second).Microseconds() {
			return fmt.Sprintf("%s began %d ms late: it was made up", b.Play, late/1000)
		}
	}
	for _, o := range r.outcomeRecords() {
		if outcomes[o.Play]++; outcomes[o.Play] > 1 {
			return fmt.Sprintf("%s was settled %d times", o.Play, outcomes[o.Play])
		}
	}
	// An intent may be without sound, where the agent ended in between.
	if n := len(r.sink.sounded()); n > sum(intents) {
		return fmt.Sprintf("%d plays sounded, %d intents were written", n, sum(intents))
	}
	for id, n := range intents {
		if n > 1 {
			return fmt.Sprintf("%s sounded %d times", id, n)
		}
	}
	return ""
}

func sum(m map[wire.PlayID]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}
