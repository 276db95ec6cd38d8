package schedules

import (
	"slices"
	"strconv"
	"time"
)

// Codes of the built-in rules in Silence.Rule. Dated rules use their own id.
const (
	SilenceNight   = "night"   // 22:00–06:00; cannot be switched off
	SilenceMidday  = "midday"  // 12:00–14:00; see Midday
	SilenceOverlap = "overlap" // another slot sounds at the point; see Compiler
)

// night is the hard quiet of every point.
var night = TimeRange{TimeOfDay(22 * time.Hour), TimeOfDay(6 * time.Hour)}

// Soft quiet hours: a slot there gives a reason.
var (
	softEvening       = TimeRange{TimeOfDay(20*time.Hour + 30*time.Minute), TimeOfDay(22 * time.Hour)}
	softMorning       = TimeRange{TimeOfDay(6 * time.Hour), TimeOfDay(7 * time.Hour)}
	softMorningDayOff = TimeRange{TimeOfDay(6 * time.Hour), TimeOfDay(8*time.Hour + 30*time.Minute)}
)

// Quiet holds the quiet rules that a programme writes, beside the night, which
// always holds.
type Quiet struct {
	Midday Midday
	Dated  []QuietRule
}

// Midday changes the midday rest of one programme's slots.
type Midday struct {
	Until  TimeOfDay // 0: 14:00
	OffFor []string  // kinds of points without midday rest
	Reason string    // needed to switch it off for gates
}

// times returns when midday rest holds.
func (m Midday) times() TimeRange {
	if m.Until == 0 {
		return TimeRange{TimeOfDay(12 * time.Hour), middayEnd}
	}
	return TimeRange{TimeOfDay(12 * time.Hour), m.Until}
}

// QuietRule is a dated quiet rule such as an exam. It silences the slots of
// every programme at the points it selects, not only of the programme that
// holds it.
type QuietRule struct {
	ID       string
	Name     string
	From, To Date
	AllDay   bool        // or
	Times    []TimeRange // on each day from From to To
	GainDB   float64     // below 0: slots sound that much lower (限音); 0: not at all
	Document string      // 文号 or link
	Targets  *Targets    // nil: every point

	// Since and Until are for rules that come and go while slots run, and are
	// not written in YAML: a slot that starts before Since, or at Until or later,
	// is not concerned. Zero: no bound.
	Since, Until time.Time
}

// ranges returns the parts of each day for which r holds.
func (r *QuietRule) ranges() []TimeRange {
	if r.AllDay {
		return []TimeRange{{0, dayLength}}
	}
	return r.Times
}

// holds reports whether r holds at any moment of [start, end) in loc.
func (r *QuietRule) holds(start, end time.Time, loc *time.Location) bool {
	if start.Before(r.Since) || !r.Until.IsZero() && !start.Before(r.Until) {
		return false
	}
	// A range that began the day before may still last.
	for d := DateOf(start, loc).AddDays(-1); !d.After(DateOf(end, loc)); d = d.AddDays(1) {
		if d.Before(r.From) || d.After(r.To) {
			continue
		}
		if slices.ContainsFunc(r.ranges(), func(t TimeRange) bool { return t.holds(d, start, end, loc) }) {
			return true
		}
	}
	return false
}

// holds reports whether the occurrence of r that begins on d shares a moment
// with [start, end).
func (r TimeRange) holds(d Date, start, end time.Time, loc *time.Location) bool {
	from, to := r.window(d, loc)
	return start.Before(to) && end.After(from)
}

// holdsAround is holds for the occurrences around start and end.
func (r TimeRange) holdsAround(start, end time.Time, loc *time.Location) bool {
	for d := DateOf(start, loc).AddDays(-1); !d.After(DateOf(end, loc)); d = d.AddDays(1) {
		if r.holds(d, start, end, loc) {
			return true
		}
	}
	return false
}

// nightSilence, middaySilence and silence return what a slot says when the rule
// silences it.
func nightSilence() *Silence {
	return &Silence{Rule: SilenceNight, Text: "夜间静默 " + night.String(), English: "night quiet " + night.String()}
}

func middaySilence(m Midday) *Silence {
	t := m.times().String()
	return &Silence{Rule: SilenceMidday, Text: "午间静默 " + t, English: "midday rest " + t}
}

func (r *QuietRule) silence() *Silence {
	zh, en := "全天", "all day"
	if !r.AllDay {
		zh = ""
		for _, t := range r.Times {
			if zh != "" {
				zh += "、"
			}
			zh += t.String()
		}
		en = zh
	}
	dates := r.From.String()
	if r.To != r.From {
		dates += "–" + r.To.String()
	}
	if r.GainDB < 0 {
		by := strconv.FormatFloat(r.GainDB, 'f', -1, 64) + " dB"
		zh, en = zh+" 限音 "+by, en+" lowered by "+by
	}
	return &Silence{
		Rule:    r.ID,
		Text:    r.Name + " " + dates + " " + zh + "（" + r.Document + "）",
		English: r.Name + " " + dates + " " + en + " (" + r.Document + ")",
	}
}

// In returns the text of s in lang, "zh" or "en".
func (s *Silence) In(lang string) string {
	if lang == "en" && s.English != "" {
		return s.English
	}
	return s.Text
}
