package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// boundOf is a day of a validity; 0 is none.
func boundOf(n int64) fleet.Day {
	if n == 0 {
		return ""
	}
	return dayOf(n)
}

// boundNumber is the inverse of boundOf.
func boundNumber(d fleet.Day) (int64, error) {
	if d == "" {
		return 0, nil
	}
	return dayNumber(d)
}

// DecideClip takes one step with a clip, if the rules of fleet.Clip.Decide let
// d.By, and returns the clip as it is then. Clip and history are changed
// together. A recall also begins the list of the devices that have to delete
// the clip. A clip that does not exist is a *fleet.Error of code NotFound.
func (s *Store) DecideClip(ctx context.Context, id fleet.ClipID, d fleet.ClipDecision) (fleet.Clip, error) {
	return change(ctx, s, func(t *tx) (fleet.Clip, error) {
		before, err := scanClip(t.row(`SELECT `+clipColumns+` FROM clips WHERE id = ?`, id))
		if err != nil {
			return before, notFound(err, noClip())
		}
		if d.Step == fleet.StepApprove {
			if err := t.row(`SELECT count(*) FROM clip_hearings WHERE clip_id = ? AND login = ?`, id, d.By.Login).Scan(&d.Heard); err != nil {
				return before, err
			}
		}
		c, event, err := before.Decide(d)
		if err != nil {
			return before, err
		}
		if err := saveApprovalTx(t, c); err != nil {
			return before, err
		}
		row, err := clipEventTx(t, id, event)
		if err != nil || d.Step != fleet.StepRecall {
			return c, err
		}
		return c, s.beginPurgeTx(t, c, row)
	})
}

func noClip() error {
	return &fleet.Error{
		Code:   fleet.NotFound,
		Text:   "这段素材不存在，可能已被删除。",
		TextEN: "This clip does not exist; it may have been deleted.",
	}
}

// saveApprovalTx writes what a step can change.
func saveApprovalTx(t *tx, c fleet.Clip) error {
	from, err1 := boundNumber(c.ValidFrom)
	until, err2 := boundNumber(c.ValidUntil)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	changes := ""
	if c.Change != nil {
		changes = toJSON(c.Change)
	}
	_, err := t.exec(`
UPDATE clips SET title = ?, text = ?, state = ?, since_us = ?, reason = ?, submitter = ?, submitted_us = ?, signer = ?, signed_us = ?,
  valid_from = ?, valid_until = ?, changes = ?, hands = ?, revision = ? WHERE id = ?`,
		c.Title, c.Text, c.State, wire.US(c.Since), c.Reason, c.Submitter, wire.US(c.Submitted), c.Signer, wire.US(c.Signed),
		from, until, changes, toJSON(c.Hands), c.Revision, c.ID)
	return err
}

func clipEventTx(t *tx, id fleet.ClipID, e fleet.ClipEvent) (row int64, err error) {
	from, err1 := boundNumber(e.Terms.ValidFrom)
	until, err2 := boundNumber(e.Terms.ValidUntil)
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	err = t.row(`
INSERT INTO clip_events (clip_id, at_us, step, was, now, by, name, address, reason, title, text, valid_from, valid_until, sha256, heard)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		id, wire.US(e.At), e.Step, e.Was, e.Now, e.By, e.Name, e.Address, e.Reason, e.Terms.Title, e.Terms.Text, from, until, e.SHA256, e.Heard).Scan(&row)
	return row, err
}

// ClipEvents returns the history of a clip, oldest first.
func (s *Store) ClipEvents(ctx context.Context, id fleet.ClipID) ([]fleet.ClipEvent, error) {
	return list(ctx, s, "history of a clip", func(r scanner) (e fleet.ClipEvent, err error) {
		var at, from, until int64
		err = r.Scan(&at, &e.Step, &e.Was, &e.Now, &e.By, &e.Name, &e.Address, &e.Reason, &e.Terms.Title, &e.Terms.Text, &from, &until, &e.SHA256, &e.Heard)
		e.At, e.Terms.ValidFrom, e.Terms.ValidUntil = wire.FromUS(at), boundOf(from), boundOf(until)
		return e, err
	}, `SELECT at_us, step, was, now, by, name, address, reason, title, text, valid_from, valid_until, sha256, heard FROM clip_events WHERE clip_id = ? ORDER BY id`, id)
}

// HearClip keeps that login has fetched the audio of a clip; the first time
// counts.
func (s *Store) HearClip(ctx context.Context, id fleet.ClipID, login string, now time.Time) error {
	heard, err := s.HeardClip(ctx, id, login)
	if err != nil || heard {
		return err
	}
	_, err = change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`INSERT OR IGNORE INTO clip_hearings (clip_id, login, at_us) VALUES (?, ?, ?)`, id, login, wire.US(now))
		return none{}, err
	})
	return err
}

// HeardClip reports whether login has fetched the audio of a clip.
func (s *Store) HeardClip(ctx context.Context, id fleet.ClipID, login string) (heard bool, err error) {
	if err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM clip_hearings WHERE clip_id = ? AND login = ?`, id, login).Scan(&heard); err != nil {
		return false, fmt.Errorf("reading who heard a clip: %w", explain(err))
	}
	return heard, nil
}

// ClipsWaiting counts the clips that wait for a sign-off by somebody who had
// no hand in them, as login had not.
func (s *Store) ClipsWaiting(ctx context.Context, login string) (n int, err error) {
	const query = `SELECT count(*) FROM clips WHERE (state = ? OR changes != '') AND NOT EXISTS (SELECT 1 FROM json_each(hands) WHERE value = ?)`
	if err := s.read.QueryRowContext(ctx, query, fleet.ClipSubmitted, login).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting clips that wait: %w", explain(err))
	}
	return n, nil
}
