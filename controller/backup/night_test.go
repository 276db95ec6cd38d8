package backup

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
)

var shanghai = time.FixedZone("CST", 8*3600)

// newTestNight is a Night of a real office whose clock is now.
func newTestNight(t *testing.T, dir string, s *store.Store, now *time.Time, change func(*NightOptions)) *Night {
	t.Helper()
	o := NightOptions{
		Dir: dir, Folder: filepath.Join(t.TempDir(), "backups"), Copy: t.TempDir(), At: 3*time.Hour + 10*time.Minute, Zone: shanghai, Keep: 2,
		Program: "test", Book: s, Now: func() time.Time { return *now },
	}
	if change != nil {
		change(&o)
	}
	n, err := NewNight(o)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func tick(t *testing.T, n *Night, want bool) {
	t.Helper()
	made, err := n.Tick(t.Context())
	if err != nil || made != want {
		t.Fatalf("Tick at %s = %v, %v, want %v", n.o.Now(), made, err, want)
	}
}

func lastRun(t *testing.T, s *store.Store) fleet.BackupRun {
	t.Helper()
	runs, err := s.BackupRuns(t.Context(), 1)
	if err != nil || len(runs) != 1 {
		t.Fatalf("BackupRuns = %v, %v", runs, err)
	}
	return runs[0]
}

// TestNightlyBackupOpensOnANewMachine makes a backup at its hour, once, and
// restores it with what stands on paper alone: telephone numbers included.
func TestNightlyBackupOpensOnANewMachine(t *testing.T) {
	t.Parallel()
	dir, s := office(t)
	points, err := s.Points(t.Context(), fleet.PointFilter{})
	if err != nil {
		t.Fatal(err)
	}
	points[0].DutyPhone = number
	if _, err := s.SavePoint(t.Context(), points[0]); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, shanghai)
	n := newTestNight(t, dir, s, &now, nil)
	tick(t, n, false) // the first look
	now = time.Date(2026, 11, 24, 3, 9, 0, 0, shanghai)
	tick(t, n, false)
	now = now.Add(time.Minute)
	tick(t, n, true)
	now = now.Add(5 * time.Minute)
	tick(t, n, false)
	run := lastRun(t, s)
	if !run.Good() || run.Size == 0 || filepath.Base(run.Copy) != "gatecast-20261124-031000.gcb" {
		t.Fatalf("run = %+v", run)
	}
	whole, err := os.ReadFile(run.File)
	if err != nil {
		t.Fatal(err)
	}
	copied, err := os.ReadFile(run.Copy)
	if err != nil || !bytes.Equal(whole, copied) {
		t.Fatalf("the copy is another file, %v", err)
	}
	for _, secret := range []string{number, "SF-01", "PRIVATE KEY", "SQLite format"} {
		if bytes.Contains(whole, []byte(secret)) {
			t.Errorf("the backup shows %q", secret)
		}
	}
	paper, err := Passphrase(filepath.Join(dir, "trust"))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := t.TempDir()
	if _, err := RestoreSealed(t.Context(), run.Copy, elsewhere, "clerk", "", now); !errors.Is(err, ErrPassphrase) {
		t.Errorf("without the passphrase: %v", err)
	}
	if _, err := RestoreSealed(t.Context(), run.Copy, elsewhere, "clerk", "0000-0000-0000-0000-0000-0000", now); fleet.CodeOf(err) != fleet.Invalid {
		t.Errorf("with another passphrase: %v", err)
	}
	if _, err := RestoreSealed(t.Context(), run.Copy, elsewhere, "clerk", " "+strings.ToLower(strings.ReplaceAll(paper, "-", " ")), now); err != nil {
		t.Fatal(err)
	}
	if got := phoneOf(t, elsewhere); got != number {
		t.Errorf("telephone number after the restore: %q", got)
	}
	if again, err := Passphrase(filepath.Join(elsewhere, "trust")); err != nil || again != paper {
		t.Errorf("passphrase after the restore: %q, %v, want that on paper", again, err)
	}
}

// TestCorruptBackupIsFoundTheSameNight spoils what was written before it is
// opened, as a bad disk does.
func TestCorruptBackupIsFoundTheSameNight(t *testing.T) {
	t.Parallel()
	dir, s := office(t)
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, shanghai)
	spoil := true
	n := newTestNight(t, dir, s, &now, func(o *NightOptions) {
		o.Written = func(file string) {
			if !spoil {
				return
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Error(err)
				return
			}
			data[len(data)/2] ^= 1
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Error(err)
			}
		}
	})
	tick(t, n, false)
	now = time.Date(2026, 11, 24, 3, 10, 0, 0, shanghai)
	if made, err := n.Tick(t.Context()); err == nil || !made {
		t.Fatalf("Tick = %v, %v, want the damage", made, err)
	}
	run := lastRun(t, s)
	if run.Good() || run.Part != fleet.BackupCheck {
		t.Fatalf("run = %+v", run)
	}
	if _, err := os.Stat(run.File); err == nil {
		t.Error("the damaged file still goes by the name of a backup")
	}
	if _, err := s.LastGoodBackup(t.Context()); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("LastGoodBackup: %v, want none", err)
	}
	now = now.Add(30 * time.Minute)
	tick(t, n, false)
	spoil, now = false, now.Add(31*time.Minute)
	tick(t, n, true)
	if run := lastRun(t, s); !run.Good() {
		t.Errorf("an hour later: %+v", run)
	}
}

// TestSecondPlaceThatIsGoneIsTold makes the backup all the same.
func TestSecondPlaceThatIsGoneIsTold(t *testing.T) {
	t.Parallel()
	dir, s := office(t)
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, shanghai)
	n := newTestNight(t, dir, s, &now, func(o *NightOptions) { o.Copy = filepath.Join(dir, "unplugged") })
	tick(t, n, false)
	now = now.Add(24 * time.Hour)
	if _, err := n.Tick(t.Context()); err == nil {
		t.Fatal("Tick found nothing wrong")
	}
	run := lastRun(t, s)
	paper, err := Passphrase(filepath.Join(dir, "trust"))
	if err != nil || run.Part != fleet.BackupCopy {
		t.Fatalf("run = %+v, %v", run, err)
	}
	if _, err := Check(t.Context(), run.File, paper, ""); err != nil {
		t.Errorf("the backup in the first place: %v", err)
	}
}

// TestSealedFileOpensOnlyWhole changes, cuts and extends a sealed file of
// several chunks.
func TestSealedFileOpensOnlyWhole(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	w, err := newSealWriter(&file, "ABCD-EFGH-JKMN")
	if err != nil {
		t.Fatal(err)
	}
	plain := bytes.Repeat([]byte("0123456789abcdef"), 3*chunkSize/16)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	read := func(data []byte) ([]byte, error) {
		r, err := open(bytes.NewReader(data), "abcd efgh jkmn")
		if err != nil {
			return nil, err
		}
		var out bytes.Buffer
		_, err = out.ReadFrom(r)
		return out.Bytes(), err
	}
	if got, err := read(file.Bytes()); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("the file itself: %d bytes, %v", len(got), err)
	}
	sealed, first := file.Bytes(), len(sealMagic)+saltSize
	step := chunkSize + 16
	swapped := bytes.Clone(sealed)
	copy(swapped[first:], sealed[first+step:first+2*step])
	copy(swapped[first+step:], sealed[first:first+step])
	flipped := bytes.Clone(sealed)
	flipped[first+step+7] ^= 1
	for name, data := range map[string][]byte{
		"cut_at_a_chunk": sealed[:first+2*step], "cut_in_a_chunk": sealed[:first+step+9], "nothing_behind_the_salt": sealed[:first],
		"extended": append(bytes.Clone(sealed), 0), "swapped": swapped, "flipped": flipped, "dropped": append(bytes.Clone(sealed[:first]), sealed[first+step:]...),
	} {
		if _, err := read(data); !errors.Is(err, errSeal) {
			t.Errorf("%s: %v, want %v", name, err, errSeal)
		}
	}
}

// TestBadNightsPushOutNoGoodBackup has a disk spoil one backup after the other:
// the last good one stays, and of the bad ones the newest two.
func TestBadNightsPushOutNoGoodBackup(t *testing.T) {
	t.Parallel()
	dir, s := office(t)
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, shanghai)
	spoil := false
	n := newTestNight(t, dir, s, &now, func(o *NightOptions) {
		o.Written = func(file string) {
			if spoil {
				if err := os.Truncate(file, 100); err != nil {
					t.Error(err)
				}
			}
		}
	})
	tick(t, n, false)
	now = time.Date(2026, 11, 24, 3, 10, 0, 0, shanghai)
	tick(t, n, true)
	first := lastRun(t, s).File
	spoil = true
	for range 4 {
		now = now.Add(24 * time.Hour)
		if made, err := n.Tick(t.Context()); err == nil || !made {
			t.Fatalf("Tick = %v, %v, want the damage", made, err)
		}
	}
	spoil, now = false, now.Add(24*time.Hour)
	tick(t, n, true)
	names, err := filepath.Glob(filepath.Join(n.o.Folder, "*"))
	if err != nil || len(names) != 4 || !slices.Contains(names, first) {
		t.Errorf("%d files, want the two good backups and two bad ones: %v, %v", len(names), names, err)
	}
}
