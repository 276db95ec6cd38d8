package soundcheck

import "math"

// bestLag returns the shift of a against b at which their correlation is
// largest: a[i] is b[i+lag]. It costs two transforms of the padded length.
func bestLag(a, b []float64) int {
	n := 1
	for n < len(a)+len(b) {
		n *= 2
	}
	// Both real signals go through one complex transform each direction.
	x := make([]complex128, n)
	for i, v := range a {
		x[i] = complex(v, 0)
	}
	for i, v := range b {
		x[i] += complex(0, v)
	}
	transform(x, false)
	y := make([]complex128, n)
	for k := range x {
		p, q := x[k], x[(n-k)%n]
		conj := complex(real(q), -imag(q))
		fa, fb := (p+conj)/2, (p-conj)/complex(0, 2)
		y[k] = fb * complex(real(fa), -imag(fa))
	}
	transform(y, true)
	best := 0
	for k := range y {
		if real(y[k]) > real(y[best]) {
			best = k
		}
	}
	if best >= len(b) { // a negative lag wraps round
		return best - n
	}
	return best
}

// transform is the radix-2 FFT in place, unscaled; len(x) is a power of two.
func transform(x []complex128, inverse bool) {
	n := len(x)
	for i, j := 1, 0; i < n; i++ {
		bit := n >> 1
		for ; j&bit != 0; bit >>= 1 {
			j ^= bit
		}
		j ^= bit
		if i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	sign := -1.0
	if inverse {
		sign = 1
	}
	w := make([]complex128, n/2)
	for i := range w {
		s, c := math.Sincos(sign * 2 * math.Pi * float64(i) / float64(n))
		w[i] = complex(c, s)
	}
	for size := 2; size <= n; size *= 2 {
		half, step := size/2, n/size
		for at := 0; at < n; at += size {
			for k := range half {
				t := w[k*step] * x[at+k+half]
				x[at+k+half] = x[at+k] - t
				x[at+k] += t
			}
		}
	}
}
