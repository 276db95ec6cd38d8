package store

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Units returns every unit, parents before their children and siblings in
// their order.
func (s *Store) Units(ctx context.Context) ([]fleet.Unit, error) {
	return list(ctx, s, "units", scanUnit, `
WITH RECURSIVE tree(id, depth) AS (
  SELECT id, 0 FROM units WHERE parent_id IS NULL
  UNION ALL
  SELECT u.id, depth + 1 FROM units u JOIN tree ON u.parent_id = tree.id
)
SELECT `+unitColumns+`
FROM tree JOIN units u USING (id) ORDER BY depth, position, code`)
}

const unitColumns = `u.id, coalesce(parent_id, 0), type, code, name, short_name, aliases, hats, region, head, leader, state, coalesce(successor_id, 0), position`

func scanUnit(r scanner) (u fleet.Unit, err error) {
	var aliases, hats string
	if err = r.Scan(&u.ID, &u.Parent, &u.Type, &u.Code, &u.Name, &u.ShortName, &aliases, &hats, &u.Region, &u.Head, &u.Leader, &u.State, &u.Successor, &u.Order); err != nil {
		return u, err
	}
	if u.Aliases, err = texts(aliases); err != nil {
		return u, fmt.Errorf("aliases of unit %q: %w", u.Code, err)
	}
	if u.Hats, err = texts(hats); err != nil {
		return u, fmt.Errorf("hats of unit %q: %w", u.Code, err)
	}
	return u, nil
}

// Grids returns every grid by unit and number.
func (s *Store) Grids(ctx context.Context) ([]fleet.Grid, error) {
	return list(ctx, s, "grids", func(r scanner) (g fleet.Grid, err error) {
		err = r.Scan(&g.ID, &g.Unit, &g.Number, &g.Name, &g.Worker, &g.Households, &g.Population)
		return g, err
	}, `SELECT id, unit_id, number, name, worker, households, population FROM grids ORDER BY unit_id, number`)
}

// Compounds returns every compound by unit and name.
func (s *Store) Compounds(ctx context.Context) ([]fleet.Compound, error) {
	return list(ctx, s, "compounds", func(r scanner) (c fleet.Compound, err error) {
		err = r.Scan(&c.ID, &c.Unit, &c.Grid, &c.Name, &c.Property, &c.Households)
		return c, err
	}, `SELECT id, unit_id, coalesce(grid_id, 0), name, property, households FROM compounds ORDER BY unit_id, name`)
}

// Liaisons returns every liaison by unit, current ones first.
func (s *Store) Liaisons(ctx context.Context) ([]fleet.Liaison, error) {
	return list(ctx, s, "liaisons", func(r scanner) (l fleet.Liaison, err error) {
		var from, to int64
		var phone string
		err = r.Scan(&l.ID, &l.Unit, &l.Name, &l.Post, &phone, &from, &to)
		l.From, l.To, l.Phone = wire.FromUS(from), wire.FromUS(to), s.openPhone(fieldLiaisonPhone, phone)
		return l, err
	}, `SELECT id, unit_id, name, post, phone, from_us, to_us FROM liaisons ORDER BY unit_id, to_us > 0, name`)
}

// ImportRegistry adds what is new and changes what differs, all or nothing;
// what the import does not name stays. Importing the same twice changes
// nothing. A point's ActiveFrom is taken only when the point is new. A
// reference to a code that neither the import nor the database knows is a
// *fleet.Error of code Invalid, and so is an identity number anywhere in it.
func (s *Store) ImportRegistry(ctx context.Context, reg fleet.Registry) error {
	if err := reg.NoIdentity(); err != nil {
		return err
	}
	_, err := change(ctx, s, func(t *tx) (none, error) { return none{}, s.importTx(t, reg) })
	if err != nil {
		return fmt.Errorf("importing registry: %w", err)
	}
	return nil
}

func (s *Store) importTx(t *tx, reg fleet.Registry) error {
	im := importer{t: t}
	for _, u := range reg.Units {
		im.exec("unit "+u.Code, `
INSERT INTO units (type, code, name, short_name, region, head, leader, position) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (code) DO UPDATE SET type = excluded.type, name = excluded.name, short_name = excluded.short_name,
  region = excluded.region, head = excluded.head, leader = excluded.leader, position = excluded.position`,
			u.Type, u.Code, u.Name, u.ShortName, u.Region, u.Head, u.Leader, u.Order)
	}
	// Parents in a second pass: a file may name a child first.
	for _, u := range reg.Units {
		unit, parent := im.unit(u.Code), im.unitOrNone(u.Parent)
		if im.err == nil {
			im.err = setParentTx(t, unit, parent, wire.US(s.clock())/dayUS)
		}
	}
	for _, g := range reg.Grids {
		im.exec(fmt.Sprintf("grid %d of %s", g.Number, g.Unit), `
INSERT INTO grids (unit_id, number, name, worker) VALUES (?, ?, ?, ?)
ON CONFLICT (unit_id, number) DO UPDATE SET name = excluded.name, worker = excluded.worker`,
			im.unit(g.Unit), g.Number, g.Name, g.Worker)
	}
	for _, c := range reg.Compounds {
		unit := im.unit(c.Unit)
		im.exec("compound "+c.Name, `
INSERT INTO compounds (unit_id, grid_id, name, property) VALUES (?, ?, ?, ?)
ON CONFLICT (unit_id, name) DO UPDATE SET grid_id = excluded.grid_id, property = excluded.property`,
			unit, null(im.grid(c.Unit, unit, c.Grid)), c.Name, c.Property)
		if c.Property != "" {
			im.exec("company "+c.Property, `INSERT INTO companies (name) VALUES (?) ON CONFLICT (name) DO NOTHING`, c.Property)
		}
	}
	for _, p := range reg.Points {
		unit := im.unit(p.Unit)
		p.Point.Unit, p.Point.Compound = unit, im.compound(p.Unit, unit, p.Compound)
		if im.err == nil {
			_, im.err = s.savePointTx(t, p.Point)
		}
	}
	for _, g := range reg.Groups {
		unit := im.unit(g.Unit)
		g.Group.ID, g.Group.Unit, g.Group.Grid = 0, unit, im.grid(g.Unit, unit, g.Grid)
		if im.err != nil {
			continue
		}
		if err := s.importGroupTx(t, g.Group, time.Now()); err != nil {
			im.err = fmt.Errorf("group %q: %w", g.Name, err)
		}
	}
	for _, l := range reg.Liaisons {
		phone, err := s.sealPhone(fieldLiaisonPhone, l.Phone)
		if im.err == nil && err != nil {
			im.err = fmt.Errorf("liaison %s: %w", l.Name, err)
		}
		im.exec("liaison "+l.Name, `
INSERT INTO liaisons (unit_id, name, post, phone, from_us, to_us) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (unit_id, name) DO UPDATE SET post = excluded.post, phone = CASE excluded.phone WHEN '?' THEN liaisons.phone ELSE excluded.phone END, from_us = excluded.from_us, to_us = excluded.to_us`,
			im.unit(l.Unit), l.Name, l.Post, phone, wire.US(l.From), wire.US(l.To))
	}
	return im.err
}

// importer resolves references and keeps the first error.
type importer struct {
	t   *tx
	err error
}

func (im *importer) exec(what, query string, args ...any) {
	if im.err != nil {
		return
	}
	if _, err := im.t.exec(query, args...); err != nil {
		im.err = fmt.Errorf("%s: %w", what, err)
	}
}

func (im *importer) id(zh, en, query string, args ...any) (id int64) {
	if im.err != nil {
		return 0
	}
	err := found(im.t.row(query, args...).Scan(&id), zh, en)
	if fleet.CodeOf(err) == fleet.NotFound {
		err = &fleet.Error{Code: fleet.Invalid, Text: zh, TextEN: en}
	}
	im.err = err
	return id
}

func (im *importer) unit(code string) fleet.UnitID {
	return fleet.UnitID(im.id(
		fmt.Sprintf("找不到编号为 %q 的单位，请先在单位表中登记。", code),
		fmt.Sprintf("There is no unit with code %q. Add it to the table of units first.", code),
		`SELECT id FROM units WHERE code = ?`, code))
}

func (im *importer) unitOrNone(code string) fleet.UnitID {
	if code == "" {
		return 0
	}
	return im.unit(code)
}

func (im *importer) grid(code string, unit fleet.UnitID, number int) fleet.GridID {
	if number == 0 {
		return 0
	}
	return fleet.GridID(im.id(
		fmt.Sprintf("单位 %q 没有第 %d 网格，请先登记网格。", code, number),
		fmt.Sprintf("Unit %q has no grid %d. Add the grid first.", code, number),
		`SELECT id FROM grids WHERE unit_id = ? AND number = ?`, unit, number))
}

func (im *importer) compound(code string, unit fleet.UnitID, name string) fleet.CompoundID {
	if name == "" {
		return 0
	}
	return fleet.CompoundID(im.id(
		fmt.Sprintf("单位 %q 没有名为 %q 的小区，请先登记小区。", code, name),
		fmt.Sprintf("Unit %q has no compound %q. Add the compound first.", code, name),
		`SELECT id FROM compounds WHERE unit_id = ? AND name = ?`, unit, name))
}
