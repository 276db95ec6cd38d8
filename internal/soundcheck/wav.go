package soundcheck

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"gatecast/audio"
)

// ReadWAV reads a 16-bit PCM WAV. A data size that is zero or goes past the
// file, as recorders leave that were killed, means up to the file's end.
func ReadWAV(name string) (*audio.PCM, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading a recording: %w", err)
	}
	p, err := decodeWAV(b)
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", name, err)
	}
	return p, nil
}

func decodeWAV(b []byte) (*audio.PCM, error) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return nil, errors.New("not a WAV file")
	}
	p := &audio.PCM{}
	for rest := b[12:]; len(rest) >= 8; {
		name, size := string(rest[:4]), int64(binary.LittleEndian.Uint32(rest[4:]))
		body := rest[8:]
		if name == "data" && size == 0 {
			size = int64(len(body))
		}
		size = min(size, int64(len(body)))
		switch name {
		case "fmt ":
			if size < 16 || binary.LittleEndian.Uint16(body[14:]) != 16 {
				return nil, errors.New("not 16-bit PCM")
			}
			p.Channels = int(binary.LittleEndian.Uint16(body[2:]))
			p.Rate = int(binary.LittleEndian.Uint32(body[4:]))
			if p.Channels < 1 || p.Channels > 8 || p.Rate < 1 {
				return nil, fmt.Errorf("%d channels at %d Hz", p.Channels, p.Rate)
			}
		case "data":
			if p.Channels == 0 {
				return nil, errors.New("samples before the format")
			}
			p.Samples = samples(body[:size], p.Channels)
			return p, nil
		}
		rest = body[min(size+size%2, int64(len(body))):]
	}
	return nil, errors.New("no samples")
}

// samples decodes whole frames of 16-bit samples.
func samples(b []byte, channels int) []float32 {
	out := make([]float32, len(b)/2/channels*channels)
	for i := range out {
		out[i] = float32(int16(binary.LittleEndian.Uint16(b[2*i:]))) / 32768
	}
	return out
}
