package feedback

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
)

var zone = time.FixedZone("CST", 8*3600)

func at(day, hour, minute int) time.Time { return time.Date(2026, 11, day, hour, minute, 0, 0, zone) }

// office is a Desk on a real store, with three units.
type office struct {
	*Desk
	store    *store.Store
	now      time.Time
	reminded [][]string
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{now: at(18, 10, 0)}
	var err error
	if o.store, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "g.db"), store.Options{Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.store.Close() })
	unit := func(code, name, parent string, kind fleet.UnitType) fleet.UnitEntry {
		return fleet.UnitEntry{Unit: fleet.Unit{Code: code, Type: kind, Name: name}, Parent: parent}
	}
	if err := o.store.ImportRegistry(t.Context(), fleet.Registry{Units: []fleet.UnitEntry{
		unit("SL", "示例街道", "", fleet.Subdistrict), unit("SL-01", "松风社区", "SL", fleet.Community), unit("SL-02", "望河社区", "SL", fleet.Community), unit("SL-03", "云岭村", "SL", fleet.Village),
	}}); err != nil {
		t.Fatal(err)
	}
	o.again(t)
	return o
}

// again is the program after a restart.
func (o *office) again(t *testing.T) {
	t.Helper()
	var err error
	o.Desk, err = New(Options{
		Book: o.store, Units: o.store, Settings: o.store, Zone: zone, Now: func() time.Time { return o.now },
		OnReminder: func(_ fleet.ISOWeek, _ time.Time, missing []fleet.Unit) {
			var names []string
			for _, u := range missing {
				names = append(names, u.Name)
			}
			o.reminded = append(o.reminded, names)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (o *office) pass(t *testing.T, now time.Time) {
	t.Helper()
	o.now = now
	if err := o.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (o *office) file(t *testing.T, unit string, now time.Time, texts ...string) {
	t.Helper()
	o.now = now
	units, err := o.store.Units(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(units, func(u fleet.Unit) bool { return u.Name == unit })
	f := fleet.Feedback{Unit: units[i].ID, Week: fleet.ISOWeek{Year: 2026, Number: 47}, At: now, By: "a", Name: "李工"}
	for k, text := range texts {
		f.Items = append(f.Items, fleet.FeedbackItem{Number: k + 1, Text: text})
	}
	if _, err := o.store.FileFeedback(t.Context(), f, nil); err != nil {
		t.Fatal(err)
	}
}

func (o *office) states(t *testing.T, w fleet.ISOWeek) map[string]fleet.FeedbackStanding {
	t.Helper()
	all, err := o.Week(context.Background(), w)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]fleet.FeedbackStanding{}
	for _, s := range all {
		out[s.Unit.Name] = s
	}
	return out
}

func TestUnitsAreRemindedOnceAndTheMondayListStays(t *testing.T) {
	o := newOffice(t)
	week := fleet.ISOWeek{Year: 2026, Number: 47}
	o.pass(t, at(18, 10, 0))
	o.file(t, "松风社区", at(19, 9, 0), "喇叭被树挡住")
	o.pass(t, at(20, 9, 1))
	o.again(t) // a restart tells nobody twice
	o.pass(t, at(20, 9, 2))
	o.file(t, "望河社区", at(20, 18, 0))
	o.pass(t, at(21, 9, 0))
	o.pass(t, at(22, 23, 0))
	if len(o.reminded) != 2 || !slices.Equal(o.reminded[0], []string{"望河社区", "云岭村"}) || !slices.Equal(o.reminded[1], []string{"云岭村"}) {
		t.Errorf("reminded: %v", o.reminded)
	}
	if s := o.states(t, week)["云岭村"]; s.State != fleet.FeedbackOpen {
		t.Errorf("before the deadline the village is %q", s.State)
	}
	o.pass(t, at(23, 0, 1))
	late := fleet.UnitEntry{Unit: fleet.Unit{Code: "SL-04", Type: fleet.Community, Name: "云溪社区"}, Parent: "SL"}
	if err := o.store.ImportRegistry(t.Context(), fleet.Registry{Units: []fleet.UnitEntry{late}}); err != nil {
		t.Fatal(err)
	}
	o.file(t, "云岭村", at(23, 8, 30))
	o.file(t, "松风社区", at(23, 9, 0), "喇叭被树挡住", "立杆松动") // an addition makes nobody late
	got := o.states(t, week)
	want := map[string]fleet.FeedbackState{"松风社区": fleet.FeedbackFiled, "望河社区": fleet.FeedbackNil, "云岭村": fleet.FeedbackLate}
	if len(got) != len(want) {
		t.Errorf("%d units on Monday's list, want %d: who joined later owed nothing", len(got), len(want))
	}
	for name, state := range want {
		if got[name].State != state {
			t.Errorf("%s is %q, want %q", name, got[name].State, state)
		}
	}
	if m := got["云岭村"].OverdueMinutes(); m != 510 {
		t.Errorf("the village is %d minutes late, want 510", m)
	}
	if s := got["松风社区"]; s.Versions != 2 || s.Items != 2 || s.Pending != 2 {
		t.Errorf("two versions: %+v", s)
	}
}

func TestMarkedProblemsAreNotPending(t *testing.T) {
	o := newOffice(t)
	week := fleet.ISOWeek{Year: 2026, Number: 47}
	o.file(t, "松风社区", at(19, 9, 0), "一", "二")
	id := o.states(t, week)["松风社区"].Unit.ID
	mark := func(number int, state fleet.ItemState, note string) error {
		return o.store.MarkFeedback(t.Context(), fleet.ItemMark{Unit: id, Week: week, Number: number, State: state, Note: note, At: o.now, By: "b", Name: "王工"})
	}
	for _, err := range []error{mark(1, fleet.ItemClosed, ""), mark(2, fleet.ItemPassed, "转物业")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if s := o.states(t, week)["松风社区"]; s.Pending != 0 {
		t.Errorf("%d pending, want 0", s.Pending)
	}
	if err := mark(2, fleet.ItemOpen, ""); err != nil {
		t.Fatal(err)
	}
	if s := o.states(t, week)["松风社区"]; s.Pending != 1 {
		t.Errorf("%d pending after one was opened again, want 1", s.Pending)
	}
	if err := mark(3, fleet.ItemClosed, ""); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("a problem that nobody filed: %v", err)
	}
	if err := mark(1, fleet.ItemPassed, ""); fleet.CodeOf(err) != fleet.Invalid {
		t.Errorf("passed on to nobody: %v", err)
	}
}

func TestSaturdayIsOneSetting(t *testing.T) {
	o := newOffice(t)
	week := fleet.ISOWeek{Year: 2026, Number: 47}
	o.pass(t, at(18, 10, 0))
	if err := o.SetMode(t.Context(), fleet.DueSaturday); err != nil {
		t.Fatal(err)
	}
	o.file(t, "望河社区", at(22, 0, 30))
	if got := o.states(t, week); got["望河社区"].State != fleet.FeedbackLate || got["云岭村"].State != fleet.FeedbackMissing {
		t.Errorf("on Sunday: %+v", got)
	}
	if err := o.SetMode(t.Context(), "monday"); fleet.CodeOf(err) != fleet.Invalid {
		t.Errorf("a mode that does not exist: %v", err)
	}
}
