package ledger

import (
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// BenchmarkPass measures slots settled per second when the last outcome of
// every gate of a town has just been committed.
func BenchmarkPass(b *testing.B) {
	const gates = 500
	s, points := newTestStore(b, gates)
	for day := 0; b.Loop(); day++ {
		b.StopTimer()
		start := day0.AddDate(0, 0, day).Add(time.Hour)
		for _, p := range points {
			o := oweTest(b, s, p, start)
			seq := wire.Seq(day*3 + 1)
			send(b, s, deviceOf(p), start, record(b, seq, wire.RecordOutcome, start, result(o, 1, wire.PlayPlayed, "")),
				record(b, seq+1, wire.RecordOutcome, start, result(o, 2, wire.PlayPlayed, "")), record(b, seq+2, wire.RecordOutcome, start, result(o, 3, wire.PlayPlayed, "")))
		}
		settled := 0
		l, err := New(Options{Store: s, Clock: func() time.Time { return start }, OnSettled: func(fleet.Obligation) { settled++ }})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		before := time.Now()
		if err := l.Pass(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(gates/time.Since(before).Seconds(), "slots/s")
		if settled != gates {
			b.Fatalf("settled %d of %d", settled, gates)
		}
	}
}
