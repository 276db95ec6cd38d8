package store

import (
	"context"
	"encoding/json"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const entryColumns = `id, kind, title, document, spans, at_us, by, name, ended_us, ended_by, end_reason`

func scanEntry(r scanner) (e fleet.CalendarEntry, err error) {
	var at, ended int64
	var spans []byte
	if err := r.Scan(&e.ID, &e.Kind, &e.Title, &e.Document, &spans, &at, &e.By, &e.Name, &ended, &e.EndedBy, &e.EndReason); err != nil {
		return e, err
	}
	e.At, e.Ended = wire.FromUS(at), wire.FromUS(ended)
	return e, json.Unmarshal(spans, &e.Spans)
}

// CalendarEntries returns every entry of the office's calendar, the newest
// first, those that were taken back too.
func (s *Store) CalendarEntries(ctx context.Context) ([]fleet.CalendarEntry, error) {
	return list(ctx, s, "calendar entries", scanEntry, `SELECT `+entryColumns+` FROM calendar_entries ORDER BY id DESC`)
}

// AddCalendarEntry keeps an entry and returns it with its id.
func (s *Store) AddCalendarEntry(ctx context.Context, e fleet.CalendarEntry) (fleet.CalendarEntry, error) {
	return change(ctx, s, func(t *tx) (fleet.CalendarEntry, error) {
		return e, t.row(`INSERT INTO calendar_entries (kind, title, document, spans, at_us, by, name) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			string(e.Kind), e.Title, e.Document, toJSON(e.Spans), wire.US(e.At), e.By, e.Name).Scan(&e.ID)
	})
}

// EndCalendarEntry takes an entry back. One that does not exist or was taken
// back before is a *fleet.Error of code Conflict.
func (s *Store) EndCalendarEntry(ctx context.Context, id fleet.EntryID, by, reason string, now time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		r, err := t.exec(`UPDATE calendar_entries SET ended_us = ?, ended_by = ?, end_reason = ? WHERE id = ? AND ended_us = 0`, wire.US(now), by, reason, int64(id))
		return none{}, affected(r, err, &fleet.Error{Code: fleet.Conflict, Text: "这条日历已经撤销。", TextEN: "This entry has been taken back already."})
	})
	return err
}

// HolidayTables returns the imported tables by year.
func (s *Store) HolidayTables(ctx context.Context) ([]fleet.HolidayTable, error) {
	return list(ctx, s, "holiday tables", func(r scanner) (h fleet.HolidayTable, err error) {
		var at int64
		err = r.Scan(&h.Year, &h.JSON, &h.Source, &h.By, &at)
		h.Imported = wire.FromUS(at)
		return h, err
	}, `SELECT year, body, source, by, imported_us FROM holiday_tables ORDER BY year`)
}

// PutHolidayTable keeps a year's table in place of the one before.
func (s *Store) PutHolidayTable(ctx context.Context, h fleet.HolidayTable) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`INSERT INTO holiday_tables (year, body, source, by, imported_us) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (year) DO UPDATE SET body = excluded.body, source = excluded.source, by = excluded.by, imported_us = excluded.imported_us`,
			h.Year, h.JSON, h.Source, h.By, wire.US(h.Imported))
		return none{}, err
	})
	return err
}

// FormDrafts returns what owner left half written, the latest first.
func (s *Store) FormDrafts(ctx context.Context, owner string) ([]fleet.FormDraft, error) {
	return list(ctx, s, "drafts", func(r scanner) (d fleet.FormDraft, err error) {
		var at int64
		err = r.Scan(&d.ID, &d.Owner, &d.Title, &d.Form, &at)
		d.Saved = wire.FromUS(at)
		return d, err
	}, `SELECT id, owner, title, form, saved_us FROM programme_drafts WHERE owner = ? ORDER BY saved_us DESC, id DESC`, owner)
}

// maxDrafts is how many drafts a person keeps; the oldest go first.
const maxDrafts = 20

// SaveFormDraft keeps d in place of the owner's draft of its id, as a new one
// where there is none, and returns its id.
func (s *Store) SaveFormDraft(ctx context.Context, d fleet.FormDraft) (int64, error) {
	return change(ctx, s, func(t *tx) (int64, error) {
		id := int64(0)
		if d.ID != 0 {
			r, err := t.exec(`UPDATE programme_drafts SET title = ?, form = ?, saved_us = ? WHERE id = ? AND owner = ?`, d.Title, d.Form, wire.US(d.Saved), d.ID, d.Owner)
			if err != nil {
				return 0, err
			}
			if n, err := r.RowsAffected(); err != nil || n == 1 {
				return d.ID, err
			}
		}
		if err := t.row(`INSERT INTO programme_drafts (owner, title, form, saved_us) VALUES (?, ?, ?, ?) RETURNING id`, d.Owner, d.Title, d.Form, wire.US(d.Saved)).Scan(&id); err != nil {
			return 0, err
		}
		_, err := t.exec(`DELETE FROM programme_drafts WHERE owner = ? AND id NOT IN (SELECT id FROM programme_drafts WHERE owner = ? ORDER BY saved_us DESC, id DESC LIMIT ?)`, d.Owner, d.Owner, maxDrafts)
		return id, err
	})
}

// DropFormDraft forgets a draft of owner; one that is not there is no error.
func (s *Store) DropFormDraft(ctx context.Context, owner string, id int64) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`DELETE FROM programme_drafts WHERE owner = ? AND id = ?`, owner, id)
		return none{}, err
	})
	return err
}
