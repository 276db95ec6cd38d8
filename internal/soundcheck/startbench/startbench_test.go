package startbench

import (
	"testing"
	"time"

	"gatecast/internal/needtool"
	"gatecast/internal/soundcheck"
)

func TestRunFindsEveryPlayersStarts(t *testing.T) {
	needtool.Need(t, append([]string{"mpg123", "aplay", "lame"}, soundcheck.Programs...)...)
	r, err := Run(t.Context(), Options{Plays: 3})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Phases) != 1 || len(r.Phases[0].Starts) != 3 {
		t.Fatalf("Run = %+v, want one phase of three players", r)
	}
	for _, s := range r.Phases[0].Starts {
		if s.Plays == 0 || s.P50 > s.P99 || s.P99 > s.Max || s.Max > latest || s.P50 <= 0 {
			t.Errorf("%+v", s)
		}
	}
	// What separates us from the others is there on any machine: they start a
	// process at the tick. Our own figure is not asserted: it depends on what
	// else runs here.
	if others := r.Phases[0].Starts[1:]; others[0].P50 < time.Millisecond || others[1].P50 < time.Millisecond {
		t.Errorf("players that start at the tick are too good: %+v", others)
	}
}

func TestSweepsAreToldApart(t *testing.T) {
	sweeps := []struct{ from, to float64 }{{500, 2000}, {4500, 2500}, {5000, 8000}}
	for i, a := range sweeps {
		for k, b := range sweeps {
			m, err := soundcheck.Compare(sweep(a.from, a.to), sweep(b.from, b.to))
			if err != nil {
				t.Fatal(err)
			}
			if same := m.Correlation > 0.7; same != (i == k) {
				t.Errorf("sweeps %d and %d correlate at %.2f", i, k, m.Correlation)
			}
		}
	}
}
