package store

import (
	"context"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// WorstPoints returns the points with the most slots of a period that were
// missed, doubtful or played in part, the worst first, at most limit of them,
// each with its verdicts and reasons.
func (s *Store) WorstPoints(ctx context.Context, from, to fleet.Day, limit int) ([]fleet.PointReason, error) {
	first, err := dayNumber(from)
	if err != nil {
		return nil, err
	}
	last, err := dayNumber(to)
	if err != nil {
		return nil, err
	}
	return list(ctx, s, "reasons", func(r scanner) (c fleet.PointReason, err error) {
		err = r.Scan(&c.Point, &c.Verdict, &c.Reason, &c.N)
		return c, err
	}, `WITH bad AS (SELECT point_id, verdict, reason, count(*) AS n FROM obligations WHERE point_id IN (SELECT id FROM points) AND day BETWEEN ? AND ? AND verdict IN ('missed', 'doubt', 'partial') GROUP BY 1, 2, 3),
 worst AS (SELECT point_id, sum(n) AS n, sum(CASE verdict WHEN 'missed' THEN n ELSE 0 END) AS missed FROM bad GROUP BY point_id ORDER BY 2 DESC, 3 DESC, 1 LIMIT ?)
SELECT b.point_id, b.verdict, b.reason, b.n FROM worst w JOIN bad b ON b.point_id = w.point_id ORDER BY w.n DESC, w.missed DESC, w.point_id, b.n DESC, b.verdict, b.reason`, first, last, limit)
}

// RelaySum says how items that came down in [from, to) were passed on by the
// groups whose turn was over by now.
func (s *Store) RelaySum(ctx context.Context, from, to, now time.Time) (sum fleet.RelaySum, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM relay_items WHERE created_us >= ?1 AND created_us < ?2),
 coalesce(sum(CASE WHEN k.due_us < ?3 OR k.done_us > 0 THEN 1 END), 0), coalesce(sum(CASE WHEN k.done_us > 0 AND k.done_us <= k.due_us THEN 1 END), 0)
FROM relay_tasks k JOIN relay_items i ON i.id = k.item_id WHERE i.created_us >= ?1 AND i.created_us < ?2`, wire.US(from), wire.US(to), wire.US(now)).
		Scan(&sum.Items, &sum.Tasks, &sum.InTime)
	return sum, explain(err)
}
