package planner

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
	"gatecast/schedules/presets"
)

// exam is an entry for the week after t0: two days around schools, and the
// evenings of the week lower everywhere.
func exam() fleet.CalendarEntry {
	return fleet.CalendarEntry{
		Kind: fleet.EntryExam, Title: "示例考试", Document: "示例文号〔2026〕9号", By: "clerk", Name: "李工",
		Spans: []fleet.CalendarSpan{
			{From: "2026-11-28", To: "2026-11-29", AllDay: true, Points: []string{"SL-01-01"}},
			{From: "2026-11-26", To: "2026-11-27", Times: []string{"17:00-19:00"}, GainDB: -6, All: true},
		},
	}
}

// owed returns the rows of a point by slot.
func (w *testOffice) owed(t *testing.T, pt fleet.PointID) map[wire.SlotID]fleet.Obligation {
	t.Helper()
	rows, err := w.store.Obligations(t.Context(), fleet.ObligationFilter{Point: pt})
	if err != nil {
		t.Fatal(err)
	}
	byID := map[wire.SlotID]fleet.Obligation{}
	for _, o := range rows {
		byID[o.Slot] = o
	}
	return byID
}

func (w *testOffice) replan(t *testing.T, now time.Time) {
	t.Helper()
	if _, err := w.Replan(t.Context(), now); err != nil {
		t.Fatal(err)
	}
}

func TestCalendarEntrySilencesEveryProgramme(t *testing.T) {
	w := newTestPlanner(t)
	near, device := w.enrol(t, "SL-01-01", t0)
	far, _ := w.enrol(t, "SL-01-02", t0)
	w.activate(t, string(presets.Default()), t0)

	eff, problems, err := w.EntryEffect(t.Context(), exam(), t0)
	if err != nil || len(problems) > 0 {
		t.Fatalf("EntryEffect = %+v, %v", problems, err)
	}
	kinds := map[string]int{}
	for _, c := range eff.Changes {
		kinds[string(c.Kind)] += len(c.Points)
	}
	all, err := w.store.Points(t.Context(), fleet.PointFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if kinds["silenced"] != 2*3 || kinds["lowered"] != 2*len(all) || len(kinds) != 2 || eff.Points != len(all) {
		t.Errorf("effect = %v at %d points, want 6 silenced and %d lowered", kinds, eff.Points, 2*len(all))
	}
	if rows := w.owed(t, near.ID); rows["2026-11-28.default.evening"].Verdict != fleet.Due {
		t.Errorf("looking changed something: %+v", rows["2026-11-28.default.evening"])
	}

	saved, problems, err := w.SaveEntry(t.Context(), exam(), t0)
	if err != nil || saved.ID == 0 {
		t.Fatalf("SaveEntry = %+v, %+v, %v", saved, problems, err)
	}
	w.replan(t, t0)
	rows := w.owed(t, near.ID)
	for _, slot := range []wire.SlotID{"2026-11-28.default.morning", "2026-11-28.default.evening", "2026-11-29.default.noon"} {
		if o := rows[slot]; o.Verdict != fleet.Exempt || !strings.Contains(o.Note, "示例考试") || !strings.Contains(o.Note, "示例文号〔2026〕9号") {
			t.Errorf("%s = %s %q, want exempt with the document", slot, o.Verdict, o.Note)
		}
	}
	for _, slot := range []wire.SlotID{"2026-11-27.default.evening", "2026-11-30.default.morning"} {
		if o := rows[slot]; o.Verdict != fleet.Due {
			t.Errorf("%s = %s %q, want due", slot, o.Verdict, o.Note)
		}
	}
	if o := w.owed(t, far.ID)["2026-11-28.default.evening"]; o.Verdict != fleet.Due {
		t.Errorf("elsewhere = %s, want due", o.Verdict)
	}
	plan := w.wanted(t, device)
	gain := map[wire.SlotID]float64{}
	for _, s := range plan.Slots {
		gain[s.ID] = s.GainDB
		if strings.HasPrefix(string(s.ID), "2026-11-28") || strings.HasPrefix(string(s.ID), "2026-11-29") {
			t.Errorf("the plan has the silenced slot %s", s.ID)
		}
	}
	if low, as := gain["2026-11-26.default.evening"], gain["2026-11-25.default.evening"]; low != as-6 {
		t.Errorf("gain = %v on the lowered evening, want 6 dB below %v", low, as)
	}

	at := time.Date(2026, 11, 28, 1, 0, 0, 0, time.UTC) // 09:00 in the office
	quiet, err := w.QuietAt(t.Context(), []fleet.PointID{near.ID, far.ID}, at, at.Add(time.Minute), t0)
	if err != nil || len(quiet) != 1 || len(quiet[near.ID]) != 1 || !strings.Contains(quiet[near.ID][0].Text, "示例文号") {
		t.Errorf("QuietAt = %+v, %v, want the exam at one point", quiet, err)
	}

	if err := w.EndEntry(t.Context(), saved.ID, "admin", " ", t0); fleet.CodeOf(err) != fleet.Invalid {
		t.Errorf("taken back without a reason: %v", err)
	}
	if err := w.EndEntry(t.Context(), saved.ID, "admin", "改期", t0.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.replan(t, t0.Add(time.Hour))
	if o := w.owed(t, near.ID)["2026-11-28.default.evening"]; o.Verdict != fleet.Due || o.Note != "" {
		t.Errorf("after it was taken back = %s %q, want due", o.Verdict, o.Note)
	}
}

// One click stops everything from the next slot on; the slot that sounds goes
// on, for 全部静音 is what stops that.
func TestStopOfTheDayBeginsWithTheNextSlot(t *testing.T) {
	w := newTestPlanner(t)
	pt, device := w.enrol(t, "SL-01-01", t0)
	w.activate(t, string(presets.Default()), t0)
	during := time.Date(2026, 11, 23, 10, 5, 0, 0, time.UTC) // 18:05, in the evening slot
	e := fleet.CalendarEntry{Kind: fleet.EntryMourning, Title: "哀悼日", Document: "示例公告", Spans: []fleet.CalendarSpan{{From: "2026-11-23", To: "2026-11-24", AllDay: true, All: true}}}
	if saved, problems, err := w.SaveEntry(t.Context(), e, during); err != nil || saved.ID == 0 {
		t.Fatalf("SaveEntry = %+v, %v", problems, err)
	}
	w.replan(t, during)
	rows := w.owed(t, pt.ID)
	if a, b, c := rows["2026-11-23.default.evening"].Verdict, rows["2026-11-24.default.morning"].Verdict, rows["2026-11-25.default.morning"].Verdict; a != fleet.Due || b != fleet.Exempt || c != fleet.Due {
		t.Errorf("running %s, next morning %s, the day after %s; want due, exempt, due", a, b, c)
	}
	if !slices.ContainsFunc(w.wanted(t, device).Slots, func(s wire.PlanSlot) bool { return s.ID == "2026-11-23.default.evening" }) {
		t.Error("the slot that runs was taken out of the plan")
	}
}

// A run that was cut short writes what it would have written then: without an
// entry that came after it.
func TestCalendarOfAnEarlierRunIsThatOfItsTime(t *testing.T) {
	t.Parallel()
	e := exam()
	e.At, e.Ended = t0.Add(time.Hour), t0.Add(3*time.Hour)
	for _, tt := range []struct {
		name  string
		at    time.Time
		rules int
		until bool
	}{
		{"before_it_came", t0, 0, false},
		{"while_it_held", t0.Add(2 * time.Hour), 2, false},
		{"after_it_was_taken_back", t0.Add(4 * time.Hour), 2, true},
		{"years_later", t0.AddDate(3, 0, 0), 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := officeRules([]fleet.CalendarEntry{e}, "Asia/Shanghai", tt.at)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, p := range got {
				n += len(p.Quiet.Dated)
				if end := p.Quiet.Dated[0].Until; end.IsZero() == tt.until {
					t.Errorf("until = %s", end)
				}
			}
			if n != tt.rules {
				t.Errorf("%d rules, want %d", n, tt.rules)
			}
		})
	}
}

func TestCheckEntryNamesThePlace(t *testing.T) {
	w := newTestPlanner(t)
	change := func(f func(*fleet.CalendarEntry)) fleet.CalendarEntry {
		e := exam()
		f(&e)
		return e
	}
	tests := []struct {
		name, key, text string
		e               fleet.CalendarEntry
	}{
		{"no_document", "", "文号", change(func(e *fleet.CalendarEntry) { e.Document = "" })},
		{"no_reason", "", "原因", change(func(e *fleet.CalendarEntry) { e.Kind, e.Document = fleet.EntryStop, "" })},
		{"no_title", "", "名称", change(func(e *fleet.CalendarEntry) { e.Title = "" })},
		{"no_dates", "", "日期", change(func(e *fleet.CalendarEntry) { e.Spans = nil })},
		{"no_such_day", "spans[1].from", "2026-02-30", change(func(e *fleet.CalendarEntry) { e.Spans[1].From = "2026-02-30" })},
		{"reversed", "spans[0].to", "早于", change(func(e *fleet.CalendarEntry) { e.Spans[0].To = "2026-11-01" })},
		{"bad_time", "spans[1].times", "12点", change(func(e *fleet.CalendarEntry) { e.Spans[1].Times = []string{"12点"} })},
		{"no_window", "spans[1]", "times", change(func(e *fleet.CalendarEntry) { e.Spans[1].Times = nil })},
		{"nobody", "spans[0].targets", "没有选对象", change(func(e *fleet.CalendarEntry) { e.Spans[0].Points = nil })},
		{"unknown_point", "spans[0].targets.points", "SL-99-99", change(func(e *fleet.CalendarEntry) { e.Spans[0].Points = []string{"SL-99-99"} })},
		{"louder", "spans[1].gain_db", "超出范围", change(func(e *fleet.CalendarEntry) { e.Spans[1].GainDB = 3 })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			saved, problems, err := w.SaveEntry(t.Context(), tt.e, t0)
			if err != nil || saved.ID != 0 || len(problems) == 0 {
				t.Fatalf("SaveEntry = %+v, %+v, %v, want problems", saved, problems, err)
			}
			if p := problems[0]; !strings.HasPrefix(p.Key, tt.key) || !strings.Contains(p.Text, tt.text) || p.TextEN == "" || !p.Blocking {
				t.Errorf("problem = %+v, want key %q and %q", p, tt.key, tt.text)
			}
		})
	}
}

func TestProgrammeMayNotTakeTheCalendarsName(t *testing.T) {
	w := newTestPlanner(t)
	prog, problems := w.upload(t, strings.Replace(string(presets.Default()), "id: default", "id: office-calendar-1", 1), t0)
	if prog.ID != 0 || len(problems) != 1 || problems[0].Key != "id" {
		t.Errorf("uploaded: %+v, %+v", prog, problems)
	}
}
