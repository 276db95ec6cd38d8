package link

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatecast/internal/wire"
)

func TestInboxKeepsTheOrderOfADevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		got := map[wire.DeviceID][]string{}
		working := map[wire.DeviceID]bool{}
		in := newInbox(func(b *box, queue []message) {
			mu.Lock()
			if working[b.id] {
				t.Errorf("%s is served twice at once", b.id)
			}
			working[b.id] = true
			for _, m := range queue {
				got[b.id] = append(got[b.id], string(m.payload))
			}
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			working[b.id] = false
			mu.Unlock()
		})
		const devices, each = 50, 40
		for k := range each {
			for d := range devices {
				in.put(wire.DeviceID(fmt.Sprint("d", d)), message{wire.KindState, fmt.Appendf(nil, "%03d", k)}, time.Now())
			}
			time.Sleep(100 * time.Microsecond)
		}
		if err := in.close(t.Context()); err != nil {
			t.Fatal(err)
		}
		for d := range devices {
			list := got[wire.DeviceID(fmt.Sprint("d", d))]
			if len(list) != each {
				t.Fatalf("d%d: %d messages, want %d", d, len(list), each)
			}
			for k, s := range list {
				if s != fmt.Sprintf("%03d", k) {
					t.Fatalf("d%d: message %d is %s", d, k, s)
				}
			}
		}
		if in.waiting.Load() != 0 || in.bytes.Load() != 0 || in.dropped.Load() != 0 {
			t.Errorf("waiting %d, bytes %d, dropped %d", in.waiting.Load(), in.bytes.Load(), in.dropped.Load())
		}
	})
}

func TestInboxDropsAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		handled := 0
		in := newInbox(func(_ *box, queue []message) {
			<-gate
			handled += len(queue)
		})
		put := func(k int) { in.put("d1", message{wire.KindRecords, fmt.Appendf(nil, "%d", k)}, time.Now()) }
		put(0)
		synctest.Wait() // it is being served; the others wait
		for k := 1; k <= boxSize+5; k++ {
			put(k)
		}
		for k := range boxSize + 1 { // all of them are waiting already
			put(k)
		}
		if in.dropped.Load() != 5 || in.repeated.Load() != boxSize+1 {
			t.Errorf("dropped %d, repeated %d, want 5 and %d", in.dropped.Load(), in.repeated.Load(), boxSize+1)
		}
		in.put("d2", message{wire.KindRecords, make([]byte, maxBytes)}, time.Now())
		if in.dropped.Load() != 6 {
			t.Errorf("dropped %d, want 6: a message above the bound of all", in.dropped.Load())
		}
		close(gate)
		if err := in.close(t.Context()); err != nil {
			t.Fatal(err)
		}
		in.put("d3", message{wire.KindState, nil}, time.Now()) // after the end nothing is handled any more
		synctest.Wait()
		if handled != boxSize+1 {
			t.Errorf("%d messages handled, want %d", handled, boxSize+1)
		}
	})
}

func TestInboxCloseEndsWithItsContext(t *testing.T) {
	gate := make(chan struct{})
	in := newInbox(func(*box, []message) { <-gate })
	in.put("d1", message{wire.KindState, nil}, time.Now())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := in.close(ctx); err != context.Canceled {
		t.Errorf("close = %v", err)
	}
	close(gate)
	in.wait()
}

func TestInboxServesManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var mu sync.Mutex
		most := 0
		now := 0
		in := newInbox(func(*box, []message) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			<-gate
			mu.Lock()
			now--
			mu.Unlock()
		})
		for d := range maxWorkers + 100 {
			in.put(wire.DeviceID(fmt.Sprint("d", d)), message{wire.KindState, nil}, time.Now())
		}
		synctest.Wait()
		if now != maxWorkers {
			t.Errorf("%d devices are served at once, want %d", now, maxWorkers)
		}
		close(gate)
		if err := in.close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if most > maxWorkers || in.waiting.Load() != 0 {
			t.Errorf("at most %d, %d waiting", most, in.waiting.Load())
		}
	})
}
