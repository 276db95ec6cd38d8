package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// rejectedView is 拒收记录: what devices sent and could not be taken.
type rejectedView struct {
	Devices []rejectedDevice
	Rows    []rejectedRow
	More    bool // there are more than are shown
	Device  string
	All     string // path of the page without a filter
}

// rejectedDevice is one device's part of it.
type rejectedDevice struct {
	Point, PointHref      string
	Device, Href          string
	Kept, Dropped, Refuse int
	Last                  string
	On                    bool
}

// rejectedRow is one record that could not be taken.
type rejectedRow struct {
	Why, What        string // in words; what it means
	Point, PointHref string
	Device, Log      string
	Seq              string
	Received         string
	Bytes            int64
	Raw              string
	Cut              bool
}

// maxRejected is how many records the page lists.
const maxRejected = 200

func (s *Server) rejected(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "rejected.title", "points")
	if err != nil {
		return f, err
	}
	at, err := s.whereabouts(ctx)
	if err != nil {
		return f, err
	}
	view := &rejectedView{Device: r.URL.Query().Get("device"), All: "/rejected"}
	counts, err := s.o.Losses.DeadCounts(ctx)
	if err != nil {
		return f, fmt.Errorf("reading counts of dead letters: %w", err)
	}
	for _, c := range counts {
		pt := at[c.Device]
		view.Devices = append(view.Devices, rejectedDevice{
			Point: pt.Name, PointHref: pointPath(pt.ID), Device: string(c.Device), Href: "/rejected?" + url.Values{"device": {string(c.Device)}}.Encode(),
			Kept: c.Kept, Dropped: c.Dropped, Refuse: c.Refused, Last: v.L.Stamp(c.Last, v.Now), On: string(c.Device) == view.Device,
		})
	}
	letters, err := s.o.Losses.DeadLetters(ctx, fleet.DeadFilter{Device: wire.DeviceID(view.Device), Limit: maxRejected + 1})
	if err != nil {
		return f, fmt.Errorf("reading dead letters: %w", err)
	}
	if view.More = len(letters) > maxRejected; view.More {
		letters = letters[:maxRejected]
	}
	for _, d := range letters {
		pt := at[d.Device]
		code := d.Code
		if !v.L.Has("dead." + string(code)) {
			code = fleet.DeadOther
		}
		row := rejectedRow{
			Why: v.L.T("dead." + string(code)), What: v.L.T("dead." + string(code) + ".text"),
			Point: pt.Name, PointHref: pointPath(pt.ID), Device: string(d.Device), Log: string(d.Log), Seq: v.L.T("none"),
			Received: v.L.Stamp(d.Received, v.Now), Bytes: d.Bytes, Raw: printable(d.Raw), Cut: int64(len(d.Raw)) < d.Bytes,
		}
		if d.Seq > 0 {
			row.Seq = fmt.Sprint(d.Seq)
		}
		view.Rows = append(view.Rows, row)
	}
	f.V = view
	return f, nil
}

// whereabouts returns the point of every device, retired and revoked ones too.
func (s *Server) whereabouts(ctx context.Context) (map[wire.DeviceID]fleet.Point, error) {
	points, err := s.o.Registry.Points(ctx, fleet.PointFilter{})
	if err != nil {
		return nil, fmt.Errorf("reading points: %w", err)
	}
	byID := make(map[fleet.PointID]fleet.Point, len(points))
	for _, p := range points {
		byID[p.ID] = p
	}
	devices, err := s.o.Devices.Devices(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading devices: %w", err)
	}
	at := make(map[wire.DeviceID]fleet.Point, len(devices))
	for _, d := range devices {
		at[d.ID] = byID[d.Point]
	}
	return at, nil
}

// printable shows bytes as text: what is not text as \xNN.
func printable(raw []byte) string {
	var b strings.Builder
	for len(raw) > 0 {
		r, n := utf8.DecodeRune(raw)
		if r == utf8.RuneError && n == 1 || r < ' ' || r == 0x7f {
			fmt.Fprintf(&b, `\x%02x`, raw[0])
			n = 1
		} else {
			b.WriteRune(r)
		}
		raw = raw[n:]
	}
	return b.String()
}

// gapRow is one 记录缺口 of a point.
type gapRow struct {
	Said    string
	Numbers string
	Why     string
	Between string
	Lost    bool
	Device  string
}

// maxGaps is how many of them a point's page lists.
const maxGaps = 20

func (s *Server) gapsOf(ctx context.Context, v *visit, id fleet.PointID) ([]gapRow, error) {
	gaps, err := s.o.Losses.Gaps(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("reading gaps: %w", err)
	}
	var rows []gapRow
	for _, g := range gaps[:min(len(gaps), maxGaps)] {
		row := gapRow{
			Said: v.L.Stamp(g.Received, v.Now), Numbers: v.L.T("gaps.numbers", uint64(g.First), uint64(g.Last), uint64(g.Last-g.First+1)),
			Lost: g.Lost, Device: string(g.Device),
		}
		key := "gaps.why." + g.Why
		if !v.L.Has(key) {
			key = "gaps.why.other"
		}
		row.Why = v.L.T(key)
		switch {
		case g.Lost && g.After.IsZero():
			row.Between = v.L.T("gaps.until", v.L.Stamp(g.Before, v.Now))
		case g.Lost:
			row.Between = v.L.T("gaps.between", v.L.Stamp(g.After, v.Now), v.L.Stamp(g.Before, v.Now))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// recent is how long the overview speaks of rejected records.
const recent = 7 * 24 * time.Hour

// losses are the needs of the office that no single point has: records that
// could not be taken, and devices that wait after a restore.
func (s *Server) losses(ctx context.Context, v *visit, devices []fleet.Device) ([]need, error) {
	list, err := s.incidentNeeds(ctx, v, 0)
	if err != nil {
		return nil, fmt.Errorf("reading incidents: %w", err)
	}
	counts, err := s.o.Losses.DeadCounts(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading counts of dead letters: %w", err)
	}
	records, refused, from := 0, 0, 0
	for _, c := range counts {
		if v.Now.Sub(c.Last) > recent {
			continue
		}
		from++
		records, refused = records+c.Kept+c.Dropped, refused+c.Refused
	}
	if from > 0 {
		n := need{Tone: "warn", Icon: "i-alert", Href: "/rejected", Title: v.L.T("need.rejected", records, from), Text: v.L.T("need.rejected.text"), rank: toneRank["warn"]}
		if refused > 0 {
			n.Text += v.L.T("need.rejected.journals", refused)
		}
		list = append(list, n)
	}
	reconnect, confirm := 0, 0
	for _, d := range devices {
		switch d.Awaiting {
		case fleet.AwaitReconnect:
			reconnect++
		case fleet.AwaitConfirm:
			confirm++
		case fleet.AwaitNothing:
		}
	}
	if confirm > 0 {
		list = append(list, need{Tone: "bad", Icon: "i-alert", Href: "/restored", Title: v.L.T("need.confirm", confirm), Text: v.L.T("need.confirm.text"), rank: -1})
	}
	if reconnect > 0 {
		list = append(list, need{Tone: "warn", Icon: "i-offline", Href: "/restored", Title: v.L.T("need.reconnect", reconnect), Text: v.L.T("need.reconnect.text"), rank: toneRank["warn"]})
	}
	return list, nil
}
