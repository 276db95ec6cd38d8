package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const clipColumns = `id, sha256, original, name, title, scam_type, audience, text, example, bytes, rate, frames, lufs, true_peak, gain_db, silent, peaks, uploaded_us, by, state, since_us, reason, submitter, submitted_us, signer, signed_us, valid_from, valid_until, changes, hands, revision, spoken, source, long_reason, family, version`

func scanClip(r scanner) (c fleet.Clip, err error) {
	var uploaded, since, submitted, signed, from, until int64
	var changes, hands string
	err = r.Scan(&c.ID, &c.SHA256, &c.Original, &c.Name, &c.Title, &c.ScamType, &c.Audience, &c.Text, &c.Example, &c.Bytes, &c.Rate, &c.Frames,
		&c.LUFS, &c.TruePeak, &c.GainDB, &c.Silent, &c.Peaks, &uploaded, &c.By,
		&c.State, &since, &c.Reason, &c.Submitter, &submitted, &c.Signer, &signed, &from, &until, &changes, &hands, &c.Revision,
		&c.Spoken, &c.Source, &c.Long, &c.First, &c.Version)
	if err != nil {
		return c, err
	}
	c.Uploaded, c.Since, c.Submitted, c.Signed = wire.FromUS(uploaded), wire.FromUS(since), wire.FromUS(submitted), wire.FromUS(signed)
	c.ValidFrom, c.ValidUntil = boundOf(from), boundOf(until)
	if err := json.Unmarshal([]byte(hands), &c.Hands); err != nil {
		return c, fmt.Errorf("hands of clip %q: %w", c.Name, err)
	}
	if changes != "" {
		c.Change = &fleet.ClipTerms{}
		if err := json.Unmarshal([]byte(changes), c.Change); err != nil {
			return c, fmt.Errorf("change of clip %q: %w", c.Name, err)
		}
	}
	return c, nil
}

// Clips returns every clip in whatever state, newest first.
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

// AddClip keeps a clip as a draft, whatever its state says, and returns its id.
// A clip whose SHA256 is there already yields the id of that one and changes
// nothing: a recalled one stays recalled. A name that belongs to other audio
// is a *fleet.Error of code Conflict. With First it becomes the next version of
// that clip; without a name it is called after it then.
func (s *Store) AddClip(ctx context.Context, c fleet.Clip) (fleet.ClipID, error) {
	return change(ctx, s, func(t *tx) (id fleet.ClipID, err error) {
		err = t.row(`SELECT id FROM clips WHERE sha256 = ?`, c.SHA256).Scan(&id)
		if !errors.Is(err, sql.ErrNoRows) {
			return id, err
		}
		from, err1 := boundNumber(c.ValidFrom)
		until, err2 := boundNumber(c.ValidUntil)
		if err := errors.Join(err1, err2); err != nil {
			return 0, err
		}
		c.State, c.Hands = fleet.ClipDraft, []string{c.By}
		if c.Source == "" {
			c.Source = fleet.SourceUpload
		}
		if err := versionTx(t, &c); err != nil {
			return 0, err
		}
		err = t.row(`
INSERT INTO clips (sha256, original, name, title, scam_type, audience, text, example, bytes, rate, frames, lufs, true_peak, gain_db, silent, peaks, uploaded_us, by,
  state, since_us, hands, valid_from, valid_until, revision, spoken, source, long_reason, family, version)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?17, ?, ?, ?17, ?, ?, ?, 1, ?, ?, ?, ?, ?) RETURNING id`,
			c.SHA256, c.Original, c.Name, c.Title, c.ScamType, c.Audience, c.Text, c.Example, c.Bytes, c.Rate, c.Frames,
			c.LUFS, c.TruePeak, c.GainDB, c.Silent, c.Peaks, wire.US(c.Uploaded), c.By, c.State, toJSON(c.Hands), from, until,
			c.Spoken, c.Source, c.Long, c.First, c.Version).Scan(&id)
		if isUnique(err) {
			err = &fleet.Error{
				Code:   fleet.Conflict,
				Text:   fmt.Sprintf("素材名 %q 已被另一段音频使用，请换一个名字。", c.Name),
				TextEN: fmt.Sprintf("The name %q belongs to another clip. Choose another name.", c.Name),
				Err:    err,
			}
		}
		if err != nil {
			return 0, err
		}
		_, err = clipEventTx(t, id, fleet.ClipEvent{
			At: c.Uploaded, Step: fleet.StepUpload, Now: c.State, By: c.By, Terms: c.Terms(), SHA256: c.SHA256,
		})
		return id, err
	})
}
