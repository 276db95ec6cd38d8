package audio

import "math"

// CeilingDB is the level no rendered sample exceeds, in dB relative to full
// scale. Peaks between the samples are estimated by fourfold oversampling and
// kept there too, to within a few tenths of a dB.
const CeilingDB = -1.5

// ceiling is CeilingDB as an amplitude, rounded down so that float32 cannot
// exceed it.
var ceiling = math.Nextafter32(float32(math.Pow(10, CeilingDB/20)), 0)

const (
	lookAhead  = 0.005 // seconds the gain takes to come down before a peak
	release    = 0.080 // seconds in which it recovers by 63 %
	peakTaps   = 12    // of each oversampling phase
	peakReach  = peakTaps / 2
	inaudible  = 1e-7 // gain reduction that counts as none: below a 24-bit step
	peakPhases = 3    // between two samples; the fourth is the sample itself
)

// peakCoeffs interpolates at ¼, ½ and ¾ between the 6th and 7th of 12 samples.
var peakCoeffs = func() (rows [peakPhases][peakTaps]float32) {
	for p := range rows {
		var sum float64
		var row [peakTaps]float64
		for t := range row {
			x := float64(t-peakReach+1) - float64(p+1)/4
			row[t] = sinc(x) * (0.5 + 0.5*math.Cos(math.Pi*x/(peakReach+0.5)))
			sum += row[t]
		}
		for t, v := range row {
			rows[p][t] = float32(v / sum)
		}
	}
	return rows
}()

// limiter holds a stream under the ceiling without distorting it: the gain
// comes down smoothly ahead of a peak and recovers slowly. All channels get the
// same gain. Frames that need no reduction pass unchanged to the bit.
//
// Let g be the gain that each frame needs. The gain applied to frame i is the
// mean, over the window ending at i, of the least g in the window starting
// there: every mean that covers i is of minima that cover i, so it is ≤ g(i).
type limiter struct {
	channels int
	window   int // frames of look-ahead
	delay    int // frames between in and out

	in      int64 // frames taken
	ring    []float32
	ringLen int64

	between float64 // peak between the last two frames measured

	queueAt []int64 // sliding minimum: indices with rising g, a ring
	queueG  []float64
	qHead   int
	qLen    int

	cuts    []float64 // 1 − smoothed-minimum, a ring of window entries
	sum     float64
	active  int // entries of cuts that are not zero
	cut     float64
	recover float64
}

func newLimiter(f Format) *limiter {
	w := max(1, int(math.Round(lookAhead*float64(f.Rate))))
	l := &limiter{
		channels: f.Channels,
		window:   w,
		delay:    peakReach + w - 1 + peakReach,
		recover:  math.Exp(-1 / (release * float64(f.Rate))),
		queueAt:  make([]int64, w+2*peakReach+1),
		queueG:   make([]float64, w+2*peakReach+1),
		cuts:     make([]float64, w),
	}
	l.ringLen = int64(l.delay + peakTaps)
	l.ring = make([]float32, l.ringLen*int64(f.Channels)*2)
	return l
}

// push takes one frame and, once delay frames are in, writes the frame that
// many earlier to out and reports true. out and frame may be the same slice.
func (l *limiter) push(out, frame []float32) bool {
	ch := l.channels
	k := l.in
	l.in++
	// Each frame is stored twice, ringLen apart, so that any run of the last
	// ringLen frames lies in one piece.
	slot := int(k%l.ringLen) * ch
	copy(l.ring[slot:slot+ch], frame)
	copy(l.ring[slot+int(l.ringLen)*ch:], frame)

	at := k - peakReach
	if at >= -peakReach {
		l.need(at, l.measure(at))
	}
	i := k - int64(l.delay)
	l.step(i)
	if i < 0 {
		return false
	}
	gain := 1.0
	if l.active > 0 {
		gain = 1 - l.sum/float64(l.window)
	}
	src := l.frame(i)
	for c, v := range src {
		y := v
		if gain != 1 {
			y = float32(float64(v) * gain)
		}
		out[c] = min(max(y, -ceiling), ceiling)
	}
	return true
}

// frame returns frame i, which must be among the last ringLen taken.
func (l *limiter) frame(i int64) []float32 {
	slot := int(i%l.ringLen) * l.channels
	return l.ring[slot : slot+l.channels]
}

// measure returns the peak around frame at: of the sample and of the curve on
// both sides of it.
func (l *limiter) measure(at int64) float64 {
	var here, next float32
	if at >= 0 {
		for _, v := range l.frame(at) {
			here = max(here, max(v, -v))
		}
	}
	first := at - peakReach + 1
	ch := l.channels
	start := int(((first%l.ringLen)+l.ringLen)%l.ringLen) * ch
	run := l.ring[start : start+peakTaps*ch]
	for c := range ch {
		for p := range peakCoeffs {
			v := dot(peakCoeffs[p][:], run[c:], ch)
			next = max(next, max(v, -v))
		}
	}
	peak := math.Max(float64(here), math.Max(l.between, float64(next)))
	l.between = float64(next)
	return peak
}

// need enters what frame at needs into the sliding minimum.
func (l *limiter) need(at int64, peak float64) {
	g := 1.0
	if peak > float64(ceiling) {
		g = float64(ceiling) / peak
	}
	size := len(l.queueAt)
	for l.qLen > 0 && l.queueG[(l.qHead+l.qLen-1)%size] >= g {
		l.qLen--
	}
	tail := (l.qHead + l.qLen) % size
	l.queueAt[tail], l.queueG[tail] = at, g
	l.qLen++
}

// step moves the applied gain on to frame i.
func (l *limiter) step(i int64) {
	size := len(l.queueAt)
	for l.qLen > 0 && l.queueAt[l.qHead] < i-peakReach {
		l.qHead = (l.qHead + 1) % size
		l.qLen--
	}
	l.cut *= l.recover
	if l.qLen > 0 {
		l.cut = math.Max(l.cut, 1-l.queueG[l.qHead])
	}
	if l.cut < inaudible {
		l.cut = 0
	}
	slot := int(((i % int64(l.window)) + int64(l.window)) % int64(l.window))
	old := l.cuts[slot]
	if old != 0 {
		l.active--
	}
	if l.cut != 0 {
		l.active++
	}
	l.cuts[slot] = l.cut
	l.sum += l.cut - old
	if l.active == 0 {
		l.sum = 0 // rounding must not linger as a gain error
	}
}
