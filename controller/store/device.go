package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// device is a row of the table devices and what the device said. Guarded by
// Store.mu; a *device is replaced, never changed, so that readers may keep it.
type device struct {
	fleet.Device
	row         int64
	said        wire.State
	receiptHash string    // of receipt number Receipts
	unplanned   bool      // got no plan since a restore
	bindings    []binding // by time; the last one is the present one
}

type binding struct {
	from, to time.Time // to is zero while bound
	point    fleet.PointID
}

// pointAt returns the point that d was bound to at that time, or the present
// one where the time says nothing.
func (d *device) pointAt(at time.Time) fleet.PointID {
	for _, b := range d.bindings {
		if !at.Before(b.from) && at.Before(b.to) {
			return b.point
		}
	}
	return d.Point
}

func noDevice(id wire.DeviceID) error {
	return &fleet.Error{
		Code:   fleet.NotFound,
		Text:   fmt.Sprintf("没有登记过设备 %s，请用接入码重新接入。", id),
		TextEN: fmt.Sprintf("Device %s is not registered. Enrol it with a join code.", id),
	}
}

// loadDevices fills the cache. No device is connected to a controller that
// has just started.
func (s *Store) loadDevices(ctx context.Context) error {
	all, err := list(ctx, s, "devices", func(r scanner) (*device, error) {
		d := &device{}
		var enrolled, retired, seen, at, toned, unheard, accepted int64
		var session, want uint64
		var said []byte
		err := r.Scan(&d.row, &d.ID, &d.Point, &d.State, &d.SPKI, &enrolled, &retired, &d.Hardware, &want, &d.WantHash, &seen, &at, &session, &d.Nonce, &d.Agent, &said, &d.Awaiting, &d.unplanned,
			&d.Cloned, &toned, &unheard, &accepted, &d.AcceptedBy)
		if err != nil {
			return nil, err
		}
		var st wire.State
		if err := json.Unmarshal(said, &st); err != nil {
			return nil, fmt.Errorf("state of device %q: %w", d.ID, err)
		}
		st.Playing = ""
		d.setSaid(st)
		d.Enrolled, d.Retired, d.LastSeen, d.StateAt = wire.FromUS(enrolled), wire.FromUS(retired), wire.FromUS(seen), wire.FromUS(at)
		d.Toned, d.Unheard, d.Accepted = wire.FromUS(toned), wire.FromUS(unheard), wire.FromUS(accepted)
		d.Session, d.WantVersion = session, want
		return d, nil
	}, `SELECT id, name, point_id, state, spki, enrolled_us, retired_us, hardware, want_version, want_hash, last_seen_us, state_at_us, session, nonce, agent, said, awaiting,
  EXISTS (SELECT 1 FROM restored_devices x WHERE x.device_id = devices.id AND x.next_version = 0),
  cloned, toned_us, unheard_us, accepted_us, accepted_by FROM devices`)
	if err != nil {
		return err
	}
	byRow := map[int64]*device{}
	for _, d := range all {
		s.devices[d.ID] = d
		byRow[d.row] = d
		if d.State == fleet.DeviceActive {
			s.active[d.Point] = d.ID
		}
	}
	_, err = list(ctx, s, "bindings", func(r scanner) (none, error) {
		var row, from, to int64
		var b binding
		if err := r.Scan(&row, &from, &to, &b.point); err != nil {
			return none{}, err
		}
		b.from, b.to = wire.FromUS(from), wire.FromUS(to)
		d := byRow[row]
		d.bindings = append(d.bindings, b)
		s.addBound(b.point, d.ID)
		return none{}, nil
	}, `SELECT device_id, from_us, to_us, point_id FROM bindings ORDER BY from_us, device_id`)
	return err
}

// addBound says that a device was bound to p; mu is held.
func (s *Store) addBound(p fleet.PointID, id wire.DeviceID) {
	others := slices.DeleteFunc(slices.Clone(s.bound[p]), func(o wire.DeviceID) bool { return o == id })
	s.bound[p] = append(others, id)
}

// Devices returns every device, by id, retired and revoked ones too. The
// slices inside are shared and must not be changed, here and in every method
// that returns devices.
func (s *Store) Devices(context.Context) ([]fleet.Device, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]fleet.Device, 0, len(s.devices))
	for _, id := range slices.Sorted(maps.Keys(s.devices)) {
		all = append(all, s.devices[id].Device)
	}
	return all, nil
}

// Device returns the device with that id in any state, or a *fleet.Error of
// code NotFound. It does not touch the disk.
func (s *Store) Device(_ context.Context, id wire.DeviceID) (fleet.Device, error) {
	d, err := s.device(id)
	if err != nil {
		return fleet.Device{}, err
	}
	return d.Device, nil
}

func (s *Store) device(id wire.DeviceID) (*device, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	d, ok := s.devices[id]
	if !ok {
		return nil, noDevice(id)
	}
	return d, nil
}

// DeviceOfPoint returns the active device of p, or a *fleet.Error of code
// NotFound. It does not touch the disk.
func (s *Store) DeviceOfPoint(_ context.Context, p fleet.PointID) (fleet.Device, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	id, ok := s.active[p]
	if !ok {
		return fleet.Device{}, &fleet.Error{
			Code:   fleet.NotFound,
			Text:   "这个点位还没有接入设备。请生成接入码，在现场设备上输入。",
			TextEN: "No device is bound to this point yet. Make a join code and enter it at the device.",
		}
	}
	return s.devices[id].Device, nil
}

// DevicesOfPoint returns every device that was ever bound to p, the present
// one first, then the one bound last. It does not touch the disk.
func (s *Store) DevicesOfPoint(_ context.Context, p fleet.PointID) ([]fleet.Device, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]fleet.Device, 0, len(s.bound[p]))
	for _, id := range slices.Backward(s.bound[p]) {
		if id == s.active[p] {
			all = slices.Insert(all, 0, s.devices[id].Device)
		} else {
			all = append(all, s.devices[id].Device)
		}
	}
	return all, nil
}

// SetWanted says which plan a device should have, durably.
func (s *Store) SetWanted(ctx context.Context, id wire.DeviceID, version uint64, hash string) error {
	return s.SetAllWanted(ctx, []fleet.Wanted{{Device: id, Version: version, SHA256: hash}})
}

// SetAllWanted is SetWanted for many devices in one transaction; an unknown
// device fails all of them.
func (s *Store) SetAllWanted(ctx context.Context, all []fleet.Wanted) error {
	_, err := change(ctx, s, func(t *tx) (none, error) { return none{}, s.wantTx(t, all) })
	return err
}

func (s *Store) wantTx(t *tx, all []fleet.Wanted) error {
	for _, w := range all {
		r, err := t.exec(`UPDATE devices SET want_version = ?, want_hash = ? WHERE name = ?`, int64(w.Version), w.SHA256, w.Device)
		if err := affected(r, err, noDevice(w.Device)); err != nil {
			return err
		}
		if err := s.plannedTx(t, w); err != nil {
			return err
		}
	}
	t.after(func() {
		for _, w := range all {
			s.edit(w.Device, func(d *device) { d.WantVersion, d.WantHash, d.unplanned = w.Version, w.SHA256, false })
		}
	})
	return nil
}

// edit changes the cache after a commit.
func (s *Store) edit(id wire.DeviceID, fn func(*device)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := *s.devices[id]
	fn(&d)
	s.devices[id] = &d
}

// RevokeDevice ends the trust in a device for good: it is neither heard nor
// given anything, and its point is free for another. Twice is harmless.
func (s *Store) RevokeDevice(ctx context.Context, id wire.DeviceID, now time.Time) error {
	_, err := changeAlone(ctx, s, func(t *tx) (none, error) {
		d, err := s.device(id)
		if err != nil || d.State == fleet.DeviceRevoked {
			return none{}, err
		}
		return none{}, s.leaveTx(t, d, fleet.DeviceRevoked, now)
	})
	return err
}

// leaveTx takes a device off its point. The plan that it should have is not
// offered any more; the planner makes one without slots.
func (s *Store) leaveTx(t *tx, d *device, state fleet.DeviceState, now time.Time) error {
	if _, err := t.exec(`UPDATE devices SET state = ?, retired_us = ?, want_hash = '' WHERE id = ?`, state, wire.US(now), d.row); err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE bindings SET to_us = ? WHERE device_id = ? AND to_us = 0`, wire.US(now), d.row); err != nil {
		return err
	}
	t.after(func() {
		s.edit(d.ID, func(d *device) {
			d.State, d.Retired, d.Online, d.WantHash = state, now.UTC(), false, ""
			d.bindings = endBinding(d.bindings, now)
		})
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.active[d.Point] == d.ID {
			delete(s.active, d.Point)
		}
	})
	return nil
}

func endBinding(all []binding, now time.Time) []binding {
	all = slices.Clone(all)
	for i := range all {
		if all[i].to.IsZero() {
			all[i].to = now.UTC()
		}
	}
	return all
}
