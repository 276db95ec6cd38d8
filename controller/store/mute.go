package store

import (
	"context"
	"encoding/json"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const muteColumns = `id, number, at_us, by, name, reason, scope, until_us, approved_us, approved_by, lifted_us, lift_number, lifted_by, lift_reason`

func scanMute(r scanner) (m fleet.Mute, err error) {
	var number, at, until, approved, lifted, lift int64
	var scope []byte
	if err := r.Scan(&m.ID, &number, &at, &m.By, &m.Name, &m.Reason, &scope, &until, &approved, &m.ApprovedBy, &lifted, &lift, &m.LiftedBy, &m.LiftReason); err != nil {
		return m, err
	}
	m.Number, m.LiftNumber = uint64(number), uint64(lift)
	m.At, m.Until, m.Approved, m.Lifted = wire.FromUS(at), wire.FromUS(until), wire.FromUS(approved), wire.FromUS(lifted)
	return m, json.Unmarshal(scope, &m.Area)
}

// Mutes returns every order of silence, the newest first.
func (s *Store) Mutes(ctx context.Context) ([]fleet.Mute, error) {
	return list(ctx, s, "mutes", scanMute, `SELECT `+muteColumns+` FROM mutes ORDER BY id DESC`)
}

func noMute() error {
	return &fleet.Error{Code: fleet.NotFound, Text: "没有这次静音记录。", TextEN: "There is no such mute."}
}

// nextMuteTx returns a number above every one before, and above those that a
// database lost which was restored from a backup: numbers grow with the clock.
func nextMuteTx(t *tx, now time.Time) (uint64, error) {
	var last int64
	err := t.row(`SELECT coalesce(max(max(number), max(lift_number)), 0) FROM mutes`).Scan(&last)
	return uint64(max(last+1, wire.US(now))), err
}

// AddMute keeps an order of silence and returns it with its id and number.
func (s *Store) AddMute(ctx context.Context, m fleet.Mute) (fleet.Mute, error) {
	return change(ctx, s, func(t *tx) (fleet.Mute, error) {
		var err error
		if m.Number, err = nextMuteTx(t, m.At); err != nil {
			return m, err
		}
		return m, t.row(`INSERT INTO mutes (number, at_us, by, name, reason, scope, until_us, approved_us, approved_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			int64(m.Number), wire.US(m.At), m.By, m.Name, m.Reason, toJSON(m.Area), wire.US(m.Until), wire.US(m.Approved), m.ApprovedBy).Scan(&m.ID)
	})
}

// LiftMute ends an order of silence. One that has ended is a *fleet.Error of
// code Conflict.
func (s *Store) LiftMute(ctx context.Context, id fleet.MuteID, by, reason string, now time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		number, err := nextMuteTx(t, now)
		if err != nil {
			return none{}, err
		}
		r, err := t.exec(`UPDATE mutes SET lifted_us = ?, lift_number = ?, lifted_by = ?, lift_reason = ? WHERE id = ? AND lifted_us = 0`,
			wire.US(now), int64(number), by, reason, int64(id))
		return none{}, affected(r, err, &fleet.Error{Code: fleet.Conflict, Text: "这次静音已经恢复。", TextEN: "This mute has been lifted already."})
	})
	return err
}

// ApproveMute says that somebody stood up for an order of silence. Twice is
// harmless: the first one stays.
func (s *Store) ApproveMute(ctx context.Context, id fleet.MuteID, by string, now time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		r, err := t.exec(`UPDATE mutes SET approved_us = CASE approved_us WHEN 0 THEN ? ELSE approved_us END, approved_by = CASE approved_by WHEN '' THEN ? ELSE approved_by END WHERE id = ?`,
			wire.US(now), by, int64(id))
		return none{}, affected(r, err, noMute())
	})
	return err
}
