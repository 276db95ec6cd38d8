package playout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/internal/wire"
)

func TestSlotSoundsAtItsInstants(t *testing.T) {
	inBubble(t, testPlan(testSlot("gates.morning", 30, 3)), func(r *rig) {
		r.start()
		r.until(origin.Add(40 * time.Minute))
		plays := r.sink.sounded()
		if len(plays) != 3 {
			t.Fatalf("%d plays sounded, want 3; outcomes %v", len(plays), r.outcomes())
		}
		for i, p := range plays {
			want := origin.Add(30*time.Minute + time.Duration(i)*2*time.Minute)
			if got := r.clock.Wall(p.at); got.Sub(want).Abs() > time.Millisecond {
				t.Errorf("play %d sounded at %v, want %v", i+1, got, want)
			}
		}
		want := []string{"gates.morning#1 played", "gates.morning#2 played", "gates.morning#3 played"}
		if diff := cmp.Diff(want, r.outcomes()); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if n := len(r.records(wire.RecordIntent)); n != 3 {
			t.Errorf("%d intents, want 3", n)
		}
	})
}
