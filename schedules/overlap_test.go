package schedules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// programmeWith returns a programme with one slot.
func programmeWith(id, slot string, more ...string) string {
	return "id: " + id + "\nname: 方案" + id + "\nzone: Asia/Shanghai\ntargets: {all: true}\n" + strings.Join(more, "\n") + "\nslots:\n  - " + slot + "\n"
}

func TestOverlapYields(t *testing.T) {
	t.Parallel()
	slot := func(key, start, until string) string {
		return `{key: ` + key + `, name: 早, start: "` + start + `", until: "` + until + `", playlist: [x]}`
	}
	tests := []struct {
		name  string
		texts []string
		want  []string // on 2026-06-10
	}{
		{"apart", []string{programmeWith("a", slot("s", "09:00", "09:30")), programmeWith("b", slot("s", "09:30", "10:00"))},
			[]string{"a.s 09:00", "b.s 09:30"}},
		{"later_one_yields", []string{programmeWith("b", slot("s", "09:00", "09:30")), programmeWith("a", slot("s", "09:29", "10:00"))},
			[]string{"b.s 09:00", "a.s 09:29 !overlap"}},
		{"same_start_by_id", []string{programmeWith("b", slot("s", "09:00", "09:30")), programmeWith("a", slot("s", "09:00", "09:10"))},
			[]string{"a.s 09:00", "b.s 09:00 !overlap"}},
		{"around", []string{programmeWith("a", slot("s", "09:00", "11:00")), programmeWith("b", slot("s", "10:00", "10:05"))},
			[]string{"a.s 09:00", "b.s 10:00 !overlap"}},
		{"chain_is_not_undone", []string{programmeWith("a", slot("s", "09:00", "09:30")), programmeWith("b", slot("s", "09:20", "10:00")), programmeWith("c", slot("s", "09:50", "10:10"))},
			[]string{"a.s 09:00", "b.s 09:20 !overlap", "c.s 09:50 !overlap"}},
		{"silent_slot_gives_way", []string{
			programmeWith("a", slot("s", "09:00", "09:30"), `quiet: {dated: [{id: r, name: r, from: 2026-06-10, to: 2026-06-10, times: ["08:00-09:10"], document: d}]}`),
			programmeWith("b", slot("s", "09:15", "10:00")),
		}, []string{"a.s 09:00 !r", "b.s 09:15"}},
		{"rule_of_one_programme_silences_another", []string{
			programmeWith("a", slot("s", "09:00", "09:30")),
			"id: exams\nname: 考试\nzone: Asia/Shanghai\nquiet: {dated: [{id: r, name: r, from: 2026-06-10, to: 2026-06-10, all_day: true, document: d}]}\n",
		}, []string{"a.s 09:00 !r"}},
		{"demo_ignores_rules", []string{
			programmeWith("a", slot("s", "23:00", "23:30"), "demo: true"),
			programmeWith("b", slot("s", "09:00", "09:30"), `quiet: {dated: [{id: r, name: r, from: 2026-06-10, to: 2026-06-10, all_day: true, document: d}]}`),
		}, []string{"b.s 09:00 !r", "a.s 23:00"}},
		{"demo_across_midnight", []string{
			"id: a\nname: a\nzone: Asia/Shanghai\ndemo: true\ntargets: {all: true}\nslots: [{key: s, name: s, start: \"23:50\", duration: 20m, playlist: [x]}]\n",
			programmeWith("b", slot("s", "00:05", "00:10"), "demo: true"),
		}, []string{"b.s 00:05 !overlap", "a.s 23:50"}},
	}
	loc := mustZone(t, "Asia/Shanghai")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, s := range compiledFrom(t, tt.texts...).Slots(gate(), date(t, "2026-06-10"), 1) {
				line := s.Programme + "." + s.Key + " " + s.Start.In(loc).Format("15:04")
				if s.Silenced != nil {
					line += " !" + s.Silenced.Rule
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("slots differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConflicts(t *testing.T) {
	t.Parallel()
	a := programmeWith("a", `{key: s, name: 早, start: "09:00", until: "09:30", playlist: [x]}`)
	b := strings.Replace(programmeWith("b", `{key: t, name: 晨, start: "0 9 * * SAT,SUN", until: "09:10", playlist: [x]}`), "all: true", "kinds: [gate]", 1)
	c := compiledFrom(t, a, b)
	second := gate()
	second.ID = "G2"
	got := c.Conflicts([]Point{village(), gate(), second}, date(t, "2026-06-08"), 14)
	if len(got) != 1 {
		t.Fatalf("%d conflicts, want 1: %v", len(got), got)
	}
	if diff := cmp.Diff([]string{"G", "G2"}, got[0].Points); diff != "" {
		t.Errorf("points differ (-want +got):\n%s", diff)
	}
	if got[0].First.ID != "2026-06-13.a.s" || got[0].Second.ID != "2026-06-13.b.t" || got[0].Days != 4 {
		t.Errorf("conflict = %s with %s on %d days, want Saturdays and Sundays of two weeks", got[0].First.ID, got[0].Second.ID, got[0].Days)
	}
	zh := "《方案a》早 09:00–09:30 与《方案b》晨 09:00–09:10：在 G 等 2 个点重叠，后者不响，自 2026-06-13 起共 4 天；请错开"
	if s := got[0].Text("zh"); s != zh {
		t.Errorf("Text(zh) = %q, want %q", s, zh)
	}
	en := `"方案a" 早 09:00–09:30 and "方案b" 晨 09:00–09:10: the later one is silenced at 2 point(s), G first, on 4 day(s) from 2026-06-13; move one of them`
	if s := got[0].Text("en"); s != en {
		t.Errorf("Text(en) = %q, want %q", s, en)
	}
	if got := c.Conflicts([]Point{village()}, date(t, "2026-06-08"), 14); len(got) != 0 {
		t.Errorf("conflicts at the village = %v, want none", got)
	}
	silenced := c.Slots(gate(), date(t, "2026-06-13"), 1)[1].Silenced
	if silenced.Text != "与《方案a》早 09:00–09:30 重叠，让位" || silenced.In("en") != `overlaps "方案a" 早 09:00–09:30 and yields` {
		t.Errorf("silence = %+v", silenced)
	}
}

func TestWarningsOfPartlyQuietSlot(t *testing.T) {
	t.Parallel()
	text := func(quiet, targets string) string {
		return "id: p\nname: p\nzone: Asia/Shanghai\ntargets: " + targets + "\n" + quiet +
			"slots:\n  - {key: a, name: a, start: \"0 9,12,13 * * *\", duration: 10m, playlist: [x]}\n"
	}
	tests := []struct {
		name, text string
		want       []string
	}{
		{"two_of_three", text("", "{all: true}"), []string{"6 slots[a].start partly_quiet 时段 09:00–09:10 有时碰到午间静默 12:00–14:00，那几次整段免播：12:00 … ×2"}},
		{"off_for_villages_but_gates_too", text("quiet: {midday: {off_for: [village]}}\n", "{all: true}"), []string{"7 slots[a].start partly_quiet 时段 09:00–09:10 有时碰到午间静默 12:00–14:00，那几次整段免播：12:00 … ×2"}},
		{"off_for_villages_only", text("quiet: {midday: {off_for: [village]}}\n", "{kinds: [village]}"), nil},
		{"demo", text("demo: true\n", "{all: true}"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, w := range parsed(t, tt.text).Warnings() {
				checkTexts(t, w)
				got = append(got, fmt.Sprintf("%d %s %s %s", w.Line, w.Key, w.Rule, w.Text("zh")))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("warnings differ (-want +got):\n%s", diff)
			}
		})
	}
}
