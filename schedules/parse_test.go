package schedules

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func itoa(n int) string { return strconv.Itoa(n) }

// head is the beginning of a valid programme, four lines long.
const head = "id: p\nname: 示例\nzone: Asia/Shanghai\ntargets: {all: true}\n"

// one wraps the lines of one slot, of which the first is line 6.
func one(lines ...string) string {
	return head + "slots:\n  - " + strings.Join(lines, "\n    ") + "\n"
}

// good holds the lines of a valid slot.
func good(more ...string) []string {
	return append([]string{"key: a", "name: 早", `start: "0 9 * * *"`, `until: "09:30"`, "playlist: [x]"}, more...)
}

// goodBut is good with one key replaced.
func goodBut(key, line string) []string {
	lines := good()
	for i, l := range lines {
		if strings.HasPrefix(l, key+":") {
			lines[i] = line
		}
	}
	return slices.DeleteFunc(lines, func(l string) bool { return l == "" })
}

// dated wraps one dated rule, given in flow style; it is line 5.
func dated(rule string) string {
	return head + "quiet: {dated: [" + rule + "]}\n"
}

// point wraps one example point, given in flow style; it is line 5.
func point(p string) string {
	return head + "example_points: [" + p + "]\n" + strings.TrimPrefix(one(good()...), head)
}

func TestParseReportsBrokenRule(t *testing.T) {
	t.Parallel()
	tests := []struct {
		rule Rule
		name string
		in   string
		want []string // "line key rule"
	}{
		{RuleSize, "", "# " + strings.Repeat("x", maxFile), []string{"1  file_size"}},
		{RuleEncoding, "gbk", "id: \xc4\xe3\n", []string{"1  encoding"}},
		{RuleSyntax, "colon", "id: a: b\n", []string{"1  yaml_syntax"}},
		{RuleSyntax, "tab", "id: a\n\tname: b\n", []string{"2  yaml_syntax"}},
		{RuleQuotes, "", head + "slots:\n  - start: */5 8 * * *\n", []string{"6  needs_quotes"}},
		{RuleEmpty, "nothing", "", []string{"1  empty_file"}},
		{RuleEmpty, "comments", "# only\n", []string{"1  empty_file"}},
		{RuleOneFile, "", one(good()...) + "---\nid: b\n", []string{"11  one_document"}},
		{RuleAlias, "alias", "id: &a x\nname: *a\n", []string{"1  no_alias"}},
		{RuleAlias, "bomb", "a: &a [x]\nb: &b [*a,*a]\nc: [*b,*b]\n", []string{"1  no_alias"}},
		{RuleUnknownKey, "", one(good()...) + "colour: red\n", []string{"11 colour unknown_key"}},
		{RuleTypo, "", one(goodBut("start", `strat: "0 9 * * *"`)...), []string{"8 slots[a].strat unknown_key_like"}},
		{RuleTypo, "of_required_key", strings.Replace(one(good()...), "targets", "target", 1), []string{"4 target unknown_key_like"}},
		{RuleTwice, "", "id: q\n" + one(good()...), []string{"2 id key_twice"}},
		{RuleMissing, "all_of_a_slot", head + "slots:\n  - {}\n", []string{"6 slots[#1] missing_key", "6 slots[#1] missing_key", "6 slots[#1] missing_key", "6 slots[#1] missing_key"}},
		{RuleMissing, "of_the_programme", strings.Join(strings.Split(one(good()...), "\n")[4:], "\n"), []string{"1  missing_key", "1  missing_key", "1  missing_key", "1  missing_key"}},
		{RuleMissing, "of_a_rule", dated("{id: r}"), []string{"5 quiet.dated[r] missing_key", "5 quiet.dated[r] missing_key", "5 quiet.dated[r] missing_key", "5 quiet.dated[r] missing_key", "5 quiet.dated[r] rule_times"}},
		{RuleMissing, "of_a_point", point("{id: A}"), []string{"5 example_points[#1] missing_key", "5 example_points[#1] missing_key"}},
		{RuleMissing, "of_an_override", one(good("overrides: [{gain_db: -3}]")...), []string{"11 slots[a].overrides[#1] missing_key"}},
		{RuleNoValue, "null", one(goodBut("name", "name:")...), []string{"7 slots[a].name no_value"}},
		{RuleNoValue, "empty_text", one(goodBut("name", `name: ""`)...), []string{"7 slots[a].name no_value"}},
		{RuleMapping, "root", "- a\n", []string{"1  want_mapping"}},
		{RuleMapping, "slot", head + "slots:\n  - x\n", []string{"6 slots[#1] want_mapping"}},
		{RuleMapping, "targets", strings.Replace(one(good()...), "{all: true}", "all", 1), []string{"4 targets want_mapping"}},
		{RuleList, "slots", head + "slots: {a: b}\n", []string{"5 slots want_list"}},
		{RuleList, "playlist", one(goodBut("playlist", "playlist: x")...), []string{"10 slots[a].playlist want_list"}},
		{RuleScalar, "", one(goodBut("name", "name: [a]")...), []string{"7 slots[a].name want_scalar"}},

		{RuleBool, "", one(good()...) + "demo: yes please\n", []string{"11 demo want_bool"}},
		{RuleNumber, "max_plays", one(good("max_plays: six")...), []string{"11 slots[a].max_plays want_number"}},
		{RuleNumber, "gain", one(good("gain_db: NaN")...), []string{"11 slots[a].gain_db want_number"}},
		{RuleTime, "", one(goodBut("until", `until: "9.30"`)...), []string{"9 slots[a].until want_time"}},
		{RuleTimes, "", dated(`{id: r, name: x, from: 2026-06-07, to: 2026-06-08, times: ["12-14"], document: d}`), []string{"5 quiet.dated[r].times want_times"}},
		{RuleDate, "", one(good()...) + "from: 2026-02-30\n", []string{"11 from want_date"}},
		{RuleDate, "far", one(good()...) + "to: 9999-12-31\n", []string{"11 to want_date"}},
		{RuleDuration, "", one(good("every: 5")...), []string{"11 slots[a].every want_duration"}},
		{RuleRange, "every_short", one(good("every: 30s")...), []string{"11 slots[a].every out_of_range"}},
		{RuleRange, "every_negative", one(good("every: -5m")...), []string{"11 slots[a].every out_of_range"}},
		{RuleRange, "fraction", one(good("every: 90.5s")...), []string{"11 slots[a].every out_of_range"}},
		{RuleRange, "duration_long", one(goodBut("until", "duration: 13h")...), []string{"9 slots[a].duration out_of_range"}},
		{RuleRange, "until_midnight", one(goodBut("until", `until: "00:00"`)...), []string{"9 slots[a].until out_of_range"}},
		{RuleRange, "max_plays", one(good("max_plays: 61")...), []string{"11 slots[a].max_plays out_of_range"}},
		{RuleRange, "gain_above_zero", one(good("gain_db: 0.5")...), []string{"11 slots[a].gain_db out_of_range"}},
		{RuleRange, "gain_too_low", one(good("gain_db: -41")...), []string{"11 slots[a].gain_db out_of_range"}},
		{RuleRange, "budget", one(good()...) + "daily_budget: 91m\n", []string{"11 daily_budget out_of_range"}},
		{RuleRange, "midday", one(good()...) + "quiet: {midday: {until: \"13:00\"}}\n", []string{"11 quiet.midday.until out_of_range"}},
		{RuleRange, "rule_too_long", dated("{id: r, name: x, from: 2026-06-07, to: 2028-06-07, all_day: true, document: d}"), []string{"5 quiet.dated[r].to out_of_range"}},
		{RuleOneOf, "kind", strings.Replace(one(good()...), "all: true", "kinds: [gate, door]", 1), []string{"4 targets.kinds one_of"}},
		{RuleOneOf, "day_type", one(good("days: [weekend]")...), []string{"11 slots[a].days one_of"}},
		{RuleOneOf, "point_kind", point("{id: A, name: a, kind: x}"), []string{"5 example_points[#1].kind one_of"}},
		{RuleID, "programme", strings.Replace(one(good()...), "id: p", "id: P.1", 1), []string{"1 id identifier"}},
		{RuleID, "slot", one(goodBut("key", "key: 早")...), []string{"6 slots[#1].key identifier"}},
		{RuleReserved, "", dated("{id: midday, name: x, from: 2026-06-07, to: 2026-06-07, all_day: true, document: d}"), []string{"5 quiet.dated[midday].id reserved_id"}},
		{RuleName, "long", one(goodBut("name", "name: "+strings.Repeat("早", 21))...), []string{"7 slots[a].name name"}},
		{RuleName, "line_break", one(goodBut("name", `name: "a\nb"`)...), []string{"7 slots[a].name name"}},
		{RuleCode, "", strings.Replace(one(good()...), "all: true", "units: [a b]", 1), []string{"4 targets.units code"}},
		{RuleClip, "space", one(goodBut("playlist", "playlist: [a b]")...), []string{"10 slots[a].playlist[a b] clip_ref"}},
		{RuleClip, "upper_case_hash", one(goodBut("playlist", "playlist: ["+strings.Repeat("AB", 32)+"]")...), []string{"10 slots[a].playlist[" + strings.Repeat("AB", 32) + "] clip_ref"}},
		{RuleTooMany, "", one(goodBut("playlist", "playlist: ["+strings.Repeat("x, ", 65)+"]")...), []string{"10 slots[a].playlist too_many"}},
		{RuleEmptyList, "playlist", one(goodBut("playlist", "playlist: []")...), []string{"10 slots[a].playlist empty_list"}},
		{RuleRepeated, "slot_key", one(good()...) + "  - " + strings.Join(goodBut("start", "start: 10:00\n    until: 10:30")[:3], "\n    ") + "\n    playlist: [x]\n", []string{"11 slots[#2].key repeated"}},
		{RuleRepeated, "day_type", one(good("days: [workday, 工作日]")...), []string{"11 slots[a].days repeated"}},
		{RuleRepeated, "code", strings.Replace(one(good()...), "all: true", "units: [A, A]", 1), []string{"4 targets.units[A] repeated"}},
		{RuleRepeated, "point", point("{id: A, name: a, kind: gate}, {id: A, name: b, kind: gate}"), []string{"5 example_points[#2].id repeated"}},
		{RuleZone, "unknown", strings.Replace(one(good()...), "Asia/Shanghai", "Asia/Peking", 1), []string{"3 zone zone"}},
		{RuleZone, "local", strings.Replace(one(good()...), "Asia/Shanghai", "Local", 1), []string{"3 zone zone"}},
		{RuleZone, "path", strings.Replace(one(good()...), "Asia/Shanghai", "../../etc/localtime", 1), []string{"3 zone zone"}},

		{RuleCron, "", one(goodBut("start", "start: nine")...), []string{"8 slots[a].start cron_syntax"}},
		{RuleCronField, "", one(goodBut("start", `start: "0 25 * * *"`)...), []string{"8 slots[a].start cron_field"}},
		{RuleCronZone, "", one(goodBut("start", `start: "TZ=UTC 0 9 * * *"`)...), []string{"8 slots[a].start cron_zone"}},
		{RuleCronEvery, "", one(goodBut("start", `start: "@every 5m"`)...), []string{"8 slots[a].start cron_descriptor"}},
		{RuleCronDays, "", one(goodBut("start", `start: "0 9 1 * 1"`)...), []string{"8 slots[a].start cron_both_days"}},
		{RuleCronNever, "", one(goodBut("start", `start: "0 9 31 2 *"`)...), []string{"8 slots[a].start cron_never"}},
		{RuleCronOften, "", one(goodBut("start", `start: "*/2 * 9-21 * * *"`)...), []string{"8 slots[a].start cron_too_often"}},
		{RuleCronDates, "", one(goodBut("start", `start: "0 9 1 5 *"`)...) + "from: 2026-06-01\nto: 2026-06-30\n", []string{"8 slots[a].start cron_never_valid"}},

		{RuleDates, "", one(good()...) + "from: 2026-06-30\nto: 2026-06-01\n", []string{"12 to dates_reversed"}},
		{RuleNoTargets, "", strings.Replace(one(good()...), "{all: true}", "{except: {kinds: [gate]}}", 1), []string{"4 targets no_targets"}},
		{RuleNoTargets, "all_false", strings.Replace(one(good()...), "{all: true}", "{all: false}", 1), []string{"4 targets no_targets"}},
		{RuleAllTargets, "", strings.Replace(one(good()...), "all: true", "all: true, units: [A]", 1), []string{"4 targets all_and_more"}},
		{RuleNothing, "", head, []string{"1  nothing_in_it"}},
		{RuleNoWindow, "", one(goodBut("until", "")...), []string{"6 slots[a] no_window"}},
		{RuleTwoWindows, "", one(good("duration: 30m")...), []string{"6 slots[a] until_and_duration"}},
		{RuleUntilStarts, "", one(goodBut("start", `start: "0 8,9 * * *"`)...), []string{"9 slots[a].until until_many_starts"}},
		{RuleUntilBefore, "", one(goodBut("until", `until: "09:00"`)...), []string{"9 slots[a].until until_before_start"}},
		{RuleUntilBefore, "in_override", one(good("overrides:", `- {days: [holiday], start: "10:00"}`)...), []string{"12 slots[a].overrides[#1].until until_before_start"}},
		{RuleGrace, "", one(good("grace: 5m")...), []string{"11 slots[a].grace grace_too_long"}},
		{RuleSelfOverlap, "", one(append(goodBut("until", "duration: 30m")[:2:2], `start: "0,20 9 * * *"`, "duration: 30m", "playlist: [x]")...), []string{"8 slots[a].start overlaps_itself"}},
		{RuleSlotOverlap, "", one(good()...) + "  - {key: b, name: b, start: \"09:29\", until: \"09:40\", playlist: [x]}\n", []string{"11 slots[b].start slots_overlap"}},
		{RuleOverrideDays, "", one(good("days: [workday]", "overrides: [{days: [holiday], gain_db: -1}]")...), []string{"12 slots[a].overrides[#1].days override_days"}},
		{RuleOverrideTwice, "", one(good("overrides: [{days: [holiday], gain_db: -1}, {days: [rest_day, holiday], gain_db: -2}]")...), []string{"11 slots[a].overrides[#2].days override_day_twice"}},
		{RuleOverrideEmpty, "", one(good("overrides: [{days: [holiday]}]")...), []string{"11 slots[a].overrides[#1] override_empty"}},
		{RuleRuleTimes, "neither", dated("{id: r, name: x, from: 2026-06-07, to: 2026-06-07, document: d}"), []string{"5 quiet.dated[r] rule_times"}},
		{RuleRuleTimes, "both", dated(`{id: r, name: x, from: 2026-06-07, to: 2026-06-07, all_day: true, times: ["12:00-14:00"], document: d}`), []string{"5 quiet.dated[r] rule_times"}},
		{RuleMiddayReason, "", one(good()...) + "quiet: {midday: {off_for: [gate]}}\n", []string{"11 quiet.midday midday_reason"}},
		{RuleInsideQuiet, "night", one(goodBut("start", "start: 22:30\n    until: 23:00")[:3]...) + "    playlist: [x]\n", []string{"8 slots[a].start slot_in_quiet_hours"}},
		{RuleInsideQuiet, "into_night", one(goodBut("start", "start: 21:30\n    until: 22:01\n    reason: r")[:3]...) + "    playlist: [x]\n", []string{"8 slots[a].start slot_in_quiet_hours"}},
		{RuleInsideQuiet, "midday", one(goodBut("start", "start: 11:30\n    until: 12:01")[:3]...) + "    playlist: [x]\n", []string{"8 slots[a].start slot_in_quiet_hours"}},
		{RuleInsideQuiet, "override", one(good("overrides:", `- {days: [holiday], start: "12:30", until: "13:00"}`)...), []string{"12 slots[a].overrides[#1].start slot_in_quiet_hours"}},
		{RuleInsideQuiet, "longer_midday", one(goodBut("start", "start: 14:10\n    until: 14:20")[:3]...) + "    playlist: [x]\nquiet: {midday: {until: \"14:30\"}}\n", []string{"8 slots[a].start slot_in_quiet_hours"}},
		{RuleReason, "early", one(goodBut("start", "start: 06:40\n    until: 06:50")[:3]...) + "    playlist: [x]\n", []string{"8 slots[a].start soft_quiet_reason"}},
		{RuleReason, "late", one(goodBut("start", "start: 20:40\n    until: 20:50")[:3]...) + "    playlist: [x]\n", []string{"8 slots[a].start soft_quiet_reason"}},
		{RuleReasonWeekends, "", one(goodBut("start", "start: 08:00\n    until: 08:20")[:3]...) + "    playlist: [x]\n", []string{"8 slots[a].start soft_quiet_reason_day_off"}},
	}
	covered := make(map[Rule]bool)
	for _, tt := range tests {
		covered[tt.rule] = true
		t.Run(strings.Trim(string(tt.rule)+"_"+tt.name, "_"), func(t *testing.T) {
			t.Parallel()
			p, err := Parse("p.yaml", []byte(tt.in))
			var errs Errors
			if !errors.As(err, &errs) || p != nil {
				t.Fatalf("Parse = %v, %v, want Errors and no programme", p, err)
			}
			var got []string
			for _, e := range errs {
				got = append(got, fmt.Sprintf("%d %s %s", e.Line, e.Key, e.Rule))
				if e.File != "p.yaml" {
					t.Errorf("File = %q, want p.yaml", e.File)
				}
				checkTexts(t, e)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("errors differ (-want +got):\n%s\n%v", diff, err)
			}
		})
	}
	later := []Rule{RuleSameProgramme, RuleNoProgramme, RuleDeadTarget, RuleNoPoint, RuleUnknownClip, RuleClipTooLong,
		RuleSoundsIntoNext, RuleSoundsIntoRule, RuleBudget, RuleYearUnknown,
		RuleHolidayColumns, RuleHolidayJSON, RuleHolidayNone, RuleHolidayYear, RuleHolidayWork, RulePartlyQuiet}
	for _, r := range Rules() {
		if covered[r] == slices.Contains(later, r) {
			t.Errorf("rule %s: covered by this table %v, not a rule of Parse %v", r, covered[r], !covered[r])
		}
	}
}

// TestParseAccepts lists what is close to an error and is none.
func TestParseAccepts(t *testing.T) {
	t.Parallel()
	slot := func(key, rest string) string {
		return "  - {key: " + key + ", name: n, playlist: [x], " + rest + "}\n"
	}
	with := func(slots ...string) string { return head + "slots:\n" + strings.Join(slots, "") }
	tests := []struct{ name, in string }{
		{"slots_that_meet", with(slot("a", `start: "9:00", until: "9:30"`), slot("b", `start: "9:30", until: "10:00"`))},
		{"slots_that_meet_the_other_way", with(slot("a", `start: "9:30", until: "10:00"`), slot("b", `start: "9:00", until: "9:30"`))},
		{"other_weekday", with(slot("a", `start: "0 9 * * 1-3", until: "9:30"`), slot("b", `start: "0 9 * * 4-6", until: "9:30"`))},
		{"other_month", with(slot("a", `start: "0 9 * 1-6 *", until: "9:30"`), slot("b", `start: "0 9 1 7 *", until: "9:30"`))},
		{"other_day_type", with(slot("a", `start: "9:00", until: "9:30", days: [workday]`), slot("b", `start: "9:00", until: "9:30", days: [rest_day]`))},
		{"day_moved_by_override", with(slot("a", `start: "9:00", until: "9:30", days: [workday, holiday], overrides: [{days: [holiday], start: "10:00", until: "10:30"}]`), slot("b", `start: "9:00", until: "9:30", days: [holiday]`))},
		{"other_kind", with(slot("a", `start: "9:00", until: "9:30", targets: {kinds: [gate]}`), slot("b", `start: "9:00", until: "9:30", targets: {kinds: [village, indoor]}`))},
		{"targets_that_only_the_registry_can_tell_apart", with(slot("a", `start: "9:00", until: "9:30", targets: {units: [A]}`), slot("b", `start: "9:00", until: "9:30", targets: {units: [B]}`))},
		{"clash_before_the_programme", strings.Replace(with(slot("a", `start: "0 9 * 1,3 *", until: "9:30"`), slot("b", `start: "0 9 1 1,6 *", until: "9:30"`)), "slots:", "from: 2026-02-01\nto: 2026-12-01\nslots:", 1)},
		{"starts_that_meet", with(slot("a", `start: "0,30 9 * * *", duration: 30m`))},
		{"midday_off_for_villages", strings.Replace(with(slot("a", `start: "12:30", until: "13:00"`)), "slots:", "quiet: {midday: {off_for: [village]}}\nslots:", 1)},
		{"midday_at_a_named_village", "id: p\nname: n\nzone: UTC\ntargets: {kinds: [gate], points: [V1]}\nquiet: {midday: {off_for: [village]}}\nslots:\n" + slot("a", `start: "12:30", until: "13:00"`)},
		{"midday_off_with_reason", strings.Replace(with(slot("a", `start: "12:30", until: "13:00"`)), "slots:", "quiet: {midday: {off_for: [gate, village, indoor], reason: r}}\nslots:", 1)},
		{"some_starts_in_quiet_hours", with(slot("a", `start: "0 9-15 * * *", duration: 10m`))},
		{"midday_as_it_is", strings.Replace(one(good()...), "slots:", "quiet: {midday: {until: \"14:00\"}}\nslots:", 1)},
		{"longest_midday", strings.Replace(one(good()...), "slots:", "quiet: {midday: {until: \"15:00\"}}\nslots:", 1)},
		{"up_to_midday", with(slot("a", `start: "11:30", until: "12:00"`))},
		{"up_to_the_soft_evening", with(slot("a", `start: "20:00", until: "20:30"`))},
		{"after_the_soft_morning", with(slot("a", `start: "8:30", until: "9:00"`))},
		{"early_on_working_days", with(slot("a", `start: "7:00", until: "7:30", days: [工作日, 调休上班]`))},
		{"early_with_a_reason", with(slot("a", `start: "6:00", until: "6:30", reason: r`))},
		{"late_with_a_reason", with(slot("a", `start: "21:30", until: "22:00", reason: r`))},
		{"early_except_days_off", with(slot("a", `start: "7:00", until: "7:30", overrides: [{days: [rest_day, holiday], start: "8:30", until: "9:00"}]`))},
		{"demo_at_night", strings.Replace(with(slot("a", `start: "*/20 * * * * *", duration: 10s, every: 5s`)), "* * * * *", "* 3 * * *", 1) + "demo: true\n"},
		{"rules_alone", "id: p\nname: n\nzone: UTC\nquiet: {dated: [{id: r, name: r, from: 2026-06-07, to: 2026-06-07, all_day: true, document: d}]}\n"},
		{"byte_order_mark_and_crlf", "\ufeff" + strings.ReplaceAll(one(good()...), "\n", "\r\n")},
		{"document_marks", "---\n" + one(good()...) + "...\n"},
		{"grace_just_below_every", one(good("grace: 4m59s")...)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := Parse("p.yaml", []byte(tt.in)); err != nil {
				t.Errorf("Parse: %v\n%s", err, tt.in)
			}
		})
	}
}

// checkTexts fails when a text of e is missing or does not fit its arguments.
func checkTexts(t *testing.T, e *Error) {
	t.Helper()
	for _, lang := range []string{"zh", "en"} {
		s := e.Text(lang)
		if s == "" || s == string(e.Rule) || strings.Contains(s, "%!(EXTRA") || strings.Contains(s, "(MISSING)") {
			t.Errorf("rule %s: text in %s = %q", e.Rule, lang, s)
		}
		if lang == "zh" && !strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			t.Errorf("rule %s: the Chinese text has no Chinese: %q", e.Rule, s)
		}
	}
}

// TestRuleTextsAgree compares the two texts of every rule: they name the same
// number of things.
func TestRuleTextsAgree(t *testing.T) {
	t.Parallel()
	verb := regexp.MustCompile(`%[sqd]`)
	for _, r := range Rules() {
		text := ruleTexts[r]
		zh, en := len(verb.FindAllString(text.zh, -1)), len(verb.FindAllString(text.en, -1))
		if zh != en || text.zh == "" || text.en == "" {
			t.Errorf("rule %s: %d operands in %q, %d in %q", r, zh, text.zh, en, text.en)
		}
		if strings.HasSuffix(text.en, ".") || strings.HasSuffix(text.zh, "。") {
			t.Errorf("rule %s ends in a full stop", r)
		}
	}
}

// TestSyntaxErrorNamesTheLine lists common slips with the line where a person
// would look; the YAML package names another one for most.
func TestSyntaxErrorNamesTheLine(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		line     int
		says     string
	}{
		{"short_indent", "id: x\nname: y\nslots:\n  - key: a\n    name: b\n   start: c\n", 6, "缩进不齐"},
		{"open_quote", "id: x\nname: y\nslots:\n  - key: a\n    name: \"b\n    start: c\n", 5, "引号"},
		{"open_bracket", "id: x\nname: y\ntargets: {kinds: [gate}\nslots:\n  - key: a\n", 3, "方括号"},
		{"open_brace", "id: x\ntargets: {kinds: gate\nslots:\n", 2, "花括号"},
		{"lost_dash", "id: x\nname: y\nslots:\n  - key: a\n  name: b\n", 5, "缩进不齐"},
		{"no_colon", "id: x\nname y\nzone: z\n", 2, "冒号"},
		{"full_width_colon", "id: x\nname：y\nzone: z\n", 2, "冒号"},
		{"two_colons", "id: x\nname: a: b\n", 2, "冒号"},
		{"long_indent", "id: x\nname: y\n  zone: z\n", 3, "缩进"},
		{"tab", "id: x\nslots:\n\t- key: a\n", 3, "制表符"},
		{"odd_start", "id: x\nname: @foo\n", 2, "加引号"},
		{"after_the_quote", "id: x\nname: \"a\" b\nzone: c\n", 2, "引号"},
		{"after_a_long_value", "id: x\nt: {a: b,\n  c: d\n}\nname: y\nzone: [z\n", 6, "方括号"},
		{"second_document", "id: x\n---\nid: [\n", 3, "括号"},
		{"in_a_file_too_long_to_search", "# " + strings.Repeat("x", maxSearched) + "\nid: a: b\n", 2, "冒号"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("f.yaml", []byte(tt.in))
			var errs Errors
			if !errors.As(err, &errs) || len(errs) != 1 || errs[0].Line != tt.line || !strings.Contains(errs[0].Text("zh"), tt.says) {
				t.Errorf("Parse(%q) = %v, want line %d and %q", tt.in, errs.Text("zh"), tt.line, tt.says)
			}
		})
	}
}

// TestParseReportsEveryError checks that mistakes of all stages come out of one
// call, in the order of the file.
func TestParseReportsEveryError(t *testing.T) {
	t.Parallel()
	in := "id: P\nname: n\nzone: Mars\nfrom: soon\ncolour: red\ntargets: {kinds: [door]}\nslots:\n" +
		"  - {key: a, name: a, start: \"0 9 31 2 *\", until: \"09:10\", playlist: [\"!\"]}\n" +
		"  - {key: b, name: b, start: 22:30, until: 22:40, every: 1s, gain_db: 1, playlist: [x]}\n"
	_, err := Parse("f.yaml", []byte(in))
	var errs Errors
	if !errors.As(err, &errs) {
		t.Fatal(err)
	}
	var got []string
	for _, e := range errs {
		got = append(got, fmt.Sprintf("%d %s", e.Line, e.Rule))
	}
	want := []string{"1 identifier", "3 zone", "4 want_date", "5 unknown_key", "6 one_of", "8 clip_ref", "8 cron_never", "9 out_of_range", "9 out_of_range", "9 slot_in_quiet_hours"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors differ (-want +got):\n%s\n%v", diff, err)
	}
	var single *Error
	if !errors.As(err, &single) || single != errs[0] {
		t.Errorf("errors.As finds %v, want the first error", single)
	}
	if want := "f.yaml:3: zone: no time zone is called \"Mars\"; write a name such as Asia/Shanghai"; errs[1].Error() != want {
		t.Errorf("Error() = %q, want %q", errs[1].Error(), want)
	}
	if lines := strings.Split(errs.Text("zh"), "\n"); len(lines) != len(errs) || !strings.HasPrefix(lines[0], "f.yaml:1: id: “P” ") {
		t.Errorf("Text(zh) = %q", lines)
	}
}

// full uses every key of the language.
const full = `
id: full
name: 全部写法
zone: Asia/Shanghai
from: 2026-01-01
to: 2026-12-31
demo: false
daily_budget: 45m
targets:
  units: [SF, 0301]
  groups: [TH-3]
  tags: [沿街]
  kinds: [gate, village]
  points: [X-1]
  except: {units: [A], groups: [B], tags: [施工停用], kinds: [indoor], points: [X-2]}
quiet:
  midday: {until: "14:30", off_for: [village, gate], reason: 示例批复}
  dated:
    - id: gaokao
      name: 高考
      from: 2026-06-07
      to: 2026-06-10
      all_day: true
      document: 示例文号〔2026〕9号
      targets: {tags: [考点周边]}
    - {id: revision, name: 复习, from: 2026-06-01, to: 2026-06-10, times: ["12:00-14:30", 21:30–07:00], document: https://example.invalid/9}
slots:
  - key: morning
    name: 早
    days: [工作日, rest_day, holiday]
    targets: {all: true, except: {points: [X-3]}}
    start: "15 30 7 * * *"
    duration: 29m45s
    every: 10m
    max_plays: 2
    playlist: [shuadan, e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, 反诈_1]
    gain_db: -3.5
    grace: 0s
    reason: 示例理由
    overrides:
      - days: [rest_day]
        start: 8:30
        until: 9:00
        every: 5m
        max_plays: 6
        playlist: [laonian]
        gain_db: 0
        grace: 30s
        reason: 另一理由
      - {days: [holiday], gain_db: -6}
example_points:
  - {id: X-1, name: 南门, kind: gate, units: [SF], groups: [TH-3], tags: [沿街]}
`

func TestParseReadsEveryKey(t *testing.T) {
	t.Parallel()
	p, err := Parse("full.yaml", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	d := func(s string) Date { v, _ := ParseDate(s); return v }
	tod := func(s string) TimeOfDay { v, _ := ParseTimeOfDay(s); return v }
	second := tod("00:00:01")
	minute := 60 * second
	dur := func(t TimeOfDay) *time.Duration { v := time.Duration(t); return &v }
	low, zero, lower := -3.5, 0.0, -6.0
	want := &Programme{
		ID: "full", Name: "全部写法", Zone: "Asia/Shanghai", From: d("2026-01-01"), To: d("2026-12-31"),
		DailyBudget: time.Duration(45 * minute),
		Targets: Targets{
			Selection: Selection{Units: []string{"SF", "0301"}, Groups: []string{"TH-3"}, Tags: []string{"沿街"}, Kinds: []string{"gate", "village"}, Points: []string{"X-1"}},
			Except:    Selection{Units: []string{"A"}, Groups: []string{"B"}, Tags: []string{"施工停用"}, Kinds: []string{"indoor"}, Points: []string{"X-2"}},
		},
		Quiet: Quiet{
			Midday: Midday{Until: tod("14:30"), OffFor: []string{"village", "gate"}, Reason: "示例批复"},
			Dated: []QuietRule{
				{ID: "gaokao", Name: "高考", From: d("2026-06-07"), To: d("2026-06-10"), AllDay: true, Document: "示例文号〔2026〕9号", Targets: &Targets{Selection: Selection{Tags: []string{"考点周边"}}}},
				{ID: "revision", Name: "复习", From: d("2026-06-01"), To: d("2026-06-10"), Times: []TimeRange{{tod("12:00"), tod("14:30")}, {tod("21:30"), tod("07:00")}}, Document: "https://example.invalid/9"},
			},
		},
		Slots: []SlotRule{{
			Key: "morning", Name: "早", Days: []DayType{Workday, RestDay, Holiday},
			Targets: &Targets{All: true, Except: Selection{Points: []string{"X-3"}}},
			Pattern: Pattern{
				Start: "15 30 7 * * *", Duration: time.Duration(29*minute + 45*second), Every: time.Duration(10 * minute), MaxPlays: 2,
				Playlist: []string{"shuadan", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "反诈_1"},
				GainDB:   &low, Grace: dur(0), Reason: "示例理由",
			},
			Overrides: []Override{
				{Days: []DayType{RestDay}, Pattern: Pattern{Start: "8:30", Until: tod("09:00"), Every: time.Duration(5 * minute), MaxPlays: 6, Playlist: []string{"laonian"}, GainDB: &zero, Grace: dur(30 * second), Reason: "另一理由"}},
				{Days: []DayType{Holiday}, Pattern: Pattern{GainDB: &lower}},
			},
		}},
		Examples: []Point{{ID: "X-1", Name: "南门", Kind: "gate", Units: []string{"SF"}, Groups: []string{"TH-3"}, Tags: []string{"沿街"}}},
	}
	if diff := cmp.Diff(want, p, cmpopts.IgnoreUnexported(Programme{})); diff != "" {
		t.Errorf("programme differs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"shuadan", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "反诈_1", "laonian"}, p.ClipRefs()); diff != "" {
		t.Errorf("ClipRefs differ (-want +got):\n%s", diff)
	}
}
