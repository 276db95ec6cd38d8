package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// complianceView is 达标情况: what was owed in a period and what came of it,
// by community, by day and by slot, down to single slots.
type complianceView struct {
	Filter  complianceFilter
	From    string
	To      string
	Asof    string
	Periods []option
	Units   []option
	Slots   []option
	Results []option
	Total   figures
	ByUnit  []countRow
	ByDay   []countRow
	BySlot  []countRow
	Agrees  bool // the three tables have the same sum
	Grid    *complianceGrid
	Missed  []obligationRow // what was not played, or what the filter asks for
	More    int             // rows that are not shown
	Listing string          // heading of the list
	Export  string          // path of the download
	NoDemo  bool
	Demo    int // owed slots that were played into files
	Sealed  []sealedView
	Publish string // path of signing the period; empty where it may not be signed

	points map[fleet.UnitID]int // of each unit in the period
}

// complianceFilter is what the URL asks for.
type complianceFilter struct {
	From, To fleet.Day
	Unit     fleet.UnitID
	Slot     string
	Result   fleet.Verdict
	All      bool // list every slot, not only those not played
	NoDemo   bool
}

// countRow is one line of a table of counts.
type countRow struct {
	Name, Href string
	Hint       string
	Weak       bool // rest day
	figures
}

// complianceGrid is units × days, one rate a cell.
type complianceGrid struct {
	Days []stripDay
	Rows []gridRow
}

type gridRow struct {
	Name  string
	Cells []gridCell
}

type gridCell struct {
	Text, Href, Tone, Title string
}

// obligationRow is one owed slot in a list.
type obligationRow struct {
	Point, PointHref string
	Unit             string
	Day, Name, Href  string
	V, Verdict       string
	Why              string
	Grade            fleet.Grade
	Plays            string
	Seen             string
	Demo             bool
}

// maxListed is how many slots a page lists; the filter narrows further.
const maxListed = 300

// maxPeriod bounds a period: a quarter and some days.
const maxPeriod = 100

func (s *Server) compliance(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "nav.compliance", "compliance")
	if err != nil {
		return f, err
	}
	f.Wide = true
	q := s.readCompliance(r.URL.Query(), v.Now)
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	view := &complianceView{Filter: q, From: string(q.From), To: string(q.To), Asof: v.L.Stamp(v.Now, v.Now), NoDemo: q.NoDemo,
		Export: exportPath(ExportQuery{From: q.From, To: q.To})}
	rows, err := s.o.Ledger.Summary(ctx, fleet.SummaryQuery{
		From: q.From, To: q.To, Unit: q.Unit, NoDemo: q.NoDemo, By: []fleet.Grouping{fleet.ByUnit, fleet.ByDay, fleet.BySlot},
	})
	if err != nil {
		return f, fmt.Errorf("reading summary: %w", err)
	}
	if view.points, err = s.pointsThen(ctx, p, q); err != nil {
		return f, err
	}
	v.L.sumUp(view, p, q, rows, v.Now)
	if err := s.listSlots(ctx, v, view, p, q); err != nil {
		return f, err
	}
	s.complianceChoices(v, view, p, q, rows)
	if view.Sealed, err = s.sealed(ctx, v, q); err != nil {
		return f, err
	}
	if fleet.May(v.User.Role, fleet.ActPublish) && !slices.ContainsFunc(view.Sealed, func(x sealedView) bool { return x.Same }) {
		view.Publish = "/publications/new?" + url.Values{"from": {view.From}, "to": {view.To}}.Encode()
	}
	f.V = view
	return f, nil
}

// readCompliance reads the filter; the period defaults to the week so far.
func (s *Server) readCompliance(q url.Values, now time.Time) complianceFilter {
	local := now.In(s.o.Zone)
	today := s.dayOf(now)
	monday := dayPlus(today, -(int(local.Weekday()+6) % 7))
	f := complianceFilter{From: monday, To: today, Slot: q.Get("slot"), NoDemo: q.Get("demo") == "no"}
	if validDay(q.Get("from")) {
		f.From = fleet.Day(q.Get("from"))
	}
	if validDay(q.Get("to")) {
		f.To = fleet.Day(q.Get("to"))
	}
	if f.To < f.From {
		f.From, f.To = f.To, f.From
	}
	if dayPlus(f.From, maxPeriod-1) < f.To {
		f.From = dayPlus(f.To, 1-maxPeriod)
	}
	if n, err := strconv.ParseInt(q.Get("unit"), 10, 64); err == nil && n > 0 {
		f.Unit = fleet.UnitID(n)
	}
	f.All = q.Get("result") == "all"
	for _, verdict := range append(slices.Clone(fleet.Verdicts), fleet.Due) {
		if q.Get("result") == string(verdict) {
			f.Result = verdict
		}
	}
	return f
}

// link is the URL of the same page with some values changed; an empty value
// removes its key.
func (f complianceFilter) link(changes ...string) string {
	q := url.Values{}
	q.Set("from", string(f.From))
	q.Set("to", string(f.To))
	if f.Unit != 0 {
		q.Set("unit", fmt.Sprint(f.Unit))
	}
	if f.Slot != "" {
		q.Set("slot", f.Slot)
	}
	if f.Result != "" {
		q.Set("result", string(f.Result))
	} else if f.All {
		q.Set("result", "all")
	}
	if f.NoDemo {
		q.Set("demo", "no")
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if changes[i+1] == "" {
			q.Del(changes[i])
		} else {
			q.Set(changes[i], changes[i+1])
		}
	}
	return "/compliance?" + q.Encode()
}

// sumUp makes the three tables and the grid of one set of rows, so that they
// cannot disagree by being read at different times.
func (l *lang) sumUp(view *complianceView, p *places, q complianceFilter, rows []fleet.SummaryRow, now time.Time) {
	var total fleet.Counts
	unit, slot := map[fleet.UnitID]fleet.Counts{}, map[string]fleet.Counts{}
	day, cells := map[fleet.Day]fleet.Counts{}, map[fleet.UnitID]map[fleet.Day]fleet.Counts{}
	for _, r := range rows {
		if q.Slot != "" && r.Name != q.Slot {
			continue
		}
		total = total.Plus(r.Counts)
		view.Demo += r.Demo
		unit[r.Unit], slot[r.Name], day[r.Day] = unit[r.Unit].Plus(r.Counts), slot[r.Name].Plus(r.Counts), day[r.Day].Plus(r.Counts)
		if cells[r.Unit] == nil {
			cells[r.Unit] = map[fleet.Day]fleet.Counts{}
		}
		cells[r.Unit][r.Day] = cells[r.Unit][r.Day].Plus(r.Counts)
	}
	view.Total = l.figures(total).linked(func(verdict string) string { return q.link("result", verdict) })
	for _, u := range p.units {
		c, ok := unit[u.ID]
		if !ok {
			continue
		}
		view.ByUnit = append(view.ByUnit, countRow{
			Name: u.Name, Href: q.link("unit", fmt.Sprint(u.ID)), Hint: l.T("wall.points", view.points[u.ID]),
			figures: l.figures(c).linked(func(verdict string) string { return q.link("unit", fmt.Sprint(u.ID), "result", verdict) }),
		})
	}
	var sums [3]fleet.Counts
	for _, c := range unit {
		sums[0] = sums[0].Plus(c)
	}
	for d := q.From; d <= q.To; d = dayPlus(d, 1) {
		c, ok := day[d]
		if !ok {
			continue
		}
		t := l.Day(d)
		sums[1] = sums[1].Plus(c)
		view.ByDay = append(view.ByDay, countRow{
			Name: l.T("day.name", l.Date(t), l.Weekday(t)), Href: q.link("from", string(d), "to", string(d)),
			figures: l.figures(c).linked(func(verdict string) string { return q.link("from", string(d), "to", string(d), "result", verdict) }),
			Weak:    t.Weekday() == time.Saturday || t.Weekday() == time.Sunday,
		})
	}
	for _, name := range slotOrder(slot) {
		sums[2] = sums[2].Plus(slot[name])
		view.BySlot = append(view.BySlot, countRow{Name: name, Href: q.link("slot", name),
			figures: l.figures(slot[name]).linked(func(verdict string) string { return q.link("slot", name, "result", verdict) })})
	}
	view.Agrees = sums[0] == total && sums[1] == total && sums[2] == total && view.Total.Agrees
	view.Grid = l.grid(p, q, cells, now)
}

// slotOrder puts 早, 中, 晚 first and the rest by name: a summary has no times.
func slotOrder(slot map[string]fleet.Counts) []string {
	names := make([]string, 0, len(slot))
	for name := range slot {
		names = append(names, name)
	}
	rank := func(name string) int { return strings.Index("早中晚", name) }
	sort.Slice(names, func(i, j int) bool {
		a, b := rank(names[i]), rank(names[j])
		if (a < 0) != (b < 0) {
			return a >= 0
		}
		if a != b {
			return a < b
		}
		return names[i] < names[j]
	})
	return names
}

// maxGridDays is how many days fit side by side.
const maxGridDays = 31

func (l *lang) grid(p *places, q complianceFilter, cells map[fleet.UnitID]map[fleet.Day]fleet.Counts, now time.Time) *complianceGrid {
	days := 0
	for d := q.From; d <= q.To; d = dayPlus(d, 1) {
		days++
	}
	if days < 2 || days > maxGridDays || len(cells) == 0 {
		return nil
	}
	today := l.in(now).Format("2006-01-02")
	g := &complianceGrid{}
	for d := q.From; d <= q.To; d = dayPlus(d, 1) {
		t := l.Day(d)
		g.Days = append(g.Days, stripDay{
			Number: t.Day(), Weekday: l.T("weekday.short." + strings.ToLower(t.Weekday().String()[:3])),
			Rest: t.Weekday() == time.Saturday || t.Weekday() == time.Sunday, Today: string(d) == today,
		})
	}
	for _, u := range p.units {
		mine, ok := cells[u.ID]
		if !ok {
			continue
		}
		row := gridRow{Name: u.Name}
		for d := q.From; d <= q.To; d = dayPlus(d, 1) {
			c, ok := mine[d]
			if !ok {
				row.Cells = append(row.Cells, gridCell{Text: l.T("none")})
				continue
			}
			row.Cells = append(row.Cells, l.gridCell(q, u, d, c))
		}
		g.Rows = append(g.Rows, row)
	}
	return g
}

func (l *lang) gridCell(q complianceFilter, u fleet.Unit, d fleet.Day, c fleet.Counts) gridCell {
	day := string(d)
	cell := gridCell{Href: q.link("unit", fmt.Sprint(u.ID), "from", day, "to", day), Title: l.figures(c).InWords}
	rate, ok := c.Confirmed()
	switch {
	case !ok:
		cell.Text = l.T("none")
	case rate == 1:
		cell.Text = "100"
	default:
		cell.Text = fmt.Sprintf("%.1f", min(rate*100, 99.9)) // never 100 by rounding
	}
	switch {
	case c.Missed > 0 || c.Partial > 0:
		cell.Tone = "bad"
	case c.Doubt > 0:
		cell.Tone = "doubt"
	case c.Pending > 0:
		cell.Tone = "warn"
	}
	return cell
}
