package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const reelColumns = `id, original, file, kind, bytes, duration_ms, peaks, by, uploaded_us, expires_us, gone_us`

func scanReel(r scanner) (x fleet.Reel, err error) {
	var ms, uploaded, expires, gone int64
	err = r.Scan(&x.ID, &x.Original, &x.File, &x.Kind, &x.Bytes, &ms, &x.Peaks, &x.By, &uploaded, &expires, &gone)
	x.Duration, x.Uploaded, x.Expires, x.Gone = time.Duration(ms)*time.Millisecond, wire.FromUS(uploaded), wire.FromUS(expires), wire.FromUS(gone)
	return x, err
}

// AddReel keeps a recording until it Expires. The same file by the same person,
// while it is there, is the same recording: it is kept longer.
func (s *Store) AddReel(ctx context.Context, x fleet.Reel) (fleet.ReelID, error) {
	return change(ctx, s, func(t *tx) (id fleet.ReelID, err error) {
		err = t.row(`UPDATE reels SET expires_us = max(expires_us, ?) WHERE original = ? AND by = ? AND gone_us = 0 RETURNING id`,
			wire.US(x.Expires), x.Original, x.By).Scan(&id)
		if !errors.Is(err, sql.ErrNoRows) {
			return id, err
		}
		err = t.row(`INSERT INTO reels (original, file, kind, bytes, duration_ms, peaks, by, uploaded_us, expires_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			x.Original, x.File, x.Kind, x.Bytes, x.Duration.Milliseconds(), x.Peaks, x.By, wire.US(x.Uploaded), wire.US(x.Expires)).Scan(&id)
		return id, err
	})
}

// Reels returns the recordings whose files are there, newest first, without
// their cuts.
func (s *Store) Reels(ctx context.Context) ([]fleet.Reel, error) {
	return list(ctx, s, "recordings", scanReel, `SELECT `+reelColumns+` FROM reels WHERE gone_us = 0 ORDER BY uploaded_us DESC, id DESC LIMIT 100`)
}

// Reel returns a recording with its cuts; fleet.NotFound if there is none.
func (s *Store) Reel(ctx context.Context, id fleet.ReelID) (fleet.Reel, error) {
	x, err := one(ctx, s, "没有这份长录音，可能已被删除。", "There is no such recording; it may have been deleted.",
		scanReel, `SELECT `+reelColumns+` FROM reels WHERE id = ?`, id)
	if err != nil {
		return x, err
	}
	x.Cuts, err = list(ctx, s, "cuts of a recording", func(r scanner) (c fleet.ReelCut, err error) {
		var from, to int64
		err = r.Scan(&c.Clip, &c.Title, &from, &to)
		c.From, c.To = time.Duration(from)*time.Millisecond, time.Duration(to)*time.Millisecond
		return c, err
	}, `SELECT c.id, c.title, r.from_ms, r.to_ms FROM reel_cuts r JOIN clips c ON c.id = r.clip_id WHERE r.reel_id = ? ORDER BY r.from_ms, c.id`, id)
	return x, err
}

// AddReelCut notes that a clip was cut from a recording.
func (s *Store) AddReelCut(ctx context.Context, id fleet.ReelID, clip fleet.ClipID, part fleet.Stretch) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`INSERT OR REPLACE INTO reel_cuts (reel_id, clip_id, from_ms, to_ms) VALUES (?, ?, ?, ?)`, id, clip, part.From.Milliseconds(), part.To.Milliseconds())
		return none{}, err
	})
	return err
}

// EndReel has a recording expire at once, or nothing if it did.
func (s *Store) EndReel(ctx context.Context, id fleet.ReelID, now time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`UPDATE reels SET expires_us = min(expires_us, ?) WHERE id = ? AND gone_us = 0`, wire.US(now), id)
		return none{}, err
	})
	return err
}

// ExpiredReels returns the recordings whose time is over and whose file nothing
// else needs: no other recording that still is, and no clip that came as that
// very file.
func (s *Store) ExpiredReels(ctx context.Context, now time.Time) ([]fleet.Reel, error) {
	return list(ctx, s, "expired recordings", scanReel, `
SELECT `+reelColumns+` FROM reels r WHERE gone_us = 0 AND expires_us <= ?
  AND NOT EXISTS (SELECT 1 FROM reels o WHERE o.original = r.original AND o.gone_us = 0 AND o.expires_us > ?)
  AND NOT EXISTS (SELECT 1 FROM clips c WHERE c.original = r.original AND c.source != 'cut')`, wire.US(now), wire.US(now))
}

// ReelGone notes that the file of a recording was deleted.
func (s *Store) ReelGone(ctx context.Context, id fleet.ReelID, now time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`UPDATE reels SET gone_us = ? WHERE id = ?`, wire.US(now), id)
		return none{}, err
	})
	return err
}
