package schedules

import (
	"slices"
	"time"
)

// Limits and defaults of the language.
const (
	DefaultEvery    = 5 * time.Minute  // one clip every five minutes
	DefaultMaxPlays = 6                // so that no slot becomes an endless loop
	DefaultGrace    = time.Minute      // or half of every, if that is shorter
	DefaultBudget   = 30 * time.Minute // sounding per point and day
	MaxBudget       = 90 * time.Minute // what a resident's complaint asked for

	maxWindow     = 12 * time.Hour
	minEvery      = time.Minute
	minDemoEvery  = 5 * time.Second
	maxPlays      = 60
	maxGrace      = 15 * time.Minute
	minGainDB     = -40
	maxStarts     = 1440 // a day; one a minute
	maxSlots      = 48
	maxOverrides  = 4 // one for each day type
	maxPlaylist   = 64
	maxRules      = 200
	maxRuleTimes  = 8
	maxRuleDays   = 400 // from first to last day of a dated rule
	maxExamples   = 200
	maxTargetList = 20_000
	maxMidday     = TimeOfDay(15 * time.Hour)
	middayEnd     = TimeOfDay(14 * time.Hour)
)

// Kinds of points.
const (
	KindGate    = "gate"    // 小区门口
	KindVillage = "village" // 村广播
	KindIndoor  = "indoor"  // 单位广播
)

// Kinds lists the kinds of points.
func Kinds() []string { return []string{KindGate, KindVillage, KindIndoor} }

// KindText returns the words for a kind of point in lang, "zh" or "en"; an
// unknown kind is returned as it is.
func KindText(kind, lang string) string {
	zh := map[string]string{KindGate: "小区门口", KindVillage: "村广播", KindIndoor: "单位广播"}
	en := map[string]string{KindGate: "compound gate", KindVillage: "village loudspeaker", KindIndoor: "indoor speaker"}
	words := zh
	if lang == "en" {
		words = en
	}
	if w, ok := words[kind]; ok {
		return w
	}
	return kind
}

// Programme is what the office writes. Fields mirror the YAML keys that the
// package comment describes. A Programme made by Parse is valid; one filled in
// by a form is valid when Check returns nil. It is read-only once a Compiler
// has it.
type Programme struct {
	ID          string
	Name        string
	Zone        string        // IANA name
	From, To    Date          // first and last day; zero: open
	Demo        bool          // exempt from every quiet rule and from the budget
	DailyBudget time.Duration // 0: DefaultBudget
	Targets     Targets
	Quiet       Quiet
	Slots       []SlotRule
	Examples    []Point // invented points for a preview without a registry

	file  string
	lines map[string]int // key path → line; nil unless parsed
}

// SlotRule is a slot as written: it becomes at most one Slot for each start of
// its cron expression.
type SlotRule struct {
	Key     string
	Name    string
	Days    []DayType // nil: every day
	Targets *Targets  // narrows the programme's targets; nil: all of them
	Pattern
	Overrides []Override
}

// Override changes a slot on some day types; what its Pattern leaves out stays
// as the slot has it.
type Override struct {
	Days []DayType
	Pattern
}

// Pattern is when a slot sounds and what. In a SlotRule a zero field means the
// default, in an Override the value of the slot.
type Pattern struct {
	Start    string        // "07:30" or a cron expression
	Until    TimeOfDay     // 0: Duration counts
	Duration time.Duration // 0: Until counts
	Every    time.Duration
	MaxPlays int
	Playlist []string
	GainDB   *float64 // 0 or below; nil: default 0
	Grace    *time.Duration
	Reason   string // why it must sound in soft quiet hours
}

// with returns p with the changes of o applied.
func (p Pattern) with(o Pattern) Pattern {
	if o.Start != "" {
		p.Start = o.Start
	}
	if o.Until != 0 || o.Duration != 0 {
		p.Until, p.Duration = o.Until, o.Duration
	}
	if o.Every != 0 {
		p.Every = o.Every
	}
	if o.MaxPlays != 0 {
		p.MaxPlays = o.MaxPlays
	}
	if o.Playlist != nil {
		p.Playlist = o.Playlist
	}
	if o.GainDB != nil {
		p.GainDB = o.GainDB
	}
	if o.Grace != nil {
		p.Grace = o.Grace
	}
	if o.Reason != "" {
		p.Reason = o.Reason
	}
	return p
}

// every returns the interval between plays.
func (p Pattern) every() time.Duration {
	if p.Every != 0 {
		return p.Every
	}
	return DefaultEvery
}

// gain returns the gain in dB.
func (p Pattern) gain() float64 {
	if p.GainDB != nil {
		return *p.GainDB
	}
	return 0
}

// grace returns how late a play may begin.
func (p Pattern) grace() time.Duration {
	if p.Grace != nil {
		return *p.Grace
	}
	return min(DefaultGrace, p.every()/2)
}

// plays returns how many plays fit a window of the given length.
func (p Pattern) plays(length time.Duration) int {
	limit := p.MaxPlays
	if limit == 0 {
		limit = DefaultMaxPlays
	}
	fit := (length + p.every() - 1) / p.every() // play k needs k×every < length
	return min(limit, int(fit))
}

// variant returns the pattern that holds on day type t, and false when the slot
// is not owed then.
func (s *SlotRule) variant(t DayType) (p Pattern, owed bool) {
	if s.Days != nil && !slices.Contains(s.Days, t) {
		return Pattern{}, false
	}
	for _, o := range s.Overrides {
		if slices.Contains(o.Days, t) {
			return s.Pattern.with(o.Pattern), true
		}
	}
	return s.Pattern, true
}

// ClipRefs returns every clip that p can play, each once, in the order of the
// file.
func (p *Programme) ClipRefs() []string {
	var refs []string
	add := func(list []string) {
		for _, ref := range list {
			if !slices.Contains(refs, ref) {
				refs = append(refs, ref)
			}
		}
	}
	for _, s := range p.Slots {
		add(s.Playlist)
		for _, o := range s.Overrides {
			add(o.Playlist)
		}
	}
	return refs
}

// Matches reports whether p's targets select pt. A slot may narrow this
// further; see SlotMatches.
func (p *Programme) Matches(pt Point) bool { return p.Targets.Matches(pt) }

// SlotMatches reports whether the slot with the given key is meant for pt.
func (p *Programme) SlotMatches(key string, pt Point) bool {
	for _, s := range p.Slots {
		if s.Key == key {
			return p.Matches(pt) && (s.Targets == nil || s.Targets.Matches(pt))
		}
	}
	return false
}

// ValidOn reports whether d is within p's validity dates.
func (p *Programme) ValidOn(d Date) bool {
	return (p.From.IsZero() || !d.Before(p.From)) && (p.To.IsZero() || !d.After(p.To))
}

// Budget returns how long a point of p may sound a day.
func (p *Programme) Budget() time.Duration {
	if p.DailyBudget == 0 {
		return DefaultBudget
	}
	return p.DailyBudget
}
