package controller

import (
	"context"
	"io"
	"time"

	"gatecast/controller/planner"
	"gatecast/controller/web"
)

// officeKeys is what pages show of the keys, and the way to the approver's
// machine and back.
type officeKeys struct{ c *Controller }

func (k officeKeys) KeySet() web.KeySet {
	a := k.c.Trust
	set := web.KeySet{Version: a.RootVersion(), Hash: a.RootHash(), Strict: a.Strict()}
	for _, x := range a.Keys() {
		zh, en := x.Role.Thief()
		set.Keys = append(set.Keys, web.Key{
			Role: string(x.Role), ID: x.ID, Since: x.Since, Version: x.Root, Here: x.Here, Going: x.Going, Thief: zh, ThiefEN: en,
		})
	}
	return set
}

func (k officeKeys) ToSign(ctx context.Context, now time.Time) (web.ToSign, error) {
	s, err := k.c.Planner.Signing(ctx, now)
	return web.ToSign{Strict: s.Strict, Version: s.Held, Clips: s.Waiting, Gone: s.Gone, Ceilings: s.Ceilings, Retired: s.Retired}, err
}

func (k officeKeys) Bundle(ctx context.Context, w io.Writer, every bool, now time.Time) error {
	return k.c.Planner.Bundle(ctx, w, planner.Bundle{
		Office: k.c.o.Config.Name, Library: k.c.Trust.LibraryKeys(), Every: every,
		Open: func(sha string) (io.ReadCloser, error) { return k.c.media.Open(sha) },
	}, now)
}

func (k officeKeys) TakeSigned(ctx context.Context, envelope []byte, now time.Time) (version uint64, clips int, err error) {
	m, err := k.c.Planner.TakeManifest(ctx, envelope, now)
	return m.Version, len(m.Clips), err
}
