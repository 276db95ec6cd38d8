package store

import (
	"context"
	"slices"
	"strings"

	"gatecast/controller/fleet"
)

// Slots returns a page of single slots in an order that an index has, so that
// a page of a year costs what a page of a day does: those that need an
// explanation, or are exempt, by day, unit, compound and point; any others by
// point and day.
func (s *Store) Slots(ctx context.Context, q fleet.SlotQuery) ([]fleet.Obligation, error) {
	from, to, err := bounds(q.From, q.To)
	if err != nil {
		return nil, err
	}
	var under []span
	if q.Unit != 0 {
		if under, err = s.spansUnder(ctx, q.Unit); err != nil {
			return nil, err
		}
	}
	indexed := len(q.Verdicts) > 0 && !slices.Contains(q.Verdicts, fleet.Played) && !slices.Contains(q.Verdicts, fleet.Due)
	var query string
	var args []any
	if indexed && q.Point == 0 {
		query, args = slotsByDay(q, under, from, to)
	} else {
		query, args = slotsByPoint(q, under, from, to)
	}
	return list(ctx, s, "slots", scanObligation, query, args...)
}

// narrowSlots adds what is asked of each row.
func narrowSlots(w *where, q fleet.SlotQuery, under []span) {
	if q.Unit != 0 {
		w.addUnder(under)
	}
	if q.Compound != 0 {
		w.add("o.compound_id = ?", int64(q.Compound))
	}
	if q.Name != "" {
		w.add("o.name = ?", q.Name)
	}
	if q.Reason != "" {
		w.add("o.reason = ?", string(q.Reason))
	}
	if q.Grade != "" {
		w.add("o.grade = ?", string(q.Grade))
	}
	if q.NoDemo {
		w.add("o.demo = 0")
	}
}

// slotsByDay merges one walk through the index for each verdict. The index has
// all that the walk asks for where the query narrows places and verdicts only;
// the rows are read for those of the page.
func slotsByDay(q fleet.SlotQuery, under []span, from, to int64) (string, []any) {
	var walks []string
	var args []any
	for _, v := range q.Verdicts {
		w := &where{}
		w.add("o.verdict = ? AND o.verdict NOT IN ('played', 'due') AND o.day BETWEEN ? AND ?", string(v), from, to)
		narrowSlots(w, q, under)
		walks = append(walks, `SELECT o.day, o.unit_id, o.compound_id, o.point_id, o.slot_id FROM obligations o INDEXED BY obligations_by_verdict`+w.String())
		args = append(args, w.args...)
	}
	return `SELECT ` + obligationColumns + ` FROM (` + strings.Join(walks, " UNION ALL ") + ` ORDER BY 1, 2, 3, 4, 5` + page(q.Limit, q.Offset) + `) k
CROSS JOIN obligations o ON o.point_id = k.point_id AND o.day = k.day AND o.slot_id = k.slot_id CROSS JOIN slots s ON s.id = o.slot_id
ORDER BY k.day, k.unit_id, k.compound_id, k.point_id, k.slot_id`, args
}

// slotsByPoint walks through the rows of each point.
func slotsByPoint(q fleet.SlotQuery, under []span, from, to int64) (string, []any) {
	w := &where{}
	switch {
	case q.Point != 0:
		w.add("p.id = ?", int64(q.Point))
	case q.Unit != 0:
		ids := make([]fleet.UnitID, len(under))
		for i, v := range under {
			ids[i] = v.unit
		}
		w.add("p.id IN (SELECT point_id FROM point_units WHERE unit_id IN (SELECT value FROM json_each(?)))", toJSON(ids))
	}
	w.add("o.day BETWEEN ? AND ?", from, to)
	if len(q.Verdicts) > 0 {
		w.add("o.verdict IN (SELECT value FROM json_each(?))", toJSON(q.Verdicts))
	}
	narrowSlots(w, q, under)
	return `SELECT ` + obligationColumns + ` FROM points p CROSS JOIN obligations o ON o.point_id = p.id CROSS JOIN slots s ON s.id = o.slot_id` + w.String() + ` ORDER BY p.id, o.day, o.slot_id` + page(q.Limit, q.Offset), w.args
}
