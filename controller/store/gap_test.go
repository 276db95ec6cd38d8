package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const nextLog = wire.LogID("00112233445566bb")

func gapRecord(t *testing.T, log wire.LogID, seq wire.Seq, at time.Time, g wire.Gap) json.RawMessage {
	t.Helper()
	return rawRecord(t, wire.Record{Log: log, Seq: seq, Kind: wire.RecordGap, AtUS: wire.US(at), Level: wire.T2}, g)
}

// TestGapsAccountForTheirNumbers: what a device says is lost is never asked
// for again, also after a restart, and what comes all the same is taken.
func TestGapsAccountForTheirNumbers(t *testing.T) {
	at := t0.Add(time.Hour)
	tests := []struct {
		name string
		log  wire.LogID // that carries the gap record, as its number 1 or 9
		gap  wire.Gap
		want wire.Ack // of testLog
		gaps int
	}{
		{"middle_of_the_same_journal", testLog, wire.Gap{Log: testLog, First: 4, Last: 6, Why: "corrupt"}, wire.Ack{Log: testLog, Upto: 9, Missing: []wire.SeqRange{{First: 7, Last: 8}}}, 1},
		{"end_of_the_one_before", nextLog, wire.Gap{Log: testLog, First: 4, Last: 12, Why: "corrupt"}, wire.Ack{Log: testLog, Upto: 12}, 1},
		{"what_is_here_already", nextLog, wire.Gap{Log: testLog, First: 2, Last: 5, Why: "aged"}, wire.Ack{Log: testLog, Upto: 5}, 1},
		{"failed_sync_ends_its_journal", nextLog, wire.Gap{Log: testLog, First: 4, Last: 4, Why: "sync"}, wire.Ack{Log: testLog, Upto: 3}, 1},
		{"journal_nobody_heard_of", nextLog, wire.Gap{Log: "ffff", First: 1, Last: 20, Why: "full"}, wire.Ack{Log: testLog, Upto: 3}, 1},
		{"backwards", nextLog, wire.Gap{Log: testLog, First: 9, Last: 4, Why: "full"}, wire.Ack{Log: testLog, Upto: 3}, 0},
		{"all_there_ever_will_be", nextLog, wire.Gap{Log: testLog, First: 4, Last: 1 << 60, Why: "full"}, wire.Ack{Log: testLog, Upto: 3}, 0},
		{"of_no_journal", nextLog, wire.Gap{First: 4, Last: 5, Why: "full"}, wire.Ack{Log: testLog, Upto: 3}, 0},
	}
	path := filepath.Join(t.TempDir(), "gatecast.db")
	s := openTestStore(t, path)
	points := importTest(t, s, len(tests))
	for i, tt := range tests {
		id := wire.DeviceID(fmt.Sprintf("d%d", i))
		enrolTest(t, s, points[i].ID, id, t0)
		if _, err := s.AppendRecords(t.Context(), id, testLog, rawMessages(outcome(t, 1, morning, 1), outcome(t, 2, morning, 2), outcome(t, 3, morning, 3)), t0); err != nil {
			t.Fatal(err)
		}
		seq := wire.Seq(1)
		if tt.log == testLog {
			seq = 9
		}
		for range 2 {
			if _, err := s.AppendRecords(t.Context(), id, tt.log, rawMessages(gapRecord(t, tt.log, seq, at, tt.gap)), at); err != nil {
				t.Fatal(err)
			}
		}
	}
	for again := range 2 {
		if again == 1 {
			s = reopen(t, s, path)
		}
		for i, tt := range tests {
			t.Run(fmt.Sprintf("%s_%d", tt.name, again), func(t *testing.T) {
				ack, err := s.AckState(t.Context(), wire.DeviceID(fmt.Sprintf("d%d", i)), testLog)
				if diff := cmp.Diff(tt.want, ack); err != nil || diff != "" {
					t.Errorf("AckState: %v (-want +got):\n%s", err, diff)
				}
				gaps, err := s.Gaps(t.Context(), points[i].ID)
				if err != nil || len(gaps) != tt.gaps {
					t.Fatalf("Gaps = %+v, %v, want %d", gaps, err, tt.gaps)
				}
			})
		}
	}
}

func TestGapSaysBetweenWhichRecords(t *testing.T) {
	s := newTestStore(t)
	p := importTest(t, s, 2)
	enrolTest(t, s, p[0].ID, "d1", t0)
	at := t0.Add(time.Hour)
	batch := rawMessages(outcome(t, 1, morning, 1), outcome(t, 7, morning, 2), gapRecord(t, testLog, 8, at, wire.Gap{Log: testLog, First: 2, Last: 6, Why: "corrupt"}),
		gapRecord(t, testLog, 9, at, wire.Gap{Log: nextLog, First: 1, Last: 3, Why: "full"}))
	if _, err := s.AppendRecords(t.Context(), "d1", testLog, batch, at); err != nil {
		t.Fatal(err)
	}
	got, err := s.Gaps(t.Context(), p[0].ID)
	want := []fleet.Gap{
		{Device: "d1", Log: nextLog, First: 1, Last: 3, Why: "full", At: at, Received: at, Lost: true, Before: at},
		{Device: "d1", Log: testLog, First: 2, Last: 6, Why: "corrupt", At: at, Received: at, Lost: true, After: t0.Add(time.Second), Before: t0.Add(7 * time.Second)},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Gaps: %v (-want +got):\n%s", err, diff)
	}
	if other, err := s.Gaps(t.Context(), p[1].ID); err != nil || len(other) != 0 {
		t.Errorf("Gaps of another point = %+v, %v", other, err)
	}
	// Some were not lost after all, then none.
	for i, some := range [][]wire.Seq{{2, 3, 6}, {4, 5}} {
		var batch []json.RawMessage
		for _, seq := range some {
			batch = append(batch, outcome(t, seq, morning, 9))
		}
		if n, err := s.AppendRecords(t.Context(), "d1", testLog, batch, at); err != nil || n != len(some) {
			t.Errorf("records that were said to be lost: %d, %v", n, err)
		}
		want := want[1]
		if want.After, want.Before = t0.Add(3*time.Second), t0.Add(6*time.Second); i == 1 {
			want.Lost, want.After, want.Before = false, time.Time{}, time.Time{}
		}
		got, err := s.Gaps(t.Context(), p[0].ID)
		if err != nil || cmp.Diff(want, got[1]) != "" {
			t.Errorf("Gaps = %+v, %v, want %+v", got, err, want)
		}
	}
}

// TestOldGapsAreReadByMigrating opens a database of the first version.
func TestOldGapsAreReadByMigrating(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatecast.db")
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	if err := (&Store{path: path, logger: slog.New(slog.DiscardHandler), clock: time.Now}).migrate(t.Context(), steps[:1]); err != nil {
		t.Fatal(err)
	}
	old, err := sql.Open("sqlite", dsn(path, ""))
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		`INSERT INTO units (id, type, code, name) VALUES (1, 'subdistrict', 'SL', 'x')`,
		`INSERT INTO points (id, code, name, kind, unit_id) VALUES (1, 'SF-01', 'x', 'gate', 1)`,
		`INSERT INTO devices (id, name, point_id, state, spki, enrolled_us) VALUES (1, 'd1', 1, 'active', x'00', 1)`,
		`INSERT INTO bindings (device_id, from_us, point_id) VALUES (1, 1, 1)`,
		`INSERT INTO logs (id, device_id, log) VALUES (1, 1, '` + string(testLog) + `')`,
		`INSERT INTO dead_letters (log_id, seq, sha256, reason, received_us, raw) VALUES (1, 1, 'aa', 'no kind', 5, x'7b7d')`,
	} {
		if _, err := old.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	for seq, g := range map[wire.Seq]wire.Gap{5: {Log: testLog, First: 2, Last: 4, Why: "corrupt"}, 6: {Log: nextLog, First: 1, Last: 9, Why: "full"}, 7: {Log: testLog, First: 8, Last: 8, Why: "sync"}} {
		raw := gapRecord(t, testLog, seq, t0, g)
		if _, err := old.ExecContext(t.Context(), `INSERT INTO records (log_id, seq, point_id, kind, at_us, received_us, raw) VALUES (1, ?, 1, 'gap', ?, ?, ?)`,
			int64(seq), wire.US(t0), wire.US(t0), []byte(raw)); err != nil {
			t.Fatal(err)
		}
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	s := openTestStore(t, path)
	for log, want := range map[wire.LogID]wire.Ack{testLog: {Log: testLog, Upto: 7}, nextLog: {Log: nextLog, Upto: 9}} {
		if ack, err := s.AckState(t.Context(), "d1", log); err != nil || cmp.Diff(want, ack) != "" {
			t.Errorf("AckState = %+v, %v, want %+v", ack, err, want)
		}
	}
	if gaps, err := s.Gaps(t.Context(), 1); err != nil || len(gaps) != 3 {
		t.Errorf("Gaps = %+v, %v", gaps, err)
	}
	if l, err := s.DeadLetters(t.Context(), fleet.DeadFilter{}); err != nil || len(l) != 1 || l[0].Code != fleet.DeadOther || l[0].Reason != "no kind" || string(l[0].Raw) != "{}" {
		t.Errorf("DeadLetters = %+v, %v", l, err)
	}
}
