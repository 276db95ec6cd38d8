package decode

import "math"

// The bounds of Vorbis codebooks. libvorbis' largest has 6,561 entries of 8
// dimensions, all of a file's together under 32,000 entries; the library builds
// its trees in quadratic time, so that these bounds also keep it near a second
// on the worst of forgeries.
const (
	maxBookEntries  = 32 << 10
	maxBookSum      = 128 << 10
	maxBookDims     = 256
	maxBookValues   = 1 << 20
	codebookPattern = 0x564342
)

// bitReader reads bits from the least significant end, as Vorbis packs them.
// Past the end it yields zeros and remembers that.
type bitReader struct {
	data []byte
	at   int // in bits
	over bool
}

func (r *bitReader) read(n int) uint32 {
	if r.at+n > len(r.data)*8 {
		r.over = true
		r.at = len(r.data) * 8
		return 0
	}
	var v uint32
	for i := range n {
		v |= uint32(r.data[r.at/8]>>(r.at%8)&1) << i
		r.at++
	}
	return v
}

// checkCodebooks walks the codebooks of a setup header (Vorbis I §3.2.1) and
// refuses those at which the library would allocate gigabytes or never return:
// huge ones, ones without dimensions, and ones without any used entry.
func checkCodebooks(setup []byte) error {
	r := &bitReader{data: setup}
	total, values := 0, 0
	for book := range int(r.read(8)) + 1 {
		if r.read(24) != codebookPattern {
			return corrupt("codebook %d has no mark", book)
		}
		dims, entries := int(r.read(16)), int(r.read(24))
		total += entries
		if dims < 1 || dims > maxBookDims || entries < 1 || entries > maxBookEntries || total > maxBookSum {
			return corrupt("codebook %d has %d entries of %d dimensions", book, entries, dims)
		}
		used, ok := countCodewords(r, entries)
		if !ok || used == 0 || r.over {
			return corrupt("codebook %d has %d codewords", book, used)
		}
		lookup := r.read(4)
		if lookup == 0 {
			continue
		}
		r.read(32)
		r.read(32)
		bits := int(r.read(4)) + 1
		r.read(1)
		n := entries * dims
		values += n
		if lookup > 2 || values > maxBookValues {
			return corrupt("codebook %d has lookup %d of %d values", book, lookup, n)
		}
		if lookup == 1 {
			n = int(math.Floor(math.Pow(float64(entries), 1/float64(dims))))
		}
		if r.at += n * bits; r.at > len(setup)*8 {
			return corrupt("codebook %d is cut", book)
		}
	}
	return nil
}

// countCodewords reads the codeword lengths of a book and returns how many
// entries have one.
func countCodewords(r *bitReader, entries int) (used int, ok bool) {
	if r.read(1) == 0 {
		sparse := r.read(1) == 1
		for range entries {
			if r.over {
				return used, false
			}
			if !sparse || r.read(1) == 1 {
				r.read(5)
				used++
			}
		}
		return used, true
	}
	length := int(r.read(5)) + 1
	for used < entries {
		n := int(r.read(bitLength(entries - used)))
		if used += n; used > entries || length > 32 || r.over {
			return used, false
		}
		length++
	}
	return used, true
}

func bitLength(x int) int {
	n := 0
	for ; x > 0; x >>= 1 {
		n++
	}
	return n
}
