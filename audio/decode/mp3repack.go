package decode

// The decoder beneath beep computes the length of padded frames of low sampling
// rates wrongly: (144·bitrate÷rate + padding) ÷ 2 where the standard has
// 72·bitrate÷rate + padding. At 22.05 kHz and 16, 24, 32, 80 or 96 kbit/s it loses
// a byte of every padded frame and with it the thread of the bit reservoir: the
// speech comes out as noise. It also refuses MPEG 2.5. Both are cured by packing
// the coded samples, untouched, into frames of one size that it understands.

// repacker rewrites low-rate frames as unpadded frames of the highest bit rate.
//
// The samples of a frame are coded in its main data, which may begin in the
// frames before it: main_data_begin counts bytes back from its own. Where the
// new frames are, at 160 kbit/s, no smaller than the old, and every main data
// begins as early as it may, it ends no later than before; so whatever fitted
// fits again.
type repacker struct {
	data   []byte
	frames []mp3Frame

	header    [4]byte
	size      int // bytes of a new frame
	reservoir []byte

	pending []byte // the new frame that later main data may still go into
	used    int    // main data bytes of pending that are taken
}

const (
	maxBegin  = 255 // main_data_begin has 8 bits at low rates
	bestKbps  = 160 // of low rates
	bestIndex = 14
)

// newRepacker returns the feed of a low-rate file.
func newRepacker(data []byte, s mp3Scan) (*repacker, error) {
	h := s.first
	rate := h.rate
	var index byte
	switch rate {
	case 22_050:
		index = 0
	case 24_000:
		index = 1
	case 16_000:
		index = 2
	case 11_025, 12_000:
		// MPEG 2.5 divides these rates into the same bands as MPEG 2 does 16 kHz:
		// the decoder is told so, and only the label of the result differs.
		rate, index = 16_000, 2
	default:
		return nil, unsupported("MPEG 2.5 at %d Hz", h.rate)
	}
	return &repacker{
		data:   data,
		frames: s.frames,
		header: [4]byte{0xFF, 0xF3, bestIndex<<4 | index<<2, 0},
		size:   72 * bestKbps * 1000 / rate,
	}, nil
}

// next implements frameFeed. One frame is held back, because the main data of
// its successor may begin in it.
func (r *repacker) next() []byte {
	for len(r.frames) > 0 {
		fr := r.frames[0]
		r.frames = r.frames[1:]
		last := r.pending
		r.pack(r.data[fr.at : fr.at+fr.size])
		if last != nil {
			return last
		}
	}
	last := r.pending
	r.pending = nil
	return last
}

// pack makes the next pending frame from an old one.
func (r *repacker) pack(old []byte) {
	h, _ := parseMPEG(old)
	side := old[h.body() : h.body()+h.sideInfo()]
	own := old[h.body()+h.sideInfo():]
	begin := int(side[0])
	need := (mainBits(side, h.channels) + 7) / 8
	var main []byte
	if begin <= len(r.reservoir) {
		main = append(append([]byte(nil), r.reservoir[len(r.reservoir)-begin:]...), own...)
		main = main[:min(need, len(main))]
	}
	r.reservoir = append(r.reservoir, own...)
	if cut := len(r.reservoir) - maxBegin; cut > 0 {
		r.reservoir = append(r.reservoir[:0], r.reservoir[cut:]...)
	}

	frame := make([]byte, r.size)
	copy(frame, r.header[:])
	frame[3] = old[3]
	start := 4 + h.sideInfo()
	room := len(frame) - start
	back := 0 // bytes that go into the pending frame
	if r.pending != nil {
		back = min(len(r.pending)-r.used, maxBegin)
	}
	if len(main) != need || need > room+back {
		// The reservoir is not there, as at the start of a file that was cut, or
		// the frame claims more than can be: silence, as other decoders do. The
		// side information stays zero, which codes just that.
		r.pending, r.used = frame, start
		return
	}
	copy(frame[4:], side)
	frame[4] = byte(back)
	if r.pending != nil {
		copy(r.pending[len(r.pending)-back:], main[:min(back, need)])
	}
	r.used = start
	if need > back {
		copy(frame[start:], main[back:])
		r.used += need - back
	}
	r.pending = frame
}

// mainBits returns how many bits of main data the side information of a
// low-rate frame announces: part2_3_length, 12 bits at the start of the 63 of
// each channel, behind main_data_begin and the private bits.
func mainBits(side []byte, channels int) int {
	at := 8 + channels
	n := 0
	for range channels {
		for b := range 12 {
			bit := at + b
			n += int(side[bit/8]>>(7-bit%8)&1) << (11 - b)
		}
		at += 63
	}
	return n
}
