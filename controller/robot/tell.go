package robot

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/fleet"
)

// Bounds of what is read and written at a time.
const (
	maxNews    = 20_000 // occurrences of a digest: some 10 MB
	maxBatch   = 100    // events in one request to a webhook
	maxWaiting = 20     // messages of one robot; what comes later waits in the store
	skipAfter  = 500    // occurrences that concern nobody, until that is noted
)

// tell writes what a robot has not been told, and returns when to look again.
func (d *Desk) tell(ctx context.Context, r fleet.Robot, now time.Time) (next time.Time, err error) {
	never := now.Add(idle)
	d.mu.Lock()
	later := d.later[r.ID]
	d.mu.Unlock()
	if later.After(now) {
		return later, nil
	}
	if r.Waiting >= maxWaiting {
		return never, nil // the end of an attempt pokes
	}
	first, last, err := d.o.Store.OccurrenceBounds(ctx)
	if err != nil {
		return next, fmt.Errorf("reading what happened: %w", err)
	}
	if last <= r.Told {
		return never, nil
	}
	if r.Platform == fleet.Webhook {
		return d.tellProgram(ctx, r, first, last, now)
	}
	all, err := d.o.Store.Occurrences(ctx, fleet.OccurrenceFilter{After: r.Told, Kinds: r.Kinds(), Limit: maxNews})
	if err != nil {
		return next, fmt.Errorf("reading what happened: %w", err)
	}
	news := collect(r, all)
	if news.empty() {
		return never, d.skip(ctx, r, last)
	}
	due := news.oldest.Add(gather)
	if free := r.Digest.Add(DigestEvery); !r.Digest.IsZero() && free.After(due) {
		due = free
	}
	if due.After(now) && due.Sub(now) <= DigestEvery { // a clock that was set back does not silence for longer
		d.mu.Lock()
		d.later[r.ID] = due
		d.mu.Unlock()
		return due, nil
	}
	title, text := news.say(d.o, r, now)
	upto := all[len(all)-1].ID
	err = d.o.Store.TellRobot(ctx, r.ID, upto, []fleet.Letter{{Robot: r.ID, Kind: fleet.LetterDigest, Title: title, Body: text, Created: now}})
	return now.Add(DigestEvery), err
}

// tellProgram writes the next events to a webhook.
func (d *Desk) tellProgram(ctx context.Context, r fleet.Robot, first, last fleet.OccurrenceID, now time.Time) (next time.Time, err error) {
	never := now.Add(idle)
	all, err := d.o.Store.Occurrences(ctx, fleet.OccurrenceFilter{After: r.Told, Kinds: r.Kinds(), Limit: maxBatch})
	if err != nil {
		return next, fmt.Errorf("reading what happened: %w", err)
	}
	full := len(all) == maxBatch
	upto := last
	if len(all) > 0 {
		upto = all[len(all)-1].ID
	}
	if r.Told > 0 && r.Told+1 < first { // it was away for longer than events are kept
		gap := fleet.Occurrence{At: now, Kind: fleet.OccurredGap, Data: fleet.Fields("dropped", fmt.Sprint(first-r.Told-1))}
		all = append([]fleet.Occurrence{gap}, all...)
	}
	if len(all) == 0 {
		return never, d.skip(ctx, r, last)
	}
	l, err := events(r, all, now)
	if err != nil {
		return next, err
	}
	if err := d.o.Store.TellRobot(ctx, r.ID, upto, []fleet.Letter{l}); err != nil {
		return next, fmt.Errorf("writing events: %w", err)
	}
	if full {
		return now, nil
	}
	return never, nil
}

// events is the message with some occurrences.
func events(r fleet.Robot, all []fleet.Occurrence, now time.Time) (fleet.Letter, error) {
	body, err := encode(map[string]any{"events": all})
	if err != nil {
		return fleet.Letter{}, fmt.Errorf("encoding events: %w", err)
	}
	title := string(all[0].Kind)
	if len(all) > 1 {
		title = fmt.Sprintf("%s +%d", title, len(all)-1)
	}
	return fleet.Letter{Robot: r.ID, Kind: fleet.LetterEvents, Title: title, Body: string(body), Created: now}, nil
}

// skip notes now and then that nothing up to last concerns r, so that not all
// of it is read again each time.
func (d *Desk) skip(ctx context.Context, r fleet.Robot, last fleet.OccurrenceID) error {
	if last-r.Told < skipAfter {
		return nil
	}
	return d.o.Store.TellRobot(ctx, r.ID, last, nil)
}
