package fleet

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Row ids of the relay. 0 means not stored yet.
type (
	RelayID     int64
	RelayTaskID int64
)

// RelayItem is something that the office passes down the three tiers of
// groups. People pass it on; the software never posts into a group.
type RelayItem struct {
	ID        RelayID
	Text      string // to be pasted; may be empty beside a picture or clip
	Picture   bool   // it has a picture
	Clip      ClipID // 0 if none
	Source    string // where it came from, e.g. 区总指挥群
	Received  time.Time
	Created   time.Time
	By, Name  string      // login and name of who pasted it
	Units     []UnitID    // only these and what is below them; nil means all
	Urgent    bool        // shorter deadlines
	Insertion InsertionID // the urgent broadcast that it goes with; 0 if none
	Closed    time.Time   // when the office ended it before everybody had passed it on; zero if not

	Tasks, Done, Late int // of its tasks: all, done, and due before the reading; set by the store
}

// LongestRelayText is the most characters of an item: WeChat takes 2,000 or so
// in one message.
const LongestRelayText = 1800

// Check returns nil when the item can be passed on, otherwise a *Error of code
// Invalid. picture says that a picture comes with it.
func (i RelayItem) Check(picture bool, now time.Time) error {
	refuse := func(zh, en string) error { return &Error{Code: Invalid, Text: zh, TextEN: en} }
	switch {
	case strings.TrimSpace(i.Text) == "" && !picture && i.Clip == 0:
		return refuse("请粘贴要转发的文字，或选一张图片、一段素材。", "Paste the text to pass on, or choose a picture or a clip.")
	case len([]rune(i.Text)) > LongestRelayText:
		return refuse(fmt.Sprintf("文字最多 %d 个字，微信一条消息放不下更多。", LongestRelayText),
			fmt.Sprintf("A text has %d characters at most: no message takes more.", LongestRelayText))
	case len([]rune(i.Source)) > 60:
		return refuse("来源最多 60 个字。", "The source has 60 characters at most.")
	case i.Received.After(now.Add(time.Minute)):
		return refuse("收到时间不能晚于现在。", "It cannot have been received later than now.")
	case HoldsIdentity(i.Text) || HoldsIdentity(i.Source):
		return refuse("文字里有身份证号，请删去再转发。", "There is an identity number in the text. Remove it first.")
	}
	return nil
}

// Concerns reports whether the item goes to groups of unit, which is at the end
// of path: the ids of the units above it and its own.
func (i RelayItem) Concerns(path []UnitID) bool {
	return len(i.Units) == 0 || slices.ContainsFunc(path, func(u UnitID) bool { return slices.Contains(i.Units, u) })
}

// RelayTask is one group's turn to pass an item on.
type RelayTask struct {
	ID       RelayTaskID
	Item     RelayID
	Group    GroupID
	Tier     int
	Parent   RelayTaskID // the task whose tick made this one; 0 for the first
	Created  time.Time   // since when it can be done
	Due      time.Time
	Done     time.Time // zero while it is to be done
	By, Name string    // login and name of who ticked it
	Shot     bool      // there is a screenshot
}

// Late reports whether the task is or was done after its due time.
func (t RelayTask) Late(now time.Time) bool {
	if !t.Done.IsZero() {
		return t.Done.After(t.Due)
	}
	return now.After(t.Due)
}

// RelayFilter selects tasks. The zero value selects all.
type RelayFilter struct {
	Item  RelayID
	Unit  UnitID    // of the group, with all units below it
	Open  bool      // not done, of items that were not ended
	Since time.Time // only tasks made or done at or after it, and open ones
	Due   time.Time // only those due before; zero means any
	Limit int       // 0 means no limit
}
