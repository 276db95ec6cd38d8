package link

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatecast/internal/wire"
)

func TestBackoffGrowsWithinItsBounds(t *testing.T) {
	b := backoff{first: 500 * time.Millisecond, most: time.Minute}
	want := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second, time.Minute, time.Minute}
	for i, most := range want {
		if d := b.next(); d < most/2 || d >= most {
			t.Errorf("pause %d is %s, want %s to %s", i+1, d, most/2, most)
		}
	}
	for range 100 {
		if d := b.next(); d < 30*time.Second || d >= time.Minute {
			t.Fatalf("pause after many attempts is %s", d)
		}
	}
	b.reset()
	if d := b.next(); d >= 500*time.Millisecond {
		t.Errorf("pause after reset is %s", d)
	}
}

func TestBackoffSpreadsAFleet(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 1000 {
		b := backoff{first: time.Second, most: time.Minute}
		seen[b.next().Truncate(time.Millisecond)] = true
	}
	if len(seen) < 250 {
		t.Errorf("1,000 devices share %d distinct milliseconds of 500", len(seen))
	}
}

func TestSeededIsConstantAndSpread(t *testing.T) {
	first := seeded(time.Minute, "d1", "7")
	if again := seeded(time.Minute, "d1", "7"); again != first || seeded(0, "d1") != 0 {
		t.Error("seeded is not a function of its arguments")
	}
	var buckets [10]int
	for i := range 10_000 {
		d := seeded(time.Minute, fmt.Sprintf("d%024x", i), "7")
		buckets[min(9, int(d/(6*time.Second)))]++
	}
	for i, n := range buckets {
		if n < 800 || n > 1200 {
			t.Errorf("tenth %d holds %d of 10,000 devices", i, n)
		}
	}
}

func records(log wire.LogID, first, last wire.Seq, size int) wire.Batch {
	b := wire.Batch{Log: log}
	for seq := first; seq <= last; seq++ {
		raw, _ := json.Marshal(wire.Record{Log: log, Seq: seq, Kind: wire.RecordStop, Prev: fmt.Sprintf("%0*d", size, 0), Body: json.RawMessage(`{}`)})
		b.Records = append(b.Records, raw)
	}
	return b
}

func seqsOf(batches []wire.Batch) []wire.Seq {
	var out []wire.Seq
	for _, b := range batches {
		for _, raw := range b.Records {
			var r wire.Record
			_ = json.Unmarshal(raw, &r)
			out = append(out, r.Seq)
		}
	}
	return out
}

func TestWindowSendsOnceUntilDue(t *testing.T) {
	now := time.Unix(1000, 0)
	w := newWindow(nil)
	got, err := w.pick(now, records("a", 1, 3, 64))
	if err != nil || !slices.Equal(seqsOf(got), []wire.Seq{1, 2, 3}) {
		t.Fatalf("first pick sends %v, %v", seqsOf(got), err)
	}
	if got, _ := w.pick(now, records("a", 1, 4, 64)); !slices.Equal(seqsOf(got), []wire.Seq{4}) {
		t.Errorf("a new record is sent with %v, want it alone", seqsOf(got))
	}
	due := w.due
	if due.Before(now.Add(ackWait)) || !due.Before(now.Add(2*ackWait)) {
		t.Errorf("due in %s, want %s to %s", due.Sub(now), ackWait, 2*ackWait)
	}
	if got, _ := w.pick(due.Add(-1), records("a", 1, 4, 64)); len(got) != 0 {
		t.Errorf("sent %v again before due", seqsOf(got))
	}
	if got, _ := w.pick(due, records("a", 1, 4, 64)); !slices.Equal(seqsOf(got), []wire.Seq{1, 2, 3, 4}) {
		t.Errorf("at due sent %v, want all that is unacked", seqsOf(got))
	}
	if next := w.due.Sub(due); next < 2*ackWait {
		t.Errorf("second pause is %s, want it to have grown", next)
	}
	if got, _ := w.pick(now, wire.Batch{Log: "a"}); len(got) != 0 || !w.due.IsZero() {
		t.Errorf("with all acked: sends %v, due %v", seqsOf(got), w.due)
	}
}

func TestWindowKeepsTheLimitsOfABatch(t *testing.T) {
	w := newWindow(nil)
	got, err := w.pick(time.Unix(1000, 0), records("a", 1, 400, 600))
	if err != nil || len(got) != windowBatches {
		t.Fatalf("%d batches, %v, want %d", len(got), err, windowBatches)
	}
	for i, b := range got {
		data, _ := json.Marshal(b)
		if len(data) > wire.MaxBatchBytes || len(b.Records) > wire.MaxBatchRecords {
			t.Errorf("batch %d has %d records, %d bytes", i, len(b.Records), len(data))
		}
	}
	small := newWindow(nil)
	got, _ = small.pick(time.Unix(1000, 0), records("a", 1, 60, 1))
	if len(got) != 2 || len(got[0].Records) != wire.MaxBatchRecords {
		t.Errorf("60 small records come in %d batches", len(got))
	}
}

func TestWindowStartsOverForAnotherLogAndARestoredController(t *testing.T) {
	now := time.Unix(1000, 0)
	w := newWindow(nil)
	_, _ = w.pick(now, records("a", 90, 95, 64))
	if got, _ := w.pick(now, records("b", 1, 2, 64)); !slices.Equal(seqsOf(got), []wire.Seq{1, 2}) {
		t.Errorf("another log: sent %v", seqsOf(got))
	}
	_, _ = w.pick(now, records("b", 3, 5, 64))
	if got, _ := w.pick(now, records("b", 1, 5, 64)); !slices.Equal(seqsOf(got), []wire.Seq{1, 2, 3, 4, 5}) {
		t.Errorf("restored controller: sent %v", seqsOf(got))
	}
}

// TestWindowDeliversThroughALossyPipe drops, delays and repeats messages at
// random; every record must arrive, and an idle window must not send.
func TestWindowDeliversThroughALossyPipe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		total := wire.Seq(rapid.IntRange(1, 500).Draw(t, "records"))
		loss := rapid.IntRange(0, 60).Draw(t, "loss_pct")
		rnd := rand.New(rand.NewPCG(seed, 1))
		now, w := time.Unix(1000, 0), newWindow(nil)
		have := map[wire.Seq]bool{}
		var acked wire.Seq
		for steps := 0; acked < total; steps++ {
			if steps > 20_000 {
				t.Fatalf("acked %d of %d after %d steps", acked, total, steps)
			}
			end := min(total, acked+windowBatches*wire.MaxBatchRecords)
			got, err := w.pick(now, records("a", acked+1, end, 8))
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range got {
				if rnd.IntN(100) < loss {
					continue
				}
				for _, s := range seqsOf([]wire.Batch{b}) {
					have[s] = true
				}
				if rnd.IntN(100) < loss {
					continue // the ack is lost
				}
				for have[acked+1] {
					acked++
				}
			}
			now = now.Add(time.Duration(rnd.IntN(3000)) * time.Millisecond)
		}
		if got, _ := w.pick(now.Add(time.Hour), wire.Batch{Log: "a"}); len(got) != 0 {
			t.Fatalf("sends %v with nothing pending", seqsOf(got))
		}
	})
}

func TestReporterSaysThingsOnceAndKeepsBeating(t *testing.T) {
	now := time.Unix(1000, 0)
	r := reporter{every: time.Minute}
	s := wire.State{PlanVersion: 1}
	r.sent(now, s)
	if d := r.due.Sub(now); d < 54*time.Second || d > 66*time.Second {
		t.Errorf("heartbeat is due in %s", d)
	}
	now = now.Add(100 * time.Millisecond)
	r.nudge(now)
	if want := time.Unix(1000, 0).Add(stateGap); !r.due.Equal(want) {
		t.Errorf("nudged right after a state: due %s, want %s", r.due, want)
	}
	now = r.due
	s.AtUS, s.LastSeq, s.AckedSeq, s.Time.ErrMS = 5, 6, 7, 8
	if r.pick(now, s) {
		t.Error("published although only numbers moved")
	}
	if !r.due.Equal(r.beat) {
		t.Error("without a change the next look is not the heartbeat")
	}
	r.nudge(now)
	r.nudge(now)
	s.PlanVersion = 2
	if !r.pick(r.due, s) || r.pick(r.due, s) && r.due.Before(r.beat) {
		t.Error("a change was not published exactly once")
	}
	if beat := r.beat; !r.pick(beat, s) {
		t.Error("no heartbeat")
	}
}

func TestReporterSpreadsAFleet(t *testing.T) {
	now := time.Unix(1000, 0)
	var lo, hi time.Duration = time.Hour, 0
	for range 200 {
		r := reporter{every: time.Hour, jitter: time.Minute}
		r.sent(now.Add(-time.Minute), wire.State{})
		r.nudge(now)
		d := r.due.Sub(now)
		lo, hi = min(lo, d), max(hi, d)
	}
	if lo < settle || hi > time.Minute+settle || hi-lo < 30*time.Second {
		t.Errorf("200 devices report between %s and %s", lo, hi)
	}
}

func TestStateOfManyClipsFitsIntoAMessage(t *testing.T) {
	var s wire.State
	for i := range 1000 {
		h := fmt.Sprintf("%064d", i)
		s.ClipsReady, s.ClipsMissing = append(s.ClipsReady, h), append(s.ClipsMissing, h)
	}
	for range 20 {
		s.Conditions = append(s.Conditions, wire.Condition{Code: "output_fault", Severity: "bad", Detail: fmt.Sprintf("%0300d", 1)})
	}
	data, err := json.Marshal(fit(s))
	if err != nil || len(data) > wire.MaxMessage {
		t.Errorf("state has %d bytes, %v", len(data), err)
	}
}

func TestSessionsGrowOverRestarts(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	var last uint64
	for run := range 3 {
		c := openCounters(nil, dir, now.Add(-time.Duration(run)*24*time.Hour)) // even when the clock goes back
		for range reserve + 10 {
			n, err := c.nextSession()
			if err != nil || n <= last {
				t.Fatalf("session %d after %d, %v", n, last, err)
			}
			last = n
		}
	}
	// A damaged file must not bring old numbers back.
	if err := os.WriteFile(filepath.Join(dir, "link.json"), []byte("{\"sess"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := openCounters(nil, dir, now.Add(time.Hour))
	if n, _ := c.nextSession(); n <= last {
		t.Errorf("session %d after damage, %d before", n, last)
	}
}
