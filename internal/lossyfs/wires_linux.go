package lossyfs

import (
	"maps"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// The kernel is the only way to the tree: what it knows stays true.
const attrTimeout = time.Hour

// wires answers the kernel's requests from a tree. What it does not implement
// is ENOSYS, by the embedded default.
type wires struct {
	fuse.RawFileSystem
	t *tree

	// Guarded by t.mu.
	dirs   map[uint64]*listing
	lastFH uint64
}

// listing is a folder as it was when it was opened.
type listing struct{ entries []fuse.DirEntry }

func (w *wires) String() string { return "lossyfs" }

// node returns the node of an id; the kernel only names those that it was
// told of. Callers hold the lock.
func (w *wires) node(id uint64) (*node, fuse.Status) {
	n := w.t.nodes[id]
	if n == nil {
		return nil, fuse.Status(syscall.ESTALE)
	}
	return n, fuse.OK
}

func (w *wires) attr(n *node, a *fuse.Attr) {
	links := uint32(max(n.links, 0))
	*a = fuse.Attr{
		Ino: n.id, Mode: n.mode, Nlink: links, Owner: fuse.Owner{Uid: n.uid, Gid: n.gid},
		Size: uint64(len(n.data)), Blocks: uint64(len(n.data)+511) / 512, Blksize: 4096,
	}
	if n.isDir() {
		a.Nlink++
	}
	a.SetTimes(&n.mtime, &n.mtime, &n.mtime)
}

// entry tells the kernel of n, which counts as a lookup.
func (w *wires) entry(n *node, out *fuse.EntryOut) {
	n.lookups++
	out.NodeId, out.Generation = n.id, 1
	out.SetEntryTimeout(attrTimeout)
	out.SetAttrTimeout(attrTimeout)
	w.attr(n, &out.Attr)
}

func (w *wires) Lookup(_ <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	dir, st := w.node(h.NodeId)
	if !st.Ok() {
		return st
	}
	n := dir.names[name]
	if n == nil {
		return fuse.ENOENT
	}
	w.entry(n, out)
	return fuse.OK
}

func (w *wires) Forget(id, nlookup uint64) {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	if n := w.t.nodes[id]; n != nil && n != w.t.root {
		n.lookups -= min(nlookup, n.lookups)
		w.t.drop(n)
	}
}

func (w *wires) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	n, st := w.node(in.NodeId)
	if !st.Ok() {
		return st
	}
	out.SetTimeout(attrTimeout)
	w.attr(n, &out.Attr)
	return fuse.OK
}

func (w *wires) SetAttr(_ <-chan struct{}, in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	n, st := w.node(in.NodeId)
	if !st.Ok() {
		return st
	}
	if s, ok := in.GetSize(); ok {
		if n.isDir() {
			return fuse.Status(syscall.EISDIR)
		}
		if e := w.t.resize(n, int64(s)); e != 0 {
			return fuse.Status(e)
		}
	}
	if m, ok := in.GetMode(); ok {
		n.mode = n.mode&syscall.S_IFMT | m
	}
	if u, ok := in.GetUID(); ok {
		n.uid = u
	}
	if g, ok := in.GetGID(); ok {
		n.gid = g
	}
	if m, ok := in.GetMTime(); ok {
		n.mtime = m
	}
	out.SetTimeout(attrTimeout)
	w.attr(n, &out.Attr)
	return fuse.OK
}

// make creates a node under a name that is free.
func (w *wires) make(h *fuse.InHeader, name string, mode uint32, out *fuse.EntryOut) fuse.Status {
	dir, st := w.node(h.NodeId)
	if !st.Ok() {
		return st
	}
	if dir.names[name] != nil {
		return fuse.Status(syscall.EEXIST)
	}
	n := w.t.add(mode)
	n.uid, n.gid = h.Uid, h.Gid
	if e := w.t.rename(edit{dir, name, n}); e != 0 {
		return fuse.Status(e)
	}
	w.entry(n, out)
	return fuse.OK
}

func (w *wires) Mkdir(_ <-chan struct{}, in *fuse.MkdirIn, name string, out *fuse.EntryOut) fuse.Status {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	return w.make(&in.InHeader, name, dirMode|in.Mode&0o7777, out)
}

func (w *wires) Mknod(_ <-chan struct{}, in *fuse.MknodIn, name string, out *fuse.EntryOut) fuse.Status {
	if in.Mode&syscall.S_IFMT != regMode {
		return fuse.EPERM
	}
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	return w.make(&in.InHeader, name, in.Mode, out)
}

func (w *wires) Create(_ <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	if st := w.make(&in.InHeader, name, regMode|in.Mode&0o7777, &out.EntryOut); !st.Ok() {
		return st
	}
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	return fuse.OK
}

func (w *wires) Unlink(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	return w.remove(h.NodeId, name)
}

func (w *wires) Rmdir(_ <-chan struct{}, h *fuse.InHeader, name string) fuse.Status {
	return w.remove(h.NodeId, name)
}

func (w *wires) remove(id uint64, name string) fuse.Status {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	dir, st := w.node(id)
	if !st.Ok() {
		return st
	}
	n := dir.names[name]
	if n == nil {
		return fuse.ENOENT
	}
	if len(n.names) > 0 {
		return fuse.Status(syscall.ENOTEMPTY)
	}
	return fuse.Status(w.t.rename(edit{dir, name, nil}))
}

func (w *wires) Rename(_ <-chan struct{}, in *fuse.RenameIn, from, to string) fuse.Status {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	src, st := w.node(in.NodeId)
	if !st.Ok() {
		return st
	}
	dst, st := w.node(in.Newdir)
	if !st.Ok() {
		return st
	}
	n, old := src.names[from], dst.names[to]
	switch {
	case n == nil:
		return fuse.ENOENT
	case in.Flags&^unix.RENAME_NOREPLACE != 0:
		return fuse.EINVAL
	case old != nil && in.Flags&unix.RENAME_NOREPLACE != 0:
		return fuse.Status(syscall.EEXIST)
	case old == n:
		return fuse.OK
	case old != nil && len(old.names) > 0:
		return fuse.Status(syscall.ENOTEMPTY)
	}
	return fuse.Status(w.t.rename(edit{dst, to, n}, edit{src, from, nil}))
}

func (w *wires) Open(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	n, st := w.node(in.NodeId)
	if !st.Ok() {
		return st
	}
	if in.Flags&syscall.O_TRUNC != 0 {
		if e := w.t.resize(n, 0); e != 0 {
			return fuse.Status(e)
		}
	}
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE
	return fuse.OK
}

func (w *wires) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	n, st := w.node(in.NodeId)
	if !st.Ok() {
		return nil, st
	}
	// Also of a dead tree: a page fault that is not answered ends a process by
	// SIGBUS, and one that lost its power writes nothing any more.
	if in.Offset >= uint64(len(n.data)) {
		return fuse.ReadResultData(nil), fuse.OK
	}
	return fuse.ReadResultData(buf[:copy(buf, n.data[in.Offset:])]), fuse.OK
}

func (w *wires) Write(_ <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	n, st := w.node(in.NodeId)
	if !st.Ok() {
		return 0, st
	}
	if e := w.t.write(n, int64(in.Offset), data); e != 0 {
		return 0, fuse.Status(e)
	}
	return uint32(len(data)), fuse.OK
}

// Writev leaves all writes to Write.
func (w *wires) Writev(<-chan struct{}, *fuse.WriteIn, [][]byte) (uint32, fuse.Status) {
	return 0, fuse.ENOSYS
}

func (w *wires) Fsync(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	n, st := w.node(in.NodeId)
	if !st.Ok() {
		return st
	}
	return fuse.Status(w.t.syncFile(n))
}

func (w *wires) FsyncDir(_ <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	n, st := w.node(in.NodeId)
	if !st.Ok() {
		return st
	}
	return fuse.Status(w.t.syncDir(n))
}

// Fallocate knows two modes: grow, and reserve behind the end, which needs
// nothing here because the disk is never full.
func (w *wires) Fallocate(_ <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	n, st := w.node(in.NodeId)
	switch {
	case !st.Ok():
		return st
	case in.Mode == unix.FALLOC_FL_KEEP_SIZE:
		return fuse.OK
	case in.Mode != 0:
		return fuse.Status(syscall.EOPNOTSUPP)
	}
	return fuse.Status(w.t.resize(n, max(int64(len(n.data)), int64(in.Offset+in.Length))))
}

func (w *wires) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	dir, st := w.node(in.NodeId)
	if !st.Ok() {
		return st
	}
	l := &listing{entries: []fuse.DirEntry{{Name: ".", Ino: dir.id, Mode: dirMode}, {Name: "..", Ino: dir.id, Mode: dirMode}}}
	for _, name := range sorted(maps.Keys(dir.names)) {
		n := dir.names[name]
		l.entries = append(l.entries, fuse.DirEntry{Name: name, Ino: n.id, Mode: n.mode})
	}
	w.lastFH++
	w.dirs[w.lastFH], out.Fh = l, w.lastFH
	return fuse.OK
}

func (w *wires) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	l := w.dirs[in.Fh]
	if l == nil {
		return fuse.EBADF
	}
	for i := int(in.Offset); i < len(l.entries); i++ {
		e := l.entries[i]
		e.Off = uint64(i + 1)
		if !out.AddDirEntry(e) {
			break
		}
	}
	return fuse.OK
}

func (w *wires) ReleaseDir(in *fuse.ReleaseIn) {
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	delete(w.dirs, in.Fh)
}

func (w *wires) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	const blocks = 1 << 24 // of 4 KiB: 64 GiB, always free
	*out = fuse.StatfsOut{Blocks: blocks, Bfree: blocks, Bavail: blocks, Files: 1 << 20, Ffree: 1 << 20, Bsize: 4096, Frsize: 4096, NameLen: 255}
	return fuse.OK
}

func (w *wires) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.OK }
func (w *wires) Release(<-chan struct{}, *fuse.ReleaseIn)         {}
func (w *wires) Access(<-chan struct{}, *fuse.AccessIn) fuse.Status {
	return fuse.ENOSYS // the kernel checks, by default_permissions
}
