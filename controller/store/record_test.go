package store

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatecast/internal/wire"
)

func TestAppendRecordsAcksAndRepeats(t *testing.T) {
	s := newTestStore(t)
	p := importTest(t, s, 1)[0]
	enrolTest(t, s, p.ID, "d1", t0)
	const slot = wire.SlotID("2026-11-23.gates.morning")
	batch := []json.RawMessage{outcome(t, 1, slot, 1), outcome(t, 2, slot, 2), outcome(t, 5, slot, 3)}
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
	recs, err := s.RecordsOfSlot(t.Context(), p.ID, slot)
	if err != nil || len(recs) != 3 || recs[0].Seq != 1 || recs[0].Device != "d1" || string(recs[0].Raw) != string(batch[0]) {
		t.Errorf("RecordsOfSlot = %+v, %v", recs, err)
	}
}
