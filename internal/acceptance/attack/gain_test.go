package attack

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"gatecast/internal/officetest"
	"gatecast/internal/wire"
)

// TestWhatTheDirectorsKeyGains tries the most that somebody with the stolen
// director key and the broker can do: silence the gate. Nothing sounds then,
// and the gate says so. Rearranging approved clips inside the envelope is the
// other thing it gains; agent/playout holds the envelope whatever is signed.
func TestWhatTheDirectorsKeyGains(t *testing.T) {
	condition := func(code string) func(officetest.Device) bool {
		return func(k officetest.Device) bool {
			return slices.ContainsFunc(k.States[len(k.States)-1].Conditions, func(c wire.Condition) bool { return c.Code == code })
		}
	}
	tests := []struct {
		name string
		do   func(w *world)
	}{
		{"a_plan_without_slots", func(w *world) {
			p := w.plan
			p.Version, p.Slots, p.IssuedUS = 11, nil, wire.US(time.Now())
			w.inject(wire.KindPlan, offer(11, w.sealBy(p, w.o.Director), w.sealBy(w.man, w.o.Library)))
			w.o.Await(w.d, 20*time.Second, "the empty plan in force", func(k officetest.Device) bool { return k.States[len(k.States)-1].PlanVersion == 11 })
		}},
		{"a_revocation", func(w *world) {
			doc := w.sealBy(wire.Revocation{Header: wire.Header{Type: wire.DocRevoked, Device: w.d, Version: 1}}, w.o.Director)
			w.o.Before(func(rw http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != wire.PathRevoked {
					return false
				}
				_, _ = rw.Write(doc)
				return true
			})
			w.o.StopBroker()
			time.AfterFunc(4*time.Second, func() { w.o.StartBroker(w.addr) })
			w.o.Await(w.d, 40*time.Second, "the condition", condition("device_revoked"))
		}},
		{"a_time_far_ahead", func(w *world) {
			w.o.SetMute(true)
			w.restart(nil)
			w.inject(wire.KindTime, w.sealBy(w.timeOf(w.d, time.Now().AddDate(10, 0, 0)), w.o.Director))
			w.o.Await(w.d, 20*time.Second, "the plan over", condition("plan_over"))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 12*time.Second)
			w.loose = true
			tt.do(w)
			w.starts = []time.Time{time.Now()} // nothing is owed any more
			w.finish()
			for _, o := range outcomes(w.o.Know(w.d), wire.PlayPlayed) {
				t.Errorf("it sounded: %+v", o)
			}
		})
	}
}
