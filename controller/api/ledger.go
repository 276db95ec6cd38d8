package api

import (
	"fmt"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

type obligationView struct {
	Point   string        `json:"point"` // code
	Slot    wire.SlotID   `json:"slot"`
	Day     fleet.Day     `json:"day"`
	Name    string        `json:"name"`
	Start   *time.Time    `json:"start"`
	End     *time.Time    `json:"end"`
	Verdict fleet.Verdict `json:"verdict"`
	Grade   fleet.Grade   `json:"grade"`
	Reason  wire.Reason   `json:"reason"`
	Plays   int           `json:"plays"`
	Played  int           `json:"plays_ok"`
	SoundMS int64         `json:"sound_ms"`
	Settled *time.Time    `json:"settled"`
	Device  wire.DeviceID `json:"device"`
	Demo    bool          `json:"demo"`
}

var verdicts = []string{
	string(fleet.Due), string(fleet.Played), string(fleet.Partial), string(fleet.Missed), string(fleet.Doubt), string(fleet.Exempt), string(fleet.Pending),
}

// obligations lists what was owed in a period and what came of it, page by
// page: next is the offset of the following page, null after the last.
func (s *Server) obligations(c *call) (any, error) {
	q := c.read("from", "to", "point", "verdict", "limit", "offset")
	f := fleet.ObligationFilter{Limit: q.limit(200), Offset: q.number("offset", 0, 1<<30), Verdict: fleet.Verdict(q.word("verdict", verdicts...))}
	f.From, f.To = q.period(c.Now.In(s.o.Zone))
	if q.err != nil {
		return nil, q.err
	}
	code, err := s.codes(c)
	if err != nil {
		return nil, err
	}
	if want := q.values.Get("point"); want != "" {
		for id, have := range code {
			if have == want {
				f.Point = id
			}
		}
		if f.Point == 0 {
			return nil, errNoPoint
		}
	}
	asked := f.Limit
	f.Limit++ // one more says whether there is a next page
	rows, err := s.o.Ledger.Obligations(c.Context(), f)
	if err != nil {
		return nil, fmt.Errorf("reading obligations: %w", err)
	}
	var next *int
	if len(rows) > asked {
		n := f.Offset + asked
		rows, next = rows[:asked], &n
	}
	list := make([]obligationView, len(rows))
	for i, o := range rows {
		list[i] = obligationView{
			code[o.Point], o.Slot, o.Day, o.Name, instant(o.Start), instant(o.End), o.Verdict, o.Grade, o.Reason, o.Plays, o.PlaysOK, o.SoundMS,
			instant(o.Settled), o.Device, o.Demo,
		}
	}
	return map[string]any{"from": f.From, "to": f.To, "obligations": list, "next": next}, nil
}

func (s *Server) codes(c *call) (map[fleet.PointID]string, error) {
	points, err := s.o.Fleet.Points(c.Context(), fleet.PointFilter{})
	if err != nil {
		return nil, fmt.Errorf("reading points: %w", err)
	}
	code := make(map[fleet.PointID]string, len(points))
	for _, p := range points {
		code[p.ID] = p.Code
	}
	return code, nil
}

type countsView struct {
	Unit  string    `json:"unit,omitempty"`  // code
	Point string    `json:"point,omitempty"` // code
	Day   fleet.Day `json:"day,omitempty"`
	Slot  string    `json:"slot,omitempty"` // name

	Owed    int `json:"owed"`
	Played  int `json:"played"`
	Partial int `json:"partial"`
	Missed  int `json:"missed"`
	Doubt   int `json:"doubt"`
	Exempt  int `json:"exempt"`
	Pending int `json:"pending"`
	Due     int `json:"due"`
	Demo    int `json:"demo"`

	Confirmed *float64 `json:"confirmed"`        // 确认达标率; null where nothing was owed
	Strict    *float64 `json:"counting_pending"` // 按未播计
}

func countsOf(n fleet.Counts) countsView {
	v := countsView{Owed: n.Owed, Played: n.Played, Partial: n.Partial, Missed: n.Missed, Doubt: n.Doubt, Exempt: n.Exempt, Pending: n.Pending, Due: n.Due}
	if rate, ok := n.Confirmed(); ok {
		v.Confirmed = &rate
	}
	if rate, ok := n.CountingPending(); ok {
		v.Strict = &rate
	}
	return v
}

var groupings = map[string]fleet.Grouping{"unit": fleet.ByUnit, "point": fleet.ByPoint, "day": fleet.ByDay, "slot": fleet.BySlot}

// compliance sums a period up, as a whole and by what the call names.
func (s *Server) compliance(c *call) (any, error) {
	q := c.read("from", "to", "by", "demo")
	query := fleet.SummaryQuery{NoDemo: q.word("demo", "no", "yes") == "no"}
	query.From, query.To = q.period(c.Now.In(s.o.Zone))
	for _, name := range strings.FieldsFunc(q.values.Get("by"), func(r rune) bool { return r == ',' }) {
		g, ok := groupings[name]
		if !ok {
			q.fail("by", "应为 unit、point、day、slot，以逗号分隔", "must be of unit, point, day and slot, with commas between")
		}
		query.By = append(query.By, g)
	}
	if q.err != nil {
		return nil, q.err
	}
	if len(query.By) > len(groupings) {
		return nil, invalid("by 有重复。", "by names something twice.")
	}
	rows, err := s.o.Ledger.Summary(c.Context(), query)
	if err != nil {
		return nil, fmt.Errorf("reading summary: %w", err)
	}
	units, err := s.o.Fleet.Units(c.Context())
	if err != nil {
		return nil, fmt.Errorf("reading units: %w", err)
	}
	unit := map[fleet.UnitID]string{}
	for _, u := range units {
		unit[u.ID] = u.Code
	}
	code, err := s.codes(c)
	if err != nil {
		return nil, err
	}
	var sum fleet.Counts
	demo := 0
	list := []countsView{}
	for _, r := range rows {
		sum, demo = sum.Plus(r.Counts), demo+r.Demo
		v := countsOf(r.Counts)
		v.Unit, v.Point, v.Day, v.Slot, v.Demo = unit[r.Unit], code[r.Point], r.Day, r.Name, r.Demo
		list = append(list, v)
	}
	total := countsOf(sum)
	total.Demo = demo
	return map[string]any{"from": query.From, "to": query.To, "total": total, "rows": list}, nil
}

type incidentView struct {
	ID     int64              `json:"id"`
	Kind   fleet.IncidentKind `json:"kind"`
	Point  string             `json:"point"` // code, empty where none is known
	Device wire.DeviceID      `json:"device"`
	From   string             `json:"from"`
	Detail string             `json:"detail"`
	First  *time.Time         `json:"first"`
	Last   *time.Time         `json:"last"`
	Count  int                `json:"count"`
	Seen   *time.Time         `json:"seen"` // null while open
}

// incidents lists 安全事件, the newest first.
func (s *Server) incidents(c *call) (any, error) {
	q := c.read("open", "limit", "offset")
	f := fleet.IncidentFilter{Open: q.word("open", "1", "0") == "1", Limit: q.limit(200), Offset: q.number("offset", 0, 1<<30)}
	if q.err != nil {
		return nil, q.err
	}
	rows, err := s.o.Ledger.Incidents(c.Context(), f)
	if err != nil {
		return nil, fmt.Errorf("reading incidents: %w", err)
	}
	code, err := s.codes(c)
	if err != nil {
		return nil, err
	}
	list := make([]incidentView, len(rows))
	for i, n := range rows {
		list[i] = incidentView{n.ID, n.Kind, code[n.Point], n.Device, n.From, n.Detail, instant(n.First), instant(n.Last), n.Count, instant(n.Seen)}
	}
	return map[string]any{"incidents": list}, nil
}
