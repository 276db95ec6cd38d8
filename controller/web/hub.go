package web

import (
	"sync"

	"gatecast/controller/fleet"
)

// Hub passes events on to the pages that are open. The zero value is ready.
// Safe for concurrent use.
type Hub struct {
	mu   sync.Mutex
	subs map[chan fleet.Event]bool
}

// hubBuffer is how many events wait for one page. An event carries no content,
// so one that finds the buffer full is dropped: the page is about to look anyway.
const hubBuffer = 16

// Publish tells every open page that something changed. It never blocks.
func (h *Hub) Publish(e fleet.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.subs {
		select {
		case c <- e:
		default:
		}
	}
}

// subscribe returns a channel of events from now on, and the function that
// ends it. A nil Hub yields a channel on which nothing arrives.
func (h *Hub) subscribe() (<-chan fleet.Event, func()) {
	if h == nil {
		return nil, func() {}
	}
	c := make(chan fleet.Event, hubBuffer)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs == nil {
		h.subs = map[chan fleet.Event]bool{}
	}
	h.subs[c] = true
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.subs, c)
	}
}
