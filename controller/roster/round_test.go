package roster

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatecast/controller/fleet"
	"gatecast/controller/sheet"
)

// drawn is a batch of things as people may well have them in the registry.
func drawn(t *rapid.T) (all []fleet.RegistryChange) {
	word := rapid.OneOf(
		rapid.SampledFrom([]string{"", "第一", "=1+1", "+86", "-", "@x", "'甲", "007", "1.38E+10", "2026-11-23", "松风社区", "甲、乙", "Äé😀", "(甲)"}),
		rapid.StringOfN(rapid.RuneFrom([]rune("松风望河一二a1 -（）")), 0, 8, -1),
	)
	name := func(label string) string { return sheet.Text("名" + word.Draw(t, label) + fmt.Sprint(len(all))) }
	phone := rapid.SampledFrom([]fleet.Phone{"", "13800001234", "0557-2345678", "010-62345678-12", "96110", "4001234567"})
	day := func(label string) time.Time {
		if rapid.Bool().Draw(t, label) {
			return time.Time{}
		}
		// Not only midnight: pages write the minute.
		return now.Add(-time.Duration(rapid.IntRange(0, 2_000_000).Draw(t, label+" minutes")) * time.Minute)
	}
	remark := func(label string) string { return sheet.Text(word.Draw(t, label)) }
	for i := range rapid.IntRange(1, 3).Draw(t, "units") {
		code := fmt.Sprintf("R%d-%d", i, rapid.IntRange(0, 99999).Draw(t, "code"))
		all = append(all, fleet.RegistryChange{Unit: &fleet.UnitEntry{Parent: "SL", Unit: fleet.Unit{
			Code: code, Type: rapid.SampledFrom(fleet.UnitTypes[1:]).Draw(t, "type"), Name: name("unit"), ShortName: remark("short"), Head: remark("head"),
			Aliases: []string{"别" + code}, Order: 20 + i,
		}}})
		all = append(all, fleet.RegistryChange{Grid: &fleet.GridEntry{Unit: code, Grid: fleet.Grid{Number: 1 + i, Name: remark("grid"), Worker: remark("worker"), Households: rapid.IntRange(0, 5000).Draw(t, "households")}}})
		compound := name("compound")
		all = append(all, fleet.RegistryChange{Compound: &fleet.CompoundEntry{Unit: code, Grid: rapid.SampledFrom([]int{0, 1 + i}).Draw(t, "of grid"), Compound: fleet.Compound{Name: compound, Property: remark("property")}}})
		all = append(all, fleet.RegistryChange{Company: &fleet.CompanyEntry{Company: fleet.Company{Name: name("company"), Contact: remark("contact"), Phone: phone.Draw(t, "phone"), Note: remark("note")}}})
		all = append(all, fleet.RegistryChange{Point: &fleet.PointEntry{Unit: code, Compound: compound, Point: fleet.Point{
			Code: "P-" + code, Name: name("point"), Kind: rapid.SampledFrom(fleet.PointKinds).Draw(t, "kind"), DutyPhone: phone.Draw(t, "duty"), Tags: []string{fleet.ExamTag, "甲"},
			CapPct: rapid.IntRange(0, 100).Draw(t, "cap"), NoiseClass: rapid.IntRange(0, 2).Draw(t, "class"), Place: remark("place"), Approval: remark("approval"),
		}}})
		from := day("from")
		l := fleet.Liaison{Name: name("liaison"), Post: remark("post"), Phone: phone.Draw(t, "liaison phone"), From: from}
		if to := day("to"); to.After(from) {
			l.To = to
		}
		all = append(all, fleet.RegistryChange{Liaison: &fleet.LiaisonEntry{Unit: code, Liaison: l}})
		all = append(all, fleet.RegistryChange{Group: &fleet.GroupEntry{Unit: code, Grid: 1 + i, Group: fleet.Group{
			Code: "G-" + code, Tier: 3, Name: name("group"), Owner: remark("owner"), OwnerPhone: phone.Draw(t, "owner phone"), Admins: []string{"甲", "乙"},
			Members: rapid.IntRange(0, 600).Draw(t, "members"), Households: 500, Joined: rapid.IntRange(0, 500).Draw(t, "joined"), Created: "2026-01-05",
			Platform: rapid.SampledFrom(fleet.GroupPlatforms).Draw(t, "platform"), State: rapid.SampledFrom([]fleet.GroupState{"", fleet.GroupPlanned}).Draw(t, "state"),
		}}})
	}
	return all
}

// TestWhatIsExportedComesBackUnchanged is the property that a roster which was
// given out changes nothing when it is taken back: in both languages, with
// masked and with whole numbers, as a workbook and each sheet as CSV.
func TestWhatIsExportedComesBackUnchanged(t *testing.T) {
	t.Parallel()
	d, s := newTestDesk(t)
	for seed := range 6 {
		batch := rapid.Custom(drawn).Example(seed)
		out, err := s.ApplyRegistry(t.Context(), batch, fleet.RegistryOptions{By: clerk, Today: "2026-11-23"})
		if err != nil || !out.Applied {
			t.Fatalf("seed %d: %+v, %v", seed, out.Faults, err)
		}
		g := Give{English: seed%2 == 1, Full: seed%4 < 2, Above: []string{"含完整电话 · clerk · 2026-11-23 09:00"}}
		pages, err := d.Export(t.Context(), g)
		if err != nil {
			t.Fatal(err)
		}
		unchanged := func(what string, raw []byte, kind Kind) {
			c := check(t, d, raw, kind)
			if c.Errors() > 0 || c.Does() || c.Count(fleet.DidNothing) != len(c.Lines) || len(c.Lines) == 0 {
				for _, l := range c.Lines {
					if l.Did != fleet.DidNothing {
						t.Errorf("seed %d, %s: %s row %d %s: %s %+v", seed, what, l.Sheet, l.Row, l.Label, l.Did, l.Changes)
					}
				}
				t.Fatalf("seed %d, %s: %+v", seed, what, c.Problems)
			}
		}
		unchanged("workbook", book(t, pages...), "")
		for i, k := range Kinds {
			if seed >= 2 && i != seed%len(Kinds) {
				continue // two seeds take every sheet
			}
			var b bytes.Buffer
			if err := sheet.WriteCSV(&b, pages[i]); err != nil {
				t.Fatal(err)
			}
			unchanged(string(k)+" as CSV", b.Bytes(), k)
		}
	}
}

// TestAnotherOfficeBecomesTheSame takes a full export into an office that has
// nothing, and demands the same export from there.
func TestAnotherOfficeBecomesTheSame(t *testing.T) {
	t.Parallel()
	d, _ := newTestDesk(t)
	other, s := newTestDesk(t)
	if out, err := s.ApplyRegistry(t.Context(), rapid.Custom(drawn).Example(3), fleet.RegistryOptions{By: clerk}); err != nil || !out.Applied {
		t.Fatalf("%+v, %v", out, err)
	}
	give := func(d *Desk) []sheet.Page {
		pages, err := d.Export(t.Context(), Give{Full: true})
		if err != nil {
			t.Fatal(err)
		}
		return pages
	}
	want := give(other)
	c := check(t, d, book(t, want...), "")
	if done, changed, err := d.Carry(t.Context(), c, false, clerk, "2026-11-23"); err != nil || changed != nil || done.Added == 0 {
		t.Fatalf("Carry = %+v, %v, %v: %+v", done, changed != nil, err, c.Problems)
	}
	if diff := cmp.Diff(want, give(d)); diff != "" {
		t.Errorf("exports (-want +got):\n%s", diff)
	}
}

func TestTemplateCanBeFilledInAndTakenBack(t *testing.T) {
	t.Parallel()
	d, _ := newTestDesk(t)
	for _, english := range []bool{false, true} {
		pages, err := d.Template(t.Context(), Give{English: english})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sheet.Read(book(t, pages...), sheet.DefaultLimits()); err != nil {
			t.Fatal(err)
		}
		pages[0].Rows = [][]string{{"ZZ-1", "新设社区", "新设", "社区", "示例街道"}}
		c := check(t, d, book(t, pages...), "")
		if got := counts(c); got != [4]int{1, 0, 0, 0} || c.Errors() != 0 {
			t.Errorf("a filled-in template: %v, %+v", got, c.Problems)
		}
		for _, table := range c.Tables[:len(Kinds)] {
			if len(table.Unknown) > 0 {
				t.Errorf("headings of our own template mean nothing to us: %v", table.Unknown)
			}
		}
		if last := c.Tables[len(Kinds)]; last.Kind != "" {
			t.Errorf("the sheet that explains was taken for %q", last.Kind)
		}
	}
}

// FuzzCheck demands that any table is taken or refused row by row, and that
// what is said of it is said of a row it has.
func FuzzCheck(f *testing.F) {
	d, _ := newTestDesk(f)
	f.Add([]byte("单位编号,全称,类型,上级单位\nA-1,甲社区,社区,示例街道\n"), "")
	f.Add([]byte("级别,所属单位,网格,人数\n三级,松风社区,第二网格,600\n一级,示例街道,,\n"), "groups")
	f.Add([]byte("社区,序号,网格员\n松风社区,第十二网格,\n,,清空\n"), "grids")
	f.Add([]byte("点位编号;名称;类型;社区;电话;音量上限\nA;b;村广播;松风;1.38E+10;101\n"), "points")
	f.Fuzz(func(t *testing.T, raw []byte, kind string) {
		c, err := d.Check(t.Context(), raw, Kind(kind))
		if err != nil {
			if fleet.CodeOf(err) != fleet.Invalid {
				t.Fatalf("Check: %v, want a refusal", err)
			}
			return
		}
		for _, p := range c.Problems {
			if p.Text == "" || p.TextEN == "" || p.Row < 1 {
				t.Fatalf("problem %+v", p)
			}
		}
		var b bytes.Buffer
		if err := c.Return(&b, true); err != nil {
			t.Fatal(err)
		}
	})
}
