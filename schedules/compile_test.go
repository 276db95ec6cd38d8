package schedules

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// parsed returns the programme in text.
func parsed(t testing.TB, text string) *Programme {
	t.Helper()
	p, err := Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// compiledFrom returns a compiler for the programmes in texts.
func compiledFrom(t testing.TB, texts ...string) *Compiler {
	t.Helper()
	var programmes []*Programme
	for _, text := range texts {
		programmes = append(programmes, parsed(t, text))
	}
	c, err := NewCompiler(programmes, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func date(t testing.TB, s string) Date {
	t.Helper()
	d, err := ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// gate, village and indoor are points that differ in kind alone.
func gate() Point    { return Point{ID: "G", Kind: KindGate} }
func village() Point { return Point{ID: "V", Kind: KindVillage} }
func indoor() Point  { return Point{ID: "I", Kind: KindIndoor} }

// describe writes a slot as "key date start–end rule" with times in zone.
func describe(s Slot, loc *time.Location) string {
	out := s.ID + " " + s.Start.In(loc).Format("15:04:05Z0700") + "–" + s.End.In(loc).Format("15:04:05Z0700")
	if s.Silenced != nil {
		out += " !" + s.Silenced.Rule
	}
	return out
}

// demoAt is a demonstration with one slot, which sounds at any hour.
func demoAt(zone, start, duration string) string {
	return "id: d\nname: d\nzone: " + zone + "\ndemo: true\ntargets: {all: true}\nslots:\n  - {key: a, name: a, start: \"" + start + "\", duration: " + duration + ", playlist: [x]}\n"
}

// TestSlotsWhenClocksChange lists what a start becomes around changes of the
// clock: in a gap the first valid instant, in a repeat once.
func TestSlotsWhenClocksChange(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, zone, start, duration string
		from                        string
		days                        int
		want                        []string
	}{
		{"shanghai_never_changes", "Asia/Shanghai", "0 30 2 * * *", "10m", "2026-03-07", 3, []string{
			"2026-03-07.d.a 02:30:00+0800–02:40:00+0800", "2026-03-08.d.a 02:30:00+0800–02:40:00+0800", "2026-03-09.d.a 02:30:00+0800–02:40:00+0800",
		}},
		{"new_york_gap", "America/New_York", "30 2 * * *", "10m", "2026-03-07", 3, []string{
			"2026-03-07.d.a 02:30:00-0500–02:40:00-0500", "2026-03-08.d.a 03:00:00-0400–03:10:00-0400", "2026-03-09.d.a 02:30:00-0400–02:40:00-0400",
		}},
		{"new_york_repeat", "America/New_York", "30 1 * * *", "10m", "2026-10-31", 3, []string{
			"2026-10-31.d.a 01:30:00-0400–01:40:00-0400", "2026-11-01.d.a 01:30:00-0400–01:40:00-0400", "2026-11-02.d.a 01:30:00-0500–01:40:00-0500",
		}},
		{"new_york_lasts_as_long_across_the_repeat", "America/New_York", "30 1 * * *", "1h", "2026-11-01", 1, []string{
			"2026-11-01.d.a 01:30:00-0400–01:30:00-0500",
		}},
		{"new_york_starts_in_the_gap_are_one", "America/New_York", "0,20,40 2-3 * * *", "10m", "2026-03-08", 1, []string{
			"2026-03-08.d.a 03:00:00-0400–03:10:00-0400", "2026-03-08.d.a.5 03:20:00-0400–03:30:00-0400", "2026-03-08.d.a.6 03:40:00-0400–03:50:00-0400",
		}},
		{"new_york_every_half_hour_of_the_repeat", "America/New_York", "0,30 1-2 * * *", "10m", "2026-11-01", 1, []string{
			"2026-11-01.d.a 01:00:00-0400–01:10:00-0400", "2026-11-01.d.a.2 01:30:00-0400–01:40:00-0400", "2026-11-01.d.a.3 02:00:00-0500–02:10:00-0500", "2026-11-01.d.a.4 02:30:00-0500–02:40:00-0500",
		}},
		{"lord_howe_gap", "Australia/Lord_Howe", "15 2 * * *", "10m", "2026-10-03", 3, []string{
			"2026-10-03.d.a 02:15:00+1030–02:25:00+1030", "2026-10-04.d.a 02:30:00+1100–02:40:00+1100", "2026-10-05.d.a 02:15:00+1100–02:25:00+1100",
		}},
		{"lord_howe_repeat", "Australia/Lord_Howe", "45 1 * * *", "10m", "2026-04-04", 3, []string{
			"2026-04-04.d.a 01:45:00+1100–01:55:00+1100", "2026-04-05.d.a 01:45:00+1100–01:55:00+1100", "2026-04-06.d.a 01:45:00+1030–01:55:00+1030",
		}},
		{"cairo_midnight_that_is_skipped", "Africa/Cairo", "0 0 * * *", "10m", "2026-04-23", 3, []string{
			"2026-04-23.d.a 00:00:00+0200–00:10:00+0200", "2026-04-24.d.a 01:00:00+0300–01:10:00+0300", "2026-04-25.d.a 00:00:00+0300–00:10:00+0300",
		}},
		{"cairo_last_hour_twice", "Africa/Cairo", "30 23 * * *", "10m", "2026-10-28", 3, []string{
			"2026-10-28.d.a 23:30:00+0300–23:40:00+0300", "2026-10-29.d.a 23:30:00+0300–23:40:00+0300", "2026-10-30.d.a 23:30:00+0200–23:40:00+0200",
		}},
		{"apia_day_that_never_was", "Pacific/Apia", "0 9 * * *", "10m", "2011-12-29", 3, []string{
			"2011-12-29.d.a 09:00:00-1000–09:10:00-1000", "2011-12-31.d.a 09:00:00+1400–09:10:00+1400",
		}},
		{"month_end_and_leap_day", "Asia/Shanghai", "0 9 29 2 *", "10m", "2028-02-27", 4, []string{"2028-02-29.d.a 09:00:00+0800–09:10:00+0800"}},
		{"no_leap_day", "Asia/Shanghai", "0 9 29 2 *", "10m", "2026-02-27", 4, nil},
		{"last_of_the_month", "Asia/Shanghai", "0 9 31 * *", "10m", "2026-03-30", 33, []string{"2026-03-31.d.a 09:00:00+0800–09:10:00+0800"}},
		{"year_change", "America/New_York", "50 59 23 * * *", "20s", "2026-12-31", 2, []string{
			"2026-12-31.d.a 23:59:50-0500–00:00:10-0500", "2027-01-01.d.a 23:59:50-0500–00:00:10-0500",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := compiledFrom(t, demoAt(tt.zone, tt.start, tt.duration))
			var got []string
			for _, s := range c.Slots(gate(), date(t, tt.from), tt.days) {
				got = append(got, describe(s, mustZone(t, tt.zone)))
				if s.Start.Location() != time.UTC || s.End.Location() != time.UTC {
					t.Errorf("%s: instants are not in UTC", s.ID)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("slots differ (-want +got):\n%s", diff)
			}
		})
	}
}

// hourly starts a ten-minute slot every half hour of the waking day, in soft
// hours too, and at the edges of each quiet rule.
const hourly = `
id: h
name: h
zone: ZONE
targets: {all: true}
quiet:
  midday: {off_for: [village]}
  dated:
    - {id: exam, name: 考试, from: 2026-06-08, to: 2026-06-09, times: ["09:00-10:00", "21:00-07:00"], document: d, targets: {tags: [near]}}
    - {id: day, name: 静默日, from: 2026-06-12, to: 2026-06-12, all_day: true, document: d, targets: {kinds: [gate], except: {points: [FREE]}}}
slots:
  - {key: s, name: s, start: "*/10 * * * *", duration: 10m, max_plays: 1, playlist: [x], reason: r}
`

// TestQuietRulesInstants lists, for each rule, starts inside and outside.
func TestQuietRulesInstants(t *testing.T) {
	t.Parallel()
	near := gate()
	near.Tags = []string{"near"}
	free := gate()
	free.ID = "FREE"
	tests := []struct {
		name    string
		point   Point
		date    string
		rule    string
		inside  []string
		outside []string
	}{
		{"night", village(), "2026-06-10", SilenceNight, []string{"22:00", "23:50", "00:00", "02:00", "05:50"}, []string{"06:00", "21:50", "12:00"}},
		{"midday_at_gates", gate(), "2026-06-10", SilenceMidday, []string{"12:00", "13:50", "13:00"}, []string{"11:50", "14:00"}},
		{"midday_indoors", indoor(), "2026-06-10", SilenceMidday, []string{"12:00", "13:50"}, []string{"11:50", "14:00"}},
		{"no_midday_in_villages", village(), "2026-06-10", SilenceMidday, nil, []string{"11:50", "12:00", "13:50", "14:00"}},
		{"exam_first_day", near, "2026-06-08", "exam", []string{"09:00", "09:50", "21:00", "21:50"}, []string{"06:00", "06:50", "08:50", "10:00", "20:50"}},
		{"exam_second_day", near, "2026-06-09", "exam", []string{"06:00", "06:50", "09:00", "21:50"}, []string{"07:00", "08:50", "10:00"}},
		{"morning_after_the_exam", near, "2026-06-10", "exam", []string{"06:00", "06:50"}, []string{"07:00", "09:00", "21:50"}},
		{"day_before_the_exam", near, "2026-06-07", "exam", nil, []string{"06:00", "09:00", "21:50"}},
		{"exam_elsewhere", gate(), "2026-06-09", "exam", nil, []string{"06:00", "09:00", "21:50"}},
		{"silent_day", gate(), "2026-06-12", "day", []string{"06:00", "09:00", "21:50"}, nil},
		{"day_before_the_silent_day", gate(), "2026-06-11", "day", nil, []string{"06:00", "21:50"}},
		{"day_after_the_silent_day", gate(), "2026-06-13", "day", nil, []string{"06:00", "21:50"}},
		{"silent_day_in_villages", village(), "2026-06-12", "day", nil, []string{"06:00", "21:50"}},
		{"silent_day_at_the_excepted_point", free, "2026-06-12", "day", nil, []string{"06:00", "21:50"}},
	}
	for _, zone := range zones() {
		c := compiledFrom(t, strings.Replace(hourly, "ZONE", zone, 1))
		loc := mustZone(t, zone)
		for _, tt := range tests {
			t.Run(strings.ReplaceAll(zone, "/", "_")+"_"+tt.name, func(t *testing.T) {
				t.Parallel()
				got := make(map[string]*Silence)
				for _, s := range c.Slots(tt.point, date(t, tt.date), 1) {
					got[s.Start.In(loc).Format("15:04")] = s.Silenced
				}
				if len(got) != 144 {
					t.Fatalf("%d starts, want 144", len(got))
				}
				for _, at := range tt.inside {
					if s := got[at]; s == nil || s.Rule != tt.rule {
						t.Errorf("%s at %s is silenced by %v, want %s", tt.date, at, s, tt.rule)
					}
				}
				for _, at := range tt.outside {
					if s := got[at]; s != nil && s.Rule == tt.rule {
						t.Errorf("%s at %s is silenced by %s, want not", tt.date, at, s.Text)
					}
				}
			})
		}
	}
}

// TestNightWhenClocksChange holds the hard quiet on the nights in which clocks
// change: by the wall clock it is 22:00 to 06:00, however long that lasts.
func TestNightWhenClocksChange(t *testing.T) {
	t.Parallel()
	for zone, dates := range map[string][]string{
		"America/New_York":    {"2026-03-07", "2026-03-08", "2026-10-31", "2026-11-01"},
		"Australia/Lord_Howe": {"2026-04-04", "2026-04-05", "2026-10-03", "2026-10-04"},
		"Africa/Cairo":        {"2026-04-23", "2026-04-24", "2026-10-29", "2026-10-30"},
	} {
		c := compiledFrom(t, strings.Replace(hourly, "ZONE", zone, 1))
		loc := mustZone(t, zone)
		for _, d := range dates {
			for _, s := range c.Slots(village(), date(t, d), 1) {
				h := s.Start.In(loc).Hour()
				if got, want := s.Silenced != nil && s.Silenced.Rule == SilenceNight, h >= 22 || h < 6; got != want {
					t.Errorf("%s %s: silenced %v, want %v", zone, s.Start.In(loc), got, want)
				}
			}
		}
	}
}

func TestSlotTouchingQuietIsSilencedWhole(t *testing.T) {
	t.Parallel()
	text := head + `quiet: {midday: {off_for: [village]}}
slots:
  - {key: a, name: 中, start: "40 11 * * *", until: "12:10", playlist: [x]}
`
	c := compiledFrom(t, text)
	at := c.Slots(gate(), date(t, "2026-06-10"), 1)
	if len(at) != 1 || at[0].Silenced == nil || at[0].Silenced.Text != "午间静默 12:00–14:00" || at[0].Silenced.In("en") != "midday rest 12:00–14:00" {
		t.Errorf("slot at the gate = %+v, want silenced by midday rest", at)
	}
	if at[0].Count != 6 {
		t.Errorf("a silenced slot has %d plays, want 6: what would have sounded", at[0].Count)
	}
	if at = c.Slots(village(), date(t, "2026-06-10"), 1); len(at) != 1 || at[0].Silenced != nil {
		t.Errorf("slot in the village = %+v, want it to sound", at)
	}
}

func TestSlotsOnDayTypes(t *testing.T) {
	t.Parallel()
	text := head + `from: 2026-02-10
to: 2026-10-09
slots:
  - key: a
    name: 早
    days: [workday, rest_day, holiday]
    start: "30 7 * * *"
    until: "08:00"
    playlist: [x, y]
    overrides:
      - {days: [rest_day, holiday], start: "30 8 * * *", until: "09:00", playlist: [z], gain_db: -2}
      - {days: [workday], max_plays: 3, grace: 10s}
`
	c := compiledFrom(t, text)
	loc := mustZone(t, "Asia/Shanghai")
	tests := []struct {
		name, date string
		dayType    DayType
		want       string
		count      int
		clips      string
	}{
		{"workday", "2026-02-13", Workday, "07:30", 3, "x,y,x"},
		{"make_up_workday_not_owed", "2026-02-14", MakeUpWorkday, "", 0, ""},
		{"holiday", "2026-02-15", Holiday, "08:30", 6, "z,z,z,z,z,z"},
		{"rest_day", "2026-03-07", RestDay, "08:30", 6, "z,z,z,z,z,z"},
		{"day_before_the_programme", "2026-02-09", Workday, "", 0, ""},
		{"first_day", "2026-02-10", Workday, "07:30", 3, "x,y,x"},
		{"last_day", "2026-10-09", Workday, "07:30", 3, "x,y,x"},
		{"day_after_the_programme", "2026-10-11", RestDay, "", 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			slots := c.Slots(gate(), date(t, tt.date), 1)
			if (len(slots) == 1) != (tt.want != "") {
				t.Fatalf("%d slots, want %q", len(slots), tt.want)
			}
			if len(slots) == 0 {
				return
			}
			s := slots[0]
			var clips []string
			for _, p := range s.Plays() {
				clips = append(clips, p.Clip)
			}
			if s.ID != tt.date+".p.a" || s.DayType != tt.dayType || s.Start.In(loc).Format("15:04") != tt.want || s.Count != tt.count || strings.Join(clips, ",") != tt.clips {
				t.Errorf("slot = %+v with clips %v", s, clips)
			}
		})
	}
}

func TestSlotsSayWhenDayTypeIsAssumed(t *testing.T) {
	t.Parallel()
	c := compiledFrom(t, one(good()...))
	for _, s := range c.Slots(gate(), date(t, "2026-12-30"), 4) {
		if want := s.Date.Year == 2027; s.Assumed != want {
			t.Errorf("%s: Assumed = %v, want %v", s.ID, s.Assumed, want)
		}
	}
	tests := []struct {
		from string
		days int
		want []string
	}{
		{"2026-12-01", 31, nil}, {"2026-12-01", 32, []string{"2027"}}, {"2025-12-31", 400, []string{"2025", "2027"}}, {"2027-01-01", 0, nil},
	}
	for _, tt := range tests {
		var got []string
		for _, w := range c.Warnings(date(t, tt.from), tt.days) {
			checkTexts(t, w)
			if w.Rule == RuleYearUnknown {
				got = append(got, w.Args[0].(string))
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("Warnings(%s, %d) name %v, want %v", tt.from, tt.days, got, tt.want)
		}
	}
}

func TestPlaysOfSlot(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 6, 10, 1, 0, 0, 0, time.UTC)
	s := Slot{Start: start, End: start.Add(12 * time.Minute), Every: 5 * time.Minute, Count: 3, Clips: []string{"a", "b"}}
	want := []Play{{0, start, "a"}, {1, start.Add(5 * time.Minute), "b"}, {2, start.Add(10 * time.Minute), "a"}}
	if diff := cmp.Diff(want, s.Plays()); diff != "" {
		t.Errorf("Plays differ (-want +got):\n%s", diff)
	}
	durations := map[string]time.Duration{"a": 20 * time.Second, "b": 30 * time.Second}
	if got, ok := s.PlannedSound(durations); got != 70*time.Second || !ok {
		t.Errorf("PlannedSound = %s, %v, want 70s", got, ok)
	}
	if got, want := s.SoundsUntil(durations), start.Add(10*time.Minute+20*time.Second); !got.Equal(want) {
		t.Errorf("SoundsUntil = %s, want %s", got, want)
	}
	delete(durations, "b")
	if got, ok := s.PlannedSound(durations); got != 40*time.Second || ok {
		t.Errorf("PlannedSound without one length = %s, %v, want 40s and false", got, ok)
	}
	if got := (Slot{Count: 1}).Clip(0); got != "" {
		t.Errorf("Clip of a slot without clips = %q", got)
	}
}

func TestPlaysFitTheWindow(t *testing.T) {
	t.Parallel()
	tests := []struct {
		length, every time.Duration
		limit         int
		want          int
	}{
		{30 * time.Minute, 5 * time.Minute, 0, 6},
		{30*time.Minute + time.Second, 5 * time.Minute, 7, 7}, // a play at the very end of a window that lasts a second longer
		{29 * time.Minute, 5 * time.Minute, 0, 6},
		{25 * time.Minute, 5 * time.Minute, 0, 5},
		{4 * time.Minute, 5 * time.Minute, 0, 1},
		{time.Hour, 5 * time.Minute, 0, DefaultMaxPlays},
		{time.Hour, 5 * time.Minute, 60, 12},
		{time.Hour, 5 * time.Minute, 2, 2},
		{30 * time.Minute, 0, 0, 6},
	}
	for _, tt := range tests {
		if got := (Pattern{Every: tt.every, MaxPlays: tt.limit}).plays(tt.length); got != tt.want {
			t.Errorf("plays in %s every %s, at most %d = %d, want %d", tt.length, tt.every, tt.limit, got, tt.want)
		}
	}
}

func TestNewCompilerRefuses(t *testing.T) {
	t.Parallel()
	good := parsed(t, one(good()...))
	invalid := *good
	invalid.Zone = "Mars"
	tests := []struct {
		name string
		in   []*Programme
		want Rule
	}{
		{"same_id", []*Programme{good, good}, RuleSameProgramme},
		{"nil", []*Programme{good, nil}, RuleNoProgramme},
		{"unchecked", []*Programme{&invalid}, RuleZone},
		{"empty", []*Programme{{}}, RuleMissing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := NewCompiler(tt.in, nil)
			var errs Errors
			if !errors.As(err, &errs) || c != nil || errs[0].Rule != tt.want {
				t.Fatalf("NewCompiler = %v, %v, want %s", c, err, tt.want)
			}
			checkTexts(t, errs[0])
		})
	}
}

// TestSlotsAreTheCallers makes sure that one caller cannot spoil the next one's
// slots by reordering or changing the slice.
func TestSlotsAreTheCallers(t *testing.T) {
	t.Parallel()
	c := compiledFrom(t, one(good()...))
	first := c.Slots(gate(), date(t, "2026-06-10"), 3)
	want := slices.Clone(first)
	for i := range first {
		first[i].ID, first[i].Silenced = "spoilt", &Silence{}
	}
	if diff := cmp.Diff(want, c.Slots(gate(), date(t, "2026-06-10"), 3)); diff != "" {
		t.Errorf("slots differ after a caller changed his (-want +got):\n%s", diff)
	}
	if got := c.Slots(gate(), date(t, "2026-06-10"), -1); len(got) != 0 {
		t.Errorf("Slots for -1 days = %v, want none", got)
	}
}
