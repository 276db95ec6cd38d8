package incident

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/agent/walltime"
	"gatecast/internal/wire"
)

// fakeJournal keeps bodies in memory; full refuses them.
type fakeJournal struct {
	mu     sync.Mutex
	full   bool
	bodies []wire.Incident
}

func (j *fakeJournal) Append(kind wire.RecordKind, _ walltime.Stamp, body any) (wire.Seq, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.full {
		return 0, errors.New("no space left")
	}
	if kind == wire.RecordIncident {
		j.bodies = append(j.bodies, body.(wire.Incident))
	}
	return wire.Seq(len(j.bodies)), nil
}

func (j *fakeJournal) taken() []wire.Incident {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]wire.Incident(nil), j.bodies...)
}

func (j *fakeJournal) setFull(full bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.full = full
}

func stamp() walltime.Stamp { return walltime.Stamp{Wall: time.Now(), Level: wire.T1} }

func running(t *testing.T, j *fakeJournal) (r *Reporter, stop func()) {
	t.Helper()
	r = New(j, stamp, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { r.Run(ctx); close(done) }()
	return r, func() { cancel(); <-done }
}

func TestReporterWritesOnceAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &fakeJournal{}
		r, stop := running(t, j)
		begin := wire.US(time.Now())
		r.Report(wire.IncidentForged, "plan\nwithout a  key")
		synctest.Wait()
		first := wire.Incident{What: wire.IncidentForged, Detail: "plan without a key", Count: 1, FirstUS: begin, LastUS: begin}
		if diff := cmp.Diff([]wire.Incident{first}, j.taken()); diff != "" {
			t.Fatalf("at once (-want +got):\n%s", diff)
		}
		for range 6000 { // an attacker with patience: ten minutes, ten tries a second
			time.Sleep(100 * time.Millisecond)
			r.Report(wire.IncidentForged, "again")
		}
		r.Report(wire.IncidentReplayed, strings.Repeat("令", 1000)) // another kind is told at once
		synctest.Wait()
		if got := j.taken(); len(got) != 2 || got[1].What != wire.IncidentReplayed || len(got[1].Detail) > maxDetail {
			t.Fatalf("after ten minutes: %+v", got)
		}
		time.Sleep(Every)
		synctest.Wait()
		got := j.taken()
		if len(got) != 3 || got[2].Count != 6000 || got[2].FirstUS != begin+100_000 || got[2].LastUS != begin+600_000_000 {
			t.Fatalf("after the hour: %+v", got)
		}
		r.Report(wire.IncidentForged, "just before the end")
		stop()
		if got := j.taken(); len(got) != 4 || got[3].Detail != "just before the end" {
			t.Errorf("at the end: %+v", got)
		}
	})
}

func TestReporterKeepsWhatTheJournalDoesNotTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &fakeJournal{}
		j.setFull(true)
		r, stop := running(t, j)
		defer stop()
		r.Report(wire.IncidentEndless, "1")
		time.Sleep(5 * time.Second)
		r.Report(wire.IncidentEndless, "2")
		j.setFull(false)
		time.Sleep(2 * again)
		synctest.Wait()
		if got := j.taken(); len(got) != 1 || got[0].Count != 2 || got[0].Detail != "2" {
			t.Errorf("after the disk had room: %+v", got)
		}
	})
}

func TestReporterDropsWhatItDoesNotKnow(t *testing.T) {
	r := New(&fakeJournal{}, stamp, nil)
	for _, kind := range []wire.IncidentKind{"", "invented"} {
		r.Report(kind, "x")
	}
	if len(r.kinds) != 0 {
		t.Errorf("kinds %v", r.kinds)
	}
}
