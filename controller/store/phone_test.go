package store

import (
	"bytes"
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/vault"
)

const (
	dutyNumber    = "13912345678"
	liaisonNumber = "13800000000" // of testRegistry
)

// findBytes returns the files of the folder in which text stands.
func findBytes(t testing.TB, dir, text string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		if bytes.Contains(b, []byte(text)) {
			names = append(names, d.Name())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestPhonesAreSealed(t *testing.T) {
	dir := t.TempDir()
	s := openTestStore(t, filepath.Join(dir, "gatecast.db"))
	reg := testRegistry(1)
	reg.Points[1].DutyPhone = dutyNumber
	for range 2 {
		if err := s.ImportRegistry(t.Context(), reg); err != nil {
			t.Fatal(err)
		}
	}
	p, err := s.PointByCode(t.Context(), "SF-01")
	if err != nil || p.DutyPhone.Full() != dutyNumber {
		t.Fatalf("DutyPhone = %q, %v", p.DutyPhone.Full(), err)
	}
	if l, err := s.Liaisons(t.Context()); err != nil || l[0].Phone.Full() != liaisonNumber {
		t.Errorf("Liaisons = %+v, %v", l, err)
	}
	for _, number := range []string{dutyNumber, liaisonNumber} {
		if in := findBytes(t, dir, number); len(in) > 0 {
			t.Errorf("%s stands in %v", number, in)
		}
	}
	// Without the key the office works on; saving what cannot be read keeps it.
	key := filepath.Join(dir, "trust", vault.KeyFile)
	hidden := key + ".hidden"
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(key, hidden); err != nil {
		t.Fatal(err)
	}
	s = openTestStore(t, s.Path())
	if p, err = s.Point(t.Context(), p.ID); err != nil || p.DutyPhone != fleet.UnreadablePhone || p.DutyPhone.String() != "****" {
		t.Errorf("without the key: %q, %v", string(p.DutyPhone), err)
	}
	if _, err := s.SavePoint(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(hidden, key); err != nil {
		t.Fatal(err)
	}
	s = openTestStore(t, s.Path())
	if p, err = s.Point(t.Context(), p.ID); err != nil || p.DutyPhone.Full() != dutyNumber {
		t.Errorf("with the key again: %q, %v", p.DutyPhone.Full(), err)
	}
}

// TestOldPhonesAreSealedAndScrubbed opens a database of an earlier version, with
// numbers also in pages that are not used any more.
func TestOldPhonesAreSealedAndScrubbed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "gatecast.db")
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	if err := (&Store{path: path, logger: slog.New(slog.DiscardHandler), clock: time.Now}).migrate(t.Context(), steps[:5]); err != nil {
		t.Fatal(err)
	}
	old, err := sql.Open("sqlite", dsn(path, ""))
	if err != nil {
		t.Fatal(err)
	}
	plain := func(q string, args ...any) {
		t.Helper()
		if _, err := old.ExecContext(t.Context(), q, args...); err != nil {
			t.Fatal(err)
		}
	}
	plain(`INSERT INTO units (id, type, code, name) VALUES (1, 'subdistrict', 'SL', '示例街道')`)
	plain(`INSERT INTO points (code, name, kind, unit_id, duty_phone) VALUES ('SF-01', '门', 'gate', 1, ?), ('SF-02', '门', 'gate', 1, '')`, dutyNumber)
	for i := range 300 {
		plain(`INSERT INTO liaisons (unit_id, name, phone) VALUES (1, ?, ?)`, i, liaisonNumber)
	}
	plain(`DELETE FROM liaisons WHERE id > 1`)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	if in := findBytes(t, dir, dutyNumber); len(in) == 0 {
		t.Fatal("the old database has no number in clear text: this test shows nothing")
	}
	for range 2 {
		s := openTestStore(t, path)
		if p, err := s.PointByCode(t.Context(), "SF-01"); err != nil || p.DutyPhone.Full() != dutyNumber {
			t.Errorf("DutyPhone = %q, %v", p.DutyPhone.Full(), err)
		}
		if l, err := s.Liaisons(t.Context()); err != nil || len(l) != 1 || l[0].Phone.Full() != liaisonNumber {
			t.Errorf("Liaisons: %v, %v", len(l), err)
		}
		for _, number := range []string{dutyNumber, liaisonNumber} {
			if in := findBytes(t, dir, number); len(in) > 0 {
				t.Errorf("%s still stands in %v", number, in)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, number := range []string{dutyNumber, liaisonNumber} {
			if in := findBytes(t, dir, number); len(in) > 0 {
				t.Errorf("after Close %s stands in %v", number, in)
			}
		}
	}
}

// TestPhonesOfLeaversAreErased is S10: the number goes, the name stays.
func TestPhonesOfLeaversAreErased(t *testing.T) {
	s := newTestStore(t)
	reg := testRegistry(1)
	day := 24 * time.Hour
	for name, left := range map[string]time.Time{"还在": {}, "刚走": t0.Add(-10 * day), "走了": t0.Add(-31 * day), "将走": t0.Add(10 * day)} {
		reg.Liaisons = append(reg.Liaisons, fleet.LiaisonEntry{Liaison: fleet.Liaison{Name: name, Phone: dutyNumber, To: left}, Unit: "SF"})
	}
	if err := s.ImportRegistry(t.Context(), reg); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{1, 0} {
		if n, err := s.ErasePhones(t.Context(), 30*day, t0); err != nil || n != want {
			t.Errorf("run %d: ErasePhones = %d, %v, want %d", i, n, err, want)
		}
	}
	all, err := s.Liaisons(t.Context())
	if err != nil || len(all) != 5 {
		t.Fatalf("Liaisons = %v, %v", all, err)
	}
	for _, l := range all {
		if (l.Phone == "") != (l.Name == "走了") {
			t.Errorf("%s has %q", l.Name, l.Phone)
		}
	}
	lines, err := s.Audits(t.Context(), 0)
	if err != nil || len(lines) != 1 || lines[0].What != fleet.AuditPhoneErased || lines[0].Object != "松风社区 走了" || lines[0].Who != fleet.AuditSelf {
		t.Errorf("audit %+v, %v", lines, err)
	}
}
