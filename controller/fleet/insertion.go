package fleet

import (
	"fmt"
	"slices"
	"time"

	"gatecast/internal/wire"
)

// InsertionID is the row id of an Insertion; 0 means not stored yet.
type InsertionID int64

// InsertionState is where a 紧急插播 stands.
type InsertionState string

// The states of an insertion.
const (
	InsertionWaiting     InsertionState = "waiting"     // 待签发
	InsertionLive        InsertionState = "live"        // 已下发
	InsertionRefused     InsertionState = "refused"     // 不同意
	InsertionCancelled   InsertionState = "cancelled"   // 已取消
	InsertionUnconfirmed InsertionState = "unconfirmed" // 逾期未确认: sounded first, and nobody confirmed it in time
	InsertionOver        InsertionState = "over"        // 已结束: by Standing only
)

// Bounds of an insertion.
const (
	MaxRepeats = 10
	// ConfirmWithin is how long what sounded first may wait for the second
	// person; after it, it is stopped.
	ConfirmWithin = 2 * time.Hour
	// RepeatGap is the silence between two repeats.
	RepeatGap = 3 * time.Second
)

// Drill says that an insertion only tries the way: everything but the sound.
type Drill string

// The drills.
const (
	NoDrill     Drill = ""
	DrillTone   Drill = "tone"   // a low tone of two seconds
	DrillSilent Drill = "silent" // the same, so low that nobody hears it
)

// GainDB is what a drill takes off its tone.
func (d Drill) GainDB() float64 {
	switch d {
	case DrillTone:
		return -14
	case DrillSilent:
		return -60
	}
	return 0
}

// DrillEvery is how often an office should try the way.
const DrillEvery = 7 * 24 * time.Hour

// Signature is one person's word for an insertion.
type Signature struct {
	At       time.Time
	By, Name string
}

// Insertion is an urgent one-off broadcast of one clip.
type Insertion struct {
	ID       InsertionID
	At       time.Time
	By, Name string // login and name of who submitted it
	Clip     ClipID
	SHA256   string
	Title    string
	Text     string        // of the clip, as people read it
	Length   time.Duration // of the clip
	Drill    Drill         // 演练: none of it is meant for anybody
	Outside  bool          // the clip was not signed off for the library that day
	Area     Area
	Points   []PointID // of the area, as they were when it was submitted
	Repeats  int
	Until    time.Time // no play starts later
	Reason   string
	Quiet    Quiet // of the hours in which it was to sound when it was submitted
	First    bool  // 先播后审: it sounds before the second person looked
	Relay    bool  // its text goes down the tiers of groups once it is live

	Signatures []Signature
	State      InsertionState
	Start      time.Time // of the first play; zero before it is live
	Ended      time.Time // refused, cancelled or stopped; zero otherwise
	EndedBy    string    // login; empty for the controller
	EndReason  string
}

// Every is from the start of one repeat to that of the next, in whole seconds.
func (i Insertion) Every() time.Duration {
	return (i.Length + RepeatGap + time.Second - 1).Truncate(time.Second)
}

// Sounding is how long all repeats take.
func (i Insertion) Sounding() time.Duration { return time.Duration(i.Repeats) * i.Every() }

// Slot is the id of the insertion's slot in plans and records, at every point
// the same. It is on the day in zone on which it began; empty before. A drill
// is told by it.
func (i Insertion) Slot(zone *time.Location) wire.SlotID {
	if i.Start.IsZero() {
		return ""
	}
	kind := "insertion"
	if i.Drill != NoDrill {
		kind = "drill"
	}
	return wire.SlotID(fmt.Sprintf("%s.%s-%d.now", i.Start.In(zone).Format(time.DateOnly), kind, i.ID))
}

// Standing returns where the insertion stands at now.
func (i Insertion) Standing(now time.Time) InsertionState {
	if (i.State == InsertionLive || i.State == InsertionWaiting) && !now.Before(i.Until) {
		return InsertionOver
	}
	return i.State
}

// Needs returns how many others have to sign before it sounds: one for a clip
// of the library by day and for a drill, two for any other clip and in quiet
// hours.
func (i Insertion) Needs(quiet Quiet) int {
	if i.Drill != NoDrill {
		return 1
	}
	if i.Outside || quiet != NotQuiet || i.Quiet != NotQuiet {
		return 2
	}
	return 1
}

// Approved returns when it was let sound: with the last signature that it
// needed, or when it was submitted to sound first. Zero before that.
func (i Insertion) Approved() time.Time {
	if i.Start.IsZero() {
		return time.Time{}
	}
	at := i.At
	for _, s := range i.Signatures {
		if !i.First && s.At.Before(i.Start) {
			at = s.At
		}
	}
	return at
}

// Unconfirmed reports whether it sounded first and still waits for the second
// person.
func (i Insertion) Unconfirmed() bool {
	return i.First && i.State == InsertionLive && len(i.Signatures) == 0
}

func refuse(code Code, zh, en string) error { return &Error{Code: code, Text: zh, TextEN: en} }

// startLag gives plans time to arrive, so that gates begin together.
const startLag = 3 * time.Second

func (i *Insertion) begin(now time.Time) {
	i.State, i.Start = InsertionLive, now.Add(startLag+time.Second-1).Truncate(time.Second)
}

// Submit checks an insertion as somebody wants it and returns it as it is kept:
// waiting, or live at once where First is asked for and allowed. today is the
// clip's standing, hours those of the office, in whose zone now is.
func (i Insertion) Submit(by User, clip Clip, standing ClipState, hours QuietHours, now time.Time) (Insertion, error) {
	i.By, i.Name, i.At = by.Login, by.Name, now
	i.Clip, i.SHA256, i.Title, i.Text, i.Length = clip.ID, clip.SHA256, clip.Title, clip.Text, clip.Duration()
	i.Outside, i.State = standing != ClipApproved, InsertionWaiting
	y, m, d := now.Date()
	midnight := time.Date(y, m, d+1, 0, 0, 0, 0, now.Location())
	switch {
	case !May(by.Role, ActUrgent):
		return i, refuse(Forbidden, "你的账号不能提交紧急插播。", "Your account may not submit an urgent broadcast.")
	case clip.State == ClipRecalled:
		return i, refuse(Conflict, fmt.Sprintf("素材“%s”已被召回，不能播出。", clip.Title), fmt.Sprintf("The clip %q was recalled and may not be played.", clip.Title))
	case len(i.Points) == 0:
		return i, refuse(Invalid, "选中的范围里没有点位，请重新选择单位或点位。", "There is no point in what you chose. Choose units or points.")
	case i.Repeats < 1 || i.Repeats > MaxRepeats:
		return i, refuse(Invalid, fmt.Sprintf("重复次数应为 1 到 %d 次。", MaxRepeats), fmt.Sprintf("It can be repeated 1 to %d times.", MaxRepeats))
	case i.Reason == "":
		return i, refuse(Invalid, "请写明插播的原因。", "Say why it has to be broadcast.")
	case !i.Until.After(now):
		return i, refuse(Invalid, "有效时间已经过去，请选一个今天以后的钟点。", "It would have ended already. Choose a later time today.")
	case i.Until.Before(now.Add(i.Sounding())):
		return i, refuse(Invalid, "有效时间内播不完这么多遍，请减少次数或延后截止时间。", "That many repeats do not fit before its end. Take fewer, or a later end.")
	case i.Until.After(midnight):
		return i, refuse(Invalid, "紧急插播只在当天有效，请选今天之内的时间。", "An urgent broadcast is valid for one day. Choose a time today.")
	}
	i.Quiet = hours.Over(now, now.Add(i.Sounding()))
	if i.Drill != NoDrill && (i.First || i.Quiet != NotQuiet) {
		return i, refuse(Forbidden, "演练须有人签发，且不在静默时段进行。", "A drill has to be signed off, and never is in quiet hours.")
	}
	if !i.First {
		return i, nil
	}
	switch {
	case !May(by.Role, ActUrgentFirst):
		return i, refuse(Forbidden, "你的账号没有“先播后审”的权限，请提交后等另一人签发。", "Your account may not have it sound first. Submit it and have somebody sign it off.")
	case i.Quiet != NotQuiet:
		return i, refuse(Forbidden, "静默时段不能先播后审，须先有两人签发。", "In quiet hours nothing sounds first: two people have to sign it off.")
	}
	i.begin(now)
	return i, nil
}

// Sign adds the word of somebody else. What waited begins once there are enough
// of them; what sounds first is confirmed by one. hours are those of the office, in
// whose zone now is.
func (i Insertion) Sign(by User, hours QuietHours, now time.Time) (Insertion, error) {
	quiet := hours.Over(now, now.Add(i.Sounding()))
	switch {
	case !May(by.Role, ActApprove):
		return i, refuse(Forbidden, "只有签发人可以签发紧急插播。", "Only an approver can sign off an urgent broadcast.")
	case by.Login == i.By:
		return i, refuse(Forbidden, "提交人不能签发自己的插播，请另一位签发人处理。", "Who submitted it cannot sign it off. Ask another approver.")
	case slices.ContainsFunc(i.Signatures, func(s Signature) bool { return s.By == by.Login }):
		return i, refuse(Conflict, "你已经签发过，还需要另一位签发人。", "You have signed it already. Another approver has to.")
	case i.Standing(now) != InsertionWaiting && !(i.Unconfirmed() && i.Standing(now) == InsertionLive):
		return i, refuse(Conflict, "这条插播已经不在等待签发。", "This broadcast does not wait for a signature any more.")
	case i.Drill != NoDrill && quiet != NotQuiet:
		return i, refuse(Forbidden, "静默时段不演练，请换个时间。", "There is no drill in quiet hours. Take another time.")
	}
	i.Signatures = append(slices.Clone(i.Signatures), Signature{now, by.Login, by.Name})
	if i.State == InsertionWaiting && len(i.Signatures) >= i.Needs(quiet) {
		i.begin(now)
	}
	return i, nil
}

// End refuses what waits, or cancels what sounds. Who submitted it may cancel
// it, and so may every approver; only an approver refuses.
func (i Insertion) End(by User, reason string, now time.Time) (Insertion, error) {
	state := i.Standing(now)
	switch {
	case by.Login != i.By && !May(by.Role, ActApprove):
		return i, refuse(Forbidden, "只有提交人和签发人可以取消这条插播。", "Only who submitted it and approvers can cancel this broadcast.")
	case state != InsertionWaiting && state != InsertionLive:
		return i, refuse(Conflict, "这条插播已经结束。", "This broadcast is over.")
	}
	i.State, i.Ended, i.EndedBy, i.EndReason = InsertionCancelled, now, by.Login, reason
	if state == InsertionWaiting && by.Login != i.By {
		i.State = InsertionRefused
	}
	return i, nil
}

// Lapse stops what sounded first and was not confirmed in time; ok is false
// where there is nothing to stop.
func (i Insertion) Lapse(now time.Time) (Insertion, bool) {
	if !i.Unconfirmed() || now.Before(i.At.Add(ConfirmWithin)) {
		return i, false
	}
	i.State, i.Ended = InsertionUnconfirmed, now
	return i, true
}
