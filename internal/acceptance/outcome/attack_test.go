package outcome

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAttacksAreReportedAndAddedUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "attacks.jsonl")
	t.Setenv(AttackVariable, path)
	ReportAttack(t, Attack{Side: "web", Attack: "path traversal", AttackZH: "路径穿越", Tried: 3, Refused: 3, Note: "a|b"})
	ReportAttack(t, Attack{Side: "broker", Attack: "flood", Tried: 9, Refused: 9})
	ReportAttack(t, Attack{Side: "web", Attack: "path traversal", Tried: 4, Refused: 4})
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := ReadAttacks(f)
	if err != nil {
		t.Fatal(err)
	}
	want := "| 目标 | 攻击 | 尝试 | 拒绝 | 说明 |\n|---|---|---|---|---|\n| broker | flood | 9 | 9 |  |\n| web | 路径穿越 | 7 | 7 | a\\|b |\n| 合计 | | 16 | 16 | |\n"
	if diff := cmp.Diff(want, MarkdownAttacks(rows, "zh")); diff != "" {
		t.Errorf("MarkdownAttacks (-want +got):\n%s", diff)
	}
}

func FuzzReadAttacks(f *testing.F) {
	f.Add("{\"side\":\"web\",\"attack\":\"a\",\"tried\":3,\"refused\":3}\n")
	f.Fuzz(func(t *testing.T, in string) {
		rows, err := ReadAttacks(strings.NewReader(in))
		if err == nil && strings.Count(MarkdownAttacks(rows, "en"), "\n") > len(rows)+3 {
			t.Errorf("%d rows made more lines", len(rows))
		}
	})
}
