package encode

import (
	"math"

	"github.com/mewkiz/flac/frame"
)

// The search space. Order 10 is what the vocal tract needs at 24 kHz; 14 bits
// keep the rounding of a coefficient under the noise of the sound.
const (
	maxOrder     = 10
	coeffPrec    = 14
	maxPartOrder = 5 // 32 partitions of 128 samples
	maxRice      = 14
)

// predict returns samples as the subframe that takes the fewest bits: a
// constant, a fixed or a linear predictor with partitioned Rice codes, or
// verbatim.
func predict(samples []int32) *frame.Subframe {
	sub := &frame.Subframe{
		SubHeader: frame.SubHeader{Pred: frame.PredVerbatim},
		Samples:   samples,
		NSamples:  len(samples),
	}
	if constant(samples) {
		sub.Pred = frame.PredConstant
		return sub
	}
	best := len(samples) * bits
	try := func(h frame.SubHeader, cost int) {
		if cost += h.RiceSubframe.PartOrder; cost < best {
			best, sub.SubHeader = cost, h
		}
	}
	for order := range frame.FixedCoeffs {
		if order < len(samples) {
			h := frame.SubHeader{Pred: frame.PredFixed, Order: order}
			if cost, ok := code(&h, samples, frame.FixedCoeffs[order], 0); ok {
				try(h, cost+order*bits)
			}
		}
	}
	if len(samples) > 4*maxOrder {
		for _, order := range []int{6, maxOrder} {
			coeffs, shift, ok := linear(samples, order)
			if !ok {
				continue
			}
			h := frame.SubHeader{Pred: frame.PredFIR, Order: order, Coeffs: coeffs, CoeffPrec: coeffPrec, CoeffShift: shift}
			if cost, ok := code(&h, samples, coeffs, shift); ok {
				try(h, cost+order*(bits+coeffPrec)+9)
			}
		}
	}
	return sub
}

func constant(samples []int32) bool {
	for _, s := range samples {
		if s != samples[0] {
			return false
		}
	}
	return true
}

// code fills in h the Rice parameters for the residuals of a predictor and
// returns their cost in bits. ok is false where a residual does not fit.
func code(h *frame.SubHeader, samples, coeffs []int32, shift int32) (cost int, ok bool) {
	order := len(coeffs)
	folded := make([]uint32, len(samples))
	for i := order; i < len(samples); i++ {
		var sum int64
		for j, c := range coeffs {
			sum += int64(c) * int64(samples[i-j-1])
		}
		r := int64(samples[i]) - sum>>uint(shift)
		if r < math.MinInt32>>4 || r > math.MaxInt32>>4 {
			return 0, false
		}
		folded[i] = uint32(r<<1) ^ uint32(r>>63)
	}
	best := math.MaxInt
	for part := 0; part <= maxPartOrder; part++ {
		n := len(samples) >> part
		if len(samples)&(1<<part-1) != 0 || n <= order {
			break
		}
		parts := make([]frame.RicePartition, 1<<part)
		total := 0
		for p := range parts {
			from := p * n
			if p == 0 {
				from = order
			}
			k, c := rice(folded[from : (p+1)*n])
			parts[p].Param = k
			total += c + 4
		}
		if total < best {
			best = total
			h.ResidualCodingMethod = frame.ResidualCodingMethodRice1
			h.RiceSubframe = &frame.RiceSubframe{PartOrder: part, Partitions: parts}
		}
	}
	return best, best < math.MaxInt
}

// rice returns the parameter that codes folded in the fewest bits, and how many.
func rice(folded []uint32) (k uint, cost int) {
	var sum uint64
	for _, v := range folded {
		sum += uint64(v)
	}
	guess := 0
	for mean := sum / uint64(max(1, len(folded))); mean > 1 && guess < maxRice; mean >>= 1 {
		guess++
	}
	cost = math.MaxInt
	for try := max(0, guess-1); try <= min(maxRice, guess+1); try++ {
		c := len(folded) * (try + 1)
		for _, v := range folded {
			c += int(v >> try)
		}
		if c < cost {
			k, cost = uint(try), c
		}
	}
	return k, cost
}

// linear returns the quantised coefficients of the best linear predictor of the
// given order, by autocorrelation and the Levinson-Durbin recursion. ok is false
// where there is none, as for silence.
func linear(samples []int32, order int) (coeffs []int32, shift int32, ok bool) {
	n := len(samples)
	windowed := make([]float64, n)
	for i, s := range samples { // Welch window: keeps the edges of the block out
		x := (float64(i) - float64(n-1)/2) / (float64(n+1) / 2)
		windowed[i] = float64(s) * (1 - x*x)
	}
	auto := make([]float64, order+1)
	for lag := range auto {
		for i := lag; i < n; i++ {
			auto[lag] += windowed[i] * windowed[i-lag]
		}
	}
	if auto[0] <= 0 {
		return nil, 0, false
	}
	a := make([]float64, order)
	prev := make([]float64, order)
	e := auto[0] * (1 + 1e-9)
	for i := range order {
		r := auto[i+1]
		for j := range i {
			r -= a[j] * auto[i-j]
		}
		r /= e
		copy(prev, a)
		a[i] = r
		for j := range i {
			a[j] = prev[j] - r*prev[i-1-j]
		}
		if e *= 1 - r*r; e <= 0 {
			return nil, 0, false
		}
	}
	return quantizeCoeffs(a)
}

// quantizeCoeffs rounds a to coeffPrec bits under a common shift, each rounding
// error carried to the next.
func quantizeCoeffs(a []float64) (coeffs []int32, shift int32, ok bool) {
	var most float64
	for _, v := range a {
		most = math.Max(most, math.Abs(v))
	}
	_, exp := math.Frexp(most)
	s := coeffPrec - 1 - exp
	if most == 0 || s < 0 {
		return nil, 0, false
	}
	s = min(s, 15)
	const limit = 1 << (coeffPrec - 1)
	coeffs = make([]int32, len(a))
	var carry float64
	for i, v := range a {
		carry += v * float64(int(1)<<s)
		q := math.Max(-limit, math.Min(limit-1, math.Round(carry)))
		coeffs[i] = int32(q)
		carry -= q
	}
	return coeffs, int32(s), true
}
