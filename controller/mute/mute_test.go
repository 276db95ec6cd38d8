package mute

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/controller/trust"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

var now = time.Date(2026, 11, 23, 7, 30, 0, 0, time.UTC)

var (
	clerk    = fleet.User{Login: "clerk", Name: "李工", Role: fleet.Clerk}
	approver = fleet.User{Login: "chen", Name: "陈主任", Role: fleet.Approver}
	unit     = fleet.User{Login: "unit", Role: fleet.UnitAccount}
)

// office is a desk over a real store, with three points in two communities.
type office struct {
	*Desk
	t       *testing.T
	store   *store.Store
	trust   *trust.Authority
	points  []fleet.Point
	units   []fleet.Unit
	sent    []wire.DeviceID
	settled []time.Time
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t}
	var err error
	if o.store, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "gatecast.db"), store.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.store.Close() })
	if o.trust, err = trust.Open(t.TempDir(), trust.Options{Names: []string{"127.0.0.1"}}); err != nil {
		t.Fatal(err)
	}
	if err := o.store.ImportRegistry(t.Context(), fleet.Registry{
		Units: []fleet.UnitEntry{
			{Unit: fleet.Unit{Type: fleet.Subdistrict, Code: "SL", Name: "示例街道"}},
			{Unit: fleet.Unit{Type: fleet.Community, Code: "SF", Name: "松风社区"}, Parent: "SL"},
			{Unit: fleet.Unit{Type: fleet.Community, Code: "WH", Name: "望河社区"}, Parent: "SL"},
		},
		Points: []fleet.PointEntry{
			{Point: fleet.Point{Code: "SF-01", Name: "松风苑南门", Kind: fleet.Gate}, Unit: "SF"},
			{Point: fleet.Point{Code: "SF-02", Name: "松风苑北门", Kind: fleet.Gate}, Unit: "SF"},
			{Point: fleet.Point{Code: "WH-01", Name: "望河苑南门", Kind: fleet.Gate}, Unit: "WH"},
		},
	}); err != nil {
		t.Fatal(err)
	}
	if o.points, err = o.store.Points(t.Context(), fleet.PointFilter{}); err != nil {
		t.Fatal(err)
	}
	if o.units, err = o.store.Units(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.open()
	return o
}

// open is a restart.
func (o *office) open() {
	o.t.Helper()
	var err error
	o.Desk, err = Open(o.t.Context(), Options{
		Orders: o.store, Places: o.store, Sealer: o.trust,
		Send:   func(ids []wire.DeviceID) { o.sent = append(o.sent, ids...) },
		Settle: func(_ context.Context, since time.Time) { o.settled = append(o.settled, since) },
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

// lacks returns what a device at the point would be told, after it said what it
// obeys.
func (o *office) lacks(point string, has wire.MuteState) (m wire.Mute, ok bool) {
	o.t.Helper()
	i := slices.IndexFunc(o.points, func(p fleet.Point) bool { return p.Code == point })
	doc, err := o.Lacking(fleet.Device{ID: "d0123456789abcdef01234567", Point: o.points[i].ID, State: fleet.DeviceActive, Mute: has})
	if err != nil || doc == nil {
		return m, false
	}
	if _, err := seal.Open(doc, o.trust.DirectorKeys(), seal.Expect{Type: wire.DocMute, Device: "d0123456789abcdef01234567"}, &m); err != nil {
		o.t.Fatal(err)
	}
	return m, true
}

func TestMuteHoldsWhereItIsMeantTo(t *testing.T) {
	o := newOffice(t)
	community := o.units[slices.IndexFunc(o.units, func(u fleet.Unit) bool { return u.Code == "SF" })]
	m, err := o.Mute(t.Context(), clerk, fleet.Area{Units: []fleet.UnitID{community.ID}}, " 播错了内容 ", time.Time{}, now)
	if err != nil || m.Reason != "播错了内容" || !m.Approved.IsZero() {
		t.Fatalf("Mute = %+v, %v", m, err)
	}
	for _, restarted := range []bool{false, true} {
		if restarted {
			o.open()
		}
		for _, point := range []string{"SF-01", "SF-02"} {
			if got, ok := o.lacks(point, wire.MuteState{}); !ok || !got.On || got.Version != m.Number {
				t.Errorf("%s lacks %+v, %v, want mute %d", point, got, ok, m.Number)
			}
		}
		if got, ok := o.lacks("WH-01", wire.MuteState{}); ok {
			t.Errorf("WH-01 lacks %+v, want nothing", got)
		}
		if got, ok := o.lacks("SF-01", wire.MuteState{Number: m.Number, On: true}); ok {
			t.Errorf("a gate that is silent lacks %+v", got)
		}
	}
	if err := o.Lift(t.Context(), approver, m.ID, "已换下", true, now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got, ok := o.lacks("SF-01", wire.MuteState{Number: m.Number, On: true}); !ok || got.On || got.Version <= m.Number {
		t.Errorf("after the lift SF-01 lacks %+v, %v", got, ok)
	}
	if len(o.settled) != 1 || !o.settled[0].Equal(now) || o.All()[0].ApprovedBy != "chen" {
		t.Errorf("settled since %v, %+v", o.settled, o.All()[0])
	}
	if err := o.Lift(t.Context(), approver, m.ID, "再来一次", false, now.Add(2*time.Minute)); fleet.CodeOf(err) != fleet.Conflict {
		t.Errorf("a second lift = %v, want Conflict", err)
	}
}

func TestWhoMayMute(t *testing.T) {
	all := fleet.Area{All: true}
	tests := []struct {
		name string
		do   func(*office) error
		want fleet.Code
	}{
		{"clerk_mutes", func(o *office) error {
			_, err := o.Mute(o.t.Context(), clerk, all, "投诉", time.Time{}, now)
			return err
		}, ""},
		{"unit_account_mutes", func(o *office) error {
			_, err := o.Mute(o.t.Context(), unit, all, "投诉", time.Time{}, now)
			return err
		}, fleet.Forbidden},
		{"no_reason", func(o *office) error { _, err := o.Mute(o.t.Context(), clerk, all, "  ", time.Time{}, now); return err }, fleet.Invalid},
		{"nowhere", func(o *office) error {
			_, err := o.Mute(o.t.Context(), clerk, fleet.Area{}, "投诉", time.Time{}, now)
			return err
		}, fleet.Invalid},
		{"ended_before", func(o *office) error { _, err := o.Mute(o.t.Context(), clerk, all, "投诉", now, now); return err }, fleet.Invalid},
		{"clerk_lifts", func(o *office) error { return o.Lift(o.t.Context(), clerk, 1, "好了", false, now) }, fleet.Forbidden},
		{"clerk_approves", func(o *office) error { return o.Approve(o.t.Context(), clerk, 1, now) }, fleet.Forbidden},
		{"clerk_releases", func(o *office) error { _, err := o.Release(o.t.Context(), clerk, "好了", now); return err }, fleet.Forbidden},
		{"unknown_order", func(o *office) error { return o.Lift(o.t.Context(), approver, 99, "好了", false, now) }, fleet.NotFound},
		{"lift_without_reason", func(o *office) error { return o.Lift(o.t.Context(), approver, 1, "", false, now) }, fleet.Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			err := tt.do(o)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("err = %v", err)
			case tt.want != "" && (err == nil || fleet.CodeOf(err) != tt.want):
				t.Errorf("err = %v, want %s", err, tt.want)
			}
			if len(o.All()) != 0 != (tt.want == "") {
				t.Errorf("orders = %+v", o.All())
			}
		})
	}
}

func TestApproversMuteIsApproved(t *testing.T) {
	o := newOffice(t)
	m, err := o.Mute(t.Context(), approver, fleet.Area{All: true}, "上级要求", time.Time{}, now)
	if err != nil || m.ApprovedBy != "chen" {
		t.Errorf("Mute = %+v, %v", m, err)
	}
}

// TestLostWord: a card that lost what was said is told again, also when nothing
// was ever said; a gate that obeys an order of a lost database is not told.
func TestLostWord(t *testing.T) {
	o := newOffice(t)
	if got, ok := o.lacks("SF-01", wire.MuteState{Lost: true, On: true}); !ok || got.On || got.Version != 1 {
		t.Errorf("nothing was ever said: lacks %+v, %v", got, ok)
	}
	stray := wire.MuteState{Number: uint64(wire.US(now)) - 5, On: true}
	if got, ok := o.lacks("SF-01", stray); ok {
		t.Errorf("a gate with an order of another database lacks %+v", got)
	}
	if !o.Stray(fleet.Device{Point: o.points[0].ID, Mute: stray}) || o.Stray(fleet.Device{Point: o.points[0].ID}) {
		t.Error("Stray is wrong")
	}
	m, err := o.Mute(t.Context(), clerk, fleet.Area{All: true}, "投诉", time.Time{}, now)
	if err != nil || m.Number <= stray.Number {
		t.Fatalf("Mute = %+v, %v: its number is not above one that a lost database gave", m, err)
	}
	if got, ok := o.lacks("SF-01", wire.MuteState{Number: m.Number, Lost: true, On: true}); !ok || !got.On || got.Version != m.Number {
		t.Errorf("lost: lacks %+v, %v", got, ok)
	}
}
