package main

import (
	"errors"
	"os"
	"syscall"
)

// errHeld says that another process holds the file.
var errHeld = errors.New("held by another process")

// holdFile takes the lock on path, which exists, for as long as the result is
// open. The kernel lets go of it when the process ends, however it ends; the
// processes it starts do not inherit it.
func holdFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errHeld
		}
		return nil, err
	}
	return f, nil
}
