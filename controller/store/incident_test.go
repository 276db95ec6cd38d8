package store

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

func incidents(t *testing.T, s *Store, f fleet.IncidentFilter) []fleet.Incident {
	t.Helper()
	all, err := s.Incidents(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestIncidentsOfOneHourAreOne(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		p := importTest(t, s, 2)
		enrolTest(t, s, p[0].ID, "d1", t0)
		now := t0.Add(10 * time.Minute)
		s.clock = func() time.Time { return now }
		add := func(in fleet.Incident) {
			t.Helper()
			if err := s.AddIncident(t.Context(), in); err != nil {
				t.Fatal(err)
			}
		}
		one := fleet.Incident{Kind: fleet.IncidentOtherTopic, Device: "d1", From: "192.0.2.7:4000", Detail: "first\ntry", Last: now}
		add(one)
		now = now.Add(20 * time.Minute)
		add(fleet.Incident{Kind: one.Kind, Device: "d1", From: one.From, Detail: "second", Last: now, Count: 4})
		add(fleet.Incident{Kind: fleet.IncidentStranger, From: "192.0.2.8", Detail: strings.Repeat("长", 200), Last: now})
		got := incidents(t, s, fleet.IncidentFilter{Open: true})
		if len(got) != 2 || len(got[0].Detail) > maxIncidentDetail {
			t.Fatalf("incidents %+v", got)
		}
		want := fleet.Incident{ID: 1, Kind: one.Kind, Point: p[0].ID, Device: "d1", From: one.From, Detail: "second", First: t0.Add(10 * time.Minute), Last: now, Count: 5}
		if diff := cmp.Diff([]fleet.Incident{want}, incidents(t, s, fleet.IncidentFilter{Point: p[0].ID})); diff != "" {
			t.Errorf("incidents of the point (-want +got):\n%s", diff)
		}

		seen, err := s.AckIncident(t.Context(), 1, "张工", "已到现场查看", now)
		want.Seen, want.SeenBy, want.Note = now, "张工", "已到现场查看"
		if diff := cmp.Diff(want, seen); diff != "" || err != nil {
			t.Errorf("AckIncident: %v (-want +got):\n%s", err, diff)
		}
		if _, err := s.AckIncident(t.Context(), 1, "李工", "", now); fleet.CodeOf(err) != fleet.Conflict {
			t.Errorf("AckIncident of one that is ticked off: %v", err)
		}
		if _, err := s.AckIncident(t.Context(), 99, "李工", "", now); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("AckIncident of none: %v", err)
		}
		add(one) // in the same hour, after somebody looked: it is open again
		if got := incidents(t, s, fleet.IncidentFilter{Point: p[0].ID, Open: true}); len(got) != 1 || got[0].Count != 1 {
			t.Errorf("an attempt after the tick-off: %+v", got)
		}
	})
}

// TestIncidentRecordsBecomeIncidents takes what a device reports, once, with
// the point it was at, and believes its clock no further than can be.
func TestIncidentRecordsBecomeIncidents(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		p := importTest(t, s, 2)
		enrolTest(t, s, p[0].ID, "d1", t0)
		enrolTest(t, s, p[1].ID, "d1", t0.Add(time.Hour))
		now := t0.Add(2 * time.Hour)
		report := func(seq wire.Seq, level wire.TimeLevel, at time.Time, b wire.Incident) []byte {
			return rawRecord(t, wire.Record{Log: testLog, Seq: seq, Kind: wire.RecordIncident, AtUS: wire.US(at), Level: level, BootID: "b1", MonoUS: int64(seq)}, b)
		}
		early := t0.Add(30 * time.Minute)
		batch := rawMessages(
			report(1, wire.T1, early, wire.Incident{What: wire.IncidentForged, Detail: "plan", Count: 3, FirstUS: wire.US(early.Add(-time.Minute)), LastUS: wire.US(early)}),
			report(2, wire.T1, early, wire.Incident{What: "of_tomorrow", Count: -5, FirstUS: wire.US(now.AddDate(9, 0, 0)), LastUS: wire.US(now.AddDate(10, 0, 0))}),
		)
		for range 2 { // the second time is a repetition
			if _, err := s.AppendRecords(t.Context(), "d1", testLog, batch, now); err != nil {
				t.Fatal(err)
			}
		}
		want := []fleet.Incident{
			{ID: 2, Kind: incidentOther, Point: p[0].ID, Device: "d1", First: now.Add(-maxIncidentSpan), Last: now, Count: 1},
			{ID: 1, Kind: wire.IncidentForged, Point: p[0].ID, Device: "d1", Detail: "plan", First: early.Add(-time.Minute), Last: early, Count: 3},
		}
		if diff := cmp.Diff(want, incidents(t, s, fleet.IncidentFilter{})); diff != "" {
			t.Errorf("incidents (-want +got):\n%s", diff)
		}
	})
}
