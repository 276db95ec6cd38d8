// Package assessment takes points off units and hears what they say against it
// (扣分、告知、申诉、维持或撤销).
//
// The rules are the office's own: a version is never changed, so an old deduction
// keeps the words and points that held when it was made. A person picks the slots
// and decides; what a deduction rests on is copied from the ledger at that moment
// and stays as it was. Nothing may rest on a slot that the unit cannot answer for:
// one that is exempt, gave way to an urgent or emergency broadcast, may still be
// reported, or fell into a time at which the office itself could not hear the
// gates while the device wrote nothing about it.
//
// Points count from the notice on until they are revoked. Who made a deduction
// does not decide about it. Nothing is ever removed. A Desk is safe for concurrent
// use and starts no goroutine. Refusals are *fleet.Errors.
package assessment

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Book keeps rules, deductions and appeals.
type Book interface {
	DeductionRules(ctx context.Context) ([]fleet.DeductionRule, error)
	AddDeductionRule(ctx context.Context, r fleet.DeductionRule) (fleet.DeductionRule, error)
	DeductedSlots(ctx context.Context, code string, p fleet.PointID) ([]wire.SlotID, error)
	AddDeduction(ctx context.Context, d fleet.Deduction) (fleet.Deduction, error)
	MoveDeduction(ctx context.Context, id fleet.DeductionID, appeal *fleet.Appeal, photo []byte, apply func(fleet.Deduction) (fleet.Deduction, fleet.DeductionStep, error)) (fleet.Deduction, error)
}

// Ledger is what was owed, what came of it and when the office was away.
type Ledger interface {
	Obligation(ctx context.Context, p fleet.PointID, slot wire.SlotID) (fleet.Obligation, error)
	Slots(ctx context.Context, q fleet.SlotQuery) ([]fleet.Obligation, error)
	RecordsOfSlot(ctx context.Context, p fleet.PointID, slot wire.SlotID) ([]fleet.Record, error)
	Outages(ctx context.Context, from, to time.Time) ([]fleet.Outage, error)
}

// Places are units, points and the devices at them.
type Places interface {
	Units(ctx context.Context) ([]fleet.Unit, error)
	Point(ctx context.Context, id fleet.PointID) (fleet.Point, error)
	DeviceOfPoint(ctx context.Context, id fleet.PointID) (fleet.Device, error) // fleet.NotFound if there is none
}

// Options of New. Book, Ledger, Places, Clean and Zone are required.
type Options struct {
	Book   Book
	Ledger Ledger
	Places Places
	Clean  func(io.Reader) ([]byte, error) // takes everything but what is seen out of a photo
	Zone   *time.Location                  // the office's
	Logger *slog.Logger                    // nil discards
}

// Desk is where deductions are made and decided about.
type Desk struct{ o Options }

// New checks o.
func New(o Options) (*Desk, error) {
	if o.Book == nil || o.Ledger == nil || o.Places == nil || o.Clean == nil || o.Zone == nil {
		return nil, errors.New("assessment options: Book, Ledger, Places, Clean and Zone are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Desk{o}, nil
}

func refuse(code fleet.Code, zh, en string) error {
	return &fleet.Error{Code: code, Text: zh, TextEN: en}
}

func forbidden() error {
	return refuse(fleet.Forbidden, "您的账号没有这项权限。", "Your account may not do this.")
}
