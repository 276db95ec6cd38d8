package schedules

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCheckSound(t *testing.T) {
	t.Parallel()
	slot := func(rest string) string {
		return `{key: s, name: 早, start: "09:00", until: "09:30", playlist: [x], ` + rest + `}`
	}
	// many has every minute of two hours sound.
	many := `{key: s, name: 早, start: "0 9,10 * * *", duration: 1h, every: 1m, max_plays: 60, playlist: [x]}`
	tests := []struct {
		name  string
		texts []string
		x     time.Duration // length of clip x, 0: unknown
		want  []string
	}{
		{"fine", []string{programmeWith("a", slot("every: 5m"))}, 30 * time.Second, nil},
		{"unknown_clip", []string{programmeWith("a", slot("every: 5m"))}, 0, []string{
			"7 slots[s].playlist[x] unknown_clip 素材库里没有 “x”；请先上传并签发，或改用已有的素材",
		}},
		{"longer_than_interval", []string{programmeWith("a", slot("every: 1m"))}, 61 * time.Second, []string{
			"7 slots[s].playlist[x] clip_too_long 素材 “x” 长 1m1s，比间隔 1m 还长；请拉长 every 或换短一些的素材",
		}},
		{"over_default_budget", []string{programmeWith("a", many)}, 16 * time.Second, []string{
			"1 daily_budget daily_budget 2026-06-10 在 G 等 2 个点要出声 32m，超过每日上限 30m",
		}},
		{"at_the_budget", []string{programmeWith("a", many)}, 15 * time.Second, nil},
		{"within_raised_budget", []string{programmeWith("a", many, "daily_budget: 90m")}, 45 * time.Second, nil},
		{"over_raised_budget", []string{programmeWith("a", many, "daily_budget: 90m")}, 46 * time.Second, []string{
			"5 daily_budget daily_budget 2026-06-10 在 G 等 2 个点要出声 1h32m，超过每日上限 1h30m",
		}},
		{"two_programmes_share_a_budget", []string{
			programmeWith("a", `{key: s, name: 早, start: "09:00", duration: 1h, every: 1m, max_plays: 60, playlist: [x]}`),
			programmeWith("b", `{key: s, name: 早, start: "15:00", duration: 1h, every: 1m, max_plays: 60, playlist: [x]}`),
		}, 16 * time.Second, []string{"1 daily_budget daily_budget 2026-06-10 在 G 等 2 个点要出声 32m，超过每日上限 30m"}},
		{"largest_budget_of_the_day_counts", []string{
			programmeWith("a", `{key: s, name: 早, start: "09:00", duration: 1h, every: 1m, max_plays: 60, playlist: [x]}`, "daily_budget: 60m"),
			programmeWith("b", `{key: s, name: 早, start: "15:00", duration: 1h, every: 1m, max_plays: 60, playlist: [x]}`),
		}, 20 * time.Second, nil},
		{"demo_beside_a_programme", []string{
			programmeWith("a", `{key: s, name: 早, start: "09:00", until: "09:30", playlist: [x]}`),
			programmeWith("d", `{key: s, name: 早, start: "10:00", duration: 1h, every: 1m, max_plays: 60, playlist: [x]}`, "demo: true"),
		}, 50 * time.Second, nil},
		{"silenced_slots_do_not_count", []string{
			programmeWith("a", many, `quiet: {dated: [{id: r, name: r, from: 2026-06-10, to: 2026-06-10, times: ["10:00-10:30"], document: d}]}`),
		}, 20 * time.Second, []string{"1 daily_budget daily_budget 2026-06-11 在 G 等 2 个点要出声 40m，超过每日上限 30m"}},
		{"demo_has_no_budget", []string{programmeWith("a", many, "demo: true")}, 50 * time.Second, nil},
		{"into_quiet", []string{programmeWith("a", `{key: s, name: 中, start: "11:30", until: "12:00", every: 5m, playlist: [x]}`)}, 5*time.Minute + time.Second - time.Millisecond, []string{
			"7 slots[s].playlist[x] clip_too_long 素材 “x” 长 5m0.999s，比间隔 5m 还长；请拉长 every 或换短一些的素材",
			"7 slots[s] sounds_into_quiet 2026-06-10 11:30:00 的最后一条要响到 12:00:00，压到午间静默 12:00–14:00；请把时段提前或换短一些的素材",
			"1 daily_budget daily_budget 2026-06-10 在 G 等 2 个点要出声 30m6s，超过每日上限 30m",
		}},
		{"into_quiet_by_window", []string{programmeWith("a", `{key: s, name: 中, start: "11:30", until: "11:56", every: 5m, playlist: [x]}`)}, 5 * time.Minute, nil},
		{"into_the_next_day", []string{
			programmeWith("a", `{key: s, name: 夜, start: "23:59", duration: 1m, playlist: [x]}`, "demo: true"),
			programmeWith("b", `{key: s, name: 晨, start: "00:00", duration: 1m, playlist: [x]}`, "demo: true"),
		}, 61 * time.Second, []string{"7 slots[s] sounds_into_next 2026-06-10 23:59:00 的最后一条要响到 00:00:01，压到 《方案b》晨 00:00–00:01"}},
		{"into_the_next", []string{
			programmeWith("a", `{key: s, name: 早, start: "09:00", until: "09:26", every: 5m, playlist: [x]}`),
			programmeWith("b", `{key: s, name: 晨, start: "09:26", until: "09:30", every: 5m, playlist: [x]}`),
		}, 2 * time.Minute, []string{"7 slots[s] sounds_into_next 2026-06-10 09:00:00 的最后一条要响到 09:27:00，压到 《方案b》晨 09:26–09:30"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			durations := map[string]time.Duration{"other": time.Second}
			if tt.x != 0 {
				durations["x"] = tt.x
			}
			second := gate()
			second.ID = "G2"
			var got []string
			for _, e := range compiledFrom(t, tt.texts...).CheckSound([]Point{gate(), second}, date(t, "2026-06-10"), 3, durations) {
				checkTexts(t, e)
				got = append(got, fmt.Sprintf("%d %s %s %s", e.Line, e.Key, e.Rule, e.Text("zh")))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestDefaultPresetKeepsItsBudget plays the shipped programme with the lengths
// of the shipped clips, rounded up.
func TestDefaultPresetKeepsItsBudget(t *testing.T) {
	t.Parallel()
	p := parsed(t, string(mustRead(t, "presets/default.yaml")))
	c, err := NewCompiler([]*Programme{p}, nil)
	if err != nil {
		t.Fatal(err)
	}
	durations := map[string]time.Duration{"shuadan": 30 * time.Second, "kefu": 30 * time.Second, "laonian": 30 * time.Second}
	if diff := cmp.Diff([]string{"shuadan", "kefu", "laonian"}, p.ClipRefs()); diff != "" {
		t.Errorf("clips differ (-want +got):\n%s", diff)
	}
	if errs := c.CheckSound(p.Examples, date(t, "2026-01-01"), 366, durations); len(errs) > 0 {
		t.Errorf("CheckSound:\n%s", errs.Text("zh"))
	}
	if errs := p.CheckTargets(p.Examples); len(errs) > 0 {
		t.Errorf("CheckTargets:\n%s", errs.Text("zh"))
	}
	if conflicts := c.Conflicts(p.Examples, date(t, "2026-01-01"), 366); len(conflicts) > 0 {
		t.Errorf("Conflicts: %v", conflicts)
	}
}
