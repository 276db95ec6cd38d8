package media

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"gatecast/audio"
	"gatecast/audio/decode"
	"gatecast/audio/encode"
)

// Prepared is an upload that was taken.
type Prepared struct {
	SHA256         string // of the delivery form, its name
	OriginalSHA256 string
	Name           string      // the upload's file name, as it was given
	Kind           decode.Kind // of the upload
	Frames         audio.Frames
	Rate           int
	Duration       time.Duration
	Bytes          int64   // of the delivery form
	OriginalBytes  int64   // of the upload
	LUFS           float64 // integrated loudness of the delivery form
	TruePeak       float64 // in dBTP
	GainDB         float64 // to apply when playing, to 0.1 dB
	PlayLUFS       float64 // loudness with that gain, after the limiter
	Warnings       []Warning
	Peaks          []audio.Peak // waveform, peakCount stretches
}

// peakCount is how many stretches a waveform has: one a pixel on a phone.
const peakCount = 400

// PeakBytes returns the waveform as min, max pairs of int8, full scale ±127.
func (p *Prepared) PeakBytes() []byte {
	b := make([]byte, 0, 2*len(p.Peaks))
	for _, k := range p.Peaks {
		b = append(b, byte(scaled(k.Min)), byte(scaled(k.Max)))
	}
	return b
}

func scaled(v float32) int8 {
	return int8(math.Round(float64(max(-1, min(1, v)) * 127)))
}

// Ingest takes the upload that r yields, called name by whoever sent it. When it
// returns nil the delivery form and the original are in the store and survive
// loss of power. A file that is not taken yields a *Error, which also is a
// *fleet.Error with the sentence for the user; nothing of it is kept. Other
// errors are ctx's or the disk's. Sending the same file again yields the same
// Prepared. Reading stops one byte past o.MaxBytes.
//
// With o.KeepLong the original of a recording that is over o.MaxDuration and not
// over MaxReel stays in the store: the *Error of code TooLong says what it is in
// its Reel, and Cut makes clips of it.
func (s *Store) Ingest(ctx context.Context, name string, r io.Reader, o Options) (*Prepared, error) {
	o = o.orDefault()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("upload options: %w", err)
	}
	up, err := s.receive(ctx, name, r, o)
	if err != nil {
		return nil, describe(name, err)
	}
	defer os.Remove(up.path) // a no-op once it has been moved
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	defer s.done()
	p, flac, err := s.prepare(ctx, up, stretch{}, o)
	if err != nil {
		return nil, s.keepLong(describe(name, err), up, o)
	}
	if err := keepFile(up.path, s.OriginalPath(p.OriginalSHA256), p.OriginalBytes); err != nil {
		return nil, describe(name, err)
	}
	if err := keep(s.Path(p.SHA256), flac); err != nil {
		return nil, describe(name, err)
	}
	return p, nil
}

// upload is a file that has arrived whole.
type upload struct {
	path string
	name string
	size int64
	sum  [sha256.Size]byte
}

// receive streams r to a file in incoming, synced.
func (s *Store) receive(ctx context.Context, name string, r io.Reader, o Options) (up upload, err error) {
	f, err := s.create()
	if err != nil {
		return up, fmt.Errorf("creating file for upload: %w", err)
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	h := sha256.New()
	source := &uploadReader{ctx: ctx, r: r}
	n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(source, o.MaxBytes+1))
	switch {
	case ctx.Err() != nil:
		return up, ctx.Err()
	case source.err != nil:
		return up, &Error{Code: UploadCut, Bytes: n, Err: source.err}
	case err != nil:
		return up, fmt.Errorf("writing upload: %w", err)
	case n > o.MaxBytes:
		return up, &Error{Code: TooBig, MaxBytes: o.MaxBytes}
	}
	if err := f.Sync(); err != nil {
		return up, fmt.Errorf("syncing upload: %w", err)
	}
	return upload{path: f.Name(), name: name, size: n, sum: [sha256.Size]byte(h.Sum(nil))}, nil
}

// uploadReader ends with ctx and keeps apart what the sender did from what the
// disk did.
type uploadReader struct {
	ctx context.Context
	r   io.Reader
	err error // of r, not io.EOF
}

func (u *uploadReader) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := u.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		u.err = err
	}
	return n, err
}

// prepare decodes part of an upload and makes its delivery form.
func (s *Store) prepare(ctx context.Context, up upload, part stretch, o Options) (*Prepared, []byte, error) {
	pcm, kind, err := s.load(ctx, up, part, o)
	if err != nil {
		return nil, nil, err
	}
	p := &Prepared{
		OriginalSHA256: hexOf(up.sum[:]),
		Name:           up.name,
		Kind:           kind,
		OriginalBytes:  up.size,
		Rate:           o.Rate,
	}
	if named, ok := wrongName(up.name, kind); ok {
		p.warn(Warning{Code: WarnNamed, Named: named, Kind: kind})
	}
	mono, warnings, err := condition(pcm, o)
	if err != nil {
		return nil, nil, err
	}
	p.Warnings = append(p.Warnings, warnings...)
	flac, err := encode.FLAC(mono)
	if err != nil {
		return nil, nil, err
	}
	// What devices will decode is what is measured.
	delivered, _, err := decode.Decode(ctx, flac, decode.Limits{})
	if err != nil {
		return nil, nil, fmt.Errorf("checking the delivery form: %w", err)
	}
	sum := sha256.Sum256(flac)
	p.SHA256 = hexOf(sum[:])
	p.Bytes = int64(len(flac))
	p.Frames = delivered.Frames()
	p.Duration = p.Frames.Duration(p.Rate)
	p.Peaks = audio.Peaks(delivered, peakCount)
	if err := p.level(delivered, o.TargetLUFS); err != nil {
		return nil, nil, err
	}
	if p.Duration > o.WarnAt {
		p.warn(Warning{Code: WarnLong, Duration: p.Duration, Max: o.WarnAt})
	}
	return p, flac, nil
}

func (p *Prepared) warn(w Warning) { p.Warnings = append(p.Warnings, w) }
