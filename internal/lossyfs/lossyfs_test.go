package lossyfs

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"gatecast/internal/durable"
)

// do runs steps in dir, each with its own file handles, and fails on errors.
type steps func(t *testing.T, dir string)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// writeAt writes s at off into a file, which it makes; sync says how.
func writeAt(t testing.TB, path string, off int64, s, sync string) {
	t.Helper()
	flags := os.O_CREATE | os.O_RDWR
	if sync == "o_sync" {
		flags |= os.O_SYNC
	}
	f, err := os.OpenFile(path, flags, 0o600)
	must(t, err)
	_, err = f.WriteAt([]byte(s), off)
	must(t, err)
	switch sync {
	case "fsync":
		must(t, f.Sync())
	case "fdatasync":
		must(t, unix.Fdatasync(int(f.Fd())))
	}
	must(t, f.Close())
}

// contents returns all files below dir with what is in them; folders end in /.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if e.IsDir() {
			all[name+"/"] = ""
			return nil
		}
		b, err := os.ReadFile(path)
		all[name] = string(b)
		return err
	}))
	return all
}

func TestCutLosesWhatWasNotSynced(t *testing.T) {
	syncDir := func(t *testing.T, dir string) { must(t, durable.SyncDir(dir)) }
	tests := []struct {
		name      string
		do        steps
		want      map[string]string
		journaled map[string]string // nil means the same
	}{
		{"nothing_synced", func(t *testing.T, d string) { writeAt(t, d+"/a", 0, "one", "") }, nil, nil},
		{"file_but_not_folder", func(t *testing.T, d string) { writeAt(t, d+"/a", 0, "one", "fsync") }, nil, map[string]string{"a": "one"}},
		{"folder_but_not_file", func(t *testing.T, d string) { writeAt(t, d+"/a", 0, "one", ""); syncDir(t, d) }, map[string]string{"a": ""}, nil},
		{"both", func(t *testing.T, d string) { writeAt(t, d+"/a", 0, "one", "fsync"); syncDir(t, d) }, map[string]string{"a": "one"}, nil},
		{"fdatasync", func(t *testing.T, d string) { writeAt(t, d+"/a", 0, "one", "fdatasync"); syncDir(t, d) }, map[string]string{"a": "one"}, nil},
		{"o_sync", func(t *testing.T, d string) { writeAt(t, d+"/a", 0, "one", "o_sync"); syncDir(t, d) }, map[string]string{"a": "one"}, nil},
		{"second_write", func(t *testing.T, d string) {
			writeAt(t, d+"/a", 0, "one", "fsync")
			syncDir(t, d)
			writeAt(t, d+"/a", 1, "xyz", "")
		}, map[string]string{"a": "one"}, nil},
		{"durable_write", func(t *testing.T, d string) {
			must(t, durable.WriteFile(d+"/a", []byte("one"), 0o600))
			must(t, durable.WriteFile(d+"/a", []byte("two"), 0o600))
		}, map[string]string{"a": "two"}, nil},
		{"rename_without_folder", func(t *testing.T, d string) {
			must(t, durable.WriteFile(d+"/a", []byte("one"), 0o600))
			writeAt(t, d+"/b", 0, "two", "fsync")
			must(t, os.Rename(d+"/b", d+"/a"))
		}, map[string]string{"a": "one"}, map[string]string{"a": "one", "b": "two"}},
		{"rename_of_unsynced", func(t *testing.T, d string) {
			must(t, durable.WriteFile(d+"/a", []byte("one"), 0o600))
			writeAt(t, d+"/b", 0, "two", "")
			must(t, os.Rename(d+"/b", d+"/a"))
			syncDir(t, d)
		}, map[string]string{"a": ""}, nil}, // the known trap: an empty file in place of the old
		{"removed_without_folder", func(t *testing.T, d string) {
			must(t, durable.WriteFile(d+"/a", []byte("one"), 0o600))
			must(t, os.Remove(d+"/a"))
		}, map[string]string{"a": "one"}, nil},
		{"removed", func(t *testing.T, d string) {
			must(t, durable.WriteFile(d+"/a", []byte("one"), 0o600))
			must(t, os.Remove(d+"/a"))
			syncDir(t, d)
		}, nil, nil},
		{"truncated_without_sync", func(t *testing.T, d string) {
			must(t, durable.WriteFile(d+"/a", []byte("one"), 0o600))
			must(t, os.Truncate(d+"/a", 1))
		}, map[string]string{"a": "one"}, nil},
		{"emptied_on_open", func(t *testing.T, d string) {
			must(t, durable.WriteFile(d+"/a", []byte("one"), 0o600))
			must(t, os.WriteFile(d+"/a", []byte("2"), 0o600))
			writeAt(t, d+"/a", 1, "3", "fsync")
		}, map[string]string{"a": "23"}, nil},
		{"new_folder_in_unsynced_parent", func(t *testing.T, d string) {
			must(t, os.Mkdir(d+"/sub", 0o700))
			writeAt(t, d+"/sub/a", 0, "one", "fsync")
			syncDir(t, d+"/sub")
		}, nil, map[string]string{"sub/": "", "sub/a": "one"}},
		{"durable_tree", func(t *testing.T, d string) {
			must(t, durable.MkdirAll(d+"/sub/deep", 0o700))
			must(t, durable.WriteFile(d+"/sub/deep/a", []byte("one"), 0o600))
		}, map[string]string{"sub/": "", "sub/deep/": "", "sub/deep/a": "one"}, nil},
		{"move_between_folders", func(t *testing.T, d string) {
			must(t, durable.MkdirAll(d+"/from", 0o700))
			must(t, durable.MkdirAll(d+"/to", 0o700))
			writeAt(t, d+"/from/a", 0, "one", "fsync")
			must(t, os.Rename(d+"/from/a", d+"/to/a"))
			syncDir(t, d+"/to") // takes along that from lost it, and that it was there
		}, map[string]string{"from/": "", "to/": "", "to/a": "one"}, nil},
	}
	for _, tt := range tests {
		for _, journaled := range []bool{false, true} {
			name, want := tt.name, tt.want
			if journaled {
				name += "_journaled"
				if tt.journaled != nil {
					want = tt.journaled
				}
			}
			t.Run(name, func(t *testing.T) {
				disk, dir := Mounted(t, Options{Journaled: journaled})
				tt.do(t, dir)
				before := contents(t, dir)
				loss, err := disk.Cut(0)
				must(t, err)
				got := contents(t, dir)
				if !maps.Equal(got, want) {
					t.Errorf("after the cut: %q, want %q (before: %q, lost %v)", got, want, before, loss)
				}
				if lost := loss.Bytes > 0 || loss.Names > 0; maps.Equal(before, want) == lost && tt.name != "truncated_without_sync" {
					t.Errorf("Loss = %v; before %q, after %q", loss, before, got)
				}
				// The disk goes on.
				must(t, durable.WriteFile(dir+"/new", []byte("later"), 0o600))
				if _, err := disk.Cut(0); err != nil || contents(t, dir)["new"] != "later" {
					t.Errorf("second cut: %v, %q", err, contents(t, dir))
				}
			})
		}
	}
}

func TestOldHandlesFailAfterCut(t *testing.T) {
	disk, dir := Mounted(t, Options{})
	f, err := os.Create(dir + "/a")
	must(t, err)
	defer f.Close()
	_, err = disk.Cut(0)
	must(t, err)
	_, werr := f.Write([]byte("x"))
	if serr := f.Sync(); !errors.Is(werr, syscall.EIO) || !errors.Is(serr, syscall.EIO) {
		t.Errorf("Write = %v, Sync = %v, want EIO", werr, serr)
	}
	if got := contents(t, dir); len(got) != 0 {
		t.Errorf("the new mount shows %q", got)
	}
}

func TestUnmountLosesNothing(t *testing.T) {
	disk, dir := New(Options{}), t.TempDir()
	if err := disk.Mount(dir); err != nil {
		_, _ = Mounted(t, Options{}) // says why, and skips
		t.Fatal(err)
	}
	writeAt(t, dir+"/a", 0, "one", "")
	must(t, disk.Unmount())
	if got := contents(t, dir); len(got) != 0 {
		t.Errorf("unmounted, the folder shows %q", got)
	}
	must(t, disk.Mount(dir))
	writeAt(t, dir+"/b", 0, "two", "")
	disk.Sync()
	loss, err := disk.Cut(0)
	must(t, err)
	if got := contents(t, dir); !maps.Equal(got, map[string]string{"a": "one", "b": "two"}) || loss != (Loss{}) {
		t.Errorf("%q, lost %v", got, loss)
	}
	must(t, disk.Unmount())
}

func TestPowerFailsAfterSoManyChanges(t *testing.T) {
	for n := 1; n < 12; n++ {
		disk, dir := Mounted(t, Options{})
		must(t, durable.WriteFile(dir+"/a", []byte("old"), 0o600))
		failed := disk.FailAfter(n)
		err := durable.WriteFile(dir+"/a", []byte("new"), 0o600) // create, write, sync, rename, sync
		if (err != nil) != (n <= 5) {
			t.Errorf("power fails at change %d: %v", n, err)
		}
		select {
		case <-failed:
		default:
			if n <= 5 {
				t.Errorf("power did not fail at change %d", n)
			}
		}
		_, cerr := disk.Cut(0)
		must(t, cerr)
		if got, want := contents(t, dir)["a"], map[bool]string{true: "old", false: "new"}[n <= 5]; got != want {
			t.Errorf("power failed at change %d: %q, want %q", n, got, want)
		}
	}
}

func TestAgeMakesDurable(t *testing.T) {
	var passed atomic.Int64 // seconds
	clock := func() time.Time { return time.Unix(1_800_000_000+passed.Load(), 0) }
	disk, dir := Mounted(t, Options{DataAge: 30 * time.Second, NamesAge: 5 * time.Second, Clock: clock})
	writeAt(t, dir+"/a", 0, "one", "")
	passed.Add(6)
	writeAt(t, dir+"/b", 0, "two", "")
	loss, err := disk.Cut(0)
	must(t, err)
	if got := contents(t, dir); !maps.Equal(got, map[string]string{"a": ""}) {
		t.Errorf("after 6 s: %q, lost %v; want the name of the first", got, loss)
	}
	writeAt(t, dir+"/a", 0, "one", "")
	passed.Add(31)
	_, err = disk.Cut(0)
	must(t, err)
	if got := contents(t, dir); !maps.Equal(got, map[string]string{"a": "one"}) {
		t.Errorf("after 31 s: %q", got)
	}
}

// TestSectorsAreOldOrNew cuts with seeds: each sector of a file is then what
// stood there at some time since the last sync, or zero where the file grew,
// and one seed gives one result.
func TestSectorsAreOldOrNew(t *testing.T) {
	const sector = 512
	rapid.Check(t, func(rt *rapid.T) {
		n := &node{}
		writes := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) change {
			if rapid.IntRange(0, 5).Draw(rt, "kind") == 0 {
				return change{resize: true, off: rapid.Int64Range(0, 8*sector).Draw(rt, "size")}
			}
			off := rapid.Int64Range(0, 6*sector).Draw(rt, "off")
			return change{off: off, data: bytes.Repeat([]byte{rapid.Byte().Draw(rt, "byte")}, rapid.IntRange(1, 3*sector).Draw(rt, "len"))}
		}), 1, 12).Draw(rt, "writes")
		synced := rapid.IntRange(0, len(writes)).Draw(rt, "synced")
		var was [][]byte // every state since the sync
		for i, c := range writes {
			if n.do(c); i < synced {
				n.sync()
			}
			if i >= synced-1 {
				was = append(was, slices.Clone(n.data))
			}
		}
		if synced == 0 {
			was = append(was, nil)
		}
		seed := rapid.Uint64Min(1).Draw(rt, "seed")
		var l, again Loss
		got := n.remains(seeded(seed), sector, &l)
		if twice := n.remains(seeded(seed), sector, &again); !bytes.Equal(got, twice) || l != again {
			rt.Fatalf("seed %d gave two results", seed)
		}
		if all := n.remains(nil, sector, new(Loss)); !bytes.Equal(all, n.durable) {
			rt.Fatal("without a seed something unsynced survived")
		}
		// Bytes, not sectors: a write may begin within one.
		for i, b := range got {
			ok := b == 0 && i >= len(n.durable)
			for _, w := range was {
				ok = ok || i < len(w) && w[i] == b || b == 0 && i >= len(w)
			}
			if !ok {
				rt.Fatalf("byte %d is %d, which never stood there", i, b)
			}
		}
	})
}

// TestSeedsReachBoth makes sure that seeds are not all alike: of one unsynced
// append some seeds keep all, some nothing, some a part, and names likewise.
func TestSeedsReachBoth(t *testing.T) {
	seen := map[string]int{}
	for seed := uint64(1); seed <= 200; seed++ {
		disk := New(Options{})
		a := disk.tree.add(regMode | 0o600)
		if e := disk.tree.rename(edit{disk.tree.root, "a", a}); e != 0 {
			t.Fatal(e)
		}
		disk.tree.syncDir(disk.tree.root)
		disk.tree.write(a, 0, []byte(strings.Repeat("x", 4000)))
		disk.tree.rename(edit{disk.tree.root, "b", disk.tree.add(regMode)})
		if _, err := disk.Cut(seed); err != nil {
			t.Fatal(err)
		}
		root := disk.tree.root
		switch n := bytes.Count(root.names["a"].data, []byte("x")); n {
		case 0:
			seen["nothing"]++
		case 4000:
			seen["all"]++
		default:
			seen["part"]++
		}
		if root.names["b"] != nil {
			seen["name"]++
		}
	}
	for _, what := range []string{"nothing", "all", "part", "name"} {
		if seen[what] < 20 || seen[what] > 180 {
			t.Errorf("of 200 seeds %d left %s", seen[what], what)
		}
	}
}
