package sheet

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"

	"gatecast/controller/fleet"
)

// isBlank reports whether r is space of any width or shows as nothing.
func isBlank(r rune) bool {
	return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || r == '\u3164'
}

// Text returns text as a name is kept: runs of spaces and line breaks made one
// space, none at the ends, nothing invisible. Chinese punctuation stays.
func Text(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.Cf, r), unicode.IsControl(r):
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// compact returns s in half width without spaces.
func compact(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case isBlank(r), unicode.IsControl(r):
			return -1
		case strings.ContainsRune("－–—―−‐", r):
			return '-'
		}
		return r
	}, width.Narrow.String(s))
}

// float is a number as programs write it into a cell.
var float = regexp.MustCompile(`^(\d+)(?:\.(\d+))?(?:[eE](\+?)(\d{1,2}))?$`)

// digits undoes what a spreadsheet makes of a long number: 13800001234.0 and
// 1.3800001234E+10 become the digits. lost reports that s is such a number of
// which digits are missing: "1.38E+10" is what a program shows in a narrow
// column, not the number that was there. 1.38E10 without the sign is written
// by programs that write all digits, and so is complete.
func digits(s string) (text string, lost bool) {
	m := float.FindStringSubmatch(s)
	if m == nil || m[2] == "" && m[4] == "" {
		return s, false
	}
	fraction := strings.TrimRight(m[2], "0")
	if m[4] == "" {
		if fraction != "" {
			return s, false
		}
		return m[1], false
	}
	exponent, _ := strconv.Atoi(m[4])
	if len(m[1]) != 1 || exponent < len(fraction) || exponent > 30 {
		return s, false
	}
	if m[3] != "" && exponent > len(m[2]) {
		return s, true
	}
	return m[1] + fraction + strings.Repeat("0", exponent-len(fraction)), false
}

func lostDigits(s string) error {
	return refuse(fmt.Sprintf("%q 丢失了后几位数字。请把这一列设为“文本”格式，重新填写完整的号码。", s),
		fmt.Sprintf("%q has lost its last digits. Format the column as text and enter the number again in full.", s))
}

// Code returns a code, such as a unit's or a region's: half width, no spaces,
// dashes of any kind as hyphens, long numbers as their digits.
func Code(s string) (string, error) {
	text, lost := digits(compact(s))
	if lost {
		return "", lostDigits(s)
	}
	return text, nil
}

var (
	mobile   = regexp.MustCompile(`^1[3-9]\d{9}$`)
	landline = regexp.MustCompile(`^(0\d{2,3}-?)?[2-9]\d{6,7}(-\d{1,6})?$`)
	service  = regexp.MustCompile(`^([48]00\d{7}|1\d{2,4}|9\d{4,5})$`)
)

// Phone returns a mobile number as 11 digits, a landline with a hyphen after
// the area code if it was written with one, or a short number. +86, spaces,
// brackets, hyphens inside a mobile number and full-width digits are taken
// away. Empty text is an empty phone.
func Phone(s string) (fleet.Phone, error) {
	text, lost := digits(strings.TrimPrefix(compact(s), "'"))
	if text == "" {
		return "", nil
	}
	if lost {
		return "", lostDigits(s)
	}
	text = strings.NewReplacer("(", "", ")", "-", "转", "-").Replace(text)
	plain := strings.ReplaceAll(text, "-", "")
	for _, prefix := range []string{"+86", "0086", "86", "0", ""} {
		if rest, found := strings.CutPrefix(plain, prefix); found && mobile.MatchString(rest) {
			return fleet.Phone(rest), nil
		}
	}
	for _, prefix := range []string{"+86-", "+86", "0086-", "0086"} {
		if rest, found := strings.CutPrefix(text, prefix); found && landline.MatchString("0"+rest) {
			return fleet.Phone("0" + rest), nil
		}
	}
	if landline.MatchString(text) {
		return fleet.Phone(text), nil
	}
	if service.MatchString(plain) {
		return fleet.Phone(plain), nil
	}
	if strings.ContainsAny(text, "/、,，;；") {
		return "", refuse("一格只填一个号码。", "Give one number in a cell.")
	}
	return "", refuse(fmt.Sprintf("%q 不是电话号码：手机 11 位，座机写成 0557-1234567。", shorten(s)),
		fmt.Sprintf("%q is no telephone number: a mobile number has 11 digits, a landline is written 0557-1234567.", shorten(s)))
}

// Number returns a whole number from 0 to 1,000,000,000, such as a count of
// households; thousands may be parted by commas and a unit of one or two
// Chinese characters may follow.
func Number(s string) (int, error) {
	text := strings.ReplaceAll(compact(s), ",", "")
	text = strings.TrimRight(text, "户人个位名口台岁")
	text, lost := digits(text)
	n, ok := new(big.Int).SetString(text, 10)
	if lost || !ok || n.Sign() < 0 || n.Cmp(big.NewInt(1_000_000_000)) > 0 {
		return 0, refuse(fmt.Sprintf("%q 不是整数。", shorten(s)), fmt.Sprintf("%q is no whole number.", shorten(s)))
	}
	return int(n.Int64()), nil
}

var written = regexp.MustCompile(`^(\d{4})(?:年|[-./])(\d{1,2})(?:月|[-./])(\d{1,2})(?:日|号)?(?:T?\d{1,2}:\d{2}(?::\d{2})?(?:\.0+)?Z?)?$`)

// Date returns a day written as 2026-11-23, 2026.11.23, 2026/11/23,
// 2026年11月23日, 20261123, or as the serial number of a spreadsheet, in which
// 1 is 1 January 1900 (1904 with date1904; ECMA-376 part 1, 18.17.4). A time
// after it is left out. Only days from 1950 to 2149 count as dates.
func Date(s string, date1904 bool) (fleet.Day, error) {
	text := compact(s)
	var day time.Time
	if m := written.FindStringSubmatch(text); m != nil {
		y, _ := strconv.Atoi(m[1])
		mo, _ := strconv.Atoi(m[2])
		d, _ := strconv.Atoi(m[3])
		if t := time.Date(y, time.Month(mo), d, 0, 0, 0, 0, time.UTC); t.Day() == d && int(t.Month()) == mo {
			day = t
		}
	} else if t, err := time.Parse("20060102", text); err == nil {
		day = t
	} else if f, err := strconv.ParseFloat(text, 64); err == nil && f > 0 && f < 100_000 {
		// Serial 60 is the 29 February 1900 that never was; all days here are
		// later, so counting from 30 December 1899 is right.
		first := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
		if date1904 {
			first = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
		}
		day = first.AddDate(0, 0, int(f))
	}
	if day.Year() < 1950 || day.Year() > 2149 {
		return "", refuse(fmt.Sprintf("%q 不是日期：请写成 2026-11-23。", shorten(s)), fmt.Sprintf("%q is no date: write it as 2026-11-23.", shorten(s)))
	}
	return fleet.Day(day.Format("2006-01-02")), nil
}

// shorten keeps what an error quotes readable.
func shorten(s string) string {
	if r := []rune(s); len(r) > 30 {
		return string(r[:30]) + "…"
	}
	return s
}
