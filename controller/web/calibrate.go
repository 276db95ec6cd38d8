package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"gatecast/controller/fleet"
)

// calibrationView is what was measured at a point, with the form for more.
type calibrationView struct {
	ID      fleet.PointID
	Name    string
	Code    string
	Cap     int
	Form    calibrationForm
	Rows    []calibrationRow
	Methods []option
	Classes []option
}

type calibrationForm struct{ Day, On, Off, Who, Note, Error string }

type calibrationRow struct {
	Day, On, Off, Rise, Method, Who, Note, By string
	Class                                     int
	Warnings                                  []string
	Photo                                     string // path; empty for none
}

func (s *Server) calibration(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	pt, err := s.pointOf(ctx, r)
	if err != nil {
		return frame{}, err
	}
	f, err := s.frame(ctx, v, r, "calibration.title", "points")
	if err != nil {
		return f, err
	}
	view := &calibrationView{ID: pt.ID, Name: pt.Name, Code: pt.Code, Cap: pt.CapPct, Form: calibrationForm{Day: string(s.dayOf(v.Now)), Who: v.User.Name}}
	if view.Rows, err = s.calibrationRows(ctx, v.L, pt.ID); err != nil {
		return f, err
	}
	view.choices(v.L, fleet.ByMeter, strconv.Itoa(max(1, pt.NoiseClass)))
	f.V = view
	return f, nil
}

func (v *calibrationView) choices(l *lang, method, class string) {
	v.Methods, v.Classes = nil, nil
	for _, m := range []string{fleet.ByMeter, fleet.ByApp} {
		v.Methods = append(v.Methods, option{Value: m, Text: l.T("calibration.method." + m), On: m == method})
	}
	for _, c := range []string{"1", "2"} {
		v.Classes = append(v.Classes, option{Value: c, Text: l.T("reg.point.class." + c), On: c == class})
	}
}

func (s *Server) calibrationRows(ctx context.Context, l *lang, id fleet.PointID) ([]calibrationRow, error) {
	all, err := s.o.Sites.Calibrations(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("reading calibrations: %w", err)
	}
	var rows []calibrationRow
	for _, c := range all {
		row := calibrationRow{
			Day: string(c.Day), On: decibels(c.OnDB), Off: decibels(c.OffDB), Rise: decibels(c.OnDB - c.OffDB), Method: l.T("calibration.method." + c.Method),
			Who: c.Who, Note: c.Note, By: c.By, Class: c.Class,
		}
		for _, w := range c.Warnings() {
			row.Warnings = append(row.Warnings, l.T("calibration.warn."+string(w), fleet.MaxRiseDB, fleet.DayLimit(c.Class)))
		}
		if c.Photo != 0 {
			row.Photo = fmt.Sprintf("%s/photos/%d", pointPath(id), c.Photo)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func decibels(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// calibrate keeps what was measured. A photo that is too large or no photo is
// refused with the rest, and what was typed stays.
func (s *Server) calibrate(w http.ResponseWriter, r *http.Request, v *visit) error {
	pt, err := s.pointOf(r.Context(), r)
	if err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxPhoto+maxForm)
	var photo []byte
	err = r.ParseMultipartForm(maxForm)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		err = badPhoto("照片超过 12 MB，请用手机的普通画质重拍。", "The photo is above 12 MB: take it with the telephone's normal quality.")
	case err != nil:
		err = badPhoto("没有收到完整的表单，请重新提交。", "The form did not arrive whole: send it again.")
	default:
		defer r.MultipartForm.RemoveAll() //nolint:errcheck // files of the operating system's temporary folder
		photo, err = sentPhoto(r)
	}
	number := func(name string) float64 {
		x, bad := strconv.ParseFloat(strings.TrimSpace(r.FormValue(name)), 64)
		if bad != nil {
			return 0 // refused
		}
		return x
	}
	class, _ := strconv.Atoi(r.FormValue("class")) // 0 is refused
	c := fleet.Calibration{
		Point: pt.ID, Day: fleet.Day(strings.TrimSpace(r.FormValue("day"))), OnDB: number("on"), OffDB: number("off"), Method: r.FormValue("method"), Class: class,
		Who: strings.TrimSpace(r.FormValue("who")), Note: strings.TrimSpace(r.FormValue("note")), By: v.User.Login, At: v.Now,
	}
	if err == nil {
		err = c.Check(s.dayOf(v.Now))
	}
	if why, ok := refusalOf(v.L, err); ok {
		f, err := s.calibration(r.Context(), v, r)
		if err != nil {
			return err
		}
		view := f.V.(*calibrationView)
		view.Form = calibrationForm{Day: r.FormValue("day"), On: r.FormValue("on"), Off: r.FormValue("off"), Who: r.FormValue("who"), Note: r.FormValue("note"), Error: why}
		view.choices(v.L, c.Method, r.FormValue("class"))
		return s.show(w, http.StatusUnprocessableEntity, "calibration", f)
	}
	if err != nil {
		return err
	}
	before := ""
	if last, err := s.o.Sites.Calibrations(r.Context(), pt.ID); err != nil {
		return fmt.Errorf("reading calibrations: %w", err)
	} else if len(last) > 0 {
		before = fleet.Fields("day", string(last[0].Day), "on", decibels(last[0].OnDB), "off", decibels(last[0].OffDB))
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{
		What: fleet.AuditCalibrated, Object: pt.Name, Detail: string(c.Day), Before: before,
		After: fleet.Fields("day", string(c.Day), "on", decibels(c.OnDB), "off", decibels(c.OffDB), "method", c.Method, "class", strconv.Itoa(c.Class), "who", c.Who, "photo", strconv.FormatBool(photo != nil)),
	})
	if _, err := s.o.Sites.AddCalibration(ctx, c, photo); err != nil {
		return fmt.Errorf("storing calibration of %q: %w", pt.Code, err)
	}
	s.audited(r, line)
	return redirect(w, r, pointPath(pt.ID)+"/calibration?done=saved")
}

// sentPhoto returns the photo of a form, encoded anew; nil for none.
func sentPhoto(r *http.Request) ([]byte, error) {
	file, head, err := r.FormFile("photo")
	if errors.Is(err, http.ErrMissingFile) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if head.Size == 0 {
		return nil, nil
	}
	return shrinkPhoto(file)
}

func (s *Server) calibrationPhoto(w http.ResponseWriter, r *http.Request, _ *visit) error {
	id, err := pointID(r)
	if err != nil {
		return err
	}
	n, err := idOf(r, "photo", errNoPage)
	if err != nil {
		return err
	}
	jpeg, err := s.o.Sites.CalibrationPhoto(r.Context(), id, fleet.PhotoID(n))
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "image/jpeg")
	h.Set("Cache-Control", "private, max-age=3600")
	_, _ = w.Write(jpeg) // the reader may have gone
	return nil
}
