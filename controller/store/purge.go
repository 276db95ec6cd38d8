package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// purgesSince is the migration that made clip_purges.
const purgesSince = 8

// purge is a recalled clip that a device has to delete. Guarded by Store.mu.
type purge struct {
	event  int64
	row    int64  // of the device
	sha    string // of the clip
	purged time.Time
}

// beginPurgeTx lists every device that may have c.
func (s *Store) beginPurgeTx(t *tx, c fleet.Clip, event int64) error {
	s.mu.RLock()
	open := map[wire.DeviceID]*purge{}
	for id, d := range s.devices {
		if d.State != fleet.DeviceRevoked && d.State != fleet.DeviceRetired {
			open[id] = &purge{event: event, row: d.row, sha: c.SHA256}
		}
	}
	s.mu.RUnlock()
	for _, p := range open {
		if _, err := t.exec(`INSERT INTO clip_purges (event_id, device_id, clip_id) VALUES (?, ?, ?)`, event, p.row, c.ID); err != nil {
			return err
		}
	}
	t.after(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for id, p := range open {
			s.purges[id] = append(s.purges[id], p)
		}
	})
	return nil
}

// confirmPurges notes which recalled clips d has not got any more by its own
// word. s.mu is held.
func (s *Store) confirmPurges(d *device, now time.Time) {
	for _, p := range s.purges[d.ID] {
		if p.purged.IsZero() && gone(d.said, p.sha) {
			p.purged = now
		}
	}
}

// gone reports whether a state says that no byte of the clip is on the device.
// One that does not list what it holds says nothing.
func gone(st wire.State, sha string) bool {
	return st.Held != nil && st.Held.More == 0 && !slices.Contains(st.Held.Clips, sha) &&
		!slices.Contains(st.ClipsReady, sha) && !slices.Contains(st.ClipsMissing, sha)
}

// writePurges writes what confirmPurges noted about a device.
func (s *Store) writePurges(t *tx, id wire.DeviceID) error {
	s.mu.RLock()
	var done []*purge
	for _, p := range s.purges[id] {
		if !p.purged.IsZero() {
			done = append(done, p)
		}
	}
	s.mu.RUnlock()
	for _, p := range done {
		// What is noted is not changed again.
		if _, err := t.exec(`UPDATE clip_purges SET purged_us = ? WHERE event_id = ? AND device_id = ? AND purged_us = 0`, wire.US(p.purged), p.event, p.row); err != nil {
			return err
		}
	}
	if len(done) == 0 {
		return nil
	}
	t.after(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.purges[id] = slices.DeleteFunc(s.purges[id], func(p *purge) bool { return slices.Contains(done, p) })
		if len(s.purges[id]) == 0 {
			delete(s.purges, id)
		}
	})
	return nil
}

func (s *Store) loadPurges(ctx context.Context) error {
	type open struct {
		purge
		device wire.DeviceID
	}
	all, err := list(ctx, s, "purges", func(r scanner) (o open, err error) {
		err = r.Scan(&o.event, &o.row, &o.sha, &o.device)
		return o, err
	}, `SELECT p.event_id, p.device_id, c.sha256, d.name FROM clip_purges p JOIN clips c ON c.id = p.clip_id JOIN devices d ON d.id = p.device_id WHERE p.purged_us = 0`)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range all {
		s.purges[o.device] = append(s.purges[o.device], &o.purge)
	}
	return nil
}

// ClipPurges returns, for the latest recall of a clip, the devices that had to
// delete it and when each said that it had, by point.
func (s *Store) ClipPurges(ctx context.Context, id fleet.ClipID) ([]fleet.ClipPurge, error) {
	var event int64
	err := s.read.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM clip_events WHERE clip_id = ? AND step = ?`, id, fleet.StepRecall).Scan(&event)
	if err != nil {
		return nil, fmt.Errorf("reading recalls: %w", explain(err))
	}
	all, err := list(ctx, s, "purges", func(r scanner) (p fleet.ClipPurge, err error) {
		var recalled, purged int64
		err = r.Scan(&p.Point, &p.Device, &recalled, &purged)
		p.Recalled, p.Purged = wire.FromUS(recalled), wire.FromUS(purged)
		return p, err
	}, `SELECT d.point_id, d.name, e.at_us, p.purged_us FROM clip_purges p JOIN clip_events e ON e.id = p.event_id JOIN devices d ON d.id = p.device_id WHERE p.event_id = ?`, event)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	for i := range all {
		for _, p := range s.purges[all[i].Device] {
			if p.event == event && all[i].Purged.IsZero() {
				all[i].Purged = p.purged // said, and not on the disk yet
			}
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(all, func(a, b fleet.ClipPurge) int {
		return cmp.Or(cmp.Compare(a.Point, b.Point), cmp.Compare(a.Device, b.Device))
	})
	return all, nil
}
