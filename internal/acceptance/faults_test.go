package acceptance

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/internal/wire"
)

// tally is what a comparison of the books found.
type tally struct{ of, lost, doubled int }

func (a tally) plus(b tally) tally {
	return tally{a.of + b.of, a.lost + b.lost, a.doubled + b.doubled}
}

// sameBooks checks that office and stopped gate agree: every record that the
// device wrote is in the store exactly once, but for the last one that says it
// stops, and no play began twice. It counts records and plays.
func sameBooks(t *testing.T, books *store.Store, g *gate) (sum tally) {
	t.Helper()
	return sameRecords(t, books, g.device(), g.records())
}

// sameRecords is sameBooks for what device d wrote.
func sameRecords(t *testing.T, books *store.Store, d wire.DeviceID, written []wire.Record) (sum tally) {
	t.Helper()
	if len(written) == 0 {
		t.Fatal("the journal is empty")
	}
	held, err := books.LastRecords(t.Context(), d, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	// Nobody waits for what is written while the agent ends.
	for n := len(written) - 1; n > 0 && (written[n].Kind == wire.RecordStop || written[n].Kind == wire.RecordCheckpoint); n-- {
		written = written[:n]
	}
	seen := map[string]int{}
	for _, r := range held {
		seen[fmt.Sprint(r.Log, "/", r.Seq)]++
	}
	sum.of = len(written)
	for _, r := range written {
		switch n := seen[fmt.Sprint(r.Log, "/", r.Seq)]; {
		case n == 0:
			sum.lost++
			t.Errorf("record %s/%d (%s) is not in the store", r.Log, r.Seq, r.Kind)
		case n > 1:
			sum.doubled++
			t.Errorf("record %s/%d (%s) is in the store %d times", r.Log, r.Seq, r.Kind, n)
		}
	}
	begun := map[wire.PlayID]int{}
	for _, r := range written {
		if r.Kind == wire.RecordIntent {
			var i wire.Intent
			if err := json.Unmarshal(r.Body, &i); err != nil {
				t.Fatal(err)
			}
			begun[i.Play]++
		}
	}
	sum.of += len(begun)
	for play, n := range begun {
		if n != 1 {
			sum.doubled++
			t.Errorf("play %s began %d times", play, n)
		}
	}
	return sum
}

// verdicts returns the day's verdicts in the order of the slots.
func verdicts(rows []fleet.Obligation) []fleet.Verdict {
	v := make([]fleet.Verdict, len(rows))
	for i, o := range rows {
		v[i] = o.Verdict
	}
	return v
}

// waitRecorded waits until the gate has written n recordings.
func waitRecorded(t *testing.T, g *gate, n int, limit time.Duration) {
	t.Helper()
	eventually(t, limit, func() string {
		if have := len(g.recordings()); have < n {
			return fmt.Sprintf("%d of %d recordings", have, n)
		}
		return ""
	})
}

// owedCount and settledCount find the counts on the overview.
var owedCount = regexp.MustCompile(`应播 (\d+)`)

var settledCount = regexp.MustCompile(`(?:已播|部分播|未播|存疑) (\d+)`)

// waitSettled waits until the overview counts all slots of the day as settled,
// and n at least.
func waitSettled(t *testing.T, o *office, n int, limit time.Duration) {
	t.Helper()
	eventually(t, limit, func() string {
		page := text(o.get("/"))
		count := func(text string) int {
			k, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			return k
		}
		have := 0
		for _, m := range settledCount.FindAllStringSubmatch(page, 4) {
			have += count(m[1])
		}
		if m := owedCount.FindStringSubmatch(page); m != nil && count(m[1]) > n {
			n = count(m[1])
		}
		if have < n {
			return fmt.Sprintf("%d of %d slots are settled: %s", have, n, page)
		}
		return ""
	})
}

// waitReported waits until the device has nothing left to deliver and reported
// last, which it wrote.
func waitReported(t *testing.T, o *office, g *gate, slots int) {
	t.Helper()
	want := fmt.Sprintf("已播 %d", slots)
	// After a long cut a device tries again after a minute at most.
	eventually(t, 100*time.Second, func() string {
		if page := text(o.get("/")); !strings.Contains(page, want) {
			return "the overview lacks " + want + ": " + page
		}
		return ""
	})
}

func TestControllerKilledInASlot(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	clip := testClip(8 * time.Second)
	o.addClip("ding", wavOf(clip))
	g := newGate(t, o, "SL-01-01")
	o.activate(slotsFrom(o, soon(8*time.Second), 15*time.Second, 2))
	waitRecorded(t, g, 1, 30*time.Second) // the first clip is sounding now
	o.process.kill()
	waitRecorded(t, g, 2, 30*time.Second) // the second one, without an office
	o.start()
	waitReported(t, o, g, 2)
	g.process.stop(t, 5*time.Second)
	books := o.books()
	rows := today(t, books, "SL-01-01")
	if got := verdicts(rows); !slices.Equal(got, []fleet.Verdict{fleet.Played, fleet.Played}) {
		t.Errorf("verdicts = %v, want both played", got)
	}
	for _, file := range g.recordings() {
		checkRecording(t, clip, file)
	}
	sameBooks(t, books, g)
}

func TestAgentKilledMidClip(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.addClip("ding", wavOf(testClip(8*time.Second)))
	g := newGate(t, o, "SL-01-01")
	o.activate(slotsFrom(o, soon(8*time.Second), 15*time.Second, 2))
	waitRecorded(t, g, 1, 30*time.Second)
	g.process.kill()
	g.start()
	waitRecorded(t, g, 2, 40*time.Second)
	waitReported(t, o, g, 1)
	g.process.stop(t, 5*time.Second)
	books := o.books()
	rows := today(t, books, "SL-01-01")
	if len(rows) != 2 || rows[0].Verdict == fleet.Played || rows[1].Verdict != fleet.Played {
		t.Errorf("verdicts = %v, want the interrupted slot not played and the next one played", verdicts(rows))
	}
	all := outcomes(t, g.records())
	if len(all) != 2 || all[0].Result != wire.PlayPartial || all[1].Result != wire.PlayPlayed {
		t.Errorf("outcomes = %+v, want one partial and one played", all)
	}
	if n := len(g.recordings()); n != 2 {
		t.Errorf("%d recordings: the interrupted play was repeated", n)
	}
	sameBooks(t, books, g)
}
