package store

import (
	"encoding/json"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

func TestPlanInForceIsTheLastOneTaken(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		p := importTest(t, s, 1)[0].ID
		enrolTest(t, s, p, "d1", t0)
		if _, err := s.PlanInForce(t.Context(), p, t0.Add(time.Hour)); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("a device that said nothing: %v", err)
		}
		var batch []json.RawMessage
		for i, taken := range []wire.PlanTaken{{Version: 6, SHA256: "six"}, {Version: 7, SHA256: "seven"}, {Version: 8, SHA256: "eight", Refused: "expired"}, {Version: 9, SHA256: "nine"}} {
			batch = append(batch, rawRecord(t, wire.Record{Log: testLog, Seq: wire.Seq(i + 1), Kind: wire.RecordPlan, AtUS: wire.US(t0.Add(time.Duration(i) * time.Hour)), Level: wire.T2}, taken))
		}
		if _, err := s.AppendRecords(t.Context(), "d1", testLog, batch, t0.Add(5*time.Hour)); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			after time.Duration
			want  uint64
		}{{0, 6}, {59 * time.Minute, 6}, {time.Hour, 7}, {2*time.Hour + time.Minute, 7}, {24 * time.Hour, 9}} {
			got, err := s.PlanInForce(t.Context(), p, t0.Add(tt.after))
			if err != nil || got.Version != tt.want || got.Device != "d1" || got.SHA256 == "" {
				t.Errorf("PlanInForce after %v = %+v, %v, want version %d", tt.after, got, err, tt.want)
			}
		}
		if _, err := s.PlanInForce(t.Context(), p, t0.Add(-time.Second)); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("before the first plan: %v", err)
		}
	})
}
