package output

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gatecast/audio"
)

// fileChunk is how much sound is written at a time: 20 writes a second, and
// the most a killed process leaves ahead of the instant of its death.
const fileChunk = 50 * time.Millisecond

// fileSink writes plays as 16-bit WAV files at the pace of real time. The
// header is brought up to date after each chunk, never before it, so that the
// file of a killed process is a valid WAV of what had sounded.
type fileSink struct {
	target string // a folder, or one file's name
	single bool   // target is one file, holding the last play
	busy   sync.Mutex
	life   lifetime
}

var _ Sink = (*fileSink)(nil)

func openFile(target string, _ Options) (*fileSink, error) {
	if target == "" {
		return nil, errors.New("file sink needs a folder or a name ending in .wav")
	}
	return &fileSink{target: target, single: strings.EqualFold(filepath.Ext(target), ".wav")}, nil
}

// Prepare makes the folder.
func (s *fileSink) Prepare(_ context.Context, format audio.Format) error {
	if s.life.ended() {
		return ErrClosed
	}
	if err := checkSource(format, 1); err != nil {
		return err
	}
	folder := s.target
	if s.single {
		folder = filepath.Dir(s.target)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return &Fault{Code: NoSpace, Device: s.target, Err: err}
	}
	return nil
}

// Play writes src to a new file, from at on and as fast as it would sound.
func (s *fileSink) Play(ctx context.Context, at time.Time, src audio.Source) (Report, error) {
	r := Report{Sink: File, Device: s.target, Frames: src.Frames(), End: Refused}
	if !s.busy.TryLock() {
		return r, ErrPlaying
	}
	defer s.busy.Unlock()
	ctx, cancel := s.life.bind(ctx)
	defer cancel()
	if err := checkSource(src.Format(), src.Frames()); err != nil {
		return r, err
	}
	if err := s.Prepare(ctx, src.Format()); err != nil {
		return r, err
	}
	if err := waitUntil(ctx, at); err != nil {
		r.End = Cancelled
		return r, err
	}
	f, err := s.create(at)
	if err != nil {
		return r, &Fault{Code: NoSpace, Device: s.target, Err: err}
	}
	r.Path, r.Device = f.Name(), f.Name()
	err = paceToFile(ctx, f, src, &r)
	if cerr := f.Close(); err == nil && cerr != nil {
		r.End, err = Lost, &Fault{Code: NoSpace, Device: r.Path, Err: cerr}
	}
	return r, err
}

// create opens the play's file: the named one, emptied, or a new one called
// after the planned instant in the machine's zone.
func (s *fileSink) create(at time.Time) (*os.File, error) {
	if s.single {
		return os.Create(s.target)
	}
	stem := filepath.Join(s.target, at.Format("20060102-150405.000"))
	for i := 1; ; i++ {
		name := stem + ".wav"
		if i > 1 {
			name = fmt.Sprintf("%s-%d.wav", stem, i)
		}
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) && i < 1000 {
			continue
		}
		return f, err
	}
}

// paceToFile writes src to f in chunks, each at the instant its first frame
// would sound, and fills r.
func paceToFile(ctx context.Context, f *os.File, src audio.Source, r *Report) error {
	format := src.Format()
	frameBytes := int64(format.Channels * 2)
	samples := make([]float32, int(fileChunk*time.Duration(format.Rate)/time.Second)*format.Channels)
	var data []byte
	r.StartedAt = time.Now()
	for {
		n, err := fill(src, samples)
		if err != nil && !errors.Is(err, io.EOF) {
			r.End = Lost
			return &Fault{Code: BadSource, Device: r.Device, Err: early(r.FramesWritten, r.Frames, err)}
		}
		data = s16.put(data[:0], samples[:n])
		end := int64(r.FramesWritten) * frameBytes
		if werr := appendWAV(f, format, data, end); werr != nil {
			r.End, r.Elapsed = Lost, time.Since(r.StartedAt)
			return &Fault{Code: NoSpace, Device: r.Device, Err: werr}
		}
		r.FramesWritten += audio.Frames(n / format.Channels)
		if werr := waitUntil(ctx, r.StartedAt.Add(r.FramesWritten.Duration(format.Rate))); werr != nil {
			r.End, r.Elapsed = Cancelled, time.Since(r.StartedAt)
			r.FramesPlayed = min(r.FramesWritten, framesIn(r.Elapsed, format.Rate))
			return errors.Join(werr, cutWAV(f, format, int64(r.FramesPlayed)*frameBytes))
		}
		r.FramesPlayed = r.FramesWritten
		r.Elapsed = time.Since(r.StartedAt)
		if err == nil && r.FramesWritten < r.Frames {
			continue
		}
		if r.FramesPlayed < r.Frames {
			r.End = Lost
			return &Fault{Code: BadSource, Device: r.Device, Err: early(r.FramesPlayed, r.Frames, err)}
		}
		r.End = Drained
		return nil
	}
}

// appendWAV writes data behind the end bytes of samples already in f, then the
// header that includes it.
func appendWAV(f *os.File, format audio.Format, data []byte, end int64) error {
	if end == 0 { // a header first: an empty WAV is valid, bare samples are not
		if _, err := f.WriteAt(wavHeader(format, 0), 0); err != nil {
			return err
		}
	}
	if _, err := f.WriteAt(data, wavHeaderSize+end); err != nil {
		return err
	}
	_, err := f.WriteAt(wavHeader(format, end+int64(len(data))), 0)
	return err
}

// cutWAV shortens f to what had sounded.
func cutWAV(f *os.File, format audio.Format, dataBytes int64) error {
	if _, err := f.WriteAt(wavHeader(format, dataBytes), 0); err != nil {
		return err
	}
	return f.Truncate(wavHeaderSize + dataBytes)
}

// Device says where the WAVs go. It is never a loudspeaker.
func (s *fileSink) Device() (Device, error) {
	return Device{Sink: File, Name: s.target, Demo: true}, nil
}

// Close ends a running play as Cancelled and waits for it.
func (s *fileSink) Close() error {
	s.life.end()
	s.busy.Lock()
	defer s.busy.Unlock()
	return nil
}
