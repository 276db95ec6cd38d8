package store

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// photosPerPoint is how many photos of calibrations a point keeps: what was
// measured stays, older pictures go. At about 200 KB each, 10,000 points with
// all of theirs are 6 GB.
const photosPerPoint = 3

// AddCalibration keeps what was measured at c.Point, with a photo as JPEG or
// none. c must be checked. On return it survives power loss.
func (s *Store) AddCalibration(ctx context.Context, c fleet.Calibration, photo []byte) (fleet.CalibrationID, error) {
	day, err := dayNumber(c.Day)
	if err != nil {
		return 0, err
	}
	return change(ctx, s, func(t *tx) (id fleet.CalibrationID, err error) {
		var n int
		if err := t.row(`SELECT count(*) FROM points WHERE id = ?`, c.Point).Scan(&n); err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, noPoint(c.Point)
		}
		if len(photo) > 0 {
			if err := t.row(`INSERT INTO photos (jpeg, at_us) VALUES (?, ?) RETURNING id`, photo, wire.US(c.At)).Scan(&c.Photo); err != nil {
				return 0, fmt.Errorf("storing photo: %w", err)
			}
		}
		err = t.row(`INSERT INTO calibrations (point_id, day, on_db, off_db, method, class, who, note, photo_id, by, at_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			c.Point, day, c.OnDB, c.OffDB, c.Method, c.Class, c.Who, c.Note, null(c.Photo), c.By, wire.US(c.At)).Scan(&id)
		if err != nil {
			return 0, fmt.Errorf("storing calibration: %w", err)
		}
		// The class of the place is known by it.
		if _, err := t.exec(`UPDATE points SET noise_class = ? WHERE id = ?`, c.Class, c.Point); err != nil {
			return 0, err
		}
		if _, err := t.exec(`UPDATE calibrations SET photo_id = NULL WHERE point_id = ?1 AND photo_id IS NOT NULL AND id NOT IN
  (SELECT id FROM calibrations WHERE point_id = ?1 AND photo_id IS NOT NULL ORDER BY id DESC LIMIT ?2)`, c.Point, photosPerPoint); err != nil {
			return 0, err
		}
		_, err = t.exec(`DELETE FROM photos WHERE id NOT IN (SELECT photo_id FROM calibrations WHERE photo_id IS NOT NULL)`)
		return id, err
	})
}

const calibrationColumns = `id, point_id, day, on_db, off_db, method, class, who, note, coalesce(photo_id, 0), by, at_us`

func scanCalibration(r scanner) (c fleet.Calibration, err error) {
	var day, at int64
	err = r.Scan(&c.ID, &c.Point, &day, &c.OnDB, &c.OffDB, &c.Method, &c.Class, &c.Who, &c.Note, &c.Photo, &c.By, &at)
	c.Day, c.At = dayOf(day), wire.FromUS(at)
	return c, err
}

// Calibrations returns what was measured at a point, the newest first.
func (s *Store) Calibrations(ctx context.Context, p fleet.PointID) ([]fleet.Calibration, error) {
	return list(ctx, s, "calibrations", scanCalibration, `SELECT `+calibrationColumns+` FROM calibrations WHERE point_id = ? ORDER BY day DESC, id DESC`, p)
}

// CalibratedPoints returns the points at which something was measured, each
// with what was measured last.
func (s *Store) CalibratedPoints(ctx context.Context) (map[fleet.PointID]fleet.Calibration, error) {
	all, err := list(ctx, s, "calibrations", scanCalibration, `SELECT `+calibrationColumns+` FROM (
  SELECT *, row_number() OVER (PARTITION BY point_id ORDER BY day DESC, id DESC) AS place FROM calibrations) WHERE place = 1`)
	m := make(map[fleet.PointID]fleet.Calibration, len(all))
	for _, c := range all {
		m[c.Point] = c
	}
	return m, err
}

// CalibrationPhoto returns a photo as JPEG, or a *fleet.Error of code NotFound.
func (s *Store) CalibrationPhoto(ctx context.Context, p fleet.PointID, id fleet.PhotoID) ([]byte, error) {
	return one(ctx, s, "没有这张照片，较早的照片已删除。", "There is no such photo; older ones were removed.",
		func(r scanner) (b []byte, err error) { err = r.Scan(&b); return b, err },
		`SELECT jpeg FROM photos WHERE id = ? AND id IN (SELECT photo_id FROM calibrations WHERE point_id = ?)`, id, p)
}

// SetPointStart says from when a point owes; the zero time means as soon as a
// device of it is heard, and for a point on hold not at all. It never owes
// before somebody heard it.
func (s *Store) SetPointStart(ctx context.Context, p fleet.PointID, start time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		var installed int64
		var hold bool
		if err := notFound(t.row(`SELECT installed_us, hold FROM points WHERE id = ?`, p).Scan(&installed, &hold), noPoint(p)); err != nil {
			return none{}, err
		}
		_, err := t.exec(`UPDATE points SET start_us = ?, active_from_us = ? WHERE id = ?`,
			wire.US(start), wire.US(fleet.OwesFrom(wire.FromUS(installed), start, hold)), p)
		return none{}, err
	})
	return err
}

// RetirePoint says that a point owes nothing from at on; the zero time puts it
// back into use.
func (s *Store) RetirePoint(ctx context.Context, p fleet.PointID, at time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		r, err := t.exec(`UPDATE points SET retired_us = ? WHERE id = ?`, wire.US(at), p)
		return none{}, affected(r, err, noPoint(p))
	})
	return err
}

// Companies returns every property company by name.
func (s *Store) Companies(ctx context.Context) ([]fleet.Company, error) {
	return list(ctx, s, "property companies", func(r scanner) (c fleet.Company, err error) {
		var phone string
		err = r.Scan(&c.ID, &c.Name, &c.Contact, &phone, &c.Note)
		c.Phone = s.openPhone(fieldCompanyPhone, phone)
		return c, err
	}, `SELECT id, name, contact, phone, note FROM companies ORDER BY name`)
}

// RenameCompany gives a property company another name, in its compounds and
// accounts too. A name that is taken is a *fleet.Error of code Conflict.
func (s *Store) RenameCompany(ctx context.Context, from, to string) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		r, err := t.exec(`UPDATE companies SET name = ? WHERE name = ?`, to, from)
		if isUnique(err) {
			return none{}, &fleet.Error{Code: fleet.Conflict, Text: fmt.Sprintf("已有名为“%s”的物业公司。", to), TextEN: fmt.Sprintf("There is a property company %q already.", to)}
		}
		if err := affected(r, err, &fleet.Error{Code: fleet.NotFound, Text: "没有这家物业公司。", TextEN: "There is no such property company."}); err != nil {
			return none{}, err
		}
		for _, q := range []string{`UPDATE compounds SET property = ? WHERE property = ?`, `UPDATE users SET company = ? WHERE company = ?`} {
			if _, err := t.exec(q, to, from); err != nil {
				return none{}, err
			}
		}
		return none{}, nil
	})
	return err
}
