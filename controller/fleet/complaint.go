package fleet

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Row ids of the store; 0 means not stored yet.
type (
	ComplaintID int64
	LevelID     int64
)

// Channel is how a complaint came in.
type Channel string

// The channels.
const (
	Hotline Channel = "12345"
	Call    Channel = "phone"
	OnSite  Channel = "site"
)

// Channels is every channel, in the order in which they are offered.
var Channels = []Channel{Hotline, Call, OnSite}

// Measure is what is done about a complaint.
type Measure string

// The measures. Slots that are turned down count as any other; those of a stop
// are exempt only when a second person, who may sign off, confirmed the stop.
const (
	MeasureNone    Measure = "none"    // it is only kept
	MeasureLower   Measure = "lower"   // 调低一档 for 72 hours
	MeasureStop    Measure = "stop"    // 今日停播
	MeasureLasting Measure = "lasting" // 永久下调
)

// Measures is every measure, in the order in which they are offered.
var Measures = []Measure{MeasureLower, MeasureStop, MeasureLasting, MeasureNone}

// One step of turning down, and for how long it holds.
const (
	LevelStep = -6.0 // dB: half the voltage, heard by most as clearly softer
	LevelFor  = 72 * time.Hour
	// MaxLevel bounds what is taken away together: below it nobody can follow the
	// words at the gate, and a stop is the honest measure.
	MaxLevel = -18.0 // dB
)

// RestoreNotice is how long before it ends by itself a measure is announced.
const RestoreNotice = 24 * time.Hour

// Complaint is what somebody said about a point, and what was done. Who said it
// is not kept: neither name nor number nor flat.
type Complaint struct {
	ID        ComplaintID
	Point     PointID
	At        time.Time // what it is about
	Channel   Channel
	Reference string // number of the hotline's work order; may be empty
	Text      string
	Measure   Measure
	Mute      MuteID // of MeasureStop
	By        string // login of who kept it
	Created   time.Time

	Reply     string // what was answered; empty while it is open
	Replied   time.Time
	RepliedBy string
}

// ComplaintFilter selects complaints; zero fields select all.
type ComplaintFilter struct {
	Query    string // part of the text, the reference, or the name or code of the point or its compound
	Point    PointID
	Channel  Channel
	Open     bool // only those without an answer
	From, To time.Time
	Sort     string // "at" (the newest first), "point" or "measure"
	Limit    int    // 0 means all
	Offset   int
}

// Level is a point turned down: the gain of its slots that start before Until
// is lower by GainDB. Levels of a point add up, to MaxLevel at most.
type Level struct {
	ID        LevelID
	Point     PointID
	Complaint ComplaintID
	At        time.Time
	GainDB    float64   // below 0
	Until     time.Time // zero: until it is restored
	By        string
	Ended     time.Time // restored by hand; zero: it was not
	EndedBy   string
	EndReason string
}

// Open reports whether l lowers slots that start at t.
func (l Level) Open(t time.Time) bool {
	return l.Ended.IsZero() && (l.Until.IsZero() || t.Before(l.Until))
}

// GainAt returns by how many dB levels of one point lower a slot that starts
// at start: 0 or less.
func GainAt(levels []Level, start time.Time) float64 {
	sum := 0.0
	for _, l := range levels {
		if l.Open(start) {
			sum += l.GainDB
		}
	}
	return max(sum, MaxLevel)
}

// maxComplaint bounds the text of a complaint, in characters.
const maxComplaint = 500

// flat is a place where people live: 3-1-502, 3栋1单元502室.
var flat = regexp.MustCompile(`\d+\s*[-－–]\s*\d+\s*[-－–]\s*\d{3,4}|\d+\s*(号楼|栋|幢|单元)[^，。,.]{0,12}?\d{3,4}\s*(室|房)?|\d{3,4}\s*(室|房)`)

// landline is a telephone number with its area code.
var landline = regexp.MustCompile(`\b0\d{2,3}[-－ ]?\d{7,8}\b`)

// Impersonal refuses text with what tells who somebody is: identity numbers,
// telephone numbers, flats.
func Impersonal(text string) error {
	refuse := func(zh, en string) error {
		return &Error{Code: Invalid, Text: "内容里有" + zh + "。投诉记录不留投诉人信息，请删去再保存。", TextEN: "The text has " + en + " in it. Complaints are kept without who made them: take it out and save again."}
	}
	switch {
	case HoldsIdentity(text):
		return refuse("身份证号", "an identity number")
	case MaskPhones(text) != text || landline.MatchString(text):
		return refuse("电话号码", "a telephone number")
	case flat.MatchString(text):
		return refuse("门牌号", "the number of a flat")
	}
	return nil
}

// CheckComplaint returns c with its texts trimmed, or what is wrong with it.
func CheckComplaint(c Complaint, now time.Time) (Complaint, error) {
	refuse := func(zh, en string, args ...any) error {
		return &Error{Code: Invalid, Text: fmt.Sprintf(zh, args...), TextEN: fmt.Sprintf(en, args...)}
	}
	c.Text, c.Reference = strings.TrimSpace(c.Text), strings.TrimSpace(c.Reference)
	switch n := utf8.RuneCountInString(c.Text); {
	case c.Point == 0:
		return c, refuse("请先选择点位。", "Choose the point first.")
	case n < 2 || n > maxComplaint:
		return c, refuse("请写明投诉的内容，2 到 %d 个字。", "Say what the complaint is about, in 2 to %d characters.", maxComplaint)
	case utf8.RuneCountInString(c.Reference) > 60:
		return c, refuse("工单号最多 60 个字。", "The number of the work order may have 60 characters at most.")
	case !slices.Contains(Channels, c.Channel):
		return c, refuse("请选择来源：12345、电话或现场。", "Choose where it came from: 12345, telephone or on site.")
	case !slices.Contains(Measures, c.Measure):
		return c, refuse("请选择处置措施。", "Choose a measure.")
	case c.At.IsZero() || c.At.After(now.Add(time.Minute)):
		return c, refuse("时间不能晚于现在。", "The time may not be later than now.")
	case c.At.Before(now.AddDate(0, 0, -60)):
		return c, refuse("时间早于 60 天前，请核对。", "The time is more than 60 days ago. Check it.")
	}
	return c, Impersonal(c.Text)
}
