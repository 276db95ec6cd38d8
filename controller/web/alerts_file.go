package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"gatecast/controller/fleet"
	"gatecast/controller/sheet"
)

// maxAlertRows is how many alerts a file has at most: more than a city has
// gates.
const maxAlertRows = 20_000

// alertColumns are the columns of the list as a file.
var alertColumns = []string{"unit", "point", "code", "compound", "trouble", "likely", "slots", "since", "near", "who", "liaison", "state", "ended"}

// alertFile sends the list that the address asks for, all of its pages, with
// masked numbers: as a workbook, or as CSV.
func (s *Server) alertFile(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := readAlertsFilter(r.URL.Query())
	rows, all, err := s.o.Alerts.Alerts(r.Context(), fleet.AlertFilter{Show: q.Show, Unit: q.Unit, Point: q.Point, Trouble: q.Trouble, Query: q.Query, Limit: maxAlertRows})
	if err != nil {
		return fmt.Errorf("reading alerts: %w", err)
	}
	p, err := s.alertPlaces(r.Context())
	if err != nil {
		return err
	}
	what := v.L.T("alerts.show." + string(q.Show))
	page := sheet.Page{Name: v.L.T("alerts.title"), Above: []string{v.L.T("alerts.file.above", what, all, v.L.in(v.Now).Format("2006-01-02 15:04"))}}
	for _, head := range alertColumns {
		page.Columns = append(page.Columns, sheet.Column{Head: v.L.T("alerts.file." + head)})
	}
	for _, a := range rows {
		pt, row := p.point[a.Point], v.L.alertRow(p, a, v.Now)
		ended := ""
		if !a.Open() {
			ended = v.L.in(a.Closed).Format("2006-01-02 15:04")
		}
		page.Rows = append(page.Rows, []string{
			p.unit[pt.Unit].Name, row.Point, row.Code, row.Compound, row.Trouble, row.Likely, strconv.Itoa(a.Slots), v.L.in(a.First).Format("2006-01-02 15:04"), row.Near,
			strings.TrimSpace(row.Who), p.liaisonOf(v.L, pt.Unit), row.State.Text, ended,
		})
	}
	as := "xlsx"
	if strings.HasSuffix(r.URL.Path, ".csv") {
		as = "csv"
	}
	s.audit(r, v, fleet.AuditExport, v.L.T("alerts.title"), as+" "+what)
	return s.handOut(w, r, v, v.L.T("alerts.title"), []sheet.Page{page}, "alerts-"+string(s.dayOf(v.Now)), as)
}
