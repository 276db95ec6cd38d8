package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const bulletinColumns = `b.id, b.kind, b.state, b.from_day, b.to_day, b.subject, b.units, b.texts, b.version, b.created_us, b.by, b.edited, b.submitted_us, b.submitted_by,
b.returned_us, b.returned_by, b.reason, b.issued_us, b.issued_by, b.issued_name, coalesce(b.year, 0), coalesce(b.number, 0), coalesce(b.total, 0), coalesce(b.publication_id, 0), b.content, b.sha256`

func scanBulletin(r scanner) (b fleet.Bulletin, err error) {
	var from, to, created, submitted, returned, issued int64
	var units, said, edited string
	if err := r.Scan(&b.ID, &b.Kind, &b.State, &from, &to, &b.Subject, &units, &said, &b.Version, &created, &b.By, &edited, &submitted, &b.SubmittedBy,
		&returned, &b.ReturnedBy, &b.Reason, &issued, &b.IssuedBy, &b.IssuedName, &b.Year, &b.Number, &b.Total, &b.Publication, &b.Content, &b.SHA256); err != nil {
		return b, err
	}
	if b.Kind == fleet.WeeklyBulletin {
		b.From, b.To = dayOf(from), dayOf(to)
	}
	b.Created, b.Submitted, b.Returned, b.Issued = wire.FromUS(created), wire.FromUS(submitted), wire.FromUS(returned), wire.FromUS(issued)
	if b.Edited, err = texts(edited); err != nil {
		return b, err
	}
	if err := json.Unmarshal([]byte(units), &b.Units); err != nil {
		return b, err
	}
	if err := json.Unmarshal([]byte(said), &b.Texts); err != nil {
		return b, err
	}
	return b, nil
}

// scanWhole is scanBulletin for one whose content is to be believed.
func scanWhole(r scanner) (fleet.Bulletin, error) {
	b, err := scanBulletin(r)
	if err == nil && b.State == fleet.BulletinIssued && hashOf(b.Content) != b.SHA256 {
		return b, fmt.Errorf("bulletin %d: its content is not what was signed (SHA-256 %s)", b.ID, b.SHA256)
	}
	return b, err
}

func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

const noBulletin, noBulletinEN = "没有这份通报。", "There is no such bulletin."

// Bulletin returns one, or a *fleet.Error of code NotFound. An issued one whose
// content does not have the hash it was signed with is an error.
func (s *Store) Bulletin(ctx context.Context, id fleet.BulletinID) (fleet.Bulletin, error) {
	return one(ctx, s, noBulletin, noBulletinEN, scanWhole, `SELECT `+bulletinColumns+` FROM bulletins b WHERE b.id = ?`, int64(id))
}

// Bulletins returns those that f selects, and how many without limit and offset.
// Whether their content is what was signed is looked at by Bulletin alone: one
// that was tampered with hides no other.
func (s *Store) Bulletins(ctx context.Context, f fleet.BulletinFilter) ([]fleet.Bulletin, int, error) {
	w := &where{}
	marks := make([]string, len(f.Kinds))
	kinds := make([]any, len(f.Kinds))
	for i, k := range f.Kinds {
		marks[i], kinds[i] = "?", string(k)
	}
	w.add("b.kind IN ("+strings.Join(marks, ", ")+")", kinds...)
	if f.State != "" {
		w.add("b.state = ?", string(f.State))
	}
	if f.Query != "" {
		n, err := strconv.Atoi(f.Query)
		if err != nil {
			n = -1
		}
		w.add("(instr(b.subject, ?) > 0 OR instr(b.texts, ?) > 0 OR b.number = ? OR b.total = ?)", f.Query, f.Query, n, n)
	}
	order := " DESC"
	if f.Oldest {
		order = ""
	}
	rows, err := list(ctx, s, "bulletins", scanBulletin, `SELECT `+bulletinColumns+` FROM bulletins b`+w.String()+` ORDER BY b.id`+order+page(f.Limit, f.Offset), w.args...)
	if err != nil {
		return nil, 0, err
	}
	var all int
	if err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM bulletins b`+w.String(), w.args...).Scan(&all); err != nil {
		return nil, 0, fmt.Errorf("counting bulletins: %w", explain(err))
	}
	return rows, all, nil
}

// NextBulletin returns the numbers that the next issue of that kind would have.
func (s *Store) NextBulletin(ctx context.Context, k fleet.BulletinKind, year int) (number, total int, err error) {
	err = s.read.QueryRowContext(ctx, nextBulletin, string(k), year).Scan(&number, &total)
	return number, total, explain(err)
}

const nextBulletin = `SELECT coalesce(max(CASE WHEN year = ?2 THEN number END), 0) + 1, coalesce(max(total), 0) + 1 FROM bulletins WHERE kind = ?1`

// AddBulletin keeps a draft and returns its id. A second weekly one of a period
// is a *fleet.Error of code Conflict.
func (s *Store) AddBulletin(ctx context.Context, b fleet.Bulletin) (fleet.BulletinID, error) {
	var from, to int64
	if b.Kind == fleet.WeeklyBulletin {
		var err error
		if from, err = dayNumber(b.From); err != nil {
			return 0, err
		}
		if to, err = dayNumber(b.To); err != nil {
			return 0, err
		}
	}
	return change(ctx, s, func(t *tx) (id fleet.BulletinID, err error) {
		err = t.row(`INSERT INTO bulletins (kind, from_day, to_day, subject, units, texts, created_us, by) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			string(b.Kind), from, to, b.Subject, unitsJSON(b.Units), textsJSON(b.Texts), wire.US(b.Created), b.By).Scan(&id)
		if isUnique(err) {
			return 0, &fleet.Error{Code: fleet.Conflict,
				Text:   fmt.Sprintf("%s 至 %s 的周通报已经有了，请打开那一份。", b.From, b.To),
				TextEN: fmt.Sprintf("There is a bulletin of %s to %s already. Open that one.", b.From, b.To)}
		}
		return id, err
	})
}

func unitsJSON(units []fleet.UnitID) string {
	if units == nil {
		units = []fleet.UnitID{}
	}
	return toJSON(units)
}

func textsJSON(said map[string]string) string {
	if said == nil {
		said = map[string]string{}
	}
	return toJSON(said)
}

// EditBulletin replaces subject, units and texts of a draft whose version is
// still b.Version. by is added to those who had a hand in it.
func (s *Store) EditBulletin(ctx context.Context, b fleet.Bulletin, by string) error {
	return s.moveBulletin(ctx, b.ID, b.Version, fleet.BulletinDraft, func(t *tx, old fleet.Bulletin) error {
		edited := old.Edited
		if !slices.Contains(edited, by) {
			edited = append(edited, by)
		}
		_, err := t.exec(`UPDATE bulletins SET subject = ?, units = ?, texts = ?, edited = ?, version = version + 1 WHERE id = ?`,
			b.Subject, unitsJSON(b.Units), textsJSON(b.Texts), listJSON(edited), int64(b.ID))
		return err
	})
}

// SubmitBulletin sends a draft up at b.Submitted by b.SubmittedBy.
func (s *Store) SubmitBulletin(ctx context.Context, b fleet.Bulletin) error {
	return s.moveBulletin(ctx, b.ID, b.Version, fleet.BulletinDraft, func(t *tx, _ fleet.Bulletin) error {
		_, err := t.exec(`UPDATE bulletins SET state = 'submitted', submitted_us = ?, submitted_by = ?, version = version + 1 WHERE id = ?`, wire.US(b.Submitted), b.SubmittedBy, int64(b.ID))
		return err
	})
}

// ReturnBulletin sends one back at b.Returned by b.ReturnedBy for b.Reason.
func (s *Store) ReturnBulletin(ctx context.Context, b fleet.Bulletin) error {
	return s.moveBulletin(ctx, b.ID, b.Version, fleet.BulletinSubmitted, func(t *tx, _ fleet.Bulletin) error {
		_, err := t.exec(`UPDATE bulletins SET state = 'draft', returned_us = ?, returned_by = ?, reason = ?, version = version + 1 WHERE id = ?`,
			wire.US(b.Returned), b.ReturnedBy, b.Reason, int64(b.ID))
		return err
	})
}

// moveBulletin runs fn on a bulletin that is in that state and version; one
// that is not is a *fleet.Error of code Conflict.
func (s *Store) moveBulletin(ctx context.Context, id fleet.BulletinID, version int, in fleet.BulletinState, fn func(*tx, fleet.Bulletin) error) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		old, err := bulletinTx(t, id)
		if err != nil {
			return none{}, err
		}
		if old.State != in || old.Version != version {
			return none{}, bulletinMoved()
		}
		return none{}, fn(t, old)
	})
	return err
}

func bulletinTx(t *tx, id fleet.BulletinID) (fleet.Bulletin, error) {
	b, err := scanWhole(t.row(`SELECT `+bulletinColumns+` FROM bulletins b WHERE b.id = ?`, int64(id)))
	return b, found(err, noBulletin, noBulletinEN)
}

func bulletinMoved() error {
	return &fleet.Error{Code: fleet.Conflict, Text: "这份通报刚刚被别人改过，请核对后再试。", TextEN: "Somebody else changed this bulletin a moment ago. Look again and try once more."}
}

// IssueBulletin signs a submitted bulletin in one transaction: it is numbered,
// the sums of its period are sealed as a publication, its content is kept with
// its hash, and the corrections that it prints are marked so. It is refused with
// a *fleet.Error of code Conflict when the sums are no longer the ledger's, a
// correction is printed already, a number is taken or below others, or a slot of
// the period is not settled. Nothing of it can be changed afterwards: the
// database refuses that.
func (s *Store) IssueBulletin(ctx context.Context, o fleet.BulletinSigning) (fleet.Bulletin, error) {
	return change(ctx, s, func(t *tx) (fleet.Bulletin, error) {
		b, err := bulletinTx(t, o.Bulletin.ID)
		if err != nil {
			return b, err
		}
		if b.State != fleet.BulletinSubmitted || b.Version != o.Bulletin.Version {
			return b, bulletinMoved()
		}
		b.Issued, b.IssuedBy, b.IssuedName, b.Year = o.Bulletin.Issued, o.Bulletin.IssuedBy, o.Bulletin.IssuedName, o.Bulletin.Year
		if err := numberTx(t, &b, o.Bulletin.Number, o.Bulletin.Total); err != nil {
			return b, err
		}
		after, err := sealBulletinTx(t, &b, o.Sums)
		if err != nil {
			return b, err
		}
		if b.Content, err = o.Content(b.Number, b.Total); err != nil {
			return b, err
		}
		b.SHA256, b.State = hashOf(b.Content), fleet.BulletinIssued
		if _, err := t.exec(`UPDATE bulletins SET state = 'issued', issued_us = ?, issued_by = ?, issued_name = ?, year = ?, number = ?, total = ?, publication_id = ?, changes_after = ?,
  content = ?, sha256 = ?, version = version + 1 WHERE id = ?`,
			wire.US(b.Issued), b.IssuedBy, b.IssuedName, b.Year, b.Number, b.Total, null(b.Publication), after, b.Content, b.SHA256, int64(b.ID)); err != nil {
			return b, fmt.Errorf("issuing: %w", err)
		}
		for _, id := range o.Corrections {
			r, err := t.exec(`UPDATE bulletin_corrections SET printed_in = ? WHERE id = ? AND printed_in IS NULL`, int64(b.ID), int64(id))
			if err := affected(r, err, bulletinMoved()); err != nil {
				return b, err
			}
		}
		return bulletinTx(t, b.ID)
	})
}

// numberTx gives b its numbers: those wanted, or the next where they are 0.
func numberTx(t *tx, b *fleet.Bulletin, number, total int) error {
	var nextNumber, nextTotal int
	if err := t.row(nextBulletin, string(b.Kind), b.Year).Scan(&nextNumber, &nextTotal); err != nil {
		return err
	}
	if b.Number, b.Total = number, total; number == 0 {
		b.Number = nextNumber
	}
	if total == 0 {
		b.Total = nextTotal
	}
	if b.Number < nextNumber || b.Total < nextTotal || b.Total < b.Number {
		return &fleet.Error{Code: fleet.Conflict,
			Text:   fmt.Sprintf("期号只能往后编，总期号不能小于期号：本年第 %d 期起，总第 %d 期起。", nextNumber, max(nextTotal, nextNumber)),
			TextEN: fmt.Sprintf("Numbers only go on, and the total is never below the number: from issue %d of this year and total %d.", nextNumber, max(nextTotal, nextNumber))}
	}
	return nil
}

// sealBulletinTx publishes the period of a weekly bulletin, or finds its
// publication, and returns the last change that the bulletin knows of.
func sealBulletinTx(t *tx, b *fleet.Bulletin, want map[fleet.UnitID]fleet.Counts) (after int64, err error) {
	if b.Kind != fleet.WeeklyBulletin {
		return 0, nil
	}
	from, err := dayNumber(b.From)
	if err != nil {
		return 0, err
	}
	to, err := dayNumber(b.To)
	if err != nil {
		return 0, err
	}
	rows, err := t.query(`SELECT unit_id, sum(owed), sum(played), sum(partial), sum(missed), sum(doubt), sum(exempt), sum(pending), sum(due) FROM rollup WHERE day BETWEEN ? AND ? GROUP BY unit_id HAVING sum(owed) > 0`, from, to)
	if err != nil {
		return 0, err
	}
	now := map[fleet.UnitID]fleet.Counts{}
	if _, err := collect(rows, func(r scanner) (none, error) {
		var u fleet.UnitID
		var c fleet.Counts
		err := r.Scan(&u, &c.Owed, &c.Played, &c.Partial, &c.Missed, &c.Doubt, &c.Exempt, &c.Pending, &c.Due)
		now[u] = c
		return none{}, err
	}); err != nil {
		return 0, err
	}
	if len(now) != len(want) {
		return 0, figuresMoved()
	}
	for u, c := range now {
		if want[u] != c {
			return 0, figuresMoved()
		}
	}
	if len(now) == 0 {
		return 0, nil // nothing was owed: there are no sums to seal
	}
	err = t.row(`SELECT id FROM publications WHERE from_day = ? AND to_day = ?`, from, to).Scan(&b.Publication)
	if err != nil && !isNoRow(err) {
		return 0, err
	}
	if b.Publication == 0 {
		p, err := publishTx(t, fleet.Publication{Year: b.Year, From: b.From, To: b.To, At: b.Issued, By: b.IssuedBy, Name: b.IssuedName}, from, to)
		if err != nil {
			return 0, err
		}
		b.Publication = p.ID
	} else {
		var due int
		for _, c := range now {
			due += c.Due
		}
		if due > 0 {
			return 0, &fleet.Error{Code: fleet.Conflict, Text: fmt.Sprintf("还有 %d 个时段没有结算，请在全部结算后再签发。", due), TextEN: fmt.Sprintf("%d slots are not settled yet. Sign when all are.", due)}
		}
	}
	err = t.row(`SELECT coalesce(max(id), 0) FROM publication_changes WHERE publication_id = ?`, int64(b.Publication)).Scan(&after)
	return after, err
}

func figuresMoved() error {
	return &fleet.Error{Code: fleet.Conflict, Text: "刚才又有记录送到，数字变了，请核对新的数字再签发。", TextEN: "Another record arrived a moment ago and the figures changed. Check the new ones, then sign."}
}

func isNoRow(err error) bool { return errors.Is(err, sql.ErrNoRows) }
