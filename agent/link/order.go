package link

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"gatecast/internal/wire"
)

// order is a verified command on its way.
type order struct{ c wire.Command }

// takeCommand verifies a command against this connection, at most once, and
// hands it on.
func (s *session) takeCommand(m Inbound) error {
	if len(m.Data) > wire.MaxMessage {
		return fmt.Errorf("%w: command of %d bytes", ErrEndless, len(m.Data))
	}
	c, err := s.l.o.Plans.VerifyCommand(m.Data, s.nonce, s.l.trustedUS())
	if err != nil {
		if time.Since(s.l.ordered) < overtaken && bytes.Equal(m.Data, s.l.last) {
			return fmt.Errorf("%w: %w", errHonest, err) // the office says it twice where no result came
		}
		return err
	}
	s.l.ordered, s.l.last = time.Now(), m.Data
	select {
	case s.l.orders <- order{c}:
		return nil
	default:
		return fmt.Errorf("%w: command %q: too many are waiting", errHonest, c.ID)
	}
}

// carryOut does one command after the other. Each was verified, which made its
// counter durable: a command that is lost here is not repeated.
func (l *Link) carryOut(ctx context.Context) {
	for {
		var o order
		select {
		case <-ctx.Done():
			return
		case o = <-l.orders:
		}
		err := l.o.Doer.Do(ctx, o.c)
		l.log.Info("command carried out", "id", o.c.ID, "do", o.c.Do, "err", err)
		result := wire.Result{ID: o.c.ID, OK: err == nil}
		if err != nil {
			result.Text = err.Error()
		}
		select {
		case l.results <- result: // published by the session that is up, or by the next one
		default:
			l.log.Warn("result of a command dropped", "id", o.c.ID)
		}
	}
}
