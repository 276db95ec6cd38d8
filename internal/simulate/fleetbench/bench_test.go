package fleetbench

import (
	"os/exec"
	"strings"
	"testing"

	"gatecast/controller/fleet"
)

// TestRunServesAFleet runs the whole of it on a small fleet and checks the
// controller's side of what the devices say they saw.
func TestRunServesAFleet(t *testing.T) {
	_, err := exec.LookPath("mosquitto")
	o := Options{Devices: 40, Records: 4000, Dir: t.TempDir(), Mosquitto: err == nil, Progress: func(what string) { t.Log(what) }}
	o.after = func(w *world) error {
		kept := 0
		for cursor := int64(0); ; {
			rows, err := w.c.Store.RecordsAfter(t.Context(), cursor, 1000)
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				break
			}
			kept, cursor = kept+len(rows), rows[len(rows)-1].ID
		}
		if want := 40 + 4000 + 800; kept != want {
			t.Errorf("%d records are kept, want %d", kept, want)
		}
		devices, err := w.c.Store.Devices(t.Context())
		if err != nil {
			return err
		}
		for _, d := range devices {
			if d.State != fleet.DeviceActive || !d.Online || d.WantVersion == 0 || d.PlanHash != d.WantHash {
				t.Errorf("device %s: online %v, has plan %d, wants %d", d.ID, d.Online, d.PlanVersion, d.WantVersion)
			}
		}
		if s := w.c.LinkStats(); s.Broken != 0 || s.Refused != 0 || s.Fresh != int64(kept) {
			t.Errorf("stats = %+v", s)
		}
		return nil
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", r)
	if r.Connect <= 0 || r.Activate <= 0 || r.OneEach <= 0 || r.PerSecond <= 0 || r.SinglePerS <= 0 || r.Planned < r.Activate || r.OneEachP50 > r.OneEach {
		t.Errorf("figures = %+v", r)
	}
	if o.Mosquitto && (r.Mosquitto <= 0 || r.MosquittoTCP <= 0) {
		t.Errorf("figures of mosquitto = %+v", r)
	}
}

func TestRunRefusesWhatCannotBe(t *testing.T) {
	for name, o := range map[string]Options{"at least two": {}, "ulimit -n": {Devices: 10_000_000}} {
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("Run(%+v) = %v, want an error with %q", o, err, name)
		}
	}
}
