package link

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const (
	maxExpiry    = 5 * time.Minute
	orderExpiry  = time.Minute
	orderRepeat  = 3 * time.Second // a lost command is sent once more; the device does it at most once
	maxWaitOrder = 1000            // commands that wait for their results
)

// orders is the commands whose results are awaited.
type orders struct {
	mu      sync.Mutex
	counter uint64
	waiting map[string]waiting
}

type waiting struct {
	device wire.DeviceID
	result chan wire.Result
}

func newOrders() *orders { return &orders{waiting: map[string]waiting{}} }

// expect registers a command and draws its counter, which grows with the
// clock so that it grows over restarts too.
func (o *orders) expect(id string, d wire.DeviceID, now time.Time) (uint64, chan wire.Result, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.waiting[id]; ok || len(o.waiting) >= maxWaitOrder {
		return 0, nil, false
	}
	o.counter = max(o.counter+1, uint64(max(1, now.UnixMicro())))
	ch := make(chan wire.Result, 1)
	o.waiting[id] = waiting{d, ch}
	return o.counter, ch, true
}

func (o *orders) forget(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.waiting, id)
}

// answered passes a result on; only the device that was asked may answer.
func (o *orders) answered(d wire.DeviceID, r wire.Result) {
	o.mu.Lock()
	w, ok := o.waiting[r.ID]
	o.mu.Unlock()
	if !ok || w.device != d {
		return
	}
	select {
	case w.result <- r:
	default: // it came twice
	}
}

// Command orders a connected device to do c.Do and returns its result; one that
// waits to be accepted is ordered nothing but its test tone. ID,
// counter and nonce are filled in; an expiry is, where it is 0, and is at
// most 5 minutes. The error is a *fleet.Error when the device is not there or
// does not answer before expiry; whether it did it is then not known.
func (l *Link) Command(ctx context.Context, id wire.DeviceID, c wire.Command) (wire.Result, error) {
	d, err := l.o.Store.Device(ctx, id)
	if err != nil {
		return wire.Result{}, err
	}
	if d.State != fleet.DeviceActive && !(d.Newcomer() && c.Do == wire.DoTestTone) || !d.Online || d.Nonce == "" {
		return wire.Result{}, &fleet.Error{
			Code:   fleet.Conflict,
			Text:   "设备不在线，现在不能下达指令；等它上线后再试。",
			TextEN: "The device is not connected and cannot be told anything now. Try again when it is back.",
		}
	}
	now := l.o.Now()
	if c.ID == "" {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		c.ID = hex.EncodeToString(b[:])
	}
	expires := now.Add(orderExpiry)
	if c.ExpiresUS != 0 {
		expires = wire.FromUS(c.ExpiresUS)
	}
	if most := now.Add(maxExpiry); expires.After(most) {
		expires = most
	}
	counter, result, ok := l.orders.expect(c.ID, id, now)
	if !ok {
		return wire.Result{}, fmt.Errorf("command %q: in progress already, or too many are", c.ID)
	}
	defer l.orders.forget(c.ID)
	c.Device, c.Nonce, c.Counter = id, d.Nonce, counter
	c.IssuedUS, c.ExpiresUS = wire.US(now), wire.US(expires)
	sealed, err := l.o.Trust.SealCommand(&c)
	if err != nil {
		return wire.Result{}, err
	}
	topic := wire.Down(id, wire.KindCommand)
	if err := l.publish(topic, sealed); err != nil {
		return wire.Result{}, noAnswer(err)
	}
	end := time.NewTimer(expires.Sub(now))
	defer end.Stop()
	again := time.NewTimer(orderRepeat)
	defer again.Stop()
	for {
		select {
		case r := <-result:
			return r, nil
		case <-again.C:
			if err := l.publish(topic, sealed); err != nil {
				return wire.Result{}, noAnswer(err)
			}
		case <-end.C:
			return wire.Result{}, noAnswer(nil)
		case <-ctx.Done():
			return wire.Result{}, ctx.Err()
		case <-l.ctx.Done():
			return wire.Result{}, noAnswer(errDown)
		}
	}
}

func noAnswer(err error) error {
	return &fleet.Error{
		Code:   fleet.Conflict,
		Text:   "设备没有回应，指令可能没有执行；请看设备状态后再试。",
		TextEN: "The device did not answer; the command may not have been carried out. Look at its state and try again.",
		Err:    err,
	}
}
