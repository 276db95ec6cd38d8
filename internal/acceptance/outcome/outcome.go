// Package outcome collects what real faults did: how many were tried, and how
// many records or plays were lost or counted twice.
//
// A test that puts the system through a fault is named TestSurvives… and calls
// Report once for each row, also when something was lost: the row is the
// finding, the test's failure is another matter. Programs that are no Go tests
// append lines of JSON, one Row each, to the file that the variable
// GATECAST_OUTCOMES names. `make faults` runs every such test and prints the
// rows as a table:
//
//	func TestSurvivesPowerCuts(t *testing.T) {
//		…
//		outcome.Report(t, outcome.Row{
//			Fault: "power cut", FaultZH: "断电", Tried: 30, Unit: "cuts", UnitZH: "次",
//			Of: 412, Lost: 0, Doubled: 0, Note: "QEMU, ext4", NoteZH: "QEMU 虚拟机，ext4",
//		})
//	}
//
// A Row needs no order: Markdown sorts. Everything is safe for concurrent use,
// from several processes too.
package outcome

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

// Variable names the file to which Report appends; unset means none.
const Variable = "GATECAST_OUTCOMES"

// Row is what one fault, tried many times, did to one system.
type Row struct {
	System  string `json:"system,omitempty"` // what was put to the test; empty means Gatecast
	Fault   string `json:"fault"`            // required, a few words
	FaultZH string `json:"fault_zh,omitempty"`
	Tried   int    `json:"tried"`          // how often the fault was made
	Unit    string `json:"unit,omitempty"` // of Tried, plural: "kills", "cuts"
	UnitZH  string `json:"unit_zh,omitempty"`
	Of      int    `json:"of"`      // records and plays that were checked afterwards
	Lost    int    `json:"lost"`    // of those, not in the books
	Doubled int    `json:"doubled"` // of those, sounded or counted twice
	Note    string `json:"note,omitempty"`
	NoteZH  string `json:"note_zh,omitempty"`
}

// Report logs r and appends it to the file that Variable names. Each row is
// one write, so that rows of several processes do not mix.
func Report(t testing.TB, r Row) {
	t.Helper()
	if r.Fault == "" || r.Tried < 0 || r.Of < 0 || r.Lost < 0 || r.Doubled < 0 {
		t.Fatalf("outcome row %+v: a fault must be named and counts are not negative", r)
	}
	t.Logf("outcome: %s: tried %d %s, of %d lost %d, doubled %d (%s)", r.Fault, r.Tried, r.Unit, r.Of, r.Lost, r.Doubled, r.Note)
	add(t, Variable, r)
}

// add appends row to the file that the variable names, in one write.
func add(t testing.TB, variable string, row any) {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		return
	}
	line, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(append(line, '\n'))
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatalf("writing a row for $%s: %v", variable, err)
	}
}

// Read returns the rows in r, one to a line; empty lines count for nothing. An
// error names the line.
func Read(r io.Reader) ([]Row, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading outcome rows: %w", err)
	}
	var rows []Row
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		var row Row
		dec := json.NewDecoder(strings.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&row); err != nil {
			return nil, fmt.Errorf("outcome row in line %d: %w", n, err)
		}
		if row.Fault == "" {
			return nil, fmt.Errorf("outcome row in line %d names no fault", n)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Markdown returns the rows as a table, in Chinese for "zh" and in English for
// everything else: Gatecast first, then by system and fault. Rows of the same
// system and fault stay apart, in their order.
func Markdown(rows []Row, lang string) string {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(strings.Compare(a.System, b.System), strings.Compare(a.Fault, b.Fault))
	})
	var b strings.Builder
	if lang == "zh" {
		b.WriteString("| 故障 | 次数 | 核对条数 | 丢失 | 重复 | 说明 |\n|---|---|---|---|---|---|\n")
	} else {
		b.WriteString("| fault | tried | checked | lost | doubled | note |\n|---|---|---|---|---|---|\n")
	}
	for _, r := range rows {
		fault, unit, note := r.Fault, r.Unit, r.Note
		if lang == "zh" {
			fault, unit, note = cmp.Or(r.FaultZH, fault), cmp.Or(r.UnitZH, unit), cmp.Or(r.NoteZH, note)
		}
		if r.System != "" {
			fault = r.System + ": " + fault
		}
		tried := strings.TrimSpace(fmt.Sprintf("%d %s", r.Tried, unit))
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d | %s |\n", cell(fault), cell(tried), r.Of, r.Lost, r.Doubled, cell(note))
	}
	return b.String()
}

// cell keeps text within one cell.
func cell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}
