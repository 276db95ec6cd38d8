package fleet

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"gatecast/internal/wire"
)

// Row ids of the store; 0 means not stored yet.
type (
	RuleID      int64 // of one version of a rule
	DeductionID int64
	AppealID    int64
)

// Hundredths is a number of points, weights or scores in hundredths, so that
// sums are exact: 50 is 0.5.
type Hundredths int64

// maxHundredths is 1000 points: more is a slip of the hand.
const maxHundredths Hundredths = 1000_00

// ParseHundredths reads a number that is not negative, with at most two
// digits behind the point, such as 0.5.
func ParseHundredths(text string) (Hundredths, error) {
	text = strings.TrimSpace(text)
	whole, part, _ := strings.Cut(text, ".")
	n, err := strconv.ParseUint(whole+(part + "00")[:2], 10, 32)
	if err != nil || whole == "" || len(part) > 2 || Hundredths(n) > maxHundredths {
		return 0, &Error{
			Code: Invalid, Err: err,
			Text:   fmt.Sprintf("%q 不是分值，请写 0 到 1000 的数，最多两位小数，例如 0.5。", text),
			TextEN: fmt.Sprintf("%q is no number of points: write one from 0 to 1000 with two decimals at most, like 0.5.", text),
		}
	}
	return Hundredths(n), nil
}

// String is h as ParseHundredths reads it, without zeros at the end.
func (h Hundredths) String() string {
	return strconv.FormatFloat(float64(h)/100, 'f', -1, 64)
}

// DeductionRule is one version of a rule by which points are deducted. The
// office types all of them; a version is never changed, editing makes the next.
type DeductionRule struct {
	ID      RuleID
	Code    string // the same in every version
	Version int    // from 1
	Text    string
	Points  Hundredths // for each slot; for one that is not about slots, as a whole

	From, To Day       // holds for slots of these days, both included; To empty: until it is changed
	Verdicts []Verdict // of slots that it is about; empty: not about slots
	Ended    bool      // the rule holds no more: a version of its own
	At       time.Time
	By       string // login
}

// RuleVerdicts are the verdicts that a rule may be about.
var RuleVerdicts = []Verdict{Missed, Partial, Doubt}

// Holds reports whether the rule is for something of that day.
func (r DeductionRule) Holds(d Day) bool { return !r.Ended && r.From <= d && (r.To == "" || d <= r.To) }

// CheckRule returns r with its texts trimmed, or what is wrong with it.
func CheckRule(r DeductionRule) (DeductionRule, error) {
	r.Code, r.Text = strings.TrimSpace(r.Code), strings.TrimSpace(r.Text)
	switch n := utf8.RuneCountInString(r.Text); {
	case r.Code == "" || utf8.RuneCountInString(r.Code) > 20:
		return r, invalid("请填写规则编号，最多 20 个字。", "Write the rule's code, in 20 characters at most.")
	case n < 4 || n > 500:
		return r, invalid("请写出规则的内容，4 到 500 个字。", "Write what the rule says, in 4 to 500 characters.")
	case r.Points <= 0:
		return r, invalid("请填写分值，要大于 0。", "Write the points; they have to be above 0.")
	case !validDay(r.From):
		return r, invalid("开始日期请写成 2026-11-23 的样子。", "Write the first day like 2026-11-23.")
	case r.To != "" && !validDay(r.To):
		return r, invalid("结束日期请写成 2026-11-23 的样子，或者留空。", "Write the last day like 2026-11-23, or leave it empty.")
	case r.To != "" && r.To < r.From:
		return r, invalid("结束日期早于开始日期，请核对。", "The last day is before the first. Check them.")
	case slices.ContainsFunc(r.Verdicts, func(v Verdict) bool { return !slices.Contains(RuleVerdicts, v) }):
		return r, invalid("规则只能针对未播、部分播和存疑的时段。", "A rule can be about slots that were missed, partly played or doubtful.")
	}
	return r, nil
}

func validDay(d Day) bool {
	_, err := time.Parse(time.DateOnly, string(d))
	return err == nil
}

func invalid(zh, en string) error { return &Error{Code: Invalid, Text: zh, TextEN: en} }

// DeductionState is how far a deduction has come.
type DeductionState string

// The states. A deduction begins as a draft; what is notified counts, until it
// is revoked.
const (
	DeductionDraft    DeductionState = "draft"    // 拟扣
	DeductionNotified DeductionState = "notified" // 告知
	DeductionAppealed DeductionState = "appealed" // 申诉
	DeductionUpheld   DeductionState = "upheld"   // 维持
	DeductionRevoked  DeductionState = "revoked"  // 撤销
)

// DeductionStates is every state, in the order of their course.
var DeductionStates = []DeductionState{DeductionDraft, DeductionNotified, DeductionAppealed, DeductionUpheld, DeductionRevoked}

// Counts reports whether a deduction in state s is in the totals. An appeal
// suspends nothing: the points stand until somebody decides.
func (s DeductionState) Counts() bool {
	return s == DeductionNotified || s == DeductionAppealed || s == DeductionUpheld
}

// deductionWays is from where to where a deduction may go.
var deductionWays = map[DeductionState][]DeductionState{
	DeductionDraft:    {DeductionNotified, DeductionRevoked},
	DeductionNotified: {DeductionAppealed, DeductionUpheld, DeductionRevoked},
	DeductionAppealed: {DeductionUpheld, DeductionRevoked},
	DeductionUpheld:   {DeductionRevoked},
}

// May reports whether a deduction in state s may come to state to.
func (s DeductionState) May(to DeductionState) bool { return slices.Contains(deductionWays[s], to) }

// Proof is one slot that a deduction rests on, as it stood when the deduction
// was made. It never changes; what is known today stands in the ledger.
type Proof struct {
	Point      PointID
	PointCode  string
	PointName  string
	Day        Day
	Slot       wire.SlotID
	SlotName   string
	Start, End time.Time
	Programme  string // code
	Version    int    // of the programme in force

	Verdict   Verdict
	Grade     Grade
	Reason    wire.Reason
	Note      string
	Plays     int // owed
	PlaysOK   int // that sounded whole
	Revisions int // corrections of the verdict until then
	Demo      bool

	Device   wire.DeviceID // that was to play; empty for none
	Online   bool          // when the deduction was made
	LastSeen time.Time     // of the device; zero: never, or there is none
	Records  int           // outcomes of the slot that the device wrote, and that were here

	Link  []Outage // times within the slot at which the office could not hear the gates
	Peers Counts   // what came of slots of this name on this day at the other points of the unit
}

// Deduction is points deducted from a unit, by one version of a rule. What it
// rests on, the points and the rule never change; only its state goes on.
type Deduction struct {
	ID     DeductionID
	Unit   UnitID
	Name   string // of the unit, as it was then
	Rule   DeductionRule
	Day    Day // that it belongs to: of the last slot, or as typed
	Points Hundredths
	Ground string // what it is about in words; may be empty where there are proofs
	Proofs []Proof

	State        DeductionState
	At           time.Time // made
	By, ByName   string    // login and name of who made it
	Year, Number int       // of the notice (告知单), within the year; 0 while it is a draft
	Notified     time.Time
	Deadline     time.Time // of an appeal
	Decided      time.Time // the last 维持 or 撤销
	DecidedBy    string
	Reason       string // of that decision
}

// DeductionStep is one change of state. Steps are never changed or removed.
type DeductionStep struct {
	Deduction DeductionID
	At        time.Time
	By, Name  string         // login and name then
	From, To  DeductionState // From empty: it was made
	Reason    string
}

// Appeal is what a unit says against a deduction. There may be several: later
// ones add to the first.
type Appeal struct {
	ID        AppealID
	Deduction DeductionID
	At        time.Time
	By, Name  string
	Text      string
	Photo     bool // there is one
}

// DeductionFilter selects deductions; zero fields select all.
type DeductionFilter struct {
	From, To Day // of Deduction.Day, both included
	Unit     UnitID
	State    DeductionState
	Query    string // part of the unit's name, the rule's code or text, the ground
	NoDrafts bool
	Sort     string // "unit", "points" or "state"; anything else means by day, the newest first
	Limit    int    // 0 means all
	Offset   int
}

// DeductionTotal is what counts of a unit in a period.
type DeductionTotal struct {
	Unit     UnitID
	Name     string
	Points   Hundredths // of all that count
	Count    int
	Appealed Hundredths // of Points, what is under appeal
	Revoked  int        // deductions that do not count any more
}

// DeductionTotals adds up by unit, in the order of the units' ids.
func DeductionTotals(all []Deduction) []DeductionTotal {
	by := map[UnitID]*DeductionTotal{}
	var order []UnitID
	for _, d := range all {
		t := by[d.Unit]
		if t == nil {
			t = &DeductionTotal{Unit: d.Unit, Name: d.Name}
			by[d.Unit] = t
			order = append(order, d.Unit)
		}
		if d.State == DeductionRevoked && d.Number > 0 {
			t.Revoked++
		}
		if !d.State.Counts() {
			continue
		}
		t.Points += d.Points
		t.Count++
		if d.State == DeductionAppealed {
			t.Appealed += d.Points
		}
	}
	slices.Sort(order)
	totals := make([]DeductionTotal, 0, len(order))
	for _, u := range order {
		totals = append(totals, *by[u])
	}
	return totals
}

// DeductionFile is a deduction with all that belongs to it.
type DeductionFile struct {
	Deduction
	Steps   []DeductionStep // oldest first
	Appeals []Appeal        // oldest first
}

// DeductionNews is a notice that was given or decided about: what the next
// bulletin tells.
type DeductionNews struct {
	Deduction Deduction // without proofs, as it stands now
	Step      DeductionStep
}
