package insertion

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"
)

// The tone of drills: low, short, and nothing that could be taken for a siren.
const (
	toneLength = 2 * time.Second
	toneRate   = 24000 // Hz
	toneHz     = 220.0
	toneLevel  = 0.2 // of full scale
	toneFade   = 0.1 // s at both ends
)

// DrillTone returns the sound of a drill as a WAV file, always the same bytes.
func (*Desk) DrillTone() []byte {
	n := int(toneLength.Seconds() * toneRate)
	var b bytes.Buffer
	le := binary.LittleEndian
	b.WriteString("RIFF")
	b.Write(le.AppendUint32(nil, uint32(36+2*n)))
	b.WriteString("WAVEfmt ")
	b.Write(le.AppendUint32(nil, 16))
	b.Write(le.AppendUint16(le.AppendUint16(nil, 1), 1)) // PCM, mono
	b.Write(le.AppendUint32(le.AppendUint32(nil, toneRate), 2*toneRate))
	b.Write(le.AppendUint16(le.AppendUint16(nil, 2), 16))
	b.WriteString("data")
	b.Write(le.AppendUint32(nil, uint32(2*n)))
	for i := range n {
		t := float64(i) / toneRate
		fade := min(1, t/toneFade, (toneLength.Seconds()-t)/toneFade)
		b.Write(le.AppendUint16(nil, uint16(int16(32767*toneLevel*fade*math.Sin(2*math.Pi*toneHz*t)))))
	}
	return b.Bytes()
}
