package schedules

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// HolidayTable is the notice of one year: which days are off and which weekend
// days are worked in exchange.
type HolidayTable struct {
	Year int
	Days []HolidayDay // by date
}

// HolidayDay is one day of a HolidayTable.
type HolidayDay struct {
	Date Date
	Name string // of the holiday, such as 春节
	Off  bool   // false: worked in exchange
}

// maxHolidays is more than any notice has days.
const maxHolidays = 120

// ParseHolidays reads a year's holidays from a file that its name tells to be
// CSV, YAML or JSON; any other is taken for CSV. The error is of type Errors and
// names every bad line.
//
//   - CSV: a date, the name of the holiday, and 休 or 班 (also 放假/上班,
//     off/work), in three columns; a first line with headers is skipped.
//   - YAML: year: 2027, and days: a list of {date, name, off: true|false}.
//   - JSON: the form of the holiday-cn project.
//
// Days must lie in the year of the table, but for the days around New Year that
// the notice of the next year lists; days off and days worked are each told
// once, a day worked in exchange is a Saturday or Sunday.
func ParseHolidays(file string, data []byte) (HolidayTable, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	h := holidayReader{file: file}
	switch strings.ToLower(path.Ext(file)) {
	case ".yaml", ".yml":
		h.yaml(data)
	case ".json":
		h.json(data)
	default:
		if text := bytes.TrimSpace(data); bytes.HasPrefix(text, []byte("{")) {
			h.json(data)
		} else {
			h.csv(data)
		}
	}
	if len(h.errs) == 0 {
		h.check()
	}
	if len(h.errs) > 0 {
		return HolidayTable{}, h.errs
	}
	slices.SortFunc(h.table.Days, func(a, b HolidayDay) int { return a.Date.Compare(b.Date) })
	return h.table, nil
}

// JSON returns the table as Calendar.Import reads it.
func (t HolidayTable) JSON() []byte {
	type day struct {
		Name string `json:"name"`
		Date string `json:"date"`
		Off  bool   `json:"isOffDay"`
	}
	out := struct {
		Year int   `json:"year"`
		Days []day `json:"days"`
	}{Year: t.Year, Days: []day{}}
	for _, d := range t.Days {
		out.Days = append(out.Days, day{d.Name, d.Date.String(), d.Off})
	}
	text, _ := json.Marshal(out) // strings, numbers and booleans marshal
	return text
}

// holidayReader gathers a table and what is wrong with its file.
type holidayReader struct {
	file  string
	table HolidayTable
	lines []int // of the days
	errs  Errors
}

func (h *holidayReader) fail(line int, key string, rule Rule, args ...any) {
	h.errs = append(h.errs, &Error{File: h.file, Line: line, Key: key, Rule: rule, Args: args})
}

// add reads one day. Off is told by a word.
func (h *holidayReader) add(line int, date, name, off string) {
	d, err := ParseDate(plainDate(date))
	if err != nil {
		h.fail(line, "date", RuleDate, date)
		return
	}
	day := HolidayDay{Date: d, Name: strings.TrimSpace(name)}
	switch strings.ToLower(strings.TrimSpace(off)) {
	case "休", "放假", "假", "off", "true", "1":
		day.Off = true
	case "班", "上班", "调休", "补班", "work", "false", "0":
	default:
		h.fail(line, "off", RuleOneOf, off, "休, 班")
		return
	}
	h.table.Days, h.lines = append(h.table.Days, day), append(h.lines, line)
}

// plainDate turns the ways in which people write a date into one.
func plainDate(s string) string {
	s = strings.TrimSuffix(strings.NewReplacer("年", "-", "月", "-", "日", "", "/", "-", ".", "-").Replace(strings.TrimSpace(s)), "-")
	if t, err := time.Parse("2006-1-2", s); err == nil {
		return t.Format(time.DateOnly)
	}
	return s
}

func (h *holidayReader) csv(data []byte) {
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord, r.TrimLeadingSpace = -1, true
	for first := true; ; first = false {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			h.fail(0, "", RuleSyntax, err.Error())
			return
		}
		line, _ := r.FieldPos(0)
		if len(row) == 1 && strings.TrimSpace(row[0]) == "" {
			continue
		}
		if _, err := ParseDate(plainDate(row[0])); err != nil && first {
			continue // headers
		}
		if len(row) < 3 {
			h.fail(line, "", RuleHolidayColumns)
			continue
		}
		h.add(line, row[0], row[1], row[2])
	}
	// The year of most days: around New Year a notice names days of another.
	count := map[int]int{}
	for _, d := range h.table.Days {
		if count[d.Date.Year]++; count[d.Date.Year] > count[h.table.Year] {
			h.table.Year = d.Date.Year
		}
	}
}

func (h *holidayReader) yaml(data []byte) {
	var in struct {
		Year int `yaml:"year"`
		Days []struct {
			Date string `yaml:"date"`
			Name string `yaml:"name"`
			Off  *bool  `yaml:"off"`
		} `yaml:"days"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&in); err != nil {
		h.fail(0, "", RuleSyntax, err.Error())
		return
	}
	h.table.Year = in.Year
	for i, d := range in.Days {
		if d.Off == nil {
			h.fail(0, "days["+strconv.Itoa(i)+"]", RuleMissing, "off")
			continue
		}
		h.add(0, d.Date, d.Name, strconv.FormatBool(*d.Off))
	}
}

func (h *holidayReader) json(data []byte) {
	var in struct {
		Year int `json:"year"`
		Days []struct {
			Name string `json:"name"`
			Date string `json:"date"`
			Off  *bool  `json:"isOffDay"`
		} `json:"days"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		h.fail(0, "", RuleHolidayJSON, err.Error())
		return
	}
	h.table.Year = in.Year
	for i, d := range in.Days {
		if d.Off == nil {
			h.fail(0, "days["+strconv.Itoa(i)+"]", RuleMissing, "isOffDay")
			continue
		}
		h.add(0, d.Date, d.Name, strconv.FormatBool(*d.Off))
	}
}

// check looks at the days together.
func (h *holidayReader) check() {
	t := h.table
	switch {
	case len(t.Days) == 0:
		h.fail(0, "", RuleHolidayNone)
		return
	case len(t.Days) > maxHolidays:
		h.fail(0, "", RuleTooMany, strconv.Itoa(len(t.Days)), strconv.Itoa(maxHolidays))
		return
	case t.Year < 2000 || t.Year > 2200:
		h.fail(0, "year", RuleRange, strconv.Itoa(t.Year), "2000", "2200")
		return
	}
	seen := map[Date]bool{}
	for i, d := range t.Days {
		line := h.lines[i]
		before := d.Date.Year == t.Year-1 && d.Date.Month == time.December && d.Date.Day >= 20
		after := d.Date.Year == t.Year+1 && d.Date.Month == time.January && d.Date.Day <= 10
		if d.Date.Year != t.Year && !before && !after {
			h.fail(line, "date", RuleHolidayYear, d.Date, strconv.Itoa(t.Year))
		}
		if seen[d.Date] {
			h.fail(line, "date", RuleRepeated, d.Date)
		}
		seen[d.Date] = true
		if w := d.Date.Weekday(); !d.Off && w != time.Saturday && w != time.Sunday {
			h.fail(line, "date", RuleHolidayWork, d.Date)
		}
		if d.Name == "" || len([]rune(d.Name)) > 40 {
			h.fail(line, "name", RuleName, d.Name, "40")
		}
	}
	slices.SortStableFunc(h.errs, func(a, b *Error) int { return cmp.Compare(a.Line, b.Line) })
}
