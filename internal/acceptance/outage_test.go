package acceptance

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"gatecast/agent"
	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/internal/acceptance/outcome"
	"gatecast/internal/wire"
)

// The network is away for a day's plays. When it comes back it breaks again
// and again while the backlog is delivered, at any byte: in the middle of a
// message, and between commit and ack. In the end everything is there, once,
// in order and within two minutes. GATECAST_OUTAGE_PLAYS says how many plays
// a gate records meanwhile, one every five seconds.
func TestSurvivesDayWithoutNetwork(t *testing.T) {
	t.Parallel()
	const gates, cuts = 2, 3
	plays := atLeast(t, "GATECAST_OUTAGE_PLAYS", 6)
	dice := rand.New(rand.NewPCG(seedOf(t), 2))
	o := newOffice(t)
	clip := testClip(2 * time.Second)
	o.addClip("ding", wavOf(clip))
	var all []*gate
	for i := range gates {
		all = append(all, newGate(t, o, fmt.Sprintf("SL-01-%02d", i+1)))
	}
	first := soon(5 * time.Second)
	o.activate(slotsFrom(o, first, 5*time.Second, plays))
	for _, g := range all {
		g.waitStatus(ready)
	}
	o.mqtt.setCut(true)
	o.devices.setCut(true)
	for _, g := range all {
		waitRecorded(t, g, plays, time.Until(first)+time.Duration(plays)*5*time.Second+20*time.Second)
		g.waitStatus(func(s agent.Status) bool {
			return len(s.Plays) == min(plays, 10) && s.Plays[len(s.Plays)-1].Planned.Equal(first.Add(time.Duration(plays-1)*5*time.Second))
		})
		// The pause between tries has grown to a minute by now; a restart, as
		// after a night, makes it short.
		g.process.stop(t, 5*time.Second)
	}

	// A handshake takes some 2 KB in each direction, the backlog a few up and
	// its acks some hundred bytes down. Each cut doubles the pause before the
	// next try: six in a row cost half a minute.
	fuses := make([]fuse, gates*cuts)
	for i := range fuses {
		if i%2 == 0 {
			fuses[i].up = 1500 + dice.Int64N(8000)
		} else {
			fuses[i].down = 1500 + dice.Int64N(2000)
		}
	}
	o.mqtt.setFuses(fuses)
	o.mqtt.setCut(false)
	o.devices.setCut(false)
	for _, g := range all {
		g.start()
	}
	begun := time.Now()
	waitReported(t, o, all[0], gates*plays)
	took := time.Since(begun)
	if took > 2*time.Minute {
		t.Errorf("the backlog took %s", took)
	}
	for _, g := range all {
		g.process.stop(t, 5*time.Second)
	}
	_, blown := o.mqtt.fusesLeft()
	if blown < gates {
		t.Errorf("only %d connections were cut during the delivery", blown)
	}
	books := o.books()
	var sum tally
	for i, g := range all {
		sum = sum.plus(sameBooks(t, books, g))
		inOrder(t, books, g.device())
		for _, row := range today(t, books, fmt.Sprintf("SL-01-%02d", i+1)) {
			if row.Verdict != fleet.Played {
				t.Errorf("%s = %s %s", row.Slot, row.Verdict, row.Reason)
			}
		}
		for _, file := range g.recordings() {
			checkRecording(t, clip, file)
		}
	}
	truth := trueVerdicts(t, books, all, clip)
	sum = sum.plus(truth.tally)
	outcome.Report(t, outcome.Row{
		Fault: "network away, then cut during delivery", FaultZH: "断网一天，补传中反复中断", Tried: 1 + blown, Unit: "cuts", UnitZH: "次",
		Of: sum.of, Lost: sum.lost, Doubled: sum.doubled,
		Note:   fmt.Sprintf("%d plays at each of %d gates, all delivered %s after the network came back", plays, gates, took.Round(time.Second)),
		NoteZH: fmt.Sprintf("%d 个门口各 %d 次播放，网络恢复后 %s 全部补齐", gates, plays, took.Round(time.Second)),
	})
}

// inOrder checks that the records of a device were committed in the order in
// which they were written.
func inOrder(t *testing.T, books *store.Store, id wire.DeviceID) {
	t.Helper()
	var cursor int64
	var last wire.Seq
	for {
		recs, err := books.RecordsAfter(t.Context(), cursor, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range recs {
			cursor = r.ID
			if r.Device != id {
				continue
			}
			if r.Seq <= last {
				t.Errorf("record %d of %s was committed after record %d", r.Seq, id, last)
			}
			last = r.Seq
		}
		if len(recs) == 0 {
			return
		}
	}
}
