package schedules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTargetsMatch(t *testing.T) {
	t.Parallel()
	sf := Point{ID: "SF-01", Kind: KindGate, Units: []string{"SF", "SL"}, Groups: []string{"TH-3"}, Tags: []string{"沿街"}}
	yl := Point{ID: "YL-01", Kind: KindVillage, Units: []string{"YL", "SL"}}
	tests := []struct {
		name   string
		in     Targets
		sf, yl bool
	}{
		{"nothing", Targets{}, false, false},
		{"all", Targets{All: true}, true, true},
		{"unit", Targets{Selection: Selection{Units: []string{"SF"}}}, true, false},
		{"ancestor", Targets{Selection: Selection{Units: []string{"SL"}}}, true, true},
		{"group", Targets{Selection: Selection{Groups: []string{"TH-9", "TH-3"}}}, true, false},
		{"tag", Targets{Selection: Selection{Tags: []string{"沿街"}}}, true, false},
		{"kind", Targets{Selection: Selection{Kinds: []string{KindVillage}}}, false, true},
		{"point", Targets{Selection: Selection{Points: []string{"YL-01"}}}, false, true},
		{"lists_narrow", Targets{Selection: Selection{Units: []string{"SL"}, Kinds: []string{KindGate}}}, true, false},
		{"lists_narrow_to_nothing", Targets{Selection: Selection{Units: []string{"YL"}, Kinds: []string{KindGate}}}, false, false},
		{"points_add", Targets{Selection: Selection{Kinds: []string{KindVillage}, Points: []string{"SF-01"}}}, true, true},
		{"except_unit", Targets{All: true, Except: Selection{Units: []string{"SF"}}}, false, true},
		{"except_group", Targets{All: true, Except: Selection{Groups: []string{"TH-3"}}}, false, true},
		{"except_tag", Targets{All: true, Except: Selection{Tags: []string{"沿街"}}}, false, true},
		{"except_kind", Targets{All: true, Except: Selection{Kinds: []string{KindVillage}}}, true, false},
		{"except_any_of_its_lists", Targets{All: true, Except: Selection{Kinds: []string{KindVillage}, Tags: []string{"沿街"}}}, false, false},
		{"except_wins_over_points", Targets{Selection: Selection{Points: []string{"SF-01", "YL-01"}}, Except: Selection{Points: []string{"SF-01"}}}, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newMatcher(&tt.in)
			for _, c := range []struct {
				p    Point
				want bool
			}{{sf, tt.sf}, {yl, tt.yl}} {
				if got := tt.in.Matches(c.p); got != c.want {
					t.Errorf("Matches(%s) = %v, want %v", c.p.ID, got, c.want)
				}
				if got := m.matches(c.p); got != c.want {
					t.Errorf("matcher(%s) = %v, want %v", c.p.ID, got, c.want)
				}
			}
		})
	}
}

// drawSelection draws lists of codes out of few, so that they often meet.
func drawSelection(t *rapid.T, name string) Selection {
	codes := func(what string, from ...string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 0, 2, rapid.ID).Draw(t, name+" "+what)
	}
	return Selection{
		Units: codes("units", "A", "B", "0301"), Groups: codes("groups", "G1", "G2"), Tags: codes("tags", "沿街", "true"),
		Kinds: codes("kinds", Kinds()...), Points: codes("points", "P1", "P2", "P3"),
	}
}

func drawPoint(t *rapid.T) Point {
	s := drawSelection(t, "point")
	return Point{
		ID: rapid.SampledFrom([]string{"P1", "P2", "P3", "P4"}).Draw(t, "id"), Name: "n", Kind: rapid.SampledFrom(Kinds()).Draw(t, "kind"),
		Units: s.Units, Groups: s.Groups, Tags: s.Tags,
	}
}

// TestMatcherProperty holds the compiler's quick matcher to Targets.Matches.
func TestMatcherProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := Targets{All: rapid.Bool().Draw(t, "all"), Selection: drawSelection(t, "in"), Except: drawSelection(t, "except")}
		p := drawPoint(t)
		m := newMatcher(&in)
		if got, want := m.matches(p), in.Matches(p); got != want {
			t.Fatalf("matcher = %v, Matches = %v", got, want)
		}
	})
}

func TestCheckTargets(t *testing.T) {
	t.Parallel()
	text := `id: p
name: p
zone: Asia/Shanghai
targets:
  units: [SF, NOWHERE]
  except: {tags: [施工停用]}
quiet:
  dated:
    - id: exam
      name: 考试
      from: 2026-06-07
      to: 2026-06-07
      all_day: true
      document: d
      targets: {points: [SF-01, SF-99]}
slots:
  - {key: a, name: a, start: "09:00", until: "09:30", playlist: [x], targets: {kinds: [village]}}
  - {key: b, name: b, start: "10:00", until: "10:30", playlist: [x], targets: {kinds: [gate], tags: [沿街]}}
`
	points := []Point{
		{ID: "SF-01", Kind: KindGate, Units: []string{"SF"}, Tags: []string{"沿街"}},
		{ID: "YL-01", Kind: KindVillage, Units: []string{"YL"}},
	}
	tests := []struct {
		name   string
		text   string
		points []Point
		want   []string
	}{
		{"dead_codes", text, points, []string{
			"5 targets.units[NOWHERE] dead_target 单位 “NOWHERE” 选不到任何广播点；请核对代码，或等点位登记后再加",
			"6 targets.except.tags[施工停用] dead_target 标签 “施工停用” 选不到任何广播点；请核对代码，或等点位登记后再加",
			"15 quiet.dated[exam].targets.points[SF-99] dead_target 点位 “SF-99” 选不到任何广播点；请核对代码，或等点位登记后再加",
			"17 slots[a].targets.kinds[village] dead_target 点位类型 “village” 选不到任何广播点；请核对代码，或等点位登记后再加",
		}},
		{"each_code_lives_but_not_together", strings.Replace(one(good()...), "all: true", "units: [SF], kinds: [village]", 1), points, []string{
			"4 targets no_point 这些条件合在一起选不到任何广播点",
		}},
		{"empty_registry", one(good()...), nil, []string{"4 targets no_point 这些条件合在一起选不到任何广播点"}},
		{"alive", one(good()...), points, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, e := range parsed(t, tt.text).CheckTargets(tt.points) {
				got = append(got, fmt.Sprintf("%d %s %s %s", e.Line, e.Key, e.Rule, e.Text("zh")))
				checkTexts(t, e)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSlotMatches(t *testing.T) {
	t.Parallel()
	p := parsed(t, head+`slots:
  - {key: a, name: a, start: "09:00", until: "09:30", playlist: [x], targets: {kinds: [village]}}
  - {key: b, name: b, start: "10:00", until: "10:30", playlist: [x]}
`)
	for _, tt := range []struct {
		key   string
		point Point
		want  bool
	}{{"a", gate(), false}, {"a", village(), true}, {"b", gate(), true}, {"c", gate(), false}} {
		if got := p.SlotMatches(tt.key, tt.point); got != tt.want {
			t.Errorf("SlotMatches(%q, %s) = %v, want %v", tt.key, tt.point.ID, got, tt.want)
		}
	}
}
