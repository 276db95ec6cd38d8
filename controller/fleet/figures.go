package fleet

import (
	"cmp"
	"slices"

	"gatecast/internal/wire"
)

// FiguresQuery asks for the figures of units over a period.
type FiguresQuery struct {
	From, To Day    // both included
	Unit     UnitID // with all units below it; 0 means all
	Name     string // slot name; empty means all
	NoDemo   bool   // leave out what plays into files
	NoPoints bool   // leave Points 0: counting them is the dearest part
}

// ReasonCount is how many slots ended in a verdict for a reason.
type ReasonCount struct {
	Verdict Verdict // Partial, Missed, Doubt, Exempt or Pending
	Reason  wire.Reason
	N       int
}

// UnitFigures are the figures of one unit over a period, without the units
// below it.
type UnitFigures struct {
	Unit    UnitID
	Points  int // that owed anything
	Counts  Counts
	Demo    int           // of Counts.Owed: into files, or of a demo programme
	Reasons []ReasonCount // the most frequent first
	Grades  map[Grade]int // of Counts.Played; a grade that proved none is missing
}

// SumFigures adds figures up; Unit of the result is 0.
func SumFigures(all []UnitFigures) UnitFigures {
	sum := UnitFigures{Grades: map[Grade]int{}}
	reasons := map[ReasonCount]int{}
	for _, f := range all {
		sum.Points += f.Points
		sum.Demo += f.Demo
		sum.Counts = sum.Counts.Plus(f.Counts)
		for g, n := range f.Grades {
			sum.Grades[g] += n
		}
		for _, r := range f.Reasons {
			reasons[ReasonCount{Verdict: r.Verdict, Reason: r.Reason}] += r.N
		}
	}
	for r, n := range reasons {
		r.N = n
		sum.Reasons = append(sum.Reasons, r)
	}
	SortReasons(sum.Reasons)
	return sum
}

// SortReasons puts the most frequent first, equals by verdict and reason.
func SortReasons(all []ReasonCount) {
	slices.SortFunc(all, func(a, b ReasonCount) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(slices.Index(Verdicts, a.Verdict), slices.Index(Verdicts, b.Verdict)), cmp.Compare(a.Reason, b.Reason))
	})
}

// SlotQuery asks for a page of single slots of a period.
type SlotQuery struct {
	From, To Day    // both included
	Unit     UnitID // with all units below it, as they were on each day; 0 means all
	Compound CompoundID
	Point    PointID
	Name     string      // slot name; empty means all
	Verdicts []Verdict   // nil means all
	Reason   wire.Reason // empty means all
	Grade    Grade       // empty means all
	NoDemo   bool        // leave out what plays into files
	Limit    int         // 0 means no limit
	Offset   int
}
