package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// maxBatch bounds the lines of one batch, which is one transaction.
const maxBatch = 20_000

// errUndo ends a transaction whose changes are not wanted: a dry run or a
// batch with a fault. It carries what became of the lines.
type errUndo struct{ out fleet.RegistryOutcome }

func (errUndo) Error() string { return "registry batch undone" }

// ApplyRegistry carries out a batch of changes of the registry in one
// transaction, together with a line of the audit for each that changes
// something; or it changes nothing, for a dry run and when a line has a fault
// that is no warning. Lines may stand in any order: what others refer to is
// taken first. The same batch a second time changes nothing. An error is
// trouble with the database, not with a line.
func (s *Store) ApplyRegistry(ctx context.Context, changes []fleet.RegistryChange, o fleet.RegistryOptions) (fleet.RegistryOutcome, error) {
	if len(changes) > maxBatch {
		return fleet.RegistryOutcome{}, &fleet.Error{
			Code:   fleet.Invalid,
			Text:   fmt.Sprintf("一次最多导入 %d 行，现在有 %d 行，请分几次导入。", maxBatch, len(changes)),
			TextEN: fmt.Sprintf("One import takes %d lines at most and this has %d: split it.", maxBatch, len(changes)),
		}
	}
	out, err := change(ctx, s, func(t *tx) (fleet.RegistryOutcome, error) {
		b, err := s.batchTx(t, changes, o)
		if err != nil {
			return fleet.RegistryOutcome{}, err
		}
		if o.Dry || b.Refused() {
			return b, errUndo{b}
		}
		b.Applied = true
		return b, nil
	})
	var undone errUndo
	if errors.As(err, &undone) {
		return undone.out, nil
	}
	if err != nil {
		return out, fmt.Errorf("changing the registry: %w", err)
	}
	return out, nil
}

// batch is one call of ApplyRegistry.
type batch struct {
	s     *Store
	t     *tx
	by    fleet.Audit
	today int64
	out   fleet.RegistryOutcome
	at    int             // index of the change under way
	bad   map[string]bool // labels of things that were refused in this batch
	fail  error           // of the database
}

func (s *Store) batchTx(t *tx, changes []fleet.RegistryChange, o fleet.RegistryOptions) (fleet.RegistryOutcome, error) {
	b := &batch{s: s, t: t, by: o.By, bad: map[string]bool{}, today: wire.US(o.By.At) / dayUS}
	if o.Today != "" {
		day, err := dayNumber(o.Today)
		if err != nil {
			return b.out, err
		}
		b.today = day
	}
	b.out.Results = make([]fleet.RegistryResult, len(changes))
	order := make([]int, len(changes))
	for i := range changes {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(rank(changes[i]), rank(changes[j])) })
	var later []func() // parents and successors of units, once all units are there
	for _, i := range order {
		if rank(changes[i]) > rankUnit && later != nil {
			b.finish(later)
			later = nil
		}
		b.at = i
		if done := b.one(changes[i]); done != nil {
			later = append(later, func() { b.at = i; done() })
		}
		if b.fail != nil {
			return b.out, b.fail
		}
	}
	b.finish(later)
	slices.SortStableFunc(b.out.Faults, func(x, y fleet.RegistryFault) int { return cmp.Compare(x.Change, y.Change) })
	for i := range b.out.Faults {
		f := &b.out.Faults[i]
		if f.Line = changes[f.Change].Line; !f.Warning {
			b.out.Results[f.Change] = fleet.RegistryResult{Did: fleet.DidRefuse, Label: b.out.Results[f.Change].Label}
		}
	}
	if b.fail != nil || o.Dry || b.out.Refused() {
		return b.out, b.fail
	}
	for _, r := range b.out.Results {
		if r.Did == fleet.DidNothing || r.Did == "" {
			continue
		}
		line := o.By
		line.What, line.Object, line.Before, line.After = cmp.Or(line.What, fleet.AuditRegister), r.Label, r.Before, r.After
		line.Detail = cmp.Or(line.Detail, string(r.Did))
		if err := auditTx(t, line); err != nil {
			return b.out, err
		}
	}
	return b.out, nil
}

func (b *batch) finish(later []func()) {
	for _, f := range later {
		if b.fail == nil {
			f()
		}
	}
}

// What others refer to is taken first; what refers to others is removed first.
const (
	rankCompany = iota + 10
	rankUnit
	rankGrid
	rankCompound
	rankRest
)

func rank(c fleet.RegistryChange) int {
	at := rankRest
	switch {
	case c.Company != nil:
		at = rankCompany
	case c.Unit != nil:
		at = rankUnit
	case c.Grid != nil:
		at = rankGrid
	case c.Compound != nil:
		at = rankCompound
	}
	if c.Remove {
		return 100 - at
	}
	return at
}

func (b *batch) fault(field, zh, en string, args ...any) {
	b.out.Faults = append(b.out.Faults, fleet.RegistryFault{Change: b.at, Field: field, Text: fmt.Sprintf(zh, args...), TextEN: fmt.Sprintf(en, args...)})
}

// refused reports whether the change under way has a fault that is no warning.
func (b *batch) refused() bool {
	return slices.ContainsFunc(b.out.Faults, func(f fleet.RegistryFault) bool { return f.Change == b.at && !f.Warning })
}

// one takes a change. Of a unit, what it refers to is left to the function
// that it returns.
func (b *batch) one(c fleet.RegistryChange) (later func()) {
	e := c.Entry()
	if e == nil {
		b.fault("", "这一行不是单位、网格、小区、物业、点位、群或联络员中的一种。", "This line is not exactly one of unit, grid, compound, company, point, group and liaison.")
		return nil
	}
	fleet.Tidy(e)
	result := &b.out.Results[b.at]
	result.Label = e.Label()
	old, id, err := b.find(e)
	if err != nil {
		b.fail = err
		return nil
	}
	if c.Remove {
		b.remove(e, old, id, result)
		return nil
	}
	if id != 0 {
		fleet.Keep(e, old, c.Fields)
	}
	begin(e, old)
	for _, f := range fleet.CheckEntry(e) {
		if c.Fields == nil || id == 0 || slices.Contains(c.Fields, f.Field) {
			b.out.Faults = append(b.out.Faults, fleet.RegistryFault{Change: b.at, Field: f.Field, Text: f.Text, TextEN: f.TextEN, Warning: f.Warning})
		}
	}
	if b.refused() {
		b.bad[e.Label()] = true
		return nil
	}
	if id == 0 {
		result.Did, result.After = fleet.DidAdd, fleet.All(e)
	} else if result.Before, result.After = fleet.Compare(old, e); result.After == "" {
		result.Did = fleet.DidNothing
		return nil
	} else {
		result.Did = fleet.DidChange
	}
	later = b.put(e, id)
	if b.refused() {
		b.bad[e.Label()] = true
	}
	return later
}

// begin gives an entry what goes without saying; old is nil for a new one.
func begin(e, old fleet.Entry) {
	switch e := e.(type) {
	case *fleet.UnitEntry:
		e.State = cmp.Or(e.State, fleet.UnitListed)
	case *fleet.GroupEntry:
		if was, ok := old.(*fleet.GroupEntry); ok && was != nil {
			e.State, e.Platform = cmp.Or(e.State, was.State), cmp.Or(e.Platform, was.Platform)
		}
		e.State, e.Platform = cmp.Or(e.State, fleet.GroupActive), cmp.Or(e.Platform, fleet.GroupPlatforms[0])
	}
}

// scan reads one row into dest and returns false for none.
func (b *batch) scan(dest []any, query string, args ...any) bool {
	if b.fail != nil {
		return false
	}
	err := b.t.row(query, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return false
	}
	b.fail = err
	return err == nil
}

func (b *batch) exec(query string, args ...any) {
	if b.fail != nil {
		return
	}
	if _, err := b.t.exec(query, args...); err != nil {
		if isUnique(err) {
			b.fault("", "与已有的一项重复，请核对编号或名称。", "It is the same as one that exists: check code or name.")
			return
		}
		b.fail = fmt.Errorf("%s: %w", b.out.Results[b.at].Label, err)
	}
}

// unit returns the id of the unit with that code, and its state.
func (b *batch) unit(field, code string) fleet.UnitID {
	var id fleet.UnitID
	var state fleet.UnitState
	switch {
	case !b.scan([]any{&id, &state}, `SELECT id, state FROM units WHERE code = ?`, code):
		if b.bad["单位 "+code] {
			b.fault(field, "单位 %q 那一行有错，请先改正那一行。", "The line of unit %q has a fault: put that right first.", code)
		} else {
			b.fault(field, "找不到编号为 %q 的单位，请先在单位表中登记。", "There is no unit with code %q. Add it to the table of units first.", code)
		}
	case state == fleet.UnitMerged && field == "unit":
		b.out.Faults = append(b.out.Faults, fleet.RegistryFault{Change: b.at, Field: field, Warning: true,
			Text: fmt.Sprintf("单位 %q 已撤并，请核对。", code), TextEN: fmt.Sprintf("Unit %q was merged into another: check it.", code)})
	}
	return id
}

func (b *batch) grid(field, code string, unit fleet.UnitID, number int) fleet.GridID {
	var id fleet.GridID
	if number != 0 && unit != 0 && !b.scan([]any{&id}, `SELECT id FROM grids WHERE unit_id = ? AND number = ?`, unit, number) {
		b.fault(field, "单位 %q 没有第 %d 网格，请先登记网格。", "Unit %q has no grid %d. Add the grid first.", code, number)
	}
	return id
}

func (b *batch) compound(code string, unit fleet.UnitID, name string) fleet.CompoundID {
	var id fleet.CompoundID
	if name != "" && unit != 0 && !b.scan([]any{&id}, `SELECT id FROM compounds WHERE unit_id = ? AND name = ?`, unit, name) {
		b.fault("compound", "单位 %q 没有名为 %q 的小区，请先登记小区。", "Unit %q has no compound %q. Add the compound first.", code, name)
	}
	return id
}

// unitsTx reads the whole tree.
func unitsTx(t *tx) ([]fleet.Unit, error) {
	rows, err := t.query(`SELECT ` + unitColumns + ` FROM units u`)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanUnit)
}

// setParentTx puts a unit below parent from day on. What was owed before that
// stays counted below the parent that it had then; a unit that had none was
// there from the beginning.
func setParentTx(t *tx, unit, parent fleet.UnitID, day int64) error {
	var old fleet.UnitID
	if err := t.row(`SELECT coalesce(parent_id, 0) FROM units WHERE id = ?`, unit).Scan(&old); err != nil || old == parent {
		return err
	}
	if old != 0 {
		var since sql.NullInt64
		if err := t.row(`SELECT max(to_day) FROM unit_parents WHERE unit_id = ?`, unit).Scan(&since); err != nil {
			return err
		}
		from := int64(firstDay)
		if since.Valid {
			from = since.Int64
		}
		if from < day { // otherwise it moved twice on one day and was never there
			if _, err := t.exec(`INSERT INTO unit_parents (unit_id, to_day, from_day, parent_id) VALUES (?, ?, ?, ?)`, unit, day, from, old); err != nil {
				return err
			}
		}
	}
	_, err := t.exec(`UPDATE units SET parent_id = ? WHERE id = ?`, null(parent), unit)
	return err
}

// firstDay and lastDay stand for no bound.
const (
	firstDay = -1_000_000
	lastDay  = 1_000_000
)

// installTx says that a device of the point was accepted.
func installTx(t *tx, p fleet.PointID, now time.Time) error {
	var installed, active, start int64
	var hold bool
	if err := t.row(`SELECT installed_us, active_from_us, start_us, hold FROM points WHERE id = ?`, p).Scan(&installed, &active, &start, &hold); err != nil {
		return err
	}
	if installed == 0 {
		installed = wire.US(now)
	}
	if active == 0 {
		active = wire.US(fleet.OwesFrom(wire.FromUS(installed), wire.FromUS(start), hold))
	}
	_, err := t.exec(`UPDATE points SET installed_us = ?, active_from_us = ? WHERE id = ?`, installed, active, p)
	return err
}
