package media

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"

	"gatecast/audio"
	"gatecast/audio/decode"
)

// Converter reads the kinds of files that package decode does not, by ffmpeg.
// It is immutable and safe for concurrent use.
type Converter struct {
	path   string
	bounds bounds
}

// bounds are what one conversion may take.
type bounds struct {
	cpu    uint64        // seconds of processor time
	memory uint64        // bytes of address space
	wall   time.Duration // from start to end
}

// FindConverter returns the ffmpeg on the PATH, nil if there is none.
func FindConverter() *Converter {
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		return nil
	}
	return &Converter{path, bounds{convertCPU, convertMemory, convertWall}}
}

// What one conversion may take. Forty minutes of AAC need less than a second of
// processor time; a file that needs a hundred times as much is no recording.
const (
	convertCPU    = 120
	convertWall   = 10 * time.Minute
	convertMemory = 2 << 30
	convertAlloc  = 256 << 20 // bytes at a time
	convertNotes  = 64 << 10  // bytes kept of what ffmpeg says
)

// demuxers names the one reader ffmpeg may use for a kind. Without it a file
// could pass as a playlist, which names other files.
var demuxers = map[decode.Kind]string{
	decode.KindM4A: "mov", decode.KindAAC: "aac", decode.KindAMR: "amr", decode.KindOpus: "ogg", decode.KindOgg: "ogg",
	decode.KindWMA: "asf", decode.KindAIFF: "aiff", decode.KindCAF: "caf", decode.KindMatroska: "matroska", decode.KindMPEG: "mp3",
	decode.KindMP3: "mp3", decode.KindWAV: "wav", decode.KindFLAC: "flac", decode.KindVorbis: "ogg",
}

// Reads reports whether files of kind k can be converted; a nil Converter reads
// nothing.
func (c *Converter) Reads(k decode.Kind) bool { return c != nil && demuxers[k] != "" }

// stretch is a part of a recording; a To of 0 is its end.
type stretch struct{ From, To time.Duration }

// args are all that ffmpeg is told. Nothing in them comes from the sender but
// the bytes of the file.
func (c *Converter) args(path string, kind decode.Kind, part stretch, rate int, most time.Duration, strict bool) []string {
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
	list := []string{
		"-nostdin", "-hide_banner", "-loglevel", "info", "-nostats", "-threads", "1", "-max_alloc", fmt.Sprint(convertAlloc),
		"-protocol_whitelist", "file,pipe", "-f", demuxers[kind],
	}
	filter := fmt.Sprintf("aformat=sample_fmts=s16:sample_rates=%d:channel_layouts=mono|stereo", rate)
	if strict {
		list = append(list, "-xerror") // a fault ends it
	} else {
		filter = "aresample=async=1:first_pts=0," + filter // silence for what is skipped
	}
	if part.From > 0 {
		list = append(list, "-ss", seconds(part.From))
	}
	if part.To > 0 {
		most = min(most, part.To-part.From)
	}
	return append(list,
		"-i", "file:"+path, "-map", "0:a:0", "-vn", "-sn", "-dn",
		"-af", filter,
		"-t", seconds(most), "-f", "au", "pipe:1")
}

// tape is what came out of a file.
type tape struct {
	pcm    *audio.PCM // nil when it is longer than was to be kept
	frames audio.Frames
	rate   int
	peaks  []audio.Peak
	cut    bool // it goes on
}

func (t tape) duration() time.Duration { return t.frames.Duration(t.rate) }

// read converts part of the file at path to 16 bits at the given rate, one or
// two channels. Samples are held in memory up to keep; beyond that only the
// waveform and the length go on, up to most, where the conversion is ended.
// Nothing is written to disk. Faults of the file are *Errors.
func (c *Converter) read(ctx context.Context, path string, kind decode.Kind, part stretch, rate int, keep, most time.Duration) (tape, error) {
	strict := kind != decode.KindAMR // which is checked beforehand
	t, said, err := c.run(ctx, c.args(path, kind, part, rate, most, strict), kind, keep, most)
	if strict && errors.Is(err, errPauses) {
		t, said, err = c.run(ctx, c.args(path, kind, part, rate, most, false), kind, keep, most)
	}
	if err != nil || t.cut || part != (stretch{}) || t.duration() > most-time.Second {
		return t, err
	}
	if want := said.promised(kind); want > t.duration()*103/100+2*time.Second {
		return tape{}, &Error{Code: Truncated, Kind: kind, Err: fmt.Errorf("converting: %s of %s", t.duration(), want)}
	}
	return t, nil
}

// errPauses is that ffmpeg met pauses which AMR leaves out, here within a
// container such as 3gp.
var errPauses = errors.New("pauses left out")

func (c *Converter) run(outer context.Context, args []string, kind decode.Kind, keep, most time.Duration) (tape, *notes, error) {
	ctx, cancel := context.WithTimeout(outer, c.bounds.wall)
	defer cancel()
	said := &notes{}
	cmd := exec.CommandContext(ctx, c.path, args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return tape{}, said, fmt.Errorf("piping conversion: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return tape{}, said, fmt.Errorf("starting %q: %w", c.path, err)
	}
	t, readErr := tape{}, confine(cmd.Process.Pid, c.bounds)
	if readErr == nil {
		t, readErr = wind(bufio.NewReaderSize(out, 64<<10), keep, most)
	}
	ended := ctx.Err()
	if readErr != nil || t.cut {
		cancel() // kills it
	}
	waitErr := cmd.Wait()
	switch {
	case errors.Is(ended, context.DeadlineExceeded) && outer.Err() == nil:
		return tape{}, said, &Error{Code: Corrupt, Kind: kind, Err: fmt.Errorf("converting: over %s", c.bounds.wall)}
	case ended != nil:
		return tape{}, said, ended
	case t.cut:
		return t, said, nil
	case waitErr != nil || readErr != nil:
		return tape{}, said, said.fault(kind, errors.Join(readErr, waitErr))
	case t.frames == 0:
		return tape{}, said, &Error{Code: Empty, Kind: kind}
	}
	return t, said, nil
}

// promised is the length that the head of a file states, 0 where it does not or
// where that is a guess.
func (n *notes) promised(kind decode.Kind) time.Duration {
	if kind != decode.KindM4A && kind != decode.KindWMA {
		return 0
	}
	var h, m int
	var s float64
	_, rest, _ := strings.Cut(n.b.String(), "Duration: ")
	if _, err := fmt.Sscanf(rest, "%d:%d:%f", &h, &m, &s); err != nil {
		return 0
	}
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s*float64(time.Second))
}

// auHead is what every Sun AU file begins with: magic, offset of the samples,
// their length, coding, rate and channels, each of four bytes, big-endian.
type auHead struct{ Magic, Offset, Length, Coding, Rate, Channels uint32 }

const (
	auMagic = 0x2e736e64 // ".snd"
	auInt16 = 3
)

// wind reads AU from r to its end, or until it has gone on for a second beyond
// most.
func wind(r *bufio.Reader, keep, most time.Duration) (tape, error) {
	var h auHead
	if err := binary.Read(r, binary.BigEndian, &h); err != nil {
		return tape{}, fmt.Errorf("reading converted sound: %w", err)
	}
	if h.Magic != auMagic || h.Coding != auInt16 || h.Channels < 1 || h.Channels > 2 || h.Offset < 24 || h.Offset > 4096 || h.Rate < audio.MinRate {
		return tape{}, fmt.Errorf("reading converted sound: unexpected head %+v", h)
	}
	if _, err := r.Discard(int(h.Offset) - 24); err != nil {
		return tape{}, fmt.Errorf("reading converted sound: %w", err)
	}
	t := tape{rate: int(h.Rate), pcm: &audio.PCM{Format: audio.Format{Rate: int(h.Rate), Channels: int(h.Channels)}}}
	held := int(audio.FramesIn(keep, t.rate)) * int(h.Channels)
	env := envelope{step: 256}
	buf := make([]byte, 32<<10)
	for {
		n, err := io.ReadFull(r, buf)
		n -= n % int(2*h.Channels) // a last half frame is none
		for i := 0; i < n; i += 2 {
			v := float32(int16(binary.BigEndian.Uint16(buf[i:]))) / 32768
			env.add(v)
			if t.pcm != nil {
				t.pcm.Samples = append(t.pcm.Samples, v)
			}
		}
		t.frames += audio.Frames(n / int(2*h.Channels))
		if t.pcm != nil && len(t.pcm.Samples) > held {
			t.pcm = nil // longer than a clip: its waveform and length are enough
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			t.peaks = env.done()
			return t, nil
		}
		if t.duration() > most+time.Second {
			t.cut, t.peaks = true, env.done()
			return t, nil
		}
		if err != nil {
			return tape{}, fmt.Errorf("reading converted sound: %w", err)
		}
	}
}

// envelope is the waveform of sound whose length is not known beforehand: it
// holds at most 2×peakCount stretches, and doubles their length when it is full.
type envelope struct {
	step  int // samples in a stretch
	n     int // of the present one
	cur   audio.Peak
	peaks []audio.Peak
}

func (e *envelope) add(v float32) {
	e.cur.Min, e.cur.Max = min(e.cur.Min, v), max(e.cur.Max, v)
	if e.n++; e.n < e.step {
		return
	}
	e.peaks, e.cur, e.n = append(e.peaks, e.cur), audio.Peak{}, 0
	if len(e.peaks) < 2*peakCount {
		return
	}
	for i := range peakCount {
		a, b := e.peaks[2*i], e.peaks[2*i+1]
		e.peaks[i] = audio.Peak{Min: min(a.Min, b.Min), Max: max(a.Max, b.Max)}
	}
	e.peaks, e.step = e.peaks[:peakCount], 2*e.step
}

func (e *envelope) done() []audio.Peak {
	if e.n > 0 {
		e.peaks = append(e.peaks, e.cur)
	}
	return e.peaks
}

// notes is the beginning of what a program says.
type notes struct{ b bytes.Buffer }

func (n *notes) Write(p []byte) (int, error) {
	if room := convertNotes - n.b.Len(); room > 0 {
		n.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// fault tells from ffmpeg's words what is the matter with a file.
func (n *notes) fault(kind decode.Kind, err error) error {
	text := n.b.String()
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	code := Corrupt
	switch {
	case has("matches no streams", "does not contain any stream"):
		code = NoSound
	case has("moov atom not found", "Packet corrupt", "partial file", "corrupt input packet", "End of file"):
		code = Truncated
	}
	if has("dtx mode is not implemented") {
		err = errors.Join(err, errPauses)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	last := lines[max(0, len(lines)-3):]
	return &Error{Code: code, Kind: kind, Err: fmt.Errorf("converting: %w: %s", err, strings.Join(last, "; "))}
}
