package store

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const complaintColumns = `c.id, c.point_id, c.at_us, c.channel, c.reference, c.text, c.measure, c.mute_id, c.by, c.created_us, c.reply, c.replied_us, c.replied_by`

func scanComplaint(r scanner) (c fleet.Complaint, err error) {
	var at, created, replied int64
	err = r.Scan(&c.ID, &c.Point, &at, &c.Channel, &c.Reference, &c.Text, &c.Measure, &c.Mute, &c.By, &created, &c.Reply, &replied, &c.RepliedBy)
	c.At, c.Created, c.Replied = wire.FromUS(at), wire.FromUS(created), wire.FromUS(replied)
	return c, err
}

const levelColumns = `id, point_id, complaint_id, at_us, gain_db, until_us, by, ended_us, ended_by, end_reason`

func scanLevel(r scanner) (l fleet.Level, err error) {
	var at, until, ended int64
	err = r.Scan(&l.ID, &l.Point, &l.Complaint, &at, &l.GainDB, &until, &l.By, &ended, &l.EndedBy, &l.EndReason)
	l.At, l.Until, l.Ended = wire.FromUS(at), wire.FromUS(until), wire.FromUS(ended)
	return l, err
}

// complaintOrders are the orders of a list, each with the id as the last word.
var complaintOrders = map[string]string{
	"":        "c.at_us DESC, c.id DESC",
	"at":      "c.at_us DESC, c.id DESC",
	"point":   "p.code, c.at_us DESC, c.id DESC",
	"measure": "c.measure, c.at_us DESC, c.id DESC",
}

// Complaints returns those that f selects, and how many it selects without
// limit and offset. An unknown order is that by time.
func (s *Store) Complaints(ctx context.Context, f fleet.ComplaintFilter) ([]fleet.Complaint, int, error) {
	w := &where{}
	if f.Point != 0 {
		w.add("c.point_id = ?", int64(f.Point))
	}
	if f.Channel != "" {
		w.add("c.channel = ?", string(f.Channel))
	}
	if f.Open {
		w.add("c.replied_us = 0")
	}
	if !f.From.IsZero() {
		w.add("c.at_us >= ?", wire.US(f.From))
	}
	if !f.To.IsZero() {
		w.add("c.at_us < ?", wire.US(f.To))
	}
	if f.Query != "" {
		w.add("(instr(c.text, ?) > 0 OR instr(c.reference, ?) > 0 OR instr(p.name, ?) > 0 OR instr(upper(p.code), upper(?)) > 0 OR instr(coalesce(k.name, ''), ?) > 0)",
			f.Query, f.Query, f.Query, f.Query, f.Query)
	}
	const tables = ` FROM complaints c JOIN points p ON p.id = c.point_id LEFT JOIN compounds k ON k.id = p.compound_id`
	order, ok := complaintOrders[f.Sort]
	if !ok {
		order = complaintOrders[""]
	}
	rows, err := list(ctx, s, "complaints", scanComplaint, `SELECT `+complaintColumns+tables+w.String()+` ORDER BY `+order+page(f.Limit, f.Offset), w.args...)
	if err != nil {
		return nil, 0, err
	}
	var all int
	if err := s.read.QueryRowContext(ctx, `SELECT count(*)`+tables+w.String(), w.args...).Scan(&all); err != nil {
		return nil, 0, fmt.Errorf("counting complaints: %w", explain(err))
	}
	return rows, all, nil
}

const noComplaint, noComplaintEN = "没有这条投诉。", "There is no such complaint."

// Complaint returns one, or a *fleet.Error of code NotFound.
func (s *Store) Complaint(ctx context.Context, id fleet.ComplaintID) (fleet.Complaint, error) {
	return one(ctx, s, noComplaint, noComplaintEN, scanComplaint, `SELECT `+complaintColumns+` FROM complaints c WHERE c.id = ?`, int64(id))
}

// AddComplaint keeps a complaint and, where it is not nil, by how much the
// point is turned down for it, and returns it with its id. gain is how far the
// point was turned down when the person decided: if that is another number
// now, nothing is kept and the error is a *fleet.Error of code Conflict, so
// that pressing twice lowers once.
func (s *Store) AddComplaint(ctx context.Context, c fleet.Complaint, l *fleet.Level, gain float64) (fleet.Complaint, error) {
	return change(ctx, s, func(t *tx) (fleet.Complaint, error) {
		if l != nil {
			rows, err := t.query(`SELECT `+levelColumns+` FROM levels WHERE point_id = ?`, int64(c.Point))
			if err != nil {
				return c, err
			}
			levels, err := collect(rows, scanLevel)
			if err != nil {
				return c, err
			}
			if fleet.GainAt(levels, l.At) != gain {
				return c, &fleet.Error{
					Code:   fleet.Conflict,
					Text:   "这个点位的音量刚刚调过，请刷新页面核对后再调。",
					TextEN: "The volume of this point was changed a moment ago. Reload the page and look again.",
				}
			}
		}
		err := t.row(`INSERT INTO complaints (point_id, at_us, channel, reference, text, measure, mute_id, by, created_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			int64(c.Point), wire.US(c.At), string(c.Channel), c.Reference, c.Text, string(c.Measure), int64(c.Mute), c.By, wire.US(c.Created)).Scan(&c.ID)
		if err != nil || l == nil {
			return c, err
		}
		_, err = t.exec(`INSERT INTO levels (point_id, complaint_id, at_us, gain_db, until_us, by) VALUES (?, ?, ?, ?, ?, ?)`,
			int64(c.Point), int64(c.ID), wire.US(l.At), l.GainDB, wire.US(l.Until), l.By)
		return c, err
	})
}

// AnswerComplaint keeps what was answered; the latest answer stands.
func (s *Store) AnswerComplaint(ctx context.Context, id fleet.ComplaintID, reply, by string, now time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		r, err := t.exec(`UPDATE complaints SET reply = ?, replied_us = ?, replied_by = ? WHERE id = ?`, reply, wire.US(now), by, int64(id))
		return none{}, affected(r, err, &fleet.Error{Code: fleet.NotFound, Text: noComplaint, TextEN: noComplaintEN})
	})
	return err
}

// Levels returns every level of a point, the newest first.
func (s *Store) Levels(ctx context.Context, p fleet.PointID) ([]fleet.Level, error) {
	return list(ctx, s, "levels", scanLevel, `SELECT `+levelColumns+` FROM levels WHERE point_id = ? ORDER BY id DESC`, int64(p))
}

// OpenLevels returns the levels of all points that were not restored by hand
// and lower slots that start at now or later, the oldest first.
func (s *Store) OpenLevels(ctx context.Context, now time.Time) ([]fleet.Level, error) {
	return list(ctx, s, "levels", scanLevel, `SELECT `+levelColumns+` FROM levels WHERE ended_us = 0 AND (until_us = 0 OR until_us > ?) ORDER BY id`, wire.US(now))
}

// RestoreLevels ends every level of a point that is open, and reports how many
// those were.
func (s *Store) RestoreLevels(ctx context.Context, p fleet.PointID, by, reason string, now time.Time) (int, error) {
	return change(ctx, s, func(t *tx) (int, error) {
		r, err := t.exec(`UPDATE levels SET ended_us = ?, ended_by = ?, end_reason = ? WHERE point_id = ? AND ended_us = 0 AND (until_us = 0 OR until_us > ?)`,
			wire.US(now), by, reason, int64(p), wire.US(now))
		if err != nil {
			return 0, err
		}
		n, err := r.RowsAffected()
		return int(n), err
	})
}
