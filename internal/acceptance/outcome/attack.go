package outcome

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// AttackVariable names the file to which ReportAttack appends; unset means none.
const AttackVariable = "GATECAST_ATTACKS"

// Attack is what became of one kind of attack, tried many times. A test that
// attacks is named TestRefuses… and calls ReportAttack once for each row;
// `make attacks` runs them all and prints the rows.
type Attack struct {
	Side     string `json:"side"`   // what was attacked: "device", "broker", "web", …
	Attack   string `json:"attack"` // required, a few words
	AttackZH string `json:"attack_zh,omitempty"`
	Tried    int    `json:"tried"`
	Refused  int    `json:"refused"`
	Reported int    `json:"reported,omitempty"` // of Refused: told as an incident that names the point
	Note     string `json:"note,omitempty"`
	NoteZH   string `json:"note_zh,omitempty"`
}

// ReportAttack logs a, appends it to the file that AttackVariable names, and
// fails the test unless everything that was tried was refused, and something
// was tried. Each row is one write, so that rows of several processes do not
// mix.
func ReportAttack(t testing.TB, a Attack) {
	t.Helper()
	if a.Attack == "" || a.Side == "" || a.Refused > a.Tried {
		t.Fatalf("attack row %+v: side and attack must be named, and no more is refused than was tried", a)
	}
	t.Logf("attack: %s: %s: tried %d, refused %d", a.Side, a.Attack, a.Tried, a.Refused)
	if a.Tried == 0 || a.Refused < a.Tried {
		t.Errorf("%s: %s: tried %d, refused %d", a.Side, a.Attack, a.Tried, a.Refused)
	}
	add(t, AttackVariable, a)
}

// ReadAttacks returns the rows in r, one to a line.
func ReadAttacks(r io.Reader) ([]Attack, error) {
	var rows []Attack
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	for {
		var a Attack
		switch err := dec.Decode(&a); {
		case err == io.EOF:
			return rows, nil
		case err != nil:
			return nil, fmt.Errorf("attack row %d: %w", len(rows)+1, err)
		case a.Attack == "":
			return nil, fmt.Errorf("attack row %d names no attack", len(rows)+1)
		}
		rows = append(rows, a)
	}
}

// MarkdownAttacks returns the rows as a table with the sum below, in Chinese
// for "zh" and in English for everything else. Rows of one side and attack
// are added up.
func MarkdownAttacks(rows []Attack, lang string) string {
	var sums []Attack
	for _, a := range rows {
		i := slices.IndexFunc(sums, func(s Attack) bool { return s.Side == a.Side && s.Attack == a.Attack })
		if i < 0 {
			sums = append(sums, a)
			continue
		}
		sums[i].Tried, sums[i].Refused = sums[i].Tried+a.Tried, sums[i].Refused+a.Refused
	}
	slices.SortStableFunc(sums, func(a, b Attack) int {
		return cmp.Or(strings.Compare(a.Side, b.Side), strings.Compare(a.Attack, b.Attack))
	})
	var b strings.Builder
	b.WriteString(map[bool]string{
		true:  "| 目标 | 攻击 | 尝试 | 拒绝 | 说明 |\n|---|---|---|---|---|\n",
		false: "| at | attack | tried | refused | note |\n|---|---|---|---|---|\n",
	}[lang == "zh"])
	tried, refused := 0, 0
	for _, a := range sums {
		tried, refused = tried+a.Tried, refused+a.Refused
		attack, note := a.Attack, a.Note
		if lang == "zh" {
			attack, note = cmp.Or(a.AttackZH, attack), cmp.Or(a.NoteZH, note)
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %s |\n", cell(a.Side), cell(attack), a.Tried, a.Refused, cell(note))
	}
	fmt.Fprintf(&b, "| %s | | %d | %d | |\n", map[bool]string{true: "合计", false: "all"}[lang == "zh"], tried, refused)
	return b.String()
}
