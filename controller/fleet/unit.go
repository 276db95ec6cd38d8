package fleet

import (
	"slices"
	"time"
)

// UnitType is the kind of a unit.
type UnitType string

// The unit types: 街道, 社区, 村, 科室, 所, 站, 校, 院, 企事业单位.
const (
	Subdistrict UnitType = "subdistrict"
	Community   UnitType = "community"
	Village     UnitType = "village"
	Section     UnitType = "section"
	Office      UnitType = "office"
	Station     UnitType = "station"
	School      UnitType = "school"
	Institute   UnitType = "institute"
	Enterprise  UnitType = "enterprise"
)

// UnitTypes is every type, in the order in which they are offered.
var UnitTypes = []UnitType{Subdistrict, Community, Village, Section, Office, Station, School, Institute, Enterprise}

// Valid reports whether t is one of UnitTypes.
func (t UnitType) Valid() bool { return slices.Contains(UnitTypes, t) }

// UnitState says whether a unit is in the register.
type UnitState string

// The states of a unit. The empty state counts as UnitListed.
const (
	UnitListed UnitState = "listed" // 在册
	UnitMerged UnitState = "merged" // 撤并: its history stays, nothing new is written under it
)

// Unit is one node of the tree of units.
type Unit struct {
	ID        UnitID
	Parent    UnitID // 0 for the subdistrict
	Type      UnitType
	Code      string   // stable, unique, [A-Za-z0-9-]
	Name      string   // 全称
	ShortName string   // 群名用简称
	Aliases   []string // other names by which files know it
	Hats      []string // 挂牌: names of the other offices that it is at the same time
	Region    string   // 区划代码, 12 digits; empty if not known
	Head      string   // 第一责任人
	Leader    string   // 主管领导
	State     UnitState
	Successor UnitID // of a merged unit: where it went; 0 if nowhere
	Order     int    // position among siblings
}

// Listed reports whether the unit is 在册.
func (u Unit) Listed() bool { return u.State != UnitMerged }

// Grid is a 网格 of a community.
type Grid struct {
	ID         GridID
	Unit       UnitID
	Number     int // printed as 第二网格
	Name       string
	Worker     string
	Households int // 户数; 0 if not known
	Population int // 人口; 0 if not known
}

// Compound is a 小区 under a community.
type Compound struct {
	ID         CompoundID
	Unit       UnitID
	Grid       GridID // 0 if none
	Name       string
	Property   string // name of the property company; empty if none
	Households int    // 户数; 0 if not known
}

// Company is a property company, 物业公司. Compounds and property accounts
// name it by its name, which is unique.
type Company struct {
	ID      CompanyID
	Name    string
	Contact string
	Phone   Phone
	Note    string
}

// Liaison is a 联络员 of a unit.
type Liaison struct {
	ID       LiaisonID
	Unit     UnitID
	Name     string
	Post     string
	Phone    Phone     // erased some days after To; name and post stay
	From, To time.Time // To zero means current; a future To is the last day that is known
}

// CurrentAt reports whether the liaison is in the post at now.
func (l Liaison) CurrentAt(now time.Time) bool { return l.To.IsZero() || l.To.After(now) }

// TreeCycle reports whether putting unit below parent would close a circle in
// the tree that units form.
func TreeCycle(units []Unit, unit, parent UnitID) bool {
	up := make(map[UnitID]UnitID, len(units))
	for _, u := range units {
		up[u.ID] = u.Parent
	}
	for n := 0; parent != 0 && n <= len(units); n++ {
		if parent == unit {
			return true
		}
		parent = up[parent]
	}
	return parent != 0
}
