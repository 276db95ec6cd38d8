package media

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
)

// clock is a time that a test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newTestParts(t testing.TB, dir string, c *clock) *Parts {
	t.Helper()
	l := DefaultPartLimits()
	l.Bytes, l.PerOwner, l.Total, l.Files, l.FreeBytes = 1000, 2500, 4000, 3, 0
	p, err := OpenParts(dir, l, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func begin(t testing.TB, p *Parts, owner, file string, size int64) fleet.Part {
	t.Helper()
	x, err := p.Begin(owner, file, "1", size)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestPartsGoOnWhereTheConnectionBroke(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Now()}
	p := newTestParts(t, dir, c)
	data := bytes.Repeat([]byte("0123456789"), 90)
	x := begin(t, p, "clerk", "讲座.m4a", 900)

	broken := io.MultiReader(bytes.NewReader(data[:350]), iotest.ErrReader(io.ErrUnexpectedEOF))
	got, err := p.Append(t.Context(), "clerk", x.ID, 0, broken)
	var e *Error
	if !errors.As(err, &e) || e.Code != UploadCut || got.Have != 350 {
		t.Fatalf("Append of a broken connection = %d, %v, want 350 kept", got.Have, err)
	}
	if got, err := p.Append(t.Context(), "clerk", x.ID, 0, bytes.NewReader(data)); fleet.CodeOf(err) != fleet.Conflict || got.Have != 350 {
		t.Errorf("Append at another offset = %d, %v, want a conflict at 350", got.Have, err)
	}
	p = newTestParts(t, dir, c) // the server was restarted
	again, err := p.Begin("clerk", "讲座.m4a", "1", 900)
	if err != nil || again.ID != x.ID || again.Have != 350 {
		t.Fatalf("choosing the file again = %+v, %v, want to go on at 350", again, err)
	}
	if err := p.Take("clerk", x.ID, func(io.Reader, fleet.Part) error { return nil }); !errors.As(err, &e) || e.Code != UploadCut {
		t.Errorf("Take of half a file: %v", err)
	}
	if got, err := p.Append(t.Context(), "clerk", x.ID, 350, bytes.NewReader(data[350:])); err != nil || got.Have != 900 {
		t.Fatalf("Append = %d, %v", got.Have, err)
	}
	// A server that had no room for it may be asked again.
	full := &fleet.Error{Code: fleet.Full}
	if err := p.Take("clerk", x.ID, func(io.Reader, fleet.Part) error { return full }); !errors.Is(err, full) {
		t.Errorf("Take: %v", err)
	}
	var arrived []byte
	if err := p.Take("clerk", x.ID, func(r io.Reader, _ fleet.Part) (err error) { arrived, err = io.ReadAll(r); return err }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(data, arrived); diff != "" {
		t.Errorf("what arrived differs:\n%s", diff)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 0 {
		t.Errorf("left on disk: %v, %v", list, err)
	}
}

func TestPartsAreBounded(t *testing.T) {
	c := &clock{time.Now()}
	dir := t.TempDir()
	p := newTestParts(t, dir, c)
	if _, err := p.Begin("clerk", "a", "", 1001); !hasCode(err, TooBig) {
		t.Errorf("a file over the limit: %v", err)
	}
	if _, err := p.Begin("clerk", "a", "", 0); !hasCode(err, Empty) {
		t.Errorf("an empty file: %v", err)
	}
	x := begin(t, p, "clerk", "a", 1000)
	begin(t, p, "clerk", "b", 1000)
	if _, err := p.Begin("clerk", "c", "", 1000); fleet.CodeOf(err) != fleet.Full {
		t.Errorf("beyond an account's room: %v", err)
	}
	begin(t, p, "clerk", "c", 100)
	if _, err := p.Begin("clerk", "d", "", 1); fleet.CodeOf(err) != fleet.Full {
		t.Errorf("beyond an account's files: %v", err)
	}
	begin(t, p, "admin", "a", 1000)
	if _, err := p.Begin("approver", "a", "", 1000); fleet.CodeOf(err) != fleet.Full {
		t.Errorf("beyond the room of all: %v", err)
	}
	if got, err := p.Append(t.Context(), "clerk", x.ID, 0, bytes.NewReader(make([]byte, 1001))); err == nil || got.Have != 0 {
		t.Errorf("more than announced: %d kept, %v", got.Have, err)
	}
	if fi, err := os.Stat(p.file(x.ID)); err != nil || fi.Size() != 0 {
		t.Errorf("%d bytes on disk, %v", fi.Size(), err)
	}
	for _, id := range []string{x.ID, "../../etc/passwd", ""} {
		if _, err := p.Append(t.Context(), "admin", id, 0, bytes.NewReader([]byte("x"))); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("somebody else's upload %q: %v", id, err)
		}
	}
	if err := p.Drop("clerk", x.ID); err != nil {
		t.Error(err)
	}
	begin(t, p, "clerk", "d", 1000)
}

func TestAbandonedPartsGo(t *testing.T) {
	c := &clock{time.Now()}
	dir := t.TempDir()
	p := newTestParts(t, dir, c)
	old := begin(t, p, "clerk", "old", 100)
	c.t = c.t.Add(23 * time.Hour)
	fresh := begin(t, p, "clerk", "fresh", 100)
	if n := p.Expire(); n != 0 {
		t.Fatalf("%d went after 23 h", n)
	}
	c.t = c.t.Add(2 * time.Hour)
	if n := p.Expire(); n != 1 {
		t.Fatalf("%d went after 25 h, want the old one", n)
	}
	if _, err := p.Part("clerk", old.ID); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("the old one: %v", err)
	}
	if _, err := p.Part("clerk", fresh.ID); err != nil {
		t.Errorf("the fresh one: %v", err)
	}
	for name, data := range map[string]string{"stray.part": "x", "bad.json": "{", fresh.ID + "x.json": "{}"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.t = time.Now()
	newTestParts(t, dir, c)
	if list, err := os.ReadDir(dir); err != nil || len(list) != 2 {
		t.Errorf("after a restart: %v, %v, want the fresh one's two files", list, err)
	}
}

func hasCode(err error, c Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == c
}
