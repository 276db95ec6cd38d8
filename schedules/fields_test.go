package schedules

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// What a form shows of a programme is the whole programme: there and back
// nothing is lost, and what comes back shows the same.
func TestFieldsRoundTripProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawProgramme("p").Draw(t, "programme")
		fieldsTrip(t, p)
	})
}

func fieldsTrip(t interface {
	Fatalf(format string, args ...any)
}, p *Programme) {
	fields, err := Fields(p)
	if err != nil {
		t.Fatalf("Fields: %v", err)
	}
	again, err := ParseFields(fields)
	if err != nil {
		t.Fatalf("ParseFields: %v\n%v", err, fields)
	}
	if diff := cmp.Diff(p, again, sameProgramme()); diff != "" {
		t.Fatalf("programme differs after Fields and ParseFields (-before +after):\n%s", diff)
	}
	shown, err := Fields(again)
	if err != nil {
		t.Fatalf("Fields again: %v", err)
	}
	if diff := cmp.Diff(fields, shown); diff != "" {
		t.Fatalf("fields differ after a second trip (-before +after):\n%s", diff)
	}
}

func TestFieldsOfShippedAndFull(t *testing.T) {
	t.Parallel()
	for _, text := range []string{full, string(mustRead(t, "presets/default.yaml"))} {
		fieldsTrip(t, parsed(t, text))
	}
}

func TestParseFieldsNamesTheField(t *testing.T) {
	t.Parallel()
	good := func(change func(map[string][]string)) map[string][]string {
		f := map[string][]string{
			"id": {"p"}, "name": {"n"}, "zone": {"Asia/Shanghai"}, "targets.all": {"true"},
			"slots.0.key": {"a"}, "slots.0.name": {"早"}, "slots.0.start": {"09:00"}, "slots.0.until": {"09:30"}, "slots.0.playlist": {"x", "y"},
			"slots.3.key": {"b"}, "slots.3.name": {"晚"}, "slots.3.start": {"18:00"}, "slots.3.until": {"18:30"}, "slots.3.playlist": {"x"}, "slots.3.reason": {""},
			"slots.3.overrides.0.days": {"holiday"}, "slots.3.overrides.0.start": {"19:00"}, "slots.3.overrides.0.until": {"19:30"},
			"slots.5.key":        {""},
			"quiet.dated.0.id":   {"r"},
			"quiet.dated.0.name": {"考试"}, "quiet.dated.0.from": {"2026-06-07"}, "quiet.dated.0.to": {"2026-06-08"}, "quiet.dated.0.all_day": {"true"}, "quiet.dated.0.document": {"d"},
		}
		change(f)
		return f
	}
	tests := []struct {
		name, key string
		rule      Rule
		change    func(map[string][]string)
	}{
		{"good", "", "", func(map[string][]string) {}},
		{"start", "slots.3.start", RuleCron, func(f map[string][]string) { f["slots.3.start"] = []string{"nine"} }},
		{"override", "slots.3.overrides.0.until", RuleTime, func(f map[string][]string) { f["slots.3.overrides.0.until"] = []string{"x"} }},
		{"key_missing", "slots.0.key", RuleMissing, func(f map[string][]string) { delete(f, "slots.0.key") }},
		{"key_twice", "slots.3.key", RuleRepeated, func(f map[string][]string) { f["slots.3.key"] = []string{"a"} }},
		{"clip", "slots.0.playlist", RuleClip, func(f map[string][]string) { f["slots.0.playlist"] = []string{"x", "a b"} }},
		{"rule", "quiet.dated.0.to", RuleDates, func(f map[string][]string) { f["quiet.dated.0.to"] = []string{"2026-06-01"} }},
		{"whole_slot", "slots.0", RuleTwoWindows, func(f map[string][]string) { f["slots.0.duration"] = []string{"5m"} }},
		{"number", "slots.0.max_plays", RuleNumber, func(f map[string][]string) { f["slots.0.max_plays"] = []string{"six"} }},
		{"unknown", "colour", RuleUnknownKey, func(f map[string][]string) { f["colour"] = []string{"red"} }},
		{"nothing", "", RuleMapping, func(f map[string][]string) { clear(f) }},
		{"list_for_a_value", "name", RuleScalar, func(f map[string][]string) { f["name"] = []string{"a", "b"} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := ParseFields(good(tt.change))
			if tt.rule == "" {
				if err != nil || len(p.Slots) != 2 || len(p.Slots[1].Overrides) != 1 {
					t.Fatalf("ParseFields = %+v, %v", p, err)
				}
				return
			}
			var list Errors
			if !errors.As(err, &list) {
				t.Fatalf("ParseFields = %v, want Errors", err)
			}
			for _, e := range list {
				if e.Rule == tt.rule && strings.HasPrefix(e.Key, tt.key) {
					return
				}
			}
			t.Errorf("ParseFields = %v, want %s at %q", err, tt.rule, tt.key)
		})
	}
}

func FuzzParseFields(f *testing.F) {
	f.Add("id", "p", "slots.0.start", "09:00")
	f.Add("slots.0.overrides.1.days", "holiday", "slots..x", "y")
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		fields := map[string][]string{"id": {"p"}, "name": {"n"}, "zone": {"UTC"}, a: {b}, c: {d}}
		p, err := ParseFields(fields)
		if err == nil {
			fieldsTrip(t, p)
		}
	})
}

func TestRewriteKeepsComments(t *testing.T) {
	t.Parallel()
	old := mustRead(t, "presets/default.yaml")
	p := parsed(t, string(old))
	p.Slots[2].Until = p.Slots[2].Until + TimeOfDay(10*60e9)
	p.Slots = append(p.Slots[:1], p.Slots[2:]...) // noon goes, with what was said of it
	text, err := Rewrite(old, p)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# 门播默认方案（示例）", "# 夜间 22:00–06:00 静默固定有效", "# 小区门口 / compound gates", "# 休息日、法定节假日推迟一小时", "gain_db: -3 # 傍晚放低 3 dB", "# 村广播 / village loudspeakers", `until: "18:40"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
	if diff := cmp.Diff(p, parsed(t, string(text)), sameProgramme()); diff != "" {
		t.Errorf("the rewritten programme differs (-want +got):\n%s", diff)
	}
	again, err := Rewrite(text, p)
	if err != nil || string(again) != string(text) {
		t.Errorf("rewriting without a change changes the text: %v\n%s", err, again)
	}
	if plain, err := Rewrite([]byte("{"), p); err != nil || strings.Contains(string(plain), "#") {
		t.Errorf("from what is not YAML: %v\n%s", err, plain)
	}
}
