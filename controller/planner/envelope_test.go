package planner

import (
	"fmt"
	"strings"
	"testing"

	"gatecast/controller/fleet"
	"gatecast/schedules"
)

// What devices would refuse is refused at activation, in words.
func TestActivateRefusesWhatLiesOutsideTheEnvelope(t *testing.T) {
	w := newTestPlanner(t)
	w.enrol(t, "SL-01-01", t0)
	for _, c := range []fleet.Clip{{Name: "changpian", Title: "长片", Frames: 24000 * 200}, {Name: "xiao", Title: "小声", Frames: 24000 * 10, GainDB: 25}} {
		c.SHA256, c.Original, c.Rate, c.Bytes, c.Uploaded = strings.Repeat(fmt.Sprint(len(c.Name)%10), 63)+"a", strings.Repeat(fmt.Sprint(len(c.Name)%10), 63)+"b", 24000, 1000, t0
		if _, err := w.store.AddClip(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	w.signOff(t)
	slot := func(body string) string {
		return "id: gates\nname: 小区日常\nzone: Asia/Shanghai\ntargets: {kinds: [gate]}\ndaily_budget: 90m\nslots:\n  - {key: s, name: 段, " + body + "}\n"
	}
	tests := []struct{ name, yaml, key, text string }{
		{"hours", strings.Replace(slot(`start: "21:50", until: "22:00", every: 9m, max_plays: 1, playlist: [kefu], reason: 示例`), "zone: Asia/Shanghai", "zone: Asia/Urumqi", 1), "slots[s].start", "06:00–22:00"},
		{"length", slot(`start: "09:00", until: "09:30", every: 10m, playlist: [changpian]`), "slots[s].playlist", "3m0s"},
		{"gain", slot(`start: "09:00", until: "09:30", playlist: [xiao]`), "slots[s].gain_db", "gain_db: -5.0"},
		{"per_hour", slot(`start: "09:00", until: "10:00", every: 2m, max_plays: 30, playlist: [xiao], gain_db: -5`), "slots[s].max_plays", "每小时 20 次"},
		{"within", slot(`start: "09:00", until: "10:00", every: 3m, max_plays: 20, playlist: [xiao], gain_db: -5`), "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			prog, problems := w.upload(t, tt.yaml, t0)
			if prog.ID == 0 {
				t.Fatalf("not even stored: %+v", problems)
			}
			_, err := w.Activate(t.Context(), prog.ID, t0)
			if tt.key == "" {
				if err != nil {
					t.Errorf("Activate = %v", err)
				}
				return
			}
			found := false
			for _, p := range problems {
				found = found || p.Key == tt.key && strings.Contains(p.Text, tt.text) && p.Blocking == (tt.name != "gain") && p.TextEN != ""
			}
			if !found || tt.name != "gain" && fleet.CodeOf(err) != fleet.Invalid {
				t.Errorf("Activate = %v, problems %+v, want one at %q with %q", err, problems, tt.key, tt.text)
			}
		})
	}
}

func TestProgrammeEffectTellsEverySlotOfTheMonth(t *testing.T) {
	w := newTestPlanner(t)
	w.enrol(t, "SL-01-01", t0)
	w.enrol(t, "SL-01-02", t0)
	w.activate(t, fmt.Sprintf(evening, "18:00", "18:30"), t0)
	eff, problems, err := w.ProgrammeEffect(t.Context(), "x.yaml", []byte(fmt.Sprintf(evening, "19:00", "19:30")), t0)
	if err != nil || eff == nil {
		t.Fatal(problems, err)
	}
	for _, c := range eff.Changes {
		if c.Kind != schedules.SlotMoved || c.After.Key != "evening" || len(c.Points) != 2 {
			t.Errorf("%s of %s at %v", c.Kind, c.Slot().ID, c.Points)
		}
	}
	if len(eff.Changes) != 31 || eff.Points != 2 || len(eff.Away) != 2 {
		t.Errorf("%d changes at %d points, %d away; want 31, 2, 2", len(eff.Changes), eff.Points, len(eff.Away))
	}
}
