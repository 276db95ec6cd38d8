package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// setSaid copies what a device said into the fields that pages read.
func (d *device) setSaid(st wire.State) {
	d.said = st
	d.RootVersion = st.RootVersion
	d.PlanVersion, d.PlanHash = st.PlanVersion, st.PlanSHA256
	d.ClipsReady, d.ClipsMiss = st.ClipsReady, st.ClipsMissing
	d.Log, d.AckedSeq, d.LastSeq, d.Older = st.Log, st.AckedSeq, st.LastSeq, st.Older
	d.Time = st.Time
	d.Receipt = st.Receipt
	d.TimeLevel, d.Output, d.Playing = st.Time.Level, st.Output, st.Playing
	d.Conditions, d.Mute = st.Conditions, st.Mute
	d.Horizon = time.Time{}
	if st.HorizonS != 0 {
		d.Horizon = time.Unix(st.HorizonS, 0).UTC()
	}
}

// SaveHello keeps what a device said when it connected and returns the device
// as it is now. An unknown device yields NotFound, a revoked or retired one
// Forbidden. On the disk within Options.StateDelay.
func (s *Store) SaveHello(_ context.Context, id wire.DeviceID, h wire.Hello, now time.Time) (fleet.Device, error) {
	return s.said(id, func(d *device) {
		d.Session, d.Nonce, d.Agent = h.Session, h.Nonce, h.Agent
		h.State.Session = h.Session
		d.setSaid(h.State)
		d.returned()
		d.Online, d.LastSeen, d.StateAt = true, now, now
		s.confirmPurges(d, now)
	})
}

// SaveState keeps what a device says it has and does, and returns the device
// as it is now. A state of a session before the last hello is ignored: it
// arrived late. Errors are those of SaveHello. On the disk within
// Options.StateDelay.
func (s *Store) SaveState(_ context.Context, id wire.DeviceID, st wire.State, now time.Time) (fleet.Device, error) {
	return s.said(id, func(d *device) {
		if st.Session < d.Session {
			return
		}
		d.Session = st.Session
		d.setSaid(st)
		d.returned()
		d.Online, d.LastSeen, d.StateAt = true, now, now
		s.confirmPurges(d, now)
	})
}

// SetOffline says that the connection with that session number ended, and
// reports whether it was the device's present one; that of an older session
// changes nothing, because a death can arrive after the next birth.
func (s *Store) SetOffline(_ context.Context, id wire.DeviceID, session uint64, now time.Time) (bool, error) {
	was := false
	_, err := s.said(id, func(d *device) {
		if session < d.Session || !d.Online {
			return
		}
		was = true
		d.Online, d.Playing = false, ""
		d.LastSeen = now
	})
	return was, err
}

// said changes the part of a device that is written late.
func (s *Store) said(id wire.DeviceID, fn func(*device)) (fleet.Device, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.devices[id]
	if !ok {
		return fleet.Device{}, noDevice(id)
	}
	if err := mayTalk(old); err != nil {
		return fleet.Device{}, err
	}
	d := *old
	fn(&d)
	s.devices[id] = &d
	s.dirty[id] = struct{}{}
	select {
	case s.states <- struct{}{}:
	default: // it is awake
	}
	return d.Device, nil
}

// mayTalk refuses devices that are not believed any more.
func mayTalk(d *device) error {
	switch d.State {
	case fleet.DeviceActive, fleet.DeviceQuarantine:
		return nil
	case fleet.DeviceRetired:
		return &fleet.Error{
			Code:   fleet.Forbidden,
			Text:   fmt.Sprintf("设备 %s 已被新设备替换，不再接收它的数据。", d.ID),
			TextEN: fmt.Sprintf("Device %s was replaced by another one and is no longer heard.", d.ID),
		}
	default:
		return &fleet.Error{
			Code:   fleet.Forbidden,
			Text:   fmt.Sprintf("设备 %s 已被吊销，不再接收它的数据。", d.ID),
			TextEN: fmt.Sprintf("Device %s is revoked and is no longer heard.", d.ID),
		}
	}
}

// writeStates writes what devices said, together, until ctx ends, and then
// once more.
func (s *Store) writeStates(ctx context.Context) {
	for {
		select {
		case <-s.states:
		case <-ctx.Done():
			s.flush()
			s.w.close()
			return
		}
		wait := time.NewTimer(s.opts.StateDelay)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
		}
		s.flush()
	}
}

// flushChunk bounds how long one flush keeps other changes waiting.
const flushChunk = 1000

// flush writes the devices that said something since the last one. What
// cannot be written stays to be written.
func (s *Store) flush() {
	s.mu.Lock()
	dirty := slices.Collect(maps.Keys(s.dirty))
	clear(s.dirty)
	s.mu.Unlock()
	for chunk := range slices.Chunk(dirty, flushChunk) {
		_, err := change(context.Background(), s, func(t *tx) (none, error) {
			for _, id := range chunk {
				d, err := s.device(id)
				if err != nil {
					continue
				}
				if _, err := t.exec(`UPDATE devices SET last_seen_us = ?, state_at_us = ?, session = ?, nonce = ?, agent = ?, said = ?, awaiting = ? WHERE id = ?`,
					wire.US(d.LastSeen), wire.US(d.StateAt), int64(d.Session), d.Nonce, d.Agent, toJSON(d.said), string(d.Awaiting), d.row); err != nil {
					return none{}, err
				}
				if err := s.writePurges(t, id); err != nil {
					return none{}, err
				}
			}
			return none{}, nil
		})
		if err != nil {
			s.logger.Warn("writing device states", "devices", len(chunk), "err", err)
			s.mu.Lock()
			for _, id := range chunk {
				s.dirty[id] = struct{}{}
			}
			s.mu.Unlock()
		}
	}
}
