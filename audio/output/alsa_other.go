//go:build !linux

package output

import (
	"context"
	"errors"
	"time"
)

func openALSA(string, Options) (Sink, error) {
	return nil, errors.New("alsa sink: only Linux has ALSA; use pulse or file")
}

// startAt calls start at the instant at, as exactly as the runtime's timers.
func startAt(ctx context.Context, at time.Time, start func() error) error {
	if err := waitUntil(ctx, at); err != nil {
		return err
	}
	return start()
}
