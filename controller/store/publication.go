package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Publish seals the sums of p's period as they stand, under p.Number or, if it
// is 0, the next of p.Year, and returns the publication. It is refused with a
// *fleet.Error while a slot of the period is not settled, when the same period
// was published before, and for a number that is taken or below others. The
// sums and every later change of the period are never changed or removed: the
// database itself refuses that.
func (s *Store) Publish(ctx context.Context, p fleet.Publication) (fleet.Publication, error) {
	from, err := dayNumber(p.From)
	if err != nil {
		return p, err
	}
	to, err := dayNumber(p.To)
	if err != nil {
		return p, err
	}
	if to < from {
		return p, &fleet.Error{Code: fleet.Invalid, Text: "结束日期早于开始日期，请核对。", TextEN: "The period ends before it begins. Check the dates."}
	}
	return change(ctx, s, func(t *tx) (fleet.Publication, error) { return publishTx(t, p, from, to) })
}

func publishTx(t *tx, p fleet.Publication, from, to int64) (fleet.Publication, error) {
	var owed, due, same, last int
	err := t.row(`SELECT coalesce((SELECT sum(owed) FROM rollup WHERE day BETWEEN ?1 AND ?2), 0), coalesce((SELECT sum(due) FROM rollup WHERE day BETWEEN ?1 AND ?2), 0),
  (SELECT count(*) FROM publications WHERE from_day = ?1 AND to_day = ?2), coalesce((SELECT max(number) FROM publications WHERE year = ?3), 0)`,
		from, to, p.Year).Scan(&owed, &due, &same, &last)
	if err != nil {
		return p, err
	}
	if p.Number == 0 {
		p.Number = last + 1
	}
	switch {
	case same > 0:
		return p, &fleet.Error{Code: fleet.Conflict,
			Text:   fmt.Sprintf("%s 至 %s 已经签发过；之后的变化请出具更正。", p.From, p.To),
			TextEN: fmt.Sprintf("%s to %s was published before. Sign a correction for what changed since.", p.From, p.To)}
	case owed == 0:
		return p, &fleet.Error{Code: fleet.Invalid,
			Text:   fmt.Sprintf("%s 至 %s 没有应播时段，没有可签发的内容。", p.From, p.To),
			TextEN: fmt.Sprintf("Nothing was owed from %s to %s, so there is nothing to publish.", p.From, p.To)}
	case due > 0:
		return p, &fleet.Error{Code: fleet.Conflict,
			Text:   fmt.Sprintf("%s 至 %s 还有 %d 个时段没有结束或没有结算，请在全部结算后再签发。", p.From, p.To, due),
			TextEN: fmt.Sprintf("%d slots from %s to %s have not ended or are not settled yet. Publish when all are.", due, p.From, p.To)}
	case p.Number <= last:
		return p, &fleet.Error{Code: fleet.Conflict,
			Text:   fmt.Sprintf("%d 年已编到第 %d 号，编号只能往后编。", p.Year, last),
			TextEN: fmt.Sprintf("The numbers of %d have reached %d; choose one above it.", p.Year, last)}
	}
	p.At = wire.FromUS(wire.US(p.At))
	err = t.row(`INSERT INTO publications (year, number, from_day, to_day, at_us, by, name) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		p.Year, p.Number, from, to, wire.US(p.At), p.By, p.Name).Scan(&p.ID)
	if err != nil {
		return p, fmt.Errorf("publishing: %w", err)
	}
	_, err = t.exec(`INSERT INTO publication_sums (publication_id, day, unit_id, unit, name, demo, owed, played, partial, missed, doubt, exempt, pending, due)
SELECT ?, r.day, r.unit_id, coalesce(u.name, ''), r.name, r.demo, sum(owed), sum(played), sum(partial), sum(missed), sum(doubt), sum(exempt), sum(pending), sum(due)
FROM rollup r LEFT JOIN units u ON u.id = r.unit_id WHERE r.day BETWEEN ? AND ? GROUP BY r.day, r.unit_id, r.name, r.demo HAVING sum(owed) > 0`, int64(p.ID), from, to)
	if err != nil {
		return p, fmt.Errorf("publishing: %w", err)
	}
	return p, nil
}

const publicationColumns = `id, year, number, from_day, to_day, at_us, by, name`

func scanPublication(r scanner) (p fleet.Publication, err error) {
	var from, to, at int64
	err = r.Scan(&p.ID, &p.Year, &p.Number, &from, &to, &at, &p.By, &p.Name)
	p.From, p.To, p.At = dayOf(from), dayOf(to), wire.FromUS(at)
	return p, err
}

// Publications returns all publications, the newest first.
func (s *Store) Publications(ctx context.Context) ([]fleet.Publication, error) {
	return list(ctx, s, "publications", scanPublication, `SELECT `+publicationColumns+` FROM publications ORDER BY id DESC`)
}

// Published returns a publication with its sums, amendments and changes, or a
// *fleet.Error of code NotFound.
func (s *Store) Published(ctx context.Context, id fleet.PublicationID) (fleet.PublishedPeriod, error) {
	var p fleet.PublishedPeriod
	var err error
	if p.Publication, err = one(ctx, s, "没有这份签发。", "There is no such publication.", scanPublication,
		`SELECT `+publicationColumns+` FROM publications WHERE id = ?`, id); err != nil {
		return p, err
	}
	if p.Sums, err = list(ctx, s, "published sums", func(r scanner) (u fleet.PublishedSum, err error) {
		var day int64
		c := &u.Counts
		err = r.Scan(&day, &u.Unit, &u.Name, &u.Slot, &u.Demo, &c.Owed, &c.Played, &c.Partial, &c.Missed, &c.Doubt, &c.Exempt, &c.Pending, &c.Due)
		u.Day = dayOf(day)
		return u, err
	}, `SELECT day, unit_id, unit, name, demo, owed, played, partial, missed, doubt, exempt, pending, due FROM publication_sums WHERE publication_id = ? ORDER BY day, unit_id, name, demo`, id); err != nil {
		return p, err
	}
	if p.Amendments, err = list(ctx, s, "amendments", func(r scanner) (a fleet.Amendment, err error) {
		var at int64
		err = r.Scan(&a.ID, &a.Publication, &a.Year, &a.Number, &at, &a.By, &a.Name)
		a.At = wire.FromUS(at)
		return a, err
	}, `SELECT id, publication_id, year, number, at_us, by, name FROM amendments WHERE publication_id = ? ORDER BY id`, id); err != nil {
		return p, err
	}
	rows, err := s.read.QueryContext(ctx, changesOf, id)
	if err != nil {
		return p, fmt.Errorf("reading changes: %w", explain(err))
	}
	all, err := collect(rows, scanChange)
	if err != nil {
		return p, fmt.Errorf("reading changes: %w", explain(err))
	}
	p.Changes = net(all)
	return p, nil
}

const changesOf = `SELECT coalesce(amendment_id, 0), at_us, point_id, unit_id, slot, name, cause, was, now FROM publication_changes WHERE publication_id = ? ORDER BY id`

func scanChange(r scanner) (c fleet.PublishedChange, err error) {
	var at int64
	var was, now []byte
	if err := r.Scan(&c.Amendment, &at, &c.Point, &c.Unit, &c.Slot, &c.Name, &c.Cause, &was, &now); err != nil {
		return c, err
	}
	c.At = wire.FromUS(at)
	if err := json.Unmarshal(was, &c.Was); err != nil {
		return c, err
	}
	return c, json.Unmarshal(now, &c.Now)
}

// net makes one change of all that happened to a slot within one amendment,
// and leaves out what came back to where it was.
func net(all []fleet.PublishedChange) []fleet.PublishedChange {
	type key struct {
		amendment fleet.AmendmentID
		point     fleet.PointID
		slot      wire.SlotID
	}
	at := map[key]int{}
	var merged []fleet.PublishedChange
	for _, c := range all {
		k := key{c.Amendment, c.Point, c.Slot}
		if i, ok := at[k]; ok {
			merged[i].Now, merged[i].At = c.Now, c.At
			continue
		}
		at[k] = len(merged)
		merged = append(merged, c)
	}
	var kept []fleet.PublishedChange
	for _, c := range merged {
		if !saysSame(c.Was, c.Now) {
			kept = append(kept, c)
		}
	}
	return kept
}

// saysSame reports whether two settlements publish the same; which device the
// evidence is of is not published.
func saysSame(a, b fleet.Settlement) bool {
	a.Device, b.Device = "", ""
	return a == b
}

// publishedTx notes that a slot changed in each publication that covers it.
func publishedTx(t *tx, old, o fleet.Obligation, now time.Time) error {
	was, is := settlementOf(old), settlementOf(o)
	if saysSame(was, is) {
		return nil
	}
	day, err := dayNumber(o.Day)
	if err != nil {
		return err
	}
	rows, err := t.query(`SELECT id FROM publications WHERE from_day <= ?1 AND to_day >= ?1`, day)
	if err != nil {
		return err
	}
	ids, err := collect(rows, func(r scanner) (id int64, err error) {
		err = r.Scan(&id)
		return id, err
	})
	if err != nil {
		return err
	}
	cause := fleet.CauseEvidence
	if old.Verdict == fleet.Pending {
		cause = fleet.CauseLate
	}
	for _, id := range ids {
		if _, err := t.exec(`INSERT INTO publication_changes (publication_id, at_us, point_id, unit_id, slot, name, cause, was, now) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			id, wire.US(now), int64(o.Point), int64(o.Unit), string(o.Slot), o.Name, string(cause), toJSON(was), toJSON(is)); err != nil {
			return err
		}
	}
	return nil
}

// Amend signs everything that changed in a published period since its last
// amendment, or its signing, as the next amendment of a.Year. It is refused
// with a *fleet.Error of code Conflict when nothing did.
func (s *Store) Amend(ctx context.Context, a fleet.Amendment) (fleet.Amendment, error) {
	return change(ctx, s, func(t *tx) (fleet.Amendment, error) { return amendTx(t, a) })
}

func amendTx(t *tx, a fleet.Amendment) (fleet.Amendment, error) {
	rows, err := t.query(changesOf, int64(a.Publication))
	if err != nil {
		return a, err
	}
	all, err := collect(rows, scanChange)
	if err != nil {
		return a, err
	}
	open := all[:0]
	for _, c := range all {
		if c.Amendment == 0 {
			open = append(open, c)
		}
	}
	if len(net(open)) == 0 {
		return a, &fleet.Error{Code: fleet.Conflict,
			Text:   "签发之后（或上次更正之后）没有变化，不需要更正。",
			TextEN: "Nothing changed since the signing or the last correction; there is nothing to correct."}
	}
	a.At = wire.FromUS(wire.US(a.At))
	if err := t.row(nextCorrection, a.Year).Scan(&a.Number); err != nil {
		return a, err
	}
	if err := t.row(`INSERT INTO amendments (publication_id, year, number, at_us, by, name) VALUES (?, ?, ?, ?, ?, ?) RETURNING id`,
		int64(a.Publication), a.Year, a.Number, wire.US(a.At), a.By, a.Name).Scan(&a.ID); err != nil {
		return a, fmt.Errorf("amending: %w", err)
	}
	_, err = t.exec(`UPDATE publication_changes SET amendment_id = ? WHERE publication_id = ? AND amendment_id IS NULL`, int64(a.ID), int64(a.Publication))
	return a, err
}
