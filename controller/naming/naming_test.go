package naming

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatecast/controller/fleet"
)

var (
	street   = fleet.Unit{ID: 1, Type: fleet.Subdistrict, Code: "SL", Name: "示例街道", ShortName: "示例", Head: "顾清和"}
	testTime = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	songfeng = fleet.Unit{ID: 2, Parent: 1, Type: fleet.Community, Code: "SL-01", Name: "松风社区", ShortName: "松风", Head: "周望舒", Order: 1}
	yunling  = fleet.Unit{ID: 3, Parent: 1, Type: fleet.Village, Code: "SL-11", Name: "云岭村", Head: "高远山", Order: 11}
)

func TestNumeralIsWrittenAsPeopleDo(t *testing.T) {
	for n, want := range map[int]string{
		1: "一", 2: "二", 10: "十", 11: "十一", 20: "二十", 21: "二十一", 100: "一百", 101: "一百零一", 110: "一百一十", 111: "一百一十一",
		1000: "一千", 1001: "一千零一", 1010: "一千零一十", 9999: "九千九百九十九", 0: "", -1: "", 10_000: "",
	} {
		if got := Numeral(n); got != want {
			t.Errorf("Numeral(%d) = %q, want %q", n, got, want)
		}
	}
	for s, want := range map[string]int{
		"二": 2, "两": 2, "12": 12, "１２": 12, "二〇": 20, "十": 10, "一十二": 12, " 3 ": 3, "一百零五": 105, "两百": 200,
		"": 0, "零": 0, "甲": 0, "二二十": 0, "十百": 0, "99999": 0, "一百二百": 0, "十十": 0,
	} {
		if got, ok := ParseNumeral(s); ok != (want > 0) || ok && got != want {
			t.Errorf("ParseNumeral(%q) = %d, %v, want %d", s, got, ok, want)
		}
	}
}

func TestNumeralReadsBack(t *testing.T) {
	for n := 1; n <= maxNumber; n++ {
		if got, ok := ParseNumeral(Numeral(n)); !ok || got != n {
			t.Fatalf("ParseNumeral(%q) = %d, %v, want %d", Numeral(n), got, ok, n)
		}
	}
}

func TestNamesAndCodesFollowTheRule(t *testing.T) {
	tests := []struct {
		p      Place
		number int
		name   string
		code   string
	}{
		{Place{Tier: 1, Subdistrict: street, Unit: street}, 0, "示例街道反电诈指挥群", "SL-1-00-00-1"},
		{Place{Tier: 2, Subdistrict: street, Unit: songfeng}, 0, "示例街道松风反电诈组织群", "SL-2-01-00-1"},
		{Place{Tier: 2, Subdistrict: street, Unit: yunling}, 0, "示例街道云岭反电诈组织群", "SL-2-11-00-1"},
		{Place{Tier: 3, Subdistrict: street, Unit: songfeng, Grid: 2}, 0, "示例街道松风社区（第二网格）反电诈宣传群", "SL-3-01-02-1"},
		{Place{Tier: 3, Subdistrict: street, Unit: yunling, Grid: 12}, 2, "示例街道云岭村（第十二网格）反电诈宣传群2群", "SL-3-11-12-1"},
	}
	for _, tt := range tests {
		if got := Default().Name(tt.p, tt.number); got != tt.name {
			t.Errorf("Name(%v, %d) = %q, want %q", tt.p, tt.number, got, tt.name)
		}
		if got := Default().CodeOf(tt.p, 1); got != tt.code {
			t.Errorf("CodeOf(%v, 1) = %q, want %q", tt.p, got, tt.code)
		}
	}
}

func TestCheckNamesEveryFault(t *testing.T) {
	one := Place{Tier: 1, Subdistrict: street, Unit: street}
	two := Place{Tier: 2, Subdistrict: street, Unit: songfeng}
	three := Place{Tier: 3, Subdistrict: street, Unit: songfeng, Grid: 2}
	village := Place{Tier: 3, Subdistrict: street, Unit: yunling, Grid: 1}
	tests := []struct {
		p      Place
		number int
		name   string
		want   []Kind
	}{
		{one, 0, "示例街道反电诈指挥群", nil},
		{one, 0, "示例街道街道反电诈指挥群", nil}, // as the model text has it
		{two, 0, "示例街道街道松风反电诈组织群", []Kind{Prefix}},
		{three, 0, "示例街道松风社区(第二网格)反电诈宣传群", []Kind{Bracket}},
		{three, 0, "示例街道松风社区第二网格反电诈宣传群", []Kind{Bracket}},
		{three, 0, "示例街道松风社区（第2网格）反电诈宣传群", []Kind{Digit}},
		{three, 0, "示例街道松风社区（第２网格）反电诈宣传群", []Kind{Digit}},
		{three, 0, "示例街道松风社区（二网格）反电诈宣传群", []Kind{Digit}},
		{three, 0, "示例街道松风社区（第三网格）反电诈宣传群", []Kind{Grid}},
		{three, 0, "松风社区（第二网格）反电诈宣传群", []Kind{Prefix}},
		{three, 0, "示例松风社区（第二网格）反电诈宣传群", []Kind{Prefix}},
		{three, 0, "示例街道松风社区（第二网格）反诈宣传群", []Kind{Word}},
		{three, 0, "示例街道松风社区（第二网格）反诈防骗宣传群", []Kind{Word}},
		{three, 0, "示例街道松风社区（第二网格）反电诈宣传群 ", []Kind{Invisible}},
		{three, 0, "示例街道松风社区\u200b（第二网格）反电诈宣传群", []Kind{Invisible}},
		{three, 0, "示例街道松风（第二网格）反电诈宣传群", []Kind{FullName}},
		{village, 0, "示例街道云岭（第一网格）反电诈宣传群", []Kind{FullName}},
		{village, 0, "示例街道松风社区（第一网格）反电诈宣传群", []Kind{Unit}},
		{three, 0, "示例街道松风社区（第二网格）反电诈宣传群2群", []Kind{Series}},
		{three, 1, "示例街道松风社区（第二网格）反电诈宣传群", []Kind{Series}},
		{three, 1, "示例街道松风社区（第二网格）反电诈宣传群一群", []Kind{Series}},
		{three, 1, "示例街道松风社区（第二网格）反电诈宣传群（1）", []Kind{Series}},
		{three, 1, "示例街道松风社区（第二网格）反电诈宣传群１群", []Kind{Series}},
		{three, 1, "示例街道松风社区（第二网格）反电诈宣传群1群", nil},
		{two, 0, "示例街道松风反电诈宣传群", []Kind{Tier}},
		{two, 0, "示例街道松风社区反电诈组织群", []Kind{Short}},
		{two, 0, "幸福一家人", []Kind{Prefix, Other}},
		{three, 0, "松风(第2网格)反诈宣传群 ", []Kind{Invisible, Bracket, Prefix, Word, Digit, FullName}},
	}
	for _, tt := range tests {
		want, faults := Default().Check(tt.p, tt.number, tt.name)
		var got []Kind
		for _, f := range faults {
			got = append(got, f.Kind)
			if f.Text() == "" || f.TextEN() == "" {
				t.Errorf("Check(%q): fault %q has no words", tt.name, f.Kind)
			}
		}
		slices.Sort(got)
		slices.Sort(tt.want)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("Check(%q) (-want +got):\n%s", tt.name, diff)
		}
		if want != Default().Name(tt.p, tt.number) {
			t.Errorf("Check(%q) corrects to %q", tt.name, want)
		}
	}
}

// drawPlace draws an office of invented places.
func drawPlace(t *rapid.T) Place {
	word := rapid.SampledFrom([]string{"松风", "望河", "云岭", "示例", "反诈", "群", "第三网格", "长" + strings.Repeat("名", 9)})
	p := Place{Tier: rapid.IntRange(1, 3).Draw(t, "tier"), Subdistrict: street}
	short := word.Draw(t, "short")
	p.Unit = fleet.Unit{ID: 2, Name: short + rapid.SampledFrom([]string{"社区", "村", "派出所", "小学"}).Draw(t, "kind"), Order: rapid.IntRange(0, 99).Draw(t, "order")}
	if rapid.Bool().Draw(t, "has a short name") {
		p.Unit.ShortName = short
	}
	if p.Tier == 3 {
		p.Grid = rapid.IntRange(1, 120).Draw(t, "grid")
	}
	return p
}

func TestWhatIsGeneratedIsRight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, number := drawPlace(t), rapid.IntRange(0, 9).Draw(t, "number")
		name := Default().Name(p, number)
		if want, faults := Default().Check(p, number, name); want != name || len(faults) != 0 {
			t.Fatalf("Check(%q) = %q, %v", name, want, faults)
		}
	})
}

func TestCorrectionIsRightAndEveryOtherNameIsNot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, number := drawPlace(t), rapid.IntRange(0, 3).Draw(t, "number")
		name := []rune(Default().Name(p, number))
		for range rapid.IntRange(1, 4).Draw(t, "mistakes") {
			at := rapid.IntRange(0, len(name)).Draw(t, "at")
			insert := rapid.SampledFrom([]string{" ", "\u200b", "(", "2", "２群", "反诈", "街道", "社区", "第2网格", "", "宣传"}).Draw(t, "insert")
			drop := min(rapid.IntRange(0, 3).Draw(t, "drop"), len(name)-at)
			name = slices.Concat(name[:at], []rune(insert), name[at+drop:])
		}
		got := string(name)
		want, faults := Default().Check(p, number, got)
		alias := p.Tier == 1 && got == Default().doubled(p)+suffix(number)
		if right := got == want || alias; right != (len(faults) == 0) {
			t.Fatalf("Check(%q), want %q: faults %v", got, want, faults)
		}
		if again, faults := Default().Check(p, number, want); again != want || len(faults) != 0 {
			t.Fatalf("Check(%q), a correction = %q, %v", want, again, faults)
		}
	})
}

func FuzzCheckTakesAnyName(f *testing.F) {
	for _, name := range []string{"示例街道松风社区（第二网格）反电诈宣传群2群", "\x00(第２网格", "群9999群", "第〇网格", "街道街道街道", "（（））", "\xff\xfe"} {
		f.Add(name, 3, 2)
	}
	f.Fuzz(func(t *testing.T, name string, tier, number int) {
		p := Place{Tier: 1 + (tier%3+3)%3, Subdistrict: street, Unit: songfeng, Grid: 2}
		number = (number%5 + 5) % 5
		want, faults := Default().Check(p, number, name)
		if _, again := Default().Check(p, number, want); len(again) != 0 {
			t.Errorf("Check(%q) corrects to %q, which has faults %v", name, want, again)
		}
		if len(faults) == 0 && name != want && name != Default().doubled(p)+suffix(number) {
			t.Errorf("Check(%q) finds nothing, want %q", name, want)
		}
		Locate([]fleet.Unit{street, songfeng, yunling}, name)
		ParseNumeral(name)
	})
}

func TestRuleRefusesTemplatesThatCannotTellGroupsApart(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Rule)
	}{
		{"no_subdistrict", func(r *Rule) { r.Names[0] = "反电诈指挥群" }},
		{"no_unit", func(r *Rule) { r.Names[1] = "{街道}反电诈组织群" }},
		{"no_grid", func(r *Rule) { r.Names[2] = "{街道}{社区全称}反电诈宣传群" }},
		{"grid_in_tier_2", func(r *Rule) { r.Names[1] = "{街道}{简称}{中文数}反电诈组织群" }},
		{"unknown_placeholder", func(r *Rule) { r.Names[0] = "{街道}{区}反电诈指挥群" }},
		{"half_width_brackets", func(r *Rule) { r.Names[2] = "{街道}{社区全称}(第{中文数}网格)反电诈宣传群" }},
		{"space", func(r *Rule) { r.Names[0] = "{街道} 反电诈指挥群" }},
		{"stray_brace", func(r *Rule) { r.Names[0] = "{街道}}反电诈指挥群" }},
		{"no_group_at_the_end", func(r *Rule) { r.Names[0] = "{街道}反电诈指挥部" }},
		{"too_long", func(r *Rule) { r.Names[0] = "{街道}" + strings.Repeat("反", 40) + "群" }},
		{"code_without_series", func(r *Rule) { r.Code = "{级}-{社区序}-{网格序}" }},
		{"code_with_adjoining_parts", func(r *Rule) { r.Code = "{级}{社区序}-{网格序}-{群序}" }},
		{"code_with_space", func(r *Rule) { r.Code = "{级}-{社区序}-{网格序} {群序}" }},
		{"limit", func(r *Rule) { r.Limit = 3 }},
	}
	if err := Default().Validate(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Default()
			tt.change(&r)
			if err := r.Validate(); fleet.CodeOf(err) != fleet.Invalid {
				t.Errorf("Validate = %v, want a refusal", err)
			}
			if got := Parse(r.String()); got != Default() {
				t.Errorf("Parse of a rule that does not hold = %v", got)
			}
		})
	}
	r := Default()
	r.Names[0], r.Limit = "{街道}反诈指挥群", 200
	if got := Parse(r.String()); got != r {
		t.Errorf("Parse(String) = %v, want %v", got, r)
	}
	if _, faults := r.Check(Place{Tier: 1, Subdistrict: street, Unit: street}, 0, "示例街道反诈指挥群"); len(faults) != 0 {
		t.Errorf("the office's own word is a fault: %v", faults)
	}
}

// testOffice has one group of tier 1, one of tier 2 and three grids with one
// group each.
func testOffice() Office {
	o := Office{Units: []fleet.Unit{street, songfeng}}
	add := func(tier int, unit fleet.Unit, grid int, owner string) {
		p := Place{Tier: tier, Subdistrict: street, Unit: unit, Grid: grid}
		o.Groups = append(o.Groups, fleet.Group{
			ID: fleet.GroupID(len(o.Groups) + 1), Tier: tier, Unit: unit.ID, Grid: fleet.GridID(grid), Seq: 1, State: fleet.GroupActive,
			Name: Default().Name(p, 0), Code: Default().CodeOf(p, 1), Owner: owner, Members: 300, Households: 200, Joined: 150,
		})
	}
	add(1, street, 0, street.Head)
	add(2, songfeng, 0, songfeng.Head)
	for n := 1; n <= 3; n++ {
		g := fleet.Grid{ID: fleet.GridID(n), Unit: songfeng.ID, Number: n, Worker: fmt.Sprint("网格员", n)}
		o.Grids = append(o.Grids, g)
		add(3, songfeng, n, g.Worker)
	}
	return o
}

func second(o *Office, of int) *fleet.Group {
	g := o.Groups[of]
	g.ID, g.Seq, g.Code = fleet.GroupID(len(o.Groups)+1), g.Seq+1, "another"
	o.Groups = append(o.Groups, g)
	return &o.Groups[len(o.Groups)-1]
}

func TestReviewOfAGoodOfficeFindsNothing(t *testing.T) {
	r := Default().Review(testOffice())
	for _, f := range r.Findings {
		if f.Wrong() {
			t.Errorf("%q: %v %q", f.Group.Name, f.Faults, f.Owner)
		}
	}
	if len(r.Gaps) != 0 || r.Checked != 5 || r.Right != 5 || r.Households != 1000 || r.Joined != 750 || len(r.Units) != 2 || r.Units[1].Right != 4 {
		t.Errorf("Review = %+v", r)
	}
}

func TestReviewNumbersASeries(t *testing.T) {
	base := "示例街道松风社区（第一网格）反电诈宣传群"
	tests := []struct {
		name string
		have []string
		want []string
	}{
		{"alone", []string{""}, []string{""}},
		{"alone_with_a_number", []string{"2群"}, []string{""}},
		{"first_gets_its_number_with_the_second", []string{"", "2群"}, []string{"1群", "2群"}},
		{"neither_has_one", []string{"", ""}, []string{"1群", "2群"}},
		{"gap", []string{"1群", "3群"}, []string{"1群", "2群"}},
		{"duplicate", []string{"1群", "1群"}, []string{"1群", "2群"}},
		{"swapped_stays", []string{"2群", "1群"}, []string{"2群", "1群"}},
		{"three", []string{"2群", "", "2群"}, []string{"2群", "1群", "3群"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := testOffice()
			o.Groups[2].Name = base + tt.have[0]
			for i, s := range tt.have[1:] {
				g := second(&o, 2)
				g.Name, g.Seq = base+s, i+2
			}
			var got []string
			for _, f := range Default().Review(o).Findings {
				if f.Group.Grid != 1 {
					continue
				}
				got = append(got, strings.TrimPrefix(f.Want, base))
				if right := f.Want == f.Group.Name; right != (len(f.Faults) == 0) {
					t.Errorf("%q, want %q: %v", f.Group.Name, f.Want, f.Faults)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("series (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReviewFindsWhatIsMissing(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Office)
		want   string
	}{
		{"no_tier_1", func(o *Office) { o.Groups[0].State = fleet.GroupDissolved }, "gap root 示例街道"},
		{"planned_does_not_count", func(o *Office) { o.Groups[1].State = fleet.GroupPlanned }, "gap unit 松风社区"},
		{"no_tier_3", func(o *Office) { o.Groups[3].State = fleet.GroupMerged }, "gap grid 松风社区"},
		{"command_group_elsewhere", func(o *Office) { g := second(o, 0); g.Unit = songfeng.ID }, "gap extra 松风社区"},
		{"same_order", func(o *Office) { u := yunling; u.Order = songfeng.Order; o.Units = append(o.Units, u) }, "gap order 云岭村"},
		{"unit_that_went_elsewhere", func(o *Office) { o.Units[1].State = fleet.UnitMerged }, "gap gone 松风社区"},
		{"crowded", func(o *Office) { o.Groups[2].Members = 512 }, "crowded 示例街道松风社区（第一网格）反电诈宣传群1群 示例街道松风社区（第一网格）反电诈宣传群2群"},
		{"five_hundred_is_not_crowded", func(o *Office) { o.Groups[2].Members = 500 }, ""},
		{"no_owner", func(o *Office) { o.Groups[2].Owner = "" }, "owner missing"},
		{"other_owner", func(o *Office) { o.Groups[2].Owner = "何知夏" }, "owner other"},
		{"owner_left", func(o *Office) {
			o.Groups[2].Owner = "何知夏"
			o.Liaisons = []fleet.Liaison{{Unit: songfeng.ID, Name: "何知夏", To: testTime}}
		}, "owner left"},
		{"same_name", func(o *Office) { o.Groups[3].Name = o.Groups[2].Name }, "fault duplicate SL-3-01-01-1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := testOffice()
			tt.change(&o)
			r := Default().Review(o)
			var got []string
			for _, g := range r.Gaps {
				got = append(got, "gap "+string(g.Kind)+" "+g.Unit.Name)
			}
			for _, f := range r.Findings {
				if f.Owner != OwnerGood {
					got = append(got, "owner "+string(f.Owner))
				}
				if f.Crowded {
					got = append(got, "crowded "+strings.Join(f.Split, " "))
				}
				for _, fault := range f.Faults {
					if fault.Kind == Duplicate {
						got = append(got, "fault duplicate "+fault.Want)
					}
				}
			}
			if tt.want == "" && len(got) > 0 || tt.want != "" && !slices.Contains(got, tt.want) {
				t.Errorf("Review found %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLocateReadsWhereAGroupBelongs(t *testing.T) {
	units := []fleet.Unit{street, songfeng, yunling}
	tests := []struct {
		name string
		tier int
		unit fleet.UnitID
		grid int
	}{
		{"示例街道街道反电诈指挥群", 1, 1, 0},
		{"示例街道松风反电诈组织群 ", 2, 2, 0},
		{"松风(第2网格)反诈群", 3, 2, 2},
		{"示例街道云岭村（第十二网格）反电诈宣传群2群", 3, 3, 12},
		{"幸福一家人", 0, 0, 0},
	}
	for _, tt := range tests {
		if tier, unit, grid := Locate(units, tt.name); tier != tt.tier || unit != tt.unit || grid != tt.grid {
			t.Errorf("Locate(%q) = %d, %d, %d, want %d, %d, %d", tt.name, tier, unit, grid, tt.tier, tt.unit, tt.grid)
		}
	}
}
