package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const pointColumns = `p.id, p.code, p.name, p.kind, p.unit_id, coalesce(p.compound_id, 0), p.tags, p.duty_name, p.duty_phone, p.active_from_us, p.need_sync,
  p.place, p.approval, p.cap_pct, p.noise_class, p.hold, p.start_us, p.installed_us, p.retired_us`

func (s *Store) scanPoint(r scanner) (p fleet.Point, err error) {
	var tags, phone string
	var active, start, installed, retired int64
	if err := r.Scan(&p.ID, &p.Code, &p.Name, &p.Kind, &p.Unit, &p.Compound, &tags, &p.DutyName, &phone, &active, &p.NeedSync,
		&p.Place, &p.Approval, &p.CapPct, &p.NoiseClass, &p.Hold, &start, &installed, &retired); err != nil {
		return p, err
	}
	p.ActiveFrom, p.DutyPhone = wire.FromUS(active), s.openPhone(fieldDutyPhone, phone)
	p.Start, p.Installed, p.Retired = wire.FromUS(start), wire.FromUS(installed), wire.FromUS(retired)
	if err := json.Unmarshal([]byte(tags), &p.Tags); err != nil {
		return p, fmt.Errorf("tags of point %q: %w", p.Code, err)
	}
	if len(p.Tags) == 0 {
		p.Tags = nil
	}
	return p, nil
}

func noPoint(id fleet.PointID) error {
	return &fleet.Error{
		Code:   fleet.NotFound,
		Text:   fmt.Sprintf("没有编号为 %d 的点位，可能已被删除。", id),
		TextEN: fmt.Sprintf("There is no point with id %d; it may have been deleted.", id),
	}
}

// Points returns the points that f selects, by code.
func (s *Store) Points(ctx context.Context, f fleet.PointFilter) ([]fleet.Point, error) {
	var w where
	if f.Unit != 0 {
		w.add("p.unit_id IN "+underUnit, f.Unit)
	}
	if f.Compound != 0 {
		w.add("p.compound_id = ?", f.Compound)
	}
	if f.Kind != "" {
		w.add("p.kind = ?", f.Kind)
	}
	if f.InUse {
		w.add("p.retired_us = 0")
	}
	if f.Tag != "" {
		w.add("EXISTS (SELECT 1 FROM json_each(p.tags) WHERE value = ?)", f.Tag)
	}
	if q := strings.TrimSpace(f.Query); q != "" {
		like := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(q) + "%"
		w.add(`(p.code LIKE ? ESCAPE '\' OR p.name LIKE ? ESCAPE '\' OR u.name LIKE ? ESCAPE '\' OR c.name LIKE ? ESCAPE '\')`, like, like, like, like)
	}
	return list(ctx, s, "points", s.scanPoint, `SELECT `+pointColumns+`
FROM points p JOIN units u ON u.id = p.unit_id LEFT JOIN compounds c ON c.id = p.compound_id`+
		w.String()+` ORDER BY p.code`+page(f.Limit, f.Offset), w.args...)
}

// Point returns the point with that id, or a *fleet.Error of code NotFound.
func (s *Store) Point(ctx context.Context, id fleet.PointID) (fleet.Point, error) {
	p, err := s.scanPoint(s.read.QueryRowContext(ctx, `SELECT `+pointColumns+` FROM points p WHERE id = ?`, id))
	return p, notFound(err, noPoint(id))
}

// PointByCode returns the point with that code, or a *fleet.Error of code
// NotFound.
func (s *Store) PointByCode(ctx context.Context, code string) (fleet.Point, error) {
	return one(ctx, s,
		fmt.Sprintf("没有编号为 %q 的点位，请核对点位编号。", code),
		fmt.Sprintf("There is no point with code %q. Check the code.", code),
		s.scanPoint, `SELECT `+pointColumns+` FROM points p WHERE code = ?`, code)
}

// SavePoint adds or changes the point with p's code and returns its id. The
// ActiveFrom and NeedSync of a point that exists are left as they are: see
// SetPointActive and SetPointNeedSync.
func (s *Store) SavePoint(ctx context.Context, p fleet.Point) (fleet.PointID, error) {
	return change(ctx, s, func(t *tx) (fleet.PointID, error) { return s.savePointTx(t, p) })
}

func (s *Store) savePointTx(t *tx, p fleet.Point) (id fleet.PointID, err error) {
	if p.Code == "" || p.Unit == 0 {
		return 0, &fleet.Error{
			Code:   fleet.Invalid,
			Text:   fmt.Sprintf("点位 %q 缺少编号或所属单位，请补全后再保存。", p.Name),
			TextEN: fmt.Sprintf("Point %q lacks a code or a unit. Fill it in and save again.", p.Name),
		}
	}
	tags := p.Tags
	if tags == nil {
		tags = []string{}
	}
	phone, err := s.sealPhone(fieldDutyPhone, p.DutyPhone)
	if err != nil {
		return 0, fmt.Errorf("saving point %q: %w", p.Code, err)
	}
	err = t.row(`
INSERT INTO points (code, name, kind, unit_id, compound_id, tags, duty_name, duty_phone, active_from_us, need_sync) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (code) DO UPDATE SET name = excluded.name, kind = excluded.kind, unit_id = excluded.unit_id, compound_id = excluded.compound_id,
  tags = excluded.tags, duty_name = excluded.duty_name, duty_phone = CASE excluded.duty_phone WHEN '?' THEN points.duty_phone ELSE excluded.duty_phone END
RETURNING id`,
		p.Code, p.Name, p.Kind, p.Unit, null(p.Compound), toJSON(tags), p.DutyName, phone, wire.US(p.ActiveFrom), p.NeedSync).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("saving point %q: %w", p.Code, err)
	}
	if _, err := t.exec(`INSERT OR IGNORE INTO point_units (unit_id, point_id) VALUES (?, ?)`, p.Unit, id); err != nil {
		return 0, fmt.Errorf("saving point %q: %w", p.Code, err)
	}
	return id, nil
}

// SetPointNeedSync says whether p demands synchronised time, level T2, for
// every sound.
func (s *Store) SetPointNeedSync(ctx context.Context, p fleet.PointID, on bool) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		r, err := t.exec(`UPDATE points SET need_sync = ? WHERE id = ?`, on, p)
		return none{}, affected(r, err, noPoint(p))
	})
	return err
}

// SetPointActive says from when p owes slots; the zero time says that it is
// not installed.
func (s *Store) SetPointActive(ctx context.Context, p fleet.PointID, from time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		r, err := t.exec(`UPDATE points SET active_from_us = ? WHERE id = ?`, wire.US(from), p)
		return none{}, affected(r, err, noPoint(p))
	})
	return err
}
