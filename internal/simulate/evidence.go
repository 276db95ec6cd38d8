package simulate

import (
	"context"
	"encoding/json"
	"path/filepath"
	"time"

	"gatecast/agent/journal"
	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// judgeDevice looks whether a device that people left at a gate has come back
// to where it should be (I6).
func (w *World) judgeDevice(c *controller, d *device) {
	if _, gone := d.watch.ousted(); gone {
		return
	}
	s, err := c.store.Device(context.Background(), d.id)
	if err != nil {
		w.brokenBy(d, "I6", "the office does not know it: %v", err)
		return
	}
	switch {
	case s.State != fleet.DeviceActive:
		w.brokenBy(d, "I6", "is %s", s.State)
	case !s.Online:
		w.brokenBy(d, "I6", "is not connected long after the last fault")
	case !s.Ready():
		w.brokenBy(d, "I6", "has plan %d and should have %d, and lacks %d clips", s.PlanVersion, s.WantVersion, len(s.ClipsMiss))
	case s.TimeLevel == wire.T0:
		w.brokenBy(d, "I6", "knows no time")
	}
}

// planning reports whether a device has not yet what the office wants it to
// have: the office may have planned this very second.
func (w *World) planning() bool {
	c := w.office.present()
	if c == nil {
		return false
	}
	for i := range w.points {
		if d := w.at(i); d != nil {
			if s, err := c.store.Device(context.Background(), d.id); err == nil && !s.Ready() {
				return true
			}
		}
	}
	return false
}

// stored is what the office holds of the journals.
type stored struct {
	raw   map[wire.DeviceID]map[recordKey]string
	last  map[wire.DeviceID]time.Time            // when its newest record was received
	begun map[wire.DeviceID]map[wire.PlayID]bool // has an intent
	ended map[wire.DeviceID]map[wire.PlayID]bool // has an outcome
}

func (w *World) stored(c *controller) (stored, error) {
	s := stored{
		raw: map[wire.DeviceID]map[recordKey]string{}, last: map[wire.DeviceID]time.Time{},
		begun: map[wire.DeviceID]map[wire.PlayID]bool{}, ended: map[wire.DeviceID]map[wire.PlayID]bool{},
	}
	for cursor := int64(0); ; {
		recs, err := c.store.RecordsAfter(context.Background(), cursor, 1000)
		if err != nil || len(recs) == 0 {
			return s, err
		}
		for _, r := range recs {
			cursor = r.ID
			if s.raw[r.Device] == nil {
				s.raw[r.Device], s.begun[r.Device], s.ended[r.Device] = map[recordKey]string{}, map[wire.PlayID]bool{}, map[wire.PlayID]bool{}
			}
			s.raw[r.Device][recordKey{r.Log, r.Seq}] = string(r.Raw)
			s.last[r.Device] = r.Received
			var b struct {
				Play wire.PlayID `json:"play"`
			}
			_ = json.Unmarshal(r.Body, &b)
			switch r.Kind {
			case wire.RecordIntent:
				s.begun[r.Device][b.Play] = true
			case wire.RecordOutcome:
				s.ended[r.Device][b.Play] = true
			}
		}
	}
}

// judgeRecords holds the office's records against the devices' (I4): what was
// acked is there as it was sent, what a device still has is there too, and
// every play that sounded has its intent and its outcome.
func (w *World) judgeRecords(c *controller) {
	s, err := w.stored(c)
	if err != nil {
		w.broken("the simulator", "reading records: %v", err)
		return
	}
	w.truth.mu.Lock()
	restored := w.truth.restored
	w.truth.mu.Unlock()
	for _, d := range w.devices {
		since, gone := d.watch.ousted()
		if gone && s.last[d.id].After(since) {
			w.brokenBy(d, "I7", "a record of it was taken at %s, after it was revoked", s.last[d.id].Format(time.DateTime))
		}
		d.mu.Lock()
		gone = gone || d.off
		d.mu.Unlock()
		d.watch.mu.Lock()
		scarred := d.watch.scarred
		// After a restore a device sends again what it has, unless it left or
		// its card lost it.
		if !restored || !gone && !scarred {
			for k := range d.watch.acks {
				switch got := s.raw[d.id][k]; got {
				case d.watch.sent[k]:
				case "":
					w.brokenBy(d, "I4", "record %s/%d was acked and is not in the store", k.log, k.seq)
				default:
					w.brokenBy(d, "I4", "record %s/%d is in the store with other bytes", k.log, k.seq)
				}
			}
		}
		if !gone && !scarred {
			for p := range d.watch.plays {
				if p != "" && !s.begun[d.id][p] {
					w.brokenBy(d, "I4", "play %q sounded and has no intent", p)
				} else if p != "" && !s.ended[d.id][p] {
					w.brokenBy(d, "I4", "play %q sounded and has no outcome", p)
				}
			}
		}
		d.watch.mu.Unlock()
		if !gone && !scarred {
			w.judgeJournal(d, s)
		}
	}
}

// judgeJournal reads what the device itself has.
func (w *World) judgeJournal(d *device, s stored) {
	d.kill()
	d.mu.Lock()
	k := d.disk
	d.mu.Unlock()
	j, err := journal.Open(filepath.Join(dataDir, "journal"), journal.Options{FS: k})
	if err != nil {
		w.brokenBy(d, "I4", "the journal does not open: %v", err)
		return
	}
	defer j.Close()
	lately := wire.US(time.Now().Add(-5 * time.Minute))
	err = j.Scan(func(r wire.Record) error {
		if _, ok := s.raw[d.id][recordKey{r.Log, r.Seq}]; !ok && r.AtUS < lately && r.Level > wire.T0 {
			w.brokenBy(d, "I6", "record %s/%d was written at %s and is not in the store", r.Log, r.Seq, wire.FromUS(r.AtUS).Format(time.DateTime))
		}
		return nil
	})
	if err != nil {
		w.brokenBy(d, "I4", "the journal does not read: %v", err)
	}
}
