package lossyfs

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// server is one mount of a tree.
type server struct {
	dir string
	srv *fuse.Server
}

// serve mounts t at dir and returns when it can be used.
func serve(t *tree, dir string) (*server, error) {
	// Not by fusermount, and closed on exec: a child with this descriptor
	// would keep the mount alive without anybody who serves it.
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening /dev/fuse: %w", err)
	}
	data := fmt.Sprintf("fd=%d,rootmode=40000,user_id=%d,group_id=%d,allow_other,default_permissions", fd, os.Geteuid(), os.Getegid())
	if err := unix.Mount("lossyfs", dir, "fuse.lossyfs", unix.MS_NOSUID|unix.MS_NODEV, data); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	srv, err := fuse.NewServer(&wires{RawFileSystem: fuse.NewDefaultRawFileSystem(), t: t, dirs: map[uint64]*listing{}},
		fmt.Sprintf("/dev/fd/%d", fd), &fuse.MountOptions{
			DisableXAttrs: true, DisableReadDirPlus: true, DisableSplice: true,
			MaxWrite: 128 << 10, Logger: log.New(os.Stderr, "lossyfs: ", 0),
		})
	if err != nil {
		return nil, errors.Join(err, unix.Unmount(dir, unix.MNT_DETACH))
	}
	s := &server{dir: dir, srv: srv}
	go srv.Serve() // ends when the kernel has let the mount go, at the latest with the last open file
	if err := noPoll(dir); err != nil {
		return nil, errors.Join(err, s.detach())
	}
	return s, nil
}

// noPoll makes the kernel ask once whether files here can be polled, by a name
// that the library knows and answers with no. Without it the runtime's poller
// could hold the last thread that there is to answer.
func noPoll(dir string) error {
	fd, err := unix.Open(filepath.Join(dir, ".go-fuse-epoll-hack"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening poll probe: %w", err)
	}
	_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0) // the answer does not matter
	return unix.Close(fd)
}

// detach takes the mount out of the tree of folders. Who has files open keeps
// them.
func (s *server) detach() error {
	return unix.Unmount(s.dir, unix.MNT_DETACH)
}
