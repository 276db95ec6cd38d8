package web

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/boombuler/barcode/qr"

	"gatecast/controller/fleet"
)

// joinFor is how long a join code is good.
const joinFor = 24 * time.Hour

// enrolView is the page with a fresh join code: the only time it is shown.
type enrolView struct {
	Point, PointHref string
	Code             string
	Line             string
	URL              string
	File             string
	QR               template.URL // PNG as a data URL
	Expires          string
	State            codeState
	Replaces         bool // the point has a device already
	Unreachable      bool // the URL leads a phone to itself
}

// codeState is whether a code can still be used.
type codeState struct {
	Tone, Icon, Text string
	Usable           bool
}

// maxEnrolPoints bounds the choice; whoever has more points looks for theirs.
const maxEnrolPoints = 200

// enrolListView is the page that starts an enrolment: points without a device
// first, and the codes that are out.
type enrolListView struct {
	Query  string
	Points []enrolPoint // that can be chosen, those without a device first
	Found  int          // that match Query
	Codes  []enrolCode
}

type enrolPoint struct {
	ID         fleet.PointID
	Name, Unit string
	Bare       bool
}

type enrolCode struct {
	Point, Href string
	codeRow
}

func (l *lang) codeState(c fleet.JoinCode, now time.Time) codeState {
	switch {
	case c.UsedBy != "":
		return codeState{Tone: "ok", Icon: "i-check", Text: l.T("join.used", l.Stamp(c.UsedAt, now), c.UsedBy)}
	case !now.Before(c.Expires):
		return codeState{Icon: "i-clock", Text: l.T("join.expired", l.Stamp(c.Expires, now))}
	}
	return codeState{Tone: "info", Icon: "i-clock", Text: l.T("join.open", l.Span(c.Expires.Sub(now))), Usable: true}
}

func (s *Server) codesOf(ctx context.Context, v *visit, id fleet.PointID) ([]codeRow, error) {
	codes, err := s.o.JoinCodes.JoinCodes(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("reading join codes: %w", err)
	}
	var rows []codeRow
	for _, c := range codes {
		rows = append(rows, v.L.codeRow(c, v.Now))
	}
	return rows, nil
}

func (l *lang) codeRow(c fleet.JoinCode, now time.Time) codeRow {
	st := l.codeState(c, now)
	return codeRow{Issued: l.Stamp(c.Issued, now), By: c.By, State: st.Text, Tone: st.Tone}
}

// enrolList shows which points wait for a device.
func (s *Server) enrolList(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "enrol.title", "points")
	if err != nil {
		return f, err
	}
	view := &enrolListView{Query: strings.TrimSpace(r.URL.Query().Get("q"))}
	p, err := s.places(ctx, fleet.PointFilter{Query: view.Query})
	if err != nil {
		return f, err
	}
	codes, err := s.o.JoinCodes.JoinCodes(ctx, 0)
	if err != nil {
		return f, fmt.Errorf("reading join codes: %w", err)
	}
	for _, bare := range []bool{true, false} {
		for _, pt := range p.points {
			if _, has := p.device[pt.ID]; has != bare {
				if view.Found++; view.Found > maxEnrolPoints {
					continue
				}
				view.Points = append(view.Points, enrolPoint{ID: pt.ID, Name: pt.Name, Unit: p.unit[pt.Unit].Name, Bare: bare})
			}
		}
	}
	for i, c := range codes {
		if i == 50 {
			break // older ones stand on the page of their point
		}
		pt, known := p.point[c.Point]
		if !known { // not among those that were looked for
			if pt, err = s.o.Registry.Point(ctx, c.Point); err != nil {
				return f, fmt.Errorf("reading point: %w", err)
			}
		}
		view.Codes = append(view.Codes, enrolCode{Point: pt.Name, Href: pointPath(c.Point), codeRow: v.L.codeRow(c, v.Now)})
	}
	f.V = view
	return f, nil
}

// issueCode makes a join code for the chosen point.
func (s *Server) issueCode(w http.ResponseWriter, r *http.Request, v *visit) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	var id fleet.PointID
	if _, err := fmt.Sscan(r.FormValue("point"), &id); err != nil {
		return &fleet.Error{Code: fleet.Invalid, Text: v.L.T("enrol.choose"), TextEN: v.L.T("enrol.choose")}
	}
	pt, err := s.o.Registry.Point(r.Context(), id)
	if err != nil {
		return fmt.Errorf("reading point: %w", err)
	}
	code, hash := s.o.Trust.NewJoinCode()
	ctx, line := s.withAudit(r, v, fleet.Audit{What: fleet.AuditJoinCode, Object: pt.Name})
	err = s.o.JoinCodes.AddJoinCode(ctx, fleet.JoinCode{
		Hash: hash, Point: id, Issued: v.Now, Expires: v.Now.Add(joinFor), By: v.User.Login,
	})
	if err != nil {
		return fmt.Errorf("storing join code: %w", err)
	}
	s.audited(r, line)
	return redirect(w, r, "/enrol/"+url.PathEscape(code))
}

// enrolCode shows a code that was just made, or that somebody kept the page of.
func (s *Server) enrolCode(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "", "points")
	if err != nil {
		return f, err
	}
	c, pt, err := s.join(ctx, r.PathValue("code"))
	if err != nil {
		return f, err
	}
	view := &enrolView{
		Point: pt.Name, PointHref: pointPath(pt.ID), Code: r.PathValue("code"), Line: s.o.Trust.JoinLine(r.PathValue("code")),
		Expires: v.L.Stamp(c.Expires, v.Now), State: v.L.codeState(c, v.Now),
	}
	view.URL = s.publicURL(r) + "/j/" + url.PathEscape(view.Code)
	view.Unreachable = loopback(view.URL)
	view.File = "/j/" + url.PathEscape(view.Code) + "/join.txt"
	if view.QR, err = qrCode(view.URL); err != nil {
		return f, err
	}
	if _, err := s.o.Devices.DeviceOfPoint(ctx, pt.ID); err == nil {
		view.Replaces = c.UsedBy == ""
	} else if fleet.CodeOf(err) != fleet.NotFound {
		return f, fmt.Errorf("reading device of point: %w", err)
	}
	f.Title, f.V = v.L.T("enrol.of", pt.Name), view
	return f, nil
}

// join finds a code and its point; an unknown code is a page that does not exist.
func (s *Server) join(ctx context.Context, code string) (fleet.JoinCode, fleet.Point, error) {
	hash, err := s.o.Trust.HashCode(code)
	if err != nil {
		return fleet.JoinCode{}, fleet.Point{}, errNoCode
	}
	c, err := s.o.JoinCodes.JoinCode(ctx, hash)
	if fleet.CodeOf(err) == fleet.NotFound {
		return c, fleet.Point{}, errNoCode
	}
	if err != nil {
		return c, fleet.Point{}, fmt.Errorf("looking up join code: %w", err)
	}
	pt, err := s.o.Registry.Point(ctx, c.Point)
	if err != nil {
		return c, pt, fmt.Errorf("reading point of join code: %w", err)
	}
	return c, pt, nil
}

var errNoCode = &fleet.Error{
	Code: fleet.NotFound, Text: "没有这个接入码。请核对后重扫，或请办公室重新生成一个。",
	TextEN: "There is no such join code. Check and scan again, or ask the office for a new one.",
}

// publicURL is the address that phones are given.
func (s *Server) publicURL(r *http.Request) string {
	if s.o.PublicURL != "" {
		return strings.TrimRight(s.o.PublicURL, "/")
	}
	if secure(r) {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// loopback reports whether a URL leads only to the machine that opens it.
func loopback(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || (ip != nil && (ip.IsLoopback() || ip.IsUnspecified()))
}

// qrCode draws text as a QR code of level M, eight pixels a module with the
// quiet margin of four modules that ISO/IEC 18004 asks for.
func qrCode(text string) (template.URL, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", fmt.Errorf("making QR code: %w", err)
	}
	const module, margin = 8, 4
	n := code.Bounds().Dx()
	img := image.NewPaletted(image.Rect(0, 0, (n+2*margin)*module, (n+2*margin)*module), color.Palette{color.White, color.Black})
	for y := range n * module {
		for x := range n * module {
			if grey, _, _, _ := code.At(x/module, y/module).RGBA(); grey < 0x8000 {
				img.SetColorIndex(x+margin*module, y+margin*module, 1)
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return "", fmt.Errorf("encoding QR code: %w", err)
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), nil
}
