package store

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// MarkRestored notes that this database was put in place from a backup: every
// active device is awaited, planning is taken up again from the backup's time,
// a position of the ledger beyond the last record is put back, every login
// ends, and the audit says so. All or nothing.
func (s *Store) MarkRestored(ctx context.Context, r fleet.Restore) error {
	_, err := changeAlone(ctx, s, func(t *tx) (none, error) {
		var id int64
		if err := t.row(`INSERT INTO restores (at_us, backup_us, file, by) VALUES (?, ?, ?, ?) RETURNING id`, wire.US(r.At), wire.US(r.Backup), r.File, r.By).Scan(&id); err != nil {
			return none{}, err
		}
		if _, err := t.exec(`INSERT INTO restored_devices (restore_id, device_id, had_version) SELECT ?, id, want_version FROM devices WHERE state = 'active'`, id); err != nil {
			return none{}, err
		}
		if _, err := t.exec(`UPDATE devices SET awaiting = ? WHERE state = 'active'`, string(fleet.AwaitReconnect)); err != nil {
			return none{}, err
		}
		if _, err := t.exec(`UPDATE settings SET value = CAST(min(CAST(value AS INTEGER), (SELECT coalesce(max(id), 0) FROM records)) AS TEXT) WHERE key = 'ledger.cursor' AND value != ''`); err != nil {
			return none{}, err
		}
		if err := restoredIntentTx(t, r); err != nil {
			return none{}, err
		}
		if err := restoredBeatTx(t, r); err != nil {
			return none{}, err
		}
		if _, err := t.exec(`DELETE FROM sessions`); err != nil { // some of them had ended since
			return none{}, err
		}
		if err := auditTx(t, fleet.Audit{At: r.At, Who: r.By, What: fleet.AuditRestore, Object: r.File, Detail: r.Backup.UTC().Format(time.RFC3339)}); err != nil {
			return none{}, err
		}
		t.after(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			for name, old := range s.devices {
				if old.State == fleet.DeviceActive {
					d := *old
					d.Awaiting, d.unplanned = fleet.AwaitReconnect, true
					s.devices[name] = &d
				}
			}
		})
		return none{}, nil
	})
	if err != nil {
		return fmt.Errorf("noting the restore: %w", err)
	}
	return nil
}

// restoredBeatTx keeps the time since the backup as one of which the controller
// knows nothing, in place of the stop that the heartbeat would tell of.
func restoredBeatTx(t *tx, r fleet.Restore) error {
	if _, err := t.exec(`UPDATE outages SET to_us = max(from_us, ?) WHERE to_us = 0`, wire.US(r.Backup)); err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE heartbeat SET beat_us = ?`, wire.US(r.At)); err != nil {
		return err
	}
	if !r.At.After(r.Backup) {
		return nil
	}
	return addOutageTx(t, fleet.Outage{Kind: fleet.OutageRestored, From: r.Backup, To: r.At})
}

// restoredIntentTx has planning begin again at the backup's time, or at that
// of a run which the backup caught unfinished.
func restoredIntentTx(t *tx, r fleet.Restore) error {
	rows, err := t.query(`SELECT id FROM programmes WHERE state = 'active' ORDER BY id`)
	if err != nil {
		return err
	}
	in := fleet.PlanIntent{AtUS: wire.US(r.Backup), Restored: true}
	if in.Programmes, err = collect(rows, func(r scanner) (id fleet.ProgrammeID, err error) {
		err = r.Scan(&id)
		return id, err
	}); err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE settings.value = ''`, fleet.SettingIntent, toJSON(in))
	return err
}

// Restores returns the restores of this database, the newest first.
func (s *Store) Restores(ctx context.Context) ([]fleet.Restore, error) {
	return list(ctx, s, "restores", func(r scanner) (x fleet.Restore, err error) {
		var at, backup int64
		err = r.Scan(&at, &backup, &x.File, &x.By)
		x.At, x.Backup = wire.FromUS(at), wire.FromUS(backup)
		return x, err
	}, `SELECT at_us, backup_us, file, by FROM restores ORDER BY id DESC`)
}

// returned says what d awaits after it told which plan it has. One that has no
// newer plan than the database goes on by itself.
func (d *device) returned() {
	switch {
	case d.Ahead():
		d.Awaiting = fleet.AwaitConfirm
	default:
		d.Awaiting = fleet.AwaitNothing
	}
}

// ConfirmPlans lets the devices that await a person's word have plans again:
// the next one of each is above what it reported. It returns how many they
// are; those that connect later wait again.
func (s *Store) ConfirmPlans(ctx context.Context, now time.Time) (int, error) {
	return changeAlone(ctx, s, func(t *tx) (int, error) {
		s.mu.RLock()
		var waiting []*device
		for _, d := range s.devices {
			if d.State == fleet.DeviceActive && d.Awaiting == fleet.AwaitConfirm {
				waiting = append(waiting, d)
			}
		}
		s.mu.RUnlock()
		byHand := int64(0)
		for _, d := range waiting {
			if !d.unplanned { // the database was put back by hand
				if byHand == 0 {
					if err := t.row(`INSERT INTO restores (at_us, backup_us) VALUES (?, 0) RETURNING id`, wire.US(now)).Scan(&byHand); err != nil {
						return 0, err
					}
				}
				if _, err := t.exec(`INSERT INTO restored_devices (restore_id, device_id, had_version) VALUES (?, ?, ?)`, byHand, d.row, int64(d.WantVersion)); err != nil {
					return 0, err
				}
			}
			if _, err := t.exec(`UPDATE devices SET awaiting = '', want_version = ?, want_hash = ? WHERE id = ?`, int64(d.PlanVersion), d.PlanHash, d.row); err != nil {
				return 0, err
			}
		}
		if byHand != 0 { // as MarkRestored does
			if err := restoredIntentTx(t, fleet.Restore{Backup: now}); err != nil {
				return 0, err
			}
		}
		t.after(func() {
			for _, d := range waiting {
				s.edit(d.ID, func(e *device) {
					e.Awaiting, e.WantVersion, e.WantHash, e.unplanned = fleet.AwaitNothing, d.PlanVersion, d.PlanHash, true
				})
			}
		})
		return len(waiting), nil
	})
}

// plannedTx notes the first plan that was made for a device since a restore.
func (s *Store) plannedTx(t *tx, w fleet.Wanted) error {
	d, err := s.device(w.Device)
	if err != nil || !d.unplanned {
		return err
	}
	_, err = t.exec(`UPDATE restored_devices SET next_version = ? WHERE device_id = ? AND next_version = 0`, int64(w.Version), d.row)
	return err
}

// UnknownPlans returns the times in which devices of p obeyed plans that were
// made between a backup and its restore, the oldest first.
func (s *Store) UnknownPlans(ctx context.Context, p fleet.PointID) ([]fleet.UnknownPlan, error) {
	return list(ctx, s, "unknown plans", func(r scanner) (u fleet.UnknownPlan, err error) {
		var from, to int64
		err = r.Scan(&u.Device, &u.Version, &from, &to)
		u.From, u.To = wire.FromUS(from), wire.FromUS(to)
		return u, err
	}, `
WITH taken AS (
  SELECT l.device_id, r.at_us, CAST(r.raw AS TEXT) ->> '$.body.version' AS version
  FROM records r JOIN logs l ON l.id = r.log_id
  WHERE r.point_id = ?1 AND r.slot IS NULL AND r.kind = 'plan' AND json_valid(CAST(r.raw AS TEXT)) AND coalesce(CAST(r.raw AS TEXT) ->> '$.body.refused', '') = ''
    AND r.at_us >= (SELECT min(z.backup_us) FROM restores z)
)
SELECT d.name, t.version, t.at_us, coalesce((SELECT min(n.at_us) FROM taken n WHERE n.device_id = t.device_id AND n.at_us > t.at_us), 0)
FROM taken t JOIN devices d ON d.id = t.device_id
WHERE EXISTS (SELECT 1 FROM restored_devices x WHERE x.device_id = t.device_id AND t.version > x.had_version AND (x.next_version = 0 OR t.version < x.next_version))
ORDER BY t.at_us`, p)
}
