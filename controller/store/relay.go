package store

import (
	"context"
	"encoding/json"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const relayItemColumns = `i.id, i.text, i.picture IS NOT NULL, coalesce(i.clip_id, 0), i.source, i.received_us, i.created_us, i.by, i.name, i.units, i.urgent, i.insertion_id, i.closed_us,
(SELECT count(*) FROM relay_tasks t WHERE t.item_id = i.id),
(SELECT count(*) FROM relay_tasks t WHERE t.item_id = i.id AND t.done_us > 0),
(SELECT count(*) FROM relay_tasks t WHERE t.item_id = i.id AND t.done_us = 0 AND t.due_us < ? AND i.closed_us = 0)`

func scanRelayItem(r scanner) (i fleet.RelayItem, err error) {
	var units string
	var received, created, closed int64
	if err := r.Scan(&i.ID, &i.Text, &i.Picture, &i.Clip, &i.Source, &received, &created, &i.By, &i.Name, &units, &i.Urgent, &i.Insertion, &closed,
		&i.Tasks, &i.Done, &i.Late); err != nil {
		return i, err
	}
	i.Received, i.Created, i.Closed = wire.FromUS(received), wire.FromUS(created), wire.FromUS(closed)
	return i, json.Unmarshal([]byte(units), &i.Units)
}

// RelayItems returns items, the newest first, those whose text or source holds
// query; Late counts tasks that are due before now. limit 0 means all.
func (s *Store) RelayItems(ctx context.Context, query string, limit, offset int, now time.Time) ([]fleet.RelayItem, error) {
	return list(ctx, s, "relay items", scanRelayItem, `SELECT `+relayItemColumns+` FROM relay_items i
WHERE ? = '' OR instr(i.text, ?) > 0 OR instr(i.source, ?) > 0 ORDER BY i.id DESC`+page(limit, offset), wire.US(now), query, query, query)
}

var noRelay = &fleet.Error{Code: fleet.NotFound, Text: "没有这条转发。", TextEN: "There is no such item."}

// RelayItem returns one item, or a *fleet.Error of code NotFound.
func (s *Store) RelayItem(ctx context.Context, id fleet.RelayID, now time.Time) (fleet.RelayItem, error) {
	return one(ctx, s, noRelay.Text, noRelay.TextEN, scanRelayItem, `SELECT `+relayItemColumns+` FROM relay_items i WHERE i.id = ?`, wire.US(now), id)
}

// AddRelay keeps an item with its picture, a JPEG or nil, and its first tasks,
// all or nothing, and returns its id.
func (s *Store) AddRelay(ctx context.Context, i fleet.RelayItem, picture []byte, tasks []fleet.RelayTask) (fleet.RelayID, error) {
	return change(ctx, s, func(t *tx) (id fleet.RelayID, err error) {
		units := i.Units
		if units == nil {
			units = []fleet.UnitID{}
		}
		var blob any
		if len(picture) > 0 {
			blob = picture
		}
		if err := t.row(`INSERT INTO relay_items (text, picture, clip_id, source, received_us, created_us, by, name, units, urgent, insertion_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			i.Text, blob, null(i.Clip), i.Source, wire.US(i.Received), wire.US(i.Created), i.By, i.Name, toJSON(units), i.Urgent, int64(i.Insertion)).Scan(&id); err != nil {
			return 0, err
		}
		return id, addTasksTx(t, id, tasks)
	})
}

// addTasksTx adds tasks of an item; a group that has one keeps it.
func addTasksTx(t *tx, item fleet.RelayID, tasks []fleet.RelayTask) error {
	for _, k := range tasks {
		if _, err := t.exec(`INSERT INTO relay_tasks (item_id, group_id, tier, parent_id, created_us, due_us) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (item_id, group_id) DO NOTHING`,
			item, k.Group, k.Tier, null(k.Parent), wire.US(k.Created), wire.US(k.Due)); err != nil {
			return err
		}
	}
	return nil
}

const relayTaskColumns = `k.id, k.item_id, k.group_id, k.tier, coalesce(k.parent_id, 0), k.created_us, k.due_us, k.done_us, k.by, k.name, k.shot IS NOT NULL`

func scanRelayTask(r scanner) (k fleet.RelayTask, err error) {
	var created, due, done int64
	err = r.Scan(&k.ID, &k.Item, &k.Group, &k.Tier, &k.Parent, &created, &due, &done, &k.By, &k.Name, &k.Shot)
	k.Created, k.Due, k.Done = wire.FromUS(created), wire.FromUS(due), wire.FromUS(done)
	return k, err
}

// RelayTasks returns the tasks that f selects, by due time, done ones last.
func (s *Store) RelayTasks(ctx context.Context, f fleet.RelayFilter) ([]fleet.RelayTask, error) {
	var w where
	if f.Item != 0 {
		w.add(`k.item_id = ?`, f.Item)
	}
	if f.Unit != 0 {
		w.add(`k.group_id IN (SELECT id FROM groups WHERE unit_id IN `+underUnit+`)`, f.Unit)
	}
	if f.Open {
		w.add(`k.done_us = 0 AND k.item_id IN (SELECT id FROM relay_items WHERE closed_us = 0)`)
	}
	if !f.Since.IsZero() {
		w.add(`(k.done_us = 0 OR k.done_us >= ? OR k.created_us >= ?)`, wire.US(f.Since), wire.US(f.Since))
	}
	if !f.Due.IsZero() {
		w.add(`k.due_us < ?`, wire.US(f.Due))
	}
	return list(ctx, s, "relay tasks", scanRelayTask, `SELECT `+relayTaskColumns+` FROM relay_tasks k`+w.String()+` ORDER BY k.done_us > 0, k.due_us, k.id`+page(f.Limit, 0), w.args...)
}

var noTask = &fleet.Error{Code: fleet.NotFound, Text: "没有这条待转发。", TextEN: "There is no such task."}

// RelayTask returns one task, or a *fleet.Error of code NotFound.
func (s *Store) RelayTask(ctx context.Context, id fleet.RelayTaskID) (fleet.RelayTask, error) {
	return one(ctx, s, noTask.Text, noTask.TextEN, scanRelayTask, `SELECT `+relayTaskColumns+` FROM relay_tasks k WHERE k.id = ?`, id)
}

// TickRelay says that k.ID was done at k.Done by k.By, with a screenshot or
// without, and adds the tasks that follow from it, all or nothing. One that was
// ticked before keeps who did it first, takes a screenshot that it had not, and
// is no error; one of an item that was ended is a *fleet.Error of code Conflict.
func (s *Store) TickRelay(ctx context.Context, k fleet.RelayTask, shot []byte, next []fleet.RelayTask) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		var closed int64
		err := t.row(`SELECT i.closed_us FROM relay_tasks k JOIN relay_items i ON i.id = k.item_id WHERE k.id = ?`, k.ID).Scan(&closed)
		if err := found(err, noTask.Text, noTask.TextEN); err != nil {
			return none{}, err
		}
		if closed > 0 {
			return none{}, &fleet.Error{Code: fleet.Conflict, Text: "这条转发已经结束，不用再转了。", TextEN: "This item was ended: it need not be passed on any more."}
		}
		var blob any
		if len(shot) > 0 {
			blob = shot
		}
		if _, err := t.exec(`UPDATE relay_tasks SET shot = coalesce(shot, ?), by = CASE done_us WHEN 0 THEN ? ELSE by END, name = CASE done_us WHEN 0 THEN ? ELSE name END, done_us = CASE done_us WHEN 0 THEN ? ELSE done_us END WHERE id = ?`,
			blob, k.By, k.Name, wire.US(k.Done), k.ID); err != nil {
			return none{}, err
		}
		return none{}, addTasksTx(t, k.Item, next)
	})
	return err
}

// CloseRelay ends an item: its open tasks are owed no more. Twice is harmless.
func (s *Store) CloseRelay(ctx context.Context, id fleet.RelayID, at time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		r, err := t.exec(`UPDATE relay_items SET closed_us = CASE closed_us WHEN 0 THEN ? ELSE closed_us END WHERE id = ?`, wire.US(at), id)
		return none{}, affected(r, err, noRelay)
	})
	return err
}

var noPicture = &fleet.Error{Code: fleet.NotFound, Text: "没有这张图。", TextEN: "There is no such picture."}

// RelayPicture returns the picture of an item, a JPEG.
func (s *Store) RelayPicture(ctx context.Context, id fleet.RelayID) ([]byte, error) {
	return one(ctx, s, noPicture.Text, noPicture.TextEN, scanBlob, `SELECT picture FROM relay_items WHERE id = ? AND picture IS NOT NULL`, id)
}

// RelayShot returns the screenshot of a task, a JPEG.
func (s *Store) RelayShot(ctx context.Context, id fleet.RelayTaskID) ([]byte, error) {
	return one(ctx, s, noPicture.Text, noPicture.TextEN, scanBlob, `SELECT shot FROM relay_tasks WHERE id = ? AND shot IS NOT NULL`, id)
}

func scanBlob(r scanner) (b []byte, err error) {
	err = r.Scan(&b)
	return b, err
}

// PruneRelayShots erases screenshots that were taken before, as chats show
// people's names, and returns how many. That the task was done stays.
func (s *Store) PruneRelayShots(ctx context.Context, before time.Time) (int, error) {
	return change(ctx, s, func(t *tx) (int, error) {
		r, err := t.exec(`UPDATE relay_tasks SET shot = NULL WHERE shot IS NOT NULL AND done_us > 0 AND done_us < ?`, wire.US(before))
		if err != nil {
			return 0, err
		}
		n, err := r.RowsAffected()
		return int(n), err
	})
}
