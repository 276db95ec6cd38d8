package link

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// askMember is how long a device that is in doubt leaves the controller alone
// before it asks again whether it was revoked. One that got no answer asks
// sooner at first: a controller that starts again is away for moments.
const askMember = 2 * time.Minute

// doubt says that connections are refused or nobody answers: the controller
// may have revoked this device. It never blocks.
func (l *Link) doubt() {
	select {
	case l.doubts <- struct{}{}:
	default:
	}
}

// keepMembership asks for a revocation when in doubt. A broken connection
// proves nothing and a refusal may come from anybody; only a document of the
// director silences the device.
func (l *Link) keepMembership(ctx context.Context) {
	if l.o.Revoked == nil && l.o.Roots == nil {
		return
	}
	unanswered := backoff{first: 5 * time.Second, most: askMember, dice: l.memberDice}
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.doubts:
		}
		pause := l.memberDice.about(askMember)
		chain := l.catchUp(ctx)
		doc, err := l.fetcher.revocation(ctx)
		if doc != nil && len(chain) > 0 {
			_ = l.adopt(chain) // its key may be newer than the root in force
		}
		if err == nil {
			unanswered.reset()
		}
		switch {
		case err != nil:
			l.log.Debug("asking whether the device was revoked", "err", err)
			pause = unanswered.next()
		case doc != nil && l.o.Revoked != nil:
			err := l.o.Revoked(doc)
			l.Nudge()
			if err == nil {
				l.gone.Store(true)
				return // for good
			}
			l.log.Error("revocation not taken", "err", err)
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

// revocation returns the envelope of the device's revocation, nil while there
// is none.
func (f *Fetcher) revocation(ctx context.Context) ([]byte, error) {
	return f.envelope(ctx, wire.PathRevoked)
}

// envelope fetches a small signed document, nil while there is none at path.
func (f *Fetcher) envelope(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, f.stall)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.base+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer drain(resp.Body)
	switch resp.StatusCode {
	case http.StatusNotFound:
		return nil, nil
	case http.StatusOK:
	default:
		return nil, fmt.Errorf("fetching %q: status %d", path, resp.StatusCode)
	}
	env, err := io.ReadAll(io.LimitReader(resp.Body, seal.MaxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("fetching %q: %w", path, err)
	}
	if len(env) > seal.MaxDocument {
		return nil, fmt.Errorf("fetching %q: more than %d bytes", path, seal.MaxDocument)
	}
	return env, nil
}
