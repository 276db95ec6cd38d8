package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// urgentView is one insertion and what became of it, gate by gate.
type urgentView struct {
	ID               fleet.InsertionID
	Title, ClipHref  string
	Outside          bool
	Area, By, Reason string
	Repeats          int
	Until            string
	State            deviceState
	Quiet            string
	Signatures       []string
	EndReason        string
	MaySign, MayEnd  bool
	Own              bool // the visitor submitted it
	Confirm          bool // a signature confirms what sounds already
	Drill            bool
	Text             string // what it says
	Speed            string // how soon the first gates sounded; empty before
	Board            board
	Copies           []option // texts to paste into groups
}

func (s *Server) urgentBoard(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "urgent.title", "")
	if err != nil {
		return f, err
	}
	i, err := s.urgentOf(r)
	if err != nil {
		return f, err
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	state := i.Standing(v.Now)
	open := state == fleet.InsertionWaiting || state == fleet.InsertionLive
	signed := slices.ContainsFunc(i.Signatures, func(g fleet.Signature) bool { return g.By == v.User.Login })
	view := &urgentView{
		ID: i.ID, Title: v.L.urgentTitle(i), Drill: i.Drill != fleet.NoDrill, Text: i.Text, ClipHref: fmt.Sprintf("/clips/%d", i.Clip), Outside: i.Outside, Area: v.L.scope(p, i.Area), By: v.L.T("urgent.by", signer(i.Name, i.By), v.L.Stamp(i.At, v.Now)),
		Reason: i.Reason, Repeats: i.Repeats, Until: v.L.Clock(i.Until), State: v.L.urgentState(i, s.o.Quiet, v.Now), EndReason: i.EndReason, Own: i.By == v.User.Login,
		Confirm: i.Unconfirmed(), MaySign: open && fleet.May(v.User.Role, fleet.ActApprove) && i.By != v.User.Login && !signed && (state == fleet.InsertionWaiting || i.Unconfirmed()),
		MayEnd: open && (i.By == v.User.Login || fleet.May(v.User.Role, fleet.ActApprove)),
	}
	switch i.Quiet {
	case fleet.Midday:
		view.Quiet = v.L.T("urgent.quiet.midday", s.o.Quiet.Midday)
	case fleet.Night:
		view.Quiet = v.L.T("urgent.quiet.night", s.o.Quiet.Night)
	}
	for _, g := range i.Signatures {
		view.Signatures = append(view.Signatures, v.L.T("urgent.by", signer(g.Name, g.By), v.L.Stamp(g.At, v.Now)))
	}
	points := slices.DeleteFunc(slices.Clone(p.points), func(pt fleet.Point) bool { return !slices.Contains(i.Points, pt.ID) })
	var starts []time.Duration // after the approval, of the gates that have sounded
	view.Board, err = s.boardOf(v, p, points, func(pt fleet.Point, d fleet.Device) (gateRow, error) {
		row, first, err := s.urgentGate(ctx, v, i, pt, d)
		if !first.IsZero() {
			starts = append(starts, first.Sub(i.Approved()))
		}
		return row, err
	})
	if err != nil {
		return f, err
	}
	view.Board.Sum = v.L.T("urgent.sum", view.Board.Done, view.Board.Of)
	if len(starts) > 0 {
		slices.Sort(starts)
		view.Speed = v.L.T("urgent.speed.text", seconds(starts[0]), seconds(starts[(len(starts)*95+99)/100-1]), len(starts))
	}
	if !view.Drill && (state == fleet.InsertionLive || state == fleet.InsertionWaiting) {
		view.Copies = v.L.urgentCopies(i)
	}
	f.V = view
	return f, nil
}

// seconds writes a duration as 8.4.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f", max(0, d).Seconds()) }

// urgentCopies are the texts for the groups of the first two tiers. Members of
// the third read what those pass on.
func (l *lang) urgentCopies(i fleet.Insertion) []option {
	text := strings.TrimSpace(i.Text)
	if text == "" {
		text = i.Title
	}
	until := l.Clock(i.Until)
	return []option{
		{Text: l.T("urgent.copy.1"), Value: l.T("urgent.copy.1.text", text, until)},
		{Text: l.T("urgent.copy.2"), Value: l.T("urgent.copy.2.text", text, until)},
	}
}

// Ranks of gates on a board, what needs somebody first.
const (
	urgentRefused = iota
	urgentAway
	urgentPending
	urgentPlaying
	urgentDone
)

// urgentGate is where a gate is with an insertion, by its own records, and when
// its first play began; zero where there was none.
func (s *Server) urgentGate(ctx context.Context, v *visit, i fleet.Insertion, pt fleet.Point, d fleet.Device) (row gateRow, first time.Time, err error) {
	slot := i.Slot(s.o.Zone)
	if slot == "" {
		return gateRow{State: deviceState{"", "i-clock", v.L.T("urgent.gate.unsigned")}, rank: urgentPending}, first, nil
	}
	recs, err := s.o.Ledger.RecordsOfSlot(ctx, pt.ID, slot)
	if err != nil {
		return row, first, fmt.Errorf("reading records: %w", err)
	}
	whole, reported := 0, map[wire.PlayID]bool{}
	var why wire.Outcome
	for _, rec := range recs {
		if rec.Kind != wire.RecordOutcome {
			continue
		}
		o, err := rec.Outcome()
		if err != nil || reported[o.Play] {
			continue
		}
		reported[o.Play] = true
		if o.Result == wire.PlayPlayed {
			whole++
			if at := wire.FromUS(o.StartedUS); first.IsZero() || at.Before(first) {
				first = at
			}
		} else {
			why = o
		}
	}
	count := v.L.T("urgent.gate.count", whole, i.Repeats)
	switch {
	case strings.HasPrefix(string(d.Playing), string(slot)+"#") && v.L.online(d, v.Now):
		return gateRow{State: deviceState{"info", "i-bars", v.L.T("urgent.gate.playing")}, Note: count, rank: urgentPlaying}, first, nil
	case whole == i.Repeats:
		return gateRow{State: deviceState{"ok", "i-check", v.L.T("urgent.gate.played")}, Note: v.L.T("urgent.gate.at", count, v.L.ClockSec(first)), rank: urgentDone, done: true}, first, nil
	case why.Play != "" && whole > 0:
		return gateRow{State: deviceState{"warn", "i-alert", v.L.T("urgent.gate.partly")}, Note: count + v.L.T("list") + v.L.reason(why.Reason), rank: urgentRefused}, first, nil
	case why.Play != "":
		return gateRow{State: deviceState{"bad", "i-cross", v.L.T("urgent.gate.refused")}, Note: v.L.reason(why.Reason), rank: urgentRefused}, first, nil
	case i.Standing(v.Now) != fleet.InsertionLive && whole == 0:
		return gateRow{State: deviceState{"", "i-dash", v.L.T("urgent.gate.not")}, rank: urgentAway}, first, nil
	case !v.L.online(d, v.Now):
		return gateRow{State: deviceState{"bad", "i-offline", v.L.T("urgent.gate.away")}, Note: v.L.T("urgent.gate.away.note", v.L.Clock(i.Until)), rank: urgentAway}, first, nil
	case whole > 0:
		return gateRow{State: deviceState{"info", "i-bars", v.L.T("urgent.gate.playing")}, Note: count, rank: urgentPlaying}, first, nil
	}
	return gateRow{State: deviceState{"warn", "i-clock", v.L.T("urgent.gate.sent")}, rank: urgentPending}, first, nil
}
