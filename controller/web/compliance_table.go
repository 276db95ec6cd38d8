package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"gatecast/controller/fleet"
	"gatecast/controller/sheet"
)

// complianceRoutes are the pages of the ledger.
func (s *Server) complianceRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRead, "/compliance", "compliance", s.compliance)
	s.may(mux, fleet.ActRead, "GET /compliance/export", s.export)
	s.may(mux, fleet.ActRead, "GET /compliance/table.xlsx", s.complianceBook)
	s.may(mux, fleet.ActRead, "GET /compliance/slots.csv", s.complianceRows)
}

// maxExported is how many slots a file holds; above that a list is no list any
// more, and the period or the place has to be narrowed.
const maxExported = 50_000

// complianceBook sends what the page shows as a workbook, with every line of the
// tables and the list, not only those of one page.
func (s *Server) complianceBook(w http.ResponseWriter, r *http.Request, v *visit) error {
	ctx, q := r.Context(), s.readCompliance(r.URL.Query(), v.Now)
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return err
	}
	view := &complianceView{Filter: q}
	if err := s.count(ctx, v, view, p, q); err != nil {
		return err
	}
	list, err := s.slotSheet(ctx, v, p, q)
	if err != nil {
		return err
	}
	if view.Outages, err = s.outageRows(ctx, v, q); err != nil {
		return err
	}
	l := v.L
	times := "compliance.by_day"
	if view.Monthly {
		times = "compliance.by_time_month"
	}
	pages := []sheet.Page{
		l.countSheet(view.Tree.Head, view.Tree.lines, view.Total), l.countSheet(l.T(times), view.ByTime, view.Total), l.countSheet(l.T("compliance.by_slot"), view.BySlot, view.Total),
		list, l.outageSheet(view.Outages),
	}
	above := []string{l.T("compliance.print", s.siteName(p.units), string(q.From), string(q.To), l.in(v.Now).Format("2006-01-02 15:04")), l.filterWords(p, q), l.T("compliance.formula")}
	for i := range pages {
		pages[i].Above = above
	}
	s.audit(r, v, fleet.AuditExport, string(q.From)+" – "+string(q.To), "xlsx "+l.filterWords(p, q))
	return s.handOut(w, r, v, l.T("nav.compliance"), pages, l.tableName(q), "xlsx")
}

// complianceRows sends the list alone, as CSV.
func (s *Server) complianceRows(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := s.readCompliance(r.URL.Query(), v.Now)
	p, err := s.places(r.Context(), fleet.PointFilter{})
	if err != nil {
		return err
	}
	list, err := s.slotSheet(r.Context(), v, p, q)
	if err != nil {
		return err
	}
	s.audit(r, v, fleet.AuditExport, string(q.From)+" – "+string(q.To), "csv "+v.L.filterWords(p, q))
	return s.handOut(w, r, v, v.L.T("nav.compliance"), []sheet.Page{list}, v.L.tableName(q), "csv")
}

func (l *lang) tableName(q complianceFilter) string {
	return fmt.Sprintf("%s-%s-%s", l.T("nav.compliance"), q.From, q.To)
}

// filterWords says what a table was narrowed to.
func (l *lang) filterWords(p *places, q complianceFilter) string {
	text := l.T("compliance.everywhere")
	if q.Unit != 0 {
		text = p.unit[q.Unit].Name
	}
	for _, part := range []string{p.compound[q.Compound].Name, p.point[q.Point].Name, q.Slot, l.listing(q), l.reason(q.Reason), string(q.Grade)} {
		if part != "" {
			text += " · " + part
		}
	}
	if q.NoDemo {
		text += " · " + l.T("compliance.no_demo")
	}
	return text
}

func columns(heads ...string) []sheet.Column {
	all := make([]sheet.Column, len(heads))
	for i, h := range heads {
		all[i].Head = h
	}
	return all
}

// countSheet is a table of counts with its total.
func (l *lang) countSheet(name string, rows []countRow, total figures) sheet.Page {
	p := sheet.Page{Name: name, Columns: columns(name, l.T("compliance.col.more"), l.T("count.owed"))}
	for _, part := range total.Parts {
		p.Columns = append(p.Columns, sheet.Column{Head: l.T("verdict." + part.V)})
	}
	p.Columns = append(p.Columns, columns(l.T("rate.confirmed"), l.T("rate.counting"))...)
	add := func(name, hint string, f figures) {
		row := []string{name, hint, strconv.Itoa(f.Owed)}
		for _, part := range f.Parts {
			row = append(row, strconv.Itoa(part.N))
		}
		p.Rows = append(p.Rows, append(row, f.Confirmed, f.Counting))
	}
	for _, r := range rows {
		add(r.Name, r.Hint, r.figures)
	}
	add(l.T("total"), "", total)
	return p
}

// slotSheet is the list with all its pages.
func (s *Server) slotSheet(ctx context.Context, v *visit, p *places, q complianceFilter) (sheet.Page, error) {
	l := v.L
	ask := q.slots()
	ask.Limit = maxExported + 1
	rows, err := s.o.Figures.Slots(ctx, ask)
	if err != nil {
		return sheet.Page{}, fmt.Errorf("reading slots: %w", err)
	}
	if len(rows) > maxExported {
		return sheet.Page{}, &fleet.Error{Code: fleet.Invalid, Text: l.T("compliance.too_many", maxExported), TextEN: l.T("compliance.too_many", maxExported)}
	}
	away, err := s.outagesOf(ctx, q.From, q.To)
	if err != nil {
		return sheet.Page{}, err
	}
	page := sheet.Page{Name: l.T("compliance.sheet.slots"), Columns: columns(l.T("compliance.col.code"), l.T("col.point"), l.T("points.col.unit"), l.T("compliance.col.compound"), l.T("preview.day"), l.T("col.slot"),
		l.T("compliance.col.start"), l.T("compliance.col.end"), l.T("col.result"), l.T("col.why"), l.T("col.evidence"), l.T("col.plays"), l.T("slot.from"), l.T("slot.settled"), l.T("compliance.col.away"), l.T("compliance.col.demo"))}
	for _, o := range rows {
		demo := ""
		if o.Demo {
			demo = l.T("yes")
		}
		settled := ""
		if !o.Settled.IsZero() {
			settled = l.in(o.Settled).Format("2006-01-02 15:04:05")
		}
		page.Rows = append(page.Rows, []string{
			p.point[o.Point].Code, p.point[o.Point].Name, p.unit[o.Unit].Name, p.compound[o.Compound].Name, string(o.Day), o.Name,
			l.in(o.Start).Format("15:04"), l.in(o.End).Format("15:04"), l.T("verdict." + string(o.Verdict)), l.why(o), string(o.Grade),
			fmt.Sprintf("%d/%d", o.PlaysOK, o.Plays), l.T("slot.programme", o.Programme, o.Version), settled, l.away(away, o), demo,
		})
	}
	return page, nil
}

func (l *lang) outageSheet(rows []outageRow) sheet.Page {
	p := sheet.Page{Name: l.T("compliance.sheet.outages"), Columns: columns(l.T("outage.kind"), l.T("outage.time"), l.T("outage.length"))}
	for _, o := range rows {
		p.Rows = append(p.Rows, []string{o.Kind, o.When, o.Span})
	}
	return p
}
