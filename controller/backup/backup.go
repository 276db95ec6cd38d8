// Package backup makes one file of all that a controller cannot do without,
// and puts such a file in place: the database, the trust folder and the clips.
//
// The file is a tar archive. Its first entry, gatecast-backup.json, names
// every other entry with its size and SHA-256; gatecast.db is a compact copy
// of the database as of one instant, trust/ and media/ are the folders. It
// holds the signing keys and is readable by its owner only.
//
// A backup is plain or sealed. A plain one lacks the key of sealed fields
// (package vault), so that telephone numbers cannot be read from it alone: keep
// a copy of trust/vault.key where the backups are not, and put it into the
// trust folder before restoring on another machine. A sealed one is encrypted
// under a passphrase, has that key too, and is all that a new machine needs.
//
// Make may run while the controller does. Restore wants it stopped, checks
// everything before it changes anything, and keeps what it replaces in a folder
// beside. A Night makes a sealed backup every night and opens what it wrote.
package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/controller/vault"
	"gatecast/internal/durable"
	"gatecast/internal/wire"
)

// Names inside a backup and a data folder.
const (
	headerName = "gatecast-backup.json"
	dbName     = "gatecast.db"
)

var folders = []string{"trust", "media"}

// format is the version of the form of backups.
const format = 1

// header is the first entry.
type header struct {
	Format  int     `json:"format"`
	MadeUS  int64   `json:"made_us"` // before the database was copied: what came later may be missing
	Program string  `json:"program"` // version that made it
	Files   []entry `json:"files"`
}

// entry is one of the other entries.
type entry struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex
}

// Summary says what a backup holds.
type Summary struct {
	Path  string
	Made  time.Time
	Files int
	Bytes int64
}

// Make writes a plain backup of the data folder dir to file, which must not
// exist. On return it survives power loss; on an error nothing is left of it.
// program is the version that makes it.
func Make(ctx context.Context, dir, file, program string, now time.Time) (Summary, error) {
	return MakeSealed(ctx, dir, file, program, "", now)
}

// MakeSealed is Make for a backup under a passphrase; an empty one makes a
// plain backup.
func MakeSealed(ctx context.Context, dir, file, program, passphrase string, now time.Time) (Summary, error) {
	if _, err := os.Lstat(file); err == nil {
		return Summary{}, &fleet.Error{
			Code:   fleet.Conflict,
			Text:   fmt.Sprintf("备份文件 %s 已经存在，请换一个名字。", file),
			TextEN: fmt.Sprintf("Backup file %s exists already. Choose another name.", file),
		}
	}
	work, err := os.MkdirTemp(filepath.Dir(file), ".gatecast-backup-")
	if err != nil {
		return Summary{}, fmt.Errorf("making backup %q: %w", file, err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // a folder left over is only ugly
	copied := filepath.Join(work, dbName)
	if err := store.CopyFile(ctx, filepath.Join(dir, dbName), copied); err != nil {
		return Summary{}, err
	}
	h := header{Format: format, MadeUS: wire.US(now), Program: program}
	sources := map[string]string{dbName: copied}
	for _, folder := range folders {
		if err := list(dir, folder, passphrase != "", sources); err != nil {
			return Summary{}, fmt.Errorf("making backup %q: %w", file, err)
		}
	}
	s := Summary{Path: file, Made: wire.FromUS(h.MadeUS), Files: len(sources)}
	for name, src := range sources {
		e, err := describe(name, src)
		if err != nil {
			return Summary{}, fmt.Errorf("making backup %q: %w", file, err)
		}
		s.Bytes += e.Size
		h.Files = append(h.Files, e)
	}
	slices.SortFunc(h.Files, func(a, b entry) int { // the database first
		if (a.Name == dbName) != (b.Name == dbName) {
			if a.Name == dbName {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	whole := filepath.Join(work, "whole")
	if err := write(ctx, whole, passphrase, h, sources); err != nil {
		return Summary{}, fmt.Errorf("making backup %q: %w", file, err)
	}
	return s, durable.Rename(whole, file)
}

// list adds the regular files of a folder, by their names in the backup; those
// that may lie under a passphrase only, if secrets.
func list(dir, folder string, secrets bool, sources map[string]string) error {
	root := filepath.Join(dir, folder)
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !secrets && (d.Name() == vault.KeyFile || d.Name() == PassphraseFile) || strings.HasSuffix(p, ".tmp") || strings.HasSuffix(p, ".part") {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		sources[filepath.ToSlash(rel)] = p
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // an office without clips yet
	}
	return err
}

func describe(name, src string) (entry, error) {
	f, err := os.Open(src)
	if err != nil {
		return entry{}, err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	return entry{Name: name, Size: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, err
}

// write makes the archive and syncs it.
func write(ctx context.Context, file, passphrase string, h header, sources map[string]string) (err error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var out io.Writer = f
	end := func() error { return nil }
	if passphrase != "" {
		s, err := newSealWriter(f, passphrase)
		if err != nil {
			return err
		}
		out, end = s, s.Close
	}
	w := tar.NewWriter(out)
	text, err := json.MarshalIndent(h, "", " ")
	if err != nil {
		return fmt.Errorf("encoding contents: %w", err)
	}
	put := func(name string, size int64, r io.Reader) error {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: wire.FromUS(h.MadeUS), Format: tar.FormatPAX}); err != nil {
			return err
		}
		_, err := io.CopyN(w, r, size)
		return err
	}
	if err := put(headerName, int64(len(text)), strings.NewReader(string(text))); err != nil {
		return err
	}
	for _, e := range h.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		src, err := os.Open(sources[e.Name])
		if err != nil {
			return err
		}
		err = put(e.Name, e.Size, src)
		if err := errors.Join(err, src.Close()); err != nil {
			return fmt.Errorf("adding %q: %w", e.Name, err)
		}
	}
	if err := errors.Join(w.Close(), end()); err != nil {
		return err
	}
	return f.Sync()
}

// maxHeader bounds what is read of a file before it is known to be a backup:
// 100,000 clips have 20 MB of names.
const maxHeader = 32 << 20

// parseHeader reads the first entry. Names that are not of a data folder make
// it an error, so that nothing can be written elsewhere.
func parseHeader(text []byte) (header, error) {
	var h header
	if err := json.Unmarshal(text, &h); err != nil {
		return h, err
	}
	if h.Format != format {
		return h, fmt.Errorf("backup of form %d: this program knows %d", h.Format, format)
	}
	seen := map[string]bool{}
	for _, e := range h.Files {
		first, _, nested := strings.Cut(e.Name, "/")
		good := e.Name == dbName || nested && slices.Contains(folders, first)
		if !good || path.Clean(e.Name) != e.Name || !filepath.IsLocal(filepath.FromSlash(e.Name)) || seen[e.Name] || e.Size < 0 {
			return h, fmt.Errorf("file %q is not of a data folder", e.Name)
		}
		seen[e.Name] = true
	}
	if !seen[dbName] {
		return h, errors.New("there is no database in it")
	}
	return h, nil
}
