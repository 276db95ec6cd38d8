package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"gatecast/controller/fleet"
	"gatecast/schedules"
)

// holidaysView are the years whose holidays are known, and the form for another.
type holidaysView struct {
	Years    []holidayYear
	Wanting  int // missing year; 0 for none
	MayWrite bool
	Text     string // as typed or read from the file
	File     string
	Error    string
	Problems []problemRow
	Year     int // that the form is about, after a look at it
	Off      int
	Worked   int
	Effect   *effectView
}

// holidayYear is one year of the calendar.
type holidayYear struct {
	Year     int
	Source   string
	Off      string // holidays with their days
	Worked   string // weekend days worked in exchange
	Imported string
}

func (s *Server) holidays(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	return s.holidaysWith(ctx, v, r, &holidaysView{})
}

func (s *Server) holidaysWith(ctx context.Context, v *visit, r *http.Request, view *holidaysView) (frame, error) {
	f, err := s.frame(ctx, v, r, "holidays.title", "programmes")
	if err != nil {
		return f, err
	}
	cal, err := s.calendar(ctx)
	if err != nil {
		return f, err
	}
	tables, err := s.o.Holidays.HolidayTables(ctx)
	if err != nil {
		return f, fmt.Errorf("reading holidays: %w", err)
	}
	view.MayWrite = fleet.May(v.User.Role, fleet.ActActivate)
	view.Wanting, _ = cal.Wanting(schedules.DateOf(v.Now, s.o.Zone))
	for _, year := range slices.Backward(cal.Years()) {
		row := holidayYear{Year: year, Source: v.L.T("holidays.shipped")}
		row.Off, row.Worked = v.L.holidayDays(cal, year)
		for _, t := range tables {
			if t.Year == year {
				row.Source, row.Imported = t.Source, v.L.T("entry.by", t.By, v.L.Stamp(t.Imported, v.Now))
			}
		}
		view.Years = append(view.Years, row)
	}
	f.Here, f.V = "/holidays", view
	return f, nil
}

// holidayDays lists the holidays of a year and the weekend days worked.
func (l *lang) holidayDays(cal *schedules.Calendar, year int) (off, worked string) {
	add := func(list *string, text string) {
		if *list != "" {
			*list += l.T("list")
		}
		*list += text
	}
	var from schedules.Date
	for d := (schedules.Date{Year: year, Month: 1, Day: 1}); d.Year == year; d = d.AddDays(1) {
		kind, _ := cal.DayType(d)
		if kind == schedules.MakeUpWorkday {
			add(&worked, l.Date(l.Day(fleet.Day(d.String()))))
		}
		next := d.AddDays(1)
		if kind != schedules.Holiday {
			continue
		}
		if from.IsZero() {
			from = d
		}
		if k, _ := cal.DayType(next); k != schedules.Holiday || cal.Name(next) != cal.Name(d) || next.Year != year {
			text := cal.Name(d) + " " + l.Date(l.Day(fleet.Day(from.String())))
			if from != d {
				text += "–" + l.Date(l.Day(fleet.Day(d.String())))
			}
			add(&off, text)
			from = schedules.Date{}
		}
	}
	return off, worked
}

// maxHolidayFile is far above what a year's table has.
const maxHolidayFile = 64 << 10

// importHolidays looks at a table and, with do=save, keeps it. The text goes
// along, so that nothing has to be chosen again.
func (s *Server) importHolidays(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	view, err := readHolidays(r)
	again := func(status int) error {
		f, err := s.holidaysWith(r.Context(), v, r, view)
		if err != nil {
			return err
		}
		return s.show(w, status, "holidays", f)
	}
	if err != nil {
		view.Error = v.L.T("holidays.unreadable", maxHolidayFile>>10)
		return again(http.StatusUnprocessableEntity)
	}
	if view.Text == "" {
		view.Error = v.L.T("holidays.nothing")
		return again(http.StatusUnprocessableEntity)
	}
	table, err := schedules.ParseHolidays(view.File, []byte(view.Text))
	if list := (schedules.Errors)(nil); errors.As(err, &list) {
		for _, e := range list {
			view.Problems = append(view.Problems, problemRow{Line: e.Line, Key: e.Key, Text: e.Text(v.L.code), Blocking: true})
		}
		return again(http.StatusUnprocessableEntity)
	}
	if err != nil {
		return fmt.Errorf("reading holidays: %w", err)
	}
	if r.FormValue("do") == "save" {
		ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditHolidays, Object: strconv.Itoa(table.Year), Detail: view.File})
		if err := s.o.Holidays.ImportHolidays(ctx, table, view.File, v.User.Login, v.Now); err != nil {
			return err
		}
		s.audited(r, line)
		return redirect(w, r, "/holidays?done=holidays")
	}
	eff, err := s.o.Holidays.HolidayEffect(r.Context(), table, v.Now)
	if err != nil {
		return fmt.Errorf("comparing holidays: %w", err)
	}
	points, err := s.o.Registry.Points(r.Context(), fleet.PointFilter{})
	if err != nil {
		return fmt.Errorf("reading points: %w", err)
	}
	cal, err := s.calendar(r.Context())
	if err != nil {
		return err
	}
	cal = cal.Clone()
	if err := cal.Import(table.JSON()); err != nil {
		return fmt.Errorf("reading holidays: %w", err)
	}
	view.Year, view.Effect = table.Year, s.effectView(v.L, cal, eff, points, v.Now)
	for _, d := range table.Days {
		if d.Off {
			view.Off++
		} else {
			view.Worked++
		}
	}
	return again(http.StatusOK)
}

// readHolidays takes the file if there is one, otherwise the text.
func readHolidays(r *http.Request) (*holidaysView, error) {
	view := &holidaysView{}
	if err := r.ParseMultipartForm(maxForm); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return view, fmt.Errorf("reading form: %w", err)
	}
	view.Text, view.File = r.FormValue("text"), r.FormValue("name")
	if file, head, err := r.FormFile("file"); err == nil {
		defer file.Close()
		data, err := io.ReadAll(io.LimitReader(file, maxHolidayFile+1))
		if err != nil {
			return view, fmt.Errorf("reading file: %w", err)
		}
		if len(data) > 0 {
			view.Text, view.File = string(data), baseName(head.Filename)
		}
	}
	if view.File == "" {
		view.File = "holidays.csv"
	}
	if len(view.Text) > maxHolidayFile {
		view.Text = ""
		return view, fmt.Errorf("holiday table of over %d bytes", maxHolidayFile)
	}
	return view, nil
}
