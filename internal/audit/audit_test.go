package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// testKey signs in every test.
var testKey = func() seal.Key {
	k, err := seal.KeyFromSeed(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		panic(err)
	}
	return k
}()

// testRoot is a trust root that signs itself.
func testRoot(t testing.TB) []byte {
	t.Helper()
	root, err := seal.Sign(wire.Root{
		Header: wire.Header{Type: wire.DocRoot, Version: 1}, RootKeys: []string{testKey.Public().String()}, DirectorKeys: []string{testKey.Public().String()},
	}, testKey)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func chainOf(lines []Line) []Line {
	var id int64
	hash := ""
	for i := range lines {
		lines[i] = lines[i].Follow(id, hash)
		id, hash = lines[i].ID, lines[i].Hash
	}
	return lines
}

func testLines(n int) []Line {
	lines := make([]Line, n)
	for i := range lines {
		lines[i] = Line{AtUS: int64(i) * 1e6, Who: "clerk", Role: "clerk", From: "192.0.2.7", What: "activate", Object: fmt.Sprint("p", i), Before: `{"v":"1"}`, After: `{"v":"2"}`}
	}
	return chainOf(lines)
}

// headsFor signs the lines with those numbers.
func headsFor(t testing.TB, lines []Line, at ...int64) (heads [][]byte) {
	t.Helper()
	prev := ""
	for i, id := range at {
		n := slices.IndexFunc(lines, func(l Line) bool { return l.ID == id })
		e, err := seal.Sign(Head{Header: wire.Header{Type: wire.DocAudit, Version: uint64(i + 1)}, Line: id, Hash: lines[n].Hash, Day: "2026-11-23", Prev: prev}, testKey)
		if err != nil {
			t.Fatal(err)
		}
		heads, prev = append(heads, e), seal.Hash(e)
	}
	return heads
}

func check(lines []Line, heads [][]byte) Report {
	c := NewChecker(heads, []seal.PublicKey{testKey.Public()})
	for _, l := range lines {
		c.Add(l)
	}
	return c.Finish()
}

// TestSumIsAsDocumented pins the encoding: other programs may check it too.
func TestSumIsAsDocumented(t *testing.T) {
	l := Line{AtUS: 1763856000000000, Who: "admin", Role: "admin", From: "192.0.2.1", What: "login"}.Follow(0, "")
	if want := "5edc67e44fe466b93e57dd85c5c1528173de303dde73b44fa542d6e289ee37b2"; l.Hash != want {
		t.Errorf("Sum = %s, want %s", l.Hash, want)
	}
}

func TestWholeAuditPasses(t *testing.T) {
	lines := testLines(9)
	r := check(lines, headsFor(t, lines, 3, 3, 9))
	if len(r.Faults) != 0 || r.First != 1 || r.Last != 9 || r.Signed != 9 || r.Heads != 3 {
		t.Errorf("check = %+v", r)
	}
	if r := check(lines, nil); len(r.Faults) != 1 || r.Faults[0].Code != NoHead {
		t.Errorf("without heads: %+v", r.Faults)
	}
}

// TestEveryForgeryIsFound changes an audit that is signed to its end in every
// way, with and without making the chain fit again.
func TestEveryForgeryIsFound(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(2, 12).Draw(rt, "lines")
		whole := testLines(n)
		at := []int64{int64(n)}
		if first := rapid.Int64Range(1, int64(n)).Draw(rt, "head"); first < int64(n) {
			at = []int64{first, int64(n)}
		}
		heads := headsFor(t, whole, at...)
		lines := slices.Clone(whole)
		i := rapid.IntRange(0, n-1).Draw(rt, "at")
		rehash := rapid.Bool().Draw(rt, "rehash")
		first := int64(i + 1) // the earliest line that may be named
		switch kind := rapid.SampledFrom([]string{"edit", "delete", "insert", "reorder", "truncate"}).Draw(rt, "kind"); kind {
		case "edit":
			fields := []*string{&lines[i].Who, &lines[i].Role, &lines[i].From, &lines[i].What, &lines[i].Object, &lines[i].Detail, &lines[i].Before, &lines[i].After}
			switch k := rapid.IntRange(-2, len(fields)-1).Draw(rt, "field"); k {
			case -2:
				lines[i].Failed = !lines[i].Failed
			case -1:
				lines[i].AtUS++
			default:
				*fields[k] += "x"
			}
		case "delete":
			lines = slices.Delete(lines, i, i+1)
		case "insert":
			lines = slices.Insert(lines, i, Line{ID: lines[i].ID, AtUS: lines[i].AtUS, Who: "mallory", Prev: lines[i].Prev}.sealed())
		case "reorder":
			j := rapid.IntRange(0, n-1).Filter(func(j int) bool { return j != i }).Draw(rt, "with")
			lines[i], lines[j] = lines[j], lines[i]
			first = min(first, int64(j+1))
		case "truncate":
			lines = lines[:i]
			rehash = false
		}
		if rehash {
			lines = chainOf(lines)
		}
		r := check(lines, heads)
		if len(r.Faults) == 0 {
			rt.Fatalf("nothing found (rehashed: %v)", rehash)
		}
		if f := r.Faults[0]; f.Line < first && (f.From == 0 || f.From < first) && f.Line != 0 {
			rt.Fatalf("named line %d from %d, but the first one touched is %d", f.Line, f.From, first)
		}
	})
}

// sealed returns l with the hash it should have.
func (l Line) sealed() Line {
	l.Hash = l.Sum()
	return l
}

func TestFaultsNameTheLine(t *testing.T) {
	edit := func(lines []Line) []Line { lines[4].Object = "other"; return lines }
	tests := []struct {
		name   string
		change func([]Line) []Line
		heads  []int64
		want   Fault
	}{
		{"edit", edit, []int64{9}, Fault{Code: Changed, Line: 5}},
		{"edit_and_hash", func(l []Line) []Line { l = edit(l); l[4] = l[4].sealed(); return l }, []int64{9}, Fault{Code: Chain, Line: 6}},
		{"edit_and_chain", func(l []Line) []Line { return chainOf(edit(l)) }, []int64{3, 7, 9}, Fault{Code: Signed, Line: 7, From: 4}},
		{"delete", func(l []Line) []Line { return slices.Delete(l, 4, 6) }, []int64{9}, Fault{Code: Missing, Line: 7, From: 5}},
		{"delete_first", func(l []Line) []Line { return l[2:] }, []int64{9}, Fault{Code: Missing, Line: 3, From: 1}},
		{"truncate", func(l []Line) []Line { return l[:6] }, []int64{3, 9}, Fault{Code: Cut, Line: 9, From: 7}},
		{"swap", func(l []Line) []Line { l[3], l[4] = l[4], l[3]; return l }, []int64{9}, Fault{Code: Order, Line: 4, Detail: "behind line 5"}},
		{"repeat", func(l []Line) []Line { return slices.Insert(l, 3, l[2]) }, []int64{9}, Fault{Code: Order, Line: 3, Detail: "behind line 3"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			whole := testLines(9)
			heads := headsFor(t, whole, tt.heads...)
			r := check(tt.change(slices.Clone(whole)), heads)
			if len(r.Faults) == 0 || r.Faults[0] != tt.want {
				t.Errorf("faults %v, want first %v", r.Faults, tt.want)
			}
		})
	}
}

func TestHeadsVouchForOlderOnes(t *testing.T) {
	old, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	lines := testLines(5)
	first, err := seal.Sign(Head{Header: wire.Header{Type: wire.DocAudit, Version: 1}, Line: 2, Hash: lines[1].Hash}, old)
	if err != nil {
		t.Fatal(err)
	}
	second, err := seal.Sign(Head{Header: wire.Header{Type: wire.DocAudit, Version: 2}, Line: 5, Hash: lines[4].Hash, Prev: seal.Hash(first)}, testKey)
	if err != nil {
		t.Fatal(err)
	}
	if r := check(lines, [][]byte{first, second}); len(r.Faults) > 0 || r.Heads != 2 {
		t.Errorf("a head by a key before: %+v", r)
	}
	if r := check(lines, [][]byte{first}); len(r.Faults) == 0 || r.Faults[0].Code != BadHead {
		t.Errorf("a head by a stranger: %+v", r)
	}
	if r := check(lines, [][]byte{second, first}); len(r.Faults) == 0 {
		t.Error("heads in the wrong order pass")
	}
}

func TestPrunedBeginningPasses(t *testing.T) {
	lines := testLines(6)
	lines = append(lines, Line{Who: "[controller]", What: WhatPruned, After: Pruned{Upto: 4, Hash: lines[3].Hash}.Text()}.Follow(6, lines[5].Hash))
	heads := headsFor(t, lines, 2, 7)
	if r := check(lines[4:], heads); len(r.Faults) > 0 || r.Pruned != 4 {
		t.Errorf("check = %+v", r)
	}
	if r := check(lines[5:], heads); len(r.Faults) == 0 || r.Faults[0].Code != Missing {
		t.Errorf("one line more is gone: %+v", r)
	}
}

// testFile is a whole file, all of it signed.
func testFile(t testing.TB, n int) []byte {
	t.Helper()
	lines := testLines(n)
	var b bytes.Buffer
	w, err := NewWriter(&b, Preface{Office: "示例街道", Zone: "Asia/Shanghai", MadeUS: 1, Upto: int64(n), Root: testRoot(t)}, headsFor(t, lines, 1, int64(n)))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if err := w.Add(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFileVerifies(t *testing.T) {
	file := testFile(t, 5)
	r, err := Verify(bytes.NewReader(file), "")
	if err != nil || len(r.Faults) > 0 || r.OtherRoot || r.Last != 5 || r.Office != "示例街道" {
		t.Fatalf("Verify = %+v, %v", r, err)
	}
	if again, err := Verify(bytes.NewReader(file), strings.ToUpper(r.RootHash)); err != nil || again.OtherRoot {
		t.Errorf("with the fingerprint: %+v, %v", again, err)
	}
	if other, err := Verify(bytes.NewReader(file), strings.Repeat("0", 64)); err != nil || !other.OtherRoot {
		t.Errorf("another root passes: %v", err)
	}
	for _, bad := range []string{"", "{}\n", "hello", `{"form":"gatecast-audit-1","form":"x"}`} {
		if _, err := Verify(strings.NewReader(bad), ""); !errors.Is(err, ErrNoFile) {
			t.Errorf("Verify(%q) = %v, want ErrNoFile", bad, err)
		}
	}
}

// TestEveryByteOfALineCounts flips each byte of each line of the audit in a
// file, and takes each line of the file out.
func TestEveryByteOfALineCounts(t *testing.T) {
	file := testFile(t, 3)
	rows := bytes.SplitAfter(file, []byte("\n"))
	rows = rows[:len(rows)-1]
	bad := func(what string, data []byte) {
		t.Helper()
		if r, err := Verify(bytes.NewReader(data), ""); err == nil && len(r.Faults) == 0 && !r.OtherRoot {
			t.Errorf("%s is not found", what)
		}
	}
	for i := 3; i < len(rows); i++ { // behind the preface and the heads
		for j := range rows[i] {
			flipped := slices.Clone(file)
			at := len(bytes.Join(rows[:i], nil)) + j
			flipped[at] ^= 1
			if !json.Valid(flipped[at-j:at-j+len(rows[i])-1]) && flipped[at] == '\r' {
				continue
			}
			bad(fmt.Sprintf("line %d, byte %d: %q", i, j, flipped[at]), flipped)
		}
	}
	for i := range rows {
		if i != 1 { // the newest head alone vouches for all
			bad(fmt.Sprintf("taking out row %d", i), bytes.Join(slices.Delete(slices.Clone(rows), i, i+1), nil))
		}
	}
	hidden := bytes.Replace(file, []byte(`"object":"p1"`), []byte(`"object":"p9","object":"p1"`), 1)
	if bytes.Equal(hidden, file) {
		t.Fatal("nothing to hide in")
	}
	bad("a name that is there twice", hidden)
}

func FuzzVerify(f *testing.F) {
	f.Add(testFile(f, 2))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Verify(bytes.NewReader(data), "")
		if err == nil && len(r.Faults) == 0 && !r.OtherRoot && r.Last > 0 && r.Signed < r.Last {
			t.Errorf("passed with unsigned lines: %+v", r)
		}
	})
}

func TestWitnessFindsWhatHeadsCannot(t *testing.T) {
	lines := testLines(6)
	h, err := OpenHead(headsFor(t, lines, 6)[0], []seal.PublicKey{testKey.Public()})
	if err != nil {
		t.Fatal(err)
	}
	judge := func(lines []Line, head int64) Report {
		c := NewChecker(headsFor(t, lines, head), []seal.PublicKey{testKey.Public()})
		c.Witness(h)
		for _, l := range lines {
			c.Add(l)
		}
		return c.Finish()
	}
	if r := judge(lines, 6); len(r.Faults) > 0 {
		t.Errorf("a whole audit: %v", r.Faults)
	}
	if r := judge(lines[:4], 4); len(r.Faults) != 1 || r.Faults[0].Code != Cut || r.Faults[0].From != 5 {
		t.Errorf("an audit taken back with its heads: %v", r.Faults)
	}
	forged := slices.Clone(lines)
	forged[2].Who = "other"
	if r := judge(chainOf(forged), 6); len(r.Faults) != 1 || r.Faults[0].Code != Signed {
		t.Errorf("an audit rewritten with its heads: %v", r.Faults)
	}
	restored := append(slices.Clone(lines[:4]), Line{Who: "admin", What: WhatRestore}.Follow(4, lines[3].Hash))
	if r := judge(restored, 5); len(r.Faults) > 0 || len(r.Forgotten) != 1 {
		t.Errorf("after a restore: %+v", r)
	}
}
