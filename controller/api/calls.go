package api

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// instant is a time in RFC 3339, null where there is none.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Microsecond)
	return &t
}

type tokenView struct {
	Name    string         `json:"name"`
	Owner   string         `json:"owner"`
	Scopes  []fleet.Action `json:"scopes"`
	Expires *time.Time     `json:"expires"`
}

// token tells a program what it holds.
func (s *Server) token(c *call) (any, error) {
	if q := c.read(); q.err != nil {
		return nil, q.err
	}
	return tokenView{c.Token.Name, c.Owner.Login, c.Token.Scopes, instant(c.Token.Expires)}, nil
}

type healthView struct {
	Status    string     `json:"status"` // ok or trouble
	Trouble   *refusal   `json:"trouble"`
	Version   string     `json:"version"`
	Now       *time.Time `json:"now"`
	Points    int        `json:"points"`
	Devices   int        `json:"devices"` // active ones
	Online    int        `json:"online"`
	Incidents int        `json:"incidents_open"`
}

// health says whether the controller can do its work, and who is connected.
func (s *Server) health(c *call) (any, error) {
	if q := c.read(); q.err != nil {
		return nil, q.err
	}
	v := healthView{Status: "ok", Version: s.o.Version, Now: instant(c.Now)}
	if err := s.o.Trouble(); err != nil {
		v.Status, v.Trouble = "trouble", &refusal{Code: fleet.CodeOf(err)}
		if fe := (*fleet.Error)(nil); errors.As(err, &fe) {
			v.Trouble.Text, v.Trouble.TextEN = fe.Text, fe.TextEN
		}
	}
	points, err := s.o.Fleet.Points(c.Context(), fleet.PointFilter{})
	if err != nil {
		return nil, fmt.Errorf("reading points: %w", err)
	}
	devices, err := s.o.Fleet.Devices(c.Context())
	if err != nil {
		return nil, fmt.Errorf("reading devices: %w", err)
	}
	open, err := s.o.Ledger.Incidents(c.Context(), fleet.IncidentFilter{Open: true})
	if err != nil {
		return nil, fmt.Errorf("reading incidents: %w", err)
	}
	v.Points, v.Incidents = len(points), len(open)
	for _, d := range devices {
		if d.State == fleet.DeviceActive {
			v.Devices++
			if d.Online {
				v.Online++
			}
		}
	}
	return v, nil
}

type pointView struct {
	Code     string      `json:"code"`
	Name     string      `json:"name"`
	Kind     string      `json:"kind"`
	Unit     string      `json:"unit"` // code
	UnitName string      `json:"unit_name"`
	Tags     []string    `json:"tags"`
	Active   *time.Time  `json:"active_from"`
	Device   *deviceView `json:"device"` // null where none is active
}

type deviceView struct {
	ID         wire.DeviceID    `json:"id"`
	Online     bool             `json:"online"`
	Seen       *time.Time       `json:"last_seen"`
	Agent      string           `json:"agent"`
	Plan       uint64           `json:"plan_version"`
	WantPlan   uint64           `json:"plan_wanted"`
	Missing    int              `json:"clips_missing"`
	TimeLevel  int              `json:"time_level"`
	Playing    wire.PlayID      `json:"playing"` // empty while silent
	Horizon    *time.Time       `json:"horizon"`
	Conditions []wire.Condition `json:"conditions"`
}

// points lists points with what their devices said last.
func (s *Server) points(c *call) (any, error) {
	q := c.read("limit", "offset", "tag")
	f := fleet.PointFilter{Limit: q.limit(500), Offset: q.number("offset", 0, 1<<30), Tag: q.values.Get("tag")}
	if q.err != nil {
		return nil, q.err
	}
	list, err := s.pointViews(c, f, "")
	return map[string]any{"points": list}, err
}

func (s *Server) point(c *call) (any, error) {
	if q := c.read(); q.err != nil {
		return nil, q.err
	}
	list, err := s.pointViews(c, fleet.PointFilter{}, c.PathValue("code"))
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errNoPoint
	}
	return list[0], nil
}

var errNoPoint = &fleet.Error{Code: fleet.NotFound, Text: "没有这个编号的点位。", TextEN: "There is no point with this code."}

// pointViews returns the points of f, only the one of that code unless it is
// empty.
func (s *Server) pointViews(c *call, f fleet.PointFilter, code string) ([]pointView, error) {
	points, err := s.o.Fleet.Points(c.Context(), f)
	if err != nil {
		return nil, fmt.Errorf("reading points: %w", err)
	}
	units, err := s.o.Fleet.Units(c.Context())
	if err != nil {
		return nil, fmt.Errorf("reading units: %w", err)
	}
	devices, err := s.o.Fleet.Devices(c.Context())
	if err != nil {
		return nil, fmt.Errorf("reading devices: %w", err)
	}
	list := []pointView{}
	unit, at := map[fleet.UnitID]fleet.Unit{}, map[fleet.PointID]*deviceView{}
	for _, u := range units {
		unit[u.ID] = u
	}
	for _, d := range devices {
		if d.State == fleet.DeviceActive {
			at[d.Point] = &deviceView{
				ID: d.ID, Online: d.Online, Seen: instant(d.LastSeen), Agent: d.Agent, Plan: d.PlanVersion, WantPlan: d.WantVersion,
				Missing: len(d.ClipsMiss), TimeLevel: int(d.TimeLevel), Playing: d.Playing, Horizon: instant(d.Horizon), Conditions: append([]wire.Condition{}, d.Conditions...),
			}
		}
	}
	for _, p := range points {
		if p.Tags == nil {
			p.Tags = []string{} // lists are never null
		}
		if code == "" || p.Code == code {
			list = append(list, pointView{p.Code, p.Name, string(p.Kind), unit[p.Unit].Code, unit[p.Unit].Name, p.Tags, instant(p.ActiveFrom), at[p.ID]})
		}
	}
	return list, nil
}

type joinView struct {
	Line    string     `json:"line"` // to paste at the device
	Expires *time.Time `json:"expires"`
}

// joinCode makes a code with which one device can enrol for a point.
func (s *Server) joinCode(c *call) (any, error) {
	if q := c.read(); q.err != nil {
		return nil, q.err
	}
	points, err := s.o.Fleet.Points(c.Context(), fleet.PointFilter{})
	if err != nil {
		return nil, fmt.Errorf("reading points: %w", err)
	}
	for _, p := range points {
		if p.Code != c.PathValue("code") {
			continue
		}
		line, err := s.o.JoinCode(c.Context(), p.ID, c.Owner.Login)
		if err != nil {
			return nil, err
		}
		err = s.o.Audit.AddAudit(c.Context(), fleet.Audit{
			At: c.Now, Who: c.Owner.Login, Role: c.Owner.Role, From: address(c.Request), What: fleet.AuditJoinCode, Object: p.Name,
			Detail: "API: " + strings.TrimSpace(c.Token.Name),
		})
		if err != nil {
			s.o.Logger.Error("writing audit line", "what", fleet.AuditJoinCode, "object", p.Name, "err", err)
		}
		return joinView{line, instant(c.Now.Add(24 * time.Hour))}, nil
	}
	return nil, errNoPoint
}
