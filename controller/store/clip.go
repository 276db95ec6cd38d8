package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const clipColumns = `id, sha256, original, name, title, scam_type, audience, text, example, bytes, rate, frames, lufs, true_peak, gain_db, silent, peaks, uploaded_us, by, withdrawn_us`

func scanClip(r scanner) (c fleet.Clip, err error) {
	var uploaded, withdrawn int64
	err = r.Scan(&c.ID, &c.SHA256, &c.Original, &c.Name, &c.Title, &c.ScamType, &c.Audience, &c.Text, &c.Example, &c.Bytes, &c.Rate, &c.Frames,
		&c.LUFS, &c.TruePeak, &c.GainDB, &c.Silent, &c.Peaks, &uploaded, &c.By, &withdrawn)
	c.Uploaded, c.Withdrawn = wire.FromUS(uploaded), wire.FromUS(withdrawn)
	return c, err
}

// Clips returns every clip, withdrawn ones too, newest first.
func (s *Store) Clips(ctx context.Context) ([]fleet.Clip, error) {
	return list(ctx, s, "clips", scanClip, `SELECT `+clipColumns+` FROM clips ORDER BY uploaded_us DESC, id DESC`)
}

// Clip returns the clip with that id, or a *fleet.Error of code NotFound.
func (s *Store) Clip(ctx context.Context, id fleet.ClipID) (fleet.Clip, error) {
	return s.clip(ctx, fmt.Sprint(id), `id = ?`, id)
}

// ClipByName returns the clip that programmes call name, or a *fleet.Error of
// code NotFound.
func (s *Store) ClipByName(ctx context.Context, name string) (fleet.Clip, error) {
	return s.clip(ctx, name, `name = ?`, name)
}

// ClipBySHA returns the clip whose delivery form has that hash, in hex, or a
// *fleet.Error of code NotFound.
func (s *Store) ClipBySHA(ctx context.Context, sha256 string) (fleet.Clip, error) {
	return s.clip(ctx, sha256, `sha256 = ?`, sha256)
}

func (s *Store) clip(ctx context.Context, what, cond string, arg any) (fleet.Clip, error) {
	return one(ctx, s,
		fmt.Sprintf("素材库里没有 %q，请先上传，或核对名称。", what),
		fmt.Sprintf("The library has no clip %q. Upload it first, or check the name.", what),
		scanClip, `SELECT `+clipColumns+` FROM clips WHERE `+cond, arg)
}

// AddClip keeps a clip and returns its id. A clip whose SHA256 is there
// already yields the id of that one and changes nothing, but a withdrawn one
// becomes usable again. A name that belongs to other audio is a *fleet.Error
// of code Conflict.
func (s *Store) AddClip(ctx context.Context, c fleet.Clip) (fleet.ClipID, error) {
	return change(ctx, s, func(t *tx) (id fleet.ClipID, err error) {
		err = t.row(`SELECT id FROM clips WHERE sha256 = ?`, c.SHA256).Scan(&id)
		if err == nil {
			_, err = t.exec(`UPDATE clips SET withdrawn_us = 0 WHERE id = ? AND withdrawn_us > 0`, id)
			return id, err
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return 0, err
		}
		err = t.row(`
INSERT INTO clips (sha256, original, name, title, scam_type, audience, text, example, bytes, rate, frames, lufs, true_peak, gain_db, silent, peaks, uploaded_us, by)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			c.SHA256, c.Original, c.Name, c.Title, c.ScamType, c.Audience, c.Text, c.Example, c.Bytes, c.Rate, c.Frames,
			c.LUFS, c.TruePeak, c.GainDB, c.Silent, c.Peaks, wire.US(c.Uploaded), c.By).Scan(&id)
		if isUnique(err) {
			err = &fleet.Error{
				Code:   fleet.Conflict,
				Text:   fmt.Sprintf("素材名 %q 已被另一段音频使用，请换一个名字。", c.Name),
				TextEN: fmt.Sprintf("The name %q belongs to another clip. Choose another name.", c.Name),
				Err:    err,
			}
		}
		return id, err
	})
}

// WithdrawClip says that a clip is not to be used any more; it is kept, for
// the record. Twice keeps the first time.
func (s *Store) WithdrawClip(ctx context.Context, id fleet.ClipID, now time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		r, err := t.exec(`UPDATE clips SET withdrawn_us = CASE withdrawn_us WHEN 0 THEN ? ELSE withdrawn_us END WHERE id = ?`, wire.US(now), id)
		return none{}, affected(r, err, &fleet.Error{
			Code:   fleet.NotFound,
			Text:   "这段素材不存在，可能已被删除。",
			TextEN: "This clip does not exist; it may have been deleted.",
		})
	})
	return err
}
