// Package naming is the rule by which publicity groups are named and numbered:
// 统一命名, 统一编号. It makes names and codes, says what is wrong with a name
// that somebody gave and what it should be, and looks over all groups of an
// office at once: series, duplicates, missing groups and owners.
//
// It is pure: no clock, no I/O. Functions are safe for concurrent use.
package naming

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"gatecast/controller/fleet"
)

// Rule is what an office decided about names and codes.
type Rule struct {
	// Names are templates for tiers 1 to 3, with {街道}, {简称}, {社区全称} and
	// {中文数}.
	Names [3]string `json:"names"`
	// Code is a template with {街道码}, {级}, {社区序}, {网格序} and {群序}.
	Code string `json:"code"`
	// Limit is the most members that a group should have; above it 分群 is
	// advised.
	Limit int `json:"limit"`
}

// Setting is the key under which an office keeps its rule.
const Setting = "groups.rule"

// Default returns the rule that is shipped: the patterns of the names are those
// that subdistricts use, the code is a proposal.
func Default() Rule {
	return Rule{
		Names: [3]string{"{街道}反电诈指挥群", "{街道}{简称}反电诈组织群", "{街道}{社区全称}（第{中文数}网格）反电诈宣传群"},
		Code:  "{街道码}-{级}-{社区序}-{网格序}-{群序}",
		Limit: 500,
	}
}

// Parse returns the rule that text holds as JSON, Default for "" and for what
// cannot be read or does not hold any more.
func Parse(text string) Rule {
	r := Default()
	if text == "" || json.Unmarshal([]byte(text), &r) != nil || r.Validate() != nil {
		return Default()
	}
	return r
}

// String returns the rule as Parse reads it.
func (r Rule) String() string {
	b, err := json.Marshal(r)
	if err != nil {
		return "" // strings and a number marshal
	}
	return string(b)
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// Tier words, by tier.
var tierWords = [4]string{"", "指挥", "组织", "宣传"}

// Validate returns nil when the rule can tell groups apart, otherwise a
// *fleet.Error of code Invalid that names the template.
func (r Rule) Validate() error {
	refuse := func(zh, en string, args ...any) error {
		return &fleet.Error{Code: fleet.Invalid, Text: fmt.Sprintf(zh, args...), TextEN: fmt.Sprintf(en, args...)}
	}
	need := [3][]string{{"{街道}"}, {"{街道}", "{简称}|{社区全称}"}, {"{街道}", "{简称}|{社区全称}", "{中文数}"}}
	allowed := "{街道}{简称}{社区全称}{中文数}"
	for i, name := range r.Names {
		tier := i + 1
		for _, p := range placeholder.FindAllString(name, -1) {
			if !strings.Contains(allowed, p) {
				return refuse("%d级群名模板里的 %s 不认识，可用的有 %s。", "The template of tier %d has an unknown placeholder %s; there are %s.", tier, p, allowed)
			}
		}
		for _, list := range need[i] {
			if !containsOne(name, strings.Split(list, "|")) {
				return refuse("%d级群名模板要有 %s，不然分不清是哪个群。", "The template of tier %d needs %s to tell groups apart.", tier, strings.ReplaceAll(list, "|", " / "))
			}
		}
		switch rest := placeholder.ReplaceAllString(name, ""); {
		case tier < 3 && strings.Contains(name, "{中文数}"):
			return refuse("{中文数} 是网格的序号，只能用在三级群名里。", "{中文数} is the number of a grid and belongs to tier 3 only.")
		case strings.ContainsAny(rest, "{}()") || tidy(name) != name:
			return refuse("%d级群名模板里不能有空格、半角括号或多出的花括号。", "The template of tier %d has spaces, half-width brackets or a stray brace.", tier)
		case len([]rune(name)) > 40:
			return refuse("%d级群名模板太长，最多 40 个字。", "The template of tier %d is too long: 40 characters at most.", tier)
		case !strings.HasSuffix(name, "群"):
			return refuse("%d级群名模板要以“群”字结尾，分群时后面才能加 1群、2群。", "The template of tier %d ends with 群, so that 1群 and 2群 can follow when it is split.", tier)
		}
	}
	allowed = "{街道码}{级}{社区序}{网格序}{群序}"
	for _, p := range placeholder.FindAllString(r.Code, -1) {
		if !strings.Contains(allowed, p) {
			return refuse("编号模板里的 %s 不认识，可用的有 %s。", "The template of codes has an unknown placeholder %s; there are %s.", p, allowed)
		}
	}
	for _, p := range []string{"{级}", "{社区序}", "{网格序}", "{群序}"} {
		if !strings.Contains(r.Code, p) {
			return refuse("编号模板要有 %s，不然编号会重复。", "The template of codes needs %s, or codes would repeat.", p)
		}
	}
	if rest := placeholder.ReplaceAllString(r.Code, "0"); !goodCode.MatchString(rest) {
		return refuse("编号模板只用字母、数字和短横，最多 40 个字。", "The template of codes has letters, digits and dashes only, 40 characters at most.")
	}
	if adjoining.MatchString(r.Code) {
		return refuse("编号模板的各段之间要有短横或字母，不然 1 段 12 和 11 段 2 分不清。", "Parts of the code need a dash or letter between them, or 1 and 12 reads as 11 and 2.")
	}
	if r.Limit < 50 || r.Limit > 100_000 {
		return refuse("分群人数要在 50 到 100000 之间。", "The limit of members is between 50 and 100,000.")
	}
	return nil
}

var (
	goodCode  = regexp.MustCompile(`^[A-Za-z0-9-]{1,40}$`)
	adjoining = regexp.MustCompile(`\}[0-9]*\{`)
)

func containsOne(s string, list []string) bool {
	for _, one := range list {
		if strings.Contains(s, one) {
			return true
		}
	}
	return false
}

// Place is where a group belongs.
type Place struct {
	Tier        int // 1 to 3
	Subdistrict fleet.Unit
	Unit        fleet.Unit
	Grid        int // number of the grid; 0 unless of tier 3
}

// ShortName returns what stands for the unit in names of tier 2: its short
// name, or its name without 社区 or 村 where it was given none.
func ShortName(u fleet.Unit) string {
	if u.ShortName != "" {
		return u.ShortName
	}
	for _, suffix := range unitWords {
		if s := strings.TrimSuffix(u.Name, suffix); s != u.Name && s != "" {
			return s
		}
	}
	return u.Name
}

var unitWords = []string{"社区", "村"}

// Name returns the name of the group at p by the rule: the number-th of its
// series, without a number for 0.
func (r Rule) Name(p Place, number int) string {
	if p.Tier < 1 || p.Tier > 3 {
		return ""
	}
	name := strings.NewReplacer(
		"{街道}", p.Subdistrict.Name, "{简称}", ShortName(p.Unit), "{社区全称}", p.Unit.Name, "{中文数}", Numeral(p.Grid),
	).Replace(r.Names[p.Tier-1])
	return name + suffix(number)
}

func suffix(number int) string {
	if number == 0 {
		return ""
	}
	return strconv.Itoa(number) + "群"
}

// CodeOf returns the code of the group with that 群序 at p by the rule.
func (r Rule) CodeOf(p Place, seq int) string {
	two := func(n int) string { return fmt.Sprintf("%02d", n) }
	unit := p.Unit.Order
	if p.Tier == 1 {
		unit = 0
	}
	return strings.NewReplacer(
		"{街道码}", p.Subdistrict.Code, "{级}", strconv.Itoa(p.Tier), "{社区序}", two(unit), "{网格序}", two(p.Grid), "{群序}", strconv.Itoa(seq),
	).Replace(r.Code)
}
