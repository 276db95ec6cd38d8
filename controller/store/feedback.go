package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// FileFeedback keeps what a unit files as the next version of its week, with
// the new photos of its items, by the item's number: JPEGs made by package
// picture. All or nothing. It returns the version. What fleet.Feedback.Check
// refuses is refused, and so is a photo of another unit or week.
func (s *Store) FileFeedback(ctx context.Context, f fleet.Feedback, photos map[int][][]byte) (version int, err error) {
	return change(ctx, s, func(t *tx) (int, error) {
		day := weekDay(f.Week)
		items := slices.Clone(f.Items)
		for i, it := range items {
			it.Photos = slices.Clone(it.Photos)
			for _, id := range it.Photos {
				var n int
				if err := t.row(`SELECT count(*) FROM feedback_photos WHERE id = ? AND unit_id = ? AND week_day = ?`, id, f.Unit, day).Scan(&n); err != nil {
					return 0, err
				}
				if n == 0 {
					return 0, noPicture
				}
			}
			for _, jpeg := range photos[it.Number] {
				var id fleet.FeedbackPhotoID
				if err := t.row(`INSERT INTO feedback_photos (unit_id, week_day, at_us, jpeg) VALUES (?, ?, ?, ?) RETURNING id`, f.Unit, day, wire.US(f.At), jpeg).Scan(&id); err != nil {
					return 0, err
				}
				it.Photos = append(it.Photos, id)
			}
			items[i] = it
		}
		f.Items = items
		if err := f.Check(); err != nil {
			return 0, err
		}
		var id int64
		var version int
		if err := t.row(`INSERT INTO feedbacks (unit_id, week_day, version, at_us, by, name)
VALUES (?1, ?2, (SELECT coalesce(max(version), 0) + 1 FROM feedbacks WHERE unit_id = ?1 AND week_day = ?2), ?3, ?4, ?5) RETURNING id, version`,
			f.Unit, day, wire.US(f.At), f.By, f.Name).Scan(&id, &version); err != nil {
			return 0, err
		}
		for i, it := range f.Items {
			if it.Photos == nil {
				it.Photos = []fleet.FeedbackPhotoID{}
			}
			if _, err := t.exec(`INSERT INTO feedback_items (feedback_id, number, position, text, photos) VALUES (?, ?, ?, ?, ?)`, id, it.Number, i, it.Text, toJSON(it.Photos)); err != nil {
				return 0, err
			}
		}
		return version, nil
	})
}

// FeedbackVersions returns what a unit filed for a week, the newest version
// first; none is no error.
func (s *Store) FeedbackVersions(ctx context.Context, unit fleet.UnitID, week fleet.ISOWeek) ([]fleet.Feedback, error) {
	return s.feedbacks(ctx, `f.week_day = ? AND f.unit_id = ?`, weekDay(week), unit)
}

// FeedbackWeek returns the latest version of every unit that filed for a week,
// by unit.
func (s *Store) FeedbackWeek(ctx context.Context, week fleet.ISOWeek) (map[fleet.UnitID]fleet.Feedback, error) {
	all, err := s.feedbacks(ctx, `f.week_day = ? AND f.version = (SELECT max(v.version) FROM feedbacks v WHERE v.week_day = f.week_day AND v.unit_id = f.unit_id)`, weekDay(week))
	out := make(map[fleet.UnitID]fleet.Feedback, len(all))
	for _, f := range all {
		out[f.Unit] = f
	}
	return out, err
}

func (s *Store) feedbacks(ctx context.Context, cond string, args ...any) ([]fleet.Feedback, error) {
	type row struct {
		id int64
		fleet.Feedback
	}
	all, err := list(ctx, s, "feedback", func(r scanner) (f row, err error) {
		var day, at int64
		err = r.Scan(&f.id, &f.Unit, &day, &f.Version, &at, &f.By, &f.Name)
		f.Week, _ = fleet.WeekOfDay(dayOf(day)) // a day
		f.At = wire.FromUS(at)
		return f, err
	}, `SELECT f.id, f.unit_id, f.week_day, f.version, f.at_us, f.by, f.name FROM feedbacks f WHERE `+cond+` ORDER BY f.unit_id, f.version DESC`, args...)
	if err != nil {
		return nil, err
	}
	type item struct {
		of int64
		fleet.FeedbackItem
	}
	items, err := list(ctx, s, "items of feedback", func(r scanner) (it item, err error) {
		var photos string
		if err := r.Scan(&it.of, &it.Number, &it.Text, &photos); err != nil {
			return it, err
		}
		return it, json.Unmarshal([]byte(photos), &it.Photos)
	}, `SELECT i.feedback_id, i.number, i.text, i.photos FROM feedback_items i JOIN feedbacks f ON f.id = i.feedback_id WHERE `+cond+` ORDER BY i.feedback_id, i.position`, args...)
	if err != nil {
		return nil, err
	}
	of := map[int64][]fleet.FeedbackItem{}
	for _, it := range items {
		of[it.of] = append(of[it.of], it.FeedbackItem)
	}
	out := make([]fleet.Feedback, len(all))
	for i, f := range all {
		out[i] = f.Feedback
		out[i].Items = of[f.id]
	}
	return out, nil
}

// FeedbackFirsts returns when each unit first filed for a week, and how many
// versions there are.
func (s *Store) FeedbackFirsts(ctx context.Context, week fleet.ISOWeek) (first map[fleet.UnitID]time.Time, versions map[fleet.UnitID]int, err error) {
	type row struct {
		unit fleet.UnitID
		at   int64
		n    int
	}
	all, err := list(ctx, s, "feedback", func(r scanner) (v row, err error) {
		err = r.Scan(&v.unit, &v.at, &v.n)
		return v, err
	}, `SELECT unit_id, (SELECT at_us FROM feedbacks o WHERE o.week_day = f.week_day AND o.unit_id = f.unit_id ORDER BY version LIMIT 1), count(*) FROM feedbacks f WHERE week_day = ? GROUP BY unit_id`, weekDay(week))
	first, versions = map[fleet.UnitID]time.Time{}, map[fleet.UnitID]int{}
	for _, v := range all {
		first[v.unit], versions[v.unit] = wire.FromUS(v.at), v.n
	}
	return first, versions, err
}

// FeedbackPhoto returns a photo that belongs to a unit and week, a JPEG.
func (s *Store) FeedbackPhoto(ctx context.Context, unit fleet.UnitID, week fleet.ISOWeek, id fleet.FeedbackPhotoID) ([]byte, error) {
	return one(ctx, s, noPicture.Text, noPicture.TextEN, scanBlob, `SELECT jpeg FROM feedback_photos WHERE id = ? AND unit_id = ? AND week_day = ?`, id, unit, weekDay(week))
}

// MarkFeedback keeps what the office decided about an item of a unit's week. An
// item that no version has is a *fleet.Error of code NotFound.
func (s *Store) MarkFeedback(ctx context.Context, m fleet.ItemMark) error {
	if err := m.Check(); err != nil {
		return err
	}
	_, err := change(ctx, s, func(t *tx) (none, error) {
		day := weekDay(m.Week)
		var n int
		if err := t.row(`SELECT count(*) FROM feedback_items i JOIN feedbacks f ON f.id = i.feedback_id WHERE f.week_day = ? AND f.unit_id = ? AND i.number = ?`, day, m.Unit, m.Number).Scan(&n); err != nil {
			return none{}, err
		}
		if n == 0 {
			return none{}, &fleet.Error{Code: fleet.NotFound, Text: "没有这个问题。", TextEN: "There is no such problem."}
		}
		_, err := t.exec(`INSERT INTO feedback_marks (unit_id, week_day, number, state, note, at_us, by, name) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			m.Unit, day, m.Number, string(m.State), m.Note, wire.US(m.At), m.By, m.Name)
		return none{}, err
	})
	return err
}

// FeedbackMarks returns every decision about items of a week, the oldest first.
func (s *Store) FeedbackMarks(ctx context.Context, week fleet.ISOWeek) ([]fleet.ItemMark, error) {
	return list(ctx, s, "marks of feedback", func(r scanner) (m fleet.ItemMark, err error) {
		var at int64
		err = r.Scan(&m.Unit, &m.Number, &m.State, &m.Note, &at, &m.By, &m.Name)
		m.Week, m.At = week, wire.FromUS(at)
		return m, err
	}, `SELECT unit_id, number, state, note, at_us, by, name FROM feedback_marks WHERE week_day = ? ORDER BY id`, weekDay(week))
}

// Remind notes that a reminder of a week is told of, and how many units had not
// filed. fresh is false, and nothing is written, when it was told of before.
func (s *Store) Remind(ctx context.Context, week fleet.ISOWeek, number, missing int, now time.Time) (fresh bool, err error) {
	return change(ctx, s, func(t *tx) (bool, error) {
		r, err := t.exec(`INSERT INTO feedback_reminders (week_day, number, at_us, missing) VALUES (?, ?, ?, ?) ON CONFLICT (week_day, number) DO NOTHING`, weekDay(week), number, wire.US(now), missing)
		if err != nil {
			return false, err
		}
		n, err := r.RowsAffected()
		return n > 0, err
	})
}

// CloseFeedback keeps who owed feedback for a week and until when. A week that
// was closed stays as it is.
func (s *Store) CloseFeedback(ctx context.Context, week fleet.ISOWeek, due time.Time, units []fleet.UnitID) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		var n int
		if err := t.row(`SELECT count(*) FROM feedback_owed WHERE week_day = ?`, weekDay(week)).Scan(&n); err != nil || n > 0 {
			return none{}, err
		}
		for _, u := range units {
			if _, err := t.exec(`INSERT INTO feedback_owed (week_day, unit_id, due_us) VALUES (?, ?, ?)`, weekDay(week), u, wire.US(due)); err != nil {
				return none{}, err
			}
		}
		return none{}, nil
	})
	return err
}

// FeedbackOwed returns who owed feedback for a week that was closed, and until
// when; none for one that was not.
func (s *Store) FeedbackOwed(ctx context.Context, week fleet.ISOWeek) (due time.Time, units []fleet.UnitID, err error) {
	units, err = list(ctx, s, "who owed feedback", func(r scanner) (u fleet.UnitID, err error) {
		var at int64
		err = r.Scan(&u, &at)
		due = wire.FromUS(at)
		return u, err
	}, `SELECT unit_id, due_us FROM feedback_owed WHERE week_day = ? ORDER BY unit_id`, weekDay(week))
	return due, units, err
}
