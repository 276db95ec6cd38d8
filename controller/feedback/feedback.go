// Package feedback keeps 问题反馈: what each unit files for each week, who still
// owes it, and who is reminded.
//
// A unit owes feedback for every week from the first one that the office ran
// through; nothing to tell of is a 零报告, which is filed too. The deadline is
// the end of Sunday, or of Saturday where the office chose that. When it has
// passed, the list of who owed is kept as it was, so that a unit which joins or
// leaves later changes no Monday. Filing late is possible and counted by the
// minute; filing again keeps every version.
package feedback

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"gatecast/controller/fleet"
)

// Book is where feedback is kept.
type Book interface {
	FeedbackWeek(ctx context.Context, week fleet.ISOWeek) (map[fleet.UnitID]fleet.Feedback, error)
	FeedbackFirsts(ctx context.Context, week fleet.ISOWeek) (first map[fleet.UnitID]time.Time, versions map[fleet.UnitID]int, err error)
	FeedbackMarks(ctx context.Context, week fleet.ISOWeek) ([]fleet.ItemMark, error)
	Remind(ctx context.Context, week fleet.ISOWeek, number, missing int, now time.Time) (fresh bool, err error)
	CloseFeedback(ctx context.Context, week fleet.ISOWeek, due time.Time, units []fleet.UnitID) error
	FeedbackOwed(ctx context.Context, week fleet.ISOWeek) (due time.Time, units []fleet.UnitID, err error)
}

// Units are the units of the register.
type Units interface {
	Units(ctx context.Context) ([]fleet.Unit, error)
}

// Settings keeps fleet.FeedbackRules.
type Settings interface {
	Setting(ctx context.Context, key string) (string, error)
	SetSetting(ctx context.Context, key, value string) error
}

// Options of New. Book, Units, Settings and Zone are required.
type Options struct {
	Book     Book
	Units    Units
	Settings Settings
	Zone     *time.Location

	// OnReminder is told of each reminder once, with the units that have not
	// filed; it must not block. nil for nobody.
	OnReminder func(week fleet.ISOWeek, due time.Time, missing []fleet.Unit)

	Now    func() time.Time // nil means time.Now
	Logger *slog.Logger     // nil discards
}

// Desk says who owes what, reminds, and closes weeks. It is safe for concurrent
// use; only one may Run on a store.
type Desk struct{ o Options }

// New checks o.
func New(o Options) (*Desk, error) {
	if o.Book == nil || o.Units == nil || o.Settings == nil || o.Zone == nil {
		return nil, errors.New("feedback options: Book, Units, Settings and Zone are required")
	}
	if o.OnReminder == nil {
		o.OnReminder = func(fleet.ISOWeek, time.Time, []fleet.Unit) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Desk{o}, nil
}

// every is how often Run looks at the clock.
const every = time.Minute

// Run reminds and closes weeks until ctx ends. What fails is logged and tried
// again.
func (d *Desk) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := d.Pass(ctx); err != nil && ctx.Err() == nil {
			d.o.Logger.Error("looking after feedback", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Pass does what is due now: the reminder of this week, once, and the closing of
// the week before and of any that ended while nobody ran.
func (d *Desk) Pass(ctx context.Context) error {
	now := d.o.Now()
	rules, err := d.rules(ctx, now)
	if err != nil {
		return err
	}
	this := fleet.WeekAt(now, d.o.Zone)
	for back := closeBack; back >= 0; back-- {
		if err := d.close(ctx, rules, this.Add(-back), now); err != nil {
			return err
		}
	}
	return d.remind(ctx, rules, this, now)
}

// closeBack is how many weeks back are looked at for one that was not closed.
const closeBack = 8

// rules returns the rules, and keeps since when feedback is owed.
func (d *Desk) rules(ctx context.Context, now time.Time) (fleet.FeedbackRules, error) {
	rules, err := d.Rules(ctx)
	if err != nil || rules.Since != "" {
		return rules, err
	}
	rules.Since = fleet.WeekAt(now, d.o.Zone).String()
	return rules, d.o.Settings.SetSetting(ctx, fleet.SettingFeedback, rules.String())
}

// Rules returns until when feedback is due, and since which week.
func (d *Desk) Rules(ctx context.Context) (fleet.FeedbackRules, error) {
	text, err := d.o.Settings.Setting(ctx, fleet.SettingFeedback)
	if err != nil {
		return fleet.FeedbackRules{}, fmt.Errorf("reading rules of feedback: %w", err)
	}
	return fleet.ParseFeedbackRules(text), nil
}

// SetMode changes the deadline from now on; weeks that are over keep theirs.
func (d *Desk) SetMode(ctx context.Context, mode fleet.DeadlineMode) error {
	if !slices.Contains(fleet.DeadlineModes, mode) {
		return &fleet.Error{Code: fleet.Invalid, Text: "请选择周日或周六。", TextEN: "Choose Sunday or Saturday."}
	}
	now := d.o.Now()
	rules, err := d.rules(ctx, now)
	if err != nil {
		return err
	}
	return d.o.Settings.SetSetting(ctx, fleet.SettingFeedback, rules.With(mode, now, d.o.Zone).String())
}

func (d *Desk) close(ctx context.Context, rules fleet.FeedbackRules, w fleet.ISOWeek, now time.Time) error {
	due := rules.Mode(w).Due(w, d.o.Zone)
	if !rules.Owed(w) || !now.After(due) {
		return nil
	}
	units, err := d.owing(ctx)
	if err != nil {
		return err
	}
	ids := make([]fleet.UnitID, len(units))
	for i, u := range units {
		ids[i] = u.ID
	}
	return d.o.Book.CloseFeedback(ctx, w, due, ids)
}

func (d *Desk) owing(ctx context.Context) ([]fleet.Unit, error) {
	units, err := d.o.Units.Units(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading units: %w", err)
	}
	return slices.DeleteFunc(slices.Clone(units), func(u fleet.Unit) bool { return !u.OwesFeedback() }), nil
}

func (d *Desk) remind(ctx context.Context, rules fleet.FeedbackRules, w fleet.ISOWeek, now time.Time) error {
	n := rules.Mode(w).Reminder(w, now, d.o.Zone)
	if n == 0 || !rules.Owed(w) {
		return nil
	}
	all, err := d.Week(ctx, w)
	if err != nil {
		return err
	}
	var missing []fleet.Unit
	for _, s := range all {
		if s.Versions == 0 {
			missing = append(missing, s.Unit)
		}
	}
	// Kept before it is told: a crash in between loses a message, and the page
	// has the list; the other way round it would be told twice.
	fresh, err := d.o.Book.Remind(ctx, w, n, len(missing), now)
	if err != nil || !fresh || len(missing) == 0 {
		return err
	}
	d.o.OnReminder(w, rules.Mode(w).Due(w, d.o.Zone), missing)
	return nil
}

// Week returns how every unit that owes feedback for a week stands, in the order
// of the register; a unit that filed without owing is listed too. A week that is
// over lists who owed then.
func (d *Desk) Week(ctx context.Context, w fleet.ISOWeek) ([]fleet.FeedbackStanding, error) {
	rules, err := d.Rules(ctx)
	if err != nil {
		return nil, err
	}
	units, err := d.o.Units.Units(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading units: %w", err)
	}
	due, owed, err := d.o.Book.FeedbackOwed(ctx, w)
	if err != nil {
		return nil, err
	}
	closed := len(owed) > 0
	if !closed {
		due = rules.Mode(w).Due(w, d.o.Zone)
	}
	latest, err := d.o.Book.FeedbackWeek(ctx, w)
	if err != nil {
		return nil, err
	}
	first, versions, err := d.o.Book.FeedbackFirsts(ctx, w)
	if err != nil {
		return nil, err
	}
	pending, err := d.pending(ctx, w, latest)
	if err != nil {
		return nil, err
	}
	var out []fleet.FeedbackStanding
	for _, u := range units {
		f, filed := latest[u.ID]
		owes := closed && slices.Contains(owed, u.ID) || !closed && rules.Owed(w) && u.OwesFeedback()
		if !owes && !filed {
			continue
		}
		s := fleet.FeedbackStanding{
			Unit: u, Week: w, Due: due, First: first[u.ID], Latest: f.At, Versions: versions[u.ID],
			Nil: filed && f.Nil(), Items: len(f.Items), Pending: pending[u.ID],
		}
		s.Stand(d.o.Now())
		out = append(out, s)
	}
	return out, nil
}

// pending counts the items of the latest versions that the office has neither
// closed nor passed on.
func (d *Desk) pending(ctx context.Context, w fleet.ISOWeek, latest map[fleet.UnitID]fleet.Feedback) (map[fleet.UnitID]int, error) {
	marks, err := d.Marks(ctx, w)
	if err != nil {
		return nil, err
	}
	out := map[fleet.UnitID]int{}
	for id, f := range latest {
		for _, it := range f.Items {
			if m, ok := marks[ItemKey{id, it.Number}]; !ok || m.State == fleet.ItemOpen {
				out[id]++
			}
		}
	}
	return out, nil
}

// ItemKey names a problem of a week.
type ItemKey struct {
	Unit   fleet.UnitID
	Number int
}

// Marks returns what the office last decided about each problem of a week.
func (d *Desk) Marks(ctx context.Context, w fleet.ISOWeek) (map[ItemKey]fleet.ItemMark, error) {
	marks, err := d.o.Book.FeedbackMarks(ctx, w)
	out := map[ItemKey]fleet.ItemMark{}
	for _, m := range marks { // the oldest first
		out[ItemKey{m.Unit, m.Number}] = m
	}
	return out, err
}

// Open returns the weeks for which a unit may be asked now: this one and the
// one before, the earlier first, as far as they are owed.
func (d *Desk) Open(ctx context.Context) ([]fleet.ISOWeek, error) {
	rules, err := d.Rules(ctx)
	if err != nil {
		return nil, err
	}
	this := fleet.WeekAt(d.o.Now(), d.o.Zone)
	weeks := []fleet.ISOWeek{this.Add(-1), this}
	weeks = slices.DeleteFunc(weeks, func(w fleet.ISOWeek) bool { return !rules.Owed(w) })
	slices.SortFunc(weeks, func(a, b fleet.ISOWeek) int {
		return cmp.Or(cmp.Compare(a.Year, b.Year), cmp.Compare(a.Number, b.Number))
	})
	return weeks, nil
}
