package officetest

import (
	"encoding/json"
	"slices"
	"time"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// Device is what the office knows of one device.
type Device struct {
	Hellos  []wire.Hello
	States  []wire.State // of hellos, states and wills, in order
	Results []wire.Result
	Records map[wire.LogID]map[wire.Seq]wire.Record // each once, as committed
	Repeats int                                     // records received again
}

// Outgoing is a message to a device.
type Outgoing struct {
	Device wire.DeviceID
	Kind   wire.Kind
	Data   []byte
}

// Know returns what the office knows of d by now.
func (o *Office) Know(d wire.DeviceID) Device {
	o.mu.Lock()
	defer o.mu.Unlock()
	k := o.device(d)
	c := Device{Hellos: slices.Clone(k.Hellos), States: slices.Clone(k.States), Results: slices.Clone(k.Results), Repeats: k.Repeats, Records: map[wire.LogID]map[wire.Seq]wire.Record{}}
	for log, records := range k.Records {
		c.Records[log] = map[wire.Seq]wire.Record{}
		for seq, r := range records {
			c.Records[log][seq] = r
		}
	}
	return c
}

// device returns the entry of d; o.mu is held.
func (o *Office) device(d wire.DeviceID) *Device {
	if o.devices[d] == nil {
		o.devices[d] = &Device{Records: map[wire.LogID]map[wire.Seq]wire.Record{}}
	}
	return o.devices[d]
}

// Await returns once f is true of what the office knows of d, and fails the
// test after limit.
func (o *Office) Await(d wire.DeviceID, limit time.Duration, what string, f func(Device) bool) Device {
	o.t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for {
		o.mu.Lock()
		news := o.news
		o.mu.Unlock()
		k := o.Know(d)
		if f(k) {
			return k
		}
		select {
		case <-news:
		case <-deadline.C:
			o.t.Fatalf("waiting for %s: not within %s; device said %+v", what, limit, k)
		}
	}
}

// SetMute makes the office hear everything and answer nothing.
func (o *Office) SetMute(mute bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mute = mute
}

// Offer has the plan offered to its device, at each hello and state that
// shows another one. Inline says whether the documents ride along.
func (o *Office) Offer(p wire.Plan, m wire.Manifest, inline bool) Outgoing {
	p.Type, m.Type = wire.DocPlan, wire.DocManifest
	planDoc, manDoc := o.Seal(p, o.Director), o.Seal(m, o.Library)
	offer := wire.PlanOffer{
		Version:  p.Version,
		Plan:     wire.DocRef{SHA256: seal.Hash(planDoc), Size: int64(len(planDoc))},
		Manifest: wire.DocRef{SHA256: seal.Hash(manDoc), Size: int64(len(manDoc))},
	}
	if inline {
		offer.PlanDoc, offer.ManDoc = planDoc, manDoc
	} else {
		o.Put(planDoc)
		o.Put(manDoc)
	}
	data, err := json.Marshal(offer)
	if err != nil {
		o.t.Errorf("encoding offer: %v", err)
	}
	out := Outgoing{p.Device, wire.KindPlan, data}
	o.mu.Lock()
	o.offers[p.Device] = held{offer, out}
	o.mu.Unlock()
	return out
}

type held struct {
	offer wire.PlanOffer
	out   Outgoing
}

// Command seals a command for the device's present connection.
func (o *Office) Command(d wire.DeviceID, c wire.Command) Outgoing {
	k := o.Know(d)
	c.Type, c.Device, c.Nonce = wire.DocCommand, d, k.Hellos[len(k.Hellos)-1].Nonce
	c.IssuedUS, c.ExpiresUS = wire.US(time.Now()), wire.US(time.Now().Add(time.Minute))
	return Outgoing{d, wire.KindCommand, o.Seal(c, o.Director)}
}

// Hear takes a message that a device published and returns what the office
// answers.
func (o *Office) Hear(topic string, data []byte) []Outgoing {
	d, kind, err := wire.ParseUp(topic)
	if err != nil {
		o.t.Errorf("device published on %q: %v", topic, err)
		return nil
	}
	if len(data) > wire.MaxMessage {
		o.t.Errorf("device published %d bytes of %s", len(data), kind)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	k := o.device(d)
	var out []Outgoing
	switch kind {
	case wire.KindHello:
		h := decode[wire.Hello](o, data)
		k.Hellos, k.States = append(k.Hellos, h), append(k.States, h.State)
		answer := wire.TimeAnswer{Header: wire.Header{Type: wire.DocTime, Device: d, IssuedUS: wire.US(time.Now())}, Nonce: h.Nonce, NowUS: wire.US(time.Now())}
		out = append(out, Outgoing{d, wire.KindTime, o.Seal(answer, o.Director)})
		out = append(out, o.lacking(d, h.State)...)
	case wire.KindState:
		s := decode[wire.State](o, data)
		k.States = append(k.States, s)
		if s.Online {
			out = o.lacking(d, s)
		}
	case wire.KindResult:
		k.Results = append(k.Results, decode[wire.Result](o, data))
	case wire.KindRecords:
		out = o.commit(d, k, decode[wire.Batch](o, data))
	}
	close(o.news)
	o.news = make(chan struct{})
	if o.mute {
		return nil
	}
	return out
}

// lacking offers the plan that the state does not show.
func (o *Office) lacking(d wire.DeviceID, s wire.State) []Outgoing {
	h, ok := o.offers[d]
	if !ok || s.PlanSHA256 == h.offer.Plan.SHA256 {
		return nil
	}
	return []Outgoing{h.out}
}

// commit takes records and acks what is complete.
func (o *Office) commit(d wire.DeviceID, k *Device, b wire.Batch) []Outgoing {
	if o.mute {
		return nil // nothing is committed that is not acked
	}
	if k.Records[b.Log] == nil {
		k.Records[b.Log] = map[wire.Seq]wire.Record{}
	}
	have := k.Records[b.Log]
	for _, raw := range b.Records {
		r := decode[wire.Record](o, raw)
		if _, ok := have[r.Seq]; ok {
			k.Repeats++
		}
		have[r.Seq] = r
	}
	ack := wire.Ack{Log: b.Log}
	for {
		if _, ok := have[ack.Upto+1]; !ok {
			break
		}
		ack.Upto++
	}
	data, err := json.Marshal(ack)
	if err != nil {
		o.t.Errorf("encoding ack: %v", err)
	}
	return []Outgoing{{d, wire.KindAck, data}}
}

func decode[T any](o *Office, data []byte) T {
	v, err := wire.Decode[T](data)
	if err != nil {
		o.t.Errorf("device published what does not parse: %v", err)
	}
	return v
}
