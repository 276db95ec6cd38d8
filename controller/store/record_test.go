package store

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const morning = wire.SlotID("2026-11-23.gates.morning")

func TestAppendRecordsAcksAndRepeats(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		p := importTest(t, s, 1)[0]
		enrolTest(t, s, p.ID, "d1", t0)
		batch := rawMessages(outcome(t, 1, morning, 1), outcome(t, 2, morning, 2), outcome(t, 5, morning, 3))
		for i, want := range []int{3, 0} {
			got, err := s.AppendRecords(t.Context(), "d1", testLog, batch, t0)
			if err != nil || got != want {
				t.Fatalf("AppendRecords %d = %d, %v, want %d", i, got, err, want)
			}
		}
		ack, err := s.AckState(t.Context(), "d1", testLog)
		want := wire.Ack{Log: testLog, Upto: 5, Missing: []wire.SeqRange{{First: 3, Last: 4}}}
		if diff := cmp.Diff(want, ack); err != nil || diff != "" {
			t.Errorf("AckState: %v (-want +got):\n%s", err, diff)
		}
		recs, err := s.RecordsOfSlot(t.Context(), p.ID, morning)
		if err != nil || len(recs) != 3 || recs[0].Seq != 1 || recs[0].Device != "d1" || string(recs[0].Raw) != string(batch[0]) || !recs[0].Received.Equal(t0) {
			t.Errorf("RecordsOfSlot = %+v, %v", recs, err)
		}
		if out, err := recs[2].Outcome(); err != nil || out.Play != "2026-11-23.gates.morning#3" {
			t.Errorf("Outcome = %+v, %v", out, err)
		}
	})
}

func TestAppendRecordsSetsBadOnesAside(t *testing.T) {
	tests := []struct {
		name   string
		raw    string
		acked  bool // its number counts as received
		reason string
	}{
		{"not_json_of_a_record", `{"log":"00112233445566aa","seq":2,"kind":7}`, true, "not a record"},
		{"no_number_at_all", `{"log":"00112233445566aa","seq":"two"}`, false, "not a record"},
		{"a_list", `[1,2]`, false, "not a record"},
		{"number_zero", `{"log":"00112233445566aa","kind":"stop"}`, false, "no sequence number"},
		{"huge_number", `{"log":"00112233445566aa","seq":18446744073709551615,"kind":"stop"}`, false, "out of range"},
		{"of_another_journal", `{"log":"ffffffffffffffff","seq":2,"kind":"stop","body":{}}`, true, "of journal"},
		{"no_kind", `{"log":"00112233445566aa","seq":2,"body":{}}`, true, "no kind"},
		{"outcome_without_slot", `{"log":"00112233445566aa","seq":2,"kind":"outcome","body":{"play":"x"}}`, true, "names no slot"},
		{"outcome_with_broken_body", `{"log":"00112233445566aa","seq":2,"kind":"outcome","body":{"play":5}}`, true, "body:"},
		{"other_bytes_under_a_number", `{"log":"00112233445566aa","seq":1,"kind":"stop","body":{}}`, true, "other bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, s *Store) {
				p := importTest(t, s, 1)[0]
				enrolTest(t, s, p.ID, "d1", t0)
				batch := rawMessages(outcome(t, 1, morning, 1), []byte(tt.raw), outcome(t, 3, morning, 3))
				for i, want := range []int{2, 0} {
					if got, err := s.AppendRecords(t.Context(), "d1", testLog, batch, t0); err != nil || got != want {
						t.Fatalf("AppendRecords %d = %d, %v, want %d", i, got, err, want)
					}
				}
				dead, err := s.DeadLetters(t.Context(), fleet.DeadFilter{Limit: 10})
				if err != nil || len(dead) != 1 {
					t.Fatalf("DeadLetters = %+v, %v, want one", dead, err)
				}
				if d := dead[0]; string(d.Raw) != tt.raw || d.Device != "d1" || d.Log != testLog || !strings.Contains(d.Reason, tt.reason) {
					t.Errorf("dead letter %+v, want reason %q", d, tt.reason)
				}
				want := wire.Ack{Log: testLog, Upto: 3}
				if !tt.acked || tt.name == "other_bytes_under_a_number" {
					want.Missing = []wire.SeqRange{{First: 2, Last: 2}}
				}
				ack, err := s.AckState(t.Context(), "d1", testLog)
				if diff := cmp.Diff(want, ack); err != nil || diff != "" {
					t.Errorf("AckState: %v (-want +got):\n%s", err, diff)
				}
			})
		})
	}
}

func TestUnknownKindsOfRecordAreKept(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		p := importTest(t, s, 1)[0]
		enrolTest(t, s, p.ID, "d1", t0)
		raw := []byte(`{"log":"00112233445566aa","seq":1,"kind":"weather","at_us":5,"later":true,"body":"rain"}`)
		if n, err := s.AppendRecords(t.Context(), "d1", testLog, rawMessages(raw), t0); err != nil || n != 1 {
			t.Fatalf("AppendRecords = %d, %v", n, err)
		}
		recs, err := s.MachineRecords(t.Context(), p.ID, t0.AddDate(-100, 0, 0), t0)
		if err != nil || len(recs) != 1 || string(recs[0].Raw) != string(raw) {
			t.Errorf("MachineRecords = %+v, %v", recs, err)
		}
	})
}

// TestAckStateMatchesModel appends numbers in any order, with repetition and
// restarts in between, and compares the ack with a plain set.
func TestAckStateMatchesModel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatecast.db")
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	enrolTest(t, s, importTest(t, s, 1)[0].ID, "d1", t0)
	logs := 0
	rapid.Check(t, func(rt *rapid.T) {
		logs++
		log := wire.LogID(fmt.Sprintf("%016x", logs))
		have := map[wire.Seq]bool{}
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			if rapid.IntRange(0, 19).Draw(rt, "restart") == 0 {
				if err := s.Close(); err != nil {
					rt.Fatal(err)
				}
				if s, err = Open(t.Context(), path, Options{}); err != nil {
					rt.Fatal(err)
				}
			}
			first := rapid.Uint64Range(1, 400).Draw(rt, "first")
			n := rapid.Uint64Range(1, 300).Draw(rt, "n")
			step := rapid.Uint64Range(1, 3).Draw(rt, "step")
			var batch []json.RawMessage
			for seq := first; seq < first+n; seq += step {
				have[wire.Seq(seq)] = true
				batch = append(batch, []byte(fmt.Sprintf(`{"log":%q,"seq":%d,"kind":"stop","body":{}}`, log, seq)))
			}
			// A journal a day, as many as a device may open.
			if _, err := s.AppendRecords(t.Context(), "d1", log, batch, t0.AddDate(0, 0, logs)); err != nil {
				rt.Fatal(err)
			}
			ack, err := s.AckState(t.Context(), "d1", log)
			if err != nil {
				rt.Fatal(err)
			}
			checkAck(rt, ack, have)
		}
	})
}

// checkAck compares an ack with the set of what is committed.
func checkAck(t *rapid.T, ack wire.Ack, have map[wire.Seq]bool) {
	missing := map[wire.Seq]bool{}
	for _, r := range ack.Missing {
		for seq := r.First; seq <= r.Last; seq++ {
			missing[seq] = true
		}
	}
	var top wire.Seq
	for seq := range have {
		top = max(top, seq)
	}
	for seq := wire.Seq(1); seq <= ack.Upto; seq++ {
		if have[seq] == missing[seq] {
			t.Fatalf("ack %+v is wrong about %d: committed %v", ack, seq, have[seq])
		}
	}
	if ack.Upto > top || ack.Upto < top && len(ack.Missing) < maxMissing {
		t.Fatalf("ack ends at %d of %d with %d gaps", ack.Upto, top, len(ack.Missing))
	}
}

func TestConcurrentAppendsAreEachAnswered(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		const devices, batches, per = 16, 30, 7
		points := importTest(t, s, devices)
		for i, p := range points {
			enrolTest(t, s, p.ID, wire.DeviceID(fmt.Sprintf("d%d", i)), t0)
		}
		var wg sync.WaitGroup
		for i := range devices {
			id := wire.DeviceID(fmt.Sprintf("d%d", i))
			for half := range 2 { // two callers for one journal, as after a reconnect
				wg.Go(func() {
					order := rand.Perm(batches)
					for _, b := range order {
						var batch []json.RawMessage
						for k := range per {
							batch = append(batch, outcome(t, wire.Seq(b*per+k+1), morning, k))
						}
						if _, err := s.AppendRecords(t.Context(), id, testLog, batch, t0); err != nil {
							t.Errorf("half %d: %v", half, err)
						}
						ack, err := s.AckState(t.Context(), id, testLog)
						if err != nil || ack.Upto < wire.Seq(b*per+per) {
							t.Errorf("after batch %d the ack is %+v, %v", b, ack, err)
						}
					}
				})
			}
		}
		wg.Wait()
		for i := range devices {
			ack, err := s.AckState(t.Context(), wire.DeviceID(fmt.Sprintf("d%d", i)), testLog)
			if diff := cmp.Diff(wire.Ack{Log: testLog, Upto: batches * per}, ack); err != nil || diff != "" {
				t.Errorf("device %d: %v (-want +got):\n%s", i, err, diff)
			}
		}
		seen, cursor := 0, int64(0)
		for {
			recs, err := s.RecordsAfter(t.Context(), cursor, 500)
			if err != nil {
				t.Fatal(err)
			}
			if len(recs) == 0 {
				break
			}
			if !slices.IsSortedFunc(recs, func(a, b fleet.Record) int { return int(a.ID - b.ID) }) || recs[0].ID <= cursor {
				t.Fatal("records are not in the order of their commit")
			}
			seen, cursor = seen+len(recs), recs[len(recs)-1].ID
		}
		if seen != devices*batches*per {
			t.Errorf("the cursor saw %d records of %d", seen, devices*batches*per)
		}
	})
}

// TestCursorMissesNothingWhileOthersWrite follows the records with a cursor
// while they are appended: ids must become visible in their order.
func TestCursorMissesNothingWhileOthersWrite(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		const devices, each = 8, 100
		for i, p := range importTest(t, s, devices) {
			enrolTest(t, s, p.ID, wire.DeviceID(fmt.Sprintf("d%d", i)), t0)
		}
		var wg sync.WaitGroup
		for i := range devices {
			wg.Go(func() {
				for seq := range wire.Seq(each) {
					if _, err := s.AppendRecords(t.Context(), wire.DeviceID(fmt.Sprintf("d%d", i)), testLog, rawMessages(outcome(t, seq+1, morning, 1)), t0); err != nil {
						t.Error(err)
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		seen, cursor := 0, int64(0)
		for last := false; ; {
			recs, err := s.RecordsAfter(t.Context(), cursor, 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range recs {
				cursor = r.ID
			}
			seen += len(recs)
			if len(recs) > 0 {
				continue
			}
			if last {
				break
			}
			select {
			case <-done:
				last = true
			default:
			}
		}
		if seen != devices*each {
			t.Errorf("the cursor saw %d records of %d", seen, devices*each)
		}
	})
}

func TestRecordsOfPoint(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		p := importTest(t, s, 1)[0]
		enrolTest(t, s, p.ID, "d1", t0)
		var batch []json.RawMessage
		seq := wire.Seq(0)
		for _, slot := range []wire.SlotID{"2026-11-22.gates.evening", "2026-11-23.gates.morning", "2026-11-23.gates.evening"} {
			for n := range 3 {
				seq++
				batch = append(batch, outcome(t, seq, slot, n+1))
			}
		}
		batch = append(batch, rawRecord(t, wire.Record{Log: testLog, Seq: 10, Kind: wire.RecordBoot, AtUS: wire.US(t0)}, wire.Boot{Agent: "0.1"}))
		if _, err := s.AppendRecords(t.Context(), "d1", testLog, batch, t0); err != nil {
			t.Fatal(err)
		}
		plays, err := s.PlaysOfPoint(t.Context(), p.ID, 4)
		var got []wire.Seq
		for _, r := range plays {
			got = append(got, r.Seq)
		}
		if diff := cmp.Diff([]wire.Seq{9, 8, 7, 6}, got); err != nil || diff != "" {
			t.Errorf("PlaysOfPoint: %v (-want +got):\n%s", err, diff)
		}
		last, err := s.LastRecords(t.Context(), "d1", 2)
		if err != nil || len(last) != 2 || last[0].Seq != 10 || last[1].Seq != 9 {
			t.Errorf("LastRecords = %+v, %v", last, err)
		}
		for _, tt := range []struct{ from, to, n int }{{0, 1, 1}, {1, 2, 0}, {-1, 0, 0}} {
			recs, err := s.MachineRecords(t.Context(), p.ID, wire.FromUS(wire.US(t0)+int64(tt.from)), wire.FromUS(wire.US(t0)+int64(tt.to)))
			if err != nil || len(recs) != tt.n {
				t.Errorf("MachineRecords(%d, %d) = %d records, %v, want %d", tt.from, tt.to, len(recs), err, tt.n)
			}
		}
	})
}

func FuzzParseEntry(f *testing.F) {
	f.Add([]byte(`{"log":"00112233445566aa","seq":1,"kind":"outcome","body":{"play":"a","slot":"b"}}`))
	f.Add([]byte(`{"seq":-1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e := parseEntry(testLog, raw)
		if e.reason == "" && (e.seq == 0 || e.kind == "") {
			t.Errorf("parseEntry(%q) took a record without number or kind", raw)
		}
	})
}
