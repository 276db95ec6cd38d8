package store

import (
	"context"
	"fmt"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

func scanUtterance(r scanner) (u fleet.Utterance, err error) {
	var at int64
	err = r.Scan(&u.Clip, &u.Origin, &u.Spoken, &u.Voice, &at, &u.By)
	u.At = wire.FromUS(at)
	return u, err
}

// Utterance returns how a clip was made here, or a *fleet.Error of code
// NotFound for one that was uploaded as a file.
func (s *Store) Utterance(ctx context.Context, clip fleet.ClipID) (fleet.Utterance, error) {
	return one(ctx, s, "这段素材不是在这里录制或合成的。", "This clip was neither recorded nor read aloud here.",
		scanUtterance, `SELECT clip_id, origin, spoken, voice, at_us, by FROM utterances WHERE clip_id = ?`, int64(clip))
}

// AddUtterance keeps how a clip was made. The first word stays: the same audio
// made again is the same clip.
func (s *Store) AddUtterance(ctx context.Context, u fleet.Utterance) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`INSERT INTO utterances (clip_id, origin, spoken, voice, at_us, by) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (clip_id) DO NOTHING`,
			int64(u.Clip), string(u.Origin), u.Spoken, u.Voice, wire.US(u.At), u.By)
		return none{}, err
	})
	return err
}

func scanUrgentText(r scanner) (t fleet.UrgentText, err error) {
	var at int64
	err = r.Scan(&t.ID, &t.Title, &t.Spoken, &t.Example, &at, &t.By)
	t.At = wire.FromUS(at)
	return t, err
}

// UrgentTexts returns the prepared texts of urgent broadcasts by their titles.
func (s *Store) UrgentTexts(ctx context.Context) ([]fleet.UrgentText, error) {
	return list(ctx, s, "urgent texts", scanUrgentText, `SELECT id, title, spoken, example, at_us, by FROM urgent_texts ORDER BY title, id`)
}

// SaveUrgentText adds a text, for an ID of 0, or changes it, and returns its
// id. A title that another text has is a *fleet.Error of code Conflict.
func (s *Store) SaveUrgentText(ctx context.Context, x fleet.UrgentText) (fleet.UrgentTextID, error) {
	return change(ctx, s, func(t *tx) (id fleet.UrgentTextID, err error) {
		if x.ID == 0 {
			err = t.row(`INSERT INTO urgent_texts (title, spoken, at_us, by) VALUES (?, ?, ?, ?) RETURNING id`, x.Title, x.Spoken, wire.US(x.At), x.By).Scan(&id)
		} else {
			err = t.row(`UPDATE urgent_texts SET title = ?, spoken = ?, example = 0, at_us = ?, by = ? WHERE id = ? RETURNING id`,
				x.Title, x.Spoken, wire.US(x.At), x.By, int64(x.ID)).Scan(&id)
			if err != nil && !isUnique(err) {
				return 0, found(err, "没有这个模板。", "There is no such template.")
			}
		}
		if isUnique(err) {
			err = &fleet.Error{
				Code: fleet.Conflict, Text: fmt.Sprintf("已经有一个叫“%s”的模板，请换一个标题。", x.Title),
				TextEN: fmt.Sprintf("There is a template %q already. Choose another title.", x.Title), Err: err,
			}
		}
		return id, err
	})
}

// DropUrgentText deletes a text; one that is gone already is a *fleet.Error of
// code NotFound.
func (s *Store) DropUrgentText(ctx context.Context, id fleet.UrgentTextID) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		r, err := t.exec(`DELETE FROM urgent_texts WHERE id = ?`, int64(id))
		return none{}, affected(r, err, &fleet.Error{Code: fleet.NotFound, Text: "没有这个模板。", TextEN: "There is no such template."})
	})
	return err
}
