package simulate

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"

	"gatecast/internal/wire"
)

// troubleBroker has a bad broker send what it should not: old messages again,
// messages of another device, and forgeries. It cannot sign. What it does not
// do is to make up records: they are signed as a journal and not one by one,
// and an invented one is found by the verifier, not by the ledger.
func (w *World) troubleBroker(d *device, r *rand.Rand) {
	if r.IntN(4) == 0 {
		w.forgeAck(d, r)
		return
	}
	from := d
	if r.IntN(4) == 0 {
		w.mu.Lock()
		from = w.devices[r.IntN(len(w.devices))]
		w.mu.Unlock()
	}
	from.mu.Lock()
	var old []kept
	for _, k := range from.kept {
		_, _, err := wire.ParseDown(k.topic)
		if err == nil || from == d { // what goes up is bound to its sender by the broker
			old = append(old, k)
		}
	}
	from.mu.Unlock()
	if len(old) == 0 {
		return
	}
	for range 1 + r.IntN(3) {
		k := old[r.IntN(len(old))]
		payload := bytes.Clone(k.payload)
		forged := r.IntN(3) == 0
		_, kind, err := wire.ParseDown(k.topic)
		if err != nil {
			w.trace.event(d.name, "broker repeats %s", kindOf(k.topic))
			w.net.deliverUp(d, k.topic, payload)
			continue
		}
		if forged && len(payload) > 0 && kind != wire.KindAck {
			payload[r.IntN(len(payload))] ^= 1 << r.IntN(8)
		}
		w.trace.event(d.name, "broker repeats %s of %s, forged %t", kind, from.name, forged)
		w.net.deliverDown(d, wire.Down(d.id, kind), payload)
	}
}

// forgeAck acks what was never committed. The device believes it, and the
// office's next word puts it right.
func (w *World) forgeAck(d *device, r *rand.Rand) {
	d.watch.mu.Lock()
	var log wire.LogID
	var most wire.Seq
	for k := range d.watch.sent {
		if k.seq > most || k.seq == most && k.log > log {
			log, most = k.log, k.seq
		}
	}
	d.watch.mu.Unlock()
	if log == "" {
		return
	}
	payload, err := json.Marshal(wire.Ack{Log: log, Upto: most + wire.Seq(r.IntN(20))})
	if err != nil {
		return
	}
	w.trace.event(d.name, "broker forges an ack")
	w.net.deliverDown(d, wire.Down(d.id, wire.KindAck), payload)
}
