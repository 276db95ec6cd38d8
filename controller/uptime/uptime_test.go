package uptime

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func device(online bool, seen time.Time) fleet.Device {
	return fleet.Device{State: fleet.DeviceActive, Online: online, LastSeen: seen}
}

func TestSilenceOfAllIsTheOffices(t *testing.T) {
	ago := func(d time.Duration) fleet.Device { return device(false, noon.Add(-d)) }
	started := noon.Add(-48 * time.Hour)
	tests := map[string]struct {
		devices []fleet.Device
		started time.Time
		since   time.Time
		heard   bool
		silent  bool
	}{
		"one_is_heard":                {[]fleet.Device{ago(time.Hour), ago(time.Hour), ago(time.Hour), device(true, noon)}, started, time.Time{}, true, false},
		"all_fell_silent":             {[]fleet.Device{ago(21 * time.Minute), ago(22 * time.Minute), ago(20 * time.Minute)}, started, noon.Add(-20 * time.Minute), false, true},
		"a_moment_ago":                {[]fleet.Device{ago(time.Hour), ago(time.Hour), ago(time.Minute)}, started, noon.Add(-time.Minute), false, false},
		"two_prove_nothing":           {[]fleet.Device{ago(time.Hour), ago(time.Hour)}, started, noon.Add(-time.Hour), false, false},
		"others_were_away_before":     {[]fleet.Device{ago(25 * time.Hour), ago(time.Hour), ago(time.Hour)}, started, noon.Add(-time.Hour), false, false},
		"the_controller_just_started": {[]fleet.Device{ago(time.Hour), ago(time.Hour), ago(time.Hour)}, noon.Add(-time.Minute), noon.Add(-time.Minute), false, false},
		"it_started_and_hears_nobody": {[]fleet.Device{ago(time.Hour), ago(time.Hour), ago(time.Hour)}, noon.Add(-5 * time.Minute), noon.Add(-5 * time.Minute), false, true},
		"only_revoked_ones_are_heard": {[]fleet.Device{ago(time.Hour), ago(time.Hour), ago(time.Hour), {State: fleet.DeviceRevoked, Online: true}}, started, noon.Add(-time.Hour), false, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			since, heard, silent := Silence(tt.devices, tt.started, noon)
			if heard != tt.heard || silent != tt.silent || !since.Equal(tt.since) {
				t.Errorf("Silence = %v, %v, %v, want %v, %v, %v", since, heard, silent, tt.since, tt.heard, tt.silent)
			}
		})
	}
}

// world is the real book with devices and a broker of the test's making.
type world struct {
	*store.Store
	devices   []fleet.Device
	connected bool
}

func (w *world) Devices(context.Context) ([]fleet.Device, error) { return w.devices, nil }

func newTestWorld(t *testing.T) *world {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatecast.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{Store: s, connected: true}
}

func (w *world) desk(t *testing.T, now *time.Time) *Desk {
	t.Helper()
	d, err := New(Options{Book: w, Connected: func() bool { return w.connected }, Now: func() time.Time { return *now }})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDeskKeepsWhatWasAway(t *testing.T) {
	w := newTestWorld(t)
	now := noon
	d := w.desk(t, &now)
	if err := d.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	heard := func(online bool) {
		w.devices = []fleet.Device{device(online, now), device(online, now), device(online, now)}
	}
	look := func(minutes int) {
		t.Helper()
		for range minutes {
			now = now.Add(Interval)
			if err := d.Look(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	heard(true)
	look(5) // 12:05
	heard(false)
	look(21) // 12:26
	heard(true)
	look(4) // 12:30
	w.connected = false
	look(10) // 12:40
	w.connected = true
	look(1)
	now = now.Add(30 * time.Minute) // the machine slept from 12:41
	look(1)
	if err := w.desk(t, &now).Begin(t.Context()); err != nil { // a restart
		t.Fatal(err)
	}
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	want := []fleet.Outage{
		{Kind: fleet.OutageNetwork, From: at(5), To: at(27)},
		{Kind: fleet.OutageBroker, From: at(31), To: at(41)},
		{Kind: fleet.OutageController, From: at(41), To: at(72)},
	}
	got, err := w.Outages(t.Context(), noon, now)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Outages: %v (-want +got):\n%s", err, diff)
	}
}

func TestRunBeatsUntilItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &beats{}
		d, err := New(Options{Book: w, Connected: func() bool { return true }})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*Interval+time.Second)
		defer cancel()
		if err := d.Run(ctx); err != nil {
			t.Error(err)
		}
		if len(w.at) != 7 || w.at[6].Sub(w.at[0]) != 5*Interval+time.Second {
			t.Errorf("beats at %v, want one at the start, five and one at the end", w.at)
		}
	})
}

// beats counts heartbeats.
type beats struct{ at []time.Time }

func (b *beats) Beat(_ context.Context, now time.Time) (fleet.Outage, bool, error) {
	b.at = append(b.at, now)
	return fleet.Outage{}, false, nil
}

func (b *beats) BeginOutage(context.Context, fleet.OutageKind, time.Time) error { return nil }

func (b *beats) EndOutage(context.Context, fleet.OutageKind, time.Time) (bool, error) {
	return false, nil
}

func (b *beats) Devices(context.Context) ([]fleet.Device, error) { return nil, nil }
