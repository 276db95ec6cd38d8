package schedules

import (
	"fmt"
	"testing"
	"time"
)

// city returns n points of a city: nine gates to a village, in communities of
// 40, one in eight near an exam site.
func city(n int) []Point {
	points := make([]Point, n)
	for i := range points {
		p := Point{ID: fmt.Sprintf("P%05d", i), Kind: KindGate, Units: []string{fmt.Sprintf("C%03d", i/40), fmt.Sprintf("S%02d", i/800), "CITY"}}
		if i%10 == 9 {
			p.Kind = KindVillage
		}
		if i%8 == 0 {
			p.Tags = []string{"near"}
		}
		points[i] = p
	}
	return points
}

// BenchmarkCompile10kPoints60Days is one whole recomputation: a new compiler
// with a programme for each of 13 subdistricts and an exam rule, then 60 days
// of slots for each of 10,000 points.
func BenchmarkCompile10kPoints60Days(b *testing.B) {
	points := city(10_000)
	var programmes []*Programme
	text := string(mustRead(b, "presets/default.yaml"))
	for s := range 13 {
		p := parsed(b, text)
		p.ID = fmt.Sprintf("s%02d", s)
		p.Targets.Units = []string{fmt.Sprintf("S%02d", s)}
		p.Quiet.Dated = []QuietRule{{
			ID: "exam", Name: "考试", From: Date{2026, time.June, 7}, To: Date{2026, time.June, 10}, AllDay: true, Document: "d",
			Targets: &Targets{Selection: Selection{Tags: []string{"near"}}},
		}}
		programmes = append(programmes, p)
	}
	b.ReportAllocs()
	for b.Loop() {
		c, err := NewCompiler(programmes, nil)
		if err != nil {
			b.Fatal(err)
		}
		slots := 0
		for _, p := range points {
			slots += len(c.Slots(p, Date{2026, time.May, 20}, 60))
		}
		if want := 10_000/10*9*60*3 + 10_000/10*60*2; slots != want {
			b.Fatalf("%d slots, want %d", slots, want)
		}
		b.ReportMetric(float64(slots), "slots/op")
	}
}

// BenchmarkCheck10kPoints60Days is what an activation checks.
func BenchmarkCheck10kPoints60Days(b *testing.B) {
	points := city(10_000)
	p := parsed(b, string(mustRead(b, "presets/default.yaml")))
	durations := map[string]time.Duration{"shuadan": 27 * time.Second, "kefu": 23 * time.Second, "laonian": 25 * time.Second}
	for b.Loop() {
		c, err := NewCompiler([]*Programme{p}, nil)
		if err != nil {
			b.Fatal(err)
		}
		if n := len(p.CheckTargets(points)) + len(c.Conflicts(points, Date{2026, time.May, 20}, 60)) + len(c.CheckSound(points, Date{2026, time.May, 20}, 60, durations)); n > 0 {
			b.Fatalf("%d findings", n)
		}
	}
}

func BenchmarkParseDefault(b *testing.B) {
	text := mustRead(b, "presets/default.yaml")
	for b.Loop() {
		if _, err := Parse("default.yaml", text); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDemoEveryMinute60Days is the densest programme the language allows,
// at one point.
func BenchmarkDemoEveryMinute60Days(b *testing.B) {
	p := parsed(b, demoAt("Asia/Shanghai", "* * * * *", "1m"))
	for b.Loop() {
		c, err := NewCompiler([]*Programme{p}, nil)
		if err != nil {
			b.Fatal(err)
		}
		if n := len(c.Slots(gate(), Date{2026, time.May, 20}, 60)); n != 60*1440 {
			b.Fatalf("%d slots", n)
		}
	}
}
