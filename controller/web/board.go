package web

import (
	"cmp"
	"fmt"
	"slices"

	"gatecast/controller/fleet"
)

// gateRow is one gate of a board.
type gateRow struct {
	Name, Href, Unit string
	State            deviceState
	Note, Contact    string
	rank             int // lower needs somebody sooner
	done             bool
}

// board is what became of an order, gate by gate: of silence, or of an urgent
// broadcast. Gates without a device are counted only.
type board struct {
	Rows     []gateRow
	Done, Of int
	Bare     int
	Sum      string
}

// boardOf asks row for every point in points that has a device and puts what
// needs somebody first.
func (s *Server) boardOf(v *visit, p *places, points []fleet.Point, row func(fleet.Point, fleet.Device) (gateRow, error)) (board, error) {
	var b board
	for _, pt := range points {
		d, has := p.device[pt.ID]
		if !has {
			b.Bare++
			continue
		}
		g, err := row(pt, d)
		if err != nil {
			return b, fmt.Errorf("point %d: %w", pt.ID, err)
		}
		g.Name, g.Href, g.Unit, g.Contact = pt.Name, pointPath(pt.ID), p.unit[pt.Unit].Name, p.contact(v.L, pt)
		b.Of++
		if g.done {
			b.Done++
		}
		b.Rows = append(b.Rows, g)
	}
	slices.SortStableFunc(b.Rows, func(a, c gateRow) int { return cmp.Compare(a.rank, c.rank) })
	return b, nil
}
