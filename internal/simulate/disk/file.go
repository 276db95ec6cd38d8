package disk

import (
	"io"
	"io/fs"
	"syscall"
)

// file is an open file.
type file struct {
	d       *Disk  // immutable
	n       *node  // immutable; guarded by d.mu
	path    string // immutable, for errors
	reads   bool   // immutable
	writes  bool   // immutable
	appends bool   // immutable

	at     int64 // guarded by d.mu
	closed bool  // guarded by d.mu
}

// Read implements durable.File.
func (f *file) Read(p []byte) (n int, err error) {
	err = f.d.look("read", f.path, func() error {
		n, err = f.read(p, f.at)
		f.at += int64(n)
		return err
	})
	return n, err
}

// ReadAt implements durable.File.
func (f *file) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.d.look("read", f.path, func() error {
		if n, err = f.read(p, off); err == nil && n < len(p) {
			err = io.EOF
		}
		return err
	})
	return n, err
}

func (f *file) read(p []byte, off int64) (int, error) {
	switch {
	case f.closed:
		return 0, fs.ErrClosed
	case !f.reads:
		return 0, syscall.EBADF
	case f.n.bad:
		return 0, syscall.EIO
	case off >= int64(len(f.n.cache)) && len(p) > 0:
		return 0, io.EOF
	}
	return copy(p, f.n.cache[min(off, int64(len(f.n.cache))):]), nil
}

// Write implements durable.File.
func (f *file) Write(p []byte) (n int, err error) {
	err = f.d.do("write", f.path, func() error {
		if f.appends {
			f.at = int64(len(f.n.cache))
		}
		n, err = f.write(p, f.at)
		f.at += int64(n)
		return err
	})
	return n, err
}

// WriteAt implements durable.File.
func (f *file) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.d.do("write", f.path, func() error {
		n, err = f.write(p, off)
		return err
	})
	return n, err
}

// write takes as much of p as there is space for.
func (f *file) write(p []byte, off int64) (int, error) {
	if err := f.writable(); err != nil {
		return 0, err
	}
	want := len(p)
	p = p[:max(0, f.d.fit(f.n, off+int64(want))-off)]
	if len(p) > 0 {
		f.d.used -= f.n.space()
		f.n.write(p, off)
		f.d.used += f.n.space()
		f.d.count.Written += int64(len(p))
	}
	if len(p) < want {
		return len(p), syscall.ENOSPC
	}
	return len(p), nil
}

func (f *file) writable() error {
	switch {
	case f.closed:
		return fs.ErrClosed
	case !f.writes:
		return syscall.EBADF
	}
	return nil
}

// fit returns up to which size n can grow, at most want.
func (d *Disk) fit(n *node, want int64) int64 {
	if d.limit == 0 || !n.linked {
		return want
	}
	return min(want, max(n.space(), (d.limit-d.used+n.space())/page*page))
}

// Truncate implements durable.File. What was reserved behind the end is given
// back.
func (f *file) Truncate(size int64) error {
	return f.d.do("truncate", f.path, func() error {
		if err := f.writable(); err == syscall.EBADF {
			return syscall.EINVAL // as ftruncate(2) says it
		} else if err != nil {
			return err
		}
		f.d.used -= f.n.space()
		f.n.reserved = 0
		f.n.truncate(size)
		f.d.used += f.n.space()
		return nil
	})
}

// Reserve implements durable.File.
func (f *file) Reserve(bytes int64) error {
	return f.d.do("reserve", f.path, func() error {
		if err := f.writable(); err != nil {
			return err
		}
		if f.d.fit(f.n, bytes) < bytes {
			return syscall.ENOSPC
		}
		f.d.used -= f.n.space()
		f.n.reserved = max(f.n.reserved, bytes)
		f.d.used += f.n.space()
		return nil
	})
}

// Sync implements durable.File.
func (f *file) Sync() error { return f.sync() }

// SyncData implements durable.File. There are no times here.
func (f *file) SyncData() error { return f.sync() }

func (f *file) sync() error {
	return f.d.do(opSync, f.path, func() error {
		if f.closed {
			return fs.ErrClosed
		}
		f.d.count.Syncs++
		if f.d.faults.strikes(&f.d.faults.sync) {
			f.n.failSync(f.d.rand)
			return syscall.EIO
		}
		f.n.sync()
		return nil
	})
}

// Close implements durable.File. It syncs nothing.
func (f *file) Close() error {
	return f.d.look("close", f.path, func() error {
		if f.closed {
			return fs.ErrClosed
		}
		f.closed = true
		return nil
	})
}
