package incident

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatecast/controller/fleet"
)

// fakeStore keeps incidents in memory.
type fakeStore struct {
	mu   sync.Mutex
	full bool
	kept []fleet.Incident
}

func (s *fakeStore) AddIncident(_ context.Context, in fleet.Incident) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return errors.New("disk full")
	}
	s.kept = append(s.kept, in)
	return nil
}

func (s *fakeStore) take() []fleet.Incident {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.kept
	s.kept = nil
	slices.SortFunc(kept, func(a, b fleet.Incident) int { return cmp.Compare(a.From, b.From) })
	return kept
}

func TestDeskAddsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeStore{}
		var points []fleet.PointID
		d := New(Options{Store: s, OnKept: func(p fleet.PointID) { points = append(points, p) }})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { _ = d.Run(ctx); close(done) }()
		for i := range 500 { // one address, many ports
			d.Report(fleet.Incident{Kind: fleet.IncidentStranger, From: fmt.Sprintf("192.0.2.7:%d", 1000+i), Detail: fmt.Sprint(i)})
		}
		d.Report(fleet.Incident{Kind: fleet.IncidentOtherTopic, Point: 7, Device: "d1", From: "[2001:db8::5]:99"})
		time.Sleep(2 * settle)
		synctest.Wait()
		kept := s.take()
		if len(kept) != 2 || kept[0].From != "192.0.2.7" || kept[0].Count != 500 || kept[0].Detail != "499" || kept[1].From != "2001:db8::/64" {
			t.Fatalf("kept %+v", kept)
		}
		if !slices.Equal(points, []fleet.PointID{0, 7}) {
			t.Errorf("told of points %v", points)
		}
		d.Report(fleet.Incident{Kind: fleet.IncidentStranger, From: "192.0.2.7"})
		cancel()
		<-done
		if kept := s.take(); len(kept) != 1 {
			t.Errorf("kept at the end: %+v", kept)
		}
	})
}

// TestDeskIsBounded knocks from ten thousand addresses.
func TestDeskIsBounded(t *testing.T) {
	s := &fakeStore{}
	d := New(Options{Store: s})
	for i := range 10_000 {
		d.Report(fleet.Incident{Kind: fleet.IncidentStranger, From: fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)})
	}
	d.keep(t.Context())
	kept := s.take()
	sum := 0
	for _, in := range kept {
		sum += in.Count
	}
	if len(kept) != maxFrom+1 || sum != 10_000 {
		t.Errorf("%d rows of %d attempts", len(kept), sum)
	}
	for i := range 10_000 {
		d.Report(fleet.Incident{Kind: fleet.IncidentKind(fmt.Sprint(i % 9)), Point: fleet.PointID(i)})
	}
	if len(d.waiting) > maxKinds+9 {
		t.Errorf("%d rows wait", len(d.waiting))
	}
}
