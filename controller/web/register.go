package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// Register is what the pages change of the registry. Refusals are
// *fleet.Errors, or faults of an outcome.
type Register interface {
	ApplyRegistry(ctx context.Context, changes []fleet.RegistryChange, o fleet.RegistryOptions) (fleet.RegistryOutcome, error)
	UnitChanges(ctx context.Context) ([]fleet.UnitChange, error) // newest first
	// AddUnitChange carries a change of today out at once; others wait.
	AddUnitChange(ctx context.Context, c fleet.UnitChange, today fleet.Day) (fleet.UnitChangeID, error)
	CancelUnitChange(ctx context.Context, id fleet.UnitChangeID, now time.Time) error
	RenameCompany(ctx context.Context, from, to string) error
}

// Sites is what the pages change of a point beside its entry in the registry.
type Sites interface {
	SetPointStart(ctx context.Context, id fleet.PointID, start time.Time) error
	RetirePoint(ctx context.Context, id fleet.PointID, at time.Time) error // zero: back in use
	AddCalibration(ctx context.Context, c fleet.Calibration, photo []byte) (fleet.CalibrationID, error)
	Calibrations(ctx context.Context, id fleet.PointID) ([]fleet.Calibration, error) // newest first
	CalibrationPhoto(ctx context.Context, p fleet.PointID, id fleet.PhotoID) ([]byte, error)
}

// Rosters is what the pages read of the registry beside places and people.
type Rosters interface {
	Grids(ctx context.Context) ([]fleet.Grid, error)
	Groups(ctx context.Context) ([]fleet.Group, error)
	Companies(ctx context.Context) ([]fleet.Company, error)
	// CalibratedPoints returns what was measured last at each point.
	CalibratedPoints(ctx context.Context) (map[fleet.PointID]fleet.Calibration, error)
}

// registerRoutes are the pages on which the registry is kept.
func (s *Server) registerRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRead, "/units", "units", s.units)
	s.page(mux, fleet.ActRead, "/units/missing", "missing", s.missing)
	s.page(mux, fleet.ActRegister, "/units/new", "unitnew", s.unitNew)
	s.may(mux, fleet.ActRegister, "POST /units", s.addUnit)
	s.may(mux, fleet.ActRegister, "POST /units/preset", s.presetUnits)
	s.page(mux, fleet.ActRead, "/units/{id}", "unit", s.unit)
	s.may(mux, fleet.ActRegister, "POST /units/{id}", s.saveUnit)
	s.may(mux, fleet.ActRegister, "POST /units/{id}/liaison", s.saveLiaison)
	s.may(mux, fleet.ActRegister, "POST /units/{id}/leave", s.leaveLiaison)
	s.may(mux, fleet.ActRegister, "POST /units/{id}/grid", s.saveGrid)
	s.may(mux, fleet.ActRegister, "POST /units/{id}/compound", s.saveCompound)
	s.may(mux, fleet.ActRegister, "POST /units/{id}/change", s.changeUnit)
	s.may(mux, fleet.ActRegister, "POST /units/{id}/cancel", s.cancelUnitChange)

	s.page(mux, fleet.ActRead, "/compounds", "compounds", s.compounds)
	s.page(mux, fleet.ActRead, "/properties", "properties", s.properties)
	s.may(mux, fleet.ActRegister, "POST /properties", s.addCompany)
	s.page(mux, fleet.ActRegister, "/properties/{id}", "property", s.property)
	s.may(mux, fleet.ActRegister, "POST /properties/{id}", s.saveCompany)

	s.page(mux, fleet.ActRegister, "/points/new", "pointnew", s.pointNew)
	s.may(mux, fleet.ActRegister, "POST /points", s.addPoint)
	s.page(mux, fleet.ActRegister, "/points/{id}/edit", "pointedit", s.pointEdit)
	s.may(mux, fleet.ActRegister, "POST /points/{id}/edit", s.savePoint)
	s.may(mux, fleet.ActRegister, "POST /points/{id}/start", s.startPoint)
	s.may(mux, fleet.ActRegister, "POST /points/{id}/retire", s.retirePoint)
	s.page(mux, fleet.ActRegister, "/points/{id}/calibration", "calibration", s.calibration)
	s.may(mux, fleet.ActRegister, "POST /points/{id}/calibration", s.calibrate)
	s.may(mux, fleet.ActRead, "GET /points/{id}/photos/{photo}", s.calibrationPhoto)
}

// office is the whole registry as one page sees it.
type office struct {
	*places
	grids     []fleet.Grid
	groups    []fleet.Group
	liaisons  []fleet.Liaison
	compounds []fleet.Compound
}

func (s *Server) office(ctx context.Context) (*office, error) {
	p, err := s.places(ctx, fleet.PointFilter{InUse: true})
	if err != nil {
		return nil, err
	}
	o := &office{places: p}
	if o.grids, err = s.o.Rosters.Grids(ctx); err != nil {
		return nil, fmt.Errorf("reading grids: %w", err)
	}
	if o.groups, err = s.o.Rosters.Groups(ctx); err != nil {
		return nil, fmt.Errorf("reading groups: %w", err)
	}
	if o.liaisons, err = s.o.Registry.Liaisons(ctx); err != nil {
		return nil, fmt.Errorf("reading liaisons: %w", err)
	}
	if o.compounds, err = s.o.Registry.Compounds(ctx); err != nil {
		return nil, fmt.Errorf("reading compounds: %w", err)
	}
	return o, nil
}

// unitOptions offers the units that are in the register, by code, indented as
// the tree is.
func unitOptions(units []fleet.Unit, keep string) []option {
	depth := map[fleet.UnitID]int{}
	var list []option
	for _, u := range treeOrder(units) {
		if u.Parent != 0 {
			depth[u.ID] = depth[u.Parent] + 1
		}
		if u.Listed() || u.Code == keep {
			list = append(list, option{Value: u.Code, Text: strings.Repeat("　", depth[u.ID]) + u.Name})
		}
	}
	return list
}

// treeOrder returns units with each one's children right behind it.
func treeOrder(units []fleet.Unit) []fleet.Unit {
	below := map[fleet.UnitID][]fleet.Unit{}
	for _, u := range units {
		below[u.Parent] = append(below[u.Parent], u)
	}
	var all []fleet.Unit
	var walk func(id fleet.UnitID)
	walk = func(id fleet.UnitID) {
		for _, u := range below[id] {
			all = append(all, u)
			walk(u.ID)
		}
	}
	walk(0)
	return all
}

func unitPath(id fleet.UnitID) string { return fmt.Sprintf("/units/%d", id) }

// idOf reads the number in the path under that name.
func idOf(r *http.Request, name string, missing error) (int64, error) {
	n, err := strconv.ParseInt(r.PathValue(name), 10, 64)
	if err != nil || n < 1 {
		return 0, missing
	}
	return n, nil
}

// listQuery is what the URL of a list asks for.
type listQuery struct {
	Path, Query, Sort string
	Filter            string
	Page              int
}

const rowsPerPage = 100

func readList(path string, q url.Values, sorts ...string) listQuery {
	l := listQuery{Path: path, Query: strings.TrimSpace(q.Get("q")), Filter: q.Get("show"), Sort: sorts[0], Page: 1}
	for _, s := range sorts {
		if q.Get("sort") == s {
			l.Sort = s
		}
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 1 {
		l.Page = n
	}
	return l
}

func (l listQuery) link(sort string, page int) string {
	q := url.Values{}
	for k, v := range map[string]string{"q": l.Query, "show": l.Filter, "sort": sort} {
		if v != "" {
			q.Set(k, v)
		}
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	if len(q) == 0 {
		return l.Path
	}
	return l.Path + "?" + q.Encode()
}

// Head is the head of the column sorted by name, with its text.
func (l listQuery) Head(name, text string) sortLink {
	return sortLink{Href: l.link(name, 1), Text: text, On: l.Sort == name}
}

// pageOf cuts rows to the page that l asks for.
func pageOf[T any](l listQuery, rows []T) ([]T, pager) {
	p := pager{Page: l.Page, Pages: max(1, (len(rows)+rowsPerPage-1)/rowsPerPage)}
	p.Page = min(p.Page, p.Pages)
	if p.Page > 1 {
		p.Previous = l.link(l.Sort, p.Page-1)
	}
	if p.Page < p.Pages {
		p.Next = l.link(l.Sort, p.Page+1)
	}
	from := (p.Page - 1) * rowsPerPage
	return rows[from:min(len(rows), from+rowsPerPage)], p
}
