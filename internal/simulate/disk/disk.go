package disk

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"

	"gatecast/internal/durable"
)

// ErrPower is returned by every call on a disk whose power was cut, or whose
// program was killed, until and after the next disk was made by Boot or Kill.
var ErrPower = errors.New("no power")

// Disk is a simulated disk in the hands of one run of a program.
type Disk struct {
	mu     sync.Mutex
	rand   *rand.Rand
	root   *node
	locks  map[string]bool
	used   int64
	limit  int64 // 0 for none
	dead   bool
	after  *Disk // made by Boot or Kill
	count  Count
	faults faults
}

// Count tells what a disk was made to do, over all its boots.
type Count struct {
	Ops      int   // calls that change something: those that power can be cut at
	Syncs    int   // of files, also failed ones
	DirSyncs int   // of directories, also failed ones
	Written  int64 // bytes, of content
}

var _ durable.FS = (*Disk)(nil)

// New returns an empty disk whose losses are drawn from r, which it owns from
// now on.
func New(r *rand.Rand) *Disk {
	return &Disk{rand: r, root: newDir(), locks: make(map[string]bool)}
}

// Boot returns what the disk holds after a power cut, which happens now unless
// it has happened before. d and its files are dead from then on. A limit and
// bad files stay, armed faults do not. Called again it returns the same disk.
func (d *Disk) Boot() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
	if d.after == nil {
		d.after = d.next(d.root.cut(d.rand))
	}
	return d.after
}

// Kill returns the disk as the next program sees it when this one was killed:
// nothing is lost, also not what was never synced. d and its files are dead
// from then on; faults stay armed. After a power cut it is Boot.
func (d *Disk) Kill() *Disk {
	d.mu.Lock()
	if !d.dead {
		d.dead, d.after = true, d.next(d.root)
		d.after.faults = d.faults
	}
	d.mu.Unlock()
	return d.Boot()
}

// next returns the disk that follows d.
func (d *Disk) next(root *node) *Disk {
	n := &Disk{rand: d.rand, root: root, locks: make(map[string]bool), limit: d.limit, count: d.count}
	root.each("", func(_ string, f *node) { n.used += f.space() })
	return n
}

// PowerCut ends all use of d. What survives is drawn by Boot.
func (d *Disk) PowerCut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead = true
}

// Count returns the numbers so far.
func (d *Disk) Count() Count {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count
}

// Used returns how much space is taken, in bytes.
func (d *Disk) Used() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.used
}

// Files returns the paths of all files, sorted.
func (d *Disk) Files() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []string
	d.root.each("", func(p string, _ *node) { all = append(all, p) })
	return all
}

// clean returns p as a path below the root.
func clean(p string) string { return path.Clean("/" + p) }

// find returns the node at p.
func (d *Disk) find(p string) (*node, error) {
	n := d.root
	for _, name := range strings.FieldsFunc(clean(p), func(c rune) bool { return c == '/' }) {
		if !n.isDir() {
			return nil, syscall.ENOTDIR
		}
		next, ok := n.names[name]
		if !ok {
			return nil, fs.ErrNotExist
		}
		n = next
	}
	return n, nil
}

// parent returns the directory that p stands in, and its name there.
func (d *Disk) parent(p string) (*node, string, error) {
	dir, name := path.Split(clean(p))
	n, err := d.find(dir)
	switch {
	case err != nil:
		return nil, "", err
	case !n.isDir():
		return nil, "", syscall.ENOTDIR
	case name == "":
		return nil, "", fs.ErrExist // the root itself
	}
	return n, name, nil
}

// named makes err what package os returns.
func named(op, p string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: p, Err: err}
}

// do runs one operation that changes something.
func (d *Disk) do(op, p string, f func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return named(op, p, ErrPower)
	}
	d.count.Ops++
	if d.faults.strikes(&d.faults.cut) {
		// The call may have got anywhere: a change is made and not synced, a
		// sync is as good as none.
		if op != opSync && op != opSyncDir {
			_ = f()
		}
		d.dead = true
		return named(op, p, ErrPower)
	}
	return named(op, p, f())
}

// look runs one operation that only reads.
func (d *Disk) look(op, p string, f func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return named(op, p, ErrPower)
	}
	if err := f(); err != io.EOF {
		return named(op, p, err)
	}
	return io.EOF
}

const (
	opSync    = "sync"
	opSyncDir = "syncdir"
)

// OpenFile implements durable.FS.
func (d *Disk) OpenFile(p string, flag int, _ fs.FileMode) (durable.File, error) {
	f := &file{d: d, path: p, reads: flag&os.O_WRONLY == 0, writes: flag&(os.O_WRONLY|os.O_RDWR) != 0, appends: flag&os.O_APPEND != 0}
	run := d.look
	if flag&(os.O_CREATE|os.O_TRUNC) != 0 {
		run = d.do
	}
	return f, run("open", p, func() (err error) {
		f.n, err = d.open(p, flag)
		return err
	})
}

func (d *Disk) open(p string, flag int) (*node, error) {
	dir, name, err := d.parent(p)
	if err != nil {
		return nil, err
	}
	n, ok := dir.names[name]
	switch {
	case !ok && flag&os.O_CREATE == 0:
		return nil, fs.ErrNotExist
	case ok && flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		return nil, fs.ErrExist
	case ok && n.isDir():
		return nil, syscall.EISDIR
	case !ok:
		n = newFile()
		n.linked = true
		dir.change(nameOp{{name, n}})
	case flag&os.O_TRUNC != 0:
		d.used -= n.space()
		n.truncate(0)
		d.used += n.space()
	}
	return n, nil
}

// ReadDir implements durable.FS.
func (d *Disk) ReadDir(p string) (names []string, err error) {
	err = d.look("readdir", p, func() error {
		n, err := d.find(p)
		if err != nil {
			return err
		}
		if !n.isDir() {
			return syscall.ENOTDIR
		}
		names = slices.Sorted(maps.Keys(n.names))
		return nil
	})
	return names, err
}

// Stat implements durable.FS.
func (d *Disk) Stat(p string) (i durable.Info, err error) {
	err = d.look("stat", p, func() error {
		n, err := d.find(p)
		if err != nil {
			return err
		}
		i = durable.Info{Size: int64(len(n.cache)), Dir: n.isDir()}
		return nil
	})
	return i, err
}

// Mkdir implements durable.FS.
func (d *Disk) Mkdir(p string, _ fs.FileMode) error {
	return d.do("mkdir", p, func() error {
		dir, name, err := d.parent(p)
		if err != nil {
			return err
		}
		if _, ok := dir.names[name]; ok {
			return fs.ErrExist
		}
		dir.change(nameOp{{name, newDir()}})
		return nil
	})
}

// Rename implements durable.FS, for files within one directory.
func (d *Disk) Rename(from, to string) error {
	return d.do("rename", from, func() error {
		dir, old, err := d.parent(from)
		if err != nil {
			return err
		}
		toDir, name, err := d.parent(to)
		if err != nil {
			return err
		}
		n, ok := dir.names[old]
		replaced := toDir.names[name]
		switch {
		case !ok:
			return fs.ErrNotExist
		case dir != toDir || n.isDir():
			return syscall.EXDEV
		case replaced == n:
			return nil
		case replaced != nil && replaced.isDir():
			return syscall.EISDIR
		case replaced != nil:
			d.unlink(replaced)
		}
		dir.change(nameOp{{old, nil}, {name, n}})
		return nil
	})
}

// Remove implements durable.FS.
func (d *Disk) Remove(p string) error {
	return d.do("remove", p, func() error {
		dir, name, err := d.parent(p)
		if err != nil {
			return err
		}
		n, ok := dir.names[name]
		switch {
		case !ok:
			return fs.ErrNotExist
		case n.isDir() && len(n.names) > 0:
			return syscall.ENOTEMPTY
		}
		d.unlink(n)
		dir.change(nameOp{{name, nil}})
		return nil
	})
}

// unlink gives back the space of a file that loses its name.
func (d *Disk) unlink(n *node) {
	d.used -= n.space()
	n.linked = false
}

// SyncDir implements durable.FS.
func (d *Disk) SyncDir(p string) error {
	return d.do(opSyncDir, p, func() error {
		n, err := d.find(p)
		if err != nil {
			return err
		}
		if !n.isDir() {
			return syscall.ENOTDIR
		}
		d.count.DirSyncs++
		if d.faults.strikes(&d.faults.sync) {
			n.syncNames(pick(d.rand, len(n.ops)))
			return syscall.EIO
		}
		n.syncNames(len(n.ops))
		return nil
	})
}

// Lock implements durable.FS.
func (d *Disk) Lock(p string) (io.Closer, error) {
	f, err := d.OpenFile(p, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if at := clean(p); d.locks[at] {
		return nil, named("lock", p, durable.ErrLocked)
	} else {
		d.locks[at] = true
		return &lock{File: f, d: d, path: at}, nil
	}
}

type lock struct {
	durable.File
	d    *Disk
	path string // cleaned
	once sync.Once
}

func (l *lock) Close() error {
	l.once.Do(func() {
		l.d.mu.Lock()
		defer l.d.mu.Unlock()
		delete(l.d.locks, l.path)
	})
	return l.File.Close()
}
