package evidence

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

func TestUntouchedHistoryHolds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newTestHistory(t)
		h.draw(rt)
		r := h.verify()
		if len(r.Faults) > 0 {
			rt.Fatalf("faults %v", r.Faults)
		}
		if r.Receipts != len(h.receipts) || r.Loose != 0 || len(r.Logs) != len(h.logs) {
			rt.Fatalf("report %+v of %d receipts and %d logs", r, len(h.receipts), len(h.logs))
		}
		for i, l := range r.Logs {
			if l.Device != h.device || l.First != 1 || int(l.Last) != len(h.logs[i].raws) {
				rt.Fatalf("log %d: %+v", i, l)
			}
			if i+1 < len(r.Logs) && len(l.Bare) > 0 {
				rt.Fatalf("log %d is vouched for by the next one, yet bare: %v", i, l.Bare)
			}
		}
	})
}

// claims returns, for each record that r says is covered, whether it is the
// one that was written.
func claims(r LogReport, now, was *testLog) error {
	for seq := wire.Seq(1); seq <= max(r.Signed, r.Receipted); seq++ {
		bare := slices.ContainsFunc(r.Bare, func(h Hole) bool { return h.First <= seq && seq <= h.Last })
		if (bare || seq > r.Signed) && seq > r.Receipted {
			continue
		}
		if int(seq) > len(was.raws) || int(seq) > len(now.raws) || !bytes.Equal(now.raws[seq-1], was.raws[seq-1]) {
			return fmt.Errorf("record %d is called covered and is not what was written", seq)
		}
	}
	return nil
}

// TestChangedHistoryIsFound is the promise of the package: whoever has no key
// and recomputes every hash is found in all that was signed, and nothing that
// is called covered was ever changed.
func TestChangedHistoryIsFound(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := newTestHistory(t)
		h.draw(rt)
		x := h.clone()
		log, seq, what, strip := x.attack(rt)
		after := x.verify()
		if len(after.Faults) == 0 {
			for i := range after.Logs {
				if err := claims(after.Logs[i], x.logs[i], h.logs[i]); err != nil {
					rt.Fatalf("%s at %d of log %d: %v", what, seq, log, err)
				}
			}
		}
		same := slices.EqualFunc(x.logs[log].raws, h.logs[log].raws, bytes.Equal)
		signed := log < len(h.logs)-1 || x.logs[log].signedFrom(seq)
		if signed && !same && len(after.Faults) == 0 {
			rt.Fatalf("%s at %d of log %d is not found (strip %v)", what, seq, log, strip)
		}
	})
}

func TestReceiptFindsWhatTheDeviceCutOff(t *testing.T) {
	h := newTestHistory(t)
	h.begin()
	for n := range 10 {
		h.outcome(n)
	}
	h.receipt()
	h.checkpoint(nil)
	l := h.last()
	l.raws = l.raws[:8]
	r, err := Verify(h, Options{Director: []seal.PublicKey{h.director.Public()}, Receipts: h.receipts, Device: h.device})
	if err != nil {
		t.Fatal(err)
	}
	f, ok := r.First()
	if !ok || f.Code != Cut || f.Seq != 11 || f.From != 9 {
		t.Errorf("Verify = %+v, want a cut from 9 to 11", r.Faults)
	}
}

func TestFaultsAreNamed(t *testing.T) {
	tests := []struct {
		name string
		do   func(h *history)
		code Code
		seq  wire.Seq
	}{
		{"edited_without_rehash", func(h *history) { h.last().raws[3] = edited(h.last().raws[3]) }, Chain, 5},
		{"edited_with_rehash", func(h *history) { h.last().raws[3] = edited(h.last().raws[3]); h.last().rehash(4) }, Forged, 12},
		{"removed_without_rehash", func(h *history) { l := h.last(); l.raws = append(l.raws[:3:3], l.raws[4:]...) }, Missing, 5},
		{"repeated", func(h *history) { l := h.last(); l.raws = append(l.raws[:4:4], l.raws[3:]...) }, Order, 4},
		{"first_gone", func(h *history) { l := h.last(); l.raws = l.raws[1:] }, Missing, 2},
		{"no_record", func(h *history) { h.last().raws[3] = []byte("hello") }, Unreadable, 4},
		{"of_another_log", func(h *history) {
			l := h.last()
			l.raws[3] = bytes.Replace(l.raws[3], []byte(l.id), []byte("ffffffffffffffff"), 1)
		}, Foreign, 4},
		{"signed_by_another", func(h *history) {
			other := newTestHistory(h.t)
			h.key = other.key
			h.checkpoint(nil)
		}, Stranger, 13},
		{"never_signed_again", func(h *history) {
			for n := range Uncovered + 1 {
				h.outcome(1000 + n)
			}
		}, Unsigned, 13 + Uncovered},
		{"time_goes_back", func(h *history) { h.atUS -= 3_600_000_000; h.outcome(99) }, Backwards, 13},
		{"receipt_by_another", func(h *history) {
			other, err := seal.NewKey()
			if err != nil {
				h.t.Fatal(err)
			}
			real := h.director
			h.director = other
			h.receipt()
			h.director = real
		}, BadReceipt, 13},
		{"receipt_of_other_records", func(h *history) {
			l := h.last()
			held := l.raws[11]
			l.raws[11] = edited(held)
			h.receipt()
			l.raws[11] = held
			l.raws = l.raws[:12]
			h.put(h.next(wire.RecordReceipt), wire.ReceiptKept{Number: 1, Envelope: h.receipts[0]})
		}, Receipt, 12},
		{"receipt_that_was_refused", func(h *history) {
			h.receipt()
			h.last().raws = h.last().raws[:12]
			h.put(h.next(wire.RecordReceipt), wire.ReceiptKept{Number: 1, Envelope: h.receipts[0], Refused: "another hash"})
		}, Disputed, 13},
		{"two_receipts_of_one_number", func(h *history) {
			h.receipt()
			first := h.receipts
			h.receipts = nil
			h.receipt()
			h.receipts = first
		}, Fork, 14},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newTestHistory(t)
			h.begin()
			for n := range 10 {
				h.outcome(n)
			}
			h.checkpoint(nil)
			tt.do(h)
			f, ok := h.verify().First()
			if !ok || f.Code != tt.code || f.Seq != tt.seq {
				t.Errorf("first fault = %+v, want %s at %d", f, tt.code, tt.seq)
			}
		})
	}
}

// A device that lost records says so in a record that it signs.
func TestSignedGapExcusesMissingRecords(t *testing.T) {
	h := newTestHistory(t)
	h.begin()
	for n := range 5 {
		h.outcome(n)
	}
	h.checkpoint(nil)
	h.begin()
	old := h.logs[0]
	h.put(h.next(wire.RecordGap), wire.Gap{Log: old.id, First: 3, Last: 4, Why: "corrupt"})
	old.raws = append(old.raws[:2:2], old.raws[4:]...)
	f, ok := h.verify().First()
	if !ok || f.Code != Missing || f.From != 3 {
		t.Errorf("with an unsigned gap record the first fault = %+v", f)
	}
	h.checkpoint(nil)
	r := h.verify()
	if len(r.Faults) > 0 || len(r.Gaps) != 1 || r.Gaps[0].Hole != (Hole{3, 4}) || r.Gaps[0].Why != "corrupt" {
		t.Errorf("with a signed gap record: faults %v, gaps %v", r.Faults, r.Gaps)
	}
	// A whole log that is gone needs the same.
	h.logs = h.logs[1:]
	if f, ok := h.verify().First(); !ok || f.Code != LostLog || f.Seq != 7 {
		t.Errorf("without the first log the first fault = %+v", f)
	}
	h.put(h.next(wire.RecordDrop), wire.Drop{Log: old.id, Last: 7})
	h.checkpoint(nil)
	if r := h.verify(); len(r.Faults) > 0 {
		t.Errorf("after a signed drop: %v", r.Faults)
	}
}
