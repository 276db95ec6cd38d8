package store

import (
	"database/sql"
	"errors"
	"fmt"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// find returns what the database has under the key of e, and its row; 0 for
// nothing.
func (b *batch) find(e fleet.Entry) (old fleet.Entry, id int64, err error) {
	switch e := e.(type) {
	case *fleet.UnitEntry:
		old, id, err = b.findUnit(e.Code)
	case *fleet.GridEntry:
		g := &fleet.GridEntry{}
		err = b.t.row(`SELECT g.id, u.code, number, g.name, worker, households, population FROM grids g JOIN units u ON u.id = g.unit_id WHERE u.code = ? AND number = ?`,
			e.Unit, e.Number).Scan(&id, &g.Unit, &g.Number, &g.Name, &g.Worker, &g.Households, &g.Population)
		old = g
	case *fleet.CompoundEntry:
		c := &fleet.CompoundEntry{}
		err = b.t.row(`SELECT c.id, u.code, c.name, coalesce(g.number, 0), property, c.households FROM compounds c JOIN units u ON u.id = c.unit_id
LEFT JOIN grids g ON g.id = c.grid_id WHERE u.code = ? AND c.name = ?`, e.Unit, e.Name).Scan(&id, &c.Unit, &c.Name, &c.Grid, &c.Property, &c.Households)
		old = c
	case *fleet.CompanyEntry:
		c, phone := &fleet.CompanyEntry{}, ""
		err = b.t.row(`SELECT id, name, contact, phone, note FROM companies WHERE name = ?`, e.Name).Scan(&id, &c.Name, &c.Contact, &phone, &c.Note)
		c.Phone = b.s.openPhone(fieldCompanyPhone, phone)
		old = c
	case *fleet.PointEntry:
		old, id, err = b.findPoint(e.Code)
	case *fleet.GroupEntry:
		old, id, err = b.findGroup(e.Code)
	case *fleet.LiaisonEntry:
		l, phone := &fleet.LiaisonEntry{}, ""
		var from, to int64
		err = b.t.row(`SELECT l.id, u.code, l.name, post, phone, from_us, to_us FROM liaisons l JOIN units u ON u.id = l.unit_id WHERE u.code = ? AND l.name = ?`,
			e.Unit, e.Name).Scan(&id, &l.Unit, &l.Name, &l.Post, &phone, &from, &to)
		l.Phone, l.From, l.To = b.s.openPhone(fieldLiaisonPhone, phone), wire.FromUS(from), wire.FromUS(to)
		old = l
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, nil
	}
	return old, id, err
}

func (b *batch) findUnit(code string) (*fleet.UnitEntry, int64, error) {
	u, err := scanUnit(b.t.row(`SELECT `+unitColumns+` FROM units u WHERE code = ?`, code))
	if err != nil {
		return nil, 0, err
	}
	e := &fleet.UnitEntry{Unit: u}
	err = b.t.row(`SELECT coalesce((SELECT code FROM units WHERE id = ?), ''), coalesce((SELECT code FROM units WHERE id = ?), '')`,
		u.Parent, u.Successor).Scan(&e.Parent, &e.Successor)
	return e, int64(u.ID), err
}

func (b *batch) findPoint(code string) (*fleet.PointEntry, int64, error) {
	p, err := b.s.scanPoint(b.t.row(`SELECT `+pointColumns+` FROM points p WHERE code = ?`, code))
	if err != nil {
		return nil, 0, err
	}
	e := &fleet.PointEntry{Point: p}
	err = b.t.row(`SELECT u.code, coalesce((SELECT name FROM compounds WHERE id = ?), '') FROM units u WHERE u.id = ?`, p.Compound, p.Unit).Scan(&e.Unit, &e.Compound)
	return e, int64(p.ID), err
}

func (b *batch) findGroup(code string) (*fleet.GroupEntry, int64, error) {
	g, err := b.s.scanGroup(b.t.row(`SELECT `+groupColumns+` FROM groups g WHERE g.code = ?`, code))
	if err != nil {
		return nil, 0, err
	}
	e := &fleet.GroupEntry{Group: g}
	err = b.t.row(`SELECT u.code, coalesce((SELECT number FROM grids WHERE id = ?), 0) FROM units u WHERE u.id = ?`, g.Grid, g.Unit).Scan(&e.Unit, &e.Grid)
	return e, int64(g.ID), err
}

// putGroup writes a group as the page of groups does: its names and people keep
// their history. Its state changes there only, but that a planned group may be
// said to exist.
func (b *batch) putGroup(e *fleet.GroupEntry, id int64) {
	unit := b.unit("unit", e.Unit)
	grid := b.grid("grid", e.Unit, unit, e.Grid)
	if b.refused() || b.fail != nil {
		return
	}
	var old fleet.Group
	g := e.Group
	g.ID, g.Unit, g.Grid = 0, unit, grid
	if id != 0 {
		if old, b.fail = b.s.groupTx(b.t, fleet.GroupID(id)); b.fail != nil {
			return
		}
		g.ID, g.Seq, g.Ended, g.Into = old.ID, old.Seq, old.Ended, old.Into
	}
	switch {
	case g.State == old.State, old.State == fleet.GroupPlanned && g.State == fleet.GroupActive:
	case id == 0 && (g.State == "" || g.State == fleet.GroupPlanned || g.State == fleet.GroupActive):
	default:
		b.fault("state", "群的状态不能靠导入改成这样，请在群的页面上变更。", "An import cannot change the state of a group to this: use the page of the group.")
		return
	}
	if _, err := b.s.saveGroupTx(b.t, old, g, b.by.Who, b.by.At); err != nil {
		var rule *fleet.Error
		if errors.As(err, &rule) {
			b.out.Faults = append(b.out.Faults, fleet.RegistryFault{Change: b.at, Text: rule.Text, TextEN: rule.TextEN})
			return
		}
		b.fail = fmt.Errorf("%s: %w", e.Label(), err)
	}
}

// put writes e, a change of row id or a new one for 0.
func (b *batch) put(e fleet.Entry, id int64) (later func()) {
	switch e := e.(type) {
	case *fleet.UnitEntry:
		return b.putUnit(e)
	case *fleet.GridEntry:
		if unit := b.unit("unit", e.Unit); unit != 0 {
			b.exec(`INSERT INTO grids (unit_id, number, name, worker, households, population) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (unit_id, number) DO UPDATE SET name = excluded.name, worker = excluded.worker, households = excluded.households, population = excluded.population`,
				unit, e.Number, e.Name, e.Worker, e.Households, e.Population)
		}
	case *fleet.CompoundEntry:
		unit := b.unit("unit", e.Unit)
		grid := b.grid("grid", e.Unit, unit, e.Grid)
		if b.refused() {
			return nil
		}
		b.exec(`INSERT INTO compounds (unit_id, grid_id, name, property, households) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (unit_id, name) DO UPDATE SET grid_id = excluded.grid_id, property = excluded.property, households = excluded.households`,
			unit, null(grid), e.Name, e.Property, e.Households)
		if e.Property != "" {
			b.exec(`INSERT INTO companies (name) VALUES (?) ON CONFLICT (name) DO NOTHING`, e.Property)
		}
	case *fleet.CompanyEntry:
		if phone, ok := b.seal(fieldCompanyPhone, e.Phone); ok {
			b.exec(`INSERT INTO companies (name, contact, phone, note) VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET contact = excluded.contact, note = excluded.note, phone = CASE excluded.phone WHEN '?' THEN companies.phone ELSE excluded.phone END`,
				e.Name, e.Contact, phone, e.Note)
		}
	case *fleet.PointEntry:
		unit := b.unit("unit", e.Unit)
		p := e.Point
		p.Unit, p.Compound = unit, b.compound(e.Unit, unit, e.Compound)
		if b.refused() || b.fail != nil {
			return nil
		}
		_, b.fail = b.s.savePointTx(b.t, p)
		b.exec(`UPDATE points SET place = ?, approval = ?, cap_pct = ?, noise_class = ?, hold = ? WHERE code = ?`,
			p.Place, p.Approval, p.CapPct, p.NoiseClass, p.Hold, p.Code)
	case *fleet.GroupEntry:
		b.putGroup(e, id)
	case *fleet.LiaisonEntry:
		unit := b.unit("unit", e.Unit)
		phone, ok := b.seal(fieldLiaisonPhone, e.Phone)
		if b.refused() || !ok {
			return nil
		}
		b.exec(`INSERT INTO liaisons (unit_id, name, post, phone, from_us, to_us) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (unit_id, name) DO UPDATE SET post = excluded.post, phone = CASE excluded.phone WHEN '?' THEN liaisons.phone ELSE excluded.phone END,
  from_us = excluded.from_us, to_us = excluded.to_us`, unit, e.Name, e.Post, phone, wire.US(e.From), wire.US(e.To))
	}
	return nil
}

func (b *batch) seal(field string, p fleet.Phone) (string, bool) {
	sealed, err := b.s.sealPhone(field, p)
	if err != nil && b.fail == nil {
		b.fail = fmt.Errorf("%s: %w", b.out.Results[b.at].Label, err)
	}
	return sealed, err == nil
}

// putUnit writes a unit; its parent and successor may stand further down in
// the batch.
func (b *batch) putUnit(e *fleet.UnitEntry) func() {
	b.exec(`
INSERT INTO units (type, code, name, short_name, aliases, hats, region, head, leader, state, position) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (code) DO UPDATE SET type = excluded.type, name = excluded.name, short_name = excluded.short_name, aliases = excluded.aliases, hats = excluded.hats,
  region = excluded.region, head = excluded.head, leader = excluded.leader, state = excluded.state, position = excluded.position`,
		e.Type, e.Code, e.Name, e.ShortName, listJSON(e.Aliases), listJSON(e.Hats), e.Region, e.Head, e.Leader, e.State, e.Order)
	return func() {
		self := b.unit("code", e.Code)
		var parent, successor fleet.UnitID
		if e.Parent != "" {
			parent = b.unit("parent", e.Parent)
		}
		if e.Successor != "" {
			successor = b.unit("successor", e.Successor)
		}
		if b.refused() || b.fail != nil {
			b.bad[e.Label()] = true
			return
		}
		units, err := unitsTx(b.t)
		if err != nil {
			b.fail = err
			return
		}
		if fleet.TreeCycle(units, self, parent) {
			b.fault("parent", "单位 %q 不能放在自己的下级 %q 之下。", "Unit %q cannot be put below %q, which is below it.", e.Code, e.Parent)
			return
		}
		for _, u := range units {
			if u.ID != parent {
				continue
			}
			_, plain := fleet.CheckRegion(e.Region, e.Type, "")
			if _, warn := fleet.CheckRegion(e.Region, e.Type, u.Region); warn != nil && plain == nil {
				b.out.Faults = append(b.out.Faults, fleet.RegistryFault{Change: b.at, Field: "region", Text: warn.Text, TextEN: warn.TextEN, Warning: true})
			}
		}
		if err := setParentTx(b.t, self, parent, b.today); err != nil {
			b.fail = err
			return
		}
		b.exec(`UPDATE units SET successor_id = ? WHERE id = ?`, null(successor), self)
	}
}

// remove takes away what nothing refers to.
func (b *batch) remove(e, old fleet.Entry, id int64, result *fleet.RegistryResult) {
	if id == 0 {
		result.Did = fleet.DidNothing
		return
	}
	uses, table := "", ""
	switch e.(type) {
	case *fleet.GridEntry:
		table, uses = "grids", `SELECT (SELECT count(*) FROM compounds WHERE grid_id = ?1) + (SELECT count(*) FROM groups WHERE grid_id = ?1)`
	case *fleet.CompoundEntry:
		table, uses = "compounds", `SELECT (SELECT count(*) FROM points WHERE compound_id = ?1) + (SELECT count(*) FROM rollup WHERE compound_id = ?1)`
	case *fleet.CompanyEntry:
		table, uses = "companies", `SELECT (SELECT count(*) FROM compounds c JOIN companies x ON x.name = c.property WHERE x.id = ?1) + (SELECT count(*) FROM users u JOIN companies x ON x.name = u.company WHERE x.id = ?1)`
	case *fleet.GroupEntry:
		table, uses = "groups", `SELECT 0 * ?1`
	default:
		b.fault("", "单位、点位和联络员不删除：单位办撤并，点位停用，联络员填离任日期。", "Units, points and liaisons are not removed: merge the unit, retire the point, give the liaison a last day.")
		return
	}
	var n int
	b.scan([]any{&n}, uses, id)
	if n > 0 {
		b.fault("", "还有 %d 处在用，先改掉再删除。", "It is still in use at %d places: change those first.", n)
		return
	}
	b.exec(`DELETE FROM `+table+` WHERE id = ?`, id)
	result.Did, result.Before = fleet.DidRemove, fleet.All(old)
}
