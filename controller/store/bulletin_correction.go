package store

import (
	"context"
	"encoding/json"
	"fmt"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const correctionColumns = `c.id, c.bulletin_id, c.year, c.number, c.at_us, c.by, c.name, c.changes, c.slots, c.content, coalesce(c.printed_in, 0), b.number, b.total`

func scanBulletinCorrection(r scanner) (c fleet.BulletinCorrection, err error) {
	var at int64
	var changes, slots string
	var number, total int
	if err := r.Scan(&c.ID, &c.Bulletin, &c.Year, &c.Number, &at, &c.By, &c.Name, &changes, &slots, &c.Content, &c.PrintedIn, &number, &total); err != nil {
		return c, err
	}
	c.At, c.Issue = wire.FromUS(at), fleet.BulletinNumber(number, total)
	if c.Slots, err = texts(slots); err != nil {
		return c, err
	}
	return c, json.Unmarshal([]byte(changes), &c.Changes)
}

// BulletinCorrections returns the corrections of one bulletin, the oldest first.
func (s *Store) BulletinCorrections(ctx context.Context, id fleet.BulletinID) ([]fleet.BulletinCorrection, error) {
	return list(ctx, s, "corrections", scanBulletinCorrection, `SELECT `+correctionColumns+` FROM bulletin_corrections c JOIN bulletins b ON b.id = c.bulletin_id WHERE c.bulletin_id = ? ORDER BY c.id`, int64(id))
}

// CorrectionsToPrint returns the corrections that no issue carries yet, the
// oldest first.
func (s *Store) CorrectionsToPrint(ctx context.Context) ([]fleet.BulletinCorrection, error) {
	return list(ctx, s, "corrections", scanBulletinCorrection, `SELECT `+correctionColumns+` FROM bulletin_corrections c JOIN bulletins b ON b.id = c.bulletin_id WHERE c.printed_in IS NULL ORDER BY c.id`)
}

// BulletinChanges returns what happened since an issue was signed, or last
// corrected, to the slots of its period, one for each slot that is another now.
func (s *Store) BulletinChanges(ctx context.Context, id fleet.BulletinID) ([]fleet.PublishedChange, error) {
	all, err := list(ctx, s, "changes", scanChange, `SELECT coalesce(c.amendment_id, 0), c.at_us, c.point_id, c.unit_id, c.slot, c.name, c.cause, c.was, c.now
FROM publication_changes c JOIN bulletins b ON b.publication_id = c.publication_id
WHERE b.id = ? AND c.id > b.changes_after AND (c.amendment_id IS NULL OR c.amendment_id > coalesce((SELECT max(amendment_id) FROM bulletin_corrections WHERE bulletin_id = b.id), 0)) ORDER BY c.id`, int64(id))
	for i := range all {
		all[i].Amendment = 0 // what an amendment of the sums holds that no correction does is still to be told
	}
	return net(all), err
}

// CorrectBulletin signs a correction under the next number of c.Year, and with
// it amends the sealed sums where they changed. count is how many corrections
// the bulletin had when it was made: another number is a *fleet.Error of code
// Conflict, so that pressing twice corrects once.
func (s *Store) CorrectBulletin(ctx context.Context, c fleet.BulletinCorrection, count int) (fleet.BulletinCorrection, error) {
	return change(ctx, s, func(t *tx) (fleet.BulletinCorrection, error) {
		b, err := bulletinTx(t, c.Bulletin)
		if err != nil {
			return c, err
		}
		var have int
		if err := t.row(`SELECT count(*) FROM bulletin_corrections WHERE bulletin_id = ?`, int64(b.ID)).Scan(&have); err != nil {
			return c, err
		}
		if b.State != fleet.BulletinIssued || have != count {
			return c, bulletinMoved()
		}
		var amendment fleet.AmendmentID
		if b.Publication != 0 {
			a, err := amendTx(t, fleet.Amendment{Publication: b.Publication, Year: c.Year, At: c.At, By: c.By, Name: c.Name})
			if err != nil && fleet.CodeOf(err) != fleet.Conflict {
				return c, err
			}
			if err == nil {
				amendment, c.Number = a.ID, a.Number
			}
		}
		if amendment == 0 { // the sums are as they were, or were amended by themselves
			if err := t.row(`SELECT coalesce(max(id), 0) FROM amendments WHERE publication_id = ?`, int64(b.Publication)).Scan(&amendment); err != nil {
				return c, err
			}
			if err := t.row(nextCorrection, c.Year).Scan(&c.Number); err != nil {
				return c, err
			}
		}
		if err := t.row(`INSERT INTO bulletin_corrections (bulletin_id, year, number, at_us, by, name, changes, slots, content, amendment_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			int64(b.ID), c.Year, c.Number, wire.US(c.At), c.By, c.Name, toJSON(c.Changes), listJSON(c.Slots), c.Content, null(amendment)).Scan(&c.ID); err != nil {
			return c, fmt.Errorf("correcting: %w", err)
		}
		c.Issue = fleet.BulletinNumber(b.Number, b.Total)
		return c, nil
	})
}

// nextCorrection is the next number of a year: amendments of sealed sums and
// corrections of bulletins share one row of numbers.
const nextCorrection = `SELECT max(coalesce((SELECT max(number) FROM amendments WHERE year = ?1), 0), coalesce((SELECT max(number) FROM bulletin_corrections WHERE year = ?1), 0)) + 1`
