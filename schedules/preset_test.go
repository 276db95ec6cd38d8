package schedules_test

import (
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"

	"gatecast/schedules"
	"gatecast/schedules/presets"
)

func day(t *testing.T, s string) schedules.Date {
	t.Helper()
	d, err := schedules.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDefaultPresetSlots holds the shipped programme to the times that the
// field's habits propose for gates and villages.
func TestDefaultPresetSlots(t *testing.T) {
	t.Parallel()
	p, err := schedules.Parse("default.yaml", presets.Default())
	if err != nil {
		t.Fatal(err)
	}
	if w := p.Warnings(); len(w) > 0 {
		t.Errorf("Warnings() = %v, want none", w)
	}
	c, err := schedules.NewCompiler([]*schedules.Programme{p}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		kind  string
		date  string
		dtype schedules.DayType
		want  []string
	}{
		{"gate_on_workday", "gate", "2026-12-04", schedules.Workday, []string{"早 07:30-08:00 x6", "中 11:20-11:50 x6", "晚 18:00-18:30 x6"}},
		{"gate_on_rest_day", "gate", "2026-12-05", schedules.RestDay, []string{"早 08:30-09:00 x6", "中 11:20-11:50 x6", "晚 18:00-18:30 x6"}},
		{"gate_on_holiday", "gate", "2026-10-01", schedules.Holiday, []string{"早 08:30-09:00 x6", "中 11:20-11:50 x6", "晚 18:00-18:30 x6"}},
		{"gate_on_make_up_workday", "gate", "2026-10-10", schedules.MakeUpWorkday, []string{"早 07:30-08:00 x6", "中 11:20-11:50 x6", "晚 18:00-18:30 x6"}},
		{"village_on_workday", "village", "2026-12-04", schedules.Workday, []string{"早 07:00-07:20 x4", "晚 18:30-18:50 x4"}},
		{"village_on_rest_day", "village", "2026-12-05", schedules.RestDay, []string{"早 07:00-07:20 x4", "晚 18:30-18:50 x4"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, pt := range p.Examples {
				if pt.Kind != tt.kind {
					continue
				}
				for _, s := range c.Slots(pt, day(t, tt.date), 1) {
					if s.DayType != tt.dtype || s.Silenced != nil || s.Assumed {
						t.Errorf("slot %s = %s silenced %v assumed %v, want %s that sounds", s.ID, s.DayType, s.Silenced, s.Assumed, tt.dtype)
					}
					got = append(got, slotLine(s))
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("slots differ (-want +got):\n%s", diff)
			}
		})
	}
}

// slotLine writes a slot by its times in Shanghai.
func slotLine(s schedules.Slot) string {
	loc := time.FixedZone("CST", 8*3600)
	return s.Name + " " + s.Start.In(loc).Format("15:04") + "-" + s.End.In(loc).Format("15:04") + " x" + string(rune('0'+s.Count))
}
