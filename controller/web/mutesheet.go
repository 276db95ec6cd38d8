package web

import (
	"context"
	"net/http"

	"gatecast/controller/fleet"
)

// muteSheetView is the page to print and hang up: how to silence by telephone
// what the office cannot reach, and whom to call at each gate.
type muteSheetView struct {
	Units []muteSheetUnit
	Gates int
}

type muteSheetUnit struct {
	Name string
	Rows []muteSheetRow
}

type muteSheetRow struct {
	Name, Contact string
	Away          bool // cannot be reached from here now
}

func (s *Server) muteSheet(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "mutesheet.title", "")
	if err != nil {
		return f, err
	}
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	view := &muteSheetView{}
	for _, id := range p.unitOrder {
		u := muteSheetUnit{Name: p.unit[id].Name}
		for _, pt := range p.points {
			if d, has := p.device[pt.ID]; has && pt.Unit == id {
				u.Rows = append(u.Rows, muteSheetRow{pt.Name, p.contact(v.L, pt), !v.L.online(d, v.Now)})
			}
		}
		if len(u.Rows) > 0 {
			view.Gates += len(u.Rows)
			view.Units = append(view.Units, u)
		}
	}
	f.V = view
	return f, nil
}
