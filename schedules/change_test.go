package schedules

import (
	"slices"
	"testing"
	"time"
)

const everyDay = `
id: daily
name: 小区日常
zone: Asia/Shanghai
targets: {all: true}
slots:
  - {key: morning, name: 早, start: "07:30", until: "08:00", playlist: [a], reason: 示例批复}
  - {key: evening, name: 晚, start: "18:00", until: "18:30", playlist: [a], gain_db: -3}
`

// office is a programme of nothing but dated rules, as an office's calendar is.
const office = `
id: office
name: 办公室日历
zone: Asia/Shanghai
quiet:
  dated:
    - {id: gaokao, name: 高考, from: 2026-06-07, to: 2026-06-09, all_day: true, document: 示例文号〔2026〕9号, targets: {tags: [考点周边]}}
    - {id: revision, name: 复习, from: 2026-06-01, to: 2026-06-09, times: ["17:00-19:00"], gain_db: -6, document: 示例文号〔2026〕9号}
`

func TestChangesNameEverySlotThatARuleTouches(t *testing.T) {
	t.Parallel()
	near := gate()
	near.ID, near.Tags = "NEAR", []string{"考点周边"}
	before, after := compiledFrom(t, everyDay), compiledFrom(t, everyDay, office)
	got := Changes(before, after, []Point{gate(), near}, Date{2026, time.June, 1}, 30)
	count := map[ChangeKind]int{}
	for _, c := range got {
		count[c.Kind]++
		day := c.Slot().Date.Day
		switch c.Kind {
		case SlotSilenced:
			if day < 7 || day > 9 || !slices.Equal(c.Points, []string{"NEAR"}) || c.After.Silenced.Rule != "gaokao" {
				t.Errorf("silenced on the %dth at %v by %+v", day, c.Points, c.After.Silenced)
			}
		case SlotLowered:
			if day > 9 || c.After.Key != "evening" || c.After.Gain != -9 || c.After.Lowered.Rule != "revision" || c.Before.Lowered != nil {
				t.Errorf("lowered on the %dth: %+v", day, c.After)
			}
			if want := map[bool]int{true: 2, false: 1}[day < 7]; len(c.Points) != want {
				t.Errorf("lowered on the %dth at %v, want %d points", day, c.Points, want)
			}
		default:
			t.Errorf("unexpected %s of %s", c.Kind, c.Slot().ID)
		}
	}
	if count[SlotSilenced] != 6 || count[SlotLowered] != 9 {
		t.Errorf("changes = %v, want 6 silenced and 9 lowered", count)
	}
	if back := Changes(after, before, []Point{near}, Date{2026, time.June, 1}, 30); len(back) != 6+6 || back[len(back)-1].Kind != SlotSounding {
		t.Errorf("%d changes back, the last %s; want 12, the last sounding", len(back), back[len(back)-1].Kind)
	}
	if same := Changes(after, compiledFrom(t, everyDay, office), []Point{gate(), near}, Date{2026, time.June, 1}, 30); len(same) != 0 {
		t.Errorf("nothing changed, but %+v", same)
	}
}

func TestChangesOfProgrammes(t *testing.T) {
	t.Parallel()
	next := `
id: daily
name: 小区日常
zone: Asia/Shanghai
targets: {all: true}
slots:
  - {key: morning, name: 早, start: "07:40", until: "08:10", playlist: [a], reason: 示例批复}
  - {key: evening, name: 晚, start: "18:00", until: "18:30", playlist: [b], gain_db: -3}
  - {key: noon, name: 中, start: "11:20", until: "11:50", playlist: [a]}
`
	got := Changes(compiledFrom(t, everyDay), compiledFrom(t, next), []Point{gate()}, Date{2026, time.June, 1}, 1)
	var kinds []ChangeKind
	for _, c := range got {
		kinds = append(kinds, c.Kind)
	}
	if want := []ChangeKind{SlotMoved, SlotAdded, SlotAltered}; !slices.Equal(kinds, want) {
		t.Errorf("kinds = %v, want %v", kinds, want)
	}
	got = Changes(compiledFrom(t, next), compiledFrom(t, everyDay), []Point{gate()}, Date{2026, time.June, 1}, 1)
	if !slices.ContainsFunc(got, func(c SlotChange) bool { return c.Kind == SlotRemoved && c.Slot().Key == "noon" && c.After == nil }) {
		t.Errorf("the slot that goes is not named: %+v", got)
	}
}

// A rule that comes while a slot runs leaves that slot alone, and so does one
// that goes.
func TestRuleThatComesAndGoesLeavesSlotsThatHaveBegun(t *testing.T) {
	t.Parallel()
	p := parsed(t, office)
	shanghai := mustZone(t, "Asia/Shanghai")
	p.Quiet.Dated[0].Targets = nil
	p.Quiet.Dated[0].Since = time.Date(2026, 6, 7, 7, 40, 0, 0, shanghai)
	p.Quiet.Dated[0].Until = time.Date(2026, 6, 8, 18, 10, 0, 0, shanghai)
	c, err := NewCompiler([]*Programme{parsed(t, everyDay), p}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var silent []string
	for _, s := range c.Slots(gate(), Date{2026, time.June, 7}, 3) {
		if s.Silenced != nil {
			silent = append(silent, s.ID)
		}
	}
	if want := []string{"2026-06-07.daily.evening", "2026-06-08.daily.morning", "2026-06-08.daily.evening"}; !slices.Equal(silent, want) {
		t.Errorf("silent = %v, want %v", silent, want)
	}
}

func TestQuietAtNamesEveryRuleThatHolds(t *testing.T) {
	t.Parallel()
	c := compiledFrom(t, everyDay, office)
	shanghai := mustZone(t, "Asia/Shanghai")
	near, far := gate(), village()
	near.Tags = []string{"考点周边"}
	tests := []struct {
		name  string
		p     Point
		at    time.Time
		rules []string
	}{
		{"exam", near, time.Date(2026, 6, 7, 9, 0, 0, 0, shanghai), []string{"gaokao"}},
		{"exam_at_night", near, time.Date(2026, 6, 7, 23, 0, 0, 0, shanghai), []string{"night", "gaokao"}},
		{"elsewhere", gate(), time.Date(2026, 6, 7, 9, 0, 0, 0, shanghai), nil},
		{"midday", gate(), time.Date(2026, 6, 7, 12, 30, 0, 0, shanghai), []string{"midday"}},
		{"midday_of_a_programme", far, time.Date(2026, 6, 7, 12, 30, 0, 0, shanghai), []string{"midday"}},
		{"lowered_only", gate(), time.Date(2026, 6, 1, 18, 0, 0, 0, shanghai), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, s := range c.QuietAt(tt.p, tt.at, tt.at.Add(time.Minute), shanghai) {
				got = append(got, s.Rule)
			}
			if !slices.Equal(got, tt.rules) {
				t.Errorf("QuietAt = %v, want %v", got, tt.rules)
			}
		})
	}
	none := compiledFrom(t, office)
	if got := none.QuietAt(village(), time.Date(2026, 6, 1, 12, 30, 0, 0, shanghai), time.Date(2026, 6, 1, 12, 31, 0, 0, shanghai), shanghai); len(got) != 0 {
		t.Errorf("a village without a programme has midday rest: %+v", got[0])
	}
}
