package wire

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newTestPlan(days int) Plan {
	p := Plan{
		Header: Header{Type: DocPlan, Device: "d0123456789abcdef01234567", Version: 7, IssuedUS: 1},
		Point:  "SF-01", PointName: "松风苑南门", Zone: "Asia/Shanghai", FromS: 1, HorizonS: 2, NeedLevel: T1,
		StaleS: 14 * 86_400, Default: strings.Repeat("b", 64),
		Clips:    []string{strings.Repeat("a", 64), strings.Repeat("b", 64)},
		Recalled: []string{strings.Repeat("c", 64)}, MaxVolumePct: 45,
		Slots: []PlanSlot{},
	}
	start := time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC)
	for d := range days {
		for i, name := range []string{"早", "中", "晚"} {
			at := start.AddDate(0, 0, d).Add(time.Duration(i) * 5 * time.Hour)
			p.Slots = append(p.Slots, PlanSlot{
				ID:   SlotID(fmt.Sprintf("%s.gates.slot%d", at.Add(8*time.Hour).Format(time.DateOnly), i)),
				Name: name, StartS: at.Unix(), EndS: at.Unix() + 1800, EveryS: 300, Count: 6,
				Playlist: []int{0, 1}, GraceS: 120, GainDB: float64(-i),
			})
		}
	}
	return p
}

func TestPlanSurvivesCompactForm(t *testing.T) {
	for _, days := range []int{0, 1, 60} {
		want := newTestPlan(days)
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Plan
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d days (-want +got):\n%s", days, diff)
		}
		if len(data) > 8<<10 {
			t.Errorf("%d days take %d bytes", days, len(data))
		}
	}
}

func TestPlanRefusesBadCompactForm(t *testing.T) {
	tests := map[string]string{
		"no_such_kind":  `{"day0":"2026-11-23","kinds":[],"slots":[[0,0,1]]}`,
		"negative_kind": `{"day0":"2026-11-23","kinds":[{"id":"x"}],"slots":[[-1,0,1]]}`,
		"no_first_day":  `{"kinds":[{"id":"x"}],"slots":[[0,0,1]]}`,
		"far_away":      `{"day0":"2026-11-23","kinds":[{"id":"x"}],"slots":[[0,99999999,1]]}`,
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			var p Plan
			if err := json.Unmarshal([]byte(in), &p); err == nil {
				t.Errorf("Unmarshal(%s) = %+v, want an error", in, p)
			}
		})
	}
	if _, err := json.Marshal(Plan{Slots: []PlanSlot{{ID: "morning"}}}); err == nil {
		t.Error("Marshal of a slot without date succeeded")
	}
}
