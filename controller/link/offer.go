package link

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

const (
	// offerAgain is how long a device may take over a plan before a state
	// that still lacks it makes us offer it again.
	offerAgain = 15 * time.Second
	// offerers read plans while another one is being written to the socket.
	offerers = 4
)

// offers is who waits to be offered a plan. A device that waits already is
// not queued twice: it gets whatever is wanted when its turn comes.
type offers struct {
	mu      sync.Mutex
	waiting map[wire.DeviceID]struct{}
	order   []wire.DeviceID
	wake    chan struct{}
}

func newOffers() *offers {
	return &offers{waiting: map[wire.DeviceID]struct{}{}, wake: make(chan struct{}, 1)}
}

func (o *offers) add(ids []wire.DeviceID) {
	o.mu.Lock()
	for _, id := range ids {
		if _, ok := o.waiting[id]; !ok {
			o.waiting[id] = struct{}{}
			o.order = append(o.order, id)
		}
	}
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *offers) take() []wire.DeviceID {
	o.mu.Lock()
	defer o.mu.Unlock()
	ids := o.order
	o.order = nil
	clear(o.waiting)
	return ids
}

// Offer tells a device soon which plan it should have. It never blocks.
func (l *Link) Offer(id wire.DeviceID) { l.offers.add([]wire.DeviceID{id}) }

// OfferAll is Offer for many. Devices that are not connected, or have the
// plan already, are passed over: they are compared when they say hello.
func (l *Link) OfferAll(ids []wire.DeviceID) { l.offers.add(ids) }

// keepOffering serves Offer and OfferAll until Stop.
func (l *Link) keepOffering() {
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-l.offers.wake:
		}
		ids := l.offers.take()
		if len(ids) == 0 {
			continue
		}
		// Read after the devices were named: whoever named them had stored
		// the manifest that their plans need.
		man, err := l.o.Store.LatestDoc(l.ctx, "", wire.DocManifest)
		if err != nil {
			l.logger.Warn("reading manifest", "err", err)
			continue
		}
		var wg sync.WaitGroup
		next := make(chan wire.DeviceID)
		for range min(offerers, len(ids)) {
			wg.Go(func() {
				for id := range next {
					l.offerWanted(id, man)
				}
			})
		}
		for _, id := range ids {
			next <- id
		}
		close(next)
		wg.Wait()
	}
}

func (l *Link) offerWanted(id wire.DeviceID, man fleet.Doc) {
	d, err := l.o.Store.Device(l.ctx, id)
	switch {
	case err != nil || d.State == fleet.DeviceRevoked:
		return
	case d.State == fleet.DeviceRetired: // nobody keeps whether it is there
		d.Awaiting = fleet.AwaitNothing
	case !d.Online:
		return
	}
	if !wants(d) {
		return
	}
	if err := l.offer(l.inbox.box(id), d, man); err != nil && l.ctx.Err() == nil {
		l.logger.Warn("offering plan", "device", id, "err", err)
	}
}

// wants reports whether d lacks the plan that it should have. A device ahead
// of us would refuse ours: a person confirms, and the planner goes above it.
func wants(d fleet.Device) bool {
	return d.Awaiting == fleet.AwaitNothing && d.WantVersion != 0 && d.WantHash != "" && d.PlanVersion <= d.WantVersion && (d.PlanVersion != d.WantVersion || d.PlanHash != d.WantHash)
}

// repair offers the wanted plan to a device whose hello or state shows
// another one. After a state it leaves the device some time to take the last
// offer.
func (l *Link) repair(b *box, d fleet.Device, hello bool) error {
	if d.PlanVersion > d.WantVersion && hello {
		l.logger.Warn("device has a newer plan than the controller knows", "device", d.ID, "has", d.PlanVersion, "wanted", d.WantVersion)
	}
	if !wants(d) {
		return l.repairRoot(b, d, hello)
	}
	b.mu.Lock()
	wait := !hello && b.offered == d.WantHash && l.o.Now().Sub(b.offerAt).Abs() < offerAgain
	b.mu.Unlock()
	if wait {
		return nil
	}
	man, err := l.o.Store.LatestDoc(l.ctx, "", wire.DocManifest)
	if err != nil {
		return fmt.Errorf("reading manifest: %w", err)
	}
	return l.offer(b, d, man)
}

func (l *Link) offer(b *box, d fleet.Device, man fleet.Doc) error {
	plan, err := l.o.Store.Doc(l.ctx, d.WantHash)
	if err != nil {
		return fmt.Errorf("reading plan: %w", err)
	}
	root := l.o.Trust.RootVersion()
	if !l.o.Trust.InForce(wire.DocPlan, plan) || !l.o.Trust.InForce(wire.DocManifest, man.Bytes) {
		if d.RootVersion >= root || !wants(d) {
			return nil // it would refuse them, or has them; they are being sealed anew
		}
		root = 0 // they hold by the root that it has
	}
	b.mu.Lock()
	b.offered, b.offerAt = d.WantHash, l.o.Now()
	b.mu.Unlock()
	if err := l.publish(wire.Down(d.ID, wire.KindPlan), offerMessage(d.WantVersion, plan, d.WantHash, man, root)); err != nil {
		return err
	}
	l.stats.offers.Add(1)
	return nil
}

// repairRoot offers the trust root to a device that has its plan and an older
// root: with plan and manifest that hold by it, once they were sealed anew,
// because by the root alone what it has may not hold.
func (l *Link) repairRoot(b *box, d fleet.Device, hello bool) error {
	root := l.o.Trust.RootVersion()
	if d.RootVersion == 0 || d.RootVersion >= root {
		return nil
	}
	b.mu.Lock()
	wait := !hello && b.rooted == root && l.o.Now().Sub(b.rootAt).Abs() < offerAgain
	if !wait {
		b.rooted, b.rootAt = root, l.o.Now()
	}
	b.mu.Unlock()
	switch {
	case wait, d.Ahead():
		return nil
	case d.WantVersion != 0:
		man, err := l.o.Store.LatestDoc(l.ctx, "", wire.DocManifest)
		if err != nil {
			return fmt.Errorf("reading manifest: %w", err)
		}
		return l.offer(b, d, man)
	}
	payload, err := json.Marshal(wire.RootOffer{Version: root})
	if err != nil {
		return fmt.Errorf("encoding offer: %w", err)
	}
	return l.publish(wire.Down(d.ID, wire.KindRoot), payload)
}

// offerMessage encodes a wire.PlanOffer with as many of the two documents as
// fit a message, the plan first. root is 0 for none. It writes the JSON itself: the encoder would
// copy and check documents that were made by it, which for 9,000 devices is
// half a second of a core.
func offerMessage(version uint64, plan []byte, planHash string, man fleet.Doc, root uint64) []byte {
	const around = 64
	manHash := man.SHA256
	if manHash == "" {
		manHash = seal.Hash(man.Bytes)
	}
	m := make([]byte, 0, min(wire.MaxMessage, len(plan)+len(man.Bytes)+4*around+256))
	m = append(m, `{"version":`...)
	m = strconv.AppendUint(m, version, 10)
	if root != 0 {
		m = strconv.AppendUint(append(m, `,"root":`...), root, 10)
	}
	m = appendRef(append(m, `,"plan":`...), planHash, len(plan))
	m = appendRef(append(m, `,"manifest":`...), manHash, len(man.Bytes))
	if len(m)+len(plan)+around <= wire.MaxMessage {
		m = append(append(m, `,"plan_doc":`...), plan...)
	}
	if len(m)+len(man.Bytes)+around <= wire.MaxMessage {
		m = append(append(m, `,"manifest_doc":`...), man.Bytes...)
	}
	return append(m, '}')
}

func appendRef(m []byte, sha string, size int) []byte {
	m = append(append(append(m, `{"sha256":"`...), sha...), `","size":`...)
	return append(strconv.AppendInt(m, int64(size), 10), '}')
}
