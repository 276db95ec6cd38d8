package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// runTool runs the tool in this process and returns its exit status and output.
func runTool(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = run(args, streams{strings.NewReader(""), &out, &err})
	return status, out.String(), err.String()
}

// writeFile writes a programme into a temporary folder and returns its path.
func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// quietProgramme has a slot that sounds, one that midday rest silences at gates
// and an exam day that silences both.
const quietProgramme = `
id: quiet
name: 静默示例
zone: Asia/Shanghai
targets: {all: true}
quiet:
  midday: {off_for: [village]}
  dated:
    - {id: gaokao, name: 高考, from: 2026-06-07, to: 2026-06-07, all_day: true, document: 示例文号〔2026〕9号}
slots:
  - {key: noon, name: 中, start: "50 11 * * *", until: "12:10", every: 10m, playlist: [shuadan]}
  - {key: evening, name: 晚, start: "0 18 * * *", duration: 10m, playlist: [kefu, laonian], gain_db: -3}
example_points:
  - {id: G1, name: 南门, kind: gate}
  - {id: V1, name: 村委会, kind: village}
`

func TestPlanPreviewJSON(t *testing.T) {
	t.Parallel()
	path := writeFile(t, quietProgramme)
	status, stdout, stderr := runTool(t, "plan", "preview", path, "--from", "2026-06-06", "--json", "--days", "2")
	if status != exitOK {
		t.Fatalf("status %d, want 0; stderr:\n%s", status, stderr)
	}
	var rows []struct {
		Point, Date, Slot, Start, End string
		Plays                         []struct{ At, Clip string }
		SilencedBy                    *string `json:"silenced_by"`
	}
	if err := json.Unmarshal([]byte(stdout), &rows); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		line := r.Point + " " + r.Slot + " " + r.Start + " " + r.End
		if r.SilencedBy != nil {
			line += " !" + *r.SilencedBy
		}
		for _, p := range r.Plays {
			line += " " + p.Clip + "@" + strings.TrimPrefix(p.At, r.Date)
		}
		got = append(got, line)
	}
	want := []string{
		"G1 noon 2026-06-06T11:50:00+08:00 2026-06-06T12:10:00+08:00 !midday",
		"G1 evening 2026-06-06T18:00:00+08:00 2026-06-06T18:10:00+08:00 kefu@T18:00:00+08:00 laonian@T18:05:00+08:00",
		"G1 noon 2026-06-07T11:50:00+08:00 2026-06-07T12:10:00+08:00 !midday",
		"G1 evening 2026-06-07T18:00:00+08:00 2026-06-07T18:10:00+08:00 !gaokao",
		"V1 noon 2026-06-06T11:50:00+08:00 2026-06-06T12:10:00+08:00 shuadan@T11:50:00+08:00 shuadan@T12:00:00+08:00",
		"V1 evening 2026-06-06T18:00:00+08:00 2026-06-06T18:10:00+08:00 kefu@T18:00:00+08:00 laonian@T18:05:00+08:00",
		"V1 noon 2026-06-07T11:50:00+08:00 2026-06-07T12:10:00+08:00 !gaokao",
		"V1 evening 2026-06-07T18:00:00+08:00 2026-06-07T18:10:00+08:00 !gaokao",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows differ (-want +got):\n%s", diff)
	}
}

// TestPlanPreviewJSONKeys pins the names that scripts rely on, and that an
// empty result is an array.
func TestPlanPreviewJSONKeys(t *testing.T) {
	t.Parallel()
	_, stdout, _ := runTool(t, "plan", "preview", "default", "--from", "2026-12-01", "--days", "1", "--point", "YL-01", "--json")
	var rows []map[string]any
	if err := json.Unmarshal([]byte(stdout), &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 {
		t.Fatalf("%d rows for the village, want 2", len(rows))
	}
	for _, key := range []string{"point", "date", "slot", "start", "end", "plays", "silenced_by"} {
		if _, ok := rows[0][key]; !ok {
			t.Errorf("key %q is missing from %v", key, rows[0])
		}
	}
	path := writeFile(t, strings.Replace(quietProgramme, "targets:", "to: 2026-12-31\ntargets:", 1))
	if _, stdout, _ = runTool(t, "plan", "preview", path, "--from", "2030-01-01", "--json"); strings.TrimSpace(stdout) != "[]" {
		t.Errorf("output after the programme's last day = %q, want []", stdout)
	}
}

func TestPlanPreviewTable(t *testing.T) {
	t.Parallel()
	path := writeFile(t, quietProgramme)
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"chinese", []string{"--from", "2026-06-06", "--days", "2"}, []string{
			"方案 静默示例（quiet），时区 Asia/Shanghai", "点位 G1 南门 · 小区门口", "点位 V1 村委会 · 村广播",
			"免播：午间静默 12:00–14:00", "免播：高考 2026-06-07 全天（示例文号〔2026〕9号）", "响 2 次，每 10 分钟一次", "休息日",
			"共 4 段：出声 1 段 2 次，免播 3 段", "共 4 段：出声 2 段 4 次，免播 2 段",
		}},
		{"english", []string{"--from", "2026-06-06", "--days", "2", "--lang", "en"}, []string{
			"silent: midday rest 12:00–14:00", "silent: 高考 2026-06-07 all day", "sounds 2×, every 10 min", "rest day", "compound gate",
		}},
		{"holiday", []string{"--from", "2026-10-01", "--days", "1"}, []string{"法定节假日（国庆节）"}},
		{"make_up_workday", []string{"--from=2026-10-10", "--days=1"}, []string{"调休上班（国庆节）"}},
		{"unknown_year", []string{"--from", "2027-10-01", "--days", "1"}, []string{"工作日（推定）"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, stdout, stderr := runTool(t, append([]string{"plan", "preview", path}, tt.args...)...)
			if status != exitOK {
				t.Fatalf("status %d, want 0; stderr:\n%s", status, stderr)
			}
			for _, want := range tt.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("output lacks %q:\n%s", want, stdout)
				}
			}
		})
	}
}

// TestPlanPreviewNotes checks what goes to standard error beside a good result.
func TestPlanPreviewNotes(t *testing.T) {
	t.Parallel()
	path := writeFile(t, quietProgramme)
	_, _, stderr := runTool(t, "plan", "preview", path, "default", "--from", "2027-03-01", "--days", "1", "--point", "G1", "--lang", "en")
	for _, want := range []string{"public holidays of 2027", `conflict: "示例街道日常" 晚 18:00–18:30 and "静默示例" 晚 18:00–18:10`} {
		if !strings.Contains(stderr, want) {
			t.Errorf("notes lack %q:\n%s", want, stderr)
		}
	}
	holidays := filepath.Join(t.TempDir(), "2027.json")
	table := `{"year": 2027, "days": [{"name": "元旦", "date": "2027-01-01", "isOffDay": true}]}`
	if err := os.WriteFile(holidays, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stdout, stderr := runTool(t, "plan", "preview", "default", "--from", "2027-01-01", "--days", "1", "--holidays", holidays)
	if !strings.Contains(stdout, "法定节假日（元旦）") || stderr != "" {
		t.Errorf("with the table of 2027: stderr %q, output:\n%s", stderr, stdout)
	}
}

func TestPlanPreviewRefuses(t *testing.T) {
	t.Parallel()
	bad := writeFile(t, "id: x\nname: y\nzone: Mars/Olympus\nslotz: []\n")
	noPoints := writeFile(t, strings.Split(quietProgramme, "example_points")[0])
	tests := []struct {
		name   string
		args   []string
		status int
		want   []string
	}{
		{"no_subcommand", []string{}, exitUsage, []string{"usage: gatecast"}},
		{"unknown_subcommand", []string{"plam"}, exitUsage, []string{`"plam"`}},
		{"no_verb", []string{"plan"}, exitUsage, []string{"preview"}},
		{"no_file", []string{"plan", "preview"}, exitUsage, []string{"没有写方案文件"}},
		{"unknown_flag", []string{"plan", "preview", "default", "--dyas", "3"}, exitUsage, []string{"dyas"}},
		{"bad_days", []string{"plan", "preview", "default", "--days", "0"}, exitUsage, []string{"--days 0"}},
		{"bad_from", []string{"plan", "preview", "default", "--from", "1.12.2026"}, exitUsage, []string{"1.12.2026", "2026-01-31"}},
		{"bad_lang", []string{"plan", "preview", "default", "--lang", "fr"}, exitUsage, []string{"fr"}},
		{"unknown_point", []string{"plan", "preview", "default", "--point", "XX"}, exitUsage, []string{`"XX"`, "SF-01, YL-01"}},
		{"missing_file", []string{"plan", "preview", "nowhere.yaml"}, exitBad, []string{`没有文件 "nowhere.yaml"`}},
		{"missing_file_english", []string{"plan", "preview", "nowhere.yaml", "--lang", "en"}, exitBad, []string{`no file "nowhere.yaml"`}},
		{"file_named_like_a_flag", []string{"plan", "preview", "--days", "1", "--", "--odd.yaml"}, exitBad, []string{`没有文件 "--odd.yaml"`}},
		{"folder", []string{"plan", "preview", t.TempDir()}, exitBad, []string{"读不了文件"}},
		{"bad_file", []string{"plan", "preview", bad}, exitBad, []string{":3: zone:", "Mars/Olympus", ":4: slotz:", "是不是 “slots”"}},
		{"two_bad_files", []string{"plan", "preview", bad, "nowhere.yaml"}, exitBad, []string{"Mars/Olympus", "nowhere.yaml"}},
		{"same_id", []string{"plan", "preview", "default", "default"}, exitBad, []string{"default"}},
		{"no_example_points", []string{"plan", "preview", noPoints}, exitBad, []string{"example_points"}},
		{"bad_holidays", []string{"plan", "preview", "default", "--holidays", bad}, exitBad, []string{"放假安排"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, stdout, stderr := runTool(t, tt.args...)
			if status != tt.status || stdout != "" {
				t.Errorf("status %d, want %d; stdout %q, want none", status, tt.status, stdout)
			}
			for _, want := range tt.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("message lacks %q:\n%s", want, stderr)
				}
			}
		})
	}
}

func TestUsageOnRequest(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"help"}, {"--help"}, {"plan", "-h"}} {
		if status, stdout, _ := runTool(t, args...); status != exitOK || !strings.Contains(stdout, "usage") {
			t.Errorf("run(%q) = %d, %q, want 0 and the usage", args, status, stdout)
		}
	}
	if status, _, stderr := runTool(t, "plan", "preview", "-h"); status != exitOK || !strings.Contains(stderr, "-days") {
		t.Errorf("run(plan preview -h) = %d, want 0 and the flags:\n%s", status, stderr)
	}
}

// TestPreviewTextsComplete compares the two catalogs: every text is there in
// both languages, with the same operands.
func TestPreviewTextsComplete(t *testing.T) {
	t.Parallel()
	zh, en := reflect.ValueOf(*previewTexts("zh")), reflect.ValueOf(*previewTexts("en"))
	for i := range zh.NumField() {
		name := zh.Type().Field(i).Name
		if zh.Field(i).Kind() != reflect.String {
			continue
		}
		a, b := zh.Field(i).String(), en.Field(i).String()
		if a == "" || b == "" {
			t.Errorf("%s: zh %q, en %q: one is empty", name, a, b)
		}
		for _, verb := range []string{"%s", "%d", "%q", "%v", "\t"} {
			if strings.Count(a, verb) != strings.Count(b, verb) {
				t.Errorf("%s: zh %q and en %q differ in %q", name, a, b, verb)
			}
		}
	}
}

func TestAlignWideCharacters(t *testing.T) {
	t.Parallel()
	got := align([][]string{{"早", "x"}, {"abcd", "中文", "y"}})
	want := []string{"早    x", "abcd  中文  y"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("align differs (-want +got):\n%s", diff)
	}
}
