package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatecast/internal/durable"
)

func newDisk(seed uint64) *Disk { return New(rand.New(rand.NewPCG(seed, 1))) }

// opened opens path for reading and writing, making it.
func opened(t testing.TB, d *Disk, path string) durable.File {
	t.Helper()
	f, err := d.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func content(t testing.TB, d durable.FS, path string) string {
	t.Helper()
	data, err := durable.On(d).ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// settled puts data into path so that it survives everything.
func settled(t testing.TB, d *Disk, path, data string) {
	t.Helper()
	if err := durable.On(d).WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestSyncedSurvivesAndTheRestMay writes four sectors over synced ones and
// cuts the power: over many seeds each sector is old or new, whole, and every
// mixture of two sectors occurs.
func TestSyncedSurvivesAndTheRestMay(t *testing.T) {
	old, fresh := strings.Repeat("o", sector), strings.Repeat("n", sector)
	seen := make(map[string]bool)
	for seed := range uint64(200) {
		d := newDisk(seed)
		settled(t, d, "/file", old+old)
		f := opened(t, d, "/file")
		if _, err := f.WriteAt([]byte(fresh+fresh), 0); err != nil {
			t.Fatal(err)
		}
		got := content(t, d.Boot(), "/file")
		if len(got) != 2*sector {
			t.Fatalf("seed %d: %d bytes", seed, len(got))
		}
		for i := 0; i < len(got); i += sector {
			if s := got[i : i+sector]; s != old && s != fresh {
				t.Fatalf("seed %d: sector %d is half written", seed, i/sector)
			}
		}
		seen[got[:1]+got[sector:sector+1]] = true
		f2 := opened(t, d.Boot(), "/file")
		if _, err := f2.WriteAt([]byte(fresh+fresh), 0); err != nil {
			t.Fatal(err)
		}
		if err := f2.SyncData(); err != nil {
			t.Fatal(err)
		}
		if content(t, d.Boot().Boot(), "/file") != fresh+fresh {
			t.Fatalf("seed %d: synced data is gone", seed)
		}
	}
	if len(seen) != 4 {
		t.Errorf("mixtures seen: %v, want all four", seen)
	}
}

// TestUnsyncedGrowthIsOrderedSizesAndHoles appends twice: the size is one of
// the three that the file had, and what was not written inside reads as zeros.
func TestUnsyncedGrowthIsOrderedSizesAndHoles(t *testing.T) {
	sizes, holes := make(map[int]int), 0
	for seed := range uint64(300) {
		d := newDisk(seed)
		settled(t, d, "/file", "")
		f := opened(t, d, "/file")
		for range 2 {
			if _, err := f.Write(bytes.Repeat([]byte("x"), sector)); err != nil {
				t.Fatal(err)
			}
		}
		got := content(t, d.Boot(), "/file")
		sizes[len(got)]++
		if strings.Contains(got, "\x00") {
			holes++
		}
		if strings.Trim(got, "x\x00") != "" {
			t.Fatalf("seed %d: bytes that nobody wrote", seed)
		}
	}
	if len(sizes) != 3 || sizes[0] == 0 || sizes[sector] == 0 || sizes[2*sector] == 0 || holes == 0 {
		t.Errorf("sizes %v, %d with holes", sizes, holes)
	}
}

func TestNamesChangeInOrder(t *testing.T) {
	seen := make(map[string]bool)
	for seed := range uint64(300) {
		d := newDisk(seed)
		settled(t, d, "/a", "a")
		for _, p := range []string{"/b", "/c"} {
			if err := opened(t, d, p).Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(d.Rename("/a", "/c"), d.Remove("/b")); err != nil {
			t.Fatal(err)
		}
		seen[strings.Join(d.Boot().Files(), " ")] = true
	}
	want := []string{"/a", "/a /b", "/a /b /c", "/b /c", "/c"}
	var got []string
	for s := range seen {
		got = append(got, s)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("folders after a cut (-want +got):\n%s", diff)
	}
}

func TestWriteFileIsOldOrNewAtEveryCut(t *testing.T) {
	before, after := strings.Repeat("1", 3000), strings.Repeat("2", 2000)
	for seed := range uint64(50) {
		for at := 1; ; at++ {
			d := newDisk(seed)
			settled(t, d, "/state", before)
			d.CutAt(at)
			err := durable.On(d).WriteFile("/state", []byte(after), 0o600)
			cut := d.Dead()
			got := content(t, d.Boot(), "/state")
			if got != before && got != after || err == nil && got != after {
				t.Fatalf("seed %d, cut at %d: WriteFile = %v and %d bytes", seed, at, err, len(got))
			}
			if !cut {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			if !errors.Is(err, ErrPower) && err != nil {
				t.Fatalf("cut at %d: %v, want ErrPower", at, err)
			}
		}
	}
}

func TestDeadDiskDoesNothing(t *testing.T) {
	d := newDisk(1)
	settled(t, d, "/file", "kept")
	f := opened(t, d, "/file")
	next := d.Boot()
	if next != d.Boot() || next != d.Kill() {
		t.Error("a second Boot is another disk")
	}
	_, werr := f.WriteAt([]byte("x"), 0)
	_, rerr := f.Read(make([]byte, 1))
	_, oerr := d.OpenFile("/new", os.O_CREATE|os.O_RDWR, 0o600)
	_, lerr := d.Lock("/lock")
	for name, err := range map[string]error{"write": werr, "read": rerr, "open": oerr, "lock": lerr, "sync": f.Sync(), "remove": d.Remove("/file"), "close": f.Close()} {
		if !errors.Is(err, ErrPower) {
			t.Errorf("%s after the cut = %v, want ErrPower", name, err)
		}
	}
	if got := content(t, next, "/file"); got != "kept" {
		t.Errorf("content %q", got)
	}
}

func TestKilledProgramLosesNothingButItsLocks(t *testing.T) {
	d := newDisk(1)
	if _, err := d.Lock("/lock"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock("/lock"); !errors.Is(err, durable.ErrLocked) {
		t.Fatalf("second Lock = %v, want ErrLocked", err)
	}
	if _, err := opened(t, d, "/file").Write([]byte("never synced")); err != nil {
		t.Fatal(err)
	}
	d = d.Kill()
	if got := content(t, d, "/file"); got != "never synced" {
		t.Errorf("content %q", got)
	}
	l, err := d.Lock("/lock")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Close(), l.Close()); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("second Close = %v, want ErrClosed", err)
	}
	if _, err := d.Lock("/lock"); err != nil {
		t.Errorf("Lock after Close = %v", err)
	}
}

// TestFailedSyncForgetsWhatItHadToWrite is Linux' behaviour that makes a retry
// of fsync a lie.
func TestFailedSyncForgetsWhatItHadToWrite(t *testing.T) {
	lost, rewritten := 0, 0
	for seed := range uint64(100) {
		d := newDisk(seed)
		settled(t, d, "/file", "old")
		f := opened(t, d, "/file")
		if _, err := f.WriteAt([]byte("new"), 0); err != nil {
			t.Fatal(err)
		}
		d.FailSync(1)
		if err := f.Sync(); !errors.Is(err, syscall.EIO) {
			t.Fatalf("Sync = %v, want EIO", err)
		}
		if err := f.Sync(); err != nil {
			t.Fatalf("second Sync = %v, want nil", err)
		}
		if got := content(t, d, "/file"); got != "new" {
			t.Fatalf("the cache shows %q", got)
		}
		again := seed%2 == 0
		if again { // in the same page
			if _, err := f.WriteAt([]byte("x"), 3); err != nil {
				t.Fatal(err)
			}
			if err := f.Sync(); err != nil {
				t.Fatal(err)
			}
		}
		switch got := content(t, d.Boot(), "/file"); {
		case !again && got == "old":
			lost++
		case again && got == "newx":
			rewritten++
		case got != "new":
			t.Fatalf("content %q", got)
		}
	}
	if lost == 0 || rewritten != 50 {
		t.Errorf("%d of 50 lost, %d of 50 rewritten", lost, rewritten)
	}
}

func TestFullDiskTakesWhatFits(t *testing.T) {
	d := newDisk(1)
	d.Limit(3 * page)
	f := opened(t, d, "/a")
	if err := f.Reserve(2 * page); err != nil {
		t.Fatal(err)
	}
	g := opened(t, d, "/b")
	if n, err := g.Write(make([]byte, page+100)); n != page || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Write = %d, %v, want one page and ENOSPC", n, err)
	}
	if n, err := f.Write(make([]byte, 2*page)); n != 2*page || err != nil {
		t.Fatalf("Write into reserved space = %d, %v", n, err)
	}
	if err := f.Reserve(3 * page); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("Reserve = %v, want ENOSPC", err)
	}
	if err := d.Remove("/b"); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Write([]byte("x")); n != 1 || err != nil || d.Used() != 3*page {
		t.Fatalf("Write after Remove = %d, %v, used %d", n, err, d.Used())
	}
}

func TestRotAndSpoil(t *testing.T) {
	d := newDisk(1)
	settled(t, d, "/file", "content")
	if err := d.Rot("/file"); err != nil {
		t.Fatal(err)
	}
	got, ones := content(t, d.Boot(), "/file"), 0
	for i := range got {
		for x := got[i] ^ "content"[i]; x != 0; x &= x - 1 {
			ones++
		}
	}
	if ones != 1 {
		t.Errorf("%d bits differ, want one", ones)
	}
	d = d.Boot()
	if err := d.Spoil("/file"); err != nil {
		t.Fatal(err)
	}
	if _, err := durable.On(d).ReadFile("/file"); !errors.Is(err, syscall.EIO) {
		t.Errorf("reading a bad file = %v, want EIO", err)
	}
	settled(t, d, "/file", "again")
	if got := content(t, d, "/file"); got != "again" {
		t.Errorf("content %q", got)
	}
}

// TestSameSeedSameDisk runs a script twice.
func TestSameSeedSameDisk(t *testing.T) {
	run := func() (string, Count) {
		d := newDisk(7)
		for i := range 40 {
			f := opened(t, d, fmt.Sprintf("/f%d", i%7))
			if _, err := f.Write(bytes.Repeat([]byte{byte('a' + i%26)}, 700*i)); err != nil {
				t.Fatal(err)
			}
			if i%5 == 0 {
				if err := errors.Join(f.Sync(), d.SyncDir("/")); err != nil {
					t.Fatal(err)
				}
			}
		}
		count := d.Count()
		d = d.Boot()
		var all strings.Builder
		for _, p := range d.Files() {
			fmt.Fprintf(&all, "%s %q\n", p, content(t, d, p))
		}
		return all.String(), count
	}
	one, n := run()
	two, m := run()
	if one != two || n != m || n.Syncs != 8 || n.DirSyncs != 8 || n.Ops != 96 {
		t.Errorf("two runs differ, or counts %+v, %+v", n, m)
	}
}

// TestDiskBehavesLikeTheRealOne does the same random calls on both.
func TestDiskBehavesLikeTheRealOne(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		base, err := os.MkdirTemp(t.TempDir(), "real")
		if err != nil {
			rt.Fatal(err)
		}
		sim := newDisk(rapid.Uint64().Draw(rt, "seed"))
		if err := durable.On(sim).MkdirAll(base, 0o700); err != nil {
			rt.Fatal(err)
		}
		names := rapid.SampledFrom([]string{"a", "b", "c", "dir", "dir/a", "a/b", "none/x"})
		flags := rapid.SampledFrom([]int{os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_CREATE, os.O_RDWR | os.O_CREATE | os.O_EXCL,
			os.O_WRONLY | os.O_CREATE | os.O_APPEND, os.O_RDWR | os.O_CREATE | os.O_TRUNC})
		both := func(what string, f func(d durable.FS) (string, error)) {
			got, gerr := f(sim)
			want, werr := f(durable.Disk)
			if got != want || kind(gerr) != kind(werr) {
				rt.Fatalf("%s = %q, %v, on the real disk %q, %v", what, got, gerr, want, werr)
			}
		}
		for range rapid.IntRange(1, 40).Draw(rt, "calls") {
			name := filepath.Join(base, names.Draw(rt, "name"))
			switch rapid.IntRange(0, 5).Draw(rt, "call") {
			case 0, 1:
				flag, off := flags.Draw(rt, "flag"), int64(rapid.IntRange(0, 3000).Draw(rt, "off"))
				data := bytes.Repeat([]byte{byte('a' + off%26)}, rapid.IntRange(1, 2000).Draw(rt, "len"))
				size := int64(rapid.IntRange(0, 4000).Draw(rt, "size"))
				both("file work", func(d durable.FS) (string, error) { return work(d, name, flag, off, size, data) })
			case 2:
				both("Mkdir", func(d durable.FS) (string, error) { return "", d.Mkdir(filepath.Join(base, "dir"), 0o700) })
			case 3:
				to := filepath.Join(filepath.Dir(name), "c")
				both("Rename", func(d durable.FS) (string, error) {
					if i, err := d.Stat(name); err == nil && i.Dir {
						return "", nil // directories are not renamed here
					}
					return "", d.Rename(name, to)
				})
			case 4:
				both("Remove", func(d durable.FS) (string, error) { return "", d.Remove(name) })
			case 5:
				both("ReadDir", func(d durable.FS) (string, error) {
					list, err := d.ReadDir(filepath.Dir(name))
					return strings.Join(list, " "), err
				})
			}
			both("Stat", func(d durable.FS) (string, error) {
				i, err := d.Stat(name)
				if i.Dir {
					i.Size = 0 // of a real directory it is whatever
				}
				return fmt.Sprint(i), err
			})
		}
	})
}

// work opens, writes, truncates and reads a file.
func work(d durable.FS, name string, flag int, off, size int64, data []byte) (string, error) {
	if i, err := d.Stat(name); err == nil && i.Dir && flag == os.O_RDONLY {
		return "", nil // opened and of no use on one, not opened on the other
	}
	f, err := d.OpenFile(name, flag, 0o600)
	if err != nil {
		return "", err
	}
	defer f.Close()
	n, err1 := f.Write(data)
	var m int
	var err2 error
	if flag&os.O_APPEND == 0 { // which package os refuses together with WriteAt
		m, err2 = f.WriteAt(data, off)
	}
	buf := make([]byte, 100)
	k, err3 := f.ReadAt(buf, off)
	err4 := f.Truncate(size)
	l, err5 := f.Read(buf[k:])
	return fmt.Sprintf("%d %d %d %d %q %v", n, m, k, l, buf, []string{kind(err1), kind(err2), kind(err3), kind(err4), kind(err5)}), nil
}

// kind names the errors that programs tell apart.
func kind(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, fs.ErrNotExist):
		return "absent"
	case errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.ENOTEMPTY):
		return "present"
	case errors.Is(err, syscall.EBADF):
		return "mode"
	}
	return "other"
}
