package naming

import "fmt"

// Kind is what is wrong with a name.
type Kind string

// The kinds of faults.
const (
	Invisible Kind = "invisible" // spaces or characters that nobody sees
	Bracket   Kind = "bracket"   // half-width or missing brackets
	Digit     Kind = "digit"     // 第2网格 for 第二网格
	Prefix    Kind = "prefix"    // the subdistrict's name is missing or doubled
	Word      Kind = "word"      // 反诈 for 反电诈
	Tier      Kind = "tier"      // the word of another tier
	FullName  Kind = "full"      // 社区 or 村 is missing where the full name stands
	Short     Kind = "short"     // the full name where the short one stands
	Unit      Kind = "unit"      // the name of another unit
	Grid      Kind = "grid"      // the number of another grid
	Series    Kind = "series"    // the number at the end does not fit the groups there are
	Duplicate Kind = "duplicate" // another group has the same name
	Other     Kind = "other"     // anything else
)

// Fault is one thing wrong with a name.
type Fault struct {
	Kind Kind
	Got  string // the part of the name that is wrong, empty when something is missing
	Want string // what stands there by the rule, or the other group of a Duplicate
}

// Text says it in Chinese, for staff.
func (f Fault) Text() string {
	switch f.Kind {
	case Invisible:
		return "有多余的空格或看不见的字符"
	case Bracket:
		return "括号要用全角（）"
	case Digit:
		return "网格序号用中文数字"
	case Prefix:
		if f.Got == "" {
			return "前面缺街道名"
		}
		return "街道名要写成" + quote(f.Want)
	case Word:
		return quote(f.Got) + "要写成" + quote(f.Want)
	case Tier:
		return "这一级的群应是" + quote(f.Want)
	case FullName:
		return "要写单位全称" + quote(f.Want)
	case Short:
		return "这一级的群用简称" + quote(f.Want)
	case Unit:
		return "单位应是" + quote(f.Want)
	case Grid:
		return "应是" + f.Want
	case Series:
		return seriesText(f)
	case Duplicate:
		return "与群 " + f.Want + " 重名"
	}
	return "与命名规则不符"
}

func seriesText(f Fault) string {
	switch {
	case f.Want == "":
		return "只有一个群，不带 " + f.Got + " 的编号"
	case f.Got == "":
		return "已经分群，要带编号 " + f.Want
	}
	return "分群编号应是 " + f.Want
}

// TextEN says it in English.
func (f Fault) TextEN() string {
	switch f.Kind {
	case Invisible:
		return "has spaces or characters that nobody sees"
	case Bracket:
		return "brackets must be full-width: （）"
	case Digit:
		return "the grid's number is written in Chinese numerals"
	case Prefix:
		if f.Got == "" {
			return "the subdistrict's name is missing at the front"
		}
		return "the subdistrict's name is written " + f.Want
	case Word:
		return f.Got + " must be " + f.Want
	case Tier:
		return "a group of this tier is called " + f.Want
	case FullName:
		return "the unit's full name is needed: " + f.Want
	case Short:
		return "this tier uses the short name: " + f.Want
	case Unit:
		return "the unit should be " + f.Want
	case Grid:
		return "should be " + f.Want
	case Series:
		switch {
		case f.Want == "":
			return fmt.Sprintf("there is one group only, so it has no number %s", f.Got)
		case f.Got == "":
			return "the group was split, so it needs the number " + f.Want
		}
		return "its number in the series should be " + f.Want
	case Duplicate:
		return "group " + f.Want + " has the same name"
	}
	return "does not follow the rule of names"
}

func quote(s string) string { return "“" + s + "”" }
