package web

import (
	"fmt"
	"net/http"
	"testing"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// BenchmarkCityPages answers the lists with 10,000 points in 100 communities
// behind them, each with a device and the slots of a day. The goal is under
// 100 ms a page.
func BenchmarkCityPages(b *testing.B) {
	w := newCity(b, 100, 100)
	c := w.as(b, "admin")
	pages := map[string]string{
		"overview": "/", "points": "/points", "points_sorted": "/points?sort=state&page=60", "points_search": "/points?q=0042",
		"points_issue": "/points?state=issue", "points_offline": "/points?state=offline&sort=seen", "enrol": "/enrol", "programmes": "/programmes",
		"compliance": "/compliance", "compliance_year": "/compliance?from=2025-11-24&to=2026-11-23", "compliance_unit": "/compliance?from=2025-11-24&to=2026-11-23&unit=5&by=point",
	}
	for name, path := range pages {
		b.Run(name, func(b *testing.B) {
			size := 0
			for b.Loop() {
				res := c.get(path)
				if res.Code != http.StatusOK {
					b.Fatalf("GET %s = %d", path, res.Code)
				}
				size = res.Body.Len()
			}
			b.ReportMetric(float64(size)/1024, "KiB")
			b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms/page")
		})
	}
}

// newCity is a store with so many communities of so many gates each; one gate
// in fifty is offline.
func newCity(b *testing.B, communities, gates int) *world {
	b.Helper()
	w := newEmptyWorld(b)
	ctx := b.Context()
	r := fleet.Registry{Units: []fleet.UnitEntry{{Unit: fleet.Unit{Type: fleet.Subdistrict, Code: "SL", Name: "示例街道", ShortName: "示例"}}}}
	for u := range communities {
		code := fmt.Sprintf("C%03d", u)
		r.Units = append(r.Units, fleet.UnitEntry{Parent: "SL", Unit: fleet.Unit{Type: fleet.Community, Code: code, Name: "第" + code + "社区", ShortName: code, Order: u}})
		for c := range 10 {
			r.Compounds = append(r.Compounds, fleet.CompoundEntry{Unit: code, Compound: fleet.Compound{Name: fmt.Sprintf("%s小区%d", code, c), Property: fmt.Sprintf("物业%d", u%20)}})
		}
		for g := range gates {
			r.Points = append(r.Points, fleet.PointEntry{Unit: code, Compound: fmt.Sprintf("%s小区%d", code, g%10), Point: fleet.Point{
				Code: fmt.Sprintf("%s-%04d", code, g), Name: fmt.Sprintf("%s小区%d %d号门", code, g%10, g), Kind: fleet.Gate,
				DutyName: "门岗", DutyPhone: fleet.Phone("13800001234"), ActiveFrom: testNow.AddDate(0, -1, 0),
			}})
		}
	}
	if err := w.store.ImportRegistry(ctx, r); err != nil {
		b.Fatal(err)
	}
	points, err := w.store.Points(ctx, fleet.PointFilter{})
	if err != nil {
		b.Fatal(err)
	}
	for i, p := range points {
		id := wire.DeviceID(fmt.Sprintf("d%024x", i+1))
		w.enrol(b, p, id, testNow.AddDate(0, 0, -30))
		at := testNow
		if i%50 == 7 {
			at = testNow.AddDate(0, 0, -2)
		}
		st := wire.State{Session: 7, Online: true, AtUS: wire.US(at), PlanVersion: 218, HorizonS: testNow.AddDate(0, 0, 59).Unix(), Log: "00112233445566aa",
			Time: wire.TimeState{Level: wire.T2, ErrMS: 12}, Output: wire.Output{Sink: "alsa", Device: "hw:CARD=Device", Mixer: "Speaker 60%"}}
		if _, err := w.store.SaveState(ctx, id, st, at); err != nil {
			b.Fatal(err)
		}
	}
	w.owe(b, points, testNow)
	w.settle(b, points, testNow)
	return w
}
