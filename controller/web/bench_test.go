package web

import (
	"net/http"
	"testing"
)

// BenchmarkPages answers every page with the data of the demo: a subdistrict of
// 48 points after two weeks. The goal is under 100 ms a page.
func BenchmarkPages(b *testing.B) {
	w := newWorld(b)
	c := w.as(b, "admin")
	pages := map[string]string{
		"overview": "/", "points": "/points", "point": pointPath(w.points["谷雨里南门"].ID),
		"slot": slotPath(w.points["谷雨里南门"].ID, "2026-11-23.default.evening"), "clips": "/clips", "clip": "/clips/1",
		"programmes": "/programmes", "programme_month": "/programmes/1?days=31", "compliance_week": "/compliance?from=2026-11-17&to=2026-11-23",
		"compliance_all_slots": "/compliance?from=2026-11-10&to=2026-11-23&result=all", "enrol": "/enrol", "login": "/login",
		"calendar": "/calendar", "point_month": pointPath(w.points["谷雨里南门"].ID) + "/calendar", "editor": "/programmes/1/edit", "holidays": "/holidays",
	}
	for name, path := range pages {
		b.Run(name, func(b *testing.B) {
			size := 0
			for b.Loop() {
				res := c.get(path)
				if res.Code != http.StatusOK && res.Code != http.StatusSeeOther {
					b.Fatalf("GET %s = %d", path, res.Code)
				}
				size = res.Body.Len()
			}
			b.ReportMetric(float64(size)/1024, "KiB")
			b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms/page")
		})
	}
}
