package store

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"gatecast/controller/fleet"
)

// killedFirst leaves in a folder what a program leaves that is killed in the
// first write of all, before the database has its log: a rollback journal
// beside a file that may be half written.
func killedFirst(t *testing.T, path string) {
	t.Helper()
	work := filepath.Join(t.TempDir(), "gatecast.db")
	db, err := sql.Open("sqlite", "file:"+urlPath(work)+"?_pragma=journal_mode(DELETE)&_pragma=cache_size(1)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, q := range []string{fmt.Sprintf("PRAGMA application_id = %d", applicationID), "BEGIN IMMEDIATE", "CREATE TABLE half (a BLOB)"} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 { // more than the cache holds: pages reach the file before the end
		if _, err := db.Exec("INSERT INTO half VALUES (randomblob(4000))"); err != nil {
			t.Fatal(err)
		}
	}
	for _, end := range []string{"", "-journal"} {
		b, err := os.ReadFile(work + end)
		if err == nil {
			err = os.WriteFile(path+end, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Size() < 10*4096 {
		t.Fatalf("nothing reached the file: %v, %v", info, err)
	}
}

// A first start that was killed in the middle of its first write is no reason
// not to start again.
func TestOpenAfterAKillInTheFirstWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatecast.db")
	killedFirst(t, path)
	s := openTestStore(t, path)
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if p := importTest(t, s, 1); len(p) != 1 {
		t.Errorf("%d points", len(p))
	}
}

// A migration of several steps that ends in the middle leaves the backup of
// what was there before the first one, also when it goes on later.
func TestMigrationKilledBetweenStepsKeepsItsBackup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatecast.db")
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(t.Context(), path, Options{}, steps)
	if err != nil {
		t.Fatal(err)
	}
	importTest(t, s, 2)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	n := len(steps)
	first := migration{n + 1, "first.sql", "ALTER TABLE points ADD COLUMN extra INTEGER NOT NULL DEFAULT 7"}
	next := func(last string) []migration {
		return append(steps[:n:n], first, migration{n + 2, "second.sql", last})
	}
	if _, err := open(t.Context(), path, Options{}, next("SELECT nonsense")); err == nil {
		t.Fatal("a broken step was applied")
	}
	if s, err = open(t.Context(), path, Options{}, next("CREATE TABLE second (x INTEGER)")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	old, err := open(t.Context(), fmt.Sprintf("%s.before-%04d", path, n+2), Options{}, steps)
	if err != nil {
		t.Fatalf("the old program does not open the backup: %v", err)
	}
	defer old.Close()
	if points, err := old.Points(t.Context(), fleet.PointFilter{}); err != nil || len(points) == 0 {
		t.Errorf("backup has %d points, %v", len(points), err)
	}
}
