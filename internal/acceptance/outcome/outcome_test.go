package outcome

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReportedRowsAreRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.jsonl")
	t.Setenv(Variable, path)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { Report(t, Row{Fault: "kill", Tried: i, Note: strings.Repeat("x", 300)}) })
	}
	wg.Wait()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	tried := map[int]bool{}
	for _, r := range rows {
		tried[r.Tried] = r.Fault == "kill" && len(r.Note) == 300
	}
	if len(rows) != 20 || len(tried) != 20 {
		t.Errorf("Read = %d rows of %d kinds, want 20", len(rows), len(tried))
	}
}

func TestMarkdown(t *testing.T) {
	rows := []Row{
		{System: "cron + mpg123", Fault: "power cut", Tried: 9, Unit: "cuts", Of: 30, Lost: 4, Doubled: 1},
		{Fault: "kill", FaultZH: "杀进程", Tried: 200, Unit: "kills", UnitZH: "次", Of: 900, Note: "a|b\nc"},
		{Fault: "disk full", FaultZH: "磁盘满", Tried: 2, Of: 8},
	}
	tests := []struct{ lang, want string }{
		{"en", `| fault | tried | checked | lost | doubled | note |
|---|---|---|---|---|---|
| disk full | 2 | 8 | 0 | 0 |  |
| kill | 200 kills | 900 | 0 | 0 | a\|b c |
| cron + mpg123: power cut | 9 cuts | 30 | 4 | 1 |  |
`},
		{"zh", `| 故障 | 次数 | 核对条数 | 丢失 | 重复 | 说明 |
|---|---|---|---|---|---|
| 磁盘满 | 2 | 8 | 0 | 0 |  |
| 杀进程 | 200 次 | 900 | 0 | 0 | a\|b c |
| cron + mpg123: power cut | 9 cuts | 30 | 4 | 1 |  |
`},
	}
	for _, tt := range tests {
		t.Run(tt.lang, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Markdown(rows, tt.lang)); diff != "" {
				t.Errorf("Markdown (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadNamesTheBrokenLine(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"not_json", "{\"fault\":\"a\"}\n\nkaputt\n", "line 3"},
		{"no_fault", "{\"tried\":1}\n", "line 1"},
		{"unknown_field", "{\"fault\":\"a\"}\n{\"fault\":\"a\",\"tryed\":1}\n", "line 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Read(strings.NewReader(tt.in)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Read = %v, want an error about %s", err, tt.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add("{\"fault\":\"a\",\"tried\":3,\"note\":\"x | y\"}\n")
	f.Add("null\n")
	f.Fuzz(func(t *testing.T, in string) {
		rows, err := Read(strings.NewReader(in))
		if err != nil {
			return
		}
		if n := strings.Count(Markdown(rows, "en"), "\n"); n != len(rows)+2 {
			t.Errorf("%d rows made %d lines", len(rows), n)
		}
	})
}
