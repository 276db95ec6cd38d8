package naming

import "strings"

var (
	digits = []rune("零一二三四五六七八九")
	scales = []struct {
		value int
		word  string
	}{{1000, "千"}, {100, "百"}, {10, "十"}}
)

// maxNumber is the largest number that is written in Chinese here; no unit has
// as many grids.
const maxNumber = 9999

// Numeral returns n in Chinese numerals, as in 第十二网格; "" outside of 1 to
// 9999. Ten is 十, not 一十, where it stands first.
func Numeral(n int) string {
	if n < 1 || n > maxNumber {
		return ""
	}
	var b strings.Builder
	gap := false
	for _, s := range scales {
		d := n / s.value
		n %= s.value
		switch {
		case d > 0:
			if gap {
				b.WriteRune(digits[0])
			}
			gap = false
			if !(d == 1 && s.value == 10 && b.Len() == 0) {
				b.WriteRune(digits[d])
			}
			b.WriteString(s.word)
		case b.Len() > 0:
			gap = true
		}
	}
	if n > 0 {
		if gap {
			b.WriteRune(digits[0])
		}
		b.WriteRune(digits[n])
	}
	return b.String()
}

// ParseNumeral returns the number that s stands for: Chinese numerals as people
// write them (二, 两, 一十, 二〇 are understood), or plain or full-width digits.
// ok is false for everything else and outside of 1 to 9999.
func ParseNumeral(s string) (n int, ok bool) {
	runes := []rune(strings.TrimSpace(s))
	if len(runes) == 0 || len(runes) > 16 {
		return 0, false
	}
	if !strings.ContainsAny(s, "十百千") {
		for _, r := range runes {
			d := digit(r)
			if n = n*10 + d; d < 0 || n > maxNumber {
				return 0, false
			}
		}
		return n, n > 0
	}
	below, d := 10_000, -1 // the scale before, and a digit that waits for its scale
	for _, r := range runes {
		if v := digit(r); v >= 0 {
			if d > 0 {
				return 0, false
			}
			d = v
			continue
		}
		scale := map[rune]int{'十': 10, '百': 100, '千': 1000}[r]
		if scale == 0 || scale >= below {
			return 0, false
		}
		if d < 1 {
			d = 1 // 十 for 一十
		}
		n, below, d = n+d*scale, scale, -1
	}
	return n + max(d, 0), true
}

// digit returns the value of one digit in any writing, -1 for what is none.
func digit(r rune) int {
	switch {
	case r >= '0' && r <= '9':
		return int(r - '0')
	case r >= '０' && r <= '９':
		return int(r - '０')
	case r == '〇':
		return 0
	case r == '两':
		return 2
	}
	for i, c := range digits {
		if r == c {
			return i
		}
	}
	return -1
}
