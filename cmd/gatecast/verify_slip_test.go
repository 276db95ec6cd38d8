package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatecast/controller/sheet"
	"gatecast/controller/trust"
	"gatecast/internal/evidence"
)

// TestVerifyTableWithItsSlip hands a workbook and a CSV file out as the pages
// do, and changes one byte of each.
func TestVerifyTableWithItsSlip(t *testing.T) {
	authority, err := trust.Open(filepath.Join(t.TempDir(), "trust"), trust.Options{})
	if err != nil {
		t.Fatal(err)
	}
	page := sheet.Page{Name: "联络员名单", Above: []string{"核验编号 7K2M-9Q4D"}, Columns: []sheet.Column{{Head: "姓名"}}, Rows: [][]string{{"张工"}}}
	var book, text bytes.Buffer
	if err := sheet.WriteXLSX(&book, page); err != nil {
		t.Fatal(err)
	}
	if err := sheet.WriteCSV(&text, page); err != nil {
		t.Fatal(err)
	}
	verify := func(args ...string) (int, string) {
		t.Helper()
		var out, errs bytes.Buffer
		status := runVerify(t.Context(), streams{out: &out, err: &errs}, args)
		return status, out.String() + errs.String()
	}
	for name, data := range map[string][]byte{"roster.xlsx": book.Bytes(), "roster.csv": text.Bytes()} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		write := func(path string, data []byte) {
			t.Helper()
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(path, data)
		if status, said := verify(path); status != exitUsage || !strings.Contains(said, "旁边没有核验单") {
			t.Errorf("%s without a slip: %d, %s", name, status, said)
		}
		sum, size, err := evidence.Sum(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		slip, err := authority.SealSlip(&evidence.Slip{Code: "7K2M-9Q4D", Office: "示例街道", File: name, Title: "联络员名单", By: "zhanggong", Size: size, SHA256: sum})
		if err != nil {
			t.Fatal(err)
		}
		write(path+evidence.SlipSuffix, slip)
		for _, args := range [][]string{{path}, {path + evidence.SlipSuffix}, {"--root", authority.RootHash(), path}, {"--slip", path + evidence.SlipSuffix, path}} {
			if status, said := verify(args...); status != exitOK || !strings.Contains(said, "通过：") || !strings.Contains(said, "7K2M-9Q4D") {
				t.Errorf("%s, verify %v: %d, %s", name, args, status, said)
			}
		}
		renamed := filepath.Join(dir, "copy (1)"+filepath.Ext(name))
		write(renamed, data)
		if status, said := verify("--lang", "en", renamed); status != exitOK || !strings.Contains(said, "PASSED") {
			t.Errorf("%s renamed: %d, %s", name, status, said)
		}
		if status, said := verify("--root", strings.Repeat("0", 64), path); status != exitBad || !strings.Contains(said, "信任根不是") {
			t.Errorf("%s, another root: %d, %s", name, status, said)
		}
		edited := bytes.Clone(data)
		edited[len(edited)/2] ^= 1
		write(path, edited)
		if status, said := verify(path); status != exitBad || !strings.Contains(said, "不通过：文件与导出时不同") {
			t.Errorf("%s edited: %d, %s", name, status, said)
		}
		write(path, data)
		write(path+evidence.SlipSuffix, bytes.Replace(slip, []byte(`"payload":"`), []byte(`"payload":"AAAA`), 1))
		if status, said := verify(path); status == exitOK {
			t.Errorf("%s with a changed slip passed: %s", name, said)
		}
	}
}
