package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// UrgentDesk submits, signs and ends urgent broadcasts. It asks for the
// permission itself; refusals are *fleet.Errors.
type UrgentDesk interface {
	Submit(ctx context.Context, by fleet.User, want fleet.Insertion, now time.Time) (fleet.Insertion, error)
	Sign(ctx context.Context, by fleet.User, id fleet.InsertionID, now time.Time) (fleet.Insertion, error)
	End(ctx context.Context, by fleet.User, id fleet.InsertionID, reason string, now time.Time) (fleet.Insertion, error)
	DrillTone() []byte // a WAV file
}

// Insertions are the urgent broadcasts.
type Insertions interface {
	Insertions(ctx context.Context, limit int) ([]fleet.Insertion, error) // newest first
	// Insertion returns one; fleet.NotFound if there is none.
	Insertion(ctx context.Context, id fleet.InsertionID) (fleet.Insertion, error)
}

// urgentRoutes are 紧急插播: an urgent one-off broadcast and its signatures.
func (s *Server) urgentRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRead, "/urgent", "urgentlist", s.urgentList)
	s.may(mux, fleet.ActUrgent, "GET /urgent/new", s.urgentForm)
	s.may(mux, fleet.ActUrgent, "POST /urgent", s.submitUrgent)
	s.page(mux, fleet.ActUrgent, "/urgent/texts", "urgenttexts", s.urgentTexts)
	s.may(mux, fleet.ActUrgent, "POST /urgent/texts", s.saveUrgentText)
	s.may(mux, fleet.ActUrgent, "POST /urgent/texts/{id}/delete", s.dropUrgentText)
	s.page(mux, fleet.ActRead, "/urgent/{id}", "urgent", s.urgentBoard)
	s.may(mux, fleet.ActApprove, "POST /urgent/{id}/sign", s.signUrgent)
	s.may(mux, fleet.ActUrgent, "POST /urgent/{id}/end", s.endUrgent)
}

func urgentPath(id fleet.InsertionID) string { return fmt.Sprintf("/urgent/%d", id) }

// maxUrgent is how many the list shows.
const maxUrgent = 100

type urgentRow struct {
	Href, At, Title, Area, By string
	State                     deviceState
}

type urgentListView struct {
	Rows  []urgentRow
	Order []string // the classes of sound, the highest first
}

// priorities names the classes of sound, the highest first. One of a higher
// class ends one of a lower; agent/playout holds to it.
func (l *lang) priorities() []string {
	return []string{l.T("urgent.class.silence"), l.T("urgent.class.urgent"), l.T("urgent.class.schedule"), l.T("urgent.class.tone")}
}

func (s *Server) urgentList(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "urgent.title", "")
	if err != nil {
		return f, err
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	all, err := s.o.Insertions.Insertions(ctx, maxUrgent)
	if err != nil {
		return f, err
	}
	view := &urgentListView{Order: v.L.priorities()}
	for _, i := range all {
		view.Rows = append(view.Rows, urgentRow{
			Href: urgentPath(i.ID), At: v.L.Stamp(i.At, v.Now), Title: v.L.urgentTitle(i), Area: v.L.scope(p, i.Area), By: signer(i.Name, i.By), State: v.L.urgentState(i, s.o.Quiet, v.Now),
		})
	}
	f.V = view
	return f, nil
}

// urgentTitle is what it is about; a drill says that it is one.
func (l *lang) urgentTitle(i fleet.Insertion) string {
	if i.Drill != fleet.NoDrill {
		return l.T("urgent.drill.title", i.Title)
	}
	return i.Title
}

func (l *lang) urgentState(i fleet.Insertion, hours fleet.QuietHours, now time.Time) deviceState {
	state := i.Standing(now)
	text := l.T("urgent.state." + string(state))
	switch state {
	case fleet.InsertionWaiting:
		quiet := hours.Over(l.in(now), l.in(now).Add(i.Sounding()))
		return deviceState{"warn", "i-clock", l.T("urgent.waiting", len(i.Signatures), i.Needs(quiet))}
	case fleet.InsertionLive:
		if i.Unconfirmed() {
			return deviceState{"bad", "i-alert", l.T("urgent.unconfirmed", l.Clock(i.At.Add(fleet.ConfirmWithin)))}
		}
		return deviceState{"info", "i-horn", text}
	case fleet.InsertionUnconfirmed:
		return deviceState{"bad", "i-alert", text}
	}
	return deviceState{"", "i-check", text}
}

func (s *Server) urgentOf(r *http.Request) (fleet.Insertion, error) {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64) // what is no number is nobody's
	return s.o.Insertions.Insertion(r.Context(), fleet.InsertionID(id))
}

func (s *Server) signUrgent(w http.ResponseWriter, r *http.Request, v *visit) error {
	i, err := s.urgentOf(r)
	if err != nil {
		return err
	}
	if i.Drill != fleet.NoDrill {
		if err := s.drillClash(r.Context(), v); err != nil {
			return err
		}
	}
	was := i.State == fleet.InsertionLive
	if i, err = s.o.Urgent.Sign(r.Context(), v.User, i.ID, v.Now); err != nil {
		return err
	}
	s.audit(r, v, fleet.AuditUrgentSigned, fmt.Sprint(i.ID), string(i.State))
	done := "urgent_signed"
	if !was { // confirming what sounds already passes nothing on again
		done = s.passOn(r, v, i, done)
	}
	return redirect(w, r, urgentPath(i.ID)+"?done="+done)
}

func (s *Server) endUrgent(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	i, err := s.urgentOf(r)
	if err != nil {
		return err
	}
	if i, err = s.o.Urgent.End(r.Context(), v.User, i.ID, r.FormValue("reason"), v.Now); err != nil {
		return err
	}
	s.audit(r, v, fleet.AuditUrgentEnded, fmt.Sprint(i.ID), strings.TrimSpace(string(i.State)+" "+i.EndReason))
	return redirect(w, r, urgentPath(i.ID)+"?done=urgent_ended")
}
