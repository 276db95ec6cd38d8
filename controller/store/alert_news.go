package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// alertNewsTx leaves word for the alerts that the verdict of o is another one,
// in the transaction that made it so. A good verdict is news only where
// something was wrong before: a fleet that plays writes nothing here.
func alertNewsTx(t *tx, o fleet.Obligation, day int64, suffix string) error {
	good := !o.Verdict.Wrong()
	_, err := t.exec(`
INSERT OR REPLACE INTO alert_news (point_id, day, slot_id, end_us, good)
SELECT ?1, ?2, (SELECT id FROM slots WHERE suffix = ?3), ?4, ?5
WHERE ?5 = 0 OR EXISTS (SELECT 1 FROM alerts WHERE point_id = ?1 AND closed_us = 0) OR EXISTS (SELECT 1 FROM alert_news WHERE point_id = ?1)
  OR EXISTS (SELECT 1 FROM alert_slots WHERE point_id = ?1 AND day = ?2 AND slot_id = (SELECT id FROM slots WHERE suffix = ?3))`,
		int64(o.Point), day, suffix, wire.US(o.End), good)
	if err != nil {
		return fmt.Errorf("leaving word for alerts: %w", err)
	}
	return nil
}

// AlertNews returns up to limit verdicts that alerts have not looked at, by
// point and start: those that leave something to be alarmed about only where
// their slot ended at or before that time, and none that is held for later than
// now.
func (s *Store) AlertNews(ctx context.Context, ended, now time.Time, limit int) ([]fleet.AlertNews, error) {
	return list(ctx, s, "news for alerts", func(r scanner) (n fleet.AlertNews, err error) {
		var closed int64
		n.Owed, err = scanObligation(prefixed{r, []any{&n.ID, &n.In, &closed}})
		n.Ended = closed > 0
		return n, err
	}, `SELECT n.id, coalesce(x.alert_id, 0), coalesce(a.closed_us, 0), `+obligationColumns+` FROM alert_news n
JOIN obligations o ON o.point_id = n.point_id AND o.day = n.day AND o.slot_id = n.slot_id JOIN slots s ON s.id = o.slot_id
LEFT JOIN alert_slots x ON x.point_id = n.point_id AND x.day = n.day AND x.slot_id = n.slot_id LEFT JOIN alerts a ON a.id = x.alert_id
WHERE (n.good = 1 OR n.end_us <= ?) AND n.hold_us <= ? ORDER BY n.point_id, o.start_us, s.suffix LIMIT ?`, wire.US(ended), wire.US(now), limit)
}

// HoldAlertNews keeps news from being looked at before that time.
func (s *Store) HoldAlertNews(ctx context.Context, ids []int64, until time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	doc, err := json.Marshal(ids)
	if err != nil {
		return fmt.Errorf("encoding news: %w", err)
	}
	_, err = change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`UPDATE alert_news SET hold_us = ? WHERE id IN (SELECT value FROM json_each(?))`, wire.US(until), string(doc))
		return none{}, err
	})
	return err
}

// OpenAlertsOf returns the open alerts of some points, by point and id, with
// their slots.
func (s *Store) OpenAlertsOf(ctx context.Context, points []fleet.PointID) ([]fleet.AlertFile, error) {
	doc, err := json.Marshal(points)
	if err != nil {
		return nil, fmt.Errorf("encoding points: %w", err)
	}
	const of = `a.closed_us = 0 AND a.point_id IN (SELECT value FROM json_each(?))`
	alerts, err := list(ctx, s, "open alerts", scanAlert, `SELECT `+alertColumns+` FROM alerts a WHERE `+of+` ORDER BY a.point_id, a.id`, string(doc))
	if err != nil {
		return nil, err
	}
	slots, err := list(ctx, s, "slots of open alerts", scanAlertSlot,
		`SELECT `+alertSlotColumns+alertSlotTables+` JOIN alerts a ON a.id = x.alert_id WHERE `+of+` ORDER BY x.alert_id, o.start_us, s.suffix`, string(doc))
	if err != nil {
		return nil, err
	}
	of1 := map[fleet.AlertID][]fleet.AlertSlot{}
	for _, x := range slots {
		of1[x.Alert] = append(of1[x.Alert], x)
	}
	files := make([]fleet.AlertFile, len(alerts))
	for i, a := range alerts {
		files[i] = fleet.AlertFile{Alert: a, Affected: of1[a.ID]}
	}
	return files, nil
}

// LatestPlayed returns the slot of a point that started last among those that
// played, on that day or later; the zero Obligation if none did.
func (s *Store) LatestPlayed(ctx context.Context, p fleet.PointID, from fleet.Day) (fleet.Obligation, error) {
	day, err := dayNumber(from)
	if err != nil {
		return fleet.Obligation{}, err
	}
	all, err := list(ctx, s, "slots that played", scanObligation,
		`SELECT `+obligationColumns+` FROM `+obligationTables+` WHERE o.point_id = ? AND o.day >= ? AND o.verdict = 'played' ORDER BY o.day DESC, o.start_us DESC LIMIT 1`, int64(p), day)
	if err != nil || len(all) == 0 {
		return fleet.Obligation{}, err
	}
	return all[0], nil
}

// ChangeAlerts writes what was decided, forgets the news that it rests on, and
// returns the alerts as they are now, in order; all or nothing. News of a slot
// that came in between stay. Slots, Bad, First and Last are counted here. What
// people said of an alert is left as it is.
func (s *Store) ChangeAlerts(ctx context.Context, all []fleet.AlertChange, seen []fleet.AlertNews, now time.Time) ([]fleet.Alert, error) {
	done, err := change(ctx, s, func(t *tx) ([]fleet.Alert, error) { return changeAlertsTx(t, all, seen, now) })
	if err != nil {
		return nil, fmt.Errorf("writing alerts: %w", err)
	}
	return done, nil
}

func changeAlertsTx(t *tx, all []fleet.AlertChange, seen []fleet.AlertNews, now time.Time) ([]fleet.Alert, error) {
	var touched []fleet.AlertID // whose slots have other verdicts, or are others
	for _, n := range seen {
		if _, err := t.exec(`DELETE FROM alert_news WHERE id = ?`, n.ID); err != nil {
			return nil, err
		}
		if n.In != 0 {
			touched = append(touched, n.In)
		}
	}
	var ids []fleet.AlertID
	for _, c := range all {
		id, err := saveAlertTx(t, c.Alert)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
		for _, n := range c.Slots {
			if err := joinAlertTx(t, id, n, now); err != nil {
				return nil, err
			}
		}
		for _, l := range c.Lines {
			l.Alert = id
			if err := alertLineTx(t, l); err != nil {
				return nil, err
			}
		}
	}
	touched = append(touched, ids...)
	slices.Sort(touched)
	for _, id := range slices.Compact(touched) {
		if _, err := t.exec(`
UPDATE alerts SET slots = c.slots, bad = c.bad, first_us = coalesce(c.first, first_us), last_us = coalesce(c.last, last_us)
FROM (SELECT count(*) AS slots, coalesce(sum(o.verdict IN ('missed', 'partial', 'doubt', 'pending')), 0) AS bad, min(o.start_us) AS first, max(o.start_us) AS last`+alertSlotTables+` WHERE x.alert_id = ?) AS c WHERE alerts.id = ?`,
			int64(id), int64(id)); err != nil {
			return nil, err
		}
	}
	changed := make([]fleet.Alert, 0, len(ids))
	for _, id := range ids {
		a, err := scanAlert(t.row(`SELECT `+alertColumns+` FROM alerts a WHERE a.id = ?`, int64(id)))
		if err != nil {
			return nil, err
		}
		changed = append(changed, a)
	}
	return changed, nil
}

func saveAlertTx(t *tx, a fleet.Alert) (fleet.AlertID, error) {
	args := []any{
		string(a.Likely), a.Condition, wire.US(a.Heard), string(a.NearIn), a.Near, a.NearGone, wire.US(a.Closed), string(a.ClosedSlot), wire.US(a.Called), a.Run,
	}
	if a.ID != 0 {
		_, err := t.exec(`UPDATE alerts SET likely = ?, condition = ?, heard_us = ?, near_in = ?, near = ?, near_gone = ?, closed_us = ?, closed_slot = ?, called_us = ?, run = ? WHERE id = ?`,
			append(args, int64(a.ID))...)
		return a.ID, err
	}
	err := t.row(`INSERT INTO alerts (likely, condition, heard_us, near_in, near, near_gone, closed_us, closed_slot, called_us, run, point_id, unit_id, compound_id, trouble, raised_us, first_us, last_us, slots, bad)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0) RETURNING id`,
		append(args, int64(a.Point), int64(a.Unit), int64(a.Compound), string(a.Trouble), wire.US(a.Raised), wire.US(a.First), wire.US(a.Last))...).Scan(&a.ID)
	return a.ID, err
}

// joinAlertTx puts a slot into an alert; the one that had it tells where it went.
func joinAlertTx(t *tx, id fleet.AlertID, n fleet.AlertNews, now time.Time) error {
	day, suffix, err := splitSlot(n.Owed.Slot)
	if err != nil {
		return err
	}
	if n.In != 0 {
		if err := alertLineTx(t, fleet.AlertLine{Alert: n.In, At: now, Kind: fleet.AlertMoved, Slot: n.Owed.Slot}); err != nil {
			return err
		}
	}
	_, err = t.exec(`INSERT INTO alert_slots (point_id, day, slot_id, alert_id, added_us) VALUES (?, ?, (SELECT id FROM slots WHERE suffix = ?), ?, ?)
ON CONFLICT (point_id, day, slot_id) DO UPDATE SET alert_id = excluded.alert_id, added_us = excluded.added_us`, int64(n.Owed.Point), day, suffix, int64(id), wire.US(now))
	return err
}
