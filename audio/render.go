package audio

import (
	"fmt"
	"io"
	"math"
	"time"
)

// DefaultFade is the length of the fades against clicks.
const DefaultFade = 20 * time.Millisecond

// maxGain bounds what RenderOptions may ask for. 40 dB lift a whisper to full
// scale; more is a mistake in units.
const maxGain = 40

// RenderOptions says how a clip sounds. The zero value plays it as it is, with
// the default fades.
type RenderOptions struct {
	Gain   Gain          // −120 to +40 dB; the limiter holds what would exceed the ceiling
	Fade   time.Duration // at both ends, raised cosine; 0 means DefaultFade, negative none
	LeadIn time.Duration // silence before the first frame, so that a waking amplifier swallows none of it
	Format Format        // what the sink wants; a zero field means as the clip
}

func (o RenderOptions) validate() error {
	switch {
	case math.IsNaN(float64(o.Gain)) || o.Gain < -120 || o.Gain > maxGain:
		return fmt.Errorf("gain %v dB: must be −120 to %d", float64(o.Gain), maxGain)
	case o.LeadIn < 0 || o.LeadIn > time.Minute:
		return fmt.Errorf("lead-in %v: must be 0 to 1m", o.LeadIn)
	case o.Fade > 10*time.Second:
		return fmt.Errorf("fade %v: must be at most 10s", o.Fade)
	}
	return nil
}

// Rendered is the Source that Render returns: lead-in, then every frame of the
// clip. It is used by one goroutine at a time.
type Rendered struct {
	format Format
	lead   Frames
	body   Frames
	pos    Frames // frames handed out

	pcm   *PCM
	conv  *polyphase // nil at the clip's own rate
	mix   *matrix    // nil with the clip's own channels
	gain  float32
	fade  Frames
	limit *limiter

	taken Frames    // body frames that entered the limiter
	block []float32 // work space: frames before and after the matrix
	mixed []float32
	next  int // unread samples of mixed start here
	ready int // and end here
}

// blockFrames is how much is computed at a time: small beside a period of any
// sink, large beside the cost of a call.
const blockFrames = 256

var _ Source = (*Rendered)(nil)

// Render returns pcm as the exact samples a sink plays: remixed and resampled
// to o.Format, with gain and fades applied and held under CeilingDB. Frames are
// exact: LeadIn of silence plus ceil(frames × rate ÷ clip's rate). pcm must not
// change while the result is read. Reading allocates nothing and cannot fail;
// Render itself copies pcm only where it has more channels than wanted.
func Render(pcm *PCM, o RenderOptions) (*Rendered, error) {
	if pcm == nil {
		return nil, fmt.Errorf("rendering: no clip")
	}
	if err := pcm.Format.Validate(); err != nil {
		return nil, fmt.Errorf("rendering: clip: %w", err)
	}
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("rendering: %w", err)
	}
	want := o.Format
	if want.Rate == 0 {
		want.Rate = pcm.Rate
	}
	if want.Channels == 0 {
		want.Channels = pcm.Channels
	}
	if err := want.Validate(); err != nil {
		return nil, fmt.Errorf("rendering: wanted format: %w", err)
	}
	if pcm.Channels > want.Channels {
		pcm = Remix(pcm, want.Channels)
	}
	r := &Rendered{
		format: want,
		lead:   FramesIn(o.LeadIn, want.Rate),
		body:   pcm.Frames(),
		pcm:    pcm,
		conv:   newPolyphase(pcm.Rate, want.Rate),
		gain:   float32(o.Gain.Factor()),
		limit:  newLimiter(want),
	}
	if r.conv != nil {
		r.body = r.conv.frames(r.body)
	}
	if pcm.Channels != want.Channels {
		m := mixing(pcm.Channels, want.Channels)
		r.mix = &m
		r.block = make([]float32, blockFrames*pcm.Channels)
	}
	r.mixed = make([]float32, blockFrames*want.Channels)
	r.fade = min(fadeFrames(o.Fade, want.Rate), r.body/2)
	return r, nil
}

func fadeFrames(d time.Duration, rate int) Frames {
	switch {
	case d < 0:
		return 0
	case d == 0:
		d = DefaultFade
	}
	return FramesIn(d, rate)
}

// Format implements Source.
func (r *Rendered) Format() Format { return r.format }

// Frames implements Source; it counts the lead-in.
func (r *Rendered) Frames() Frames { return r.lead + r.body }

// LeadIn returns how many of the frames are the silence before the clip.
func (r *Rendered) LeadIn() Frames { return r.lead }

// Body returns how many of the frames are the clip.
func (r *Rendered) Body() Frames { return r.body }

// Read implements Source. A dst shorter than one frame yields io.ErrShortBuffer.
func (r *Rendered) Read(dst []float32) (int, error) {
	left := r.Frames() - r.pos
	if left <= 0 {
		return 0, io.EOF
	}
	ch := r.format.Channels
	want := min(Frames(len(dst)/ch), left)
	if want == 0 {
		return 0, io.ErrShortBuffer
	}
	dst = dst[:int(want)*ch]
	n := 0
	if r.pos < r.lead {
		n = int(min(want, r.lead-r.pos)) * ch
		clear(dst[:n])
	}
	for n < len(dst) {
		if r.next == r.ready {
			r.produce()
		}
		c := copy(dst[n:], r.mixed[r.next:r.ready])
		r.next += c
		n += c
	}
	r.pos += want
	return n, nil
}

// produce fills mixed with the next limited frames. The limiter answers late:
// its delay is covered by feeding it silence past the end.
func (r *Rendered) produce() {
	ch := r.format.Channels
	r.next, r.ready = 0, 0
	for r.ready == 0 {
		r.fill(r.taken)
		for f := range blockFrames {
			frame := r.mixed[f*ch : f*ch+ch]
			if r.limit.push(r.mixed[r.ready:r.ready+ch], frame) {
				r.ready += ch
			}
		}
		r.taken += blockFrames
	}
}

// fill computes blockFrames frames from first on, before the limiter.
func (r *Rendered) fill(first Frames) {
	raw := r.mixed
	if r.mix != nil {
		raw = r.block
	}
	if r.conv != nil {
		r.conv.fill(raw, r.pcm, first)
	} else {
		from := min(int(first)*r.pcm.Channels, len(r.pcm.Samples))
		clear(raw[copy(raw, r.pcm.Samples[from:int(r.pcm.Frames())*r.pcm.Channels]):])
	}
	if r.mix != nil {
		r.mix.apply(r.mixed, raw)
	}
	ch := r.format.Channels
	for f := range blockFrames {
		g := r.gain * r.fadeAt(first+Frames(f))
		if g == 1 {
			continue
		}
		for c := range ch {
			r.mixed[f*ch+c] *= g
		}
	}
}

// fadeAt returns the fade's factor at body frame i: rising over the first fade
// frames, falling over the last, 1 between, 0 past the end.
func (r *Rendered) fadeAt(i Frames) float32 {
	edge := min(i, r.body-1-i)
	switch {
	case edge < 0:
		return 0
	case edge >= r.fade:
		return 1
	}
	x := (float64(edge) + 0.5) / float64(r.fade)
	return float32(0.5 - 0.5*math.Cos(math.Pi*x))
}

// Collect reads src to its end into memory. A source that yields another number
// of frames than it promised is an error.
func Collect(src Source) (*PCM, error) {
	f := src.Format()
	if err := f.Validate(); err != nil {
		return nil, fmt.Errorf("collecting: %w", err)
	}
	p := &PCM{Format: f, Samples: make([]float32, int(src.Frames())*f.Channels)}
	n := 0
	for n < len(p.Samples) {
		c, err := src.Read(p.Samples[n:])
		n += c
		if err != nil {
			return nil, fmt.Errorf("collecting: after %d of %d samples: %w", n, len(p.Samples), err)
		}
		if c == 0 {
			return nil, fmt.Errorf("collecting: source stalls after %d of %d samples", n, len(p.Samples))
		}
	}
	var extra [MaxChannels]float32
	if c, err := src.Read(extra[:]); c != 0 || err != io.EOF {
		return nil, fmt.Errorf("collecting: source goes on past its %d frames", src.Frames())
	}
	return p, nil
}
