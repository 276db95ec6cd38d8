package dossier

import (
	"testing"

	"gatecast/internal/acceptance/outcome"
)

func TestRefusesFormulas(t *testing.T) {
	attacks := []string{
		"=1+1", "+1+1", "-1+1", "@SUM(A1)", "=cmd|' /C calc'!A0", "=HYPERLINK(\"http://evil.example\")", "\t=1+1", "\r=1+1", "\n=1+1",
		" =1+1", "\u00a0=1+1", "\u3000=1+1", "\ufeff=1+1", "\u200b=1+1", "＝1+1", "＋1", "－1", "＠SUM", "\x00=1+1", "\t", "  \t@x",
	}
	refused := 0
	for _, in := range attacks {
		if got := cell(in); got == "'"+in {
			refused++
		} else {
			t.Errorf("cell(%q) = %q", in, got)
		}
	}
	for _, in := range []string{"", "松风苑南门", "1-1", "a=b", "设备 d1", "2026-11-23", "0.5"} {
		if got := cell(in); got != in {
			t.Errorf("cell(%q) = %q, want it as it is", in, got)
		}
	}
	outcome.ReportAttack(t, outcome.Attack{Side: "web", Attack: "formula in an exported table", AttackZH: "导出表格里的公式注入", Tried: len(attacks), Refused: refused})
}
