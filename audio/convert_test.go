package audio

import (
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// shortReads yields at most n frames a call, and claims more than it has when
// told to.
type shortReads struct {
	pcm    *PCM
	n, pos int
	claims Frames
	err    error // instead of io.EOF
}

func (s *shortReads) Format() Format { return s.pcm.Format }
func (s *shortReads) Frames() Frames { return max(s.claims, s.pcm.Frames()) }
func (s *shortReads) Read(dst []float32) (int, error) {
	if s.pos >= len(s.pcm.Samples) {
		if s.err != nil {
			return 0, s.err
		}
		return 0, io.EOF
	}
	want := min(len(dst)/s.pcm.Channels, s.n) * s.pcm.Channels
	n := copy(dst[:want], s.pcm.Samples[s.pos:])
	s.pos += n
	return n, nil
}

func hiss(rate, channels, frames int) *PCM {
	rng := rand.New(rand.NewPCG(uint64(rate), uint64(channels)))
	p := &PCM{Format: Format{Rate: rate, Channels: channels}, Samples: make([]float32, frames*channels)}
	for i := range p.Samples {
		p.Samples[i] = rng.Float32() - 0.5
	}
	return p
}

// TestConvertIsResampleOfTheWhole reads in every way: the samples are those of
// the whole converted at once.
func TestConvertIsResampleOfTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rates := rapid.SampledFrom([]int{8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000})
		counts := rapid.IntRange(1, 6)
		p := hiss(rates.Draw(t, "from"), counts.Draw(t, "channels"), rapid.IntRange(1, 20000).Draw(t, "frames"))
		want := Format{Rate: rates.Draw(t, "to"), Channels: counts.Draw(t, "wanted")}
		c, err := Convert(&shortReads{pcm: p, n: rapid.IntRange(1, 3000).Draw(t, "reads")}, want)
		if err != nil {
			t.Fatal(err)
		}
		var got []float32
		buf := make([]float32, rapid.IntRange(1, 3000).Draw(t, "block")*want.Channels)
		for {
			n, err := c.Read(buf)
			got = append(got, buf[:n]...)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if Frames(len(got)/want.Channels) != c.Frames() {
			t.Fatalf("%d samples, promised %d frames", len(got), c.Frames())
		}
		whole := Resample(Remix(p, min(p.Channels, want.Channels)), want.Rate)
		whole = Remix(whole, want.Channels)
		if len(whole.Samples) != len(got) {
			t.Fatalf("%d samples, the whole has %d", len(got), len(whole.Samples))
		}
		for i, v := range got {
			if d := v - whole.Samples[i]; d > 1e-6 || d < -1e-6 {
				t.Fatalf("sample %d = %v, of the whole %v", i, v, whole.Samples[i])
			}
		}
	})
}

func TestConvertReportsAShortSource(t *testing.T) {
	broken := errors.New("bad block")
	tests := map[string]struct{ cause, want error }{
		"end_of_file": {nil, io.ErrUnexpectedEOF},
		"read_error":  {broken, broken},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := Convert(&shortReads{pcm: hiss(24000, 1, 5000), n: 700, claims: 9000, err: tt.cause}, Format{48000, 2})
			if err != nil {
				t.Fatal(err)
			}
			buf := make([]float32, 4096)
			for err == nil {
				_, err = c.Read(buf)
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("Read = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestConvertRefusesBadFormats(t *testing.T) {
	for _, want := range []Format{{}, {48000, 0}, {0, 1}, {1 << 20, 2}} {
		if c, err := Convert(&shortReads{pcm: hiss(8000, 1, 10), n: 1}, want); err == nil {
			t.Errorf("Convert to %v = %+v, want an error", want, c)
		}
	}
}

func TestConvertHoldsLittle(t *testing.T) {
	c, err := Convert(&shortReads{pcm: hiss(44100, 2, 441000), n: 512}, Format{48000, 2})
	if err != nil {
		t.Fatal(err)
	}
	buf, most := make([]float32, 1024), 0
	for err == nil {
		_, err = c.Read(buf)
		most = max(most, len(c.window))
	}
	if diff := cmp.Diff(true, most < 2*8192); diff != "" {
		t.Errorf("held %d samples at most", most)
	}
}
