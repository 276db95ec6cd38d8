package playout

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"gatecast/agent/walltime"
	"gatecast/internal/wire"
)

// cuttingJournal copies the disk before and after every record, as a power
// cut at these instants would leave it.
type cuttingJournal struct {
	Journal
	rig  *rig
	base string
	cuts []cutAt
}

// cutAt is one copy.
type cutAt struct {
	dir  string
	wall time.Time
	kind wire.RecordKind
}

func (j *cuttingJournal) cut(kind wire.RecordKind) {
	dir := filepath.Join(j.base, strconv.Itoa(len(j.cuts)))
	if err := os.Mkdir(dir, 0o700); err != nil {
		j.rig.t.Error(err)
	}
	j.rig.copyTo(dir)
	j.cuts = append(j.cuts, cutAt{dir, j.rig.kernel.Wall(), kind})
}

func (j *cuttingJournal) Append(kind wire.RecordKind, at walltime.Stamp, body any) (wire.Seq, error) {
	j.cut(kind)
	seq, err := j.Journal.Append(kind, at, body)
	j.cut(kind)
	return seq, err
}

// TestCutAtEveryRecord cuts the power, and kills the agent, before and after
// every record of a slot, and lets the device go on from there: each play
// must end with exactly one outcome and at most one intent, and nothing
// sounds without one.
func TestCutAtEveryRecord(t *testing.T) {
	morning := testSlot("gates.morning", 30, 4)
	morning.Playlist = []int{0, 0, 1} // the third play's clip is missing
	plan := testPlan(morning)
	var cuts []cutAt
	base := t.TempDir()
	inBubble(t, plan, func(r *rig) {
		r.lib.fail(shaOf(2), errMissing)
		j := &cuttingJournal{rig: r, base: base}
		r.wrap = func(inner Journal) Journal { j.Journal = inner; return j }
		r.start()
		r.until(minutes(40))
		r.stop()
		cuts = j.cuts
	})
	if len(cuts) < 2*9 {
		t.Fatalf("only %d cuts", len(cuts))
	}
	for i, c := range cuts {
		for name, away := range map[string]time.Duration{"killed": 2 * time.Second, "power_cut": 45 * time.Second} {
			t.Run(name+"_"+strconv.Itoa(i)+"_"+string(c.kind), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := &rig{t: t, dir: t.TempDir(), sink: &fakeSink{}, lib: &fakeLibrary{}, plan: plan, man: testManifest()}
					if err := os.CopyFS(r.dir, os.DirFS(c.dir)); err != nil {
						t.Fatal(err)
					}
					r.lib.fail(shaOf(2), errMissing)
					r.boot(time.Until(c.wall.Add(away)), true)
					if name == "power_cut" {
						r.boots = 7
						r.boot(time.Until(c.wall.Add(away)), true)
					}
					r.start()
					before := len(r.records(wire.RecordIntent))
					r.until(minutes(45))
					checkOnce(t, r, plan)
					if after := len(r.records(wire.RecordIntent)); after-before != len(r.sink.sounded()) {
						t.Errorf("%d plays sounded, %d intents were written", len(r.sink.sounded()), after-before)
					}
					r.stop()
				})
			})
		}
	}
}

// checkOnce holds I2 and what the ledger needs for I3.
func checkOnce(t *testing.T, r *rig, plan *wire.Plan) {
	t.Helper()
	intents, outcomes := map[wire.PlayID]int{}, map[wire.PlayID][]wire.Outcome{}
	for _, rec := range r.records(wire.RecordIntent) {
		var b wire.Intent
		if err := json.Unmarshal(rec.Body, &b); err != nil {
			t.Fatal(err)
		}
		intents[b.Play]++
	}
	for _, o := range r.outcomeRecords() {
		outcomes[o.Play] = append(outcomes[o.Play], o)
	}
	for _, s := range plan.Slots {
		plays, err := plan.Plays(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range plays {
			if n := intents[p.ID]; n > 1 {
				t.Errorf("%s: %d intents", p.ID, n)
			}
			if n := len(outcomes[p.ID]); n != 1 {
				t.Errorf("%s: outcomes %+v, want one", p.ID, outcomes[p.ID])
			}
		}
	}
}
