package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
)

func TestCalendarEntriesAreKeptAndTakenBackOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		at := time.Date(2026, 5, 4, 1, 0, 0, 0, time.UTC)
		e := fleet.CalendarEntry{
			Kind: fleet.EntryExam, Title: "高考", Document: "示例文号〔2026〕9号", At: at, By: "clerk", Name: "李工",
			Spans: []fleet.CalendarSpan{
				{From: "2026-06-07", To: "2026-06-09", AllDay: true, Tags: []string{"考点周边"}},
				{From: "2026-06-01", To: "2026-06-16", Times: []string{"12:00-14:30", "21:30-07:00"}, GainDB: -6, All: true},
			},
		}
		saved, err := s.AddCalendarEntry(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		e.ID = saved.ID
		later, err := s.AddCalendarEntry(t.Context(), fleet.CalendarEntry{Kind: fleet.EntryStop, Title: "停播", Document: "维修", At: at.Add(time.Hour), Spans: []fleet.CalendarSpan{{From: "2026-05-05", To: "2026-05-05", AllDay: true, All: true}}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.CalendarEntries(t.Context())
		if err != nil || len(got) != 2 || got[0].ID != later.ID {
			t.Fatalf("CalendarEntries = %+v, %v, want the newest first", got, err)
		}
		if diff := cmp.Diff(e, got[1]); diff != "" {
			t.Errorf("entry (-want +got):\n%s", diff)
		}
		if err := s.EndCalendarEntry(t.Context(), e.ID, "admin", "改期", at.Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		for _, id := range []fleet.EntryID{e.ID, 4711} {
			if err := s.EndCalendarEntry(t.Context(), id, "admin", "改期", at.Add(3*time.Hour)); fleet.CodeOf(err) != fleet.Conflict {
				t.Errorf("taking entry %d back again = %v, want a conflict", id, err)
			}
		}
		got, err = s.CalendarEntries(t.Context())
		if err != nil || !got[1].Ended.Equal(at.Add(2*time.Hour)) || got[1].EndedBy != "admin" || got[1].EndReason != "改期" {
			t.Errorf("taken back: %+v, %v", got[1], err)
		}
	})
}

func TestHolidayTablesReplaceTheirYear(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		at := time.Date(2026, 12, 2, 1, 0, 0, 0, time.UTC)
		for i, body := range []string{`{"year":2027}`, `{"year":2027,"days":[]}`} {
			if err := s.PutHolidayTable(t.Context(), fleet.HolidayTable{Year: 2027, JSON: []byte(body), Source: "2027.csv", By: "clerk", Imported: at.Add(time.Duration(i) * time.Hour)}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.HolidayTables(t.Context())
		if err != nil || len(got) != 1 || string(got[0].JSON) != `{"year":2027,"days":[]}` || !got[0].Imported.Equal(at.Add(time.Hour)) {
			t.Errorf("HolidayTables = %+v, %v", got, err)
		}
	})
}

func TestFormDraftsBelongToOnePerson(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		at := time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)
		id, err := s.SaveFormDraft(t.Context(), fleet.FormDraft{Owner: "clerk", Title: "a", Form: []byte("name=a"), Saved: at})
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.SaveFormDraft(t.Context(), fleet.FormDraft{ID: id, Owner: "clerk", Title: "b", Form: []byte("name=b"), Saved: at.Add(time.Hour)})
		if err != nil || again != id {
			t.Errorf("saving again = %d, %v, want %d", again, err, id)
		}
		other, err := s.SaveFormDraft(t.Context(), fleet.FormDraft{ID: id, Owner: "admin", Title: "c", Form: []byte("name=c"), Saved: at})
		if err != nil || other == id {
			t.Errorf("somebody else's draft was overwritten: %d, %v", other, err)
		}
		if err := s.DropFormDraft(t.Context(), "admin", id); err != nil {
			t.Fatal(err)
		}
		for i := range maxDrafts + 3 {
			if _, err := s.SaveFormDraft(t.Context(), fleet.FormDraft{Owner: "clerk", Title: "x", Form: []byte{}, Saved: at.Add(time.Duration(i+2) * time.Hour)}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.FormDrafts(t.Context(), "clerk")
		if err != nil || len(got) != maxDrafts || got[0].Title != "x" {
			t.Errorf("%d drafts, %v, want the latest %d", len(got), err, maxDrafts)
		}
	})
}
