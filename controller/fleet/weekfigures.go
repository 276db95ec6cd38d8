package fleet

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Tally is what is counted each week.
type Tally string

// The tallies. They are counts; nobody is named in them.
const (
	TallyCases   Tally = "cases"       // 发案数
	TallyLoss    Tally = "loss"        // 损失金额, in fen (1/100 yuan)
	TallyClues   Tally = "clues"       // 两卡线索条数
	TallyKey     Tally = "key_persons" // 重点人数, those there are at the end of the week
	TallyReduced Tally = "key_reduced" // 重点人核减数, those who were taken off in the week
)

// Tallies is every tally, in the order of every table.
var Tallies = []Tally{TallyCases, TallyLoss, TallyClues, TallyKey, TallyReduced}

// Bounds of one unit's week. Above them somebody typed a digit too many.
const (
	MaxCount   = 100_000
	MaxLossFen = 100_000_000_000 // 10 亿元
)

// Figures are the counts of one unit and week. What is not in Count is not
// known, which is something else than 0.
type Figures struct {
	Unit     UnitID
	Week     ISOWeek
	Version  int // from 1; 0 where nothing was entered
	Count    map[Tally]int64
	Types    map[string]int // cases by type of ScamTypes; types without cases are left out
	At       time.Time      // of this version
	By, Name string         // login and name of who entered it
	Source   string         // file that it came from; empty where it was typed
}

// Value returns a count; ok is false where it is not known.
func (f Figures) Value(m Tally) (n int64, ok bool) {
	n, ok = f.Count[m]
	return n, ok
}

// Empty reports whether nothing is known.
func (f Figures) Empty() bool { return len(f.Count) == 0 && len(f.Types) == 0 }

// Same reports whether f and g say the same, whoever entered them.
func (f Figures) Same(g Figures) bool {
	return maps.Equal(f.Count, g.Count) && maps.Equal(f.Types, g.Types)
}

// Check returns nil when f can be kept, otherwise a *Error of code Invalid.
func (f Figures) Check() error {
	for m, n := range f.Count {
		most := int64(MaxCount)
		if m == TallyLoss {
			most = MaxLossFen
		}
		switch {
		case !slices.Contains(Tallies, m):
			return unfit(fmt.Sprintf("没有 %q 这项数据。", m), fmt.Sprintf("There is no figure %q.", m))
		case n < 0:
			return unfit("数字不能小于 0。", "A figure cannot be below 0.")
		case n > most && m == TallyLoss:
			return unfit("损失金额超过 10 亿元，请核对单位是不是元。", "The loss is above 1,000,000,000 yuan: check that it is in yuan.")
		case n > most:
			return unfit(fmt.Sprintf("数字超过 %d，请核对。", most), fmt.Sprintf("The figure is above %d: check it.", most))
		}
	}
	sum := 0
	for name, n := range f.Types {
		if !slices.Contains(ScamTypes, name) {
			return unfit(fmt.Sprintf("没有“%s”这个诈骗类型。", name), fmt.Sprintf("There is no scam type %q.", name))
		}
		if n < 1 || n > MaxCount {
			return unfit(fmt.Sprintf("“%s”的发案数要在 1 到 %d 之间，没有就留空。", name, MaxCount), fmt.Sprintf("Cases of %q are between 1 and %d; leave it empty for none.", name, MaxCount))
		}
		sum += n
	}
	if cases, ok := f.Value(TallyCases); sum > 0 && (!ok || int64(sum) > cases) {
		if !ok {
			return unfit("填了各类型的发案数，也要填发案数。", "Where cases by type are given, give the number of cases too.")
		}
		return unfit(fmt.Sprintf("各类型合计 %d 起，多于发案数 %d 起。", sum, cases), fmt.Sprintf("The types make %d cases, more than the %d in all.", sum, cases))
	}
	return nil
}

func unfit(zh, en string) *Error { return &Error{Code: Invalid, Text: zh, TextEN: en} }

// Trend is how a figure stands to an earlier one. The zero Trend is "—": one of
// the two is not known, so nothing is said; it never stands for no change.
type Trend struct {
	Known   bool
	Diff    int64 // now less then
	Rated   bool  // Percent holds: the earlier figure was not 0
	Percent float64
}

// TrendOf compares two figures: Percent is Diff in hundredths of then.
func TrendOf(now int64, nowKnown bool, then int64, thenKnown bool) Trend {
	if !nowKnown || !thenKnown {
		return Trend{}
	}
	t := Trend{Known: true, Diff: now - then}
	if then != 0 {
		t.Rated, t.Percent = true, 100*float64(t.Diff)/float64(then)
	}
	return t
}

// FiguresRow is one unit's week with those it is compared with. Where nothing
// was entered, Version is 0.
type FiguresRow struct {
	Unit Unit
	Now  Figures
	Last Figures // of the week before: 环比
	Year Figures // of the same week of the year before: 同比
}

// OnWeek compares a figure with the week before, 环比.
func (r FiguresRow) OnWeek(m Tally) Trend { return trend(r.Now, r.Last, m) }

// OnYear compares a figure with the same week of the year before, 同比.
func (r FiguresRow) OnYear(m Tally) Trend { return trend(r.Now, r.Year, m) }

func trend(now, then Figures, m Tally) Trend {
	n, ok := now.Value(m)
	t, past := then.Value(m)
	return TrendOf(n, ok, t, past)
}

// FiguresTotal adds rows up, without Unit. A past figure is only in the sum
// where exactly the units that have it now had it then: a total that lacks a
// unit on one side would show a change that was none.
func FiguresTotal(rows []FiguresRow) (total FiguresRow) {
	total.Now = Figures{Count: map[Tally]int64{}, Types: map[string]int{}}
	total.Last, total.Year = Figures{Count: map[Tally]int64{}}, Figures{Count: map[Tally]int64{}}
	for _, m := range Tallies {
		var now, last, year int64
		any, sameLast, sameYear := false, true, true
		for _, r := range rows {
			n, ok := r.Now.Value(m)
			l, inLast := r.Last.Value(m)
			y, inYear := r.Year.Value(m)
			any, sameLast, sameYear = any || ok, sameLast && ok == inLast, sameYear && ok == inYear
			now, last, year = now+n, last+l, year+y
		}
		if any {
			total.Now.Count[m] = now
		}
		if any && sameLast {
			total.Last.Count[m] = last
		}
		if any && sameYear {
			total.Year.Count[m] = year
		}
	}
	for _, r := range rows {
		for name, n := range r.Now.Types {
			total.Now.Types[name] += n
		}
	}
	return total
}

// CountsFigures reports whether figures are counted for units of type t.
func (t UnitType) CountsFigures() bool { return t == Community || t == Village }

// Yuan writes an amount of fen as yuan, without the fen where there are none:
// 12000, 12000.50.
func Yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	if fen%100 == 0 {
		return sign + strconv.FormatInt(fen/100, 10)
	}
	return fmt.Sprintf("%s%d.%02d", sign, fen/100, fen%100)
}

var yuanText = regexp.MustCompile(`^(\d{1,12})(?:\.(\d{1,2}))?$`)

// ParseYuan reads an amount of yuan as people write it, such as 12,000.50 or
// 1.2万, and returns it in fen. What is no amount is a *Error of code Invalid.
func ParseYuan(text string) (fen int64, err error) {
	plain := strings.NewReplacer(",", "", "，", "", " ", "", "元", "", "¥", "", "￥", "").Replace(text)
	times := int64(1)
	if cut, ok := strings.CutSuffix(plain, "万"); ok {
		plain, times = cut, 10_000
	}
	m := yuanText.FindStringSubmatch(plain)
	if m == nil {
		return 0, unfit(fmt.Sprintf("“%s”不是金额，请写成 12000 或 12000.50。", text), fmt.Sprintf("%q is no amount: write 12000 or 12000.50.", text))
	}
	yuan, _ := strconv.ParseInt(m[1], 10, 64)              // digits
	part, _ := strconv.ParseInt((m[2] + "00")[:2], 10, 64) // likewise
	return (yuan*100 + part) * times, nil
}
