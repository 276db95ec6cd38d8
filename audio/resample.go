package audio

import "math"

// The shape of the resampling filter. 32 zero crossings a side under a Kaiser
// window of β = 8 put the stop band near −80 dB with a transition of 8 % of the
// lower rate, centred so that it ends at the Nyquist frequency: 24 kHz keeps
// speech up to 10 kHz and folds nothing back.
const (
	crossings  = 32
	kaiserBeta = 8.0
	cutoff     = 0.46 // of the lower rate
	maxPhases  = 1024 // more are interpolated between neighbours, error below −100 dB
)

// polyphase converts between two rates by a windowed-sinc filter, addressed by
// output frame, so that it has no state and its length is known beforehand. It
// is immutable and safe for concurrent use.
type polyphase struct {
	in, out int64 // rates without their common divisor
	phases  int64
	taps    int
	coeffs  []float32 // phases+1 rows of taps
}

// newPolyphase returns the converter from one rate to the other, nil when they
// are equal.
func newPolyphase(from, to int) *polyphase {
	if from == to {
		return nil
	}
	g := gcd(from, to)
	p := &polyphase{in: int64(from / g), out: int64(to / g)}
	p.phases = min(p.out, maxPhases)
	stretch := math.Max(1, float64(from)/float64(to))
	half := int(math.Ceil(crossings * stretch))
	p.taps = 2 * half
	p.coeffs = make([]float32, (int(p.phases)+1)*p.taps)
	fc := 2 * cutoff / stretch
	row := make([]float64, p.taps)
	for phase := range int(p.phases) + 1 {
		shift := float64(phase) / float64(p.phases)
		var sum float64
		for t := range row {
			x := float64(t-half+1) - shift
			row[t] = fc * sinc(fc*x) * kaiser(x/float64(half))
			sum += row[t]
		}
		for t, v := range row { // every phase passes DC at exactly 1: no ripple on speech
			p.coeffs[phase*p.taps+t] = float32(v / sum)
		}
	}
	return p
}

// frames returns how many output frames n input frames become: every output
// instant before the end of the input.
func (p *polyphase) frames(n Frames) Frames {
	return Frames((int64(n)*p.out + p.in - 1) / p.in)
}

// fill computes the output frames from first on into dst, reading pcm; frames
// outside pcm count as silence.
func (p *polyphase) fill(dst []float32, pcm *PCM, first Frames) {
	ch := pcm.Channels
	n := len(dst) / ch
	total := int64(pcm.Frames())
	half := int64(p.taps / 2)
	for f := range n {
		at := (int64(first) + int64(f)) * p.in
		base, rest := at/p.out, at%p.out
		scaled := rest * p.phases
		phase, frac := scaled/p.out, float32(scaled%p.out)/float32(p.out)
		row := p.coeffs[int(phase)*p.taps : int(phase+1)*p.taps]
		start := base - half + 1
		lo, hi := max(0, -start), min(int64(p.taps), total-start)
		for c := range ch {
			var sum float32
			if lo < hi {
				sum = dot(row[lo:hi], pcm.Samples[(start+lo)*int64(ch)+int64(c):], ch)
				if frac != 0 {
					next := p.coeffs[int(phase+1)*p.taps : int(phase+2)*p.taps]
					sum += frac * (dot(next[lo:hi], pcm.Samples[(start+lo)*int64(ch)+int64(c):], ch) - sum)
				}
			}
			dst[f*ch+c] = sum
		}
	}
}

// dot multiplies coeffs with every stride-th sample. Four sums run side by
// side: one alone would wait for each addition.
func dot(coeffs, samples []float32, stride int) float32 {
	var a, b, c, d float32
	n := len(coeffs)
	i := 0
	if stride == 1 {
		samples = samples[:n]
		for ; i+4 <= n; i += 4 {
			k, s := coeffs[i:i+4:i+4], samples[i:i+4:i+4]
			a += k[0] * s[0]
			b += k[1] * s[1]
			c += k[2] * s[2]
			d += k[3] * s[3]
		}
	}
	for ; i < n; i++ {
		a += coeffs[i] * samples[i*stride]
	}
	return a + b + c + d
}

// Resample returns p at rate, p itself where it already has it. The result has
// exactly ceil(frames × rate ÷ p.Rate) frames, aligned with the first of p. A
// rate outside 8,000–192,000 yields nil. It costs one copy of the result.
func Resample(p *PCM, rate int) *PCM {
	if p == nil || p.Format.Validate() != nil || rate < MinRate || rate > MaxRate {
		return nil
	}
	conv := newPolyphase(p.Rate, rate)
	if conv == nil {
		return p
	}
	out := &PCM{
		Format:  Format{Rate: rate, Channels: p.Channels},
		Samples: make([]float32, int(conv.frames(p.Frames()))*p.Channels),
	}
	conv.fill(out.Samples, p, 0)
	return out
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

func kaiser(x float64) float64 {
	if x <= -1 || x >= 1 {
		return 0
	}
	return bessel(kaiserBeta*math.Sqrt(1-x*x)) / bessel(kaiserBeta)
}

// bessel is I₀, the modified Bessel function of order zero, by its series.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= (x / 2 / k) * (x / 2 / k)
		sum += term
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
