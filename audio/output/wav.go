package output

import (
	"encoding/binary"
	"math"

	"gatecast/audio"
)

// wavHeaderSize is the length of the canonical RIFF/WAVE header of PCM.
const wavHeaderSize = 44

// wavHeader returns the header of a 16-bit PCM WAV with dataBytes of samples,
// clamped to what RIFF can say (4 GiB: 12 hours of stereo at 48 kHz).
func wavHeader(f audio.Format, dataBytes int64) []byte {
	size := uint32(min(dataBytes, math.MaxUint32-wavHeaderSize))
	frame := uint16(f.Channels * 2)
	h := make([]byte, 0, wavHeaderSize)
	h = append(h, "RIFF"...)
	h = binary.LittleEndian.AppendUint32(h, size+wavHeaderSize-8)
	h = append(h, "WAVEfmt "...)
	h = binary.LittleEndian.AppendUint32(h, 16)
	h = binary.LittleEndian.AppendUint16(h, 1) // PCM
	h = binary.LittleEndian.AppendUint16(h, uint16(f.Channels))
	h = binary.LittleEndian.AppendUint32(h, uint32(f.Rate))
	h = binary.LittleEndian.AppendUint32(h, uint32(f.Rate)*uint32(frame))
	h = binary.LittleEndian.AppendUint16(h, frame)
	h = binary.LittleEndian.AppendUint16(h, 16)
	h = append(h, "data"...)
	return binary.LittleEndian.AppendUint32(h, size)
}
