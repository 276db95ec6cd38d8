package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/controller/trust"
	"gatecast/internal/wire"
)

var t0 = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

// office makes a data folder with a registry, a device, keys and a clip.
func office(t *testing.T) (dir string, s *store.Store) {
	t.Helper()
	dir = t.TempDir()
	s, err := store.Open(t.Context(), filepath.Join(dir, dbName), store.Options{StateDelay: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	reg := fleet.Registry{
		Units:  []fleet.UnitEntry{{Unit: fleet.Unit{Code: "SF", Type: fleet.Community, Name: "松风社区"}}},
		Points: []fleet.PointEntry{{Point: fleet.Point{Code: "SF-01", Name: "松风门", Kind: fleet.Gate}, Unit: "SF"}},
	}
	if err := s.ImportRegistry(t.Context(), reg); err != nil {
		t.Fatal(err)
	}
	pt, err := s.PointByCode(t.Context(), "SF-01")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddJoinCode(t.Context(), fleet.JoinCode{Hash: "h", Point: pt.ID, Issued: t0, Expires: t0.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Enrol(t.Context(), "h", fleet.Device{ID: "d1", SPKI: []byte("k")}, t0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AcceptDevice(t.Context(), "d1", "test", t0); err != nil {
		t.Fatal(err)
	}
	if _, err := trust.Open(filepath.Join(dir, "trust"), trust.Options{}); err != nil {
		t.Fatal(err)
	}
	clip := filepath.Join(dir, "media", "ab", "abcd.flac")
	if err := os.MkdirAll(filepath.Dir(clip), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(clip, bytes.Repeat([]byte("sound"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, s
}

func record(t *testing.T, s *store.Store, seq wire.Seq) {
	t.Helper()
	raw := fmt.Appendf(nil, `{"log":"a","seq":%d,"kind":"stop","body":{}}`, seq)
	if _, err := s.AppendRecords(t.Context(), "d1", "a", []json.RawMessage{raw}, t0); err != nil {
		t.Fatal(err)
	}
}

// content reads everything below dir.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(p, ".lock") {
			return err
		}
		data, err := os.ReadFile(p)
		all[strings.TrimPrefix(p, dir)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestBackupComesBack makes a backup under a running office, loses the disk
// and restores on an empty one: what was there then is there again, the rest
// is asked for, and the audit says so.
func TestBackupComesBack(t *testing.T) {
	dir, s := office(t)
	record(t, s, 1)
	record(t, s, 2)
	if err := s.SetSetting(t.Context(), "ledger.cursor", "2"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "monday.backup")
	made, err := Make(t.Context(), dir, file, "test", t0)
	if err != nil || made.Files < 5 {
		t.Fatalf("Make = %+v, %v", made, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	record(t, s, 3)
	if _, err := Make(t.Context(), dir, file, "test", t0); fleet.CodeOf(err) != fleet.Conflict {
		t.Errorf("over a file that exists: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".*")); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}

	fresh := t.TempDir()
	r, err := Restore(t.Context(), file, fresh, "root", t0.AddDate(0, 0, 3))
	if err != nil || r.Devices != 1 || !r.NewKeys || r.Aside != "" || !r.Made.Equal(t0) {
		t.Fatalf("Restore = %+v, %v", r, err)
	}
	old, got := content(t, dir), content(t, fresh)
	for name, data := range old {
		if !strings.HasPrefix(name, "/"+dbName) && got[name] != data {
			t.Errorf("%s differs", name)
		}
	}
	back, err := store.Open(t.Context(), filepath.Join(fresh, dbName), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if ack, err := back.AckState(t.Context(), "d1", "a"); err != nil || ack.Upto != 2 {
		t.Errorf("AckState = %+v, %v", ack, err)
	}
	audit, err := back.Audits(t.Context(), 1)
	if err != nil || len(audit) != 1 || audit[0].What != "restore" || audit[0].Object != "monday.backup" || audit[0].Who != "root" {
		t.Errorf("audit %+v, %v", audit, err)
	}
	if d, err := back.Device(t.Context(), "d1"); err != nil || d.Awaiting != fleet.AwaitReconnect {
		t.Errorf("device %+v, %v", d, err)
	}
	if v, err := back.Setting(t.Context(), "ledger.cursor"); err != nil || v != "2" {
		t.Errorf("position %q, %v", v, err)
	}
}

// TestRestoreKeepsWhatItReplaces: also the log beside the database, and keys
// of another office.
func TestRestoreKeepsWhatItReplaces(t *testing.T) {
	dir, s := office(t)
	file := filepath.Join(t.TempDir(), "b")
	if _, err := Make(t.Context(), dir, file, "test", t0); err != nil {
		t.Fatal(err)
	}
	record(t, s, 1)
	if _, err := Restore(t.Context(), file, dir, "root", t0); fleet.CodeOf(err) != fleet.Conflict {
		t.Fatalf("upon a running controller: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Restore(t.Context(), file, dir, "root", t0)
	if err != nil || r.Aside == "" || r.NewKeys {
		t.Fatalf("Restore = %+v, %v", r, err)
	}
	aside, err := store.Open(t.Context(), filepath.Join(r.Aside, dbName), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if ack, err := aside.AckState(t.Context(), "d1", "a"); err != nil || ack.Upto != 1 {
		t.Errorf("what was replaced: %+v, %v", ack, err)
	}
	if err := aside.Close(); err != nil {
		t.Fatal(err)
	}

	other, s2 := office(t)
	if err := s2.Close(); err != nil {
		t.Fatal(err)
	}
	r, err = Restore(t.Context(), file, other, "root", t0.Add(time.Hour))
	if err != nil || !r.NewKeys {
		t.Fatalf("over another office: %+v, %v", r, err)
	}
	if a, b := content(t, filepath.Join(dir, "trust")), content(t, filepath.Join(other, "trust")); cmp.Diff(a, b) != "" {
		t.Errorf("the keys are not those of the backup")
	}
	if len(content(t, filepath.Join(r.Aside, "trust"))) == 0 {
		t.Error("the keys that were replaced are gone")
	}
}

// TestDamagedBackupChangesNothing flips bytes, cuts, and tries files that are
// no backup: each is refused with a sentence, and the data folder stays.
func TestDamagedBackupChangesNothing(t *testing.T) {
	dir, s := office(t)
	file := filepath.Join(t.TempDir(), "b")
	if _, err := Make(t.Context(), dir, file, "test", t0); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before := content(t, dir)
	try := func(name string, data []byte) {
		t.Helper()
		bad := filepath.Join(t.TempDir(), "bad")
		if err := os.WriteFile(bad, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Restore(t.Context(), bad, dir, "root", t0)
		if code := fleet.CodeOf(err); code != fleet.Invalid && code != fleet.Conflict {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(before, content(t, dir)); diff != "" {
			t.Fatalf("%s changed the data folder", name)
		}
	}
	try("empty", nil)
	try("text", []byte("not a backup\n"))
	try("cut", good[:len(good)/2])
	try("another_database", append(bytes.Clone(good[:512]), bytes.Repeat([]byte("x"), 4096)...))
	r := rand.New(rand.NewPCG(1, 2))
	for range 30 {
		// Bytes of contents: padding and times of entries mean nothing.
		at := contentByte(t, good, r)
		bad := bytes.Clone(good)
		bad[at] ^= 1 << r.IntN(8)
		try(fmt.Sprintf("bit flipped at %d", at), bad)
	}
	if _, err := Restore(t.Context(), file+"-not-there", dir, "root", t0); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := Make(t.Context(), t.TempDir(), file+"2", "test", t0); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("a backup of nothing: %v", err)
	}
}

// contentByte draws a position inside the content of an entry.
func contentByte(t *testing.T, data []byte, r *rand.Rand) int {
	t.Helper()
	b := bytes.NewReader(data)
	tr := tar.NewReader(b)
	var spans [][2]int
	for {
		h, err := tr.Next()
		if err != nil {
			break
		}
		if h.Size > 0 && h.Name != headerName {
			start := len(data) - b.Len()
			spans = append(spans, [2]int{start, start + int(h.Size)})
		}
	}
	s := spans[r.IntN(len(spans))]
	return s[0] + r.IntN(s[1]-s[0])
}

func TestBackupWhileTheOfficeWorks(t *testing.T) {
	dir, s := office(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan wire.Seq)
	go func() {
		seq := wire.Seq(0)
		for ctx.Err() == nil {
			raw := fmt.Appendf(nil, `{"log":"a","seq":%d,"kind":"stop","body":{}}`, seq+1)
			if _, err := s.AppendRecords(context.Background(), "d1", "a", []json.RawMessage{raw}, t0); err != nil {
				t.Error(err)
				break
			}
			seq++
		}
		done <- seq
	}()
	for i := range 3 {
		file := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if _, err := Make(t.Context(), dir, file, "test", t0); err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(t.Context(), file, t.TempDir(), "root", t0); err != nil {
			t.Error(err)
		}
	}
	stop()
	if n := <-done; n == 0 {
		t.Error("nothing was written meanwhile")
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add([]byte(`{"format":1,"made_us":5,"files":[{"name":"gatecast.db","size":4,"sha256":"aa"},{"name":"trust/root.json"}]}`))
	f.Add([]byte(`{"format":1,"files":[{"name":"gatecast.db"},{"name":"media/../../etc/passwd"}]}`))
	f.Add([]byte(`{"format":1,"files":[{"name":"/etc/passwd"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := parseHeader(data)
		if err != nil {
			return
		}
		for _, e := range h.Files {
			p := filepath.Join("/data/staged", filepath.FromSlash(e.Name))
			if rel, err := filepath.Rel("/data/staged", p); err != nil || strings.HasPrefix(rel, "..") || e.Name == headerName {
				t.Errorf("%q is written outside", e.Name)
			}
		}
	})
}
