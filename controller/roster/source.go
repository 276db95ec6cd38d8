package roster

import (
	"context"
	"fmt"

	"gatecast/controller/fleet"
	"gatecast/controller/naming"
)

// Places is what is read of places.
type Places interface {
	Units(ctx context.Context) ([]fleet.Unit, error)
	Grids(ctx context.Context) ([]fleet.Grid, error)
	Companies(ctx context.Context) ([]fleet.Company, error)
	Compounds(ctx context.Context) ([]fleet.Compound, error)
	Points(ctx context.Context, f fleet.PointFilter) ([]fleet.Point, error)
}

// People is what is read of people and groups, and of the rule of their names.
type People interface {
	Liaisons(ctx context.Context) ([]fleet.Liaison, error)
	Groups(ctx context.Context) ([]fleet.Group, error)
	Setting(ctx context.Context, key string) (string, error)
}

// Register carries out batches.
type Register interface {
	ApplyRegistry(ctx context.Context, changes []fleet.RegistryChange, o fleet.RegistryOptions) (fleet.RegistryOutcome, error)
}

// state is the registry as entries, at one time.
type state struct {
	entries map[Kind][]fleet.Entry
	known   map[string]fleet.Entry // by label
	units   *unitIndex
	rule    naming.Rule
}

// read returns the registry; only the kinds asked for have entries, all for
// none.
func (d *Desk) read(ctx context.Context) (*state, error) {
	s := &state{entries: map[Kind][]fleet.Entry{}, known: map[string]fleet.Entry{}}
	units, err := d.places.Units(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading units: %w", err)
	}
	codes := make(map[fleet.UnitID]string, len(units))
	for _, u := range units {
		codes[u.ID] = u.Code
	}
	var all []fleet.UnitEntry
	for _, u := range units {
		e := fleet.UnitEntry{Unit: u, Parent: codes[u.Parent], Successor: codes[u.Successor]}
		all = append(all, e)
		s.add(Units, &e)
	}
	s.units = newUnitIndex(all)
	grids, err := d.places.Grids(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading grids: %w", err)
	}
	numbers := make(map[fleet.GridID]int, len(grids))
	for _, g := range grids {
		numbers[g.ID] = g.Number
		s.add(Grids, &fleet.GridEntry{Grid: g, Unit: codes[g.Unit]})
	}
	companies, err := d.places.Companies(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading property companies: %w", err)
	}
	for _, c := range companies {
		s.add(Companies, &fleet.CompanyEntry{Company: c})
	}
	compounds, err := d.places.Compounds(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading compounds: %w", err)
	}
	names := make(map[fleet.CompoundID]string, len(compounds))
	for _, c := range compounds {
		names[c.ID] = c.Name
		s.add(Compounds, &fleet.CompoundEntry{Compound: c, Unit: codes[c.Unit], Grid: numbers[c.Grid]})
	}
	points, err := d.places.Points(ctx, fleet.PointFilter{})
	if err != nil {
		return nil, fmt.Errorf("reading points: %w", err)
	}
	for _, p := range points {
		s.add(Points, &fleet.PointEntry{Point: p, Unit: codes[p.Unit], Compound: names[p.Compound]})
	}
	liaisons, err := d.people.Liaisons(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading liaisons: %w", err)
	}
	for _, l := range liaisons {
		s.add(Liaisons, &fleet.LiaisonEntry{Liaison: l, Unit: codes[l.Unit]})
	}
	groups, err := d.people.Groups(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading groups: %w", err)
	}
	for _, g := range groups {
		s.add(Groups, &fleet.GroupEntry{Group: g, Unit: codes[g.Unit], Grid: numbers[g.Grid]})
	}
	text, err := d.people.Setting(ctx, naming.Setting)
	if err != nil {
		return nil, fmt.Errorf("reading the naming rule: %w", err)
	}
	s.rule = naming.Parse(text)
	return s, nil
}

func (s *state) add(k Kind, e fleet.Entry) {
	s.entries[k] = append(s.entries[k], e)
	s.known[e.Label()] = e
}
