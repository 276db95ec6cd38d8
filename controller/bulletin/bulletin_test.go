package bulletin

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
)

var shanghai = time.FixedZone("CST", 8*3600)

func TestLastPeriodIsTheOneThatIsOver(t *testing.T) {
	for _, tt := range []struct {
		name     string
		start    time.Weekday
		now      time.Time
		from, to fleet.Day
	}{
		{"monday_midnight", time.Monday, time.Date(2026, 11, 23, 0, 0, 0, 0, shanghai), "2026-11-16", "2026-11-22"},
		{"sunday_evening", time.Monday, time.Date(2026, 11, 22, 23, 59, 59, 0, shanghai), "2026-11-09", "2026-11-15"},
		{"new_year", time.Monday, time.Date(2027, 1, 1, 12, 0, 0, 0, shanghai), "2026-12-21", "2026-12-27"},
		{"leap_day", time.Monday, time.Date(2028, 3, 6, 9, 0, 0, 0, shanghai), "2028-02-28", "2028-03-05"},
		{"from_friday", time.Friday, time.Date(2026, 11, 24, 9, 0, 0, 0, shanghai), "2026-11-13", "2026-11-19"},
		{"from_sunday", time.Sunday, time.Date(2026, 11, 22, 0, 0, 0, 0, shanghai), "2026-11-15", "2026-11-21"},
		{"utc_is_yesterday", time.Monday, time.Date(2026, 11, 22, 16, 0, 0, 0, time.UTC), "2026-11-16", "2026-11-22"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if from, to := (Style{WeekStart: tt.start}).LastPeriod(tt.now, shanghai); from != tt.from || to != tt.to {
				t.Errorf("%s to %s, want %s to %s", from, to, tt.from, tt.to)
			}
		})
	}
}

func content(played, rate string, more ...[]string) fleet.BulletinContent {
	rows := append([][]string{{"松风社区", played, rate}}, more...)
	return fleet.BulletinContent{Chapters: []fleet.BulletinChapter{
		{Name: fleet.ChapterPlayback, Title: "四、广播播放情况", Tables: []fleet.BulletinTable{
			{Caption: "表4　广播播放情况（段）", Head: []string{"单位", "已播", "确认达标率"}, Rows: rows, Sum: true},
			{Caption: "表5　缺播较多的点位", Head: []string{"点位"}, Rows: [][]string{{played}}},
		}},
		{Name: fleet.ChapterFeedback, Facts: []string{played}},
	}}
}

func cell(table, row, column, was, now string) fleet.BulletinChange {
	return fleet.BulletinChange{Table: table, Row: row, Column: column, Was: was, Now: now}
}

func TestChangesAreListedByCell(t *testing.T) {
	for _, tt := range []struct {
		name     string
		was, now fleet.BulletinContent
		want     []fleet.BulletinChange
	}{
		{"same", content("1", "50.0%"), content("1", "50.0%"), nil},
		{"cells", content("1", "50.0%"), content("2", "100.0%"), []fleet.BulletinChange{cell("表4", "松风社区", "已播", "1", "2"), cell("表4", "松风社区", "确认达标率", "50.0%", "100.0%")}},
		{"row_came", content("1", "50.0%"), content("1", "50.0%", []string{"望河社区", "3", "—"}), []fleet.BulletinChange{cell("表4", "望河社区", "已播", "—", "3")}},
		{"row_went", content("1", "50.0%", []string{"望河社区", "3", "9%"}), content("1", "50.0%"), []fleet.BulletinChange{cell("表4", "望河社区", "已播", "3", "—"), cell("表4", "望河社区", "确认达标率", "9%", "—")}},
		{"table_came", fleet.BulletinContent{}, content("1", "2%"), []fleet.BulletinChange{cell("表4", "松风社区", "已播", "—", "1"), cell("表4", "松风社区", "确认达标率", "—", "2%")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, diff(tt.was, tt.now)); d != "" {
				t.Errorf("changes (-want +got):\n%s", d)
			}
		})
	}
}

func TestSealIsOfWhatIsSaidNotOfWhen(t *testing.T) {
	a, b := content("1", "50.0%"), content("1", "50.0%")
	a.Period, b.Period = "截至 9 时", "截至 10 时"
	x, err := Seal(a)
	if err != nil {
		t.Fatal(err)
	}
	if y, err := Seal(b); err != nil || x != y {
		t.Errorf("an hour later it is sealed otherwise: %v", err)
	}
	if y, err := Seal(content("2", "50.0%")); err != nil || x == y {
		t.Errorf("other figures have the same seal: %v", err)
	}
}

func TestSignersAreOthersThanWriters(t *testing.T) {
	b := fleet.Bulletin{Kind: fleet.WeeklyBulletin, State: fleet.BulletinSubmitted, By: fleet.AuditSelf, Edited: []string{"li"}, SubmittedBy: "wang"}
	for _, tt := range []struct {
		login string
		role  fleet.Role
		kind  fleet.BulletinKind
		want  bool
	}{
		{"chen", fleet.Approver, fleet.WeeklyBulletin, true}, {"chen", fleet.Approver, fleet.TeamReport, true},
		{"li", fleet.Approver, fleet.WeeklyBulletin, false}, {"wang", fleet.Approver, fleet.WeeklyBulletin, false},
		{"zhang", fleet.Admin, fleet.WeeklyBulletin, false}, {"du", fleet.Supervisor, fleet.TeamReport, false}, {"zhao", fleet.Auditor, fleet.WeeklyBulletin, false},
	} {
		b.Kind = tt.kind
		if got := MaySign(fleet.User{Login: tt.login, Role: tt.role}, b); got != tt.want {
			t.Errorf("MaySign(%s as %s, %s) = %v", tt.login, tt.role, tt.kind, got)
		}
	}
	b.State = fleet.BulletinDraft
	if MaySign(fleet.User{Login: "chen", Role: fleet.Approver}, b) {
		t.Error("a draft may be signed")
	}
}

func TestSameContentSameFile(t *testing.T) {
	var a, b bytes.Buffer
	c := content("1", "50.0%")
	if err := WriteDocx(&a, c); err != nil {
		t.Fatal(err)
	}
	if err := WriteDocx(&b, c); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two files of the same content differ")
	}
}

func TestNumeralsOfChapters(t *testing.T) {
	for n, want := range map[int]string{1: "一", 8: "八", 10: "十", 12: "十二"} {
		if got := numeral(n); got != want {
			t.Errorf("numeral(%d) = %q, want %q", n, got, want)
		}
	}
}
