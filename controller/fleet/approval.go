package fleet

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gatecast/internal/wire"
)

// ClipState is where a clip stands on its way to the loudspeaker. Only an
// approved clip sounds, and only within its validity.
type ClipState string

// The states of a clip. That a clip has expired follows from its days and is
// no state of its own: see Clip.Standing.
const (
	ClipDraft     ClipState = "draft"     // 草稿
	ClipSubmitted ClipState = "submitted" // 待签发
	ClipApproved  ClipState = "approved"  // 已签发
	ClipReturned  ClipState = "returned"  // 已退回
	ClipRecalled  ClipState = "recalled"  // 已召回

	// What Standing says besides.
	ClipExpired ClipState = "expired" // 已过期: approved, and its last day is over
	ClipAhead   ClipState = "ahead"   // 未到期: approved, and its first day has not come
)

// ClipStates is every standing, in the order in which they are offered.
var ClipStates = []ClipState{ClipSubmitted, ClipReturned, ClipDraft, ClipApproved, ClipAhead, ClipExpired, ClipRecalled}

// ClipStep is what a person does to a clip.
type ClipStep string

// The steps, and what stands in the history besides.
const (
	StepUpload  ClipStep = "upload"  // 上传
	StepEdit    ClipStep = "edit"    // 修改: other words or days
	StepSubmit  ClipStep = "submit"  // 送审
	StepApprove ClipStep = "approve" // 签发
	StepReturn  ClipStep = "return"  // 退回
	StepRecall  ClipStep = "recall"  // 召回
	StepCarried ClipStep = "carried" // 沿用: sounded before there was approval
)

// ClipTerms is what is signed with the audio: the words shown for it and the
// days on which it may sound, both included; an empty day is no bound.
type ClipTerms struct {
	Title      string `json:"title"`
	Text       string `json:"text"`
	ValidFrom  Day    `json:"valid_from,omitempty"`
	ValidUntil Day    `json:"valid_until,omitempty"`
}

// ClipDecision is one step by one person, as it is asked for.
type ClipDecision struct {
	Step    ClipStep
	By      User
	At      time.Time
	Today   Day    // of the office at At; empty leaves out what depends on it
	Address string // where the person sat
	Reason  string // of a return, a recall, and of a submission after a recall
	// Revision is that of the clip which the person saw; a sign-off of another
	// one is refused. 0, in every other step, means whatever is there.
	Revision int
	Terms    ClipTerms // of StepEdit
	Heard    bool      // who signs has fetched the audio before
	Long     bool      // who signs knows that it is longer than others may be
}

// ClipEvent is one line of a clip's history, never changed or removed.
type ClipEvent struct {
	At       time.Time
	Step     ClipStep
	Was, Now ClipState
	By       string // login
	Name     string // as it was then
	Address  string
	Reason   string
	Terms    ClipTerms // as they were signed, or stood when the step was taken
	SHA256   string    // of the audio
	Heard    bool      // who signed had fetched the audio before
}

// ClipPurge says whether a point's device still has a recalled clip.
type ClipPurge struct {
	Point    PointID
	Device   wire.DeviceID
	Recalled time.Time
	Purged   time.Time // the device said so then; zero while it has not
}

// Longest words that are signed with a clip, in characters.
const (
	MaxClipTitle  = 80
	MaxClipText   = 2000
	MaxClipReason = 500
)

// Terms returns what was signed last, or stands to be signed in a clip that
// never was.
func (c Clip) Terms() ClipTerms { return ClipTerms{c.Title, c.Text, c.ValidFrom, c.ValidUntil} }

// Pending reports whether c waits for a sign-off: as a whole, or for other
// words or days than those in force.
func (c Clip) Pending() bool { return c.State == ClipSubmitted || c.Change != nil }

// Wanted returns the terms that a sign-off would put in force.
func (c Clip) Wanted() ClipTerms {
	if c.Change != nil {
		return *c.Change
	}
	return c.Terms()
}

// Standing returns the state of c on a day: its State, or that it has expired
// or is not valid yet.
func (c Clip) Standing(day Day) ClipState {
	switch {
	case c.State != ClipApproved || day == "":
		return c.State
	case c.ValidUntil != "" && day > c.ValidUntil:
		return ClipExpired
	case c.ValidFrom != "" && day < c.ValidFrom:
		return ClipAhead
	}
	return ClipApproved
}

// MaySound reports whether c may sound on every day from first to last.
func (c Clip) MaySound(first, last Day) bool {
	return c.Standing(first) == ClipApproved && c.Standing(last) == ClipApproved
}

// MaySign returns nil if by may sign off what waits in c, and otherwise who
// has to. Whoever uploaded, changed or submitted the clip at any time may not,
// whatever their role is now; nor may an administrator.
func (c Clip) MaySign(by User) error {
	if !May(by.Role, ActApprove) {
		return &Error{
			Code:   Forbidden,
			Text:   fmt.Sprintf("“%s”要由签发人签发，您的账号不是签发人。", c.Title),
			TextEN: fmt.Sprintf("%q has to be signed off by an approver, and your account is none.", c.Title),
		}
	}
	if slices.Contains(c.Hands, by.Login) {
		return &Error{
			Code:   Forbidden,
			Text:   fmt.Sprintf("“%s”由您上传、修改或送审过，须由另一位签发人签发。", c.Title),
			TextEN: fmt.Sprintf("You uploaded, changed or submitted %q, so another approver has to sign it off.", c.Title),
		}
	}
	return nil
}

// Decide returns c after the step d, or why it is refused, as a *Error. The
// event is the line for the history. It is a pure function:
//
//	submit    draft, returned → submitted; recalled → submitted with a reason
//	approve   submitted → approved; a change that waits comes into force
//	return    submitted → returned; a change that waits is dropped
//	recall    approved, also while a change waits → recalled, with a reason
//	edit      draft, returned, submitted → draft; of an approved clip a change
//	          that waits for a sign-off, while what was signed stays in force
func (c Clip) Decide(d ClipDecision) (Clip, ClipEvent, error) {
	d.Reason = strings.TrimSpace(d.Reason)
	was := c.State
	var err error
	switch d.Step {
	case StepSubmit:
		err = c.submit(d)
	case StepApprove:
		err = c.approve(d)
	case StepReturn:
		err = c.giveBack(d)
	case StepRecall:
		err = c.recall(d)
	case StepEdit:
		err = c.edit(d)
	default:
		err = &Error{Code: Invalid, Text: "没有这个操作。", TextEN: "There is no such step."}
	}
	if err == nil && utf8.RuneCountInString(d.Reason) > MaxClipReason {
		err = &Error{Code: Invalid, Text: fmt.Sprintf("理由不能超过 %d 个字。", MaxClipReason), TextEN: fmt.Sprintf("A reason has at most %d characters.", MaxClipReason)}
	}
	if err != nil {
		return Clip{}, ClipEvent{}, err
	}
	c.Revision++
	e := ClipEvent{
		At: d.At, Step: d.Step, Was: was, Now: c.State, By: d.By.Login, Name: d.By.Name, Address: d.Address,
		Reason: d.Reason, Terms: c.Wanted(), SHA256: c.SHA256, Heard: d.Heard && d.Step == StepApprove,
	}
	return c, e, nil
}

func (c *Clip) enter(s ClipState, d ClipDecision) {
	c.State, c.Since, c.Reason = s, d.At, d.Reason
}

// touch keeps login among those who may not sign.
func (c *Clip) touch(login string) {
	if !slices.Contains(c.Hands, login) {
		c.Hands = append(slices.Clone(c.Hands), login)
	}
}

func mayUpload(by User) error {
	if May(by.Role, ActUpload) {
		return nil
	}
	return &Error{Code: Forbidden, Text: "您的账号不能送审或修改素材。", TextEN: "Your account may not submit or change clips."}
}

func (c *Clip) submit(d ClipDecision) error {
	if err := mayUpload(d.By); err != nil {
		return err
	}
	switch c.State {
	case ClipDraft, ClipReturned:
	case ClipRecalled:
		if d.Reason == "" {
			return &Error{
				Code:   Invalid,
				Text:   fmt.Sprintf("“%s”被召回过，重新送审须写明理由。", c.Title),
				TextEN: fmt.Sprintf("%q was recalled: say why it is submitted again.", c.Title),
			}
		}
	default:
		return c.conflict("已经送审或签发，无需再送审", "was submitted or signed off already")
	}
	if err := c.Terms().check(d.Today); err != nil {
		return err
	}
	c.enter(ClipSubmitted, d)
	c.Submitter, c.Submitted = d.By.Login, d.At
	c.touch(d.By.Login)
	return nil
}

func (c *Clip) approve(d ClipDecision) error {
	if err := c.MaySign(d.By); err != nil {
		return err
	}
	if !c.Pending() {
		return c.conflict("不在待签发之列", "does not wait for a sign-off")
	}
	if d.Revision != c.Revision {
		return c.conflict("在您查看之后又有改动，请重新查看再签发", "has changed since you looked; look again before you sign it off")
	}
	if c.Long != "" && c.State != ClipApproved && !d.Long {
		return &Error{
			Code:   Invalid,
			Text:   fmt.Sprintf("“%s”是长音频，请在素材页上确认时长后单独签发。", c.Title),
			TextEN: fmt.Sprintf("%q is longer than others may be: confirm its length on its own page to sign it off.", c.Title),
		}
	}
	if err := c.Wanted().check(d.Today); err != nil {
		return err
	}
	if c.Change != nil {
		c.Title, c.Text, c.ValidFrom, c.ValidUntil = c.Change.Title, c.Change.Text, c.Change.ValidFrom, c.Change.ValidUntil
		c.Change = nil
	}
	c.enter(ClipApproved, d)
	c.Signer, c.Signed = d.By.Login, d.At
	return nil
}

func (c *Clip) giveBack(d ClipDecision) error {
	if !May(d.By.Role, ActApprove) {
		return c.MaySign(d.By)
	}
	if !c.Pending() {
		return c.conflict("不在待签发之列", "does not wait for a sign-off")
	}
	if d.Reason == "" {
		return needReason("退回", "return")
	}
	if c.Change != nil {
		c.Change = nil
		return nil
	}
	c.enter(ClipReturned, d)
	return nil
}

func (c *Clip) recall(d ClipDecision) error {
	if !May(d.By.Role, ActApprove) {
		return &Error{
			Code:   Forbidden,
			Text:   "召回要由签发人办理；情况紧急请先“全部静音”。",
			TextEN: "A recall takes an approver. In an emergency, mute everything first.",
		}
	}
	if c.State != ClipApproved {
		return c.conflict("没有签发，不必召回", "is not signed off, so there is nothing to recall")
	}
	if d.Reason == "" {
		return needReason("召回", "recall")
	}
	c.enter(ClipRecalled, d)
	c.Change = nil
	return nil
}

func (c *Clip) edit(d ClipDecision) error {
	if err := mayUpload(d.By); err != nil {
		return err
	}
	t := d.Terms
	t.Title, t.Text = strings.TrimSpace(t.Title), strings.TrimSpace(t.Text)
	if err := t.check(d.Today); err != nil {
		return err
	}
	switch c.State {
	case ClipRecalled:
		return c.conflict("已召回，请先写明理由重新送审", "was recalled; submit it again with a reason first")
	case ClipApproved:
		if t == c.Terms() {
			c.Change = nil
			break
		}
		c.Change = &t
		c.Submitter, c.Submitted = d.By.Login, d.At
	default:
		c.Title, c.Text, c.ValidFrom, c.ValidUntil = t.Title, t.Text, t.ValidFrom, t.ValidUntil
		c.enter(ClipDraft, d)
	}
	c.touch(d.By.Login)
	return nil
}

func (c *Clip) conflict(zh, en string) error {
	return &Error{Code: Conflict, Text: fmt.Sprintf("“%s”%s。", c.Title, zh), TextEN: fmt.Sprintf("%q %s.", c.Title, en)}
}

func needReason(zh, en string) error {
	return &Error{Code: Invalid, Text: zh + "须写明理由。", TextEN: "A " + en + " needs a reason."}
}

// check refuses terms that nobody can sign; today may be empty.
func (t ClipTerms) check(today Day) error {
	bad := func(zh, en string) error { return &Error{Code: Invalid, Text: zh, TextEN: en} }
	switch {
	case t.Title == "":
		return bad("请填写标题。", "Give the clip a title.")
	case utf8.RuneCountInString(t.Title) > MaxClipTitle:
		return bad(fmt.Sprintf("标题不能超过 %d 个字。", MaxClipTitle), fmt.Sprintf("A title has at most %d characters.", MaxClipTitle))
	case utf8.RuneCountInString(t.Text) > MaxClipText:
		return bad(fmt.Sprintf("文字不能超过 %d 个字。", MaxClipText), fmt.Sprintf("A text has at most %d characters.", MaxClipText))
	}
	for _, d := range []Day{t.ValidFrom, t.ValidUntil} {
		if d == "" {
			continue
		}
		if at, err := time.Parse(time.DateOnly, string(d)); err != nil || at.Year() < 2000 || at.Year() > 2999 {
			return bad(fmt.Sprintf("日期“%s”无效，应写成 2026-11-23 的样子。", d), fmt.Sprintf("Date %q is invalid; write it like 2026-11-23.", d))
		}
	}
	if t.ValidUntil != "" && t.ValidFrom > t.ValidUntil {
		return bad("有效期的最后一天早于第一天，请核对。", "The last valid day is before the first one. Check the dates.")
	}
	if t.ValidUntil != "" && today > t.ValidUntil {
		return bad(fmt.Sprintf("有效期到 %s 为止，已经过期；请改有效期后再办。", t.ValidUntil), fmt.Sprintf("It was valid until %s and has expired. Change the days first.", t.ValidUntil))
	}
	return nil
}
