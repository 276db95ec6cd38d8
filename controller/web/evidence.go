package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"gatecast/controller/fleet"
)

// Evidence is how far journals can be believed, and the export of it.
type Evidence interface {
	// Breaks returns where the journals of a point do not hold together, the
	// newest first.
	Breaks(ctx context.Context, id fleet.PointID, limit int) ([]fleet.Break, error)
	// NewestReceipt returns the last counter-signature of a device;
	// fleet.NotFound if there is none.
	NewestReceipt(ctx context.Context, d fleet.Device) (fleet.Receipt, error)
	// CheckExport says what is wrong with a wish for an export.
	CheckExport(ctx context.Context, q ExportQuery) error
	// Export writes a zip archive. On an error what was written is useless.
	Export(ctx context.Context, w io.Writer, q ExportQuery) error
}

// ExportQuery says what to export.
type ExportQuery struct {
	From, To fleet.Day // both included
	Point    string    // code; empty for all
}

// evidenceView is the card of a point that says how far its records can be
// believed.
type evidenceView struct {
	Receipt string // the newest one, in a sentence
	Kept    string // whether the device has it
	Breaks  []breakRow
	Export  string // path of the download
}

// breakRow is a place where a journal does not hold together.
type breakRow struct{ Found, Where, Text string }

// maxBreaks is how many a page lists; the export has everything.
const maxBreaks = 10

// exportDays is the period that a point's page offers: those that it shows.
const exportDays = stripDays

func (s *Server) evidenceOf(ctx context.Context, v *visit, pt fleet.Point, d fleet.Device) (*evidenceView, error) {
	today := s.dayOf(v.Now)
	view := &evidenceView{Export: exportPath(ExportQuery{dayPlus(today, 1-exportDays), today, pt.Code})}
	if d.ID != "" {
		r, err := s.o.Evidence.NewestReceipt(ctx, d)
		switch {
		case fleet.CodeOf(err) == fleet.NotFound:
			view.Receipt = v.L.T("evidence.receipt.none")
		case err != nil:
			return nil, fmt.Errorf("reading the newest receipt: %w", err)
		default:
			view.Receipt = v.L.T("evidence.receipt", r.Version, r.Day, uint64(r.Upto))
			view.Kept = v.L.T("evidence.receipt.kept")
			if d.Receipt < r.Version {
				view.Kept = v.L.T("evidence.receipt.waiting")
			}
		}
	}
	all, err := s.o.Evidence.Breaks(ctx, pt.ID, maxBreaks)
	if err != nil {
		return nil, fmt.Errorf("reading where journals are broken: %w", err)
	}
	for _, b := range all {
		view.Breaks = append(view.Breaks, breakRow{
			Found: v.L.Stamp(b.Found, v.Now), Where: v.L.T("evidence.where", string(b.Log), uint64(b.Seq)), Text: v.L.broken(b),
		})
	}
	return view, nil
}

// broken says what is wrong at a place; a code that the catalog lacks shows as
// a general sentence.
func (l *lang) broken(b fleet.Break) string {
	if key := "broken." + string(b.Code); l.Has(key) {
		return l.T(key)
	}
	return l.T("broken.other")
}

// brokenNeed is what the office has to do about breaks.
func (l *lang) brokenNeed(pt fleet.Point, rows []breakRow) need {
	n := need{Tone: "bad", Icon: "i-shield", Point: pt.Name, Href: pointPath(pt.ID), Title: l.T("need.broken", len(rows)), Text: l.T("need.broken.text"), id: pt.ID}
	n.Copy = l.T("need.copy", pt.Name, n.Title, n.Text)
	return n
}

func exportPath(q ExportQuery) string {
	values := url.Values{"from": {string(q.From)}, "to": {string(q.To)}}
	if q.Point != "" {
		values.Set("point", q.Point)
	}
	return "/compliance/export?" + values.Encode()
}

// export downloads the evidence of a period. What goes wrong on the way ends
// the connection, so that the browser does not take half of it for the whole.
func (s *Server) export(w http.ResponseWriter, r *http.Request, v *visit) error {
	f := s.readCompliance(r.URL.Query(), v.Now)
	q := ExportQuery{From: f.From, To: f.To, Point: r.URL.Query().Get("point")}
	if err := s.o.Evidence.CheckExport(r.Context(), q); err != nil {
		return err
	}
	s.audit(r, v, fleet.AuditExport, string(q.From)+" – "+string(q.To), q.Point)
	name := fmt.Sprintf("gatecast-%s-%s.zip", q.From, q.To)
	if q.Point != "" {
		name = fmt.Sprintf("gatecast-%s-%s-%s.zip", q.Point, q.From, q.To)
	}
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(name))
	h.Set("Cache-Control", "no-store")
	if err := s.o.Evidence.Export(r.Context(), w, q); err != nil {
		if !errors.Is(err, context.Canceled) {
			s.o.Logger.Error("writing export", "from", q.From, "to", q.To, "err", err)
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}
