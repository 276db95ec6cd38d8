package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/picture"
)

// Book keeps items and tasks. Refusals are *fleet.Errors.
type Book interface {
	AddRelay(ctx context.Context, i fleet.RelayItem, picture []byte, tasks []fleet.RelayTask) (fleet.RelayID, error)
	RelayItem(ctx context.Context, id fleet.RelayID, now time.Time) (fleet.RelayItem, error)
	RelayTask(ctx context.Context, id fleet.RelayTaskID) (fleet.RelayTask, error)
	RelayTasks(ctx context.Context, f fleet.RelayFilter) ([]fleet.RelayTask, error)
	TickRelay(ctx context.Context, k fleet.RelayTask, shot []byte, next []fleet.RelayTask) error
}

// Places are the groups and units of the office.
type Places interface {
	Groups(ctx context.Context) ([]fleet.Group, error)
	Units(ctx context.Context) ([]fleet.Unit, error)
}

// Settings keeps what the office chose.
type Settings interface {
	Setting(ctx context.Context, key string) (string, error)
	SetSetting(ctx context.Context, key, value string) error
}

// Options of a Desk; Book, Places, Settings and Zone are required.
type Options struct {
	Book     Book
	Places   Places
	Settings Settings
	Zone     *time.Location
	// OnDigest hears once a morning what is overdue, if anything is; it must not
	// block. nil means that nobody wants to.
	OnDigest func(Digest)
	Event    func(fleet.Event) // told of each change; nil means that nobody wants to
	Now      func() time.Time  // nil means time.Now
	Logger   *slog.Logger      // nil means none
}

// Desk is where items come in and ticks are made.
type Desk struct{ o Options }

// New returns a desk.
func New(o Options) (*Desk, error) {
	if o.Book == nil || o.Places == nil || o.Settings == nil || o.Zone == nil {
		return nil, errors.New("relay options: Book, Places, Settings and Zone are required")
	}
	if o.OnDigest == nil {
		o.OnDigest = func(Digest) {}
	}
	if o.Event == nil {
		o.Event = func(fleet.Event) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Desk{o}, nil
}

// Rules returns the deadlines of the office.
func (d *Desk) Rules(ctx context.Context) (Rules, error) {
	text, err := d.o.Settings.Setting(ctx, Setting)
	if err != nil {
		return Rules{}, fmt.Errorf("reading rules of the relay: %w", err)
	}
	return Parse(text), nil
}

// SetRules puts other deadlines in force, for tasks made from now on.
func (d *Desk) SetRules(ctx context.Context, r Rules) error {
	if err := r.Validate(); err != nil {
		return err
	}
	return d.o.Settings.SetSetting(ctx, Setting, r.String())
}

// Chain returns the tiers as they are now.
func (d *Desk) Chain(ctx context.Context) (c Chain, err error) {
	if c.Groups, err = d.o.Places.Groups(ctx); err != nil {
		return c, fmt.Errorf("reading groups: %w", err)
	}
	if c.Units, err = d.o.Places.Units(ctx); err != nil {
		return c, fmt.Errorf("reading units: %w", err)
	}
	return c, nil
}

// Create starts an item on its way: a task for the group of tier 1. Received is
// now where it is zero; By and Name say who it comes from. picture may be nil.
// An office without a group of tier 1 is refused with a *fleet.Error, and so is
// what fleet.RelayItem.Check refuses. The line of the audit that ctx carries
// goes with it.
func (d *Desk) Create(ctx context.Context, item fleet.RelayItem, pic io.Reader) (fleet.RelayID, error) {
	now := d.o.Now()
	if item.Received.IsZero() {
		item.Received = now
	}
	item.Created = now
	var jpeg []byte
	var err error
	if pic != nil {
		if jpeg, err = picture.Clean(pic); err != nil {
			return 0, err
		}
	}
	if err := item.Check(len(jpeg) > 0, now); err != nil {
		return 0, err
	}
	rules, err := d.Rules(ctx)
	if err != nil {
		return 0, err
	}
	chain, err := d.Chain(ctx)
	if err != nil {
		return 0, err
	}
	first := chain.Start(item)
	if len(first) == 0 {
		return 0, &fleet.Error{
			Code: fleet.Invalid, Text: "还没有登记一级指挥群，请先在“群组”页登记，再转发。",
			TextEN: "There is no command group of tier 1 yet. Add it on the page of groups first.",
		}
	}
	id, err := d.o.Book.AddRelay(ctx, item, jpeg, d.tasks(rules, item, first, 0, now))
	if err == nil {
		d.o.Event(fleet.Event{Kind: fleet.EventRelay})
	}
	return id, err
}

func (d *Desk) tasks(r Rules, item fleet.RelayItem, groups []fleet.Group, parent fleet.RelayTaskID, now time.Time) []fleet.RelayTask {
	var out []fleet.RelayTask
	for _, g := range groups {
		out = append(out, fleet.RelayTask{Group: g.ID, Tier: g.Tier, Parent: parent, Created: now, Due: r.Due(g.Tier, item.Urgent, now, d.o.Zone)})
	}
	return out
}

// Tick says that a group passed its item on, by whom, with a screenshot or nil,
// and gives the groups below their turn. A second tick changes nothing but adds
// a screenshot where there was none.
func (d *Desk) Tick(ctx context.Context, id fleet.RelayTaskID, by fleet.User, shot io.Reader) error {
	now := d.o.Now()
	t, err := d.o.Book.RelayTask(ctx, id)
	if err != nil {
		return err
	}
	var jpeg []byte
	if shot != nil {
		if jpeg, err = picture.Clean(shot); err != nil {
			return err
		}
	}
	item, err := d.o.Book.RelayItem(ctx, t.Item, now)
	if err != nil {
		return err
	}
	rules, err := d.Rules(ctx)
	if err != nil {
		return err
	}
	chain, err := d.Chain(ctx)
	if err != nil {
		return err
	}
	var next []fleet.RelayTask
	for _, g := range chain.Groups {
		if g.ID == t.Group && t.Done.IsZero() {
			next = d.tasks(rules, item, chain.Next(item, g), t.ID, now)
		}
	}
	t.Done, t.By, t.Name = now, by.Login, by.Name
	if err := d.o.Book.TickRelay(ctx, t, jpeg, next); err != nil {
		return err
	}
	d.o.Event(fleet.Event{Kind: fleet.EventRelay})
	return nil
}

// Tree returns what became of an item.
func (d *Desk) Tree(ctx context.Context, id fleet.RelayID) (fleet.RelayItem, Tree, error) {
	now := d.o.Now()
	item, err := d.o.Book.RelayItem(ctx, id, now)
	if err != nil {
		return item, Tree{}, err
	}
	tasks, err := d.o.Book.RelayTasks(ctx, fleet.RelayFilter{Item: id})
	if err != nil {
		return item, Tree{}, fmt.Errorf("reading tasks: %w", err)
	}
	chain, err := d.Chain(ctx)
	return item, Grow(item, tasks, chain, now), err
}

// Overdue returns what is overdue now.
func (d *Desk) Overdue(ctx context.Context) (Digest, error) {
	now := d.o.Now()
	tasks, err := d.o.Book.RelayTasks(ctx, fleet.RelayFilter{Open: true, Due: now})
	if err != nil {
		return Digest{}, fmt.Errorf("reading overdue tasks: %w", err)
	}
	if len(tasks) == 0 {
		return Digest{At: now}, nil
	}
	items := map[fleet.RelayID]bool{}
	var about []fleet.RelayItem
	for _, t := range tasks {
		if items[t.Item] {
			continue
		}
		items[t.Item] = true
		i, err := d.o.Book.RelayItem(ctx, t.Item, now)
		if err != nil {
			return Digest{}, fmt.Errorf("reading item: %w", err)
		}
		about = append(about, i)
	}
	chain, err := d.Chain(ctx)
	return DigestOf(tasks, about, chain, now), err
}

// settingDigest is the day of the latest digest.
const settingDigest = "relay.digest_day"

// Run tells of what is overdue once a day, from the minute that the rules say,
// until ctx ends. A day on which the office was off until later is told of when
// it comes on; a day is told of once, restarts or not.
func (d *Desk) Run(ctx context.Context) error {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		if err := d.Morning(ctx); err != nil && ctx.Err() == nil {
			d.o.Logger.Error("telling of what is overdue", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Morning is one look of Run.
func (d *Desk) Morning(ctx context.Context) error {
	now := d.o.Now().In(d.o.Zone)
	rules, err := d.Rules(ctx)
	if err != nil || now.Hour()*60+now.Minute() < rules.Digest {
		return err
	}
	day := now.Format(time.DateOnly)
	last, err := d.o.Settings.Setting(ctx, settingDigest)
	if err != nil || last >= day {
		return err
	}
	over, err := d.Overdue(ctx)
	if err != nil {
		return err
	}
	// Kept before it is told: a crash in between loses a digest, and the page
	// has it; the other way round robots would say it twice.
	if err := d.o.Settings.SetSetting(ctx, settingDigest, day); err != nil {
		return err
	}
	if len(over.Rows) > 0 {
		d.o.OnDigest(over)
	}
	return nil
}

// Item returns one item.
func (d *Desk) Item(ctx context.Context, id fleet.RelayID) (fleet.RelayItem, error) {
	return d.o.Book.RelayItem(ctx, id, d.o.Now())
}

// About returns what a task is about: the item, and the group whose turn it is.
func (d *Desk) About(ctx context.Context, id fleet.RelayTaskID) (fleet.RelayItem, fleet.Group, error) {
	t, err := d.o.Book.RelayTask(ctx, id)
	if err != nil {
		return fleet.RelayItem{}, fleet.Group{}, err
	}
	item, err := d.Item(ctx, t.Item)
	if err != nil {
		return item, fleet.Group{}, err
	}
	chain, err := d.Chain(ctx)
	for _, g := range chain.Groups {
		if g.ID == t.Group {
			return item, g, err
		}
	}
	return item, fleet.Group{}, err
}
