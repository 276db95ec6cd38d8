package simulate

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"

	"gatecast/audio"
	"gatecast/audio/decode"
	"gatecast/audio/encode"
	"gatecast/controller/fleet"
	"gatecast/controller/media"
	"gatecast/controller/sample"
	"gatecast/controller/store"
)

// The clips of the simulation: short, because each play decodes one, and all
// of one length, so that a share of plays is a share of time.
const (
	clipSeconds = 4
	clipRate    = 8000
	clipCount   = 3
)

// names of the clips in programmes.
var clipNames = [clipCount]string{"one", "two", "three"}

// sounds knows the approved clips by their samples.
type sounds struct {
	flac [clipCount][]byte    // as uploaded
	pcm  [clipCount][]float32 // as delivered
	gain [clipCount]float64   // of the manifest, dB
}

// newSounds draws clips: noise that changes from sample to sample, so that a
// few hundred of them tell one clip from another at any gain.
func newSounds(r *rand.Rand) (*sounds, error) {
	s := &sounds{}
	for i := range s.flac {
		p := &audio.PCM{Format: audio.Format{Rate: clipRate, Channels: 1}, Samples: make([]float32, clipSeconds*clipRate)}
		for k := range p.Samples {
			tone := math.Sin(2 * math.Pi * float64(300+200*i) * float64(k) / clipRate)
			p.Samples[k] = float32(0.1*tone + 0.05*(2*r.Float64()-1))
		}
		var err error
		if s.flac[i], err = encode.FLAC(p); err != nil {
			return nil, fmt.Errorf("encoding a clip: %w", err)
		}
	}
	return s, nil
}

// upload gives the clips to an office and has them signed off, the way people
// do.
func (s *sounds) upload(ctx context.Context, m *media.Store, db *store.Store, now func() fleet.Clip) error {
	for i, name := range clipNames {
		up, err := m.Ingest(ctx, name+".flac", bytes.NewReader(s.flac[i]), media.Options{Rate: clipRate})
		if err != nil {
			return fmt.Errorf("adding a clip: %w", err)
		}
		c := now()
		c.Name, c.Title, c.SHA256, c.Original = name, name, up.SHA256, up.OriginalSHA256
		c.Bytes, c.Rate, c.Frames = up.Bytes, up.Rate, int64(up.Frames)
		c.LUFS, c.TruePeak, c.GainDB = up.LUFS, up.TruePeak, up.GainDB
		if _, err := db.AddClip(ctx, c); err != nil {
			return fmt.Errorf("adding a clip: %w", err)
		}
		f, err := m.Open(up.SHA256)
		if err != nil {
			return err
		}
		data, err := io.ReadAll(f)
		if err != nil {
			return fmt.Errorf("reading a clip back: %w", err)
		}
		pcm, _, err := decode.Decode(ctx, data, decode.Limits{})
		if err != nil {
			return fmt.Errorf("reading a clip back: %w", err)
		}
		s.pcm[i], s.gain[i] = pcm.Samples, up.GainDB
		if err := f.Close(); err != nil {
			return err
		}
	}
	return sample.SignOff(ctx, db, now().Uploaded, nil)
}

// recognise says which clip samples are and how far they were amplified, in
// dB. It is −1 for samples that are none of the clips as a whole.
func (s *sounds) recognise(samples []float32) (clip int, gainDB float64) {
	for i, pcm := range s.pcm {
		if len(pcm) != len(samples) {
			continue
		}
		var xy, yy, xx float64
		// Fades are at both ends; what is between must be the clip itself.
		for k := len(pcm) / 10; k < len(pcm)*9/10; k += 7 {
			x, y := float64(samples[k]), float64(pcm[k])
			xy, yy, xx = xy+x*y, yy+y*y, xx+x*x
		}
		if xx == 0 || yy == 0 {
			continue
		}
		// Where the limiter works the likeness is a little less than whole.
		if like := xy / math.Sqrt(xx*yy); like > 0.95 {
			return i, 20 * math.Log10(xy/yy)
		}
	}
	return -1, 0
}
