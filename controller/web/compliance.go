package web

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// complianceView is 达标情况: what was owed in a period and what came of it,
// by place, by time and by slot, down to single slots.
type complianceView struct {
	Filter    complianceFilter
	From      string
	To        string
	Asof      string
	Periods   []option
	Units     []option
	Compounds []option
	Slots     []option
	Results   []option
	Reasons   []option
	Grades    []option
	Crumbs    []crumb // from the whole to the place that is shown
	Total     figures
	Tree      complianceTree
	ByTime    []countRow
	Monthly   bool // ByTime has months
	BySlot    []countRow
	Agrees    bool // the tables have the same sum
	Grid      *complianceGrid
	Why       *whyView
	Outages   []outageRow
	Missed    []obligationRow // what was not played, or what the filter asks for
	Listing   string          // heading of the list
	Found     int             // slots in the list on all its pages; -1 where that is not known
	Pager     pager
	Export    string // path of the evidence
	Table     string // path of the tables as a workbook
	Rows      string // path of the list as CSV
	NoDemo    bool
	Demo      int // owed slots that were played into files
	Sealed    []sealedView
	Publish   string // path of signing the period; empty where it may not be signed

	points map[fleet.UnitID]int // of each unit in the period
}

// complianceFilter is what the URL asks for.
type complianceFilter struct {
	From, To fleet.Day
	Unit     fleet.UnitID
	Compound fleet.CompoundID
	Point    fleet.PointID
	Slot     string
	Result   fleet.Verdict
	All      bool // list every slot, not only those not played
	Reason   wire.Reason
	Grade    fleet.Grade
	NoDemo   bool
	By       fleet.Grouping // of the first table; empty: what is below the place
	Page     int            // of the list, from 1
	TreePage int            // of the first table, from 1
}

// crumb is one step of the way to a place.
type crumb struct{ Text, Href string }

// countRow is one line of a table of counts.
type countRow struct {
	Name, Href string
	Hint       string
	Weak       bool   // rest day
	Change     string // of the confirmed rate against the period before; empty for none
	Tone       string // good or bad
	figures

	unit fleet.UnitID // of a line of a unit
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
	Away             string // when the office could not hear the gate in that slot
	Demo             bool
}

// slotsPerPage is how many slots a page lists.
const slotsPerPage = 100

// maxPeriod bounds a period: a year and some days.
const maxPeriod = 400

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
	view := &complianceView{
		Filter: q, From: string(q.From), To: string(q.To), Asof: v.L.Stamp(v.Now, v.Now), NoDemo: q.NoDemo,
		Export: exportPath(ExportQuery{From: q.From, To: q.To}), Table: q.path("/compliance/table.xlsx"), Rows: q.path("/compliance/slots.csv"),
	}
	if err := s.count(ctx, v, view, p, q); err != nil {
		return f, err
	}
	if view.Outages, err = s.outageRows(ctx, v, q); err != nil {
		return f, err
	}
	if err := s.listSlots(ctx, v, view, p, q); err != nil {
		return f, err
	}
	s.complianceChoices(v, view, p, q)
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
	number := func(key string) int64 {
		n, err := strconv.ParseInt(q.Get(key), 10, 64)
		if err != nil {
			return 0
		}
		return max(n, 0)
	}
	f.Unit, f.Compound, f.Point = fleet.UnitID(number("unit")), fleet.CompoundID(number("compound")), fleet.PointID(number("point"))
	f.Page, f.TreePage = pageNumber(q.Get("page")), pageNumber(q.Get("rows"))
	f.Reason = wire.Reason(q.Get("reason"))
	for _, g := range []fleet.Grade{fleet.GradeA, fleet.GradeB, fleet.GradeC, fleet.GradeD} {
		if q.Get("grade") == string(g) {
			f.Grade = g
		}
	}
	for _, g := range treeGroupings {
		if q.Get("by") == string(g) {
			f.By = g
		}
	}
	f.All = q.Get("result") == "all"
	for _, verdict := range append(slices.Clone(fleet.Verdicts), fleet.Due) {
		if q.Get("result") == string(verdict) {
			f.Result = verdict
		}
	}
	return f
}

// pageNumber reads the number of a page, 1 where there is none.
func pageNumber(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 1
	}
	return min(max(n, 1), 100_000)
}

// link is the URL of the same page with some values changed; an empty value
// removes its key. The pages of both tables begin again.
func (f complianceFilter) link(changes ...string) string { return f.path("/compliance", changes...) }

// path is link to another page with the same filter.
func (f complianceFilter) path(page string, changes ...string) string {
	q := url.Values{}
	set := func(key, value string) {
		if value != "" && value != "0" {
			q.Set(key, value)
		}
	}
	set("from", string(f.From))
	set("to", string(f.To))
	set("unit", fmt.Sprint(f.Unit))
	set("compound", fmt.Sprint(f.Compound))
	set("point", fmt.Sprint(f.Point))
	set("slot", f.Slot)
	set("reason", string(f.Reason))
	set("grade", string(f.Grade))
	set("by", string(f.By))
	set("result", string(f.Result))
	if f.All && f.Result == "" {
		set("result", "all")
	}
	if f.NoDemo {
		set("demo", "no")
	}
	for i := 0; i+1 < len(changes); i += 2 {
		if changes[i+1] == "" {
			q.Del(changes[i])
		} else {
			q.Set(changes[i], changes[i+1])
		}
	}
	return page + "?" + q.Encode()
}

// summary is the query of the filter's sums.
func (f complianceFilter) summary(by ...fleet.Grouping) fleet.SummaryQuery {
	return fleet.SummaryQuery{From: f.From, To: f.To, Unit: f.Unit, Compound: f.Compound, Point: f.Point, Name: f.Slot, NoDemo: f.NoDemo, By: by}
}

// days is how many days the period has.
func (f complianceFilter) days() int {
	n := 0
	for d := f.From; d <= f.To; d = dayPlus(d, 1) {
		n++
	}
	return n
}

// consistent is how often the sums are read again when a verdict came between
// two readings.
const consistent = 3

// count fills in the tables of counts. They are two readings; where something
// was settled in between, they are made again.
func (s *Server) count(ctx context.Context, v *visit, view *complianceView, p *places, q complianceFilter) error {
	byTime := fleet.ByDay
	if view.Monthly = q.days() > maxGridDays; view.Monthly {
		byTime = fleet.ByMonth
	}
	var err error
	if view.points, err = s.pointsThen(ctx, p, q); err != nil {
		return err
	}
	for range consistent {
		rows, err := s.o.Ledger.Summary(ctx, q.summary(fleet.ByUnit, byTime, fleet.BySlot))
		if err != nil {
			return fmt.Errorf("reading summary: %w", err)
		}
		v.L.sumUp(view, p, q, rows, v.Now)
		parts, err := s.tree(ctx, v, view, p, q, rows)
		if err != nil {
			return err
		}
		if parts == view.Total.Counts {
			break
		}
		view.Agrees = false // unless another reading shows that both are whole
	}
	if err := s.compare(ctx, v, view, q); err != nil {
		return err
	}
	return s.why(ctx, v, view, q)
}

// sumUp makes the tables by time and slot and the grid of one set of rows, so
// that they cannot disagree by being read at different times.
func (l *lang) sumUp(view *complianceView, p *places, q complianceFilter, rows []fleet.SummaryRow, now time.Time) {
	var total fleet.Counts
	view.Demo, view.ByTime, view.BySlot = 0, nil, nil
	slot, times := map[string]fleet.Counts{}, map[fleet.Day]fleet.Counts{}
	cells := map[fleet.UnitID]map[fleet.Day]fleet.Counts{}
	for _, r := range rows {
		at := cmp.Or(r.Day, r.Month)
		total = total.Plus(r.Counts)
		view.Demo += r.Demo
		slot[r.Name], times[at] = slot[r.Name].Plus(r.Counts), times[at].Plus(r.Counts)
		if cells[r.Unit] == nil {
			cells[r.Unit] = map[fleet.Day]fleet.Counts{}
		}
		cells[r.Unit][at] = cells[r.Unit][at].Plus(r.Counts)
	}
	view.Total = l.figures(total).linked(func(verdict string) string { return q.link("result", verdict) })
	var sums [2]fleet.Counts
	for _, d := range slices.Sorted(maps.Keys(times)) {
		sums[0] = sums[0].Plus(times[d])
		view.ByTime = append(view.ByTime, l.timeRow(q, d, times[d], view.Monthly))
	}
	for _, name := range slotOrder(slot) {
		sums[1] = sums[1].Plus(slot[name])
		view.BySlot = append(view.BySlot, countRow{Name: name, Href: q.link("slot", name),
			figures: l.figures(slot[name]).linked(func(verdict string) string { return q.link("slot", name, "result", verdict) })})
	}
	view.Agrees = sums[0] == total && sums[1] == total && view.Total.Agrees
	if !view.Monthly {
		view.Grid = l.grid(p, q, cells, now)
	}
}

// timeRow is the line of a day, or of the part of a month that the period has.
func (l *lang) timeRow(q complianceFilter, d fleet.Day, c fleet.Counts, month bool) countRow {
	t := l.Day(d)
	from, to, name := d, d, l.T("day.name", l.Date(t), l.Weekday(t))
	if month {
		from, to = max(d, q.From), min(fleet.Day(t.AddDate(0, 1, -1).Format("2006-01-02")), q.To)
		name = l.T("compliance.month", t.Year(), int(t.Month()))
	}
	return countRow{
		Name: name, Href: q.link("from", string(from), "to", string(to)),
		figures: l.figures(c).linked(func(verdict string) string { return q.link("from", string(from), "to", string(to), "result", verdict) }),
		Weak:    !month && (t.Weekday() == time.Saturday || t.Weekday() == time.Sunday),
	}
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
