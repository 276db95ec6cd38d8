package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// fieldTarget is the column with the addresses and secrets of robots.
const fieldTarget = "robots.target"

var noRobot = &fleet.Error{Code: fleet.NotFound, Text: "没有这个机器人，可能已被删除。", TextEN: "There is no such robot; it may have been removed."}

const robotColumns = `id, name, platform, host, feeds, keyword, mention_all, mobiles, created_us, created_by, paused_us, told, digest_us, hold_us, tokens, tokens_us,
  (SELECT count(*) FROM outbox WHERE robot_id = robots.id AND state = 'waiting'), (SELECT count(*) FROM outbox WHERE robot_id = robots.id AND state = 'dead')`

func scanRobot(r scanner) (v fleet.Robot, err error) {
	var feeds string
	var created, paused, digest, hold, tokens int64
	if err := r.Scan(&v.ID, &v.Name, &v.Platform, &v.Host, &feeds, &v.Keyword, &v.MentionAll, &v.Mobiles, &created, &v.CreatedBy, &paused, &v.Told,
		&digest, &hold, &v.Tokens, &tokens, &v.Waiting, &v.Dead); err != nil {
		return v, err
	}
	v.Created, v.Paused, v.Digest, v.Hold, v.TokensAt = wire.FromUS(created), wire.FromUS(paused), wire.FromUS(digest), wire.FromUS(hold), wire.FromUS(tokens)
	if v.Feeds, err = decodeList[fleet.Feed](feeds); err != nil {
		return v, fmt.Errorf("feeds of robot %d: %w", v.ID, err)
	}
	return v, nil
}

// Robots returns all robots and webhooks, by name.
func (s *Store) Robots(ctx context.Context) ([]fleet.Robot, error) {
	return list(ctx, s, "robots", scanRobot, `SELECT `+robotColumns+` FROM robots ORDER BY name`)
}

// Robot returns one; an unknown one is a *fleet.Error of code NotFound.
func (s *Store) Robot(ctx context.Context, id fleet.RobotID) (fleet.Robot, error) {
	return one(ctx, s, noRobot.Text, noRobot.TextEN, scanRobot, `SELECT `+robotColumns+` FROM robots WHERE id = ?`, id)
}

// RobotTarget opens where a robot sends to. That the key of the vault is
// missing is an error.
func (s *Store) RobotTarget(ctx context.Context, id fleet.RobotID) (v fleet.RobotTarget, err error) {
	sealed, err := one(ctx, s, noRobot.Text, noRobot.TextEN, func(r scanner) (text string, err error) {
		err = r.Scan(&text)
		return text, err
	}, `SELECT target FROM robots WHERE id = ?`, id)
	if err != nil {
		return v, err
	}
	text, err := s.vault.Open(fieldTarget, sealed)
	if err != nil {
		return v, fmt.Errorf("opening target of robot %d: %w", id, err)
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return v, fmt.Errorf("target of robot %d: %w", id, err)
	}
	return v, nil
}

// AddRobot keeps a robot and returns its number; the target is sealed. It is
// told of what happens from now on. A name that is taken is a *fleet.Error of
// code Conflict.
func (s *Store) AddRobot(ctx context.Context, v fleet.Robot, target fleet.RobotTarget) (fleet.RobotID, error) {
	sealed, err := s.vault.Seal(fieldTarget, toJSON(target))
	if err != nil {
		return 0, fmt.Errorf("sealing target of robot %q: %w", v.Name, err)
	}
	return change(ctx, s, func(t *tx) (id fleet.RobotID, err error) {
		err = t.row(`INSERT INTO robots (name, platform, host, target, feeds, keyword, mention_all, mobiles, created_us, created_by, told)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'occurrences'), 0)) RETURNING id`,
			v.Name, string(v.Platform), v.Host, sealed, toJSON(v.Feeds), v.Keyword, v.MentionAll, len(target.Mobiles), wire.US(v.Created), v.CreatedBy).Scan(&id)
		if isUnique(err) {
			return 0, &fleet.Error{
				Code:   fleet.Conflict,
				Text:   fmt.Sprintf("已有名为“%s”的机器人，请换一个名称。", v.Name),
				TextEN: fmt.Sprintf("There is a robot named %q already. Choose another name.", v.Name),
			}
		}
		return id, err
	})
}

// PauseRobot stops sending from a time on, or lets it go on where at is zero:
// with what happens from then on, and with what waited. What was due while it
// was paused is tried at once.
func (s *Store) PauseRobot(ctx context.Context, id fleet.RobotID, at time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		res, err := t.exec(`UPDATE robots SET paused_us = ?1,
  told = CASE ?1 WHEN 0 THEN coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'occurrences'), 0) ELSE told END WHERE id = ?2`, wire.US(at), id)
		return none{}, affected(res, err, noRobot)
	})
	return err
}

// RemoveRobot forgets a robot, its secret and its messages.
func (s *Store) RemoveRobot(ctx context.Context, id fleet.RobotID) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		if _, err := t.exec(`DELETE FROM outbox WHERE robot_id = ?`, id); err != nil {
			return none{}, err
		}
		res, err := t.exec(`DELETE FROM robots WHERE id = ?`, id)
		return none{}, affected(res, err, noRobot)
	})
	return err
}

// TellRobot notes that a robot has been told up to an occurrence, and puts the
// messages that tell of it into the outbox, all or nothing; a message that is
// there is never written twice. A digest also moves the time of the last one.
func (s *Store) TellRobot(ctx context.Context, id fleet.RobotID, told fleet.OccurrenceID, letters []fleet.Letter) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		res, err := t.exec(`UPDATE robots SET told = ? WHERE id = ? AND told < ?`, told, id, told)
		if err != nil {
			return none{}, err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return none{}, err // told before, or removed
		}
		for _, l := range letters {
			if _, err := addLetterTx(t, l); err != nil {
				return none{}, err
			}
			if l.Kind != fleet.LetterDigest {
				continue
			}
			if _, err := t.exec(`UPDATE robots SET digest_us = ? WHERE id = ?`, wire.US(l.Created), id); err != nil {
				return none{}, err
			}
		}
		return none{}, nil
	})
	return err
}
