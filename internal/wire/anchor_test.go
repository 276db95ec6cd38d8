package wire

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func TestAnchorOf(t *testing.T) {
	good := Record{Level: T1, BootID: "b", AtUS: 1_795_428_000_000_000, MonoUS: 60_000_000, ErrMS: 20}
	tests := map[string]struct {
		change func(*Record)
		ok     bool
	}{
		"trusted":           {func(*Record) {}, true},
		"synchronised":      {func(r *Record) { r.Level = T2 }, true},
		"at_the_boot":       {func(r *Record) { r.MonoUS = 0 }, true},
		"untrusted":         {func(r *Record) { r.Level = T0 }, false},
		"no_boot":           {func(r *Record) { r.BootID = "" }, false},
		"no_time":           {func(r *Record) { r.AtUS = 0 }, false},
		"before_1970":       {func(r *Record) { r.AtUS = -1 }, false},
		"end_of_time":       {func(r *Record) { r.AtUS = math.MaxInt64 }, false},
		"before_the_boot":   {func(r *Record) { r.MonoUS = -1 }, false},
		"endless_uptime":    {func(r *Record) { r.MonoUS = math.MaxInt64 }, false},
		"negative_error":    {func(r *Record) { r.ErrMS = -1 }, false},
		"no_bound_to_speak": {func(r *Record) { r.ErrMS = math.MaxInt64 }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := good
			tt.change(&r)
			a, ok := AnchorOf(r)
			if ok != tt.ok || ok && a != (Anchor{r.AtUS, r.MonoUS, 21_000}) {
				t.Errorf("AnchorOf = %+v, %v, want ok %v", a, ok, tt.ok)
			}
		})
	}
}

func TestAnchorAt(t *testing.T) {
	a := Anchor{AtUS: 1_795_428_000_000_000, MonoUS: 60_000_000, ErrUS: 21_000}
	tests := map[string]struct {
		mono, at, err int64
		ok            bool
	}{
		"same_instant":         {60_000_000, 1_795_428_000_000_000, 21_000, true},
		"a_minute_before":      {0, 1_795_427_940_000_000, 27_000, true},
		"an_hour_after":        {3_660_000_000, 1_795_431_600_000_000, 381_000, true},
		"rounded_up":           {60_000_001, 1_795_428_000_000_001, 21_001, true},
		"before_the_boot":      {-1, 0, 0, false},
		"longer_than_anything": {math.MaxInt64, 0, 0, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			at, err, ok := a.At(tt.mono)
			if at != tt.at || err != tt.err || ok != tt.ok {
				t.Errorf("At(%d) = %d, %d, %v, want %d, %d, %v", tt.mono, at, err, ok, tt.at, tt.err, tt.ok)
			}
		})
	}
}

// TestRetimedInstantHoldsTheTruth lets a clock drift at random, anchors it at
// random instants with true bounds, and looks at any other instant.
func TestRetimedInstantHoldsTheTruth(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		boot := rapid.Int64Range(1e15, 3e15).Draw(rt, "boot")
		ppm := rapid.Int64Range(-DriftPPM, DriftPPM).Draw(rt, "ppm")
		truth := func(mono int64) int64 { return boot + mono + mono/1_000_000*ppm }
		// Whole seconds, so that the model's own division is exact.
		second := rapid.Custom(func(rt *rapid.T) int64 { return rapid.Int64Range(0, 40*86_400).Draw(rt, "s") * 1_000_000 })
		var best Anchor
		var all []Anchor
		for range rapid.IntRange(1, 6).Draw(rt, "anchors") {
			mono := second.Draw(rt, "mono")
			bound := rapid.Int64Range(0, 40_000).Draw(rt, "err_ms")
			off := rapid.Int64Range(-bound*1000, bound*1000).Draw(rt, "off")
			a, ok := AnchorOf(Record{Level: T1, BootID: "b", AtUS: truth(mono) + off, MonoUS: mono, ErrMS: bound})
			if !ok {
				rt.Fatal("a trusted record is no anchor")
			}
			if all = append(all, a); a.Better(best) {
				best = a
			}
		}
		mono := second.Draw(rt, "written")
		at, err, ok := best.At(mono)
		if d := at - truth(mono); !ok || d > err || -d > err {
			rt.Errorf("At(%d) = %d ± %d, truth is %d away", mono, at, err, at-truth(mono))
		}
		var other Anchor
		for _, i := range rand.Perm(len(all)) {
			if all[i].Better(other) {
				other = all[i]
			}
		}
		if other != best {
			rt.Errorf("best anchor depends on the order: %+v, %+v", best, other)
		}
	})
}

func TestDriftPPM(t *testing.T) {
	tests := map[string]struct {
		in   TimeState
		want float64
		ok   bool
	}{
		"never_compared": {TimeState{SpanS: 7200}, 0, false},
		"too_short":      {TimeState{OffMS: 5, ComparedUS: 1, SpanS: 599}, 0, false},
		"fast":           {TimeState{OffMS: 360, ComparedUS: 1, SpanS: 21_600}, 16.67, true},
		"slow":           {TimeState{OffMS: -38_880, ComparedUS: 1, SpanS: 777_600}, -50, true},
		"set_by_service": {TimeState{OffMS: 3, ComparedUS: 1}, 0, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got, ok := tt.in.DriftPPM(); ok != tt.ok || math.Abs(got-tt.want) > 0.01 {
				t.Errorf("DriftPPM = %v, %v, want %v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}
