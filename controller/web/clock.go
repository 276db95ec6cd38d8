package web

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// demandSync sets how far the time at a point must be trusted for a sound.
func (s *Server) demandSync(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	id, err := pointID(r)
	if err != nil {
		return err
	}
	pt, err := s.o.Registry.Point(r.Context(), id)
	if err != nil {
		return fmt.Errorf("reading point: %w", err)
	}
	on := r.FormValue("need") == "sync"
	what := fleet.AuditPointTime
	if on {
		what = fleet.AuditPointSync
	}
	ctx, line := s.withAudit(r, v, fleet.Audit{
		What: what, Object: pt.Name, Before: fleet.Fields("need_sync", strconv.FormatBool(pt.NeedSync)), After: fleet.Fields("need_sync", strconv.FormatBool(on)),
	})
	if err := s.o.Points.SetPointNeedSync(ctx, id, on); err != nil {
		return fmt.Errorf("setting what %q demands of its clock: %w", pt.Code, err)
	}
	s.audited(r, line)
	return redirect(w, r, pointPath(id))
}

// timeTrust says how far a device's time is trusted, and within what.
func (l *lang) timeTrust(t wire.TimeState) string {
	word := l.T(fmt.Sprintf("device.time.t%d", min(max(int(t.Level), 0), 2)))
	if t.Level < wire.T1 {
		return word
	}
	return l.T("device.time.err", word, l.amount(time.Duration(max(t.ErrMS, 1))*time.Millisecond))
}

// drift says how a device's clock stood against the controller's when they
// were compared last, and whether a crystal may run so.
func (l *lang) drift(t wire.TimeState) (text string, ok bool) {
	if t.ComparedUS == 0 {
		return l.T("drift.none"), true
	}
	off := time.Duration(t.OffMS) * time.Millisecond
	text = l.T("drift.fast", l.amount(off))
	if off < 0 {
		text = l.T("drift.slow", l.amount(-off))
	}
	ppm, known := t.DriftPPM()
	if !known {
		return text, off.Abs() <= time.Second+time.Duration(t.ErrMS)*time.Millisecond
	}
	return l.T("drift.over", text, l.Span(time.Duration(t.SpanS)*time.Second), fmt.Sprintf("%+.1f", ppm)), math.Abs(ppm) <= wire.DriftPPM
}

// amount is a duration as exact as it is short: 40 ms, 38.9 s, 2 hours.
func (l *lang) amount(d time.Duration) string {
	switch {
	case d < time.Second:
		return l.T("span.milli", d.Milliseconds())
	case d < 2*time.Minute:
		return l.T("span.tenths", fmt.Sprintf("%.1f", d.Seconds()))
	}
	return l.Span(d)
}
