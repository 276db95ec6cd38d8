package controller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/media"
)

// kept puts a recording that is too long for a clip where clips can be cut from
// it, and says in the error where that is. Other errors stay as they are.
func (c *Controller) kept(ctx context.Context, err error, by string) error {
	var e *media.Error
	if !errors.As(err, &e) || e.Reel == nil {
		return err
	}
	now := time.Now()
	id, aerr := c.Store.AddReel(ctx, fleet.Reel{
		Original: e.Reel.Original, File: e.Reel.Name, Kind: string(e.Reel.Kind), Bytes: e.Reel.Bytes, Duration: e.Reel.Duration, Peaks: e.Reel.Peaks,
		By: by, Uploaded: now, Expires: now.Add(fleet.ReelKept),
	})
	if aerr != nil {
		return errors.Join(aerr, c.media.DropOriginal(e.Reel.Original))
	}
	return &fleet.Error{Code: fleet.Invalid, Text: e.Say(media.ZH).String(), TextEN: e.Say(media.EN).String(), Topic: fleet.ReelTopic(id), Err: err}
}

// officeReels are the long recordings for the pages.
type officeReels struct{ c *Controller }

func (r officeReels) Reels(ctx context.Context) ([]fleet.Reel, error) { return r.c.Store.Reels(ctx) }

func (r officeReels) Reel(ctx context.Context, id fleet.ReelID) (fleet.Reel, error) {
	return r.c.Store.Reel(ctx, id)
}

func (r officeReels) EndReel(ctx context.Context, id fleet.ReelID, now time.Time) error {
	if err := r.c.Store.EndReel(ctx, id, now); err != nil {
		return err
	}
	return r.c.dropReels(ctx, now)
}

func (r officeReels) Excerpt(ctx context.Context, id fleet.ReelID, part fleet.Stretch) (io.ReadSeeker, error) {
	x, err := r.c.Store.Reel(ctx, id)
	if err != nil {
		return nil, err
	}
	return r.c.media.Excerpt(ctx, x.Original, part.From, part.To)
}

// Cut makes a clip of a part. With clip.Long the part may last longer than
// clips do.
func (r officeReels) Cut(ctx context.Context, id fleet.ReelID, part fleet.Stretch, clip fleet.Clip) (fleet.Clip, error) {
	x, err := r.c.Store.Reel(ctx, id)
	if err != nil {
		return fleet.Clip{}, err
	}
	o := media.Options{MaxDuration: r.c.o.Config.Sound.MaxClip}
	if clip.Long != "" {
		o.MaxDuration = media.HardStop
	}
	up, err := r.c.media.Cut(ctx, x.Original, x.File, part.From, part.To, o)
	if err != nil {
		return fleet.Clip{}, err
	}
	clip.Source = fleet.SourceCut
	if up.Duration <= r.c.o.Config.Sound.MaxClip {
		clip.Long = "" // as short as any other
	}
	if clip, err = r.c.keep(ctx, up, clip); err != nil {
		return clip, err
	}
	return clip, r.c.Store.AddReelCut(ctx, id, clip.ID, part)
}

// dropReels deletes the files of recordings whose time is over.
func (c *Controller) dropReels(ctx context.Context, now time.Time) error {
	old, err := c.Store.ExpiredReels(ctx, now)
	if err != nil {
		return err
	}
	for _, x := range old {
		if err := c.media.DropOriginal(x.Original); err != nil {
			return fmt.Errorf("recording %d: %w", x.ID, err)
		}
		if err := c.Store.ReelGone(ctx, x.ID, now); err != nil {
			return err
		}
		c.logger.Info("original of a long recording deleted", "reel", int64(x.ID), "bytes", x.Bytes)
	}
	return nil
}

// tidyMedia applies what is kept for a time to files.
func (c *Controller) tidyMedia(ctx context.Context, now time.Time) {
	if err := c.dropReels(ctx, now); err != nil && ctx.Err() == nil {
		c.logger.Warn("deleting old recordings", "err", err)
	}
	if n := c.parts.Expire(); n > 0 {
		c.logger.Info("abandoned uploads deleted", "files", n)
	}
}
