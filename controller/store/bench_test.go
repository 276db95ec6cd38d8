package store

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// BenchmarkAppendRecords measures records committed durably, per second, when
// many devices deliver at once, each waiting for its ack before the next
// batch; the records are outcomes of about 700 bytes.
func BenchmarkAppendRecords(b *testing.B) {
	for _, devices := range []int{1, 100, 2000} {
		for _, per := range []int{1, 10, 50} {
			b.Run(fmt.Sprintf("devices=%d/batch=%d", devices, per), func(b *testing.B) {
				s := newTestStore(b)
				ids := enrolMany(b, s, devices)
				var next atomic.Int64
				b.ResetTimer()
				start := time.Now()
				var wg sync.WaitGroup
				for _, id := range ids {
					wg.Go(func() {
						for seq := wire.Seq(1); next.Add(int64(per)) <= int64(b.N+per-1); seq += wire.Seq(per) {
							batch := make([]json.RawMessage, per)
							for k := range batch {
								batch[k] = benchRecord(seq + wire.Seq(k))
							}
							if _, err := s.AppendRecords(b.Context(), id, testLog, batch, t0); err != nil {
								b.Error(err)
								return
							}
							if _, err := s.AckState(b.Context(), id, testLog); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "records/s")
			})
		}
	}
}

func benchRecord(seq wire.Seq) []byte {
	return fmt.Appendf(nil, `{"log":%q,"seq":%d,"prev":"0f343b0931126a20f133d67c2b018a3b5e8a0b0b1f5f1b0a9c4f9d0e7c1d2e3f","kind":"outcome","at_us":1795402800000000,"mono_us":5000000,"boot_id":"8b1f5f1b-0a9c-4f9d-8e7c-1d2e3f0f343b","level":2,"err_ms":5,"body":{"play":"2026-11-23.gates.morning#%d","slot":"2026-11-23.gates.morning","plan":7,"clip":"0f343b0931126a20f133d67c2b018a3b5e8a0b0b1f5f1b0a9c4f9d0e7c1d2e3f","planned_us":1795402800000000,"intent_seq":%d,"result":"played","started_us":1795402800000900,"elapsed_ms":27010,"sound_ms":27000,"clip_ms":27000,"frames":648000,"frames_written":648000,"frames_played":648000,"rate":24000,"sink":"alsa","device":"hw:0","end":"drained"}}`,
		testLog, seq, seq, seq-1)
}

// enrolMany binds one device to each of n gates, in one transaction.
func enrolMany(b *testing.B, s *Store, n int) []wire.DeviceID {
	b.Helper()
	points := importTest(b, s, n)
	ids := make([]wire.DeviceID, n)
	_, err := changeAlone(b.Context(), s, func(t *tx) (none, error) {
		for i, p := range points {
			ids[i] = wire.DeviceID(fmt.Sprintf("d%d", i))
			if err := s.bindTx(t, fleet.Device{ID: ids[i], SPKI: []byte(ids[i])}, nil, p.ID, t0); err != nil {
				return none{}, err
			}
		}
		return none{}, nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return ids
}

// BenchmarkSaveState measures what 9,000 devices cost that say their state.
func BenchmarkSaveState(b *testing.B) {
	s := newTestStore(b)
	ids := enrolMany(b, s, 9000)
	for i := 0; b.Loop(); i++ {
		if _, err := s.SaveState(b.Context(), ids[i%len(ids)], stateOf(1), t0); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPutObligations measures planning 1,000 points for 60 days at three
// slots a day: for the first time, again without a change, and with another
// version of the programme.
func BenchmarkPutObligations(b *testing.B) {
	const points, days = 1000, 60
	plan := func(ids []fleet.PointID, version int) (fleet.PlanWindow, []fleet.Obligation) {
		win := fleet.PlanWindow{Points: ids, From: t0, To: t0.AddDate(0, 0, days)}
		var want []fleet.Obligation
		for _, p := range ids {
			for d := range days {
				for key, hour := range map[string]int{"morning": 1, "noon": 5, "evening": 10} {
					o := owe(p, key, key, t0.AddDate(0, 0, d).Add(time.Duration(hour)*time.Hour))
					o.Version = version
					want = append(want, o)
				}
			}
		}
		return win, want
	}
	for b.Loop() {
		b.StopTimer()
		s := newTestStore(b)
		var ids []fleet.PointID
		for _, p := range importTest(b, s, points) {
			ids = append(ids, p.ID)
		}
		b.StartTimer()
		for i, step := range []string{"first", "again", "changed"} {
			win, want := plan(ids, 1+i/2)
			start := time.Now()
			r, err := s.PutObligations(b.Context(), win, want, t0)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(want))/time.Since(start).Seconds(), step+"_rows/s")
			if r.Added+r.Changed+r.Kept != len(want) {
				b.Fatalf("%s: %+v", step, r)
			}
		}
	}
}

// BenchmarkPutPlans measures keeping one plan of 36 KB for each of 2,000
// devices.
func BenchmarkPutPlans(b *testing.B) {
	s := newTestStore(b)
	ids := enrolMany(b, s, 2000)
	version := uint64(0)
	for b.Loop() {
		version++
		plans := make([]fleet.Doc, len(ids))
		for i, id := range ids {
			plans[i] = fleet.Doc{SHA256: fmt.Sprintf("%s-%d", id, version), Type: wire.DocPlan, Device: id, Version: version, Bytes: make([]byte, 36<<10)}
		}
		start := time.Now()
		if err := s.PutPlans(b.Context(), plans); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(plans))/time.Since(start).Seconds(), "plans/s")
	}
}
