package web

import (
	"fmt"
	"strings"
)

// wave is the waveform of a clip as the data of an SVG path: bars upright
// strokes in a box of w × h. peaks are pairs of minimum and maximum as int8.
func wave(peaks []byte, bars, w, h int) string {
	n := len(peaks) / 2
	if n == 0 || bars < 1 {
		return fmt.Sprintf("M0 %gH%d", float64(h)/2, w)
	}
	var b strings.Builder
	for i := range bars {
		from, to := i*n/bars, max((i+1)*n/bars, i*n/bars+1)
		top := 1 // keeps silence visible as a dot
		for k := from; k < to && k < n; k++ {
			top = max(top, -int(int8(peaks[2*k])), int(int8(peaks[2*k+1])))
		}
		height := float64(h) * float64(min(top, 127)) / 127
		x := (float64(i) + .5) * float64(w) / float64(bars)
		fmt.Fprintf(&b, "M%.1f %.1fv%.1f", x, (float64(h)-height)/2, height)
	}
	return b.String()
}
