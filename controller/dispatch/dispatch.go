// Package dispatch has clips replaced in slots that are near (更换) and lets that
// be undone in time.
//
// An order is stored before any plan follows it, with the points where it is
// expected and the plan that each had then: from there pages tell which gate
// has the new clip. Programmes are not touched; the planner puts the new clip
// in the place of the old one for as long as the order holds. Who may order is
// asked of fleet.May here and not only by pages. A Desk is safe for concurrent
// use; it starts no goroutine.
package dispatch

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

// Book keeps replacements.
type Book interface {
	Replacements(ctx context.Context) ([]fleet.Replacement, error)
	Replacement(ctx context.Context, id fleet.ReplacementID) (fleet.Replacement, error)
	AddReplacement(ctx context.Context, r fleet.Replacement, at []fleet.ReplacedAt) (stored fleet.Replacement, again bool, err error)
	UndoReplacement(ctx context.Context, id fleet.ReplacementID, by, reason string, now time.Time) error
	Clip(ctx context.Context, id fleet.ClipID) (fleet.Clip, error)
}

// Planner says where a replacement holds and has plans made.
type Planner interface {
	Reach(ctx context.Context, r fleet.Replacement, from, now time.Time) ([]fleet.ReplacedAt, error)
	Fits(ctx context.Context, r fleet.Replacement, now time.Time) ([]planner.Problem, error)
	// Sounding returns the slots to come and what sounds in them.
	Sounding(ctx context.Context, days int, from, now time.Time) ([]fleet.Sounding, error)
	Replan(ctx context.Context, now time.Time) (planner.Summary, error)
	Poke()
}

// Options of New. Book, Planner and Zone are required.
type Options struct {
	Book    Book
	Planner Planner
	Zone    *time.Location // the office's
	Lead    time.Duration  // how long before its start a slot is settled; 0 means fleet.DefaultReplaceLead
	Logger  *slog.Logger   // nil discards
}

// Desk is where clips are replaced.
type Desk struct{ o Options }

// New checks o.
func New(o Options) (*Desk, error) {
	if o.Book == nil || o.Planner == nil || o.Zone == nil {
		return nil, errors.New("dispatch options: Book, Planner and Zone are required")
	}
	if o.Lead <= 0 {
		o.Lead = fleet.DefaultReplaceLead
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Desk{o}, nil
}

const maxReason = 200 // characters

// Replace puts a clip in the place of another. When it returns nil the order is
// durable and every plan that follows is stored and offered. Ordering the same
// again returns the order that is there, with again true. Refusals are
// *fleet.Errors.
func (d *Desk) Replace(ctx context.Context, by fleet.User, o fleet.ReplaceOrder, now time.Time) (r fleet.Replacement, again bool, err error) {
	if !fleet.May(by.Role, fleet.ActActivate) {
		return r, false, forbidden()
	}
	reason := strings.Join(strings.Fields(o.Reason), " ")
	if n := utf8.RuneCountInString(reason); n < 2 || n > maxReason {
		return r, false, refuse("请写明更换的原因，2 到 %d 个字。", "Say why, in 2 to %d characters.", maxReason)
	}
	old, err := d.clip(ctx, o.Old, "请选择要换下的素材。", "Choose the clip to be replaced.")
	if err != nil {
		return r, false, err
	}
	next, err := d.clip(ctx, o.New, "请选择换上的素材。", "Choose the clip to sound instead.")
	if err != nil {
		return r, false, err
	}
	r = fleet.Replacement{
		At: now, By: by.Login, Name: by.Name, Reason: reason, Old: old.SHA256, OldName: old.Name, New: next.SHA256, NewName: next.Name,
		Slots: slices.Compact(slices.Sorted(slices.Values(o.Slots))), From: o.From, To: o.To, Lead: d.o.Lead,
	}
	standing, err := d.o.Book.Replacements(ctx)
	if err != nil {
		return r, false, fmt.Errorf("reading replacements: %w", err)
	}
	for _, o := range standing {
		if o.Same(r) {
			return o, true, d.deliver(ctx, now)
		}
	}
	at, err := d.reach(ctx, r, next, now)
	if err != nil {
		return r, false, err
	}
	if r, again, err = d.o.Book.AddReplacement(ctx, r, at); err != nil {
		return r, false, fmt.Errorf("storing replacement: %w", err)
	}
	if !again {
		d.o.Logger.Info("clip replaced", "replacement", r.ID, "old", r.OldName, "new", r.NewName, "points", len(at), "by", by.Login)
	}
	return r, again, d.deliver(ctx, now)
}

// reach returns where an order is expected, or why it cannot be carried out.
func (d *Desk) reach(ctx context.Context, r fleet.Replacement, next fleet.Clip, now time.Time) ([]fleet.ReplacedAt, error) {
	if err := fleet.CheckReplacement(r, next, d.day(now)); err != nil {
		return nil, err
	}
	at, err := d.o.Planner.Reach(ctx, r, now.Add(r.Lead), now)
	if err != nil {
		return nil, fmt.Errorf("looking where the clip sounds: %w", err)
	}
	if len(at) == 0 {
		return nil, refuse("所选的时段里没有素材“%s”，或者离开播已不足 %s。请核对时段和日期。",
			"Clip %q sounds in none of these slots, or they start in less than %s. Check slots and days.", r.OldName, r.Lead)
	}
	problems, err := d.o.Planner.Fits(ctx, r, now)
	if err != nil {
		return nil, fmt.Errorf("checking the length of the clip: %w", err)
	}
	if len(problems) > 0 {
		return nil, &fleet.Error{
			Code:   fleet.Invalid,
			Text:   fmt.Sprintf("换成“%s”后排不下：%s", r.NewName, problems[0].Text),
			TextEN: fmt.Sprintf("With %q it does not fit: %s", r.NewName, problems[0].TextEN),
		}
	}
	return at, nil
}

// Undo has the old clip back in every slot that starts r.Lead from
// now or later. When there is none left, nothing is undone and the error says
// why. Otherwise as Replace.
func (d *Desk) Undo(ctx context.Context, by fleet.User, id fleet.ReplacementID, reason string, now time.Time) (fleet.Replacement, error) {
	if !fleet.May(by.Role, fleet.ActActivate) {
		return fleet.Replacement{}, forbidden()
	}
	r, err := d.o.Book.Replacement(ctx, id)
	if err != nil {
		return r, err
	}
	reason = strings.Join(strings.Fields(reason), " ")
	if utf8.RuneCountInString(reason) > maxReason {
		return r, refuse("原因最多 %d 个字。", "The reason may have %d characters at most.", maxReason)
	}
	left, err := d.Left(ctx, r, now)
	if err != nil {
		return r, err
	}
	if r.Undone.IsZero() && !left {
		return r, &fleet.Error{
			Code:   fleet.Conflict,
			Text:   fmt.Sprintf("已经不能撤回：撤回要在时段开始前 %s 以前按下，这次更换的时段都已开始或就要开始。已播和正在播的不受影响；要换回，请对以后的时段再做一次更换。", r.Lead),
			TextEN: fmt.Sprintf("It is too late to undo this: that has to be done %s before the slot, and every slot of this replacement has begun or is about to. To go back, replace the clip in later slots.", r.Lead),
		}
	}
	if err := d.o.Book.UndoReplacement(ctx, id, by.Login, reason, now); err != nil {
		return r, err
	}
	d.o.Logger.Info("replacement undone", "replacement", id, "by", by.Login)
	return r, d.deliver(ctx, now)
}

// Left reports whether undoing r now would change any slot to come.
func (d *Desk) Left(ctx context.Context, r fleet.Replacement, now time.Time) (bool, error) {
	if !r.Undone.IsZero() {
		return false, nil
	}
	at, err := d.o.Planner.Reach(ctx, r, now.Add(r.Lead), now)
	if err != nil {
		return false, fmt.Errorf("looking where the clip sounds: %w", err)
	}
	return len(at) > 0, nil
}

// Sounding returns the slots of the coming days in which a clip can still be
// replaced, and what sounds in each, by start.
func (d *Desk) Sounding(ctx context.Context, now time.Time) ([]fleet.Sounding, error) {
	return d.o.Planner.Sounding(ctx, soundingDays, now.Add(d.o.Lead), now)
}

const soundingDays = 7

// deliver has plans made and offered. The order is in force in any case: what
// fails now is tried again.
func (d *Desk) deliver(ctx context.Context, now time.Time) error {
	if _, err := d.o.Planner.Replan(fleet.WithoutAudit(ctx), now); err != nil {
		d.o.Planner.Poke()
		return fmt.Errorf("making plans: %w", err)
	}
	return nil
}

func (d *Desk) clip(ctx context.Context, id fleet.ClipID, zh, en string) (fleet.Clip, error) {
	if id == 0 {
		return fleet.Clip{}, &fleet.Error{Code: fleet.Invalid, Text: zh, TextEN: en}
	}
	return d.o.Book.Clip(ctx, id)
}

func (d *Desk) day(now time.Time) fleet.Day {
	return fleet.Day(now.In(d.o.Zone).Format(time.DateOnly))
}

func refuse(zh, en string, args ...any) error {
	return &fleet.Error{Code: fleet.Invalid, Text: fmt.Sprintf(zh, args...), TextEN: fmt.Sprintf(en, args...)}
}

func forbidden() error {
	return &fleet.Error{Code: fleet.Forbidden, Text: "你的账号不能更换素材。", TextEN: "Your account may not replace clips."}
}
