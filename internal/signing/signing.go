// Package signing carries what the library role is to sign from the office to
// the approver's machine, and shows there what it is.
//
// A bundle is a zip file with three kinds of members:
//
//	request.json        the unsigned manifest, and the words of each clip
//	previous.json       the envelope of the manifest in force, if there is one
//	clips/SHA256.flac   the delivery form of the clips that are new against it
//
// The machine that reads a bundle believes nothing in it: clips are known by
// their hash, decoded and measured there, and the manifest before counts only
// by the approver's own signature. What is signed is the manifest of the
// request, byte by byte as it was reviewed. A Bundle is not safe for concurrent
// use.
package signing

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// Bounds of a bundle: no real one comes near them.
const (
	maxRequest = 16 << 20 // bytes of request.json
	maxClip    = 64 << 20 // bytes of a clip
	maxFiles   = 20_000
	maxClips   = 10_000
)

const (
	requestName  = "request.json"
	previousName = "previous.json"
	clipsDir     = "clips/"
	format       = 1
)

// Request is what is asked for.
type Request struct {
	Format   int             `json:"format"` // 1
	Office   string          `json:"office"`
	MadeUS   int64           `json:"made_us"`
	Library  []string        `json:"library"` // public keys of which one has to sign
	Manifest wire.Manifest   `json:"manifest"`
	Words    map[string]Word `json:"words"` // by SHA-256 of the clip
}

// Word is what the office says about a clip. None of it is signed.
type Word struct {
	Name      string `json:"name"`
	Text      string `json:"text,omitempty"`
	Kind      string `json:"kind,omitempty"`
	Audience  string `json:"audience,omitempty"`
	Submitter string `json:"submitter,omitempty"`
	Signer    string `json:"signer,omitempty"` // who signed it off on the pages
}

// Write writes a bundle: req, the envelope of the manifest before (nil for
// none), and the clips of those hashes.
func Write(w io.Writer, req Request, previous []byte, clips []string, open func(sha string) (io.ReadCloser, error)) error {
	req.Format = format
	z := zip.NewWriter(w)
	data, err := json.MarshalIndent(req, "", " ")
	if err != nil {
		return fmt.Errorf("encoding request: %w", err)
	}
	put := func(name string, method uint16, r io.Reader) error {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err == nil {
			_, err = io.Copy(f, r)
		}
		if err != nil {
			return fmt.Errorf("writing %q: %w", name, err)
		}
		return nil
	}
	if err := put(requestName, zip.Deflate, strings.NewReader(string(data))); err != nil {
		return err
	}
	if previous != nil {
		if err := put(previousName, zip.Deflate, strings.NewReader(string(previous))); err != nil {
			return err
		}
	}
	for _, sha := range clips {
		f, err := open(sha)
		if err != nil {
			return fmt.Errorf("opening clip %s: %w", sha, err)
		}
		err = put(clipsDir+sha+".flac", zip.Store, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("writing bundle: %w", err)
	}
	return nil
}

// Bundle is an opened bundle.
type Bundle struct {
	Request  Request
	Previous []byte // envelope, not verified; nil for none
	files    map[string]*zip.File
}

// ErrBundle means that a file is not a bundle that makes sense.
var ErrBundle = errors.New("not a bundle to sign")

// Open reads a bundle. What is not one is ErrBundle. r must stay open.
func Open(r io.ReaderAt, size int64) (*Bundle, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	if len(z.File) > maxFiles {
		return nil, fmt.Errorf("%w: %d files", ErrBundle, len(z.File))
	}
	b := &Bundle{files: map[string]*zip.File{}}
	for _, f := range z.File {
		if b.files[f.Name] != nil {
			return nil, fmt.Errorf("%w: %q is there twice", ErrBundle, f.Name)
		}
		b.files[f.Name] = f
	}
	data, err := b.read(requestName, maxRequest)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBundle, err)
	}
	if err := json.Unmarshal(data, &b.Request); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBundle, requestName, err)
	}
	m := b.Request.Manifest
	switch {
	case b.Request.Format != format:
		return nil, fmt.Errorf("%w: format %d, want %d", ErrBundle, b.Request.Format, format)
	case m.Type != wire.DocManifest || m.Device != "" || m.Version == 0 || m.ExpiresUS != 0:
		return nil, fmt.Errorf("%w: it asks for a %q of version %d", ErrBundle, m.Type, m.Version)
	case len(m.Clips) > maxClips:
		return nil, fmt.Errorf("%w: %d clips", ErrBundle, len(m.Clips))
	}
	seen := map[string]bool{}
	for _, c := range m.Clips {
		if seen[c.SHA256] {
			return nil, fmt.Errorf("%w: clip %q is there twice", ErrBundle, c.SHA256)
		}
		seen[c.SHA256] = true
	}
	if b.files[previousName] != nil {
		if b.Previous, err = b.read(previousName, seal.MaxDocument); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBundle, err)
		}
	}
	return b, nil
}

func (b *Bundle) read(name string, most int64) ([]byte, error) {
	f := b.files[name]
	if f == nil {
		return nil, fmt.Errorf("%q is missing", name)
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", name, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, most+1)) // whatever the directory claims
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", name, err)
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("reading %q: more than %d bytes", name, most)
	}
	return data, nil
}

// Clip returns the bytes of a clip, which have that hash.
func (b *Bundle) Clip(sha string) ([]byte, error) {
	data, err := b.read(clipsDir+sha+".flac", maxClip)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != sha {
		return nil, fmt.Errorf("clip %s: the bytes have another hash", sha)
	}
	return data, nil
}

// Sign returns the envelope of the manifest that was asked for.
func (b *Bundle) Sign(k seal.Key) ([]byte, error) {
	env, err := seal.Sign(b.Request.Manifest, k)
	if err != nil {
		return nil, err
	}
	if len(env) > seal.MaxDocument {
		return nil, fmt.Errorf("signing manifest: %d bytes, the limit is %d", len(env), seal.MaxDocument)
	}
	return env, nil
}
