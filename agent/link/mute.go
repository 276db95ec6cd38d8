package link

import (
	"fmt"
	"time"

	"gatecast/internal/wire"
)

// takeMute hands on a word about silence, and answers with the state: somebody
// watches, so it does not wait for its jitter.
func (s *session) takeMute(m Inbound) error {
	if len(m.Data) > wire.MaxMessage {
		return fmt.Errorf("mute of %d bytes", len(m.Data))
	}
	if s.l.o.Muted == nil {
		return nil
	}
	err := s.l.o.Muted(m.Data)
	s.state.hurry(time.Now())
	return err
}
