package web

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/fleet"
)

// urgentNeeds is what the overview says of urgent broadcasts to those who may
// do something: what waits for a signature, what sounded first and is not
// confirmed, and that nobody has tried the way for a week, where there are
// devices to try it with.
func (s *Server) urgentNeeds(ctx context.Context, v *visit, devices int) ([]need, error) {
	if !fleet.May(v.User.Role, fleet.ActUrgent) {
		return nil, nil
	}
	all, err := s.o.Insertions.Insertions(ctx, maxUrgent)
	if err != nil {
		return nil, fmt.Errorf("reading urgent broadcasts: %w", err)
	}
	var list []need
	var drilled time.Time
	for _, i := range all {
		if i.Drill != fleet.NoDrill && i.Start.After(drilled) {
			drilled = i.Start
		}
		n := need{Icon: "i-horn", Href: urgentPath(i.ID), since: i.At, Age: v.L.Span(v.Now.Sub(i.At))}
		state := i.Standing(v.Now)
		switch {
		case state == fleet.InsertionLive && i.Unconfirmed():
			n.Tone, n.Icon = "bad", "i-alert"
			n.Title, n.Text = v.L.T("urgent.need.confirm", v.L.urgentTitle(i)), v.L.T("urgent.need.confirm.text", v.L.Clock(i.At.Add(fleet.ConfirmWithin)))
		case state == fleet.InsertionWaiting:
			n.Tone = "warn"
			n.Title, n.Text = v.L.T("urgent.need.sign", v.L.urgentTitle(i)), v.L.T("urgent.need.sign.text", signer(i.Name, i.By), v.L.Clock(i.Until))
		default:
			continue
		}
		n.rank = toneRank[n.Tone]
		list = append(list, n)
	}
	if devices > 0 && v.Now.Sub(drilled) > fleet.DrillEvery {
		n := need{Tone: "info", Icon: "i-horn", Href: "/urgent/new?drill=1", Title: v.L.T("urgent.need.drill"), Text: v.L.T("urgent.need.drill.never"), rank: toneRank["info"]}
		if !drilled.IsZero() {
			n.Text = v.L.T("urgent.need.drill.text", v.L.Span(v.Now.Sub(drilled)))
		}
		list = append(list, n)
	}
	return list, nil
}
