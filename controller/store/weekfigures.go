package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const figuresColumns = `f.unit_id, f.week_day, f.version, f.cases, f.loss_fen, f.clues, f.key_persons, f.key_reduced, f.types, f.at_us, f.by, f.name, f.source`

// newestFigures bounds rows f to the version that counts.
const newestFigures = `f.version = (SELECT max(v.version) FROM figures v WHERE v.week_day = f.week_day AND v.unit_id = f.unit_id)`

func scanFigures(r scanner) (f fleet.Figures, err error) {
	var day, at int64
	var types string
	counts := make([]sql.NullInt64, len(fleet.Tallies))
	if err := r.Scan(&f.Unit, &day, &f.Version, &counts[0], &counts[1], &counts[2], &counts[3], &counts[4], &types, &at, &f.By, &f.Name, &f.Source); err != nil {
		return f, err
	}
	f.Week, _ = fleet.WeekOfDay(dayOf(day)) // a day
	f.At, f.Count = wire.FromUS(at), map[fleet.Tally]int64{}
	for i, n := range counts {
		if n.Valid {
			f.Count[fleet.Tallies[i]] = n.Int64
		}
	}
	return f, json.Unmarshal([]byte(types), &f.Types)
}

// weekDay returns the Monday of w as days since 1970-01-01.
func weekDay(w fleet.ISOWeek) int64 { return w.At(0, 0, time.UTC).Unix() / 86400 }

// SaveFigures keeps a new version of each of all that differs from the one that
// counts, all or nothing, and returns how many do; saving the same twice changes
// nothing. Version is set by the store. What fleet.Figures.Check refuses is
// refused, and a unit that does not exist is a *fleet.Error of code NotFound.
func (s *Store) SaveFigures(ctx context.Context, all []fleet.Figures) (changed int, err error) {
	for _, f := range all {
		if err := f.Check(); err != nil {
			return 0, err
		}
	}
	return change(ctx, s, func(t *tx) (n int, err error) {
		for _, f := range all {
			did, err := saveFiguresTx(t, f)
			if err != nil {
				return 0, err
			}
			n += did
		}
		return n, nil
	})
}

func saveFiguresTx(t *tx, f fleet.Figures) (int, error) {
	day := weekDay(f.Week)
	rows, err := t.query(`SELECT `+figuresColumns+` FROM figures f WHERE f.week_day = ? AND f.unit_id = ? AND `+newestFigures, day, f.Unit)
	if err != nil {
		return 0, err
	}
	before, err := collect(rows, scanFigures)
	if err != nil {
		return 0, err
	}
	version := 1
	switch {
	case len(before) > 0 && before[0].Same(f), len(before) == 0 && f.Empty():
		return 0, nil
	case len(before) > 0:
		version = before[0].Version + 1
	}
	args := []any{f.Unit, day, version}
	for _, m := range fleet.Tallies {
		if n, ok := f.Value(m); ok {
			args = append(args, n)
		} else {
			args = append(args, nil)
		}
	}
	types := f.Types
	if types == nil {
		types = map[string]int{}
	}
	_, err = t.exec(`INSERT INTO figures (unit_id, week_day, version, cases, loss_fen, clues, key_persons, key_reduced, types, at_us, by, name, source) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		append(args, toJSON(types), wire.US(f.At), f.By, f.Name, f.Source)...)
	if sqliteCode(err) == sqliteForeign {
		return 0, &fleet.Error{Code: fleet.NotFound, Text: "没有这个单位。", TextEN: "There is no such unit.", Err: err}
	}
	return 1, err
}

// Figures returns the weekly figures, with those of the week before and of the
// same week of the year before beside them: a row for each community and village
// in the register, and for every other unit that has figures in the week, in the
// order of Units. Where nothing was entered the Version is 0 and every Count
// unknown; fleet.FiguresTotal adds the rows up.
func (s *Store) Figures(ctx context.Context, week fleet.ISOWeek) ([]fleet.FiguresRow, error) {
	units, err := s.Units(ctx)
	if err != nil {
		return nil, err
	}
	now, err := s.figuresOf(ctx, week)
	if err != nil {
		return nil, err
	}
	last, err := s.figuresOf(ctx, week.Add(-1))
	if err != nil {
		return nil, err
	}
	year := map[fleet.UnitID]fleet.Figures{}
	if ago, ok := week.YearAgo(); ok {
		if year, err = s.figuresOf(ctx, ago); err != nil {
			return nil, err
		}
	}
	var out []fleet.FiguresRow
	for _, u := range units {
		f, entered := now[u.ID]
		if entered || u.Listed() && u.Type.CountsFigures() {
			out = append(out, fleet.FiguresRow{Unit: u, Now: f, Last: last[u.ID], Year: year[u.ID]})
		}
	}
	return out, nil
}

func (s *Store) figuresOf(ctx context.Context, week fleet.ISOWeek) (map[fleet.UnitID]fleet.Figures, error) {
	all, err := list(ctx, s, "weekly figures", scanFigures, `SELECT `+figuresColumns+` FROM figures f WHERE f.week_day = ? AND `+newestFigures, weekDay(week))
	out := make(map[fleet.UnitID]fleet.Figures, len(all))
	for _, f := range all {
		out[f.Unit] = f
	}
	return out, err
}

// FiguresVersions returns every version of a unit's week, the newest first.
func (s *Store) FiguresVersions(ctx context.Context, unit fleet.UnitID, week fleet.ISOWeek) ([]fleet.Figures, error) {
	return list(ctx, s, "versions of weekly figures", scanFigures, `SELECT `+figuresColumns+` FROM figures f WHERE f.week_day = ? AND f.unit_id = ? ORDER BY f.version DESC`, weekDay(week), unit)
}
