package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
)

// TestMigrationsAreNeverEdited pins what was released: a change is a new file.
func TestMigrationsAreNeverEdited(t *testing.T) {
	released := map[string]string{
		"0001-first.sql":      "d42344c546afdf4f8c1ccb479e60f7dce0d471f449577ac29a8e354a36a447c6",
		"0002-retimed.sql":    "105f17ea15da94b9b64081e0f323a8e7ec5ac4830e479b93a4198d265b1d74d6",
		"0003-ingest.sql":     "0ee723b41036820ae3a7077a55e4e7c878d01f38dc1a8f5704f7ce86a65d926b",
		"0004-evidence.sql":   "7fc1a31baca43a7b03f7c41228cb9f93c1f3f84b459d4b4d213a33a1109a53be",
		"0005-need-sync.sql":  "6c18713aa39f931ee509fdcec5d775f8a24fa5f1ea3885dd2b4763b5782188b3",
		"0006-accounts.sql":   "ce87aa1688413214fc0d4bd2c449cfc614cc32643c1ddfb8a7341fe98441e6fd",
		"0007-audit.sql":      "ca08d09af314e4fb75bfbbda00d82c68e9e131717a7a6c58d52bc9f090304fc2",
		"0008-approval.sql":   "9134fcf72f5574cb754ffc51129f2a93b3dd94bd6aa7f555e1268039e7d924bf",
		"0009-quarantine.sql": "64a98c891d8a96c7ace61799e63a3361b8cb18c13e1ee12f6036e3bbf841bd88",
		"0010-incidents.sql":  "3619c6f005f2b0b164ab50c64d884060f8c930d49add0c2a9501cfee8b9473c9",
		"0011-urgent.sql":     "1eaaa685f120051a3abdedcb514c2ec7e83d4ec3d2257313faa7e04a9775c37e",
		"0012-tokens.sql":     "d42fcb01d676a698e0af9a136cce0f87faa3bb7fedca9f7eaa1c016c9b113751",
	}
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, m := range steps {
		if released[m.name] == "" {
			continue // of the next release
		}
		sum := sha256.Sum256([]byte(m.sql))
		got[m.name] = hex.EncodeToString(sum[:])
	}
	if diff := cmp.Diff(released, got); diff != "" {
		t.Errorf("migrations (-released +here):\n%s", diff)
	}
}

// TestEveryColumnIsExplained holds migrations to their comments: what is a
// time, an amount or a code says so, by its unit in the name or in words.
func TestEveryColumnIsExplained(t *testing.T) {
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range steps {
		for i, line := range strings.Split(m.sql, "\n") {
			fields := strings.Fields(line)
			if len(fields) < 2 || !strings.HasPrefix(line, "  ") || fields[1] != "INTEGER" && fields[1] != "REAL" && fields[1] != "BLOB" {
				continue
			}
			name := fields[0]
			plain := name == "id" || strings.HasSuffix(name, "_id") || strings.HasSuffix(name, "_us") || strings.HasSuffix(name, "_ms") || strings.HasSuffix(name, "_db")
			counts := strings.Contains(" day bytes revisions played partial missed doubt exempt pending due session ", " "+name+" ")
			if !plain && !counts && !strings.Contains(line, "--") {
				t.Errorf("%s:%d: column %q says neither unit nor meaning", m.name, i+1, name)
			}
		}
	}
}

func TestOpenSetsDurability(t *testing.T) {
	s := newTestStore(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "application_id": fmt.Sprint(applicationID)} {
		var got string
		if err := s.w.conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("PRAGMA %s = %q, %v, want %q", pragma, got, err, want)
		}
	}
	if _, err := s.read.ExecContext(t.Context(), "DELETE FROM units"); err == nil {
		t.Error("a reader can write")
	}
}

func TestOpenTakesAnyPath(t *testing.T) {
	for _, name := range []string{"门播 数据.db", "a?b#c%20d&e.db", "x'y\"z.db"} {
		path := filepath.Join(t.TempDir(), name)
		s := openTestStore(t, path)
		importTest(t, s, 1)
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenRefusesWhatIsNotOurs(t *testing.T) {
	foreign := func(t *testing.T, path string, statements ...string) {
		t.Helper()
		db, err := sql.Open("sqlite", "file:"+urlPath(path))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, q := range statements {
			if _, err := db.ExecContext(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := []struct {
		name string
		make func(*testing.T, string)
		text string
	}{
		{"newer_version", func(t *testing.T, path string) {
			foreign(t, path, "CREATE TABLE future (x)", fmt.Sprintf("PRAGMA application_id = %d", applicationID), "PRAGMA user_version = 9999")
		}, "结构版本 9999"},
		{"newer_version_in_wal", func(t *testing.T, path string) {
			foreign(t, path, "PRAGMA journal_mode = WAL", "CREATE TABLE future (x)", fmt.Sprintf("PRAGMA application_id = %d", applicationID), "PRAGMA user_version = 9999")
		}, "请升级本程序"},
		{"another_program", func(t *testing.T, path string) { foreign(t, path, "CREATE TABLE recipes (x)") }, "不是 Gatecast 的数据库"},
		{"text", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("这不是数据库。", 300)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "不是 Gatecast 的数据库"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "gatecast.db")
			tt.make(t, path)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Open(t.Context(), path, Options{})
			var told *fleet.Error
			if !errors.As(err, &told) || told.Code != fleet.Conflict || !strings.Contains(told.Text, tt.text) || !strings.Contains(told.Text, path) || told.TextEN == "" {
				t.Errorf("Open = %v, want a conflict that says %q", err, tt.text)
			}
			after, err := os.ReadFile(path)
			if err != nil || string(after) != string(before) {
				t.Errorf("the file was changed, %v", err)
			}
		})
	}
}

func TestOpenRefusesASecondController(t *testing.T) {
	s := newTestStore(t)
	_, err := Open(t.Context(), s.Path(), Options{})
	if fleet.CodeOf(err) != fleet.Conflict {
		t.Fatalf("second Open = %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), s.Path(), Options{})
	if err != nil {
		t.Fatalf("Open after Close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestMigratingBacksUpFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatecast.db")
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	importTest(t, s, 2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	next := len(steps) + 1
	broken := append(steps[:len(steps):len(steps)], migration{next, "broken.sql", "CREATE TABLE extra (x INTEGER); DELETE FROM points; SELECT nonsense"})
	if _, err := open(t.Context(), path, Options{}, broken); err == nil {
		t.Fatal("a broken migration was applied")
	}
	good := append(steps[:len(steps):len(steps)], migration{next, "good.sql", "ALTER TABLE points ADD COLUMN extra INTEGER NOT NULL DEFAULT 7"})
	s, err = open(t.Context(), path, Options{}, good) // over the backup that the broken one left
	if err != nil {
		t.Fatal(err)
	}
	var sum int
	if err := s.read.QueryRowContext(t.Context(), "SELECT sum(extra) FROM points").Scan(&sum); err != nil || sum != 21 {
		t.Errorf("after migrating: %d, %v, want three points of 7", sum, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The newer database is refused by the older program, the backup is not.
	if _, err := Open(t.Context(), path, Options{}); fleet.CodeOf(err) != fleet.Conflict {
		t.Errorf("Open of the newer database = %v", err)
	}
	old := openTestStore(t, fmt.Sprintf("%s.before-%04d", path, next))
	if points, err := old.Points(t.Context(), fleet.PointFilter{}); err != nil || len(points) != 3 {
		t.Errorf("backup has %d points, %v", len(points), err)
	}
}

func TestBackupIsACompleteDatabase(t *testing.T) {
	s := newTestStore(t)
	p := importTest(t, s, 2)[0]
	enrolTest(t, s, p.ID, "d1", t0)
	if _, err := s.AppendRecords(t.Context(), "d1", testLog, rawMessages(outcome(t, 1, morning, 1)), t0); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := s.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(t.Context(), path); fleet.CodeOf(err) != fleet.Conflict {
		t.Errorf("Backup onto a file that exists = %v", err)
	}
	for _, name := range []string{path, s.Path(), s.Path() + "-wal", s.Path() + "-shm", s.Path() + ".lock"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s is for others too: %v, %v", name, info, err)
		}
	}
	c := openTestStore(t, path)
	if err := c.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if recs, err := c.RecordsOfSlot(t.Context(), p.ID, morning); err != nil || len(recs) != 1 {
		t.Errorf("the copy has %d records, %v", len(recs), err)
	}
	if d, err := c.DeviceOfPoint(t.Context(), p.ID); err != nil || d.ID != "d1" {
		t.Errorf("the copy has device %q, %v", d.ID, err)
	}
}

func TestCheckFindsDamage(t *testing.T) {
	for name, damage := range map[string]string{
		"daily_sums":   "UPDATE rollup SET played = played + 1",
		"unit_sums":    "UPDATE sums SET due = due + 1 WHERE compound_id = -1",
		"point_months": "DELETE FROM point_months",
		"reasons":      "UPDATE reasons SET n = n + 1 WHERE grain = 'month'",
		"references":   "PRAGMA foreign_keys = OFF; UPDATE points SET unit_id = 999 WHERE code = 'SF-01'",
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestStore(t)
			p := importTest(t, s, 1)[0].ID
			win := fleet.PlanWindow{Points: []fleet.PointID{p}, From: t0, To: t0.AddDate(0, 0, 1)}
			if _, err := s.PutObligations(t.Context(), win, []fleet.Obligation{owe(p, "morning", "早", t0.AddDate(0, 0, 0).Add(3600e9))}, t0); err != nil {
				t.Fatal(err)
			}
			if err := s.Check(t.Context()); err != nil {
				t.Fatalf("before: %v", err)
			}
			if _, err := s.w.conn.ExecContext(t.Context(), damage); err != nil {
				t.Fatal(err)
			}
			if err := s.Check(t.Context()); err == nil {
				t.Error("Check found nothing")
			}
		})
	}
}

func TestCheckFindsABrokenPage(t *testing.T) {
	s := newTestStore(t)
	importTest(t, s, 50)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(s.Path(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", dsn(s.Path(), ""))
	if err != nil {
		t.Fatal(err)
	}
	var page int64
	if err := db.QueryRowContext(t.Context(), "SELECT rootpage FROM sqlite_schema WHERE name = 'points_by_unit'").Scan(&page); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	// The end of a page is where its rows are.
	if _, err := f.WriteAt([]byte(strings.Repeat("\xff", 256)), page*4096-256); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := openTestStore(t, s.Path()).Check(t.Context()); err == nil {
		t.Error("Check found nothing")
	}
}

func TestCloseTwiceAndUseAfter(t *testing.T) {
	s := newTestStore(t)
	p := importTest(t, s, 1)[0]
	enrolTest(t, s, p.ID, "d1", t0)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetSetting(t.Context(), "a", "b"); !errors.Is(err, errClosed) {
		t.Errorf("SetSetting after Close = %v", err)
	}
	if _, err := s.AppendRecords(t.Context(), "d1", testLog, rawMessages(outcome(t, 1, morning, 1)), t0); !errors.Is(err, errClosed) {
		t.Errorf("AppendRecords after Close = %v", err)
	}
	if _, err := s.Points(t.Context(), fleet.PointFilter{}); err == nil {
		t.Error("Points after Close succeeded")
	}
}

func TestEndedContextChangesNothing(t *testing.T) {
	s := newTestStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.SetSetting(ctx, "a", "b"); !errors.Is(err, context.Canceled) {
		t.Errorf("SetSetting = %v", err)
	}
	if v, err := s.Setting(t.Context(), "a"); err != nil || v != "" {
		t.Errorf("Setting = %q, %v", v, err)
	}
}
