package bulletin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gatecast/controller/fleet"
)

// writer is what somebody needs to write a bulletin of that kind.
func writer(k fleet.BulletinKind) fleet.Action {
	if k == fleet.TeamReport {
		return fleet.ActReport
	}
	return fleet.ActCompose
}

// May reports whether a role may read bulletins of kind k.
func May(role fleet.Role, k fleet.BulletinKind) bool {
	if k == fleet.TeamReport {
		return fleet.May(role, fleet.ActDirect)
	}
	return fleet.May(role, fleet.ActRead)
}

// MayWrite reports whether a user may change b now. Reports of the team are its
// own: neither the office nor who signs edits them.
func MayWrite(by fleet.User, b fleet.Bulletin) bool {
	return b.State == fleet.BulletinDraft && fleet.May(by.Role, writer(b.Kind))
}

// MaySign reports whether a user may sign b now: whoever signs off, and had no
// hand in it.
func MaySign(by fleet.User, b fleet.Bulletin) bool {
	return b.State == fleet.BulletinSubmitted && fleet.May(by.Role, fleet.ActApprove) && May(by.Role, b.Kind) && !b.Wrote(by.Login)
}

func forbidden() error {
	return &fleet.Error{Code: fleet.Forbidden, Text: "你的账号不能做这一步。", TextEN: "Your account may not take this step."}
}

// Prepare begins the draft of the last period that is over, unless it exists or
// the office wants none by itself, and reports whether it did.
func (d *Desk) Prepare(ctx context.Context, now time.Time) (bool, error) {
	s, err := d.Style(ctx)
	if err != nil || s.Manual {
		return false, err
	}
	from, to := s.LastPeriod(now, d.o.Zone)
	rows, err := d.o.Ledger.UnitFigures(ctx, fleet.FiguresQuery{From: from, To: to})
	if err != nil || len(rows) == 0 {
		return false, err // an office that was not there yet
	}
	_, err = d.o.Book.AddBulletin(ctx, fleet.Bulletin{Kind: fleet.WeeklyBulletin, From: from, To: to, Created: now, By: fleet.AuditSelf})
	if fleet.CodeOf(err) == fleet.Conflict {
		return false, nil
	}
	if err == nil {
		d.o.Logger.Info("bulletin drafted", "from", from, "to", to)
	}
	return err == nil, err
}

// longestPeriod bounds the period of a bulletin, in days.
const longestPeriod = 35

// Begin keeps a new draft and returns its id.
func (d *Desk) Begin(ctx context.Context, by fleet.User, b fleet.Bulletin, now time.Time) (fleet.BulletinID, error) {
	if !MayWrite(by, fleet.Bulletin{Kind: b.Kind, State: fleet.BulletinDraft}) {
		return 0, forbidden()
	}
	b.By, b.Created = by.Login, now
	b, err := fleet.CheckBulletin(b)
	if err != nil {
		return 0, err
	}
	if b.Kind == fleet.WeeklyBulletin {
		today := fleet.Day(now.In(d.o.Zone).Format(time.DateOnly))
		from, errFrom := time.Parse(time.DateOnly, string(b.From))
		to, errTo := time.Parse(time.DateOnly, string(b.To))
		if errFrom != nil || errTo != nil || to.Before(from) || to.After(from.AddDate(0, 0, longestPeriod-1)) || b.To >= today {
			return 0, &fleet.Error{Code: fleet.Invalid,
				Text:   fmt.Sprintf("统计时段请填已经过完的日期，开始不晚于结束，最长 %d 天。", longestPeriod),
				TextEN: fmt.Sprintf("The period is of days that are over, begins before it ends and has %d days at most.", longestPeriod)}
		}
	}
	return d.o.Book.AddBulletin(ctx, b)
}

// Edit replaces what was typed into a draft whose version is b.Version.
func (d *Desk) Edit(ctx context.Context, by fleet.User, b fleet.Bulletin) error {
	old, err := d.o.Book.Bulletin(ctx, b.ID)
	if err != nil {
		return err
	}
	if !MayWrite(by, old) {
		return d.refuse(by, old)
	}
	b.Kind = old.Kind
	if b, err = fleet.CheckBulletin(b); err != nil {
		return err
	}
	return d.o.Book.EditBulletin(ctx, b, by.Login)
}

// refuse says why a step cannot be taken.
func (d *Desk) refuse(by fleet.User, b fleet.Bulletin) error {
	if !May(by.Role, b.Kind) {
		return forbidden()
	}
	switch {
	case b.State == fleet.BulletinIssued:
		return &fleet.Error{Code: fleet.Conflict, Text: "这份通报已经签发，不能再改；数字有变化请出具更正。", TextEN: "This bulletin was issued and cannot be changed. Sign a correction for what turned out otherwise."}
	case fleet.May(by.Role, fleet.ActApprove) && b.Wrote(by.Login):
		return &fleet.Error{Code: fleet.Forbidden, Text: "你参与过起草，不能签发，请由另一位签发人签发。", TextEN: "You had a hand in it: somebody else has to sign."}
	case b.State == fleet.BulletinSubmitted && !fleet.May(by.Role, fleet.ActApprove):
		return &fleet.Error{Code: fleet.Conflict, Text: "这份通报已经送签，退回之后才能改。", TextEN: "This bulletin waits to be signed; it can be changed once it was sent back."}
	case b.State == fleet.BulletinDraft && fleet.May(by.Role, fleet.ActApprove):
		return &fleet.Error{Code: fleet.Conflict, Text: "这份通报还没有送签，请等起草人送签。", TextEN: "This bulletin was not sent up to be signed yet."}
	}
	return forbidden()
}

// Submit sends a draft up to be signed.
func (d *Desk) Submit(ctx context.Context, by fleet.User, id fleet.BulletinID, version int, now time.Time) error {
	b, err := d.o.Book.Bulletin(ctx, id)
	if err != nil {
		return err
	}
	if !MayWrite(by, b) {
		return d.refuse(by, b)
	}
	b.Version, b.Submitted, b.SubmittedBy = version, now, by.Login
	return d.o.Book.SubmitBulletin(ctx, b)
}

// Return sends one back to those who wrote it.
func (d *Desk) Return(ctx context.Context, by fleet.User, id fleet.BulletinID, version int, reason string, now time.Time) error {
	b, err := d.o.Book.Bulletin(ctx, id)
	if err != nil {
		return err
	}
	if !MaySign(by, b) {
		return d.refuse(by, b)
	}
	reason = strings.Join(strings.Fields(reason), " ")
	if n := utf8.RuneCountInString(reason); n < 2 || n > 200 {
		return &fleet.Error{Code: fleet.Invalid, Text: "请写明退回的原因，2 到 200 个字。", TextEN: "Say why it is sent back, in 2 to 200 characters."}
	}
	b.Version, b.Returned, b.ReturnedBy, b.Reason = version, now, by.Login, reason
	return d.o.Book.ReturnBulletin(ctx, b)
}

// Signature is what a signer presses.
type Signature struct {
	Version       int
	Seen          string // Seal of the content that was on the page
	Number, Total int    // 0 for the next
}

// Seal is the SHA-256 of what a draft says, without the time of its figures.
func Seal(c fleet.BulletinContent) (string, error) {
	c.Period = ""
	b, err := encode(c)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Sign issues a bulletin: it says then what the signer saw, and never changes.
// When figures changed since, the error is a *fleet.Error of code Conflict.
func (d *Desk) Sign(ctx context.Context, by fleet.User, id fleet.BulletinID, s Signature, now time.Time) (fleet.Bulletin, error) {
	b, err := d.o.Book.Bulletin(ctx, id)
	if err != nil {
		return b, err
	}
	if !MaySign(by, b) {
		return b, d.refuse(by, b)
	}
	c, printed, err := d.compose(ctx, b, now)
	if err != nil {
		return b, err
	}
	seal, err := Seal(c)
	if err != nil {
		return b, err
	}
	if seal != s.Seen {
		return b, &fleet.Error{Code: fleet.Conflict, Text: "你打开页面之后又有记录送到，数字变了，请核对新的数字再签发。", TextEN: "Records arrived since you opened the page and figures changed. Check the new ones, then sign."}
	}
	b.Version, b.Number, b.Total = s.Version, s.Number, s.Total
	b.Issued, b.IssuedBy, b.IssuedName, b.Year = now, by.Login, by.Name, now.In(d.o.Zone).Year()
	o := fleet.BulletinSigning{Bulletin: b, Sums: c.Sums, Content: func(number, total int) ([]byte, error) {
		c.Number, c.Date, c.Signer = fleet.BulletinNumber(number, total), now.In(d.o.Zone).Format("2006年1月2日"), by.Name
		return encode(c)
	}}
	for _, p := range printed {
		o.Corrections = append(o.Corrections, p.ID)
	}
	if b, err = d.o.Archive.IssueBulletin(ctx, o); err != nil {
		return b, err
	}
	d.o.Logger.Info("bulletin issued", "bulletin", b.ID, "kind", b.Kind, "number", b.Number, "total", b.Total, "by", by.Login)
	return b, nil
}
