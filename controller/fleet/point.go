package fleet

import (
	"slices"
	"time"
)

// PointKind is the kind of a point.
type PointKind string

// The kinds of points.
const (
	Gate    PointKind = "gate"    // 小区门口
	Horn    PointKind = "village" // 村广播
	Indoors PointKind = "indoor"  // 单位广播
)

// PointKinds is every kind, in the order in which they are offered.
var PointKinds = []PointKind{Gate, Horn, Indoors}

// ExamTag is the tag of points near an examination site: rules of exam days
// name it.
const ExamTag = "考点周边"

// Point owes slots. It outlives its devices.
type Point struct {
	ID         PointID
	Code       string // 点位编号, unique, e.g. "SF-01"
	Name       string
	Kind       PointKind
	Unit       UnitID
	Compound   CompoundID // 0 for village points
	Place      string     // where it hangs, in words
	Tags       []string
	DutyName   string
	DutyPhone  Phone
	Approval   string    // number of the document that allows it, 批准文件
	CapPct     int       // volume ceiling of this point in percent, enforced by its device; 0 means that of the office alone
	NoiseClass int       // of the place by GB 3096: 1 or 2; 0 if not known
	Hold       bool      // it owes only once the office says from when, not when its device is accepted
	Start      time.Time // the office's word from when it owes; zero means as soon as it is installed
	Installed  time.Time // when a device of it was first heard and accepted; zero before
	ActiveFrom time.Time // nothing is owed before; zero means not yet
	Retired    time.Time // 停用: nothing is owed from then on; zero means in use
	NeedSync   bool      // nothing sounds below wire.T2; false: wire.T1 suffices
}

// PointStage is how far a point has come.
type PointStage string

// The stages of a point: 待安装, 待启用, 启用, 停用.
const (
	StageBare    PointStage = "bare"    // no device of it was ever accepted
	StageWaiting PointStage = "waiting" // it could sound, and owes nothing yet
	StageActive  PointStage = "active"  // it owes
	StageRetired PointStage = "retired" // it owes nothing any more
)

// PointStages is every stage in its order.
var PointStages = []PointStage{StageBare, StageWaiting, StageActive, StageRetired}

// StageAt returns how far the point is at now.
func (p Point) StageAt(now time.Time) PointStage {
	switch {
	case p.RetiredAt(now):
		return StageRetired
	case !p.ActiveFrom.IsZero() && !p.ActiveFrom.After(now):
		return StageActive
	case p.Installed.IsZero():
		return StageBare
	}
	return StageWaiting
}

// RetiredAt reports whether the point is out of use at now.
func (p Point) RetiredAt(now time.Time) bool { return !p.Retired.IsZero() && !p.Retired.After(now) }

// NearExam reports whether the point is tagged as near an examination site.
func (p Point) NearExam() bool { return slices.Contains(p.Tags, ExamTag) }

// OwesFrom returns from when a point owes that was installed at that time,
// with the office's word start and hold; zero means not yet. It never owes
// before somebody heard it.
func OwesFrom(installed, start time.Time, hold bool) time.Time {
	switch {
	case installed.IsZero(), hold && start.IsZero():
		return time.Time{}
	case start.After(installed):
		return start
	}
	return installed
}
