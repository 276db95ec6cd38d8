package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Why an enrolment is refused; Is-comparable, each with its sentence.
var (
	ErrCodeUnknown = &fleet.Error{
		Code:   fleet.NotFound,
		Text:   "接入码不对。请核对后重新输入，或让办公室重新生成一个。",
		TextEN: "This join code is not known. Check it and enter it again, or ask the office for a new one.",
	}
	ErrCodeExpired = &fleet.Error{
		Code:   fleet.Invalid,
		Text:   "接入码已过期。请让办公室重新生成一个。",
		TextEN: "This join code has expired. Ask the office for a new one.",
	}
	ErrCodeUsed = &fleet.Error{
		Code:   fleet.Conflict,
		Text:   "接入码已被另一台设备使用，每个接入码只能用一次。请让办公室重新生成一个。",
		TextEN: "This join code was used by another device; each works once. Ask the office for a new one.",
	}
	ErrRevoked = &fleet.Error{
		Code:   fleet.Forbidden,
		Text:   "这台设备已被吊销，不能再次接入。请清除设备上的密钥后重新接入。",
		TextEN: "This device is revoked and cannot join again. Erase its key and enrol it anew.",
	}
	ErrCloned = &fleet.Error{
		Code:   fleet.Forbidden,
		Text:   "这台设备的身份在两台机器上出现过，不能再用。请清除设备上的密钥后重新接入。",
		TextEN: "The identity of this device was seen on two machines and is of no more use. Erase its key and enrol it anew.",
	}
)

// AddJoinCode keeps a join code by its hash. A hash that exists is a
// *fleet.Error of code Conflict.
func (s *Store) AddJoinCode(ctx context.Context, c fleet.JoinCode) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`INSERT INTO join_codes (hash, point_id, issued_us, expires_us, by) VALUES (?, ?, ?, ?, ?)`,
			c.Hash, c.Point, wire.US(c.Issued), wire.US(c.Expires), c.By)
		if isUnique(err) {
			err = &fleet.Error{
				Code:   fleet.Conflict,
				Text:   "这个接入码已经存在，请重新生成。",
				TextEN: "This join code exists already. Make another one.",
				Err:    err,
			}
		}
		if sqliteCode(err) == sqliteForeign {
			err = noPoint(c.Point)
		}
		return none{}, err
	})
	return err
}

// JoinCodes returns the join codes of p, newest first; p 0 means all points.
func (s *Store) JoinCodes(ctx context.Context, p fleet.PointID) ([]fleet.JoinCode, error) {
	return list(ctx, s, "join codes", scanJoinCode,
		`SELECT hash, point_id, issued_us, expires_us, by, used_by, used_us FROM join_codes WHERE ? IN (0, point_id) ORDER BY issued_us DESC, hash`, p)
}

// JoinCode returns the join code with that hash, or a *fleet.Error of code
// NotFound.
func (s *Store) JoinCode(ctx context.Context, hash string) (fleet.JoinCode, error) {
	return one(ctx, s, "没有这个接入码。", "There is no such join code.", scanJoinCode,
		`SELECT hash, point_id, issued_us, expires_us, by, used_by, used_us FROM join_codes WHERE hash = ?`, hash)
}

func scanJoinCode(r scanner) (c fleet.JoinCode, err error) {
	var issued, expires, used int64
	err = r.Scan(&c.Hash, &c.Point, &issued, &expires, &c.By, &c.UsedBy, &used)
	c.Issued, c.Expires, c.UsedAt = wire.FromUS(issued), wire.FromUS(expires), wire.FromUS(used)
	return c, err
}

// Enrol puts d (ID, SPKI and Hardware count) into quarantine at the point of
// the join code with that hash and uses the code up, all or nothing. Who is at
// the point stays there until a person accepts d; another device that waited
// there is retired. The same device with the same code again succeeds and
// changes nothing. Refusals are ErrCodeUnknown, ErrCodeExpired, ErrCodeUsed,
// ErrRevoked and ErrCloned.
func (s *Store) Enrol(ctx context.Context, codeHash string, d fleet.Device, now time.Time) (fleet.Point, error) {
	p, err := changeAlone(ctx, s, func(t *tx) (fleet.Point, error) { return s.enrolTx(t, codeHash, d, now) })
	if err != nil {
		return p, fmt.Errorf("enrolling device %q: %w", d.ID, err)
	}
	return p, nil
}

func (s *Store) enrolTx(t *tx, codeHash string, d fleet.Device, now time.Time) (p fleet.Point, err error) {
	c, err := scanJoinCode(t.row(`SELECT hash, point_id, issued_us, expires_us, by, used_by, used_us FROM join_codes WHERE hash = ?`, codeHash))
	if errors.Is(err, sql.ErrNoRows) {
		return p, ErrCodeUnknown
	}
	if err != nil {
		return p, err
	}
	if p, err = s.scanPoint(t.row(`SELECT `+pointColumns+` FROM points p WHERE id = ?`, c.Point)); err != nil {
		return p, err
	}
	known, err := s.device(d.ID)
	exists := err == nil
	switch {
	case exists && known.State == fleet.DeviceRevoked:
		return p, ErrRevoked
	case exists && known.Cloned:
		return p, ErrCloned
	case c.UsedBy == d.ID && exists && known.State != fleet.DeviceRetired && known.Point == c.Point:
		return p, nil
	case c.UsedBy != "":
		return p, ErrCodeUsed
	case !now.Before(c.Expires):
		return p, ErrCodeExpired
	}
	if _, err := t.exec(`UPDATE join_codes SET used_by = ?, used_us = ? WHERE hash = ?`, d.ID, wire.US(now), codeHash); err != nil {
		return p, err
	}
	return p, s.bindTx(t, d, known, p.ID, now)
}

// bindTx puts d into quarantine at the point; known is its row if it has one.
func (s *Store) bindTx(t *tx, d fleet.Device, known *device, p fleet.PointID, now time.Time) error {
	if known != nil && known.State != fleet.DeviceRetired {
		if known.Point == p {
			return nil // a second code for the point it is on
		}
		if err := s.leaveTx(t, known, fleet.DeviceRetired, now); err != nil {
			return err
		}
	}
	for _, o := range s.quarantined(p) {
		if o.ID == d.ID || o.Cloned {
			continue
		}
		if err := s.leaveTx(t, o, fleet.DeviceRetired, now); err != nil {
			return err
		}
	}
	now = wire.FromUS(wire.US(now))
	var row int64
	err := t.row(`
INSERT INTO devices (name, point_id, state, spki, enrolled_us, hardware) VALUES (?, ?, 'quarantine', ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET point_id = excluded.point_id, state = 'quarantine', enrolled_us = excluded.enrolled_us,
  retired_us = 0, hardware = excluded.hardware, want_version = 0, want_hash = '', toned_us = 0, unheard_us = 0, accepted_us = 0, accepted_by = ''
RETURNING id`, d.ID, p, d.SPKI, wire.US(now), d.Hardware).Scan(&row)
	if err != nil {
		return err
	}
	if _, err := t.exec(`INSERT INTO bindings (device_id, from_us, point_id) VALUES (?, ?, ?)`, row, wire.US(now), p); err != nil {
		return err
	}
	t.after(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		next := device{row: row}
		if cur := s.devices[d.ID]; cur != nil {
			next = *cur
		}
		next.ID, next.SPKI, next.Hardware = d.ID, d.SPKI, d.Hardware
		next.Point, next.State, next.Enrolled, next.Retired = p, fleet.DeviceQuarantine, now, time.Time{}
		next.Toned, next.Unheard, next.Accepted, next.AcceptedBy = time.Time{}, time.Time{}, time.Time{}, ""
		next.WantVersion, next.WantHash = 0, ""
		next.bindings = append(endBinding(next.bindings, now), binding{from: now, point: p})
		s.devices[d.ID] = &next
		s.addBound(p, d.ID)
	})
	return nil
}
