package store

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const alertColumns = `a.id, a.point_id, a.unit_id, a.compound_id, a.trouble, a.likely, a.condition, a.heard_us, a.near_in, a.near, a.near_gone, a.raised_us, a.closed_us, a.closed_slot,
  a.called_us, a.acked_us, a.acked_by, a.acked_name, a.first_us, a.last_us, a.slots, a.bad, a.run`

func scanAlert(r scanner) (a fleet.Alert, err error) {
	var heard, raised, closed, called, acked, first, last int64
	err = r.Scan(&a.ID, &a.Point, &a.Unit, &a.Compound, &a.Trouble, &a.Likely, &a.Condition, &heard, &a.NearIn, &a.Near, &a.NearGone, &raised, &closed, &a.ClosedSlot,
		&called, &acked, &a.AckedBy, &a.AckedName, &first, &last, &a.Slots, &a.Bad, &a.Run)
	a.Heard, a.Raised, a.Closed, a.Called = wire.FromUS(heard), wire.FromUS(raised), wire.FromUS(closed), wire.FromUS(called)
	a.Acked, a.First, a.Last = wire.FromUS(acked), wire.FromUS(first), wire.FromUS(last)
	return a, err
}

// alertFilter returns the condition of f on an alert a, its point p and the
// compound k of that.
func alertFilter(f fleet.AlertFilter) *where {
	w := &where{}
	switch f.Show {
	case fleet.ShowOpen:
		w.add("a.closed_us = 0")
	case fleet.ShowNew:
		w.add("a.closed_us = 0 AND a.acked_us = 0")
	case fleet.ShowCall:
		w.add("a.closed_us = 0 AND a.called_us > 0")
	case fleet.ShowClosed:
		w.add("a.closed_us > 0")
	}
	if f.Unit != 0 {
		w.add("p.unit_id IN "+underUnit, f.Unit)
	}
	if f.Point != 0 {
		w.add("a.point_id = ?", int64(f.Point))
	}
	if f.Trouble != "" {
		w.add("a.trouble = ?", string(f.Trouble))
	}
	if f.Query != "" {
		w.add("(instr(p.name, ?) > 0 OR instr(upper(p.code), upper(?)) > 0 OR instr(coalesce(k.name, ''), ?) > 0 OR instr(coalesce(k.property, ''), ?) > 0)",
			f.Query, f.Query, f.Query, f.Query)
	}
	return w
}

const alertTables = ` FROM alerts a JOIN points p ON p.id = a.point_id JOIN units u ON u.id = p.unit_id LEFT JOIN compounds k ON k.id = p.compound_id`

// Alerts returns those that f selects, and how many it selects without limit
// and offset.
func (s *Store) Alerts(ctx context.Context, f fleet.AlertFilter) ([]fleet.Alert, int, error) {
	w := alertFilter(f)
	order := " ORDER BY u.position, u.code, p.code, a.id"
	switch f.Show {
	case fleet.ShowClosed:
		order = " ORDER BY a.raised_us DESC, a.id DESC"
	case "":
		order = " ORDER BY a.closed_us = 0 DESC, a.raised_us DESC, a.id DESC"
	}
	rows, err := list(ctx, s, "alerts", scanAlert, `SELECT `+alertColumns+alertTables+w.String()+order+page(f.Limit, f.Offset), w.args...)
	if err != nil {
		return nil, 0, err
	}
	var all int
	tables := alertTables
	if f.Unit == 0 && f.Query == "" {
		tables = ` FROM alerts a` // nothing is asked of the others
	}
	if err := s.read.QueryRowContext(ctx, `SELECT count(*)`+tables+w.String(), w.args...).Scan(&all); err != nil {
		return nil, 0, fmt.Errorf("counting alerts: %w", explain(err))
	}
	return rows, all, nil
}

// AlertSums counts the open alerts: of all units together first, then of each
// unit that has any, in the order of their positions.
func (s *Store) AlertSums(ctx context.Context) ([]fleet.AlertSum, error) {
	type part struct {
		fleet.AlertSum
		trouble fleet.Trouble
	}
	parts, err := list(ctx, s, "sums of alerts", func(r scanner) (p part, err error) {
		err = r.Scan(&p.Unit, &p.trouble, &p.Open, &p.New, &p.Call)
		return p, err
	}, `SELECT p.unit_id, a.trouble, count(*), sum(a.acked_us = 0), sum(a.called_us > 0)`+alertTables+` WHERE a.closed_us = 0 GROUP BY u.position, u.code, p.unit_id, a.trouble ORDER BY u.position, u.code`)
	if err != nil {
		return nil, err
	}
	all := []fleet.AlertSum{{ByTrouble: map[fleet.Trouble]int{}}}
	for _, p := range parts {
		if last := all[len(all)-1]; last.Unit != p.Unit {
			all = append(all, fleet.AlertSum{Unit: p.Unit, ByTrouble: map[fleet.Trouble]int{}})
		}
		for _, i := range []int{0, len(all) - 1} {
			all[i].Open += p.Open
			all[i].New += p.New
			all[i].Call += p.Call
			all[i].ByTrouble[p.trouble] += p.Open
		}
	}
	return all, nil
}

const noAlert, noAlertEN = "没有这条预警。", "There is no such alert."

const alertSlotColumns = `x.alert_id, x.added_us, ` + obligationColumns

const alertSlotTables = ` FROM alert_slots x JOIN obligations o ON o.point_id = x.point_id AND o.day = x.day AND o.slot_id = x.slot_id JOIN slots s ON s.id = o.slot_id`

func scanAlertSlot(r scanner) (a fleet.AlertSlot, err error) {
	var added int64
	a.Obligation, err = scanObligation(prefixed{r, []any{&a.Alert, &added}})
	a.Added = wire.FromUS(added)
	return a, err
}

// prefixed scans some columns before those that its user knows of.
type prefixed struct {
	scanner
	before []any
}

func (p prefixed) Scan(dest ...any) error { return p.scanner.Scan(append(p.before, dest...)...) }

// AlertFile returns an alert with its slots and its history, or a *fleet.Error
// of code NotFound.
func (s *Store) AlertFile(ctx context.Context, id fleet.AlertID) (f fleet.AlertFile, err error) {
	if f.Alert, err = one(ctx, s, noAlert, noAlertEN, scanAlert, `SELECT `+alertColumns+` FROM alerts a WHERE a.id = ?`, int64(id)); err != nil {
		return f, err
	}
	if f.Affected, err = list(ctx, s, "slots of an alert", scanAlertSlot, `SELECT `+alertSlotColumns+alertSlotTables+` WHERE x.alert_id = ? ORDER BY o.start_us, s.suffix`, int64(id)); err != nil {
		return f, err
	}
	f.Lines, err = list(ctx, s, "lines of an alert", func(r scanner) (l fleet.AlertLine, err error) {
		var at int64
		err = r.Scan(&l.ID, &l.Alert, &at, &l.Kind, &l.Slots, &l.Likely, &l.Slot, &l.Name, &l.Note)
		l.At = wire.FromUS(at)
		return l, err
	}, `SELECT id, alert_id, at_us, kind, slots, likely, slot, name, note FROM alert_lines WHERE alert_id = ? ORDER BY id`, int64(id))
	return f, err
}

// AckAlert keeps that a person took note of an alert, and what was done about
// it. Those who come later add their words; the first stays who took note.
func (s *Store) AckAlert(ctx context.Context, id fleet.AlertID, by fleet.User, note string, now time.Time) (fleet.Alert, error) {
	return change(ctx, s, func(t *tx) (fleet.Alert, error) {
		a, err := scanAlert(t.row(`SELECT `+alertColumns+` FROM alerts a WHERE a.id = ?`, int64(id)))
		if err := found(err, noAlert, noAlertEN); err != nil {
			return a, err
		}
		if a.Acked.IsZero() {
			a.Acked, a.AckedBy, a.AckedName = now, by.Login, by.Name
			if _, err := t.exec(`UPDATE alerts SET acked_us = ?, acked_by = ?, acked_name = ? WHERE id = ?`, wire.US(now), by.Login, by.Name, int64(id)); err != nil {
				return a, err
			}
		}
		return a, alertLineTx(t, fleet.AlertLine{Alert: id, At: now, Kind: fleet.AlertAcked, Slots: a.Slots, Name: by.Name, Note: oneLine(note)})
	})
}

func alertLineTx(t *tx, l fleet.AlertLine) error {
	_, err := t.exec(`INSERT INTO alert_lines (alert_id, at_us, kind, slots, likely, slot, name, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		int64(l.Alert), wire.US(l.At), string(l.Kind), l.Slots, string(l.Likely), string(l.Slot), l.Name, l.Note)
	return err
}
