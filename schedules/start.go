package schedules

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// start is a checked start expression.
type start struct {
	spec  *cron.SpecSchedule
	times []TimeOfDay // ascending, never empty
}

// startError carries the rule that an expression breaks and what its text names.
type startError struct {
	rule Rule
	args []any
}

func (e *startError) Error() string { return (&Error{Rule: e.rule, Args: e.args}).Text("en") }

// cronField is the part of the cron syntax that is accepted: lists of numbers,
// names, ranges and steps. The parser behind it is laxer ("*-5", ",").
var cronField = regexp.MustCompile(`^(\*|\?|\w{1,3}(-\w{1,3})?)(/\d{1,2})?(,(\*|\?|\w{1,3}(-\w{1,3})?)(/\d{1,2})?)*$`)

// starBit is how cron marks a day field that restricts nothing.
const starBit = 1 << 63

// maxCron bounds an expression; listing every minute of an hour takes 170 bytes.
const maxCron = 400

// firstDay is where the search for a first start begins. Any day would do: the
// search spans five years, so it meets a 29 February.
var firstDay = Date{2001, time.January, 1}

// cronPart is one of the six fields of a cron expression.
type cronPart struct {
	option cron.ParseOption
	zh, en string
	within string
}

// cronParts returns the fields in their order.
func cronParts() []cronPart {
	return []cronPart{
		{cron.Second, "秒", "second", "0–59"},
		{cron.Minute, "分", "minute", "0–59"},
		{cron.Hour, "时", "hour", "0–23"},
		{cron.Dom, "日", "day of the month", "1–31"},
		{cron.Month, "月", "month", "1–12, JAN–DEC"},
		{cron.Dow, "星期", "weekday", "0–6, SUN–SAT"},
	}
}

// Text returns the name of the field in lang.
func (p cronPart) Text(lang string) string {
	if lang == "en" {
		return p.en
	}
	return p.zh
}

// accepts reports whether field is what p may hold.
func (p cronPart) accepts(field string) bool {
	if !cronField.MatchString(field) || strings.Contains(field, "?") && (field != "?" || p.option != cron.Dom && p.option != cron.Dow) {
		return false
	}
	_, err := cron.NewParser(p.option).Parse(field)
	return err == nil
}

// parseStart checks a start expression: 07:30, or cron with five fields, or six
// with the seconds first.
func parseStart(expr string) (*start, *startError) {
	bad := func(r Rule, args ...any) (*start, *startError) {
		return nil, &startError{r, append([]any{shorten(expr)}, args...)}
	}
	if t, err := ParseTimeOfDay(expr); err == nil && t < dayLength {
		s := int(time.Duration(t) / time.Second)
		return parseStart(fmt.Sprintf("%d %d %d * * *", s%60, s/60%60, s/3600))
	}
	fields := strings.Fields(expr)
	switch upper := strings.ToUpper(strings.TrimSpace(expr)); {
	case strings.HasPrefix(upper, "TZ=") || strings.HasPrefix(upper, "CRON_TZ="):
		return bad(RuleCronZone)
	case strings.HasPrefix(upper, "@"):
		return bad(RuleCronEvery)
	case len(fields) != 5 && len(fields) != 6 || len(expr) > maxCron:
		return bad(RuleCron)
	}
	parts := cronParts()[6-len(fields):]
	for i, p := range parts {
		if !p.accepts(fields[i]) {
			return bad(RuleCronField, p, fields[i], p.within)
		}
	}
	parser := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	schedule, err := parser.Parse(expr)
	spec, ok := schedule.(*cron.SpecSchedule)
	if err != nil || !ok {
		return bad(RuleCron) // not reached: every field was accepted
	}
	if spec.Dom&starBit == 0 && spec.Dow&starBit == 0 {
		return bad(RuleCronDays)
	}
	s := &start{spec: spec}
	if n := s.perDay(); n > maxStarts {
		return bad(RuleCronOften, strconv.Itoa(n), strconv.Itoa(maxStarts))
	}
	first := spec.Next(firstDay.naive().Add(-time.Second))
	if first.IsZero() {
		return bad(RuleCronNever)
	}
	s.times = s.on(DateOf(first, time.UTC))
	return s, nil
}

// perDay returns how many starts a day has.
func (s *start) perDay() int {
	return ones(s.spec.Second) * ones(s.spec.Minute) * ones(s.spec.Hour)
}

func ones(bits uint64) int {
	n := 0
	for bits &^= starBit; bits != 0; bits &= bits - 1 {
		n++
	}
	return n
}

// on returns the times at which a slot starts on d by the wall clock, in
// ascending order, none if d is not one of its days. Next runs on naive times,
// so no change of clocks can hide or double a start; instants come later.
func (s *start) on(d Date) []TimeOfDay {
	var times []TimeOfDay
	day := d.naive()
	for t := s.spec.Next(day.Add(-time.Second)); !t.IsZero(); t = s.spec.Next(t) {
		tod := TimeOfDay(t.Sub(day))
		if tod >= dayLength {
			break
		}
		times = append(times, tod)
	}
	return times
}

// hits reports whether d is one of the days of s. At most one of the two day
// fields restricts, so a day has to satisfy both.
func (s *start) hits(d Date) bool {
	return s.spec.Month&(1<<d.Month) != 0 && s.spec.Dom&(1<<d.Day) != 0 && s.spec.Dow&(1<<d.Weekday()) != 0
}
