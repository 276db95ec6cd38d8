package store

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
)

// urlPath escapes path for a file: URL.
func urlPath(path string) string { return (&url.URL{Path: path}).EscapedPath() }

// syncFile makes a finished file and its name durable.
func syncFile(path string) error {
	for _, p := range []string{path, filepath.Dir(path)} {
		f, err := os.Open(p)
		if err != nil {
			return fmt.Errorf("syncing %q: %w", p, err)
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("syncing %q: %w", p, err)
		}
	}
	return nil
}
