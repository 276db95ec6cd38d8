package web

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/schedules"
)

// overviewView is 总览: the day's figures, what needs someone, every point.
type overviewView struct {
	DayType string
	Wanting int    // year whose holiday table the office must bring, 0 for none
	Exams   int    // year whose exams are to be entered, 0 for none
	Lead    string // what runs now or comes next
	Figures figures
	Needs   []need
	Urgent  int // of Needs that are faults
	Wall    []wallRow
	Points  int
	Issues  int
	Columns string // 早 07:30、中 11:20 …
	Next    []nextSlot
	Ops     []opLine
	Empty   bool // no points at all
}

// wallRow is one unit on the wall.
type wallRow struct {
	Unit    string
	Href    string
	Points  int
	Missing int // slots missed or partly played today
	Tiles   []tile
	Quiet   int // points without a tile: nothing is wrong with them
}

// wallPoints is up to how many points the wall has a tile for each; above it
// only for those that somebody should look at.
const wallPoints = 600

// tile is one point on the wall.
type tile struct {
	Name, Href string
	Icon       string // of its most urgent need, empty if none
	Demo       bool
	Bare       bool // no device yet
	Cells      []cell
	Spoken     string // for screen readers
}

// nextSlot is a slot that several points play at the same instant.
type nextSlot struct {
	When, Name string
	Kind       string // of the points, empty where they are of several
	Points     int
	Ready, Of  int
	Plays      int
	Sound      string // planned sounding time
}

// opLine is what a person did.
type opLine struct{ When, Who, Text string }

func (s *Server) overview(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "nav.overview", "overview")
	if err != nil {
		return f, err
	}
	f.Wide = true
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	today := s.dayOf(v.Now)
	rows, err := s.o.Ledger.Obligations(ctx, fleet.ObligationFilter{From: today, To: dayPlus(today, 1)})
	if err != nil {
		return f, fmt.Errorf("reading obligations: %w", err)
	}
	cut := sort.Search(len(rows), func(i int) bool { return rows[i].Day > today }) // rows come by day
	if err := s.progress(ctx, rows[:cut], v.Now); err != nil {
		return f, err
	}
	ops, err := s.ops(ctx, v)
	if err != nil {
		return f, err
	}
	view := v.L.overviewOf(p, rows[:cut], rows, v.Now)
	office, err := s.losses(ctx, v, slices.Collect(maps.Values(p.device)))
	if err != nil {
		return f, err
	}
	switch late, has, err := s.overdueNeed(ctx, v.L); {
	case err != nil:
		return f, err
	case has:
		office = append(office, late)
	}
	view.Needs = append(office, view.Needs...)
	view.Urgent += len(office)
	alarmed, err := s.alertNeeds(ctx, v.L)
	if err != nil {
		return f, err
	}
	view.Needs = append(alarmed, view.Needs...)
	view.Urgent += len(alarmed)
	urgent, err := s.urgentNeeds(ctx, v, len(p.device))
	if err != nil {
		return f, err
	}
	view.Needs = append(urgent, view.Needs...)
	if err := s.o.Trouble(); err != nil {
		view.Needs = append([]need{v.L.trouble(err)}, view.Needs...)
		view.Urgent++
	}
	view.Ops = ops
	if view.DayType, err = s.dayType(ctx, v.L, rows[:cut], today); err != nil {
		return f, err
	}
	restores, err := s.restoreNeeds(ctx, v, p)
	if err != nil {
		return f, err
	}
	view.Needs = append(view.Needs, restores...)
	switch late, has, err := s.backupNeed(ctx, v); {
	case err != nil:
		return f, err
	case has:
		view.Needs = append([]need{late}, view.Needs...)
		view.Urgent++
	}
	if view.Wanting, view.Exams, err = s.wanting(ctx, v.Now); err != nil {
		return f, err
	}
	f.V = view
	return f, nil
}

// overviewOf builds the view from what was read; today are the rows of the
// day, all those of the next day too.
func (l *lang) overviewOf(p *places, today, all []fleet.Obligation, now time.Time) *overviewView {
	byPoint := map[fleet.PointID][]fleet.Obligation{}
	var sum fleet.Counts
	demo := 0
	for _, o := range today {
		byPoint[o.Point] = append(byPoint[o.Point], o)
		sum.Add(o.Verdict)
		if o.Demo {
			demo++
		}
	}
	day := complianceFilter{From: fleet.Day(l.in(now).Format("2006-01-02"))}
	day.To = day.From
	figs := l.figures(sum).linked(func(verdict string) string { return day.link("result", verdict) })
	figs.Demo = demo
	view := &overviewView{Figures: figs, Points: len(p.points), Empty: len(p.points) == 0}
	view.Needs = l.needs(p, byPoint, now)
	issue := map[fleet.PointID]need{}
	for _, n := range view.Needs {
		if n.id != 0 {
			issue[n.id] = n
			view.Urgent++
		}
	}
	cols := l.columns(today, now)
	view.Columns = l.columnTexts(cols)
	rows := map[fleet.UnitID]*wallRow{}
	for _, id := range p.unitOrder {
		rows[id] = &wallRow{Unit: p.unit[id].Name, Href: fmt.Sprintf("/compliance?unit=%d", id)}
	}
	for _, pt := range p.points {
		row := rows[pt.Unit]
		if row == nil {
			continue
		}
		row.Points++
		for _, o := range byPoint[pt.ID] {
			if o.Verdict == fleet.Missed || o.Verdict == fleet.Partial {
				row.Missing++
			}
		}
		n, wrong := issue[pt.ID]
		if wrong {
			view.Issues++
		} else if len(p.points) > wallPoints {
			row.Quiet++
			continue
		}
		t := l.tileOf(p, pt, byPoint[pt.ID], cols, now)
		t.Icon = n.Icon
		row.Tiles = append(row.Tiles, t)
	}
	for _, id := range p.unitOrder {
		view.Wall = append(view.Wall, *rows[id])
	}
	view.Lead = l.lead(today, all, now)
	view.Next = l.next(p, all, now)
	return view
}

func (l *lang) tileOf(p *places, pt fleet.Point, rows []fleet.Obligation, cols []column, now time.Time) tile {
	d, has := p.device[pt.ID]
	t := tile{Name: pt.Name, Href: pointPath(pt.ID), Bare: !has && len(rows) == 0, Demo: d.Output.Demo}
	byKey := map[slotKey]fleet.Obligation{}
	for i, key := range slotKeys(rows) {
		byKey[key] = rows[i]
	}
	var words []string
	for _, c := range cols {
		o, owed := byKey[c.key]
		if !owed {
			t.Cells = append(t.Cells, cell{V: "none"})
			continue
		}
		made := l.cellOf(o, d, now)
		t.Cells = append(t.Cells, made)
		words = append(words, o.Name+" "+l.T("verdict."+made.V))
	}
	t.Spoken = strings.Join(words, l.T("comma"))
	return t
}

// columnTexts is 早 07:30、中 11:20.
func (l *lang) columnTexts(cols []column) string {
	parts := make([]string, len(cols))
	for i, c := range cols {
		parts[i] = c.key.name + " " + l.Clock(c.Start)
	}
	return strings.Join(parts, l.T("list"))
}

// lead says what runs now, otherwise what comes next.
func (l *lang) lead(today, all []fleet.Obligation, now time.Time) string {
	var next fleet.Obligation
	for _, o := range today {
		if o.Verdict == fleet.Due && !now.Before(o.Start) && now.Before(o.End) {
			return l.T("overview.lead.now", o.Name, l.Clock(o.Start), l.Clock(o.End))
		}
	}
	for _, o := range all {
		if o.Verdict == fleet.Due && o.Start.After(now) && (next.Start.IsZero() || o.Start.Before(next.Start)) {
			next = o
		}
	}
	if next.Start.IsZero() {
		return l.T("overview.lead.none")
	}
	return l.T("overview.lead.next", next.Name, l.when(next.Start, now))
}

// when is 18:30, or 明日 07:00 where it is not today.
func (l *lang) when(t, now time.Time) string {
	day, today := l.in(t).Format("2006-01-02"), l.in(now)
	switch day {
	case today.Format("2006-01-02"):
		return l.Clock(t)
	case today.AddDate(0, 0, 1).Format("2006-01-02"):
		return l.T("when.tomorrow", l.Clock(t))
	}
	return l.Stamp(t, now)
}

// maxNext is how many coming slots the overview lists.
const maxNext = 5

func (l *lang) next(p *places, all []fleet.Obligation, now time.Time) []nextSlot {
	type key struct {
		programme, name string
		start           int64
	}
	groups := map[key]*nextSlot{}
	starts := map[key]fleet.Obligation{}
	for _, o := range all {
		if o.Verdict != fleet.Due || !o.Start.After(now) {
			continue
		}
		k := key{o.Programme, o.Name, o.Start.Unix()}
		g := groups[k]
		if g == nil {
			g = &nextSlot{When: l.when(o.Start, now), Name: o.Name, Plays: o.Plays, Sound: l.Span(time.Duration(o.PlannedMS) * time.Millisecond)}
			groups[k], starts[k] = g, o
		}
		g.Points++
		if kind := l.T("kind." + string(p.point[o.Point].Kind)); g.Points == 1 {
			g.Kind = kind
		} else if g.Kind != kind {
			g.Kind = ""
		}
		if d, ok := p.device[o.Point]; ok {
			g.Of++
			if d.Ready() {
				g.Ready++
			}
		}
	}
	keys := make([]key, 0, len(groups))
	for k := range groups {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool {
		if keys[i].start != keys[j].start {
			return keys[i].start < keys[j].start
		}
		return keys[i].name+keys[i].programme < keys[j].name+keys[j].programme
	})
	if len(keys) > maxNext {
		keys = keys[:maxNext]
	}
	list := make([]nextSlot, len(keys))
	for i, k := range keys {
		list[i] = *groups[k]
	}
	return list
}

// maxOps is how many lines of the audit log the overview shows.
const maxOps = 6

func (s *Server) ops(ctx context.Context, v *visit) ([]opLine, error) {
	local := v.Now.In(s.o.Zone)
	midnight := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, s.o.Zone)
	lines, err := s.o.Audit.Audits(ctx, maxOps)
	if err != nil {
		return nil, fmt.Errorf("reading audit log: %w", err)
	}
	var ops []opLine
	for _, a := range lines {
		if a.At.Before(midnight) {
			break
		}
		ops = append(ops, opLine{When: v.L.Clock(a.At), Who: a.Who, Text: v.L.auditText(a)})
	}
	return ops, nil
}

// dayType is the word for the kind of day, from what is owed on it or else
// from the calendar.
func (s *Server) dayType(ctx context.Context, l *lang, rows []fleet.Obligation, day fleet.Day) (string, error) {
	cal, err := s.calendar(ctx)
	if err != nil {
		return "", err
	}
	kind := ""
	for _, o := range rows {
		if o.DayType != "" {
			kind = o.DayType
			break
		}
	}
	if d, err := schedules.ParseDate(string(day)); kind == "" && err == nil {
		t, _ := cal.DayType(d)
		kind = string(t)
	}
	return l.dayWord(cal, kind, day), nil
}

// dayWord is the word for a kind of day, marked where the day's year has no
// holiday table, so that the kind is only assumed.
func (l *lang) dayWord(cal *schedules.Calendar, kind string, day fleet.Day) string {
	if !l.Has("daytype." + kind) {
		return ""
	}
	word := l.T("daytype." + kind)
	if d, err := schedules.ParseDate(string(day)); err == nil {
		if _, known := cal.DayType(d); !known {
			word = l.T("daytype.assumed", word)
		}
	}
	return word
}
