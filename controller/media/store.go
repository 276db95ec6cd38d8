package media

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gatecast/controller/fleet"
	"gatecast/internal/durable"
)

// Store is the folder with all clips.
type Store struct {
	dir  string        // immutable after New
	busy chan struct{} // one token per upload being decoded
	// create opens the file an upload is streamed to.
	create func() (*os.File, error)

	convert  *Converter // nil means none; not changed once uploads come
	excerpts excerpts
}

// Convert lets s take what c reads, besides WAV, MP3, FLAC and Ogg Vorbis. It
// is called before the first upload; nil means that there is no converter.
func (s *Store) Convert(c *Converter) { s.convert = c }

// atOnce is how many uploads are decoded at a time. One may take 300 MB for some
// seconds; others wait, already on disk.
const atOnce = 1

// New returns the store in dir, which is created where it is missing. Uploads
// and half-written files that a crash left there are removed; nobody else may
// use dir meanwhile.
func New(dir string) (*Store, error) {
	s := &Store{dir: dir, busy: make(chan struct{}, atOnce)}
	s.create = func() (*os.File, error) { return os.CreateTemp(s.sub("incoming"), "upload-*") }
	if err := os.RemoveAll(s.sub("incoming")); err != nil {
		return nil, fmt.Errorf("removing unfinished uploads: %w", err)
	}
	for _, sub := range []string{"clips", "originals", "incoming"} {
		if err := durable.MkdirAll(s.sub(sub), 0o750); err != nil {
			return nil, fmt.Errorf("opening clip store %q: %w", dir, err)
		}
		if _, err := durable.Clean(s.sub(sub)); err != nil {
			return nil, fmt.Errorf("opening clip store %q: %w", dir, err)
		}
	}
	return s, nil
}

func (s *Store) sub(name string) string { return filepath.Join(s.dir, name) }

// Path returns where the delivery form with that SHA-256, in lower-case hex,
// lies or would lie. Anything but 64 such digits yields "".
func (s *Store) Path(sha256 string) string {
	if !isHash(sha256) {
		return ""
	}
	return filepath.Join(s.sub("clips"), sha256+".flac")
}

// OriginalPath returns where the upload with that SHA-256 lies or would lie, ""
// for anything but a hash.
func (s *Store) OriginalPath(sha256 string) string {
	if !isHash(sha256) {
		return ""
	}
	return filepath.Join(s.sub("originals"), sha256)
}

// Open opens a delivery form for reading. A hash that is not there yields a
// *fleet.Error of code NotFound. The caller closes the file.
func (s *Store) Open(sha256 string) (*os.File, error) {
	missing := &fleet.Error{Code: fleet.NotFound, Text: "素材文件不在了", TextEN: "the clip's file is not there"}
	path := s.Path(sha256)
	if path == "" {
		return nil, missing
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		missing.Err = err
		return nil, missing
	}
	return f, err
}

func isHash(s string) bool {
	if len(s) != 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// keep makes data durable at path unless it is there already. What is there
// under the same hash is the same, but a file of another length is damage and
// is replaced.
func keep(path string, data []byte) error {
	if fi, err := os.Stat(path); err == nil && fi.Mode().IsRegular() && fi.Size() == int64(len(data)) {
		return nil
	}
	return durable.WriteFile(path, data, 0o640)
}

// keepFile moves tmp, whose content is synced, to path unless it is there.
func keepFile(tmp, path string, size int64) error {
	if fi, err := os.Stat(path); err == nil && fi.Mode().IsRegular() && fi.Size() == size {
		return os.Remove(tmp)
	}
	if err := os.Chmod(tmp, 0o640); err != nil {
		return fmt.Errorf("setting mode of %q: %w", tmp, err)
	}
	return durable.Rename(tmp, path)
}

func hexOf(sum []byte) string { return hex.EncodeToString(sum) }
