// Package complaint takes complaints about points and what is done at once:
// turning the point down for three days or for good, stopping it for today, and
// letting it sound as before again.
//
// A point is turned down by its plans, which end that by themselves at the
// point, connected or not; a stop is an order of silence of package mute, which
// a device obeys over restarts and which ends at midnight. Who complained is
// not kept. A Desk is safe for concurrent use; it starts no goroutine.
package complaint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gatecast/controller/fleet"
	"gatecast/controller/planner"
)

// Book keeps complaints and levels.
type Book interface {
	Complaint(ctx context.Context, id fleet.ComplaintID) (fleet.Complaint, error)
	AddComplaint(ctx context.Context, c fleet.Complaint, l *fleet.Level, gain float64) (fleet.Complaint, error)
	AnswerComplaint(ctx context.Context, id fleet.ComplaintID, reply, by string, now time.Time) error
	Levels(ctx context.Context, p fleet.PointID) ([]fleet.Level, error)
	RestoreLevels(ctx context.Context, p fleet.PointID, by, reason string, now time.Time) (int, error)
}

// Mutes silence points: *mute.Desk does.
type Mutes interface {
	All() []fleet.Mute
	// Stop is Mute for which somebody else than by has to stand up.
	Stop(ctx context.Context, by fleet.User, scope fleet.Area, reason string, until, now time.Time) (fleet.Mute, error)
}

// Planner has plans made.
type Planner interface {
	Replan(ctx context.Context, now time.Time) (planner.Summary, error)
	Poke()
}

// Options of New. Book, Mutes, Planner and Zone are required.
type Options struct {
	Book    Book
	Mutes   Mutes
	Planner Planner
	Zone    *time.Location // the office's
	Logger  *slog.Logger   // nil discards
}

// Desk is where complaints are taken.
type Desk struct{ o Options }

// New checks o.
func New(o Options) (*Desk, error) {
	if o.Book == nil || o.Mutes == nil || o.Planner == nil || o.Zone == nil {
		return nil, errors.New("complaint options: Book, Mutes, Planner and Zone are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Desk{o}, nil
}

// Take keeps a complaint and carries out its measure. gain is how far the point
// was turned down when by decided, in dB: pressing twice lowers once. When it
// returns nil the complaint is durable, and connected devices are told.
// Refusals are *fleet.Errors.
func (d *Desk) Take(ctx context.Context, by fleet.User, c fleet.Complaint, gain float64, now time.Time) (fleet.Complaint, error) {
	if !fleet.May(by.Role, fleet.ActActivate) {
		return c, forbidden()
	}
	c.By, c.Created = by.Login, now
	c, err := fleet.CheckComplaint(c, now)
	if err != nil {
		return c, err
	}
	var l *fleet.Level
	switch c.Measure {
	case fleet.MeasureStop:
		if c.Mute, err = d.stop(ctx, by, c, now); err != nil {
			return c, err
		}
	case fleet.MeasureLower, fleet.MeasureLasting:
		l = &fleet.Level{Point: c.Point, At: now, GainDB: fleet.LevelStep, By: by.Login}
		if c.Measure == fleet.MeasureLower {
			l.Until = now.Add(fleet.LevelFor)
		}
		if gain <= fleet.MaxLevel {
			return c, &fleet.Error{
				Code:   fleet.Conflict,
				Text:   fmt.Sprintf("这个点位已经调低了 %.0f 分贝，再低门口就听不清了；请改用“今日停播”，或到现场调整喇叭的朝向。", -gain),
				TextEN: fmt.Sprintf("This point is %.0f dB down already; lower than that nobody at the gate can follow it. Stop it for today, or turn the loudspeaker on site.", -gain),
			}
		}
	case fleet.MeasureNone:
	}
	if c, err = d.o.Book.AddComplaint(ctx, c, l, gain); err != nil {
		return c, fmt.Errorf("storing complaint: %w", err)
	}
	d.o.Logger.Info("complaint taken", "complaint", c.ID, "point", c.Point, "measure", c.Measure, "by", by.Login)
	if l == nil {
		return c, nil
	}
	return c, d.deliver(ctx, now)
}

// stop silences the point until midnight, unless a complaint did before.
func (d *Desk) stop(ctx context.Context, by fleet.User, c fleet.Complaint, now time.Time) (fleet.MuteID, error) {
	local := now.In(d.o.Zone)
	midnight := time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, d.o.Zone)
	for _, m := range d.o.Mutes.All() {
		if m.Open(now) && !m.Area.All && len(m.Area.Units) == 0 && slices.Equal(m.Area.Points, []fleet.PointID{c.Point}) && m.Until.Equal(midnight) {
			return m.ID, nil
		}
	}
	m, err := d.o.Mutes.Stop(fleet.WithoutAudit(ctx), by, fleet.Area{Points: []fleet.PointID{c.Point}}, "噪声投诉，今日停播", midnight, now)
	return m.ID, err
}

// Restore ends everything that turned a point down. Slots that begin later,
// and later plays of one that has begun, sound as before.
func (d *Desk) Restore(ctx context.Context, by fleet.User, p fleet.PointID, reason string, now time.Time) error {
	if !fleet.May(by.Role, fleet.ActActivate) {
		return forbidden()
	}
	reason = strings.Join(strings.Fields(reason), " ")
	if n := utf8.RuneCountInString(reason); n < 2 || n > 200 {
		return &fleet.Error{Code: fleet.Invalid, Text: "请写明恢复的原因，2 到 200 个字。", TextEN: "Say why it is restored, in 2 to 200 characters."}
	}
	n, err := d.o.Book.RestoreLevels(ctx, p, by.Login, reason, now)
	if err != nil {
		return fmt.Errorf("restoring levels: %w", err)
	}
	if n == 0 {
		return &fleet.Error{Code: fleet.Conflict, Text: "这个点位现在没有调低，不用恢复。", TextEN: "This point is not turned down: there is nothing to restore."}
	}
	d.o.Logger.Info("level restored", "point", p, "by", by.Login)
	return d.deliver(ctx, now)
}

// Answer keeps what was answered to a complaint.
func (d *Desk) Answer(ctx context.Context, by fleet.User, id fleet.ComplaintID, reply string, now time.Time) error {
	if !fleet.May(by.Role, fleet.ActActivate) {
		return forbidden()
	}
	reply = strings.TrimSpace(strings.ReplaceAll(reply, "\r\n", "\n"))
	if n := utf8.RuneCountInString(reply); n < 2 || n > 2000 {
		return &fleet.Error{Code: fleet.Invalid, Text: "请写下答复，2 到 2000 个字。", TextEN: "Write the answer, in 2 to 2000 characters."}
	}
	if err := fleet.Impersonal(reply); err != nil {
		return err
	}
	return d.o.Book.AnswerComplaint(ctx, id, reply, by.Login, now)
}

// deliver has plans made and offered. What was decided is in force in any case:
// what fails now is tried again.
func (d *Desk) deliver(ctx context.Context, now time.Time) error {
	if _, err := d.o.Planner.Replan(fleet.WithoutAudit(ctx), now); err != nil {
		d.o.Planner.Poke()
		return fmt.Errorf("making plans: %w", err)
	}
	return nil
}

func forbidden() error {
	return &fleet.Error{Code: fleet.Forbidden, Text: "你的账号不能处置投诉。", TextEN: "Your account may not act on complaints."}
}
