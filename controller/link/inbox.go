package link

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"gatecast/internal/evidence"
	"gatecast/internal/wire"
)

// Limits of what has been heard and not yet handled. The newest is dropped:
// the device says it again.
const (
	boxSize  = 64        // messages of one device; a healthy one has at most 4 batches in flight
	maxBytes = 256 << 20 // of all devices
	// maxWorkers is how many devices are served at once. Nearly all of them
	// wait for the same commit, which is what makes commits large; with more,
	// the writer would wait for a processor behind those that parse.
	maxWorkers = 512
)

// message is one message of a device.
type message struct {
	kind    wire.Kind
	payload []byte
}

// box is the queue of one device and what the link remembers of it.
type box struct {
	id wire.DeviceID

	mu      sync.Mutex
	queue   []message
	serving []message // with a worker
	busy    bool      // waits for a worker or has one
	heard   time.Time // last message of any kind
	offered string    // hash of the plan offered last
	offerAt time.Time
	rooted  uint64 // version of the trust root offered last
	rootAt  time.Time

	tail     evidence.Tail // of the worker that has the box
	replaced bool          // likewise: as what the device was served last
	runs     runs          // likewise
}

// inbox spreads messages over workers: those of one device are handled one
// after the other, those of different devices at once.
type inbox struct {
	handle func(b *box, queue []message)

	dropped, repeated, waiting, bytes atomic.Int64

	mu      sync.Mutex
	boxes   map[wire.DeviceID]*box
	ready   []*box
	workers int
	closed  bool
	idle    chan struct{} // closed when closed and no worker is left
	wg      sync.WaitGroup
}

func newInbox(handle func(*box, []message)) *inbox {
	return &inbox{handle: handle, boxes: map[wire.DeviceID]*box{}, idle: make(chan struct{})}
}

// known reports whether id has a queue already.
func (in *inbox) known(id wire.DeviceID) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.boxes[id] != nil
}

// box returns the queue of id.
func (in *inbox) box(id wire.DeviceID) *box {
	in.mu.Lock()
	defer in.mu.Unlock()
	b := in.boxes[id]
	if b == nil {
		b = &box{id: id}
		in.boxes[id] = b
	}
	return b
}

// heardAt returns when id said anything last; zero if it has not.
func (in *inbox) heardAt(id wire.DeviceID) time.Time {
	in.mu.Lock()
	b := in.boxes[id]
	in.mu.Unlock()
	if b == nil {
		return time.Time{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.heard
}

// holds reports whether the same records wait in b already. A device that is
// not answered in time sends again; under load that must not make more work.
// b.mu is held.
func (b *box) holds(m message) bool {
	if m.kind != wire.KindRecords {
		return false
	}
	for _, list := range [][]message{b.queue, b.serving} {
		for _, q := range list {
			if q.kind == m.kind && bytes.Equal(q.payload, m.payload) {
				return true
			}
		}
	}
	return false
}

// put queues m, or drops and counts it. It never blocks.
func (in *inbox) put(id wire.DeviceID, m message, now time.Time) {
	b := in.box(id)
	size := int64(len(m.payload))
	b.mu.Lock()
	b.heard = now
	if b.holds(m) {
		b.mu.Unlock()
		in.repeated.Add(1)
		return
	}
	if len(b.queue) >= boxSize || in.bytes.Load()+size > maxBytes {
		b.mu.Unlock()
		in.dropped.Add(1)
		return
	}
	in.bytes.Add(size)
	in.waiting.Add(1)
	b.queue = append(b.queue, m)
	wake := !b.busy
	b.busy = true
	b.mu.Unlock()
	if wake {
		in.schedule(b, false)
	}
}

// schedule gives b to a worker. After close only boxes that have one already
// come back.
func (in *inbox) schedule(b *box, again bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed && !again {
		return
	}
	in.ready = append(in.ready, b)
	if in.workers < maxWorkers {
		in.workers++
		in.wg.Go(in.work)
	}
}

// work serves boxes until none is ready.
func (in *inbox) work() {
	for {
		in.mu.Lock()
		if len(in.ready) == 0 {
			in.ready = nil
			in.workers--
			if in.closed && in.workers == 0 {
				close(in.idle)
			}
			in.mu.Unlock()
			return
		}
		b := in.ready[0]
		in.ready[0] = nil
		in.ready = in.ready[1:]
		in.mu.Unlock()
		in.serve(b)
	}
}

func (in *inbox) serve(b *box) {
	b.mu.Lock()
	queue := b.queue
	b.queue, b.serving = nil, queue
	b.mu.Unlock()
	in.handle(b, queue)
	size := int64(0)
	for _, m := range queue {
		size += int64(len(m.payload))
	}
	in.bytes.Add(-size)
	in.waiting.Add(-int64(len(queue)))
	b.mu.Lock()
	b.serving = nil
	again := len(b.queue) > 0
	b.busy = again
	b.mu.Unlock()
	if again {
		in.schedule(b, true)
	}
}

// close takes nothing more and waits until what is queued has been handled.
func (in *inbox) close(ctx context.Context) error {
	in.mu.Lock()
	if !in.closed {
		in.closed = true
		if in.workers == 0 {
			close(in.idle)
		}
	}
	in.mu.Unlock()
	select {
	case <-in.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait returns when no worker is left.
func (in *inbox) wait() { in.wg.Wait() }
