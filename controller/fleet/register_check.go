package fleet

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Bounds of what the registry takes.
const (
	maxCount  = 10_000_000 // of households, people or members
	maxGrid   = 999
	maxWords  = 100 // characters of a name
	maxRemark = 300 // of a place, a note
	maxTags   = 20
)

var goodCode = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,31}$`)

// FieldFault is one thing wrong with a field of an entry.
type FieldFault struct {
	Field        string
	Text, TextEN string
	Warning      bool
}

// CheckEntry returns what is wrong with an entry by itself, without the rest
// of the registry. Call Tidy first.
func CheckEntry(e Entry) []FieldFault {
	c := checker{}
	c.common(e)
	switch e := e.(type) {
	case *UnitEntry:
		c.code(e.Code, "单位编号", "unit code")
		c.filled("name", e.Name, "单位全称", "name of the unit")
		if !e.Type.Valid() {
			c.fault("type", "单位类型 %q 不认识，请从列表中选择。", "Unit type %q is not known: choose one of the list.", e.Type)
		}
		if e.State != "" && e.State != UnitListed && e.State != UnitMerged {
			c.fault("state", "单位状态 %q 不认识，应为在册或撤并。", "Unit state %q is not known.", e.State)
		}
		if e.Parent == e.Code && e.Code != "" {
			c.fault("parent", "单位 %q 不能是自己的上级。", "Unit %q cannot be its own parent.", e.Code)
		}
		if e.Listed() && e.Successor != "" {
			c.fault("successor", "在册单位 %q 没有并入单位，请清空或改为撤并。", "Unit %q is in the register and has no successor.", e.Code)
		}
		c.region(e.Region, e.Type)
	case *GridEntry:
		c.filled("unit", e.Unit, "网格所属单位", "unit of the grid")
		if e.Number < 1 || e.Number > maxGrid {
			c.fault("number", "网格序号 %d 应在 1 到 999 之间。", "Grid number %d should be between 1 and 999.", e.Number)
		}
		c.count("households", e.Households)
		c.count("population", e.Population)
	case *CompoundEntry:
		c.filled("unit", e.Unit, "小区所属单位", "unit of the compound")
		c.filled("name", e.Name, "小区名称", "name of the compound")
		c.count("households", e.Households)
	case *CompanyEntry:
		c.filled("name", e.Name, "物业公司名称", "name of the property company")
		c.phone(e.Phone)
	case *PointEntry:
		c.code(e.Code, "点位编号", "code of the point")
		c.filled("name", e.Name, "点位名称", "name of the point")
		c.filled("unit", e.Unit, "点位所属单位", "unit of the point")
		if !slices.Contains(PointKinds, e.Kind) {
			c.fault("kind", "点位类型 %q 不认识，请从列表中选择。", "Kind of point %q is not known: choose one of the list.", e.Kind)
		}
		if e.CapPct < 0 || e.CapPct > 100 {
			c.fault("cap", "音量上限 %d 应在 1 到 100 之间，不限就留空。", "Volume ceiling %d should be between 1 and 100, or empty.", e.CapPct)
		}
		if e.NoiseClass < 0 || e.NoiseClass > 2 {
			c.fault("class", "声环境功能区类别 %d 应为 1 或 2，不清楚就留空。", "Noise class %d should be 1 or 2, or empty.", e.NoiseClass)
		}
		c.phone(e.DutyPhone)
	case *GroupEntry:
		c.code(e.Code, "群编号", "code of the group")
		c.filled("name", e.Name, "群名", "name of the group")
		c.filled("unit", e.Unit, "群所属单位", "unit of the group")
		if e.Tier < 1 || e.Tier > 3 {
			c.fault("tier", "群的级别 %d 应为 1、2 或 3。", "Tier %d of a group should be 1, 2 or 3.", e.Tier)
		}
		c.count("members", e.Members)
	case *LiaisonEntry:
		c.filled("unit", e.Unit, "联络员所属单位", "unit of the liaison")
		c.filled("name", e.Name, "联络员姓名", "name of the liaison")
		c.phone(e.Phone)
		if !e.To.IsZero() && e.To.Before(e.From) {
			c.fault("to", "联络员 %q 的离任日期早于任职日期。", "Liaison %q leaves before the first day.", e.Name)
		}
	}
	return c.faults
}

type checker struct{ faults []FieldFault }

func (c *checker) fault(field, zh, en string, args ...any) {
	c.faults = append(c.faults, FieldFault{Field: field, Text: fmt.Sprintf(zh, args...), TextEN: fmt.Sprintf(en, args...)})
}

// common holds every text to its length and keeps identity numbers out.
func (c *checker) common(e Entry) {
	for _, f := range e.Fields() {
		v := reflect.ValueOf(f.Value).Elem()
		texts, isList := v.Interface().([]string)
		if !isList && v.Kind() != reflect.String {
			continue
		}
		most := maxWords
		if f.Name == "place" || f.Name == "note" || f.Name == "approval" {
			most = maxRemark
		}
		if !isList {
			texts = []string{v.String()}
		}
		if len(texts) > maxTags {
			c.fault(f.Name, "最多 %d 项。", "At most %d entries.", maxTags)
		}
		for _, text := range texts {
			if HoldsIdentity(text) {
				c.fault(f.Name, "这里有身份证号。名册只收姓名、单位、职务和工作电话，请删去身份证号。", "There is an identity number here. The registry takes name, unit, post and work telephone only: remove it.")
			} else if len([]rune(text)) > most {
				c.fault(f.Name, "最多 %d 个字。", "%d characters at most.", most)
			}
		}
	}
}

func (c *checker) code(code, zh, en string) {
	if !goodCode.MatchString(code) {
		c.faults = append(c.faults, FieldFault{
			Field: "code", Text: fmt.Sprintf("%s %q 应为 1 到 32 个字母、数字或短横，以字母或数字开头。", zh, code),
			TextEN: fmt.Sprintf("The %s %q should have 1 to 32 letters, digits or dashes, a letter or digit first.", en, code),
		})
	}
}

func (c *checker) filled(field, text, zh, en string) {
	if text == "" {
		c.faults = append(c.faults, FieldFault{Field: field, Text: "请填写" + zh + "。", TextEN: "Fill in the " + en + "."})
	}
}

func (c *checker) count(field string, n int) {
	if n < 0 || n > maxCount {
		c.fault(field, "数目 %d 不对，应在 0 到一千万之间。", "Count %d should be between 0 and ten million.", n)
	}
}

func (c *checker) phone(p Phone) {
	if p == "" || p == UnreadablePhone {
		return
	}
	digits := 0
	for _, r := range string(p) {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case !strings.ContainsRune("+-() 转#,", r):
			c.fault("phone", "电话里有不能用的字符 %q，请只填数字，分机用短横。", "The telephone number has a character %q: write digits, with a dash before an extension.", string(r))
			return
		}
	}
	if digits < 5 || digits > 20 {
		c.fault("phone", "电话应有 5 到 20 位数字。", "A telephone number has 5 to 20 digits.")
	}
}

func (c *checker) region(region string, t UnitType) {
	err, warn := CheckRegion(region, t, "")
	if err != nil {
		c.faults = append(c.faults, FieldFault{Field: "region", Text: err.Text, TextEN: err.TextEN})
	}
	if warn != nil {
		c.faults = append(c.faults, FieldFault{Field: "region", Text: warn.Text, TextEN: warn.TextEN, Warning: true})
	}
}
