package speech

import (
	"slices"
	"strings"
)

var digitNames = []rune("零一二三四五六七八九")

// spell writes a number as it is said: 96110 as 九六幺幺零, 30% as 百分之三十,
// 18:30 as 十八点三十分, 20-50 as 二十到五十. next is the character behind it, 0
// for none. It is empty for what is no number.
func spell(text string, next rune) string {
	text = strings.Map(func(r rune) rune {
		if strings.ContainsRune("–—~", r) {
			return '-'
		}
		return r
	}, narrow(text))
	if n, ok := strings.CutSuffix(text, "%"); ok {
		return all("百分之", spell(n, '%'))
	}
	if h, m, ok := strings.Cut(text, ":"); ok {
		if strings.ContainsAny(h+m, ":.-") {
			return ""
		}
		if strings.Trim(m, "0") == "" {
			return count(h) + "点"
		}
		return count(h) + "点" + count(m) + "分"
	}
	if parts := strings.Split(text, "-"); len(parts) > 1 {
		if len(parts) > 2 || len(text) > 8 || strings.HasPrefix(text, "0") {
			return one(text)
		}
		return all(spell(parts[0], '-'), "到", spell(parts[1], next))
	}
	if whole, part, ok := strings.Cut(text, "."); ok {
		if strings.Contains(part, ".") {
			return ""
		}
		return count(whole) + "点" + strings.ReplaceAll(one(part), "幺", "一")
	}
	switch {
	case next == '年' && len(text) == 4:
		return strings.ReplaceAll(one(text), "幺", "一")
	case strings.ContainsRune(counted, next):
		return count(text)
	case len(text) >= 5 && !strings.HasSuffix(text, "000"), text[0] == '0' && len(text) > 1, slices.Contains(services, text):
		return one(text)
	}
	return count(text)
}

// counted are characters behind a number that is an amount.
const counted = "元块万亿人户次个起件条名岁年月日天号时分秒"

// all joins parts, and is empty where one of them is.
func all(parts ...string) string {
	if slices.Contains(parts, "") {
		return ""
	}
	return strings.Join(parts, "")
}

// services are numbers that are dialled, and so said digit by digit.
var services = []string{"110", "119", "120", "122", "114", "9611", "1069", "1234"}

// one says digit by digit, 1 as 幺.
func one(text string) string {
	var b strings.Builder
	for _, d := range text {
		if d == '1' {
			b.WriteRune('幺')
		} else if d >= '0' && d <= '9' {
			b.WriteRune(digitNames[d-'0'])
		}
	}
	return b.String()
}

// count says a number below 100 million; a longer one digit by digit.
func count(text string) string {
	text = strings.TrimLeft(text, "0")
	switch {
	case text == "":
		return "零"
	case len(text) > 8:
		return one(text)
	case len(text) > 4:
		high, low := text[:len(text)-4], text[len(text)-4:]
		said := below(high) + "万"
		if strings.Trim(low, "0") == "" {
			return said
		}
		if low[0] == '0' {
			said += "零"
		}
		return said + below(strings.TrimLeft(low, "0"))
	}
	said := below(text)
	return strings.TrimPrefix(said, map[bool]string{true: "一"}[strings.HasPrefix(said, "一十")])
}

// below says a number of one to four digits that does not begin with 0.
func below(text string) string {
	var b strings.Builder
	zero := false
	for i, d := range text {
		unit := []string{"", "十", "百", "千"}[len(text)-1-i]
		if d == '0' {
			zero = true
			continue
		}
		if zero {
			b.WriteRune('零')
			zero = false
		}
		b.WriteRune(digitNames[d-'0'])
		b.WriteString(unit)
	}
	return b.String()
}
