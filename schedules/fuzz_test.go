package schedules

import (
	"errors"
	"strings"
	"testing"
)

// FuzzParse feeds the YAML parser. Whatever comes in, it answers with a
// programme that survives being written and compiled, or with errors that each
// have a line, a known rule and both texts.
func FuzzParse(f *testing.F) {
	f.Add(mustRead(f, "presets/default.yaml"))
	f.Add([]byte(full))
	f.Add([]byte(hourly))
	f.Add([]byte(demoAt("America/New_York", "*/10 30 2 * * *", "5s")))
	f.Add([]byte("id: &a [*a]"))
	f.Add([]byte("? [a, b]\n: c\n? {x: y}\n: - 1\n"))
	f.Add([]byte("id: !!binary aGk=\nname: !!int 3\nzone: !x UTC\nslots: !!set {a, b}\n"))
	f.Add([]byte("%YAML 1.1\n---\nid: x\n...\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("f.yaml", data)
		if err != nil {
			var errs Errors
			if p != nil || !errors.As(err, &errs) || len(errs) == 0 {
				t.Fatalf("Parse = %v, %v", p, err)
			}
			for _, e := range errs {
				if e.Line < 1 || e.Line > breaks(string(data))+2 {
					t.Fatalf("line %d of %v", e.Line, e)
				}
				checkTexts(t, e)
			}
			return
		}
		if err := p.Check(); err != nil {
			t.Fatalf("Check after Parse: %v", err)
		}
		roundTrip(t, p)
		c, err := NewCompiler([]*Programme{p}, nil)
		if err != nil {
			t.Fatal(err)
		}
		from := Date{2026, 6, 6}
		if !p.From.IsZero() {
			from = p.From
		}
		for _, pt := range append([]Point{gate(), village()}, p.Examples...) {
			for _, s := range c.Slots(pt, from, 2) {
				if s.Count < 1 || !s.Start.Before(s.End) || s.Clip(0) == "" {
					t.Fatalf("slot %+v", s)
				}
			}
		}
		p.Warnings()
	})
}

// breaks counts what YAML 1.1 takes for the end of a line.
func breaks(s string) int {
	n := 0
	for _, r := range s {
		if strings.ContainsRune("\n\r\u0085\u2028\u2029", r) {
			n++
		}
	}
	return n
}

// FuzzStart feeds the start expressions alone.
func FuzzStart(f *testing.F) {
	for _, s := range []string{"07:30", "30 7 * * *", "0 30 7 ? * MON-FRI", "TZ=", "@every 1ns", "0 8 31 2 *", "0/5,3-9/2 1 1 1 *"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		s, err := parseStart(expr)
		if err != nil {
			checkTexts(t, &Error{Rule: err.rule, Args: err.args})
			return
		}
		if len(s.times) == 0 || len(s.times) > maxStarts {
			t.Fatalf("parseStart(%q) has %d times", expr, len(s.times))
		}
	})
}

// FuzzCalendar feeds the holiday table.
func FuzzCalendar(f *testing.F) {
	f.Add(holidays2026)
	f.Add([]byte(`{"year": 2027, "days": [{"name": "元旦", "date": "2026-12-31", "isOffDay": false}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		cal := DefaultCalendar()
		err := cal.Import(data)
		if years := cal.Years(); err != nil && (len(years) != 1 || years[0] != 2026) {
			t.Fatalf("a refused import changed the calendar: %v", years)
		}
	})
}
