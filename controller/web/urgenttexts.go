package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"gatecast/controller/fleet"
)

// UrgentTexts keeps the prepared texts of urgent broadcasts. Refusals are
// *fleet.Errors.
type UrgentTexts interface {
	UrgentTexts(ctx context.Context) ([]fleet.UrgentText, error) // by title
	// SaveUrgentText adds a text whose ID is 0 and changes any other.
	SaveUrgentText(ctx context.Context, t fleet.UrgentText) (fleet.UrgentTextID, error)
	DropUrgentText(ctx context.Context, id fleet.UrgentTextID) error
}

// urgentTextsView are the templates of urgent broadcasts.
type urgentTextsView struct {
	Rows []urgentTextRow
	New  fleet.UrgentText // zero, for the form of another one
}

type urgentTextRow struct {
	fleet.UrgentText
	Length   string
	Findings []findingRow
	Changed  string
}

func (s *Server) urgentTexts(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "urgent.texts", "")
	if err != nil {
		return f, err
	}
	texts, err := s.o.UrgentTexts.UrgentTexts(ctx)
	if err != nil {
		return f, fmt.Errorf("reading urgent texts: %w", err)
	}
	view := &urgentTextsView{}
	for _, t := range texts {
		spoken := s.spokenOf(v, t.Spoken).checked(v.L)
		row := urgentTextRow{UrgentText: t, Length: spoken.Length, Findings: spoken.Findings}
		if !t.Example {
			row.Changed = v.L.T("urgent.by", t.By, v.L.Stamp(t.At, v.Now))
		}
		view.Rows = append(view.Rows, row)
	}
	f.V = view
	return f, nil
}

// saveUrgentText adds or changes a template.
func (s *Server) saveUrgentText(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	id, _ := strconv.ParseInt(r.FormValue("id"), 10, 64) // empty for a new one
	t, err := fleet.UrgentText{ID: fleet.UrgentTextID(id), Title: r.FormValue("title"), Spoken: r.FormValue("spoken"), At: v.Now, By: v.User.Login}.Check()
	if err != nil {
		return err
	}
	before := ""
	if all, err := s.o.UrgentTexts.UrgentTexts(r.Context()); err == nil {
		if i := slices.IndexFunc(all, func(o fleet.UrgentText) bool { return o.ID == t.ID }); i >= 0 {
			before = fleet.Fields("title", all[i].Title, "spoken", all[i].Spoken)
		}
	}
	if _, err := s.o.UrgentTexts.SaveUrgentText(r.Context(), t); err != nil {
		return err
	}
	s.auditLine(r, v, fleet.Audit{What: fleet.AuditUrgentText, Object: t.Title, Before: before, After: fleet.Fields("title", t.Title, "spoken", t.Spoken)})
	return redirect(w, r, "/urgent/texts?done=urgent_text")
}

// dropUrgentText deletes a template.
func (s *Server) dropUrgentText(w http.ResponseWriter, r *http.Request, v *visit) error {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64) // what is no number is nobody's
	all, err := s.o.UrgentTexts.UrgentTexts(r.Context())
	if err != nil {
		return fmt.Errorf("reading urgent texts: %w", err)
	}
	if err := s.o.UrgentTexts.DropUrgentText(r.Context(), fleet.UrgentTextID(id)); err != nil {
		return err
	}
	if i := slices.IndexFunc(all, func(o fleet.UrgentText) bool { return int64(o.ID) == id }); i >= 0 {
		s.auditLine(r, v, fleet.Audit{What: fleet.AuditUrgentText, Object: all[i].Title, Before: fleet.Fields("title", all[i].Title, "spoken", all[i].Spoken)})
	}
	return redirect(w, r, "/urgent/texts?done=urgent_text")
}
