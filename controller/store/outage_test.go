package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
)

func TestBeatTellsOfAStop(t *testing.T) {
	s := newTestStore(t)
	ctx := t.Context()
	beat := func(at time.Time) (fleet.Outage, bool) {
		t.Helper()
		gap, found, err := s.Beat(ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		return gap, found
	}
	if gap, found := beat(t0); found {
		t.Errorf("the first beat tells of %+v", gap)
	}
	if gap, found := beat(t0.Add(fleet.MinOutage - time.Second)); found {
		t.Errorf("a restart is told as %+v", gap)
	}
	last := t0.Add(fleet.MinOutage - time.Second)
	if err := s.BeginOutage(ctx, fleet.OutageNetwork, t0.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	back := last.Add(21 * time.Minute)
	if gap, found := beat(back); !found || gap != (fleet.Outage{Kind: fleet.OutageController, From: last, To: back}) {
		t.Errorf("Beat = %+v, %v", gap, found)
	}
	if gap, found := beat(back.Add(-time.Hour)); found {
		t.Errorf("a clock that went back is told as %+v", gap)
	}
	got, err := s.Outages(ctx, t0, t0.Add(time.Hour))
	want := []fleet.Outage{
		{Kind: fleet.OutageNetwork, From: t0.Add(time.Minute), To: last}, // nobody knows more than that
		{Kind: fleet.OutageController, From: last, To: back},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Outages: %v (-want +got):\n%s", err, diff)
	}
}

func TestOutagesOverlapThePeriodAskedFor(t *testing.T) {
	s := newTestStore(t)
	ctx := t.Context()
	for range 2 { // the second changes nothing
		if err := s.BeginOutage(ctx, fleet.OutageBroker, t0); err != nil {
			t.Fatal(err)
		}
	}
	count := func(from, to time.Time) int {
		t.Helper()
		all, err := s.Outages(ctx, from, to)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range all {
			if !o.Overlaps(from, to) {
				t.Errorf("%+v does not overlap %v to %v", o, from, to)
			}
		}
		return len(all)
	}
	if n := count(t0.Add(24*time.Hour), t0.Add(25*time.Hour)); n != 1 {
		t.Errorf("%d outages last, want 1", n)
	}
	if ended, err := s.EndOutage(ctx, fleet.OutageBroker, t0.Add(time.Hour)); err != nil || !ended {
		t.Errorf("EndOutage = %v, %v", ended, err)
	}
	if ended, err := s.EndOutage(ctx, fleet.OutageBroker, t0.Add(time.Hour)); err != nil || ended {
		t.Errorf("a second EndOutage = %v, %v", ended, err)
	}
	for _, tt := range []struct {
		from, to time.Duration
		want     int
	}{{-time.Hour, 0, 0}, {-time.Hour, time.Microsecond, 1}, {0, time.Hour, 1}, {59 * time.Minute, 2 * time.Hour, 1}, {time.Hour, 2 * time.Hour, 0}} {
		if n := count(t0.Add(tt.from), t0.Add(tt.to)); n != tt.want {
			t.Errorf("Outages from %v to %v: %d, want %d", tt.from, tt.to, n, tt.want)
		}
	}
}
