package planner

import (
	"fmt"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/trust"
	"gatecast/internal/wire"
)

// TestWhoMustNotSoundGetsAPlanWithoutSlots follows a point from its first
// device, which waits, to the third, which has a double.
func TestWhoMustNotSoundGetsAPlanWithoutSlots(t *testing.T) {
	w := newTestPlanner(t)
	pt, first := w.enrol(t, "SL-01-01", t0)
	w.activate(t, fmt.Sprintf(evening, "18:00", "18:30"), t0)
	if n := len(w.wanted(t, first).Slots); n == 0 {
		t.Fatal("an accepted device has no slots")
	}
	_, hash := trust.NewJoinCode()
	if err := w.store.AddJoinCode(t.Context(), fleet.JoinCode{Hash: hash, Point: pt.ID, Issued: t0, Expires: t0.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Enrol(t.Context(), hash, fleet.Device{ID: "d2", SPKI: []byte("d2")}, t0); err != nil {
		t.Fatal(err)
	}
	silent := func(id wire.DeviceID, above uint64) uint64 {
		t.Helper()
		if _, err := w.Replan(t.Context(), t0.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		p := w.wanted(t, id)
		if len(p.Slots) > 0 || len(p.Clips) > 0 || p.Default != "" || p.Version <= above || p.Point != "SL-01-01" {
			t.Errorf("plan of %s = %+v, want one without slots above version %d", id, p, above)
		}
		return p.Version
	}
	before := w.wanted(t, first)
	v := silent("d2", 0)
	if again := silent("d2", v-1); again != v {
		t.Errorf("the same plan was signed again, version %d", again)
	}
	if w.wanted(t, first).Version != before.Version {
		t.Error("the device that plays got another plan")
	}
	if _, err := w.store.AcceptDevice(t.Context(), "d2", "clerk", t0.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	silent(first, before.Version)
	if p := w.wanted(t, "d2"); len(p.Slots) == 0 || p.Version <= v {
		t.Errorf("the accepted device has plan %d with %d slots", p.Version, len(p.Slots))
	}
	// A replaced device that has a newer plan than we knew gets one above it.
	if _, err := w.store.SavePlanHeld(t.Context(), first, 40, "ff"); err != nil {
		t.Fatal(err)
	}
	silent(first, 40)
	if _, err := w.store.QuarantineClone(t.Context(), "d2", t0.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	silent("d2", v)
}
