package dossier

import (
	"archive/zip"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/durable"
	"gatecast/internal/evidence"
)

// files takes one file after the other; creating the next ends the one before.
type files interface {
	create(name string) (io.Writer, error)
	close() error
}

// archive writes a zip archive.
type archive struct {
	z  *zip.Writer
	at time.Time
}

func newArchive(w io.Writer, at time.Time) *archive { return &archive{zip.NewWriter(w), at} }

func (a *archive) create(name string) (io.Writer, error) {
	return a.z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: a.at})
}

func (a *archive) close() error { return a.z.Close() }

// folder writes files below a folder.
type folder struct {
	dir string
	f   *os.File
	w   *bufio.Writer
}

func newFolder(dir string) (*folder, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("opening folder: %w", err)
	}
	if len(entries) > 0 {
		return nil, &fleet.Error{
			Code:   fleet.Conflict,
			Text:   fmt.Sprintf("目录 %s 不是空的，请换一个。", dir),
			TextEN: fmt.Sprintf("Folder %s is not empty. Choose another one.", dir),
		}
	}
	return &folder{dir: dir}, durable.MkdirAll(dir, 0o755)
}

func (d *folder) create(name string) (io.Writer, error) {
	if err := d.end(); err != nil {
		return nil, err
	}
	path := filepath.Join(d.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	d.f, d.w = f, bufio.NewWriter(f)
	return d.w, nil
}

func (d *folder) end() error {
	if d.f == nil {
		return nil
	}
	err := errors.Join(d.w.Flush(), d.f.Sync(), d.f.Close())
	d.f = nil
	return err
}

func (d *folder) close() error { return d.end() }

// sums takes files and remembers their SHA-256.
type sums struct {
	files files
	list  []evidence.ContentsSum
	hash  hash.Hash
	size  int64
	w     io.Writer
}

// create begins a file.
func (s *sums) create(name string) (io.Writer, error) {
	s.finish()
	w, err := s.files.create(name)
	if err != nil {
		return nil, fmt.Errorf("writing %q: %w", name, err)
	}
	s.list = append(s.list, evidence.ContentsSum{File: name})
	s.hash, s.size, s.w = sha256.New(), 0, w
	return s, nil
}

func (s *sums) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.hash.Write(p[:n])
	s.size += int64(n)
	return n, err
}

func (s *sums) finish() {
	if s.hash != nil {
		last := &s.list[len(s.list)-1]
		last.SHA256, last.Size = hex.EncodeToString(s.hash.Sum(nil)), s.size
		s.hash = nil
	}
}

// all ends the last file and returns what was written.
func (s *sums) all() ([]evidence.ContentsSum, error) {
	s.finish()
	return s.list, nil
}

// whole writes one file at once.
func (s *sums) whole(name string, data []byte) error {
	w, err := s.create(name)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}
