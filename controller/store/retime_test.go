package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// written is a record of testLog in a boot, mono after its beginning. At level
// T0 the device believes that it is 1 November.
func written(t testing.TB, seq wire.Seq, kind wire.RecordKind, boot string, mono time.Duration, level wire.TimeLevel, at time.Time) json.RawMessage {
	t.Helper()
	r := wire.Record{Log: testLog, Seq: seq, Kind: kind, AtUS: wire.US(at), MonoUS: mono.Microseconds(), BootID: boot, Level: level}
	if level > wire.T0 {
		r.ErrMS = 20
	}
	return rawRecord(t, r, struct{}{})
}

var believed = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// times returns what is known of when each record after the cursor was written,
// by number.
func times(t testing.TB, s *Store, p fleet.PointID, cursor int64) map[wire.Seq]string {
	t.Helper()
	recs, err := s.RecordsAfter(context.Background(), cursor, 1000)
	if err != nil {
		t.Fatal(err)
	}
	got := map[wire.Seq]string{}
	for _, r := range recs {
		got[r.Seq] = fmt.Sprintf("%s ± %v", r.At.Format("01-02 15:04:05"), r.AtErr)
		if !r.Retimed {
			got[r.Seq] += " told"
		}
		if r.Point != p {
			got[r.Seq] += fmt.Sprintf(" at point %d", r.Point)
		}
	}
	return got
}

func TestRecordsBeforeTrustAreRetimed(t *testing.T) {
	boot := written(t, 1, wire.RecordBoot, "b1", 30*time.Second, wire.T0, believed)
	clock := written(t, 2, wire.RecordClock, "b1", 90*time.Second, wire.T1, t0.Add(90*time.Second))
	later := written(t, 3, wire.RecordPlan, "b1", time.Hour, wire.T1, t0.Add(time.Hour))
	other := written(t, 4, wire.RecordBoot, "b2", 20*time.Second, wire.T0, believed)
	tests := map[string]struct {
		batches [][]json.RawMessage
		want    map[wire.Seq]string
	}{
		"waits_for_trust": {
			[][]json.RawMessage{{boot}},
			map[wire.Seq]string{1: "11-01 00:00:00 ± 0s told"},
		},
		"in_one_batch": {
			[][]json.RawMessage{{boot, clock}},
			map[wire.Seq]string{1: "11-23 00:00:30 ± 27ms", 2: "11-23 00:01:30 ± 20ms told"},
		},
		"trust_comes_later": {
			[][]json.RawMessage{{boot}, {clock}},
			map[wire.Seq]string{1: "11-23 00:00:30 ± 27ms", 2: "11-23 00:01:30 ± 20ms told"},
		},
		"trust_came_first": {
			[][]json.RawMessage{{clock}, {boot}, {boot, clock}},
			map[wire.Seq]string{1: "11-23 00:00:30 ± 27ms", 2: "11-23 00:01:30 ± 20ms told"},
		},
		"the_nearest_trust_counts": {
			[][]json.RawMessage{{later, boot}, {clock}},
			map[wire.Seq]string{1: "11-23 00:00:30 ± 27ms", 2: "11-23 00:01:30 ± 20ms told", 3: "11-23 01:00:00 ± 20ms told"},
		},
		"another_boot_says_nothing": {
			[][]json.RawMessage{{clock, other}},
			map[wire.Seq]string{2: "11-23 00:01:30 ± 20ms told", 4: "11-01 00:00:00 ± 0s told"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newTestStore(t)
			p := importTest(t, s, 1)[0].ID
			enrolTest(t, s, p, "d1", believed.AddDate(0, -1, 0))
			for _, b := range tt.batches {
				if _, err := s.AppendRecords(t.Context(), "d1", testLog, b, t0.Add(2*time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tt.want, times(t, s, p, 0)); diff != "" {
				t.Errorf("times (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRetimingKeepsTheRecordItself(t *testing.T) {
	s := newTestStore(t)
	p := importTest(t, s, 1)[0].ID
	enrolTest(t, s, p, "d1", believed)
	boot := written(t, 1, wire.RecordBoot, "b1", 30*time.Second, wire.T0, believed)
	clock := written(t, 2, wire.RecordClock, "b1", 90*time.Second, wire.T1, t0.Add(90*time.Second))
	for _, b := range [][]byte{boot, clock} {
		if _, err := s.AppendRecords(t.Context(), "d1", testLog, rawMessages(b), t0); err != nil {
			t.Fatal(err)
		}
	}
	recs, err := s.MachineRecords(t.Context(), p, t0, t0.Add(time.Minute)) // found by its true time
	if err != nil || len(recs) != 1 {
		t.Fatalf("MachineRecords = %d, %v, want the boot", len(recs), err)
	}
	if r := recs[0]; string(r.Raw) != string(boot) || r.AtUS != wire.US(believed) || !r.Retimed {
		t.Errorf("record = %+v", r)
	}
	if recs, err := s.MachineRecords(t.Context(), p, believed, believed.Add(time.Hour)); err != nil || len(recs) != 0 {
		t.Errorf("at the time that it believed: %d records, %v, want none", len(recs), err)
	}
}

// TestUntrustedTimeDoesNotChooseThePoint enrols the card for another point:
// what it wrote in between with a clock of the past belongs to the new one.
func TestUntrustedTimeDoesNotChooseThePoint(t *testing.T) {
	s := newTestStore(t)
	points := importTest(t, s, 2)
	enrolTest(t, s, points[0].ID, "d1", believed)
	enrolTest(t, s, points[1].ID, "d1", t0)
	past := believed.Add(time.Hour) // of a time at the first point
	send := func(now time.Time, raw ...[]byte) {
		t.Helper()
		if _, err := s.AppendRecords(t.Context(), "d1", testLog, rawMessages(raw...), now); err != nil {
			t.Fatal(err)
		}
	}
	send(t0.Add(time.Hour),
		written(t, 1, wire.RecordBoot, "b1", time.Second, wire.T0, past),
		written(t, 2, wire.RecordPlan, "b0", time.Hour, wire.T0, past)) // written before, sent late
	if diff := cmp.Diff(map[wire.Seq]string{1: "11-01 01:00:00 ± 0s told", 2: "11-01 01:00:00 ± 0s told"}, times(t, s, points[1].ID, 0)); diff != "" {
		t.Errorf("before trust (-want +got):\n%s", diff)
	}
	send(t0.Add(2*time.Hour),
		written(t, 3, wire.RecordClock, "b1", 2*time.Second, wire.T1, t0.Add(time.Hour)),
		written(t, 4, wire.RecordClock, "b0", 2*time.Hour, wire.T1, past.Add(time.Hour)))
	want := map[wire.Seq]string{
		1: "11-23 00:59:59 ± 21.1ms",
		2: fmt.Sprintf("11-01 01:00:00 ± 381ms at point %d", points[0].ID),
		3: "11-23 01:00:00 ± 20ms told",
		4: fmt.Sprintf("11-01 02:00:00 ± 20ms told at point %d", points[0].ID),
	}
	if diff := cmp.Diff(want, times(t, s, points[1].ID, 0)); diff != "" {
		t.Errorf("after trust (-want +got):\n%s", diff)
	}
}

// TestRetimingDoesNotDependOnOrder delivers the same records in any order, cut
// into any batches, some of them twice.
func TestRetimingDoesNotDependOnOrder(t *testing.T) {
	type one struct {
		Boot  int
		Mono  int
		Level int
	}
	s := newTestStore(t)
	p := importTest(t, s, 1)[0].ID
	devices, cursor := 0, int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		list := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) one {
			return one{rapid.IntRange(0, 2).Draw(rt, "boot"), rapid.IntRange(0, 100_000).Draw(rt, "mono"), rapid.IntRange(0, 2).Draw(rt, "level")}
		}), 1, 12).Draw(rt, "records")
		raw := make([]json.RawMessage, len(list))
		for i, o := range list {
			at := believed
			if o.Level > 0 {
				at = t0.Add(time.Duration(o.Boot*500_000+o.Mono) * time.Second)
			}
			raw[i] = written(t, wire.Seq(i+1), wire.RecordClock, fmt.Sprintf("b%d", o.Boot), time.Duration(o.Mono)*time.Second, wire.TimeLevel(o.Level), at)
		}
		order := rapid.Permutation(slices.Clone(raw)).Draw(rt, "order")
		var first map[wire.Seq]string
		for i, list := range [][]json.RawMessage{raw, order, append(slices.Clone(order), raw...)} {
			devices++
			id := wire.DeviceID(fmt.Sprintf("d%d", devices))
			enrolTest(t, s, p, id, believed)
			for len(list) > 0 {
				n := rapid.IntRange(1, len(list)).Draw(rt, "batch")
				if _, err := s.AppendRecords(context.Background(), id, testLog, list[:n], t0); err != nil {
					rt.Fatal(err)
				}
				list = list[n:]
			}
			got := times(t, s, p, cursor)
			if err := s.read.QueryRowContext(context.Background(), `SELECT max(id) FROM records`).Scan(&cursor); err != nil {
				rt.Fatal(err)
			}
			if i == 0 {
				first = got
			} else if diff := cmp.Diff(first, got); diff != "" {
				rt.Fatalf("in order and otherwise:\n%s", diff)
			}
		}
	})
}

// TestMigrationRetimesWhatIsThere compares the SQL of the migration with the
// arithmetic of the program.
func TestMigrationRetimesWhatIsThere(t *testing.T) {
	s := newTestStore(t)
	p := importTest(t, s, 1)[0].ID
	enrolTest(t, s, p, "d1", believed)
	batch := []json.RawMessage{
		written(t, 1, wire.RecordBoot, "b1", 30*time.Second, wire.T0, believed),
		written(t, 2, wire.RecordPlan, "b1", time.Hour, wire.T1, t0.Add(time.Hour)),
		written(t, 3, wire.RecordClock, "b1", 90*time.Second, wire.T1, t0.Add(90*time.Second)),
		written(t, 4, wire.RecordBoot, "b2", 20*time.Second, wire.T0, believed),
		outcome(t, 5, morning, 1),
	}
	if _, err := s.AppendRecords(t.Context(), "d1", testLog, batch, t0); err != nil {
		t.Fatal(err)
	}
	want := times(t, s, p, 0)
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := change(t.Context(), s, func(x *tx) (none, error) {
		for _, q := range []string{"DROP TABLE retimed", "DROP TABLE boots", "UPDATE records SET at_us = CAST(raw AS TEXT) ->> 'at_us'"} {
			if _, err := x.conn.ExecContext(t.Context(), q); err != nil {
				return none{}, fmt.Errorf("%s: %w", q, err)
			}
		}
		_, err := x.conn.ExecContext(t.Context(), steps[1].sql)
		return none{}, err
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, times(t, s, p, 0)); diff != "" {
		t.Errorf("times after migrating (-program +migration):\n%s", diff)
	}
}
