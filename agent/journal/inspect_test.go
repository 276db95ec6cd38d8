package journal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatecast/agent/walltime"
	"gatecast/internal/wire"
)

func TestInspectWhileTheJournalIsOpen(t *testing.T) {
	dir := t.TempDir()
	if got, err := Inspect(filepath.Join(dir, "none"), nil); err != nil || got != (Summary{}) {
		t.Errorf("Inspect without a journal = %+v, %v", got, err)
	}
	j, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for range 5 {
		if _, err := j.Append(wire.RecordStop, walltime.Stamp{}, wire.Stop{Why: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Ack(wire.Ack{Log: j.Log(), Upto: 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(wire.RecordStop, walltime.Stamp{}, wire.Stop{}); err != nil {
		t.Fatal(err)
	}
	before := filesIn(t, dir)
	var seqs []wire.Seq
	got, err := Inspect(dir, func(r wire.Record) { seqs = append(seqs, r.Seq) })
	if err != nil {
		t.Fatal(err)
	}
	if got.Log != j.Log() || got.Last != 6 || got.Acked != 3 || got.Records != 6 || got.Bytes == 0 {
		t.Errorf("Inspect = %+v", got)
	}
	if diff := cmp.Diff([]wire.Seq{1, 2, 3, 4, 5, 6}, seqs); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, filesIn(t, dir)); diff != "" {
		t.Errorf("Inspect changed the folder (-before +after):\n%s", diff)
	}
	if _, err := j.Append(wire.RecordStop, walltime.Stamp{}, wire.Stop{}); err != nil {
		t.Errorf("Append after Inspect: %v", err)
	}
}

func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return files
}
