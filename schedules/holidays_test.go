package schedules

import (
	"errors"
	"strings"
	"testing"
	"time"
)

const notice2027 = `日期,节日,休/班
2027-01-01,元旦,休
2027.1.2,元旦,休
2027年1月3日,元旦,休
2027-10-09,国庆节,班
`

func TestParseHolidaysReadsThreeForms(t *testing.T) {
	t.Parallel()
	tests := []struct{ file, text string }{
		{"2027.csv", "\xef\xbb\xbf" + notice2027},
		{"2027.txt", notice2027},
		{"2027.yaml", "year: 2027\ndays:\n  - {date: 2027-01-01, name: 元旦, off: true}\n  - {date: 2027-01-02, name: 元旦, off: true}\n  - {date: 2027-01-03, name: 元旦, off: true}\n  - {date: 2027-10-09, name: 国庆节, off: false}\n"},
		{"2027.json", `{"year": 2027, "papers": [], "days": [{"name": "元旦", "date": "2027-01-01", "isOffDay": true}, {"name": "元旦", "date": "2027-01-02", "isOffDay": true}, {"name": "元旦", "date": "2027-01-03", "isOffDay": true}, {"name": "国庆节", "date": "2027-10-09", "isOffDay": false}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			table, err := ParseHolidays(tt.file, []byte(tt.text))
			if err != nil || table.Year != 2027 || len(table.Days) != 4 {
				t.Fatalf("ParseHolidays = %+v, %v", table, err)
			}
			cal := DefaultCalendar().Clone()
			if err := cal.Import(table.JSON()); err != nil {
				t.Fatal(err)
			}
			for date, want := range map[Date]DayType{
				{2027, time.January, 1}: Holiday, {2027, time.October, 9}: MakeUpWorkday, {2027, time.January, 4}: Workday, {2026, time.October, 10}: MakeUpWorkday,
			} {
				if got, known := cal.DayType(date); got != want || !known {
					t.Errorf("DayType(%s) = %s, %v, want %s", date, got, known, want)
				}
			}
			if _, known := DefaultCalendar().DayType(Date{2027, time.January, 1}); known {
				t.Error("the clone changed the shipped calendar")
			}
		})
	}
}

func TestParseHolidaysNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file, text string
		rule             Rule
		line             int
	}{
		{"other_year", "a.csv", "2027-01-01,元旦,休\n2027-01-02,元旦,休\n2025-05-01,劳动节,休\n", RuleHolidayYear, 3},
		{"work_on_a_weekday", "a.csv", "2027-01-01,元旦,休\n2027-10-08,国庆节,班\n", RuleHolidayWork, 2},
		{"twice", "a.csv", "2027-01-01,元旦,休\n2027-01-01,元旦,班\n", RuleRepeated, 2},
		{"no_such_day", "a.csv", "日期,节日,休\n2027-02-30,春节,休\n", RuleDate, 2},
		{"neither", "a.csv", "2027-01-01,元旦,也许\n", RuleOneOf, 1},
		{"no_name", "a.csv", "2027-01-01,,休\n", RuleName, 1},
		{"two_columns", "a.csv", "2027-01-01,元旦\n", RuleHolidayColumns, 1},
		{"unpublished", "a.json", `{"year": 2027, "days": []}`, RuleHolidayNone, 0},
		{"broken_json", "a.json", `{"year": 2027, "days": [`, RuleHolidayJSON, 0},
		{"json_without_off", "a.json", `{"year": 2027, "days": [{"name": "元旦", "date": "2027-01-01"}]}`, RuleMissing, 0},
		{"unknown_key", "a.yaml", "year: 2027\nday: []\n", RuleSyntax, 0},
		{"no_year", "a.yaml", "days: [{date: 2027-01-01, name: 元旦, off: true}]\n", RuleRange, 0},
		{"empty", "a.csv", "", RuleHolidayNone, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseHolidays(tt.file, []byte(tt.text))
			var list Errors
			if !errors.As(err, &list) || list[0].Rule != tt.rule || list[0].Line != tt.line {
				t.Errorf("ParseHolidays = %v, want %s at line %d", err, tt.rule, tt.line)
			}
		})
	}
}

func FuzzParseHolidays(f *testing.F) {
	f.Add("a.csv", notice2027)
	f.Add("a.json", `{"year": 2027, "days": [{"name": "元旦", "date": "2027-01-01", "isOffDay": true}]}`)
	f.Add("a.yaml", "year: 2027\ndays: [{date: 2027-01-01, name: 元旦, off: true}]\n")
	f.Fuzz(func(t *testing.T, file, text string) {
		table, err := ParseHolidays(file, []byte(text))
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("an error without words")
			}
			return
		}
		if err := new(Calendar).Import(table.JSON()); err != nil {
			t.Errorf("what was read cannot be imported: %v", err)
		}
	})
}
