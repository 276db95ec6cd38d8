package fleet

import (
	"fmt"
	"time"
)

// UnitChangeID is the row of a change of units.
type UnitChangeID int64

// UnitChangeKind is a way in which units change.
type UnitChangeKind string

// The ways.
const (
	UnitMove  UnitChangeKind = "move"  // 划入: Unit goes below Target
	UnitMerge UnitChangeKind = "merge" // 撤并: Unit is dissolved, all it has goes to Target
	UnitSplit UnitChangeKind = "split" // 划出: Unit gives compounds and points to Target
)

// UnitShare is what a split takes along; a compound takes its points along.
type UnitShare struct {
	Compounds []CompoundID `json:"compounds,omitempty"`
	Points    []PointID    `json:"points,omitempty"`
}

// UnitChange is a change of the tree of units that holds from a day on. What
// was owed before that day stays under the units as they were; nothing that
// was published or settled is written again.
type UnitChange struct {
	ID        UnitChangeID
	Kind      UnitChangeKind
	Unit      UnitID
	Target    UnitID
	Share     UnitShare // of a split
	Day       Day       // first day on which it holds, of the office
	Document  string    // number of the paper that says so
	By        string    // login
	At        time.Time // written down
	Done      time.Time // carried out; zero while it is to come
	Cancelled time.Time // taken back before its day; zero if not
}

// Open reports whether the change is still to come.
func (c UnitChange) Open() bool { return c.Done.IsZero() && c.Cancelled.IsZero() }

// maxAhead is how far ahead a change can be written down.
const maxAhead = 366 * 24 * time.Hour

// Check returns nil when c can be written down today among units, otherwise a
// *Error of code Invalid that says what to do. A day in the past is refused:
// what was owed on it is settled or published.
func (c UnitChange) Check(units []Unit, today Day) error {
	refuse := func(zh, en string, args ...any) error {
		return &Error{Code: Invalid, Text: fmt.Sprintf(zh, args...), TextEN: fmt.Sprintf(en, args...)}
	}
	byID := map[UnitID]Unit{}
	for _, u := range units {
		byID[u.ID] = u
	}
	unit, hasUnit := byID[c.Unit]
	target, hasTarget := byID[c.Target]
	day, err := time.Parse(time.DateOnly, string(c.Day))
	now, _ := time.Parse(time.DateOnly, string(today)) // the office's own day parses
	switch {
	case c.Kind != UnitMove && c.Kind != UnitMerge && c.Kind != UnitSplit:
		return refuse("请选择划入、撤并或划出。", "Choose move, merge or split.")
	case !hasUnit || !hasTarget:
		return refuse("请选择要变动的单位和对方单位。", "Choose the unit and the one it goes to.")
	case c.Unit == c.Target:
		return refuse("单位“%s”不能并入或划给自己。", "%s cannot go to itself.", unit.Name)
	case !unit.Listed():
		return refuse("单位“%s”已经撤并，不能再变动。", "%s was merged already.", unit.Name)
	case !target.Listed():
		return refuse("单位“%s”已经撤并，请另选一个在册单位。", "%s was merged: choose a unit that is in the register.", target.Name)
	case err != nil:
		return refuse("生效日期要写成 2026-11-23 的样子。", "Write the first day like 2026-11-23.")
	case c.Day < today:
		return refuse("生效日期最早是今天：过去的日子已经结算，不再改动。", "The first day is today at the earliest: days before are settled and stay as they are.")
	case day.Sub(now) > maxAhead:
		return refuse("生效日期最多提前一年登记。", "A change is written down a year ahead at most.")
	case c.Kind != UnitSplit && TreeCycle(units, c.Unit, c.Target):
		return refuse("“%s”在“%s”之下，不能作为它的去处。", "%s is below %s and cannot take it.", target.Name, unit.Name)
	case c.Kind == UnitMove && unit.Parent == c.Target:
		return refuse("“%s”已经在“%s”之下。", "%s is below %s already.", unit.Name, target.Name)
	case c.Kind == UnitMerge && unit.Parent == 0:
		return refuse("“%s”是最上一级，不能撤并。", "%s is the root and cannot be merged.", unit.Name)
	case c.Kind == UnitSplit && len(c.Share.Compounds)+len(c.Share.Points) == 0:
		return refuse("请勾选要划出的小区或点位。", "Tick the compounds or points that go.")
	case len([]rune(c.Document)) > 100:
		return refuse("文号最多 100 个字。", "The number of the document has 100 characters at most.")
	}
	return nil
}
