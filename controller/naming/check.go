package naming

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"gatecast/controller/fleet"
)

// Check returns the name that the group at p has by the rule, as the number-th
// of its series or alone for 0, and what is wrong with name against it. There
// are no faults exactly when name is that name, or, for tier 1, the same with
// 街道 doubled, which some offices were told to write.
func (r Rule) Check(p Place, number int, name string) (want string, faults []Fault) {
	want = r.Name(p, number)
	if name == want || p.Tier == 1 && name == r.doubled(p)+suffix(number) {
		return want, nil
	}
	c := checker{p: p, name: name, want: r.Name(p, 0)}
	c.all(number)
	if len(c.faults) == 0 || c.name != c.want {
		if !c.has(Unit) && !c.has(Grid) {
			c.fault(Other, "", "")
		}
	}
	return want, c.faults
}

// doubled is the name of tier 1 with 街道 twice.
func (r Rule) doubled(p Place) string {
	twice := p
	twice.Subdistrict.Name += "街道"
	return r.Name(twice, 0)
}

// checker turns a name into what it should be, one fault after the other.
type checker struct {
	p          Place
	name, want string // want has no number of a series
	faults     []Fault
}

func (c *checker) fault(k Kind, got, want string) {
	if !c.has(k) {
		c.faults = append(c.faults, Fault{k, got, want})
	}
}

func (c *checker) has(k Kind) bool {
	for _, f := range c.faults {
		if f.Kind == k {
			return true
		}
	}
	return false
}

// swap replaces got by want where the rule does not itself have got there.
func (c *checker) swap(k Kind, got, want string) {
	if got == "" || got == want || strings.Contains(c.want, got) || !strings.Contains(c.name, got) {
		return
	}
	c.name = strings.ReplaceAll(c.name, got, want)
	c.fault(k, got, want)
}

func (c *checker) all(number int) {
	if clean := tidy(c.name); clean != c.name {
		c.fault(Invisible, invisiblePart(c.name), "")
		c.name = clean
	}
	c.series(number)
	for _, b := range [][2]string{{"(", "（"}, {")", "）"}, {"[", "（"}, {"]", "）"}, {"【", "（"}, {"】", "）"}} {
		c.swap(Bracket, b[0], b[1])
	}
	c.subdistrict()
	for _, word := range []string{"反诈防骗", "防诈骗", "反诈骗", "反电信诈骗", "反诈", "防诈"} {
		if strings.Contains(c.want, "反电诈") {
			c.swap(Word, word, "反电诈")
		}
	}
	if c.p.Tier >= 1 && c.p.Tier <= 3 {
		for _, word := range tierWords[1:] {
			if own := tierWords[c.p.Tier]; word != own && strings.Contains(c.want, own) && !strings.Contains(c.name, own) {
				c.swap(Tier, word, own)
			}
		}
	}
	c.grid()
	c.unit()
}

var (
	plainSeries   = regexp.MustCompile(`^(.+?)([0-9０-９]{1,4})群$`)
	chineseSeries = regexp.MustCompile(`^(.+群)第?([一二三四五六七八九十两]{1,4})群$`)
	bracketSeries = regexp.MustCompile(`^(.+群)[（(]([0-9０-９]{1,4}|[一二三四五六七八九十两]{1,4})群?[）)]$`)
)

// cutSeries returns name without the number of a series, the number, and the
// number as it is written; 0 and "" where there is none.
func cutSeries(name string) (base string, number int, got string) {
	for _, form := range []*regexp.Regexp{plainSeries, chineseSeries, bracketSeries} {
		if m := form.FindStringSubmatch(name); m != nil {
			if n, ok := ParseNumeral(m[2]); ok {
				return m[1], n, strings.TrimPrefix(name, m[1])
			}
		}
	}
	return name, 0, ""
}

// series holds the number at the end against the one it should have.
func (c *checker) series(number int) {
	base, n, got := cutSeries(c.name)
	if n == 0 && number == 0 {
		return
	}
	c.name = base
	if want := suffix(number); n != number || got != want {
		c.fault(Series, got, want)
	}
}

// subdistrict sees to the name of the subdistrict at the front.
func (c *checker) subdistrict() {
	s := c.p.Subdistrict.Name
	if s == "" || !strings.HasPrefix(c.want, s) {
		return
	}
	c.swap(Prefix, s+"街道", s)
	bare := strings.TrimSuffix(s, "街道")
	switch {
	case strings.HasPrefix(c.name, s):
	case bare != s && bare != "" && strings.HasPrefix(c.name, bare) && bare != ShortName(c.p.Unit):
		c.name = s + strings.TrimPrefix(strings.TrimPrefix(c.name, bare), "办事处")
		c.fault(Prefix, bare, s)
	default:
		c.name = s + c.name
		c.fault(Prefix, "", s)
	}
}

var gridNumber = regexp.MustCompile(`（?第?\s*([0-9０-９]+|[零〇一二三四五六七八九十百千两]+)\s*(?:号)?网格）?`)

// grid sees to 第N网格 and the brackets around it.
func (c *checker) grid() {
	want := gridNumber.FindString(c.want)
	at := gridNumber.FindStringSubmatchIndex(c.name)
	if want == "" || at == nil {
		return
	}
	got, number := c.name[at[0]:at[1]], c.name[at[2]:at[3]]
	if got == want {
		return
	}
	if n, ok := ParseNumeral(number); !ok || n != c.p.Grid {
		c.fault(Grid, strings.Trim(got, "（）"), strings.Trim(want, "（）"))
	}
	if strings.ContainsAny(number, "0123456789０１２３４５６７８９") && !strings.Contains(want, number) {
		c.fault(Digit, number, Numeral(c.p.Grid))
	}
	if strings.HasPrefix(want, "（") && (!strings.HasPrefix(got, "（") || !strings.HasSuffix(got, "）")) {
		c.fault(Bracket, got, want)
	}
	c.name = c.name[:at[0]] + want + c.name[at[1]:]
	if len(c.faults) == 0 {
		c.fault(Digit, number, Numeral(c.p.Grid)) // 第二〇网格, 二网格
	}
}

// unit sees to the full or short name of the unit.
func (c *checker) unit() {
	full, short := c.p.Unit.Name, ShortName(c.p.Unit)
	if c.name == c.want || full == "" {
		return
	}
	front := c.p.Subdistrict.Name
	if !strings.HasPrefix(c.name, front) || !strings.HasPrefix(c.want, front) {
		front = ""
	}
	rest, want := c.name[len(front):], c.want[len(front):]
	switch {
	case strings.HasPrefix(want, full) && !strings.HasPrefix(rest, full) && strings.HasPrefix(rest, short):
		c.name = front + full + strings.TrimPrefix(rest, short)
		c.fault(FullName, short, full)
	case strings.HasPrefix(want, short) && full != short && strings.HasPrefix(rest, full):
		c.name = front + short + strings.TrimPrefix(rest, full)
		c.fault(Short, full, short)
	default:
		// Another unit's name where ours should be: everything after it agrees.
		own := full
		if !strings.HasPrefix(want, full) {
			own = short
		}
		tail := strings.TrimPrefix(want, own)
		if other := strings.TrimSuffix(rest, tail); tail != "" && tail != want && other != rest && other != "" {
			c.name = c.want
			c.fault(Unit, other, own)
		}
	}
}

// tidy returns name without space, control and invisible characters.
func tidy(name string) string {
	return strings.Map(func(r rune) rune {
		if unseen(r) {
			return -1
		}
		return r
	}, name)
}

// unseen reports whether nobody sees r: spaces, controls, zero-width and other
// format characters, variation selectors, and bytes that are no text.
func unseen(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Variation_Selector) || r == '\u3164' || r == '\uFFFD'
}

// invisiblePart returns the first run of characters that nobody sees.
func invisiblePart(name string) string {
	from := strings.IndexFunc(name, unseen)
	if from < 0 {
		return ""
	}
	n := strings.IndexFunc(name[from:], func(r rune) bool { return !unseen(r) })
	if n < 0 {
		return name[from:]
	}
	return name[from : from+n]
}

// Locate guesses from its name where a group belongs: its tier, the id of its
// unit and the number of its grid, 0 for what the name does not tell. For rosters
// that have a column of names and nothing else.
func Locate(units []fleet.Unit, name string) (tier int, unit fleet.UnitID, grid int) {
	name, _, _ = cutSeries(tidy(name))
	var root fleet.Unit
	for _, u := range units {
		if u.Parent == 0 && u.Type == fleet.Subdistrict {
			root = u
		}
	}
	for strings.HasPrefix(name, root.Name) && root.Name != "" {
		name = strings.TrimPrefix(strings.TrimPrefix(name, root.Name), "街道")
	}
	if m := gridNumber.FindStringSubmatch(name); m != nil {
		grid, _ = ParseNumeral(m[1])
	}
	longest := 0
	for _, u := range units {
		for _, part := range []string{u.Name, ShortName(u)} {
			if u.ID != root.ID && len(part) > longest && strings.Contains(name, part) {
				longest, unit = len(part), u.ID
			}
		}
	}
	switch {
	case grid > 0:
		tier = 3
	case strings.Contains(name, tierWords[1]):
		tier, unit = 1, root.ID
	case strings.Contains(name, tierWords[2]):
		tier = 2
	case strings.Contains(name, tierWords[3]):
		tier = 3
	}
	return tier, unit, grid
}

// SeqOf returns the 群序 that a code ends with, 0 if it does not.
func SeqOf(code string) int {
	from := strings.LastIndexFunc(code, func(r rune) bool { return r < '0' || r > '9' })
	n, err := strconv.Atoi(code[from+1:])
	if err != nil || n > maxNumber {
		return 0
	}
	return n
}
