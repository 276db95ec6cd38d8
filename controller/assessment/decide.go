package assessment

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"gatecast/controller/fleet"
)

// step checks that d may go to a state and returns it there, with the step.
func step(d fleet.Deduction, to fleet.DeductionState, by fleet.User, reason string, now time.Time) (fleet.Deduction, fleet.DeductionStep, error) {
	s := fleet.DeductionStep{Deduction: d.ID, At: now, By: by.Login, Name: by.Name, From: d.State, To: to, Reason: reason}
	if !d.State.May(to) {
		return d, s, refuse(fleet.Conflict, "这条扣分已经到了另一步，请刷新页面核对。", "This deduction has moved on. Reload the page and look again.")
	}
	d.State = to
	return d, s, nil
}

// Notify gives the unit notice (告知): it counts from now, and the unit may
// appeal until the end of the day that many days later, 1 to 60.
func (d *Desk) Notify(ctx context.Context, by fleet.User, id fleet.DeductionID, days int, now time.Time) (fleet.Deduction, error) {
	if !fleet.May(by.Role, fleet.ActCompose) {
		return fleet.Deduction{}, forbidden()
	}
	if days < 1 || days > 60 {
		return fleet.Deduction{}, refuse(fleet.Invalid, "申诉期限请写 1 到 60 天。", "Give 1 to 60 days for an appeal.")
	}
	local := now.In(d.o.Zone)
	return d.move(ctx, id, nil, nil, func(was fleet.Deduction) (fleet.Deduction, fleet.DeductionStep, error) {
		is, s, err := step(was, fleet.DeductionNotified, by, "", now)
		is.Notified, is.Year = now, local.Year()
		is.Deadline = time.Date(local.Year(), local.Month(), local.Day()+days+1, 0, 0, 0, 0, d.o.Zone)
		return is, s, err
	})
}

// maxAppeal bounds the text of an appeal, in characters.
const maxAppeal = 2000

// Appeal keeps what the unit says (申诉), with a photo that may be nil, before
// the deadline. A later one adds to the first. To other units the deduction does
// not exist.
func (d *Desk) Appeal(ctx context.Context, by fleet.User, id fleet.DeductionID, text string, photo io.Reader, now time.Time) (fleet.Deduction, error) {
	if !fleet.May(by.Role, fleet.ActOwn) || by.Scope().Unit == 0 {
		return fleet.Deduction{}, forbidden()
	}
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	switch n := utf8.RuneCountInString(text); {
	case n < 4 || n > maxAppeal:
		return fleet.Deduction{}, refuse(fleet.Invalid, "请写明申诉的理由，4 到 2000 个字。", "Say why, in 4 to 2000 characters.")
	case fleet.HoldsIdentity(text):
		return fleet.Deduction{}, refuse(fleet.Invalid, "内容里有身份证号，请删去。", "The text has an identity number in it: take it out.")
	}
	var jpeg []byte
	if photo != nil {
		var err error
		if jpeg, err = d.o.Clean(photo); err != nil {
			return fleet.Deduction{}, err
		}
	}
	a := &fleet.Appeal{Deduction: id, At: now, By: by.Login, Name: by.Name, Text: text, Photo: jpeg != nil}
	return d.move(ctx, id, a, jpeg, func(was fleet.Deduction) (fleet.Deduction, fleet.DeductionStep, error) {
		if was.Unit != by.Scope().Unit || was.Number == 0 {
			return was, fleet.DeductionStep{}, refuse(fleet.NotFound, "没有这条扣分。", "There is no such deduction.")
		}
		if !now.Before(was.Deadline) {
			return was, fleet.DeductionStep{}, refuse(fleet.Conflict, "申诉期限已过，请联系反诈办。", "The time for an appeal is over. Call the office.")
		}
		if was.State == fleet.DeductionAppealed { // it adds to the first
			return was, fleet.DeductionStep{Deduction: id, At: now, By: by.Login, Name: by.Name, From: was.State, To: was.State}, nil
		}
		return step(was, fleet.DeductionAppealed, by, "", now)
	})
}

// Decide upholds (维持) or revokes (撤销). Somebody else than who made the
// deduction does; without an appeal nothing is upheld before the deadline. A
// draft, which nobody was told of, is dropped by whoever writes them.
func (d *Desk) Decide(ctx context.Context, by fleet.User, id fleet.DeductionID, to fleet.DeductionState, reason string, now time.Time) (fleet.Deduction, error) {
	if to != fleet.DeductionUpheld && to != fleet.DeductionRevoked {
		return fleet.Deduction{}, refuse(fleet.Invalid, "请选择维持或撤销。", "Choose to uphold or to revoke.")
	}
	reason = strings.Join(strings.Fields(reason), " ")
	if n := utf8.RuneCountInString(reason); n < 2 || n > 500 {
		return fleet.Deduction{}, refuse(fleet.Invalid, "请写明理由，2 到 500 个字。", "Give the reason, in 2 to 500 characters.")
	}
	return d.move(ctx, id, nil, nil, func(was fleet.Deduction) (fleet.Deduction, fleet.DeductionStep, error) {
		draft := was.State == fleet.DeductionDraft
		none := fleet.DeductionStep{}
		switch {
		case draft && !fleet.May(by.Role, fleet.ActCompose), !draft && !fleet.May(by.Role, fleet.ActPublish):
			return was, none, forbidden()
		case !draft && by.Login == was.By:
			return was, none, refuse(fleet.Conflict, "拟扣的人不能自己作决定，请由另一人处理。", "Who made the deduction does not decide about it. Ask somebody else.")
		case was.State == fleet.DeductionNotified && to == fleet.DeductionUpheld && now.Before(was.Deadline):
			return was, none, refuse(fleet.Conflict, "申诉期限未满，现在还不能维持。", "The unit may still appeal: it cannot be upheld yet.")
		}
		is, s, err := step(was, to, by, reason, now)
		is.Decided, is.DecidedBy, is.Reason = now, by.Name, reason
		return is, s, err
	})
}

func (d *Desk) move(ctx context.Context, id fleet.DeductionID, a *fleet.Appeal, jpeg []byte, apply func(fleet.Deduction) (fleet.Deduction, fleet.DeductionStep, error)) (fleet.Deduction, error) {
	is, err := d.o.Book.MoveDeduction(ctx, id, a, jpeg, apply)
	if err != nil {
		return is, fmt.Errorf("storing step of deduction: %w", err)
	}
	d.o.Logger.Info("deduction moved", "deduction", id, "state", is.State)
	return is, nil
}
