package schedules

import (
	"fmt"
	"time"
)

// Date is a calendar day without a time zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// String returns d as 2006-01-02.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// Point is what targets select on. Codes are those of the registry.
type Point struct {
	ID     string   // point code, e.g. "SF-01"
	Name   string   // shown to people
	Kind   string   // "gate", "village" or "indoor"
	Units  []string // codes of the unit the point belongs to and of all its ancestors
	Groups []string // codes of the publicity groups whose unit or grid holds the point
	Tags   []string
}

// Silence says why a slot does not sound.
type Silence struct {
	Rule    string // stable code: "night", "midday", "overlap", or the id of a dated rule
	Text    string // for people, Chinese, e.g. "夜间静默 22:00–06:00"
	English string // the same in English; see In
}

// Slot is a slot of a programme at one point on one date, materialised.
// Play k (from 0) starts at Start + k×Every and sounds Clips[k mod len(Clips)].
type Slot struct {
	ID         string // "<date>.<programme>.<slot key>", unique at a point, stable over versions
	Programme  string // programme id
	Key        string // slot key, unique within the programme
	Name       string // 早, 中, 晚 … as shown to people
	Date       Date   // local date of Start
	DayType    DayType
	Assumed    bool      // the calendar lacks the year; DayType goes by the day of the week
	Start, End time.Time // UTC instants; no play starts at or after End
	Every      time.Duration
	Count      int      // number of plays, ≥ 1
	Clips      []string // clip references as the programme writes them
	Gain       float64  // dB, ≤ 0
	Grace      time.Duration
	Silenced   *Silence // nil when it sounds
	Lowered    *Silence // the rule that has it sound lower, already in Gain; nil for none
}

// DayType classifies a date by the holiday table.
type DayType string

// The day types; the Chinese words are the ones of the interface.
const (
	Workday       DayType = "workday"         // 工作日
	RestDay       DayType = "rest_day"        // 休息日
	Holiday       DayType = "holiday"         // 法定节假日
	MakeUpWorkday DayType = "make_up_workday" // 调休上班
)
