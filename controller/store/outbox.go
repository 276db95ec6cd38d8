package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

var noLetter = &fleet.Error{Code: fleet.NotFound, Text: "没有这条消息，可能已被处理。", TextEN: "There is no such message; it may have been dealt with."}

const letterColumns = `id, robot_id, kind, title, body, state, created_us, next_us, attempts, tried_us, ended_us, why, answer`

func scanLetter(r scanner) (l fleet.Letter, err error) {
	var created, next, tried, ended int64
	err = r.Scan(&l.ID, &l.Robot, &l.Kind, &l.Title, &l.Body, &l.State, &created, &next, &l.Attempts, &tried, &ended, &l.Fault, &l.Answer)
	l.Created, l.Next, l.Tried, l.Ended = wire.FromUS(created), wire.FromUS(next), wire.FromUS(tried), wire.FromUS(ended)
	return l, err
}

// AddLetter puts a message into the outbox, to be tried from its Next on. On
// return it survives power loss.
func (s *Store) AddLetter(ctx context.Context, l fleet.Letter) (fleet.LetterID, error) {
	return change(ctx, s, func(t *tx) (fleet.LetterID, error) { return addLetterTx(t, l) })
}

func addLetterTx(t *tx, l fleet.Letter) (id fleet.LetterID, err error) {
	if l.Next.IsZero() {
		l.Next = l.Created
	}
	err = t.row(`INSERT INTO outbox (robot_id, kind, title, body, state, created_us, next_us) VALUES (?, ?, ?, ?, 'waiting', ?, ?) RETURNING id`,
		l.Robot, string(l.Kind), l.Title, l.Body, wire.US(l.Created), wire.US(l.Next)).Scan(&id)
	return id, err
}

// NextLetter returns the oldest message of a robot that waits, whether or not
// it is due: messages go in order. ok is false where none waits.
func (s *Store) NextLetter(ctx context.Context, robot fleet.RobotID) (l fleet.Letter, ok bool, err error) {
	l, err = scanLetter(s.read.QueryRowContext(ctx, `SELECT `+letterColumns+` FROM outbox WHERE robot_id = ? AND state = 'waiting' ORDER BY id LIMIT 1`, robot))
	if errors.Is(err, sql.ErrNoRows) {
		return l, false, nil
	}
	return l, err == nil, explain(err)
}

// TryLetter notes an attempt before it is made: when the next one would be,
// and what is left in the robot's bucket. A message that does not wait any
// more is a *fleet.Error of code NotFound.
func (s *Store) TryLetter(ctx context.Context, id fleet.LetterID, at, next time.Time, tokens float64) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		res, err := t.exec(`UPDATE outbox SET attempts = attempts + 1, tried_us = ?, next_us = ? WHERE id = ? AND state = 'waiting'`, wire.US(at), wire.US(next), id)
		if err := affected(res, err, noLetter); err != nil {
			return none{}, err
		}
		_, err = t.exec(`UPDATE robots SET tokens = ?, tokens_us = ? WHERE id = (SELECT robot_id FROM outbox WHERE id = ?)`, tokens, wire.US(at), id)
		return none{}, err
	})
	return err
}

// NoteLetter keeps what came of an attempt: State, Next, Attempts, Ended,
// Fault and Answer of l. hold is until when the robot's other messages wait,
// too; zero changes nothing.
func (s *Store) NoteLetter(ctx context.Context, l fleet.Letter, hold time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		if _, err := t.exec(`UPDATE outbox SET state = ?, next_us = ?, attempts = ?, ended_us = ?, why = ?, answer = ? WHERE id = ?`,
			string(l.State), wire.US(l.Next), l.Attempts, wire.US(l.Ended), string(l.Fault), oneLine(l.Answer), l.ID); err != nil {
			return none{}, err
		}
		if hold.IsZero() {
			return none{}, nil
		}
		_, err := t.exec(`UPDATE robots SET hold_us = ? WHERE id = ?`, wire.US(hold), l.Robot)
		return none{}, err
	})
	return err
}

// Letters returns the messages that f selects, the newest first.
func (s *Store) Letters(ctx context.Context, f fleet.LetterFilter) ([]fleet.Letter, error) {
	var w where
	if f.Robot != 0 {
		w.add("robot_id = ?", int64(f.Robot))
	}
	if f.State != "" {
		w.add("state = ?", string(f.State))
	}
	return list(ctx, s, "outbox", scanLetter, `SELECT `+letterColumns+` FROM outbox`+w.String()+` ORDER BY id DESC`+page(f.Limit, f.Offset), w.args...)
}

// ResendLetter lets a message that was given up be tried again, as if for the
// first time, and returns it. One that was not is a *fleet.Error of code
// NotFound.
func (s *Store) ResendLetter(ctx context.Context, id fleet.LetterID, now time.Time) (fleet.Letter, error) {
	return change(ctx, s, func(t *tx) (fleet.Letter, error) {
		res, err := t.exec(`UPDATE outbox SET state = 'waiting', next_us = ?1, created_us = ?1, attempts = 0, ended_us = 0 WHERE id = ?2 AND state = 'dead'`, wire.US(now), id)
		if err := affected(res, err, noLetter); err != nil {
			return fleet.Letter{}, err
		}
		return scanLetter(t.row(`SELECT `+letterColumns+` FROM outbox WHERE id = ?`, id))
	})
}

// DropLetter forgets a message that was given up and returns it. One that was
// not is a *fleet.Error of code NotFound.
func (s *Store) DropLetter(ctx context.Context, id fleet.LetterID) (fleet.Letter, error) {
	return change(ctx, s, func(t *tx) (fleet.Letter, error) {
		l, err := scanLetter(t.row(`SELECT `+letterColumns+` FROM outbox WHERE id = ? AND state = 'dead'`, id))
		if err := found(err, noLetter.Text, noLetter.TextEN); err != nil {
			return l, err
		}
		_, err = t.exec(`DELETE FROM outbox WHERE id = ?`, id)
		return l, err
	})
}

// TrimOutbox drops what was sent before a time, and what was given up before
// another. It returns how many messages went.
func (s *Store) TrimOutbox(ctx context.Context, sent, dead time.Time) (int, error) {
	return change(ctx, s, func(t *tx) (int, error) {
		res, err := t.exec(`DELETE FROM outbox WHERE state = 'sent' AND ended_us < ? OR state = 'dead' AND ended_us < ?`, wire.US(sent), wire.US(dead))
		if err != nil {
			return 0, err
		}
		n, err := res.RowsAffected()
		return int(n), err
	})
}
