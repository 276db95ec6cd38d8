package store

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// quarantined returns the devices that are in quarantine at p, the latest
// first.
func (s *Store) quarantined(p fleet.PointID) []*device {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []*device
	for _, id := range s.bound[p] {
		if d := s.devices[id]; d.State == fleet.DeviceQuarantine && d.Point == p {
			all = append([]*device{d}, all...)
		}
	}
	return all
}

// AcceptDevice lets a device in quarantine play, because by heard its test
// tone: it takes over its point, and who was there before is retired, or
// revoked where its key had turned up twice. The point owes from now on if it
// never did. An active device stays as it is. A device that is not waiting for
// this is a *fleet.Error of code Conflict.
func (s *Store) AcceptDevice(ctx context.Context, id wire.DeviceID, by string, now time.Time) (fleet.Device, error) {
	_, err := changeAlone(ctx, s, func(t *tx) (none, error) {
		d, err := s.device(id)
		if err != nil || d.State == fleet.DeviceActive {
			return none{}, err
		}
		if !d.Newcomer() {
			return none{}, notWaiting(id)
		}
		return none{}, s.acceptTx(t, d, by, now)
	})
	if err != nil {
		return fleet.Device{}, fmt.Errorf("accepting device %q: %w", id, err)
	}
	return s.Device(ctx, id)
}

func notWaiting(id wire.DeviceID) error {
	return &fleet.Error{
		Code:   fleet.Conflict,
		Text:   fmt.Sprintf("设备 %s 不在等待试音确认。请刷新页面，看它现在的状态。", id),
		TextEN: fmt.Sprintf("Device %s does not wait for its test tone to be confirmed. Reload the page and look at its state.", id),
	}
}

func (s *Store) acceptTx(t *tx, d *device, by string, now time.Time) error {
	now = wire.FromUS(wire.US(now))
	if old, err := s.sitting(d.Point); err != nil {
		return err
	} else if old != nil {
		if err := s.leaveTx(t, old, fleet.DeviceRetired, now); err != nil {
			return err
		}
	}
	for _, o := range s.quarantined(d.Point) {
		state := fleet.DeviceRetired
		switch {
		case o.ID == d.ID:
			continue
		case o.Cloned:
			state = fleet.DeviceRevoked
		}
		if err := s.leaveTx(t, o, state, now); err != nil {
			return err
		}
	}
	if _, err := t.exec(`UPDATE devices SET state = 'active', accepted_us = ?, accepted_by = ? WHERE id = ?`, wire.US(now), by, d.row); err != nil {
		return err
	}
	if err := installTx(t, d.Point, now); err != nil {
		return err
	}
	t.after(func() {
		s.edit(d.ID, func(d *device) { d.State, d.Accepted, d.AcceptedBy = fleet.DeviceActive, now, by })
		s.mu.Lock()
		defer s.mu.Unlock()
		s.active[d.Point] = d.ID
	})
	return nil
}

// sitting returns the active device of p, nil for none.
func (s *Store) sitting(p fleet.PointID) (*device, error) {
	s.mu.RLock()
	id, ok := s.active[p]
	s.mu.RUnlock()
	if !ok {
		return nil, nil
	}
	return s.device(id)
}

// NoteTone says that the device played its test tone to the end.
func (s *Store) NoteTone(ctx context.Context, id wire.DeviceID, now time.Time) error {
	return s.note(ctx, id, `UPDATE devices SET toned_us = ? WHERE id = ?`, now, func(d *device) { d.Toned = now.UTC() })
}

// NoteUnheard says that a person stood there and heard nothing.
func (s *Store) NoteUnheard(ctx context.Context, id wire.DeviceID, now time.Time) error {
	return s.note(ctx, id, `UPDATE devices SET unheard_us = ? WHERE id = ?`, now, func(d *device) { d.Unheard = now.UTC() })
}

func (s *Store) note(ctx context.Context, id wire.DeviceID, query string, now time.Time, edit func(*device)) error {
	now = wire.FromUS(wire.US(now))
	_, err := changeAlone(ctx, s, func(t *tx) (none, error) {
		d, err := s.device(id)
		if err != nil {
			return none{}, err
		}
		if _, err := t.exec(query, wire.US(now), d.row); err != nil {
			return none{}, err
		}
		t.after(func() { s.edit(id, edit) })
		return none{}, nil
	})
	return err
}

// QuarantineClone takes a device off its point for good because two machines
// use its key, and reports whether that was news. Only devices that are active
// or wait to be accepted are concerned; the others have nothing to lose.
func (s *Store) QuarantineClone(ctx context.Context, id wire.DeviceID, now time.Time) (bool, error) {
	return changeAlone(ctx, s, func(t *tx) (bool, error) {
		d, err := s.device(id)
		if err != nil || d.Cloned || d.State != fleet.DeviceActive && d.State != fleet.DeviceQuarantine {
			return false, err
		}
		if err := s.leaveTx(t, d, fleet.DeviceQuarantine, now); err != nil {
			return false, err
		}
		if _, err := t.exec(`UPDATE devices SET cloned = 1 WHERE id = ?`, d.row); err != nil {
			return false, err
		}
		t.after(func() { s.edit(id, func(d *device) { d.Cloned = true }) })
		return true, nil
	})
}

// SavePlanHeld keeps which plan a retired device says it has, so that it can
// be given one without slots. It changes nothing of any other device. On the
// disk within Options.StateDelay.
func (s *Store) SavePlanHeld(_ context.Context, id wire.DeviceID, version uint64, hash string) (fleet.Device, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.devices[id]
	if !ok {
		return fleet.Device{}, noDevice(id)
	}
	if old.State != fleet.DeviceRetired || old.PlanVersion == version && old.PlanHash == hash {
		return old.Device, nil
	}
	d := *old
	d.said.PlanVersion, d.said.PlanSHA256 = version, hash
	d.PlanVersion, d.PlanHash = version, hash
	s.devices[id] = &d
	s.dirty[id] = struct{}{}
	select {
	case s.states <- struct{}{}:
	default: // it is awake
	}
	return d.Device, nil
}
