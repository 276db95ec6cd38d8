//go:build !unix

package store

import (
	"errors"
	"io"
	"os"
)

// errLocked says that another process holds the lock; without flock nobody does.
var errLocked = errors.New("locked by another process")

// lockFile opens path; systems without flock get no protection.
func lockFile(path string) (io.Closer, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}
