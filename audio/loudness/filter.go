package loudness

import "math"

// biquad is a second-order filter in transposed direct form II.
type biquad struct {
	b0, b1, b2, a1, a2 float64
	z1, z2             float64
}

func (q *biquad) next(x float64) float64 {
	y := q.b0*x + q.z1
	q.z1 = q.b1*x - q.a1*y + q.z2
	q.z2 = q.b2*x - q.a2*y
	return y
}

// BS.1770-4 prints the coefficients of its two filters for 48 kHz only. These
// are the analogue prototypes behind them; the bilinear transform of each gives
// the printed numbers at 48 kHz and the same curve at any other rate.
const (
	shelfHz   = 1681.974450955533
	shelfDB   = 3.999843853973347
	shelfQ    = 0.7071752369554196
	shelfMid  = 0.4996667741545416 // exponent of the gain at the corner
	highHz    = 38.13547087602444
	highQ     = 0.5003270373238773
	oversamp  = 4  // as annex 2 asks for rates to 48 kHz, and more than enough above
	peakTaps  = 12 // of each phase, annex 2
	halfTaps  = peakTaps / 2
	hannReach = halfTaps + 0.5
)

// shelving is the first stage: the head lifts the treble by 4 dB.
func shelving(rate float64) biquad {
	k := math.Tan(math.Pi * shelfHz / rate)
	high := math.Pow(10, shelfDB/20)
	mid := math.Pow(high, shelfMid)
	a0 := 1 + k/shelfQ + k*k
	return biquad{
		b0: (high + mid*k/shelfQ + k*k) / a0,
		b1: 2 * (k*k - high) / a0,
		b2: (high - mid*k/shelfQ + k*k) / a0,
		a1: 2 * (k*k - 1) / a0,
		a2: (1 - k/shelfQ + k*k) / a0,
	}
}

// highPass is the second stage: the ear hardly counts the lowest bass.
func highPass(rate float64) biquad {
	k := math.Tan(math.Pi * highHz / rate)
	a0 := 1 + k/highQ + k*k
	return biquad{b0: 1, b1: -2, b2: 1, a1: 2 * (k*k - 1) / a0, a2: (1 - k/highQ + k*k) / a0}
}

// phases interpolates at ¼, ½ and ¾ between the two middle ones of 12 samples;
// the samples themselves are the fourth phase.
var phases = func() (rows [oversamp - 1][peakTaps]float64) {
	for p := range rows {
		var sum float64
		for t := range rows[p] {
			x := float64(t-halfTaps+1) - float64(p+1)/oversamp
			rows[p][t] = math.Sin(math.Pi*x) / (math.Pi * x) * (0.5 + 0.5*math.Cos(math.Pi*x/hannReach))
			sum += rows[p][t]
		}
		for t := range rows[p] {
			rows[p][t] /= sum
		}
	}
	return rows
}()

// peakMeter follows the greatest magnitude of one channel's wave.
type peakMeter struct {
	ring [2 * peakTaps]float64 // every sample twice, so that a run lies in one piece
	at   int
	most float64
}

func (m *peakMeter) add(x float64) {
	m.ring[m.at], m.ring[m.at+peakTaps] = x, x
	if m.at++; m.at == peakTaps {
		m.at = 0
	}
	if x = math.Abs(x); x > m.most {
		m.most = x
	}
	run := m.ring[m.at : m.at+peakTaps]
	for p := range phases {
		row := &phases[p]
		var a, b float64
		for t := 0; t < peakTaps; t += 2 {
			a += run[t] * row[t]
			b += run[t+1] * row[t+1]
		}
		if v := math.Abs(a + b); v > m.most {
			m.most = v
		}
	}
}

// end returns the peak with what still rings in the interpolator; the meter
// itself is not changed, so that more can be added.
func (m *peakMeter) end() float64 {
	rest := *m
	for range halfTaps {
		rest.add(0)
	}
	return rest.most
}
