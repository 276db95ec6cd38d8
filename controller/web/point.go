package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// pointView is one point: what it owes and did, and the device at it.
type pointView struct {
	ID         fleet.PointID
	Code, Name string
	Kind       string
	Unit       string
	UnitHref   string
	Compound   string
	Contact    string
	Property   string
	Since      string // when slots became owed, empty while not installed
	State      deviceState
	Demo       bool
	Today      []slotRow
	TodayAll   int    // slots of the day
	AllHref    string // to all of them, where Today is a part
	TodaySum   figures
	Timeline   *timeline // nil where today has nothing to show
	Strip      *strip    // nil where nothing was owed
	Records    []recordRow
	Needs      []need
	Device     *deviceView // nil without a device
	Newcomer   *newcomerView
	MayRevoke  bool
	Evidence   *evidenceView
	Codes      []codeRow
	MayEnrol   bool
	NeedSync   bool // nothing sounds below T2
	Gaps       []gapRow

	// What the registry says of it.
	Stage           deviceState
	Place, Approval string
	Cap             int // percent; 0 for none of its own
	Tags            []string
	Measured        *calibrationRow // nil while nobody measured it
}

// slotRow is one slot of today in the list of a point.
type slotRow struct {
	Name, Window string
	Href         string
	V            string
	Verdict      string
	Grade        fleet.Grade
	Why          string
	Plays        string // 4/6
	Sound        string
	Demo         bool
}

// deviceView compares what a device has with what it should have.
type deviceView struct {
	ID, Hardware, Agent, Enrolled string
	Seen                          string
	Rows                          []wantHave
	Output                        wire.Output
	Plan                          planState
}

// wantHave is one line of the device's card.
type wantHave struct {
	Name, Want, Have string
	Tone, Icon       string
}

// codeRow is a join code that was issued for the point.
type codeRow struct {
	Issued, By, State, Tone string
}

func pointID(r *http.Request) (fleet.PointID, error) {
	n, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || n < 1 {
		return 0, errNoPage
	}
	return fleet.PointID(n), nil
}

const stripDays = 14

func (s *Server) point(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "", "points")
	if err != nil {
		return f, err
	}
	id, err := pointID(r)
	if err != nil {
		return f, err
	}
	pt, err := s.o.Registry.Point(ctx, id)
	if err != nil {
		return f, fmt.Errorf("reading point: %w", err)
	}
	p, err := s.places(ctx, fleet.PointFilter{Unit: pt.Unit})
	if err != nil {
		return f, err
	}
	today := s.dayOf(v.Now)
	rows, err := s.o.Ledger.Obligations(ctx, fleet.ObligationFilter{Point: id, From: dayPlus(today, 1-stripDays), To: today})
	if err != nil {
		return f, fmt.Errorf("reading obligations: %w", err)
	}
	sort.SliceStable(rows, func(i, j int) bool { return rows[i].Start.Before(rows[j].Start) })
	if err := s.progress(ctx, rows, v.Now); err != nil {
		return f, err
	}
	view := v.L.pointOf(p, pt, v.Now)
	now := todayOf(rows, today)
	view.Needs = v.L.needsOf(p, pt, now, v.Now)
	if view.Evidence, err = s.evidenceOf(ctx, v, pt, p.device[id]); err != nil {
		return f, err
	}
	if n := len(view.Evidence.Breaks); n > 0 {
		view.Needs = append([]need{v.L.brokenNeed(pt, view.Evidence.Breaks)}, view.Needs...)
	}
	attacks, err := s.incidentNeeds(ctx, v, id)
	if err != nil {
		return f, fmt.Errorf("reading incidents: %w", err)
	}
	view.Needs = append(attacks, view.Needs...)
	view.Strip = v.L.stripOf(rows, p.device[id], today, v.Now)
	records, err := s.recordsOf(ctx, now, id, v.Now)
	if err != nil {
		return f, err
	}
	var sum fleet.Counts
	for _, o := range now {
		sum.Add(o.Verdict)
	}
	shown := now
	if view.TodayAll = len(now); !r.URL.Query().Has("all") {
		if shown = around(now, v.Now); len(shown) < len(now) {
			view.AllHref = pointPath(id) + "?all=1"
		}
	}
	for _, o := range shown {
		view.Today = append(view.Today, v.L.slotRow(o, p.device[id], v.Now))
	}
	view.TodaySum = v.L.figures(sum)
	view.MayRevoke = fleet.May(v.User.Role, fleet.ActRevoke) && (view.Device != nil || p.waiting[id].ID != "")
	if view.Newcomer = v.L.newcomerOf(p, id, v.Now); view.Newcomer != nil {
		view.Newcomer.MayAdmit = fleet.May(v.User.Role, fleet.ActInstall)
	}
	measured, err := s.calibrationRows(ctx, v.L, id)
	if err != nil {
		return f, err
	}
	if len(measured) > 0 {
		view.Measured = &measured[0]
	}
	view.Timeline = v.L.timelineOf(now, records, v.Now)
	latest, err := s.o.Ledger.PlaysOfPoint(ctx, id, 12)
	if err != nil {
		return f, fmt.Errorf("reading plays: %w", err)
	}
	for _, rec := range latest {
		view.Records = append(view.Records, v.L.recordRow(rec, v.Now))
	}
	if view.Gaps, err = s.gapsOf(ctx, v, id); err != nil {
		return f, err
	}
	if view.MayEnrol = fleet.May(v.User.Role, fleet.ActEnrol); view.MayEnrol {
		if view.Codes, err = s.codesOf(ctx, v, id); err != nil {
			return f, err
		}
	}
	f.Title, f.V = pt.Name, view
	return f, nil
}

func todayOf(rows []fleet.Obligation, today fleet.Day) []fleet.Obligation {
	var list []fleet.Obligation
	for _, o := range rows {
		if o.Day == today {
			list = append(list, o)
		}
	}
	return list
}

// maxToday is how many slots of a day a point lists unless all are asked for.
const maxToday = 12

// around returns the slots around now of a day that has very many, at most
// four of them to come.
func around(rows []fleet.Obligation, now time.Time) []fleet.Obligation {
	if len(rows) <= maxToday {
		return rows
	}
	begun := sort.Search(len(rows), func(i int) bool { return rows[i].Start.After(now) })
	end := min(len(rows), max(begun+4, maxToday))
	return rows[end-maxToday : end]
}

// maxSlotsRead bounds how many slots of a day a page reads the records of: the
// demo has one every few minutes.
const maxSlotsRead = 24

// recordsOf returns the records of the day's slots that have begun, by commit.
func (s *Server) recordsOf(ctx context.Context, today []fleet.Obligation, id fleet.PointID, now time.Time) ([]fleet.Record, error) {
	var begun []fleet.Obligation
	for _, o := range today {
		if !o.Start.After(now) {
			begun = append(begun, o)
		}
	}
	if len(begun) > maxSlotsRead {
		begun = begun[len(begun)-maxSlotsRead:]
	}
	var all []fleet.Record
	for _, o := range begun {
		rs, err := s.o.Ledger.RecordsOfSlot(ctx, id, o.Slot)
		if err != nil {
			return nil, fmt.Errorf("reading records: %w", err)
		}
		all = append(all, rs...)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all, nil
}

func (l *lang) pointOf(p *places, pt fleet.Point, now time.Time) *pointView {
	d, has := p.device[pt.ID]
	c := p.compound[pt.Compound]
	view := &pointView{
		ID: pt.ID, Code: pt.Code, Name: pt.Name, Kind: l.T("kind." + string(pt.Kind)),
		Unit: p.unit[pt.Unit].Name, UnitHref: "/points?" + url.Values{"unit": {fmt.Sprint(pt.Unit)}}.Encode(),
		Compound: c.Name, Property: c.Property, Contact: p.contact(l, pt), Demo: d.Output.Demo, NeedSync: pt.NeedSync,
	}
	if !pt.ActiveFrom.IsZero() {
		view.Since = l.in(pt.ActiveFrom).Format("2006-01-02")
	}
	view.Stage, view.Place, view.Approval, view.Cap, view.Tags = l.stage(pt, now), pt.Place, pt.Approval, pt.CapPct, pt.Tags
	view.State, _ = p.stateOf(l, pt.ID, now)
	if has {
		view.Device = l.deviceView(d, pt.NeedSync, now)
	}
	return view
}

func (l *lang) slotRow(o fleet.Obligation, d fleet.Device, now time.Time) slotRow {
	c := l.cellOf(o, d, now)
	row := slotRow{
		Name: o.Name, Window: l.Clock(o.Start) + "–" + l.Clock(o.End), Href: c.Href,
		V: c.V, Verdict: l.T("verdict." + c.V), Grade: o.Grade, Demo: o.Demo,
		Plays: fmt.Sprintf("%d/%d", sounding(o, d), o.Plays),
		Sound: l.T("sound.of", o.SoundMS/1000, o.PlannedMS/1000), Why: l.why(o),
	}
	return row
}

func (l *lang) deviceView(d fleet.Device, needSync bool, now time.Time) *deviceView {
	v := &deviceView{
		ID: string(d.ID), Hardware: d.Hardware, Agent: d.Agent, Enrolled: l.Stamp(d.Enrolled, now),
		Seen: l.Stamp(d.LastSeen, now), Output: d.Output, Plan: l.planState(d),
	}
	if !d.LastSeen.IsZero() && now.Sub(d.LastSeen) < time.Hour {
		v.Seen = l.T("device.seen_ago", l.ClockSec(d.LastSeen), l.Span(now.Sub(d.LastSeen)))
	}
	add := func(key, want, have string, ok bool) {
		row := wantHave{Name: l.T("device.row." + key), Want: want, Have: have, Tone: "ok", Icon: "i-check"}
		if !ok {
			row.Tone, row.Icon = "warn", "i-alert"
		}
		v.Rows = append(v.Rows, row)
	}
	version := func(n uint64) string {
		if n == 0 {
			return l.T("none")
		}
		return l.T("plan.version", n)
	}
	add("plan", version(d.WantVersion), version(d.PlanVersion), d.PlanVersion == d.WantVersion)
	add("hash", hashOr(l, d.WantHash), hashOr(l, d.PlanHash), d.PlanHash == d.WantHash)
	add("clips", l.T("device.clips", v.Plan.ClipsWanted), l.T("device.clips_ready", v.Plan.ClipsReady), len(d.ClipsMiss) == 0)
	add("horizon", l.T("none"), l.Date(d.Horizon), d.Horizon.Sub(now) > 7*24*time.Hour || d.WantVersion == 0)
	want, need := l.T("device.time.want"), wire.T1
	if needSync {
		want, need = l.T("device.time.want_sync"), wire.T2
	}
	add("time", want, l.timeTrust(d.Time), d.TimeLevel >= need)
	drift, ok := l.drift(d.Time)
	add("drift", l.T("drift.want", wire.DriftPPM), drift, ok)
	add("unacked", l.T("device.records", 0), l.T("device.records", unacked(d)), unacked(d) == 0)
	return v
}

func hashOr(l *lang, hash string) string {
	if hash == "" {
		return l.T("none")
	}
	return short(hash)
}

// unacked is how many records the device holds that we have not confirmed.
func unacked(d fleet.Device) wire.Seq {
	if d.LastSeq < d.AckedSeq {
		return 0
	}
	return d.LastSeq - d.AckedSeq
}
