package api

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"gatecast/controller/fleet"
)

// query reads parameters and keeps the first thing that is wrong.
type query struct {
	values url.Values
	err    error
}

// read returns the parameters of c, of which only known may be there, each at
// most once.
func (c *call) read(known ...string) *query {
	q := &query{values: url.Values{}}
	values, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		q.err = invalid("查询参数无法解析。", "The query cannot be read.")
		return q
	}
	for name, list := range values {
		if !slices.Contains(known, name) {
			q.err = invalid(fmt.Sprintf("没有 %q 这个参数。", name), fmt.Sprintf("There is no parameter %q.", name))
		} else if len(list) > 1 {
			q.err = invalid(fmt.Sprintf("参数 %q 重复。", name), fmt.Sprintf("Parameter %q is given twice.", name))
		}
	}
	q.values = values
	return q
}

func (q *query) fail(name, zh, en string) {
	if q.err == nil {
		v := q.values.Get(name)
		q.err = invalid(fmt.Sprintf("%s=%q：%s。", name, v, zh), fmt.Sprintf("%s=%q: %s.", name, v, en))
	}
}

// number reads a whole number from 0 to top.
func (q *query) number(name string, absent, top int) int {
	return int(q.id(name, int64(absent), int64(top)))
}

// id is number for what does not fit an int of every machine.
func (q *query) id(name string, absent, top int64) int64 {
	text := q.values.Get(name)
	if text == "" {
		return absent
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > top {
		q.fail(name, fmt.Sprintf("应为 0 到 %d 的整数", top), fmt.Sprintf("must be a whole number from 0 to %d", top))
	}
	return n
}

// limit reads how many rows are asked for, 1 to 1000.
func (q *query) limit(absent int) int {
	n := q.number("limit", absent, 1000)
	if n == 0 {
		q.fail("limit", "至少为 1", "must be at least 1")
	}
	return n
}

// word reads one of several words, "" if absent.
func (q *query) word(name string, words ...string) string {
	text := q.values.Get(name)
	if text != "" && !slices.Contains(words, text) {
		q.fail(name, fmt.Sprintf("应为 %v 之一", words), fmt.Sprintf("must be one of %v", words))
	}
	return text
}

// longest is the longest period of one call, in days.
const longest = 100

// period reads from and to; absent, today.
func (q *query) period(now time.Time) (from, to fleet.Day) {
	day := func(name string) time.Time {
		text := q.values.Get(name)
		if text == "" {
			text = now.Format(time.DateOnly)
		}
		t, err := time.Parse(time.DateOnly, text)
		if err != nil || t.Year() < 2000 || t.Year() > 2200 {
			q.fail(name, "应为 2026-11-23 这样的日期", "must be a day such as 2026-11-23")
		}
		return t
	}
	a, b := day("from"), day("to")
	if b.Before(a) || b.After(a.AddDate(0, 0, longest-1)) {
		q.fail("to", fmt.Sprintf("不能早于 from，也不能超过 %d 天", longest), fmt.Sprintf("must not be before from nor %d days or more after it", longest))
	}
	return fleet.Day(a.Format(time.DateOnly)), fleet.Day(b.Format(time.DateOnly))
}
