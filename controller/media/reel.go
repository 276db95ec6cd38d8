package media

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"gatecast/audio"
	"gatecast/audio/decode"
	"gatecast/audio/encode"
	"gatecast/audio/loudness"
)

// Reel is a recording that is too long for a clip and stays to be cut.
type Reel struct {
	Original string // SHA-256, see OriginalPath
	Name     string // the upload's file name
	Kind     decode.Kind
	Bytes    int64
	Duration time.Duration
	Peaks    []byte // waveform, min, max pairs of int8
}

func tooLong(up upload, kind decode.Kind, length time.Duration, peaks []audio.Peak, o Options) error {
	e := &Error{Code: TooLong, Kind: kind, Duration: length, Max: o.MaxDuration}
	if o.KeepLong {
		e.Reel = &Reel{
			Original: hexOf(up.sum[:]), Name: up.name, Kind: kind, Bytes: up.size, Duration: length, Peaks: (&Prepared{Peaks: peaks}).PeakBytes(),
		}
	}
	return e
}

// keepLong keeps the upload that err is about if it has a Reel, and returns err.
func (s *Store) keepLong(err error, up upload, o Options) error {
	var e *Error
	if !o.KeepLong || !errors.As(err, &e) || e.Reel == nil {
		return err
	}
	if kerr := keepFile(up.path, s.OriginalPath(e.Reel.Original), up.size); kerr != nil {
		e.Reel = nil
		return describe(up.name, kerr)
	}
	return err
}

// Cut makes a clip of the part from from to to of an original in the store, as
// Ingest does of a whole file; name is what it is called. The part lasts at
// least a second and at most o.MaxDuration, which is HardStop at most. A to past
// the end means the end.
func (s *Store) Cut(ctx context.Context, original, name string, from, to time.Duration, o Options) (*Prepared, error) {
	o = o.orDefault()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("upload options: %w", err)
	}
	o.KeepLong = false
	up, err := s.original(original, name)
	if err != nil {
		return nil, describe(name, err)
	}
	if from < 0 || to-from < minDuration {
		return nil, describe(name, &Error{Code: BadStretch})
	}
	if to-from > o.MaxDuration {
		return nil, describe(name, &Error{Code: TooLong, Duration: to - from, Max: o.MaxDuration})
	}
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	defer s.done()
	p, flac, err := s.prepare(ctx, up, stretch{from, to}, o)
	if err != nil {
		return nil, describe(name, err)
	}
	if err := keep(s.Path(p.SHA256), flac); err != nil {
		return nil, describe(name, err)
	}
	return p, nil
}

// original is a file of the store as an upload.
func (s *Store) original(sha256, name string) (up upload, err error) {
	up = upload{path: s.OriginalPath(sha256), name: name}
	if up.path == "" {
		return up, &Error{Code: NoOriginal}
	}
	fi, err := os.Stat(up.path)
	if errors.Is(err, fs.ErrNotExist) {
		return up, &Error{Code: NoOriginal, Err: err}
	}
	if err != nil {
		return up, fmt.Errorf("reading original: %w", err)
	}
	up.size = fi.Size()
	_, err = hex.Decode(up.sum[:], []byte(sha256))
	return up, err
}

// DropOriginal deletes an upload; one that is gone already is no error.
func (s *Store) DropOriginal(sha256 string) error {
	path := s.OriginalPath(sha256)
	if path == "" {
		return fmt.Errorf("dropping original: %q is no hash", sha256)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("dropping original: %w", err)
	}
	return nil
}

// wait takes the one place at the decoder; done gives it back.
func (s *Store) wait(ctx context.Context) error {
	select {
	case s.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) done() { <-s.busy }

// excerptsKept bounds what is held in memory for those who listen before they
// cut: three minutes are about 6 MB.
const excerptsKept = 4

// excerptMost is the longest part that can be listened to at a time.
const excerptMost = 3 * time.Minute

// excerpts are the parts that were listened to last, oldest first.
type excerpts struct {
	mu   sync.Mutex
	kept []excerpt
}

type excerpt struct {
	original string
	part     stretch
	flac     []byte
}

func (e *excerpts) get(original string, part stretch) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, x := range e.kept {
		if x.original == original && x.part == part {
			return x.flac
		}
	}
	return nil
}

func (e *excerpts) put(x excerpt) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.kept) == excerptsKept {
		e.kept = e.kept[1:]
	}
	e.kept = append(e.kept, x)
}

// Excerpt returns a part of an original as FLAC, about as loud as it will sound
// as a clip, but neither trimmed nor judged. Parts over three minutes end there.
func (s *Store) Excerpt(ctx context.Context, original string, from, to time.Duration) (*bytes.Reader, error) {
	part := stretch{from, min(to, from+excerptMost)}
	if from < 0 || part.To <= from {
		return nil, describe("", &Error{Code: BadStretch})
	}
	if flac := s.excerpts.get(original, part); flac != nil {
		return bytes.NewReader(flac), nil
	}
	up, err := s.original(original, "")
	if err != nil {
		return nil, describe("", err)
	}
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	defer s.done()
	o := DefaultOptions()
	pcm, _, err := s.load(ctx, up, part, o)
	if err != nil {
		return nil, describe("", err)
	}
	mono, _ := toMono(pcm)
	mono = audio.Resample(mono, o.Rate)
	gain := audio.Gain(max(minGainDB, min(maxGainDB, o.TargetLUFS-loudness.Measure(mono).Integrated)))
	src, err := audio.Render(mono, audio.RenderOptions{Gain: gain})
	if err != nil {
		return nil, fmt.Errorf("rendering an excerpt: %w", err)
	}
	if mono, err = audio.Collect(src); err != nil {
		return nil, fmt.Errorf("rendering an excerpt: %w", err)
	}
	flac, err := encode.FLAC(mono)
	if err != nil {
		return nil, fmt.Errorf("encoding an excerpt: %w", err)
	}
	s.excerpts.put(excerpt{original, part, flac})
	return bytes.NewReader(flac), nil
}
