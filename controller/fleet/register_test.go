package fleet

import (
	"strings"
	"testing"
	"time"
)

func TestTreeCycle(t *testing.T) {
	units := []Unit{{ID: 1}, {ID: 2, Parent: 1}, {ID: 3, Parent: 2}, {ID: 4, Parent: 1}}
	tests := []struct {
		name         string
		unit, parent UnitID
		want         bool
	}{
		{"to_the_root", 3, 1, false},
		{"to_a_sibling", 2, 4, false},
		{"to_no_parent", 2, 0, false},
		{"to_itself", 2, 2, true},
		{"to_its_child", 2, 3, true},
		{"root_below_its_grandchild", 1, 3, true},
		{"new_unit", 9, 3, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := TreeCycle(units, tt.unit, tt.parent); got != tt.want {
				t.Errorf("TreeCycle(%d below %d) = %v, want %v", tt.unit, tt.parent, got, tt.want)
			}
		})
	}
	if broken := []Unit{{ID: 1, Parent: 2}, {ID: 2, Parent: 1}}; !TreeCycle(broken, 3, 1) {
		t.Error("TreeCycle took a parent inside a circle")
	}
}

func TestCheckEntryNamesTheField(t *testing.T) {
	unit := Unit{Code: "SF", Type: Community, Name: "松风社区"}
	tests := []struct {
		name  string
		entry Entry
		field string // empty: no fault
	}{
		{"unit", &UnitEntry{Unit: unit}, ""},
		{"unit_without_name", &UnitEntry{Unit: Unit{Code: "SF", Type: Community}}, "name"},
		{"unit_code", &UnitEntry{Unit: Unit{Code: "松风", Type: Community, Name: "松风社区"}}, "code"},
		{"unit_type", &UnitEntry{Unit: Unit{Code: "SF", Type: "town", Name: "松风社区"}}, "type"},
		{"unit_region", &UnitEntry{Unit: Unit{Code: "SF", Type: Community, Name: "松风社区", Region: "123"}}, "region"},
		{"unit_own_parent", &UnitEntry{Unit: unit, Parent: "SF"}, "parent"},
		{"unit_successor_while_listed", &UnitEntry{Unit: unit, Successor: "WH"}, "successor"},
		{"unit_identity_number", &UnitEntry{Unit: Unit{Code: "SF", Type: Community, Name: "松风社区", Head: "张工 11010519491231002X"}}, "head"},
		{"unit_long_name", &UnitEntry{Unit: Unit{Code: "SF", Type: Community, Name: strings.Repeat("松", 101)}}, "name"},
		{"grid_number", &GridEntry{Unit: "SF"}, "number"},
		{"grid_population", &GridEntry{Unit: "SF", Grid: Grid{Number: 1, Population: -1}}, "population"},
		{"compound_without_unit", &CompoundEntry{Compound: Compound{Name: "松风苑"}}, "unit"},
		{"company_phone", &CompanyEntry{Company{Name: "示例物业", Phone: "138-0000-000a"}}, "phone"},
		{"company_short_phone", &CompanyEntry{Company{Name: "示例物业", Phone: "12"}}, "phone"},
		{"company_landline", &CompanyEntry{Company{Name: "示例物业", Phone: "0551-6234567 转 8"}}, ""},
		{"point_kind", &PointEntry{Unit: "SF", Point: Point{Code: "SF-01", Name: "南门", Kind: "tower"}}, "kind"},
		{"point_cap", &PointEntry{Unit: "SF", Point: Point{Code: "SF-01", Name: "南门", Kind: Gate, CapPct: 101}}, "cap"},
		{"group_tier", &GroupEntry{Unit: "SF", Group: Group{Code: "G-1", Name: "群", Tier: 4}}, "tier"},
		{"liaison_leaves_first", &LiaisonEntry{Unit: "SF", Liaison: Liaison{Name: "李工", From: time.Unix(9, 0), To: time.Unix(8, 0)}}, "to"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			faults := CheckEntry(tt.entry)
			if tt.field == "" {
				if len(faults) != 0 {
					t.Errorf("CheckEntry = %+v, want none", faults)
				}
				return
			}
			if len(faults) != 1 || faults[0].Field != tt.field || faults[0].Text == "" || faults[0].TextEN == "" {
				t.Errorf("CheckEntry = %+v, want one of field %q", faults, tt.field)
			}
		})
	}
}

func TestTidyWritesCodesHalfWidth(t *testing.T) {
	u := &UnitEntry{Unit: Unit{Code: " ＳＦ－０１ ", Name: "  松风社区 ", Aliases: []string{" 松风 ", "", "松风"}}}
	Tidy(u)
	if u.Code != "SF-01" || u.Name != "松风社区" || len(u.Aliases) != 1 || u.Aliases[0] != "松风" {
		t.Errorf("Tidy = %+v", u)
	}
}

func TestCompareMasksPhonesAndTellsThemApart(t *testing.T) {
	a := &CompanyEntry{Company{Name: "示例物业", Phone: "13800000001"}}
	b := &CompanyEntry{Company{Name: "示例物业", Phone: "13800010001"}}
	before, after := Compare(a, b)
	if after == "" || strings.Contains(before+after, "13800") {
		t.Errorf("Compare = %s, %s; want a masked difference", before, after)
	}
	if _, after := Compare(a, &CompanyEntry{Company{Name: "示例物业", Phone: UnreadablePhone}}); after != "" {
		t.Errorf("a number that cannot be opened is a difference: %s", after)
	}
}

func TestCalibrationWarnings(t *testing.T) {
	tests := []struct {
		name string
		c    Calibration
		want string
	}{
		{"quiet", Calibration{OnDB: 54, OffDB: 50, Class: 1, Method: ByMeter}, ""},
		{"at_the_limits", Calibration{OnDB: 55, OffDB: 50, Class: 1, Method: ByMeter}, ""},
		{"rise", Calibration{OnDB: 55, OffDB: 49.9, Class: 1, Method: ByMeter}, "rise"},
		{"loud_in_class_1", Calibration{OnDB: 55.1, OffDB: 52, Class: 1, Method: ByMeter}, "loud"},
		{"fine_in_class_2", Calibration{OnDB: 59, OffDB: 55, Class: 2, Method: ByMeter}, ""},
		{"unknown_class_is_strict", Calibration{OnDB: 59, OffDB: 55, Method: ByMeter}, "loud"},
		{"all", Calibration{OnDB: 70, OffDB: 50, Class: 2, Method: ByApp}, "rise loud app"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, w := range tt.c.Warnings() {
				got = append(got, string(w))
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("Warnings = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestStageAt(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	past, future := now.Add(-time.Hour), now.Add(time.Hour)
	tests := []struct {
		name string
		p    Point
		want PointStage
	}{
		{"new", Point{}, StageBare},
		{"planned_and_not_installed", Point{Start: future}, StageBare},
		{"held", Point{Installed: past, Hold: true}, StageWaiting},
		{"from_tomorrow", Point{Installed: past, ActiveFrom: future}, StageWaiting},
		{"owes", Point{Installed: past, ActiveFrom: past}, StageActive},
		{"owes_from_now", Point{Installed: past, ActiveFrom: now}, StageActive},
		{"retired", Point{Installed: past, ActiveFrom: past, Retired: past}, StageRetired},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.p.StageAt(now); got != tt.want {
				t.Errorf("StageAt = %s, want %s", got, tt.want)
			}
		})
	}
	if got := OwesFrom(time.Time{}, past, false); !got.IsZero() {
		t.Errorf("a point that nobody has heard owes from %v", got)
	}
	if got := OwesFrom(now, past, false); !got.Equal(now) {
		t.Errorf("a point heard after its day owes from %v, want when it was heard", got)
	}
	if got := OwesFrom(past, future, true); !got.Equal(future) {
		t.Errorf("OwesFrom = %v, want the office's word", got)
	}
}
