package backup

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/controller/vault"
)

const number = "13912345678"

// phoneOf opens a data folder and returns the number of the one point in it.
func phoneOf(t *testing.T, dir string) fleet.Phone {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(dir, dbName), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	points, err := s.Points(t.Context(), fleet.PointFilter{})
	if err != nil {
		t.Fatal(err)
	}
	return points[0].DutyPhone
}

// TestBackupKeepsNumbersClosed restores with and without the key of sealed
// fields, which is not in the backup.
func TestBackupKeepsNumbersClosed(t *testing.T) {
	dir, s := office(t)
	points, err := s.Points(t.Context(), fleet.PointFilter{})
	if err != nil {
		t.Fatal(err)
	}
	points[0].DutyPhone = number
	if _, err := s.SavePoint(t.Context(), points[0]); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "b.backup")
	if _, err := Make(t.Context(), dir, file, "test", t0); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "trust", vault.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(whole, []byte(number)) || bytes.Contains(whole, bytes.TrimSpace(key)) {
		t.Error("the backup holds the number or its key")
	}

	without := t.TempDir()
	if _, err := Restore(t.Context(), file, without, "root", t0); err != nil {
		t.Fatal(err)
	}
	if got := phoneOf(t, without); got != fleet.UnreadablePhone {
		t.Errorf("without the key: %q", got.Full())
	}
	with := t.TempDir()
	if err := os.MkdirAll(filepath.Join(with, "trust"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(with, "trust", vault.KeyFile), key, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), file, with, "root", t0); err != nil {
		t.Fatal(err)
	}
	if got := phoneOf(t, with); got.Full() != number {
		t.Errorf("with the key put there first: %q", got.Full())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), file, dir, "root", t0); err != nil {
		t.Fatal(err)
	}
	if got := phoneOf(t, dir); got.Full() != number {
		t.Errorf("on the same machine: %q", got.Full())
	}
}
