// Package alert raises 漏播预警: one for each point and trouble, that grows by
// the slots the trouble costs and closes by itself when a later slot played.
//
// Diagnose and Weigh are the rules, and pure; Desk applies them. The store
// leaves word of each verdict in the transaction that makes it, so that no
// slot is overlooked by a crash, and none is looked at twice: what was decided
// and what it rests on are written together. A slot that went wrong counts from
// its deadline on, ledger.Grace after its end.
//
// Two things keep storms away. A slot that is only pending, and that fell into
// a time in which the office itself could not hear the gates, is held until its
// device has reported or Return has passed since the office could again. And whoever
// wants to be told hears of alerts, not of slots: once when one is raised, once
// when a property is to be telephoned, once when it closes, and once a day of
// all that are open.
package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/ledger"
)

// Return is for how long after an outage of the office devices are waited for:
// they come back with growing pauses of some minutes, and deliver at once.
const Return = 30 * time.Minute

// Patience is for how long after its deadline a slot waits while an outage of
// the office lasts: a silence of every device may be their own, after all.
const Patience = 2 * time.Hour

// DigestAt is the time of day from which on the daily digest is told: after
// the deadline of a slot that ends at 08:30.
const DigestAt = 8*time.Hour + 45*time.Minute

// Book is where alerts are kept.
type Book interface {
	AlertNews(ctx context.Context, ended, now time.Time, limit int) ([]fleet.AlertNews, error)
	HoldAlertNews(ctx context.Context, ids []int64, until time.Time) error
	OpenAlertsOf(ctx context.Context, points []fleet.PointID) ([]fleet.AlertFile, error)
	LatestPlayed(ctx context.Context, p fleet.PointID, from fleet.Day) (fleet.Obligation, error)
	ChangeAlerts(ctx context.Context, all []fleet.AlertChange, seen []fleet.AlertNews, now time.Time) ([]fleet.Alert, error)
}

// Places are the points and devices, and what is open at them.
type Places interface {
	Points(ctx context.Context, f fleet.PointFilter) ([]fleet.Point, error)
	Devices(ctx context.Context) ([]fleet.Device, error)
	AlertSums(ctx context.Context) ([]fleet.AlertSum, error)
}

// Settings keeps which day the digest was told for.
type Settings interface {
	Setting(ctx context.Context, key string) (string, error)
	SetSetting(ctx context.Context, key, value string) error
}

// Options of New. Book, Places, Settings and Zone are required.
type Options struct {
	Book     Book
	Places   Places
	Settings Settings
	Zone     *time.Location

	// Outages returns when the office could not hear the gates between from and
	// to. nil means that it always could.
	Outages func(ctx context.Context, from, to time.Time) ([]fleet.Outage, error)

	// OnLine is told of each alert that was raised and stays open, calls for the
	// property or closed, by the kind of its line; OnDigest once a day of all
	// that are open, if any are. Neither may block; nil for nobody.
	OnLine   func(fleet.Alert, fleet.AlertLineKind)
	OnDigest func([]fleet.AlertSum)

	Every  time.Duration    // between looks; 0 means 15 s
	Now    func() time.Time // nil means time.Now
	Logger *slog.Logger     // nil discards
}

// Desk raises and closes alerts while Run runs. Only one may work on a store.
type Desk struct {
	o    Options
	tidy time.Time // last look for alerts of points that are out of use
}

// New returns a Desk that does nothing until Run or Pass.
func New(o Options) (*Desk, error) {
	if o.Book == nil || o.Places == nil || o.Settings == nil || o.Zone == nil {
		return nil, errors.New("alert options: Book, Places, Settings and Zone are required")
	}
	if o.Outages == nil {
		o.Outages = func(context.Context, time.Time, time.Time) ([]fleet.Outage, error) { return nil, nil }
	}
	if o.OnLine == nil {
		o.OnLine = func(fleet.Alert, fleet.AlertLineKind) {}
	}
	if o.OnDigest == nil {
		o.OnDigest = func([]fleet.AlertSum) {}
	}
	if o.Every <= 0 {
		o.Every = 15 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Desk{o: o}, nil
}

// Run looks at what is new until ctx ends. What fails is logged and tried
// again.
func (d *Desk) Run(ctx context.Context) error {
	tick := time.NewTicker(d.o.Every)
	defer tick.Stop()
	for {
		if err := d.Pass(ctx); err != nil && ctx.Err() == nil {
			d.o.Logger.Error("looking for alerts", "err", err)
		}
		if err := d.Morning(ctx); err != nil && ctx.Err() == nil {
			d.o.Logger.Error("telling of open alerts", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// settingDigest is the day of the latest digest.
const settingDigest = "alert.digest_day"

// Morning tells of all open alerts once a day, restarts or not, from DigestAt
// on. A day on which nothing is open is not told of.
func (d *Desk) Morning(ctx context.Context) error {
	now := d.o.Now().In(d.o.Zone)
	if time.Duration(now.Hour())*time.Hour+time.Duration(now.Minute())*time.Minute < DigestAt {
		return nil
	}
	day := now.Format(time.DateOnly)
	last, err := d.o.Settings.Setting(ctx, settingDigest)
	if err != nil || last >= day {
		return err
	}
	sums, err := d.o.Places.AlertSums(ctx)
	if err != nil {
		return err
	}
	// Kept before it is told: a crash in between loses a digest, and the page
	// has it; the other way round robots would say it twice.
	if err := d.o.Settings.SetSetting(ctx, settingDigest, day); err != nil {
		return fmt.Errorf("keeping day of the digest: %w", err)
	}
	if len(sums) > 0 && sums[0].Open > 0 {
		d.o.OnDigest(sums)
	}
	return nil
}

// HoldUntil returns until when a slot that is only pending is not to be
// alarmed about; zero means that it is now.
func HoldUntil(o fleet.Obligation, online bool, outages []fleet.Outage, now time.Time) time.Time {
	if o.Verdict != fleet.Pending {
		return time.Time{}
	}
	until := time.Time{}
	if online { // it is in touch and about to deliver
		until = o.End.Add(2 * ledger.Grace)
	}
	for _, out := range outages {
		if !out.Overlaps(o.Start, o.End.Add(ledger.Grace)) {
			continue
		}
		second := out.To.Add(Return)
		if out.To.IsZero() {
			second = o.End.Add(ledger.Grace + Patience)
		}
		if second.After(until) {
			until = second
		}
	}
	if !until.After(now) {
		return time.Time{}
	}
	return until
}
