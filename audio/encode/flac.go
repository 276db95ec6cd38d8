// Package encode writes the delivery form of a clip: FLAC, the one format that
// a device parses.
//
// Frames are put together by mewkiz/flac; the choice of predictor and Rice
// parameters is made here, because the library's own takes one parameter for a
// whole frame and only the fixed predictors. The result depends on the samples
// alone, so that the same sound always has the same hash. The package does no
// I/O and is safe for concurrent use.
package encode

import (
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"math"

	"github.com/mewkiz/flac"
	"github.com/mewkiz/flac/frame"
	"github.com/mewkiz/flac/meta"

	"gatecast/audio"
)

// blockSize is the frames of sound in a FLAC frame: 171 ms at 24 kHz. Smaller
// ones pay more headers, larger ones blur the predictor over syllables.
const blockSize = 4096

// bits of a sample. 16 put the noise 98 dB under full scale, far below what is
// left at a gate.
const bits = 16

// Quantize returns v as a 16-bit sample, rounded to the nearest and held at full
// scale. FLAC stores exactly these.
func Quantize(v float32) int32 {
	return int32(max(-1<<(bits-1), min(1<<(bits-1)-1, math.RoundToEven(float64(v)*(1<<(bits-1))))))
}

// FLAC returns p as a 16-bit FLAC file. Decoding it yields Quantize of every
// sample to the bit. Nothing is dithered, nothing but the samples is stored. An
// empty or ill-formed p is an error.
func FLAC(p *audio.PCM) ([]byte, error) {
	if p == nil || p.Frames() == 0 {
		return nil, errors.New("encoding flac: no sound")
	}
	if err := p.Format.Validate(); err != nil {
		return nil, fmt.Errorf("encoding flac: %w", err)
	}
	n, ch := int(p.Frames()), p.Channels
	samples := make([][]int32, ch)
	for c := range samples {
		samples[c] = make([]int32, n)
		for i := range n {
			samples[c][i] = Quantize(p.Samples[i*ch+c])
		}
	}
	var out bytes.Buffer
	enc, err := flac.NewEncoder(&out, &meta.StreamInfo{
		BlockSizeMin:  blockSize,
		BlockSizeMax:  blockSize,
		SampleRate:    uint32(p.Rate),
		NChannels:     uint8(ch),
		BitsPerSample: bits,
		NSamples:      uint64(n),
		MD5sum:        sum(samples),
	})
	if err != nil {
		return nil, fmt.Errorf("encoding flac: %w", err)
	}
	enc.EnablePredictionAnalysis(false)
	for at := 0; at < n; at += blockSize {
		end := min(at+blockSize, n)
		f := &frame.Frame{
			Header: frame.Header{
				HasFixedBlockSize: true,
				BlockSize:         uint16(end - at),
				// 0 refers to the file's header (RFC 9639 §9.1.2). The library
				// that devices read with logs a line at every frame that says 24 kHz.
				SampleRate:    0,
				Channels:      frame.Channels(ch - 1),
				BitsPerSample: bits,
			},
		}
		for c := range ch {
			f.Subframes = append(f.Subframes, predict(samples[c][at:end]))
		}
		if err := enc.WriteFrame(f); err != nil {
			return nil, fmt.Errorf("encoding flac frame at %d: %w", at, err)
		}
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("encoding flac: %w", err)
	}
	return out.Bytes(), nil
}

// sum returns the MD5 that the header holds: of the interleaved samples, signed
// and little-endian.
func sum(samples [][]int32) [md5.Size]byte {
	raw := make([]byte, 0, len(samples)*len(samples[0])*2)
	for i := range samples[0] {
		for _, s := range samples {
			raw = append(raw, byte(s[i]), byte(s[i]>>8))
		}
	}
	return md5.Sum(raw)
}
