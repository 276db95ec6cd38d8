package insertion

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
)

var (
	clerk = fleet.User{Login: "clerk", Name: "李工", Role: fleet.Clerk}
	chen  = fleet.User{Login: "chen", Name: "陈主任", Role: fleet.Approver}
	liu   = fleet.User{Login: "liu", Name: "刘主任", Role: fleet.Approver}
)

// shelf is a library of two clips, which are not what this package is about,
// over a real store.
type shelf struct{ *store.Store }

func (shelf) Clip(_ context.Context, id fleet.ClipID) (fleet.Clip, error) {
	c := fleet.Clip{ID: id, SHA256: "aa", Title: "反诈提醒", Rate: 24000, Frames: 240_000, State: fleet.ClipApproved}
	if id == 2 {
		c.SHA256, c.State = "bb", fleet.ClipDraft
	}
	return c, nil
}

func newStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatecast.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.ImportRegistry(t.Context(), fleet.Registry{
		Units: []fleet.UnitEntry{
			{Unit: fleet.Unit{Type: fleet.Subdistrict, Code: "SL", Name: "示例街道"}},
			{Unit: fleet.Unit{Type: fleet.Community, Code: "SF", Name: "松风社区"}, Parent: "SL"},
			{Unit: fleet.Unit{Type: fleet.Community, Code: "WH", Name: "望河社区"}, Parent: "SL"},
		},
		Points: []fleet.PointEntry{
			{Point: fleet.Point{Code: "SF-01", Name: "松风苑南门", Kind: fleet.Gate}, Unit: "SF"},
			{Point: fleet.Point{Code: "WH-01", Name: "望河苑南门", Kind: fleet.Gate}, Unit: "WH"},
		},
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t *testing.T, s *store.Store, change func(*Options)) *Desk {
	t.Helper()
	o := Options{Book: s, Library: shelf{s}, Zone: time.UTC}
	if change != nil {
		change(&o)
	}
	d, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func unitOf(t *testing.T, s *store.Store, code string) fleet.UnitID {
	t.Helper()
	units, err := s.Units(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range units {
		if u.Code == code {
			return u.ID
		}
	}
	t.Fatalf("no unit %q", code)
	return 0
}

func TestInsertionLivesFromSignatureToEnd(t *testing.T) {
	s := newStore(t)
	delivered := 0
	d := open(t, s, func(o *Options) { o.Deliver = func() { delivered++ } })
	now := time.Date(2026, 11, 23, 10, 25, 0, 0, time.UTC)
	want := fleet.Insertion{Clip: 1, Area: fleet.Area{Units: []fleet.UnitID{unitOf(t, s, "SF")}}, Repeats: 3, Until: now.Add(time.Hour), Reason: " 骗子 正在入户 "}
	i, err := d.Submit(t.Context(), clerk, want, now)
	if err != nil || len(i.Points) != 1 || i.Reason != "骗子 正在入户" || len(d.Live(now)) != 0 {
		t.Fatalf("Submit = %+v, %v", i, err)
	}
	if i, err = d.Sign(t.Context(), liu, i.ID, now.Add(time.Minute)); err != nil || i.State != fleet.InsertionLive {
		t.Fatalf("Sign = %+v, %v", i, err)
	}
	for _, desk := range []*Desk{d, open(t, s, nil)} { // over a restart, too
		if live := desk.Live(now.Add(time.Minute)); len(live) != 1 || live[0].ID != i.ID || live[0].Start.Sub(now) < time.Minute {
			t.Errorf("Live = %+v", live)
		}
		if live := desk.Live(now.Add(time.Hour)); len(live) != 0 {
			t.Errorf("Live after its end = %+v", live)
		}
	}
	if !d.Needs(fleet.Clip{SHA256: "aa", State: fleet.ClipDraft}, now.Add(time.Minute)) || d.Needs(fleet.Clip{SHA256: "aa", State: fleet.ClipRecalled}, now.Add(time.Minute)) ||
		d.Needs(fleet.Clip{SHA256: "cc"}, now.Add(time.Minute)) {
		t.Error("Needs is wrong")
	}
	if _, err := d.End(t.Context(), chen, i.ID, "已核实", now.Add(2*time.Minute)); err != nil || len(d.Live(now.Add(2*time.Minute))) != 0 {
		t.Errorf("End = %v, live %v", err, d.Live(now))
	}
	if delivered != 3 {
		t.Errorf("plans were made %d times, want 3", delivered)
	}
}

func TestStrictModeWantsTheClipSigned(t *testing.T) {
	s := newStore(t)
	d := open(t, s, func(o *Options) { o.Strict = true })
	now := time.Date(2026, 11, 23, 10, 25, 0, 0, time.UTC)
	want := fleet.Insertion{Clip: 2, Area: fleet.Area{All: true}, Repeats: 1, Until: now.Add(time.Hour), Reason: "骗子正在入户"}
	if _, err := d.Submit(t.Context(), clerk, want, now); fleet.CodeOf(err) != fleet.Conflict {
		t.Errorf("Submit = %v, want Conflict", err)
	}
	want.Clip = 1
	if _, err := d.Submit(t.Context(), clerk, want, now); err != nil {
		t.Errorf("Submit = %v", err)
	}
}

func TestUnconfirmedIsStoppedAndOnRecord(t *testing.T) {
	s := newStore(t)
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	now := func() time.Time { return at.Add(fleet.ConfirmWithin) }
	d := open(t, s, func(o *Options) { o.Now, o.Every = now, time.Millisecond })
	submit := func() fleet.Insertion {
		i, err := d.Submit(t.Context(), chen, fleet.Insertion{Clip: 1, Area: fleet.Area{All: true}, Repeats: 1, Until: at.Add(8 * time.Hour), Reason: "骗子正在入户", First: true}, at)
		if err != nil || i.State != fleet.InsertionLive {
			t.Fatalf("Submit = %+v, %v", i, err)
		}
		return i
	}
	lapses, confirmed := submit(), submit()
	if _, err := d.Sign(t.Context(), liu, confirmed.ID, at.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{}, 8)
	d.o.Deliver = func() { stopped <- struct{}{} }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	select {
	case <-stopped:
	case <-time.After(10 * time.Second):
		t.Error("nothing was stopped")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if live := d.Live(now()); len(live) != 1 || live[0].ID != confirmed.ID {
		t.Errorf("Live = %+v, want the confirmed one", live)
	}
	if i, err := s.Insertion(t.Context(), lapses.ID); err != nil || i.State != fleet.InsertionUnconfirmed {
		t.Errorf("Insertion = %+v, %v", i, err)
	}
	audits, err := s.Audits(t.Context(), 0)
	if err != nil || len(audits) != 1 || audits[0].What != fleet.AuditUrgentLapsed || audits[0].Detail != "chen" {
		t.Errorf("audit = %+v, %v", audits, err)
	}
}
