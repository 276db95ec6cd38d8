package audio

// quietest is one step of 16-bit sound: dither alone stays at or under it.
const quietest = 1.0 / (1 << 15)

// Silent reports whether p is digital silence: no sample beyond one 16-bit
// step. Nil and empty pieces are silent.
func Silent(p *PCM) bool {
	if p == nil {
		return true
	}
	for _, v := range p.Samples {
		if v > quietest || v < -quietest {
			return false
		}
	}
	return true
}

// Peak is the range of the samples in one stretch of a piece, all channels
// together; both ends are 0 in silence.
type Peak struct {
	Min, Max float32
}

// Peaks divides p into n stretches that differ by at most one frame and returns
// the range of each, for drawing a waveform. Fewer frames than n yield one peak
// a frame. An n below 1 or an empty p yields nil.
func Peaks(p *PCM, n int) []Peak {
	frames := int(p.Frames())
	n = min(n, frames)
	if n < 1 {
		return nil
	}
	peaks := make([]Peak, n)
	for i := range peaks {
		from, to := i*frames/n, (i+1)*frames/n
		for _, v := range p.Samples[from*p.Channels : to*p.Channels] {
			peaks[i].Min = min(peaks[i].Min, v)
			peaks[i].Max = max(peaks[i].Max, v)
		}
	}
	return peaks
}
