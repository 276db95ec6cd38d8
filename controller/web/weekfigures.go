package web

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/width"

	"gatecast/controller/fleet"
	"gatecast/controller/sheet"
)

// WeekFigures are 周数据: the counts of each community and week. Refusals are
// *fleet.Errors.
type WeekFigures interface {
	Figures(ctx context.Context, week fleet.ISOWeek) ([]fleet.FiguresRow, error)
	// SaveFigures keeps a new version of each that differs and says how many do.
	SaveFigures(ctx context.Context, all []fleet.Figures) (changed int, err error)
}

func (s *Server) weekFigureRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRead, "/figures", "weekfigures", s.weekFigures)
	s.may(mux, fleet.ActRead, "GET /figures/export", s.exportWeekFigures)
	s.may(mux, fleet.ActRegister, "POST /figures", s.saveWeekFigures)
}

// weekNav leads from one week to its neighbours.
type weekNav struct {
	Week           string
	Name           string // its days
	Previous, Next string // weeks; Next is empty for the week that runs
}

// weekOf returns the week that a request is about, the last full one by default.
func (s *Server) weekOf(r *http.Request, v *visit) (fleet.ISOWeek, weekNav) {
	this := fleet.WeekAt(v.Now, v.L.zone)
	w, ok := fleet.ParseWeek(r.FormValue("week"))
	if !ok || this.Before(w) {
		w = this.Add(-1)
	}
	n := weekNav{Week: w.String(), Name: v.L.week(w), Previous: w.Add(-1).String()}
	if w.Before(this) {
		n.Next = w.Add(1).String()
	}
	return w, n
}

// week names a week by its days.
func (l *lang) week(w fleet.ISOWeek) string {
	return l.T("week.name", l.Date(l.Day(w.Monday())), l.Date(l.Day(w.Sunday())), w.String())
}

type weekFiguresView struct {
	Week  weekNav
	May   bool
	Rows  []weekFiguresRow
	Total []figureCell
	Heads []string
	Types []string // names of the scam types, as shown
	Hints []caseHint
	Error string
}

type weekFiguresRow struct {
	ID    fleet.UnitID
	Unit  string
	Cells []figureCell
	Types []figureCell
	By    string // who entered it; empty for nobody
	Error string
}

// figureCell is one count: a field of the form, and how it stands.
type figureCell struct {
	Name, Label  string // of the field
	Text         string // as typed; empty where it is not known
	Week, Year   string // 环比, 同比; — where there is no past
	WeekT, YearT string // tone of each
}

// caseHint is a scam type with cases and the clips there are against it.
type caseHint struct {
	Type  string
	Cases int
	Clips []titled
	More  string // path of the library, narrowed to the type
}

type titled struct{ Title, Href string }

func figureText(m fleet.Tally, f fleet.Figures) string {
	n, ok := f.Value(m)
	switch {
	case !ok:
		return ""
	case m == fleet.TallyLoss:
		return fleet.Yuan(n)
	}
	return strconv.FormatInt(n, 10)
}

func (l *lang) trend(t fleet.Trend) (text, tone string) {
	switch {
	case !t.Known:
		return "—", ""
	case t.Diff == 0:
		return l.T("trend.same"), ""
	}
	amount := l.T("trend.from_none")
	if t.Rated {
		amount = fmt.Sprintf("%.1f%%", math.Abs(t.Percent))
	}
	if t.Diff > 0 {
		return l.T("trend.up", amount), "bad"
	}
	return l.T("trend.down", amount), "ok"
}

func (l *lang) figureCells(r fleet.FiguresRow) []figureCell {
	cells := make([]figureCell, len(fleet.Tallies))
	for i, m := range fleet.Tallies {
		c := figureCell{Name: fmt.Sprintf("%s-%d", m, r.Unit.ID), Label: r.Unit.Name + " " + l.T("tally."+string(m)), Text: figureText(m, r.Now)}
		c.Week, c.WeekT = l.trend(r.OnWeek(m))
		c.Year, c.YearT = l.trend(r.OnYear(m))
		if m == fleet.TallyReduced || m == fleet.TallyClues || m == fleet.TallyKey { // neither way is better by itself
			c.WeekT, c.YearT = "", ""
		}
		cells[i] = c
	}
	return cells
}

func (s *Server) weekFigures(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "figures.title", "weekly")
	if err != nil {
		return f, err
	}
	w, nav := s.weekOf(r, v)
	rows, err := s.o.WeekFigures.Figures(ctx, w)
	if err != nil {
		return f, err
	}
	view := &weekFiguresView{Week: nav, May: fleet.May(v.User.Role, fleet.ActRegister)}
	for _, m := range fleet.Tallies {
		view.Heads = append(view.Heads, v.L.T("tally."+string(m)))
	}
	for _, t := range scamTypes {
		view.Types = append(view.Types, v.L.tag(t))
	}
	for _, row := range rows {
		line := weekFiguresRow{ID: row.Unit.ID, Unit: row.Unit.Name, Cells: v.L.figureCells(row)}
		if row.Now.Version > 0 {
			line.By = v.L.T("figures.by", row.Now.Name, v.L.Stamp(row.Now.At, v.Now), row.Now.Version)
		}
		for i, t := range scamTypes {
			c := figureCell{Name: fmt.Sprintf("type%d-%d", i, row.Unit.ID), Label: row.Unit.Name + " " + v.L.tag(t)}
			if n := row.Now.Types[t]; n > 0 {
				c.Text = strconv.Itoa(n)
			}
			line.Types = append(line.Types, c)
		}
		view.Rows = append(view.Rows, line)
	}
	total := fleet.FiguresTotal(rows)
	view.Total = v.L.figureCells(total)
	if view.Hints, err = s.caseHints(ctx, v, total.Now); err != nil {
		return f, err
	}
	f.V = view
	return f, nil
}

// hintedClips is how many clips are named for a scam type.
const hintedClips = 3

// caseHints lists the scam types of a week, the most frequent first, with the
// signed clips against them. What is played is decided by a person.
func (s *Server) caseHints(ctx context.Context, v *visit, f fleet.Figures) ([]caseHint, error) {
	if len(f.Types) == 0 {
		return nil, nil
	}
	clips, err := s.o.Clips.Clips(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading clips: %w", err)
	}
	var hints []caseHint
	for _, t := range scamTypes {
		n := f.Types[t]
		if n == 0 {
			continue
		}
		h := caseHint{Type: v.L.tag(t), Cases: n, More: "/clips?type=" + url.QueryEscape(t)}
		for _, c := range clips {
			if c.ScamType == t && c.Standing(s.dayOf(v.Now)) == fleet.ClipApproved && len(h.Clips) < hintedClips {
				h.Clips = append(h.Clips, titled{c.Title, clipPath(c.ID)})
			}
		}
		hints = append(hints, h)
	}
	slices.SortStableFunc(hints, func(a, b caseHint) int { return b.Cases - a.Cases })
	return hints, nil
}

// readFigures reads one unit's fields; told is false where none was sent.
func readFigures(r *http.Request, v *visit, row fleet.FiguresRow, w fleet.ISOWeek) (f fleet.Figures, told bool, err error) {
	f = fleet.Figures{Unit: row.Unit.ID, Week: w, Count: map[fleet.Tally]int64{}, Types: map[string]int{}, At: v.Now, By: v.User.Login, Name: v.User.Name}
	number := func(text string) (int64, error) {
		text = strings.NewReplacer(",", "", "，", "", " ", "").Replace(width.Narrow.String(text))
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, &fleet.Error{Code: fleet.Invalid, Text: fmt.Sprintf("“%s”不是整数。", text), TextEN: fmt.Sprintf("%q is not a whole number.", text)}
		}
		return n, nil
	}
	for _, m := range fleet.Tallies {
		name := fmt.Sprintf("%s-%d", m, row.Unit.ID)
		text := strings.TrimSpace(r.PostFormValue(name))
		told = told || r.PostForm.Has(name)
		if text == "" {
			continue
		}
		var n int64
		if m == fleet.TallyLoss {
			n, err = fleet.ParseYuan(width.Narrow.String(text))
		} else {
			n, err = number(text)
		}
		if err != nil {
			return f, told, err
		}
		f.Count[m] = n
	}
	for i, t := range scamTypes {
		text := strings.TrimSpace(r.PostFormValue(fmt.Sprintf("type%d-%d", i, row.Unit.ID)))
		if text == "" || text == "0" {
			continue
		}
		n, err := number(text)
		if err != nil {
			return f, told, err
		}
		f.Types[t] = int(min(n, math.MaxInt32))
	}
	return f, told, f.Check()
}

// saveWeekFigures keeps what was typed, all of it or nothing.
func (s *Server) saveWeekFigures(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	week, nav := s.weekOf(r, v)
	rows, err := s.o.WeekFigures.Figures(r.Context(), week)
	if err != nil {
		return err
	}
	var all []fleet.Figures
	var before, after []string
	wrong := map[fleet.UnitID]string{}
	for _, row := range rows {
		f, told, err := readFigures(r, v, row, week)
		if why, ok := refusalOf(v.L, err); ok {
			wrong[row.Unit.ID] = why
			continue
		}
		if err != nil {
			return err
		}
		if told && !f.Same(row.Now) {
			all = append(all, f)
			before = append(before, row.Unit.Name, figuresLine(row.Now))
			after = append(after, row.Unit.Name, figuresLine(f))
		}
	}
	if len(wrong) > 0 {
		return s.refuseFigures(w, r, v, wrong)
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditFigures, Object: week.String(), Before: fleet.Fields(before...), After: fleet.Fields(after...)})
	n, err := s.o.WeekFigures.SaveFigures(ctx, all)
	if err != nil {
		return err
	}
	if n > 0 {
		s.audited(r, line)
	}
	return redirect(w, r, "/figures?week="+nav.Week+"&done=figures")
}

// figuresLine is what the audit keeps of a unit's counts.
func figuresLine(f fleet.Figures) string {
	var parts []string
	for _, m := range fleet.Tallies {
		if text := figureText(m, f); text != "" {
			parts = append(parts, string(m)+" "+text)
		}
	}
	for _, t := range scamTypes {
		if n := f.Types[t]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", t, n))
		}
	}
	return strings.Join(parts, ", ")
}

// refuseFigures shows the form again with all that was typed.
func (s *Server) refuseFigures(w http.ResponseWriter, r *http.Request, v *visit, wrong map[fleet.UnitID]string) error {
	f, err := s.weekFigures(r.Context(), v, r)
	if err != nil {
		return err
	}
	f.Here = "/figures?week=" + f.V.(*weekFiguresView).Week.Week
	view := f.V.(*weekFiguresView)
	view.Error = v.L.T("figures.refused", len(wrong))
	for i := range view.Rows {
		row := &view.Rows[i]
		row.Error = wrong[row.ID]
		for _, cells := range [][]figureCell{row.Cells, row.Types} {
			for k := range cells {
				if r.PostForm.Has(cells[k].Name) {
					cells[k].Text = r.PostFormValue(cells[k].Name)
				}
			}
		}
	}
	return s.show(w, http.StatusUnprocessableEntity, "weekfigures", f)
}

// exportWeekFigures sends the table as xlsx or CSV.
func (s *Server) exportWeekFigures(w http.ResponseWriter, r *http.Request, v *visit) error {
	week, _ := s.weekOf(r, v)
	rows, err := s.o.WeekFigures.Figures(r.Context(), week)
	if err != nil {
		return err
	}
	l := v.L
	p := sheet.Page{Name: l.T("figures.title"), Above: []string{l.T("figures.title") + " " + l.week(week)}, Columns: columns(l.T("points.col.unit"))}
	for _, m := range fleet.Tallies {
		name := l.T("tally." + string(m))
		p.Columns = append(p.Columns, columns(name, name+" "+l.T("figures.week"), name+" "+l.T("figures.year"))...)
	}
	line := func(name string, row fleet.FiguresRow) {
		cells := []string{name}
		for _, c := range l.figureCells(row) {
			cells = append(cells, c.Text, c.Week, c.Year)
		}
		p.Rows = append(p.Rows, cells)
	}
	for _, row := range rows {
		line(row.Unit.Name, row)
	}
	line(l.T("total"), fleet.FiguresTotal(rows))
	format := tableFormat(r)
	s.audit(r, v, fleet.AuditExport, l.T("figures.title")+" "+week.String(), format)
	return s.sendPages(w, []sheet.Page{p}, l.T("figures.title")+"-"+week.String(), format)
}

// tableFormat is the form of table that a request wants: xlsx, or csv.
func tableFormat(r *http.Request) string {
	if r.FormValue("format") == "csv" {
		return "csv"
	}
	return "xlsx"
}
