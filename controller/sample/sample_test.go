package sample

import (
	"testing"
	"time"

	"gatecast/controller/fleet"
)

func TestRegistryIsTheDemoWorld(t *testing.T) {
	r := Registry(time.Now())
	count := map[fleet.PointKind]int{}
	codes, names := map[string]bool{}, map[string]bool{}
	units := map[string]bool{}
	for _, u := range r.Units {
		units[u.Code] = true
	}
	compounds := map[string]bool{}
	for _, c := range r.Compounds {
		compounds[c.Unit+"/"+c.Name] = true
	}
	for _, p := range r.Points {
		count[p.Kind]++
		if codes[p.Code] || names[p.Name] {
			t.Errorf("point %q %q stands there twice", p.Code, p.Name)
		}
		codes[p.Code], names[p.Name] = true, true
		if !units[p.Unit] {
			t.Errorf("point %q in unknown unit %q", p.Code, p.Unit)
		}
		if p.Kind == fleet.Gate && !compounds[p.Unit+"/"+p.Compound] {
			t.Errorf("gate %q in unknown compound %q", p.Code, p.Compound)
		}
		if !p.ActiveFrom.IsZero() {
			t.Errorf("point %q is installed before anybody installed it", p.Code)
		}
	}
	if count[fleet.Gate] != 42 || count[fleet.Horn] != 6 || len(r.Units) != 9 {
		t.Errorf("%d gates, %d village points, %d units, want 42, 6, 9", count[fleet.Gate], count[fleet.Horn], len(r.Units))
	}
}
