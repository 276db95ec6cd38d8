package fleet

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// DeadlineMode says until when a week's feedback (问题反馈) is due.
type DeadlineMode string

// The modes: the end of Sunday, or the end of Saturday for an office that reads
// "before Sunday" to the letter.
const (
	DueSunday   DeadlineMode = "sunday"
	DueSaturday DeadlineMode = "saturday"
)

// DeadlineModes is every mode; the first holds where none was chosen.
var DeadlineModes = []DeadlineMode{DueSunday, DueSaturday}

// Due returns until when the feedback of a week is on time: 24:00 of the day.
// What arrives at that instant is.
func (m DeadlineMode) Due(w ISOWeek, zone *time.Location) time.Time {
	if m == DueSaturday {
		return w.At(6, 0, zone)
	}
	return w.At(7, 0, zone)
}

// ReminderMinute is the minute of the day of a reminder: 09:00.
const ReminderMinute = 9 * 60

// reminderDays are Friday and Saturday, counted from Monday.
var reminderDays = []int{4, 5}

// Reminder returns which reminder of the week is due at now, from 1, and 0 before
// the first one and after the deadline. Of those that are due only the latest
// counts: nobody is reminded of Friday on Saturday.
func (m DeadlineMode) Reminder(w ISOWeek, now time.Time, zone *time.Location) (n int) {
	if !now.Before(m.Due(w, zone)) {
		return 0
	}
	for i, day := range reminderDays {
		if !now.Before(w.At(day, ReminderMinute, zone)) {
			n = i + 1
		}
	}
	return n
}

// FeedbackRules say since which week units owe feedback, and until when.
type FeedbackRules struct {
	// Modes holds in which week a mode began, the first one first. Before the
	// first one, and without any, the mode is DueSunday.
	Modes []FeedbackMode `json:"modes,omitempty"`
	// Since is the first week that is owed, as ISOWeek.String; empty before the
	// office ran.
	Since string `json:"since,omitempty"`
}

// FeedbackMode is a mode that holds from a week on.
type FeedbackMode struct {
	From string       `json:"from"` // ISOWeek.String
	Mode DeadlineMode `json:"mode"`
}

// SettingFeedback is the key under which an office keeps its FeedbackRules.
const SettingFeedback = "feedback.rules"

// ParseFeedbackRules returns the rules that text holds as JSON, the zero rules
// for "" and for what cannot be read.
func ParseFeedbackRules(text string) (r FeedbackRules) {
	if text == "" || json.Unmarshal([]byte(text), &r) != nil {
		return FeedbackRules{}
	}
	return r
}

// String returns the rules as ParseFeedbackRules reads them.
func (r FeedbackRules) String() string {
	b, err := json.Marshal(r)
	if err != nil {
		return "" // texts marshal
	}
	return string(b)
}

// Mode returns the mode that holds in a week.
func (r FeedbackRules) Mode(w ISOWeek) DeadlineMode {
	mode := DeadlineModes[0]
	for _, m := range r.Modes {
		from, ok := ParseWeek(m.From)
		if ok && !w.Before(from) && slices.Contains(DeadlineModes, m.Mode) {
			mode = m.Mode
		}
	}
	return mode
}

// Owed reports whether a week's feedback is owed at all.
func (r FeedbackRules) Owed(w ISOWeek) bool {
	since, ok := ParseWeek(r.Since)
	return !ok || !w.Before(since)
}

// With returns the rules with another mode from now on: from this week, or from
// the next one where the deadline would have passed already. Weeks that are over
// keep the deadline they had.
func (r FeedbackRules) With(mode DeadlineMode, now time.Time, zone *time.Location) FeedbackRules {
	from := WeekAt(now, zone)
	if !now.Before(mode.Due(from, zone)) {
		from = from.Add(1)
	}
	out := FeedbackRules{Since: r.Since}
	for _, m := range r.Modes {
		if w, ok := ParseWeek(m.From); ok && w.Before(from) {
			out.Modes = append(out.Modes, m)
		}
	}
	out.Modes = append(out.Modes, FeedbackMode{From: from.String(), Mode: mode})
	return out
}

// FeedbackPhotoID names a photo of a feedback.
type FeedbackPhotoID int64

// Bounds of one feedback.
const (
	MaxFeedbackItems = 20
	MaxFeedbackText  = 500 // characters of an item
	MaxItemPhotos    = 3
	MaxFeedbackNote  = 200 // characters of the office's note
)

// Feedback is what a unit filed for a week, in one version. Filing again makes
// another version; all are kept.
type Feedback struct {
	Unit     UnitID
	Week     ISOWeek
	Version  int            // from 1
	Items    []FeedbackItem // none in a 零报告
	At       time.Time
	By, Name string // login and name of who filed it
}

// Nil reports whether it is a 零报告: nothing to tell of.
func (f Feedback) Nil() bool { return len(f.Items) == 0 }

// FeedbackItem is one problem. Its number names it within the unit and week, in
// later versions too.
type FeedbackItem struct {
	Number int
	Text   string
	Photos []FeedbackPhotoID
}

// Check returns nil when f can be kept, otherwise a *Error of code Invalid.
func (f Feedback) Check() error {
	if len(f.Items) > MaxFeedbackItems {
		return unfit(fmt.Sprintf("一次最多报 %d 个问题，请把小问题合并。", MaxFeedbackItems), fmt.Sprintf("One feedback has %d problems at most: put small ones together.", MaxFeedbackItems))
	}
	seen := map[int]bool{}
	for i, it := range f.Items {
		n := i + 1
		switch {
		case strings.TrimSpace(it.Text) == "":
			return unfit(fmt.Sprintf("第 %d 个问题没有写内容。", n), fmt.Sprintf("Problem %d has no text.", n))
		case utf8.RuneCountInString(it.Text) > MaxFeedbackText:
			return unfit(fmt.Sprintf("第 %d 个问题超过 %d 个字，请写短些。", n, MaxFeedbackText), fmt.Sprintf("Problem %d has more than %d characters: shorten it.", n, MaxFeedbackText))
		case HoldsIdentity(it.Text):
			return unfit(fmt.Sprintf("第 %d 个问题里有身份证号，请删去再报送。", n), fmt.Sprintf("There is an identity number in problem %d. Remove it first.", n))
		case len(it.Photos) > MaxItemPhotos:
			return unfit(fmt.Sprintf("第 %d 个问题的照片多于 %d 张。", n, MaxItemPhotos), fmt.Sprintf("Problem %d has more than %d photos.", n, MaxItemPhotos))
		case it.Number < 1 || seen[it.Number]:
			return unfit(fmt.Sprintf("第 %d 个问题的编号有误，请重新打开这一页。", n), fmt.Sprintf("The number of problem %d is wrong: open the page again.", n))
		}
		seen[it.Number] = true
	}
	return nil
}

// ItemState is what the office decided about an item.
type ItemState string

// The states of an item.
const (
	ItemOpen   ItemState = "open"   // 待办
	ItemClosed ItemState = "closed" // 已办结
	ItemPassed ItemState = "passed" // 转办: somebody else sees to it
)

// ItemStates is every state.
var ItemStates = []ItemState{ItemOpen, ItemClosed, ItemPassed}

// ItemMark is one decision about an item, with a note. The latest one counts.
type ItemMark struct {
	Unit     UnitID
	Week     ISOWeek
	Number   int
	State    ItemState
	Note     string
	At       time.Time
	By, Name string
}

// Check returns nil when m can be kept, otherwise a *Error of code Invalid.
func (m ItemMark) Check() error {
	switch {
	case !slices.Contains(ItemStates, m.State):
		return unfit("请选择已办结、转办或待办。", "Choose closed, passed on or open.")
	case utf8.RuneCountInString(m.Note) > MaxFeedbackNote:
		return unfit(fmt.Sprintf("说明最多 %d 个字。", MaxFeedbackNote), fmt.Sprintf("The note has %d characters at most.", MaxFeedbackNote))
	case m.State == ItemPassed && strings.TrimSpace(m.Note) == "":
		return unfit("转办要写明转给谁。", "Say in the note whom it is passed on to.")
	case HoldsIdentity(m.Note):
		return unfit("说明里有身份证号，请删去。", "There is an identity number in the note. Remove it.")
	}
	return nil
}

// FeedbackState is how a unit stands with a week's feedback.
type FeedbackState string

// The states, in the order of the list of a Monday.
const (
	FeedbackFiled   FeedbackState = "filed"   // 已报
	FeedbackNil     FeedbackState = "nil"     // 零报告
	FeedbackLate    FeedbackState = "late"    // 逾期: it came, after the deadline
	FeedbackMissing FeedbackState = "missing" // 未报, and the deadline has passed
	FeedbackOpen    FeedbackState = "open"    // 未到期
)

// FeedbackStates is every state.
var FeedbackStates = []FeedbackState{FeedbackFiled, FeedbackNil, FeedbackLate, FeedbackMissing, FeedbackOpen}

// FeedbackStanding is one unit's week.
type FeedbackStanding struct {
	Unit     Unit
	Week     ISOWeek
	Due      time.Time
	State    FeedbackState
	Overdue  time.Duration // past Due: when it came, or by now; 0 when on time
	First    time.Time     // when the first version came; zero for none
	Latest   time.Time     // and the latest
	Versions int
	Nil      bool // the latest version is a 零报告
	Items    int  // of the latest version
	Pending  int  // of Items: neither closed nor passed on
}

// Stand sets State and Overdue from the other fields. The first version decides
// whether a unit was on time: who adds to it later is not late for that.
func (f *FeedbackStanding) Stand(now time.Time) {
	f.Overdue = 0
	switch {
	case f.Versions == 0 && now.After(f.Due):
		f.State, f.Overdue = FeedbackMissing, now.Sub(f.Due)
	case f.Versions == 0:
		f.State = FeedbackOpen
	case f.First.After(f.Due):
		f.State, f.Overdue = FeedbackLate, f.First.Sub(f.Due)
	case f.Nil:
		f.State = FeedbackNil
	default:
		f.State = FeedbackFiled
	}
}

// OverdueMinutes returns Overdue in minutes, a begun one counted.
func (f FeedbackStanding) OverdueMinutes() int {
	return int((f.Overdue + time.Minute - 1) / time.Minute)
}

// FeedbackCounts counts standings by state.
func FeedbackCounts(all []FeedbackStanding) map[FeedbackState]int {
	counts := map[FeedbackState]int{}
	for _, f := range all {
		counts[f.State]++
	}
	return counts
}

// OwesFeedback reports whether the unit is to file feedback: every unit in the
// register does, but the subdistrict that it is filed to.
func (u Unit) OwesFeedback() bool { return u.Listed() && u.Type != Subdistrict }
