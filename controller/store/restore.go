package store

import (
	"context"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

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
