package store

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// TestHostileBatchesNeverBlock sends batches of good records with every kind
// of bad one between them, again and over restarts: each good record of the
// first telling is committed as it was sent, and what the device is told lets
// it go on.
func TestHostileBatchesNeverBlock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatecast.db")
	var s *Store
	open := func() {
		var err error
		if s, err = Open(t.Context(), path, Options{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.w.conn.ExecContext(t.Context(), "PRAGMA synchronous = OFF"); err != nil { // hundreds of commits, and no power is cut
			t.Fatal(err)
		}
	}
	open()
	t.Cleanup(func() { _ = s.Close() })
	enrolTest(t, s, importTest(t, s, 1)[0].ID, "d1", t0)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		now := t0.AddDate(0, 0, run) // as many journals as a device may open
		log := wire.LogID(fmt.Sprintf("%016x", run))
		good := map[wire.Seq]string{} // as first sent
		numbers := map[wire.Seq]bool{}
		next := wire.Seq(1)
		for range rapid.IntRange(1, 4).Draw(rt, "batches") {
			if rapid.IntRange(0, 29).Draw(rt, "restart") == 0 {
				if err := s.Close(); err != nil {
					rt.Fatal(err)
				}
				open()
			}
			var batch []json.RawMessage
			for range rapid.IntRange(1, 12).Draw(rt, "records") {
				raw, believed := drawRecord(rt, log, next, good)
				batch = append(batch, raw)
				switch {
				case believed == "good":
					good[next], numbers[next] = string(raw), true
					next++
				case believed == "numbered":
					numbers[next] = true
					next++
				}
			}
			for range 2 { // the ack was lost
				if _, err := s.AppendRecords(t.Context(), "d1", log, batch, now); err != nil {
					rt.Fatal(err)
				}
			}
			ack, err := s.AckState(t.Context(), "d1", log)
			if err != nil {
				rt.Fatal(err)
			}
			checkAck(rt, ack, numbers)
		}
		got := map[wire.Seq]string{}
		rows, err := list(t.Context(), s, "records", scanRecord, `SELECT `+recordColumns+` FROM `+recordTables+` WHERE l.log = ?`, log)
		if err != nil {
			rt.Fatal(err)
		}
		for _, r := range rows {
			got[r.Seq] = string(r.Raw)
		}
		if diff := cmp.Diff(good, got); diff != "" {
			rt.Fatalf("records (-sent +kept):\n%s", diff)
		}
	})
	// The runs went far over the bound, which the whole device shares.
	letters, err := s.DeadLetters(t.Context(), fleet.DeadFilter{})
	counts, err2 := s.DeadCounts(t.Context())
	if err != nil || err2 != nil || len(counts) != 1 || len(letters) > maxDead || counts[0].Kept != len(letters) {
		t.Errorf("%d letters, counts %+v, %v, %v", len(letters), counts, err, err2)
	}
}

// drawRecord draws a record that would be number seq of log, or a bad one, and
// what its number counts for: "good", "numbered" or nothing.
func drawRecord(rt *rapid.T, log wire.LogID, seq wire.Seq, good map[wire.Seq]string) (json.RawMessage, string) {
	form := func(log wire.LogID, seq any, rest string) json.RawMessage {
		return json.RawMessage(fmt.Sprintf(`{"log":%q,"seq":%v,"at_us":%d,%s}`, log, seq, t0.UnixMicro(), rest))
	}
	const stop = `"kind":"stop","body":{}`
	switch rapid.IntRange(0, 13).Draw(rt, "form") {
	case 0:
		return form(log, seq, `"kind":"stop","body":{"why":"`+strings.Repeat("x", maxRecord)+`"}`), "numbered"
	case 1:
		return form(log, seq, `"kind":"stop","body":{"why":"`+"\xff\xfe"+`"}`), "numbered"
	case 2:
		return form(log, rapid.SampledFrom([]uint64{math.MaxUint64, math.MaxInt64, math.MaxInt64 / 2, farAhead * 2}).Draw(rt, "huge"), stop), ""
	case 3:
		return form("of another", seq, stop), "numbered"
	case 4:
		if len(good) == 0 {
			return form(log, 0, stop), ""
		}
		return form(log, rapid.SampledFrom(slices.Sorted(maps.Keys(good))).Draw(rt, "taken"), `"kind":"stop","body":{"why":"other bytes"}`), ""
	case 5:
		return json.RawMessage(rapid.SampledFrom([]string{`[]`, `null`, `7`, `"x"`, `{}`, `{"seq":-1}`, `{"seq":"1"}`}).Draw(rt, "shape")), ""
	case 6:
		return form(log, seq, `"kind":"outcome","body":{"play":"p"}`), "numbered"
	case 7:
		return form(log, seq, `"kind":"","body":{}`), "numbered"
	case 8: // a good record with a senseless claim in it
		return form(log, seq, `"kind":"gap","body":{"log":"`+string(log)+`","first":9,"last":3,"why":"full"}`), "good"
	}
	return form(log, seq, stop), "good"
}

// TestDeadLettersAreBounded floods the list: what is beyond the bound is
// counted, its numbers count as received, also after a restart, and the
// device goes on.
func TestDeadLettersAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatecast.db")
	s := openTestStore(t, path)
	enrolTest(t, s, importTest(t, s, 1)[0].ID, "d1", t0)
	const flood = maxDead + 200
	for first := 1; first <= flood; first += 400 {
		var batch []json.RawMessage
		for seq := first; seq < first+400; seq++ {
			batch = append(batch, json.RawMessage(fmt.Sprintf(`{"log":%q,"seq":%d,"body":%q}`, testLog, seq, strings.Repeat("x", 5000))))
		}
		if _, err := s.AppendRecords(t.Context(), "d1", testLog, batch, t0); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.AddDeadBatch(t.Context(), "d1", []byte("no batch"), "parsing", t0.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for again := range 2 {
		if again == 1 {
			s = reopen(t, s, path)
		}
		if ack, err := s.AckState(t.Context(), "d1", testLog); err != nil || ack.Upto != flood || len(ack.Missing) != 0 {
			t.Errorf("AckState = %+v, %v", ack, err)
		}
		counts, err := s.DeadCounts(t.Context())
		want := []fleet.DeadCount{{Device: "d1", Kept: maxDead, Dropped: flood - maxDead + 1, Last: t0.Add(time.Hour)}}
		if diff := cmp.Diff(want, counts); err != nil || diff != "" {
			t.Errorf("DeadCounts: %v (-want +got):\n%s", err, diff)
		}
		letters, err := s.DeadLetters(t.Context(), fleet.DeadFilter{Device: "d1", Limit: 1})
		if err != nil || len(letters) != 1 || letters[0].Code != fleet.DeadKind || len(letters[0].Raw) != maxDeadRaw || letters[0].Bytes < 5000 {
			t.Errorf("DeadLetters = %+v, %v", letters, err)
		}
		var voids int
		if err := s.read.QueryRowContext(t.Context(), `SELECT count(*) FROM voids`).Scan(&voids); err != nil || voids > 2 {
			t.Errorf("%d rows of voids, %v", voids, err)
		}
	}
}

// reopen closes s and opens its file again.
func reopen(t *testing.T, s *Store, path string) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return openTestStore(t, path)
}

// TestInventedJournalsAreBounded opens journals without end: the bound grows
// with time, and the journals that are there go on.
func TestInventedJournalsAreBounded(t *testing.T) {
	s := newTestStore(t)
	enrolTest(t, s, importTest(t, s, 1)[0].ID, "d1", t0)
	record := func(log wire.LogID) []json.RawMessage {
		return rawMessages([]byte(fmt.Sprintf(`{"log":%q,"seq":1,"kind":"stop","body":{}}`, log)))
	}
	open := func(now time.Time) (opened int) {
		for i := range 100 {
			log := wire.LogID(fmt.Sprintf("invented%d-%d", now.Unix(), i))
			n, err := s.AppendRecords(t.Context(), "d1", log, record(log), now)
			if err == nil {
				opened += n
			} else if fleet.CodeOf(err) != fleet.Conflict {
				t.Fatal(err)
			}
		}
		return opened
	}
	if n := open(t0); n != freeLogs {
		t.Errorf("%d journals opened at once, want %d", n, freeLogs)
	}
	if n := open(t0.Add(10*logsEvery + time.Hour)); n != 10 {
		t.Errorf("%d more journals opened after ten days, want 10", n)
	}
	first := wire.LogID(fmt.Sprintf("invented%d-0", t0.Unix()))
	again := rawMessages([]byte(fmt.Sprintf(`{"log":%q,"seq":2,"kind":"stop","body":{}}`, first)))
	if n, err := s.AppendRecords(t.Context(), "d1", first, again, t0); err != nil || n != 1 {
		t.Errorf("a journal that is there: %d, %v", n, err)
	}
	if c, err := s.DeadCounts(t.Context()); err != nil || len(c) != 1 || c[0].Refused != 200-freeLogs-10 {
		t.Errorf("DeadCounts = %+v, %v", c, err)
	}
}

// TestScatteredNumbersAreBounded sends every second number: what would make
// too many holes is asked for again, and filling the holes takes it in.
func TestScatteredNumbersAreBounded(t *testing.T) {
	s := newTestStore(t)
	enrolTest(t, s, importTest(t, s, 1)[0].ID, "d1", t0)
	const top = 2*maxRuns + 200
	send := func(odd wire.Seq) {
		var batch []json.RawMessage
		for seq := 1 + odd; seq <= top; seq += 2 {
			batch = append(batch, outcome(t, seq, morning, int(seq)))
		}
		if _, err := s.AppendRecords(t.Context(), "d1", testLog, batch, t0); err != nil {
			t.Fatal(err)
		}
	}
	send(1)
	s.logsMu.Lock()
	runs := len(s.logs[logKey{"d1", testLog}].more)
	s.logsMu.Unlock()
	if runs != maxRuns {
		t.Errorf("%d runs remembered, want %d", runs, maxRuns)
	}
	send(0)
	send(1)
	if ack, err := s.AckState(t.Context(), "d1", testLog); err != nil || ack.Upto != top || len(ack.Missing) != 0 {
		t.Errorf("AckState = %+v, %v", ack, err)
	}
}
