package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/schedules"
)

// calendarRoutes are the office's calendar: exams, days of mourning, stops.
func (s *Server) calendarRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRead, "/calendar", "calendar", s.calendarPage)
	s.page(mux, fleet.ActActivate, "/calendar/new", "entryform", s.newEntry)
	s.may(mux, fleet.ActActivate, "POST /calendar", s.saveEntry)
	s.page(mux, fleet.ActRead, "/calendar/{id}", "entry", s.entry)
	s.may(mux, fleet.ActActivate, "POST /calendar/{id}/end", s.endEntry)
	s.page(mux, fleet.ActRead, "/points/{id}/calendar", "pointcalendar", s.pointCalendar)
	s.page(mux, fleet.ActRead, "/holidays", "holidays", s.holidays)
	s.may(mux, fleet.ActActivate, "POST /holidays", s.importHolidays)
}

func entryPath(id fleet.EntryID) string { return fmt.Sprintf("/calendar/%d", id) }

// calendarView is the list of entries.
type calendarView struct {
	Rows     []entryRow
	Past     bool   // those that are over are shown
	PastHref string // to the other list
	MayWrite bool
	Due      int // year whose exams are to be entered; 0 for none
}

// entryRow is one entry in the list and on its own page.
type entryRow struct {
	ID        fleet.EntryID
	Href      string
	Kind      string
	Title     string
	Document  string
	Link      string // the document, where it is a link
	Dates     string
	Spans     []string
	State     deviceState
	By        string
	Over      bool
	Ended     string // by whom, when and why it was taken back
	MayEnd    bool
	EndReason string // as typed, after a failed attempt
	EndError  string
}

func (s *Server) calendarPage(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "calendar.title", "programmes")
	if err != nil {
		return f, err
	}
	entries, err := s.o.Almanac.Entries(ctx)
	if err != nil {
		return f, fmt.Errorf("reading calendar: %w", err)
	}
	view := &calendarView{MayWrite: fleet.May(v.User.Role, fleet.ActActivate), Past: r.URL.Query().Get("past") == "1", PastHref: "/calendar?past=1"}
	if view.Past {
		view.PastHref = "/calendar"
	}
	today := schedules.DateOf(v.Now, s.o.Zone)
	if examsDue(entries, today) {
		view.Due = today.Year
	}
	for _, e := range entries {
		row := v.L.entryRow(e, v.Now)
		if row.Over == view.Past {
			view.Rows = append(view.Rows, row)
		}
	}
	f.V = view
	return f, nil
}

// entryRow describes an entry.
func (l *lang) entryRow(e fleet.CalendarEntry, now time.Time) entryRow {
	row := entryRow{
		ID: e.ID, Href: entryPath(e.ID), Kind: l.T("entry.kind." + string(e.Kind)), Title: e.Title, Document: e.Document,
		Dates: l.daySpan(e.First(), e.Last(), now), By: l.T("entry.by", signer(e.Name, e.By), l.Stamp(e.At, now)),
	}
	if strings.HasPrefix(e.Document, "https://") || strings.HasPrefix(e.Document, "http://") {
		row.Link = e.Document
	}
	for _, span := range e.Spans {
		row.Spans = append(row.Spans, l.entrySpan(span, now))
	}
	today := fleet.Day(l.in(now).Format(time.DateOnly))
	switch {
	case !e.Ended.IsZero():
		row.Over, row.State = true, deviceState{"", "i-undo", l.T("entry.ended")}
		row.Ended = l.T("entry.ended.by", e.EndedBy, l.Stamp(e.Ended, now), e.EndReason)
	case e.Last() < today:
		row.Over, row.State = true, deviceState{"", "i-check", l.T("entry.over")}
	case e.First() <= today:
		row.State = deviceState{"warn", "i-mute", l.T("entry.holds")}
	default:
		row.State = deviceState{"info", "i-clock", l.T("entry.coming")}
	}
	return row
}

// daySpan is one day or two with a dash between.
func (l *lang) daySpan(from, to fleet.Day, now time.Time) string {
	a, err1 := schedules.ParseDate(string(from))
	b, err2 := schedules.ParseDate(string(to))
	switch {
	case err1 != nil || err2 != nil:
		return string(from) + "–" + string(to)
	case a == b:
		return l.longDate(a, now)
	}
	return l.longDate(a, now) + "–" + l.longDate(b, now)
}

// entrySpan says one range of dates with its windows, area and level.
func (l *lang) entrySpan(span fleet.CalendarSpan, now time.Time) string {
	windows := l.T("entry.all_day")
	if !span.AllDay {
		windows = strings.Join(span.Times, l.T("list"))
	}
	level := l.T("entry.mute")
	if span.GainDB < 0 {
		level = l.T("entry.lower", strconv.FormatFloat(-span.GainDB, 'f', -1, 64))
	}
	area := l.T("scope.all")
	if !span.All {
		var parts []string
		for _, p := range []struct {
			key   string
			words []string
		}{{"entry.area.tags", span.Tags}, {"entry.area.units", span.Units}, {"entry.area.points", span.Points}} {
			if len(p.words) > 6 {
				parts = append(parts, l.T(p.key, strings.Join(p.words[:6], l.T("list"))+l.T("scope.more", len(p.words)-6)))
			} else if len(p.words) > 0 {
				parts = append(parts, l.T(p.key, strings.Join(p.words, l.T("list"))))
			}
		}
		area = strings.Join(parts, l.T("comma"))
	}
	return l.T("entry.span", l.daySpan(span.From, span.To, now), windows, area, level)
}

func (s *Server) entryOf(ctx context.Context, r *http.Request) (fleet.CalendarEntry, error) {
	entries, err := s.o.Almanac.Entries(ctx)
	if err != nil {
		return fleet.CalendarEntry{}, fmt.Errorf("reading calendar: %w", err)
	}
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	i := slices.IndexFunc(entries, func(e fleet.CalendarEntry) bool { return int64(e.ID) == id })
	if i < 0 {
		return fleet.CalendarEntry{}, errNoPage
	}
	return entries[i], nil
}

func (s *Server) entry(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "", "programmes")
	if err != nil {
		return f, err
	}
	e, err := s.entryOf(ctx, r)
	if err != nil {
		return f, err
	}
	row := v.L.entryRow(e, v.Now)
	row.MayEnd = !row.Over && fleet.May(v.User.Role, fleet.ActActivate)
	f.Title, f.V = e.Title, &row
	return f, nil
}

// endEntry takes an entry back.
func (s *Server) endEntry(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	e, err := s.entryOf(r.Context(), r)
	if err != nil {
		return err
	}
	reason := strings.TrimSpace(r.FormValue("reason"))
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditEntryEnded, Object: e.Title, Detail: reason})
	err = s.o.Almanac.EndEntry(ctx, e.ID, v.User.Login, reason, v.Now)
	if why, ok := refusalOf(v.L, err); ok {
		f, err := s.entry(r.Context(), v, r)
		if err != nil {
			return err
		}
		f.V.(*entryRow).EndError, f.V.(*entryRow).EndReason = why, reason
		f.Here = entryPath(e.ID)
		return s.show(w, http.StatusUnprocessableEntity, "entry", f)
	}
	if err != nil {
		return err
	}
	s.audited(r, line)
	return redirect(w, r, entryPath(e.ID)+"?done=entry_ended")
}
