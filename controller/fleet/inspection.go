package fleet

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gatecast/internal/wire"
)

// Row ids of the store; 0 means not stored yet.
type (
	InspectionID int64
)

// Finding is what somebody found on the spot.
type Finding string

// The findings at a point.
const (
	Heard   Finding = "heard"   // 听到
	Unheard Finding = "unheard" // 未听到
)

// PointFindings is every finding, in the order in which they are offered.
var PointFindings = []Finding{Heard, Unheard}

// Good reports whether nothing has to be put right.
func (f Finding) Good() bool { return f == Heard }

// Inspection is what one person found at a point. It is never
// changed; a mistake is withdrawn and stays visible.
type Inspection struct {
	ID       InspectionID
	Key      string    // of the form; a form that arrives twice is kept once
	At       time.Time // when the listening ended
	Listened time.Duration
	Point    PointID
	Slot     wire.SlotID // that was listened to; empty for none
	Unit     UnitID      // of the point then
	Compound CompoundID  // likewise; 0 if none
	Finding  Finding
	Note     string
	Photo    PhotoID // 0 for none
	By       string  // login
	Name     string  // of that person then
	Created  time.Time

	Withdrawn   time.Time // zero while it stands
	WithdrawnBy string
	WithdrawnAs string // why
}

// Stands reports whether it was not withdrawn.
func (i Inspection) Stands() bool { return i.Withdrawn.IsZero() }

// Bounds of an inspection.
const (
	MaxListened   = 60 * time.Minute
	inspectedPast = 7 * 24 * time.Hour // how long after it an inspection may be written down
	maxNote       = 300                // characters
)

// CheckInspection returns i with its texts trimmed, or what is wrong with it.
func CheckInspection(i Inspection, now time.Time) (Inspection, error) {
	refuse := func(zh, en string, args ...any) error {
		return &Error{Code: Invalid, Text: fmt.Sprintf(zh, args...), TextEN: fmt.Sprintf(en, args...)}
	}
	i.Note = strings.TrimSpace(i.Note)
	switch {
	case i.Point == 0:
		return i, refuse("请先选择点位。", "Choose the point first.")
	case !slices.Contains(PointFindings, i.Finding):
		return i, refuse("请选择“听到”或“未听到”。", "Choose heard or not heard.")
	case len(i.Key) < 16 || len(i.Key) > 64:
		return i, refuse("表单不完整，请刷新页面后重填。", "The form is not whole: reload the page and fill it in again.")
	case i.At.IsZero() || i.At.After(now.Add(time.Minute)):
		return i, refuse("检查时间不能晚于现在。", "The time of the inspection may not be later than now.")
	case i.At.Before(now.Add(-inspectedPast)):
		return i, refuse("检查时间早于 7 天前，请核对。", "The time of the inspection is more than 7 days ago. Check it.")
	case i.Listened < 0 || i.Listened > MaxListened:
		return i, refuse("听的时长在 1 到 60 分钟之间。", "The time listened is between 1 and 60 minutes.")
	case i.Listened < time.Minute:
		return i, refuse("请选择听了多久。", "Choose how long you listened.")
	case utf8.RuneCountInString(i.Note) > maxNote:
		return i, refuse("备注最多 %d 个字。", "The note takes %d characters at most.", maxNote)
	case HoldsIdentity(i.Note) || MaskPhones(i.Note) != i.Note:
		return i, refuse("备注里不留身份证号和电话号码，请删去。", "Identity and telephone numbers are not kept in notes: remove them.")
	}
	return i, nil
}

// InspectionFilter selects inspections; zero fields select all.
type InspectionFilter struct {
	From, To time.Time // To is not included
	Unit     UnitID    // with all units below it
	Point    PointID
	By       string // login: 本人抽查
	Query    string // part of the note, or of the name or code of the point
	Finding  Finding
	Standing bool   // only those not withdrawn
	Sort     string // "at" (the newest first), "unit" or "finding"
	Limit    int    // 0 means all
	Offset   int
}

// InspectionEntry is an inspection with what lists and papers say of it.
type InspectionEntry struct {
	Inspection
	Code     string // of the point
	Title    string // name of the point
	SlotName string // 早 …; empty for none
}

// InspectionSum is what was found at one unit in a period. Withdrawn
// inspections do not count.
type InspectionSum struct {
	Unit    UnitID
	Points  int // inspections of points
	Unheard int // of these, not heard
}

// Observation is what one person heard of a slot: evidence beside that of the
// device, never in its place.
type Observation struct {
	Inspection InspectionID
	Point      PointID
	Slot       wire.SlotID
	Heard      bool
	From, To   time.Time // of the listening
	By         string    // login
}

// ObservedSlot is a slot about which something was observed or withdrawn.
type ObservedSlot struct {
	ID    int64 // of the observation
	Point PointID
	Slot  wire.SlotID
}

// ListenedTo returns the row whose slot was listened to longest from from to
// to; ok is false when none was. A play that begins at a slot's end may sound
// for a minute more.
func ListenedTo(rows []Obligation, from, to time.Time) (best Obligation, ok bool) {
	var most time.Duration
	for _, o := range rows {
		start, end := o.Start, o.End.Add(time.Minute)
		if from.After(start) {
			start = from
		}
		if to.Before(end) {
			end = to
		}
		if d := end.Sub(start); d > most {
			most, best, ok = d, o, true
		}
	}
	return best, ok
}
