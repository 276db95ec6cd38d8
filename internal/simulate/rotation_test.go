package simulate

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/trust"
)

// rotate replaces a key as the operator does: the controller is stopped, and
// started again on the folder as it is then.
func (o *office) rotate(t *testing.T, r trust.Rotation) {
	t.Helper()
	o.kill()
	if _, err := o.trust.Rotate(r); err != nil {
		t.Fatal(err)
	}
	var err error
	if o.trust, err = trust.Open(filepath.Join(o.base, "trust"), trust.Options{Names: []string{"office.test"}, Logger: o.log()}); err != nil {
		t.Fatal(err)
	}
	o.w.officeUp()
}

// root returns the version of the trust root that a device obeys, as it says.
func (o *office) root(t *testing.T, d *device) uint64 {
	t.Helper()
	got, err := o.present().store.Device(t.Context(), d.id)
	if err != nil {
		t.Fatal(err)
	}
	return got.RootVersion
}

// TestEveryKeyRotates replaces each key of an office with two gates. One is
// there all the time and takes every root within two minutes; the other has no
// network from before the first rotation on, is off for most of a month with
// everything else, and walks the whole chain when it is back. Neither misses a
// play that it had power for.
func TestEveryKeyRotates(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w, err := newWorld(Options{Seed: 5, Devices: 2, Days: 1, Start: shanghai(t, "2026-03-03 06:50")}, base)
		if err != nil {
			t.Fatal(err)
		}
		defer w.end()
		if err := w.populate(); err != nil {
			t.Fatal(err)
		}
		w.live(shanghai(t, "2026-03-03 07:10"))
		here, away := w.at(0), w.at(1)
		away.setSky(func(s *weather) { s.cut = true })
		w.net.disturb(away, errReset)
		for i, r := range []trust.Rotation{
			{Role: trust.DirectorRole}, {Role: trust.LibraryRole}, {Role: trust.RootRole}, {Role: trust.ReleaseRole}, {Role: trust.CARole},
		} {
			// In the middle of a slot, too: the one at 07:30 runs for half an hour.
			w.live(shanghai(t, "2026-03-03 07:32").Add(time.Duration(i) * 2 * time.Minute))
			w.office.rotate(t, r)
			w.live(time.Now().Add(100 * time.Second))
			if got := w.office.root(t, here); got != uint64(i+2) {
				t.Errorf("the gate with a network obeys root %d after %s was rotated, want %d", got, r.Role, i+2)
			}
		}
		w.live(shanghai(t, "2026-03-03 12:20"))
		for _, d := range []*device{here, away} { // a month in which nothing happens
			d.cutPower()
		}
		w.office.kill()
		w.live(shanghai(t, "2026-04-03 07:00"))
		w.office.rotate(t, trust.Rotation{Role: trust.DirectorRole})
		away.setSky(func(s *weather) { *s = weather{} })
		here.boot()
		away.boot()
		w.live(time.Now().Add(5 * time.Minute))
		for _, d := range []*device{here, away} {
			if got := w.office.root(t, d); got != 7 {
				t.Errorf("%s obeys root %d after a month, want 7", d.name, got)
			}
		}
		w.live(shanghai(t, "2026-04-03 12:20"))
		days := append(owed(t, w, "2026-03-03", "2026-03-03"), owed(t, w, "2026-04-03", "2026-04-03")...)
		played := 0
		for _, o := range days {
			if o.End.After(time.Now()) || o.Name == "evening" {
				continue
			}
			if played++; o.Verdict != fleet.Played || o.PlaysOK != 6 {
				t.Errorf("%s at point %d is %s with %d plays, want played with 6", o.Slot, o.Point, o.Verdict, o.PlaysOK)
			}
		}
		if played != 2*(2+2) {
			t.Errorf("%d slots, want 8", played)
		}
		if v := w.fault; v != nil {
			t.Errorf("%v\n%s", v, v.Story)
		}
	})
}
