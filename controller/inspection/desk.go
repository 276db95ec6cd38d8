// Package inspection takes what supervisors hear at points and hands it to the
// ledger as evidence of its own kind: it never edits what a device reported,
// and whatever verdict it changes is kept as a correction and in the audit. A
// Desk is safe for concurrent use; it starts no goroutine.
package inspection

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Book keeps inspections: the store does.
type Book interface {
	Obligations(ctx context.Context, f fleet.ObligationFilter) ([]fleet.Obligation, error)
	Obligation(ctx context.Context, p fleet.PointID, slot wire.SlotID) (fleet.Obligation, error)
	AddInspection(ctx context.Context, i fleet.Inspection, photo []byte, line fleet.Audit) (fleet.Inspection, bool, error)
	WithdrawInspection(ctx context.Context, id fleet.InspectionID, by, reason string, now time.Time, line fleet.Audit) (fleet.Inspection, error)
	AddAudit(ctx context.Context, a fleet.Audit) error
}

// Ledger takes observations in: *ledger.Ledger does.
type Ledger interface {
	Observed(ctx context.Context) error
}

// Desk is where inspections are taken.
type Desk struct {
	book   Book
	ledger Ledger
	zone   *time.Location
}

// New returns a desk of an office in zone; all are required.
func New(book Book, ledger Ledger, zone *time.Location) (*Desk, error) {
	if book == nil || ledger == nil || zone == nil {
		return nil, errors.New("inspection: book, ledger and zone are required")
	}
	return &Desk{book, ledger, zone}, nil
}

// Take keeps what by found, with a photo as JPEG or none, and has the ledger
// weigh it. line is the audit's: its texts are filled in here. A form that
// arrives twice is kept once. Refusals are *fleet.Errors.
func (d *Desk) Take(ctx context.Context, by fleet.User, i fleet.Inspection, photo []byte, line fleet.Audit, now time.Time) (fleet.Inspection, error) {
	if !fleet.May(by.Role, fleet.ActInspect) {
		return i, forbidden()
	}
	i.By, i.Name, i.Created = by.Login, by.Name, now
	i, err := fleet.CheckInspection(i, now)
	if err != nil {
		return i, err
	}
	day := i.At.In(d.zone)
	rows, err := d.book.Obligations(ctx, fleet.ObligationFilter{
		Point: i.Point, From: fleet.Day(day.AddDate(0, 0, -1).Format(time.DateOnly)), To: fleet.Day(day.Format(time.DateOnly)),
	})
	if err != nil {
		return i, fmt.Errorf("reading what is owed: %w", err)
	}
	owed, _ := fleet.ListenedTo(rows, i.At.Add(-i.Listened), i.At)
	i.Slot = owed.Slot
	line.What, line.Detail, line.After = fleet.AuditInspection, string(i.Slot), fleet.Fields("finding", string(i.Finding), "listened", i.Listened.String(), "note", i.Note)
	i, _, err = d.book.AddInspection(ctx, i, photo, line)
	if err != nil {
		return i, err
	}
	return i, d.weigh(ctx, i, owed, line)
}

// weigh has the ledger look at i, and tells the audit of a verdict that is
// another one then. was is how the slot stood before.
func (d *Desk) weigh(ctx context.Context, i fleet.Inspection, was fleet.Obligation, line fleet.Audit) error {
	if i.Slot == "" {
		return nil
	}
	if err := d.ledger.Observed(ctx); err != nil {
		return fmt.Errorf("weighing an observation: %w", err)
	}
	is, err := d.book.Obligation(ctx, i.Point, i.Slot)
	if err != nil || is.Verdict == was.Verdict && is.Grade == was.Grade || was.Slot != i.Slot {
		return err
	}
	line.What, line.Detail, line.Before, line.After = fleet.AuditObserved, string(i.Slot), standing(was), standing(is)
	return d.book.AddAudit(ctx, line)
}

func standing(o fleet.Obligation) string {
	return fleet.Fields("verdict", string(o.Verdict), "grade", string(o.Grade), "reason", string(o.Reason), "note", o.Note)
}

// Withdraw takes an inspection back for a reason; it stays on record, and the
// ledger weighs its slot without it.
func (d *Desk) Withdraw(ctx context.Context, by fleet.User, i fleet.Inspection, reason string, line fleet.Audit, now time.Time) error {
	if !fleet.May(by.Role, fleet.ActInspect) {
		return forbidden()
	}
	reason = strings.TrimSpace(reason)
	if n := utf8.RuneCountInString(reason); n < 2 || n > 200 {
		return &fleet.Error{Code: fleet.Invalid, Text: "请写明撤回的原因，2 到 200 个字。", TextEN: "Say why it is withdrawn, in 2 to 200 characters."}
	}
	var was fleet.Obligation
	if i.Slot != "" {
		var err error
		if was, err = d.book.Obligation(ctx, i.Point, i.Slot); err != nil {
			return err
		}
	}
	line.What, line.Detail, line.Before = fleet.AuditWithdrawn, reason, fleet.Fields("finding", string(i.Finding), "slot", string(i.Slot))
	i, err := d.book.WithdrawInspection(ctx, i.ID, by.Login, reason, now, line)
	if err != nil {
		return err
	}
	return d.weigh(ctx, i, was, line)
}

func forbidden() error {
	return &fleet.Error{Code: fleet.Forbidden, Text: "你的账号不能登记督查。", TextEN: "Your account may not write inspections down."}
}
