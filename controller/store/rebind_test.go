package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// TestRecordsStayWithWhatTheyWereAbout moves a device to another point in the
// middle of a slot and delivers everything afterwards, out of order: each
// record is of the point that the device was bound to when it was written, and
// so it stays when the device is replaced.
func TestRecordsStayWithWhatTheyWereAbout(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		p := importTest(t, s, 2)
		moved, replaced := t0.Add(10*time.Minute), t0.Add(40*time.Minute)
		enrolTest(t, s, p[0].ID, "d1", t0)
		enrolTest(t, s, p[1].ID, "d1", moved)
		enrolTest(t, s, p[1].ID, "d2", replaced)
		at := func(seq wire.Seq, when time.Time, play string) []byte {
			return rawRecord(t, wire.Record{Log: testLog, Seq: seq, Kind: wire.RecordOutcome, AtUS: wire.US(when), Level: wire.T2},
				wire.Outcome{Play: wire.PlayID(play), Slot: morning, Result: wire.PlayPlayed, SoundMS: 27000, ClipMS: 27000})
		}
		batch := rawMessages(
			at(4, replaced.Add(time.Minute), "after_it_was_replaced"),
			at(3, moved, "at_the_move"), at(2, moved.Add(-time.Microsecond), "before_the_move"),
			at(1, time.UnixMicro(5), "without_a_clock"),
		)
		if n, err := s.AppendRecords(t.Context(), "d1", testLog, batch, replaced.Add(time.Hour)); err != nil || n != 4 {
			t.Fatalf("AppendRecords = %d, %v", n, err)
		}
		got := map[string]fleet.PointID{}
		for _, id := range []fleet.PointID{p[0].ID, p[1].ID} {
			recs, err := s.RecordsOfSlot(t.Context(), id, morning)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range recs {
				o, err := r.Outcome()
				if err != nil {
					t.Fatal(err)
				}
				got[string(o.Play)] = id
			}
		}
		want := map[string]fleet.PointID{"before_the_move": p[0].ID, "at_the_move": p[1].ID, "after_it_was_replaced": p[1].ID, "without_a_clock": p[1].ID}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("points of the plays (-want +got):\n%s", diff)
		}
	})
}
