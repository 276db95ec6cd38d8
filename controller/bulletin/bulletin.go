// Package bulletin makes the papers of the office: the weekly bulletin (周通报),
// special ones (专项通报) and the reports of the supervision team (督查专报).
//
// The figures of a weekly bulletin follow from the records of its period; people
// write texts beside them and cannot touch them. A draft always shows the figures
// of now. Somebody who did not write it signs it: it gets the next number of its
// kind and year and the next of all years, the sums of its period are sealed as a
// publication, and what it says is kept with its SHA-256 and never changes. What
// turns out differently later is offered as a correction (更正), old → new, which
// is numbered and printed in the next issue.
//
// Reports of the supervision team go to the heads alone: the office neither sees
// nor edits them (fleet.ActDirect).
//
// A Desk is safe for concurrent use and starts no goroutine. Refusals are
// *fleet.Errors.
package bulletin

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gatecast/controller/fleet"
)

// Book keeps bulletins.
type Book interface {
	Bulletin(ctx context.Context, id fleet.BulletinID) (fleet.Bulletin, error)
	AddBulletin(ctx context.Context, b fleet.Bulletin) (fleet.BulletinID, error)
	EditBulletin(ctx context.Context, b fleet.Bulletin, by string) error
	SubmitBulletin(ctx context.Context, b fleet.Bulletin) error
	ReturnBulletin(ctx context.Context, b fleet.Bulletin) error
}

// Archive keeps what was issued, and its corrections.
type Archive interface {
	IssueBulletin(ctx context.Context, o fleet.BulletinSigning) (fleet.Bulletin, error)
	BulletinCorrections(ctx context.Context, id fleet.BulletinID) ([]fleet.BulletinCorrection, error)
	CorrectionsToPrint(ctx context.Context) ([]fleet.BulletinCorrection, error)
	BulletinChanges(ctx context.Context, id fleet.BulletinID) ([]fleet.PublishedChange, error)
	CorrectBulletin(ctx context.Context, c fleet.BulletinCorrection, count int) (fleet.BulletinCorrection, error)
}

// Ledger is what was owed and what came of it.
type Ledger interface {
	UnitFigures(ctx context.Context, q fleet.FiguresQuery) ([]fleet.UnitFigures, error)
	WorstPoints(ctx context.Context, from, to fleet.Day, limit int) ([]fleet.PointReason, error)
}

// Places are the units and points, in the order of every page.
type Places interface {
	Units(ctx context.Context) ([]fleet.Unit, error)
	Points(ctx context.Context, f fleet.PointFilter) ([]fleet.Point, error)
}

// Relay says how items were passed down the groups.
type Relay interface {
	RelaySum(ctx context.Context, from, to, now time.Time) (fleet.RelaySum, error)
}

// Weekly are the figures that are typed for each week.
type Weekly interface {
	Figures(ctx context.Context, week fleet.ISOWeek) ([]fleet.FiguresRow, error)
}

// Feedback says which units filed 问题反馈 for a week.
type Feedback interface {
	Week(ctx context.Context, w fleet.ISOWeek) ([]fleet.FeedbackStanding, error)
}

// Deductions are the notices that were given or decided about in [from, to).
type Deductions interface {
	DeductionNews(ctx context.Context, from, to time.Time) ([]fleet.DeductionNews, error)
}

// Settings keep Style.
type Settings interface {
	Setting(ctx context.Context, key string) (string, error)
	SetSetting(ctx context.Context, key, value string) error
}

// Options of New. All but Logger are required.
type Options struct {
	Book       Book
	Archive    Archive
	Ledger     Ledger
	Places     Places
	Relay      Relay
	Deductions Deductions
	Weekly     Weekly
	Feedback   Feedback
	Settings   Settings
	Say        func(key string, args ...any) string // the Chinese catalog: words of verdicts and reasons
	Office     string                               // name of the office, where the register has no subdistrict
	Zone       *time.Location
	Logger     *slog.Logger // nil discards
}

// Desk writes, signs and corrects.
type Desk struct{ o Options }

// New checks o.
func New(o Options) (*Desk, error) {
	if o.Book == nil || o.Archive == nil || o.Ledger == nil || o.Places == nil || o.Relay == nil || o.Deductions == nil || o.Weekly == nil || o.Feedback == nil || o.Settings == nil || o.Say == nil || o.Zone == nil {
		return nil, errors.New("bulletin options: Book, Archive, Ledger, Places, Relay, Deductions, Weekly, Feedback, Settings, Say and Zone are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Desk{o}, nil
}
