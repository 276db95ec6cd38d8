package media

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatecast/controller/fleet"
)

func TestNewRemovesWhatACrashLeft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "media")
	if _, err := New(dir); err != nil {
		t.Fatal(err)
	}
	hash := strings.Repeat("ab", 32)
	for _, f := range []string{"incoming/upload-1", "clips/.x.flac.durable-tmp-1", "clips/" + hash + ".flac", "originals/" + hash} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := New(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := files(t, s); len(got) != 2 || got[0] != "clips/"+hash+".flac" || got[1] != "originals/"+hash {
		t.Fatalf("files after a restart: %v, want the clip and its original", got)
	}
}

func TestPathsStayInTheStore(t *testing.T) {
	s := newTestStore(t)
	good := strings.Repeat("0a", 32)
	if got := s.Path(good); got != filepath.Join(s.dir, "clips", good+".flac") {
		t.Errorf("Path = %q", got)
	}
	for _, bad := range []string{"", "../../etc/passwd", strings.Repeat("0A", 32), good + "0", strings.Repeat("/", 64)} {
		if got := s.Path(bad) + s.OriginalPath(bad); got != "" {
			t.Errorf("paths of %q = %q, want none", bad, got)
		}
		if _, err := s.Open(bad); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("Open(%q) = %v, want %s", bad, err, fleet.NotFound)
		}
	}
	if _, err := s.Open(good); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("Open of an unknown hash = %v, want %s", err, fleet.NotFound)
	}
}

func TestNewSaysWhereItCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(file); err == nil {
		t.Fatal("a file passes as the store's folder")
	}
}
