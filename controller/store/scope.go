package store

import (
	"context"

	"gatecast/controller/fleet"
)

// PointsIn returns the points that are in scope, by code; none for the zero
// Scope.
func (s *Store) PointsIn(ctx context.Context, scope fleet.Scope) ([]fleet.Point, error) {
	cond, args := inScope(scope)
	return list(ctx, s, "points", s.scanPoint, `SELECT `+pointColumns+` FROM points p LEFT JOIN compounds c ON c.id = p.compound_id WHERE `+cond+` ORDER BY p.code`, args...)
}

// PointIn returns the point with that id if it is in scope. One outside is a
// *fleet.Error of code NotFound with the words of a point that does not exist,
// so that ids tell nothing.
func (s *Store) PointIn(ctx context.Context, scope fleet.Scope, id fleet.PointID) (fleet.Point, error) {
	cond, args := inScope(scope)
	p, err := s.scanPoint(s.read.QueryRowContext(ctx, `SELECT `+pointColumns+` FROM points p LEFT JOIN compounds c ON c.id = p.compound_id WHERE p.id = ? AND `+cond,
		append([]any{id}, args...)...))
	return p, notFound(err, noPoint(id))
}

// inScope returns the condition on a point p of a compound c and its arguments.
func inScope(scope fleet.Scope) (string, []any) {
	switch {
	case scope.All:
		return "1 = 1", nil
	case scope.Unit != 0:
		return "p.unit_id IN " + underUnit, []any{scope.Unit}
	case scope.Company != "":
		return "c.property = ?", []any{scope.Company}
	}
	return "1 = 0", nil
}
