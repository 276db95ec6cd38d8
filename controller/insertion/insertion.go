// Package insertion runs urgent broadcasts (紧急插播): it keeps who asked for one,
// who signed it off, and has the planner put it into the plans of its points
// and take it out again.
//
// Who may do what and how many signatures are needed is fleet's to say; this
// package has it stored before anything sounds, stops what sounded first and
// was not confirmed in time, and writes that into the audit. A Desk is safe for
// concurrent use.
package insertion

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"gatecast/controller/fleet"
)

// Book keeps insertions.
type Book interface {
	Insertions(ctx context.Context, limit int) ([]fleet.Insertion, error)
	AddInsertion(ctx context.Context, i fleet.Insertion) (fleet.Insertion, error)
	ChangeInsertion(ctx context.Context, id fleet.InsertionID, fn func(fleet.Insertion) (fleet.Insertion, error)) (fleet.Insertion, error)
}

// Library is what is known of clips and points.
type Library interface {
	Clip(ctx context.Context, id fleet.ClipID) (fleet.Clip, error)
	Units(ctx context.Context) ([]fleet.Unit, error)
	Points(ctx context.Context, f fleet.PointFilter) ([]fleet.Point, error)
	AddAudit(ctx context.Context, a fleet.Audit) error
}

// Options of New. Book, Library and Zone are required.
type Options struct {
	Book    Book
	Library Library
	Zone    *time.Location    // the office's
	Strict  bool              // the library key is elsewhere: only clips that it signed can sound
	Deliver func()            // has plans made now; must not block; may be nil
	Event   func(fleet.Event) // must not block; may be nil
	Quiet   fleet.QuietHours  // in Zone; the zero value means fleet.DefaultQuietHours
	Every   time.Duration     // between looks at what was not confirmed; 0 means 5 s
	Now     func() time.Time  // nil means time.Now
	Logger  *slog.Logger      // nil discards
}

// Desk is where urgent broadcasts are submitted, signed and ended.
type Desk struct {
	o Options

	mu   sync.RWMutex
	live []fleet.Insertion // as of the last change; replaced, never changed
}

// keep is how many insertions are looked at for live ones: a day has fewer.
const keep = 500

// Open reads what is live.
func Open(ctx context.Context, o Options) (*Desk, error) {
	if o.Book == nil || o.Library == nil || o.Zone == nil {
		return nil, errors.New("insertion options: Book, Library and Zone are required")
	}
	if o.Deliver == nil {
		o.Deliver = func() {}
	}
	if o.Event == nil {
		o.Event = func(fleet.Event) {}
	}
	if o.Every <= 0 {
		o.Every = 5 * time.Second
	}
	if o.Quiet == (fleet.QuietHours{}) {
		o.Quiet = fleet.DefaultQuietHours()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Desk{o: o}
	return d, d.read(ctx)
}

func (d *Desk) read(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	all, err := d.o.Book.Insertions(ctx, keep)
	if err != nil {
		return err
	}
	d.live = slices.DeleteFunc(all, func(i fleet.Insertion) bool { return i.State != fleet.InsertionLive })
	return nil
}

// Live returns what is in the plans at now; it must not be changed.
func (d *Desk) Live(now time.Time) []fleet.Insertion {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var live []fleet.Insertion
	for _, i := range d.live {
		if i.Standing(now) == fleet.InsertionLive {
			live = append(live, i)
		}
	}
	return live
}

// Needs reports whether devices may fetch a clip at now although the library
// does not have it: it is not recalled, and something live plays it.
func (d *Desk) Needs(c fleet.Clip, now time.Time) bool {
	return c.State != fleet.ClipRecalled && slices.ContainsFunc(d.Live(now), func(i fleet.Insertion) bool { return i.SHA256 == c.SHA256 })
}

// points returns the points of an area.
func (d *Desk) points(ctx context.Context, area fleet.Area) ([]fleet.PointID, error) {
	units, err := d.o.Library.Units(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading units: %w", err)
	}
	parent := make(map[fleet.UnitID]fleet.UnitID, len(units))
	for _, u := range units {
		parent[u.ID] = u.Parent
	}
	points, err := d.o.Library.Points(ctx, fleet.PointFilter{})
	if err != nil {
		return nil, fmt.Errorf("reading points: %w", err)
	}
	var ids []fleet.PointID
	for _, p := range points {
		var above []fleet.UnitID
		for u := p.Unit; u != 0 && len(above) <= len(units); u = parent[u] {
			above = append(above, u)
		}
		if area.Holds(p.ID, above) {
			ids = append(ids, p.ID)
		}
	}
	return ids, nil
}

// Submit asks for an insertion. Of want, Clip, Area, Repeats, Until, Reason,
// First, Relay and Drill count. Refusals are *fleet.Errors.
func (d *Desk) Submit(ctx context.Context, by fleet.User, want fleet.Insertion, now time.Time) (fleet.Insertion, error) {
	clip, err := d.o.Library.Clip(ctx, want.Clip)
	if err != nil {
		return want, err
	}
	if want.Points, err = d.points(ctx, want.Area); err != nil {
		return want, err
	}
	want.Reason = strings.Join(strings.Fields(want.Reason), " ")
	local := now.In(d.o.Zone)
	i, err := want.Submit(by, clip, clip.Standing(fleet.Day(local.Format(time.DateOnly))), d.o.Quiet, local)
	if err != nil {
		return i, err
	}
	if i.Outside && d.o.Strict {
		return i, &fleet.Error{
			Code:   fleet.Conflict,
			Text:   fmt.Sprintf("严格模式下，素材“%s”要先在签发人的电脑上签名才能播出，请先走素材签发。", i.Title),
			TextEN: fmt.Sprintf("In strict mode the clip %q has to be signed on the approver's machine before it can sound. Have it signed off first.", i.Title),
		}
	}
	if i, err = d.o.Book.AddInsertion(ctx, i); err != nil {
		return i, fmt.Errorf("keeping insertion: %w", err)
	}
	d.o.Logger.Warn("urgent broadcast submitted", "insertion", i.ID, "by", i.By, "first", i.First, "outside", i.Outside)
	return i, d.tell(ctx)
}

// Sign signs it off, or confirms what sounded first.
func (d *Desk) Sign(ctx context.Context, by fleet.User, id fleet.InsertionID, now time.Time) (fleet.Insertion, error) {
	return d.change(ctx, id, "signed", by, func(i fleet.Insertion) (fleet.Insertion, error) {
		return i.Sign(by, d.o.Quiet, now.In(d.o.Zone))
	})
}

// End refuses or cancels it.
func (d *Desk) End(ctx context.Context, by fleet.User, id fleet.InsertionID, reason string, now time.Time) (fleet.Insertion, error) {
	return d.change(ctx, id, "ended", by, func(i fleet.Insertion) (fleet.Insertion, error) {
		return i.End(by, strings.Join(strings.Fields(reason), " "), now)
	})
}

func (d *Desk) change(ctx context.Context, id fleet.InsertionID, what string, by fleet.User, fn func(fleet.Insertion) (fleet.Insertion, error)) (fleet.Insertion, error) {
	i, err := d.o.Book.ChangeInsertion(ctx, id, fn)
	if err != nil {
		return i, err
	}
	d.o.Logger.Warn("urgent broadcast "+what, "insertion", id, "by", by.Login, "state", i.State)
	return i, d.tell(ctx)
}

// tell takes the store's word over and has it delivered.
func (d *Desk) tell(ctx context.Context) error {
	if err := d.read(ctx); err != nil {
		return err
	}
	d.o.Deliver()
	d.o.Event(fleet.Event{Kind: fleet.EventPlan})
	return nil
}

// Run stops what sounded first and was not confirmed in time, until ctx ends.
func (d *Desk) Run(ctx context.Context) error {
	tick := time.NewTicker(d.o.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, i := range d.Live(d.o.Now()) {
			if _, late := i.Lapse(d.o.Now()); late {
				d.lapse(ctx, i.ID)
			}
		}
	}
}

var errConfirmed = errors.New("confirmed meanwhile")

func (d *Desk) lapse(ctx context.Context, id fleet.InsertionID) {
	now := d.o.Now()
	i, err := d.o.Book.ChangeInsertion(ctx, id, func(i fleet.Insertion) (fleet.Insertion, error) {
		next, late := i.Lapse(now)
		if !late {
			return i, errConfirmed
		}
		return next, nil
	})
	if err != nil {
		if !errors.Is(err, errConfirmed) && ctx.Err() == nil {
			d.o.Logger.Error("stopping an urgent broadcast that nobody confirmed", "insertion", id, "err", err)
		}
		return
	}
	d.o.Logger.Warn("urgent broadcast was not confirmed in time and is stopped", "insertion", id, "by", i.By)
	if err := d.o.Library.AddAudit(ctx, fleet.Audit{At: now, Who: "(urgent)", What: fleet.AuditUrgentLapsed, Object: fmt.Sprint(id), Detail: i.By}); err != nil {
		d.o.Logger.Error("writing audit line", "insertion", id, "err", err)
	}
	if err := d.tell(ctx); err != nil {
		d.o.Logger.Error("taking an urgent broadcast out of the plans", "insertion", id, "err", err)
	}
}
