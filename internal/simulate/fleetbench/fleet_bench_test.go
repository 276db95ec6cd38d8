package fleetbench

import "testing"

// BenchmarkFleet is "gatecast bench fleet" for profiles: one iteration is a
// whole run.
func BenchmarkFleet(b *testing.B) {
	for range b.N {
		r, err := Run(b.Context(), Options{Devices: 1000, Records: 100_000, Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(r.Connect.Seconds(), "connect-s")
		b.ReportMetric(r.Activate.Seconds(), "activate-s")
		b.ReportMetric(r.OneEach.Seconds(), "one-each-s")
		b.ReportMetric(r.PerSecond, "records/s")
		b.ReportMetric(r.SinglePerS, "single-records/s")
	}
}
