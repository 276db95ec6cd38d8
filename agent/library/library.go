// Package library keeps clips on the device's disk, by the SHA-256 of their
// bytes.
//
// A clip appears under its name only after its bytes were synced and match
// their hash; until then it is <hash>.part, which a later fetch continues. It
// is verified again each time it is loaded, and once a run before it is called
// ready: a card may forget. A file that does not match is removed, so that the
// next Sync fetches it anew.
//
// A Library is safe for concurrent use; Sync runs one at a time.
package library

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"gatecast/internal/durable"
	"gatecast/internal/wire"
)

// Errors that callers tell apart.
var (
	// ErrMissing means that the clip is not on the disk.
	ErrMissing = errors.New("clip is not here")
	// ErrHash means bytes that do not match their name; they were removed.
	ErrHash = errors.New("clip does not match its hash")
	// ErrContent means bytes that are right and still not the sound that the
	// manifest describes.
	ErrContent = errors.New("clip is not what the manifest describes")
	// ErrFull means that the disk has no space for the clip.
	ErrFull = errors.New("no space left for clips")
)

// maxClipBytes bounds one clip, whatever a manifest says: it is read into
// memory whole.
const maxClipBytes = 64 << 20

// Fetcher gets bytes from the controller.
type Fetcher interface {
	// Fetch opens path from offset on. total is the length of the whole. The
	// caller closes the body.
	Fetch(ctx context.Context, path string, offset int64) (body io.ReadCloser, total int64, err error)
}

// Library is the open library.
type Library struct {
	dir  string         // immutable
	fs   durable.Volume // immutable
	sync sync.Mutex     // held by Sync

	mu       sync.Mutex
	verified map[string]bool  // matched its hash in this run
	mismatch func(sha string) // told of a file that is not what its name says; nil for nobody
}

// Open opens the library in dir, creating it when there is none. disk is where
// dir is; nil means the real one.
func Open(dir string, disk durable.FS) (*Library, error) {
	v := durable.On(disk)
	if err := v.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening library: %w", err)
	}
	if _, err := v.Clean(dir); err != nil {
		return nil, fmt.Errorf("opening library: %w", err)
	}
	return &Library{dir: dir, fs: v, verified: make(map[string]bool)}, nil
}

func (l *Library) path(sha string) string { return filepath.Join(l.dir, sha) }

// Have reports whether the clip is here and matched its hash in this run; the
// first call for a clip reads it whole.
func (l *Library) Have(sha string) bool {
	if !validName(sha) {
		return false
	}
	l.mu.Lock()
	known := l.verified[sha]
	l.mu.Unlock()
	if known {
		_, err := l.fs.Stat(l.path(sha))
		return err == nil
	}
	_, err := l.read(sha)
	return err == nil
}

// Missing returns those of want that are not here, in order.
func (l *Library) Missing(want []string) []string {
	var missing []string
	for _, sha := range want {
		if !l.Have(sha) {
			missing = append(missing, sha)
		}
	}
	return missing
}

// read returns the bytes of a clip that match its hash.
func (l *Library) read(sha string) ([]byte, error) {
	if !validName(sha) {
		return nil, fmt.Errorf("clip %q: %w", sha, ErrMissing)
	}
	f, err := l.fs.OpenFile(l.path(sha), os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("clip %s: %w", sha, ErrMissing)
	}
	if err != nil {
		return nil, fmt.Errorf("reading clip: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxClipBytes+1))
	if err != nil {
		// It stays, and what is fetched in its place goes to other sectors.
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.verified, sha)
		return nil, fmt.Errorf("reading clip: %w", err)
	}
	sum := sha256.Sum256(data)
	l.mu.Lock()
	if l.verified[sha] = hex.EncodeToString(sum[:]) == sha; l.verified[sha] {
		l.mu.Unlock()
		return data, nil
	}
	delete(l.verified, sha)
	err = fmt.Errorf("clip %s: %w", sha, ErrHash)
	if rerr := l.fs.Remove(l.path(sha)); rerr != nil {
		err = errors.Join(err, rerr)
	}
	tell := l.mismatch
	l.mu.Unlock()
	if tell != nil {
		tell(sha)
	}
	return nil, err
}

// OnMismatch has tell called for each file that was found not to be what its
// name says, after it was removed. Nobody can say whether a hand or the card
// changed it.
func (l *Library) OnMismatch(tell func(sha string)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mismatch = tell
}

// Sync fetches those of want that are missing, one after the other, and goes
// on to the next when one fails. The errors are joined; ctx's ends it. A
// partial fetch is continued by the next Sync. How callers spread their
// fetches over time is theirs.
func (l *Library) Sync(ctx context.Context, want []wire.ManifestClip, fetch Fetcher) error {
	l.sync.Lock()
	defer l.sync.Unlock()
	var errs []error
	for _, c := range want {
		if l.Have(c.SHA256) {
			continue
		}
		if err := l.fetch(ctx, c, fetch); err != nil {
			errs = append(errs, fmt.Errorf("fetching clip %s: %w", c.SHA256, err))
			if ctx.Err() != nil || errors.Is(err, ErrFull) {
				break
			}
		}
	}
	return errors.Join(errs...)
}

func (l *Library) fetch(ctx context.Context, c wire.ManifestClip, fetch Fetcher) error {
	if !validName(c.SHA256) || c.Bytes <= 0 || c.Bytes > maxClipBytes {
		return fmt.Errorf("%w: %d bytes", ErrContent, c.Bytes)
	}
	part := l.path(c.SHA256) + partSuffix
	for again := true; again; {
		sum, have, err := l.resume(part, c.Bytes)
		if err != nil {
			return err
		}
		if err := l.download(ctx, c, part, have, sum, fetch); err != nil {
			return err
		}
		if hex.EncodeToString(sum.Sum(nil)) == c.SHA256 {
			break
		}
		if err := l.fs.Remove(part); err != nil || have == 0 {
			return errors.Join(ErrHash, err)
		}
		// A power cut may have left holes in what was fetched before.
	}
	if err := l.fs.Replace(part, l.path(c.SHA256)); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.verified[c.SHA256] = true
	return nil
}

const partSuffix = ".part"

// resume hashes what an earlier fetch left; more than there can be, or what
// cannot be read, is thrown away.
func (l *Library) resume(part string, size int64) (sum hash.Hash, have int64, err error) {
	sum = sha256.New()
	f, err := l.fs.OpenFile(part, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return sum, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	if have, err = io.Copy(sum, io.LimitReader(f, size+1)); err != nil || have > size {
		sum.Reset()
		return sum, 0, l.fs.Remove(part)
	}
	return sum, have, nil
}

// download appends the rest of c to part and syncs it, also when nothing is to
// be appended: an earlier run may have ended before its sync. What arrived
// before an error stays for the next try, except on a full disk, where records
// need the space more, and after a failed sync, which leaves nobody knowing
// what is on the disk.
func (l *Library) download(ctx context.Context, c wire.ManifestClip, part string, have int64, sum hash.Hash, fetch Fetcher) (err error) {
	var body io.Reader = strings.NewReader("")
	if have < c.Bytes {
		b, total, err := fetch.Fetch(ctx, wire.PathClips+c.SHA256, have)
		if err != nil {
			return err
		}
		defer b.Close()
		if total != c.Bytes {
			return fmt.Errorf("%w: the controller has %d bytes, the manifest %d", ErrContent, total, c.Bytes)
		}
		body = io.LimitReader(b, c.Bytes-have)
	}
	f, err := l.fs.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return full(err)
	}
	n, err := io.Copy(io.MultiWriter(f, sum), body)
	if err == nil && have+n < c.Bytes {
		err = fmt.Errorf("broke off at %d of %d bytes: %w", have+n, c.Bytes, io.ErrUnexpectedEOF)
	}
	serr := f.Sync()
	err = full(errors.Join(err, serr, f.Close()))
	if serr != nil || errors.Is(err, ErrFull) {
		err = errors.Join(err, l.fs.Remove(part))
	}
	return err
}

// full marks an error of a full disk.
func full(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// Evict removes every clip that is not in keep, whole or partial.
func (l *Library) Evict(keep []string) error {
	l.sync.Lock()
	defer l.sync.Unlock()
	names, err := l.fs.ReadDir(l.dir)
	if err != nil {
		return fmt.Errorf("evicting clips: %w", err)
	}
	var errs []error
	for _, name := range names {
		sha := strings.TrimSuffix(name, partSuffix)
		if !validName(sha) || slices.Contains(keep, sha) {
			continue
		}
		if err := l.fs.Remove(filepath.Join(l.dir, name)); err != nil {
			errs = append(errs, fmt.Errorf("evicting clip: %w", err))
		}
		l.mu.Lock()
		delete(l.verified, sha)
		l.mu.Unlock()
	}
	return errors.Join(errs...)
}

// Names returns the hashes of all clips that have a file here, whole or
// partial, as the folder has them now.
func (l *Library) Names() ([]string, error) {
	files, err := l.fs.ReadDir(l.dir)
	if err != nil {
		return nil, fmt.Errorf("listing clips: %w", err)
	}
	var names []string
	for _, file := range files {
		if sha := strings.TrimSuffix(file, partSuffix); validName(sha) && !slices.Contains(names, sha) {
			names = append(names, sha)
		}
	}
	return names, nil
}

// validName reports whether sha is the hex of a SHA-256, and so a safe name.
func validName(sha string) bool {
	if len(sha) != 2*sha256.Size {
		return false
	}
	for _, c := range sha {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
