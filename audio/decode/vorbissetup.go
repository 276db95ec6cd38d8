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

// checkSetup walks a setup header (Vorbis I §4.2.4) as far as the residues and
// refuses what makes the library allocate gigabytes or never return.
func checkSetup(setup []byte) error {
	r := &bitReader{data: setup}
	if err := checkCodebooks(r); err != nil {
		return err
	}
	for range r.read(6) + 1 { // time domain transforms: all zero
		r.read(16)
	}
	if err := skipFloors(r); err != nil {
		return err
	}
	return checkResidues(r)
}

// skipFloors reads past the floors (Vorbis I §6.2.1 and §7.2.2).
func skipFloors(r *bitReader) error {
	for floor := range r.read(6) + 1 {
		switch kind := r.read(16); kind {
		case 0:
			r.read(8 + 16)
			r.read(16 + 6)
			r.read(8)
			for range r.read(4) + 1 {
				r.read(8)
			}
		case 1:
			if !skipFloor1(r) {
				return unsupported("floor %d has no partitions, which the decoder misreads", floor)
			}
		default:
			return corrupt("floor %d of type %d", floor, kind)
		}
		if r.over {
			return corrupt("floor %d is cut", floor)
		}
	}
	return nil
}

// skipFloor1 reports false at a floor without partitions, as 5.1 files have for
// their effects channel: the library looks for a class in it and reads the rest
// of the header out of step.
func skipFloor1(r *bitReader) bool {
	partitions := make([]uint32, r.read(5))
	if len(partitions) == 0 {
		return false
	}
	classes := uint32(0)
	for i := range partitions {
		partitions[i] = r.read(4)
		classes = max(classes, partitions[i])
	}
	dims := make([]uint32, classes+1)
	for c := range dims {
		dims[c] = r.read(3) + 1
		subclass := r.read(2)
		if subclass != 0 {
			r.read(8)
		}
		for range 1 << subclass {
			r.read(8)
		}
	}
	r.read(2)
	width := int(r.read(4))
	for _, class := range partitions {
		for range dims[class] {
			r.read(width)
		}
	}
	return true
}

// checkResidues refuses a residue (Vorbis I §8.6.1) that ends before it begins:
// the library takes the difference for billions of partitions and makes room
// for them.
func checkResidues(r *bitReader) error {
	for residue := range r.read(6) + 1 {
		kind, begin, end := r.read(16), r.read(24), r.read(24)
		r.read(24)
		cascades := make([]uint32, r.read(6)+1)
		r.read(8)
		if kind > 2 || begin > end || r.over {
			return corrupt("residue %d of type %d from %d to %d", residue, kind, begin, end)
		}
		for i := range cascades {
			cascades[i] = r.read(3)
			if r.read(1) == 1 {
				cascades[i] |= r.read(5) << 3
			}
		}
		for _, c := range cascades {
			for ; c > 0; c &= c - 1 {
				r.read(8)
			}
		}
	}
	if r.over {
		return corrupt("residues are cut")
	}
	return nil
}

// checkCodebooks walks the codebooks (Vorbis I §3.2.1) and refuses huge ones,
// ones without dimensions, and ones without any used entry.
func checkCodebooks(r *bitReader) error {
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
			n = lookupValues(entries, dims)
			if n != int(math.Floor(math.Pow(float64(entries), 1/float64(dims)))) {
				return unsupported("codebook %d has %d entries of %d dimensions, which the decoder miscounts", book, entries, dims)
			}
		}
		if r.at += n * bits; r.at > len(r.data)*8 {
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

// lookupValues returns the greatest n whose power of dims is at most entries
// (Vorbis I §9.2.3). The library takes the root in floating point, which for
// some exact powers comes out one too small.
func lookupValues(entries, dims int) int {
	n := 1
	for {
		power := 1
		for range dims {
			if power *= n + 1; power > entries {
				return n
			}
		}
		n++
	}
}

func bitLength(x int) int {
	n := 0
	for ; x > 0; x >>= 1 {
		n++
	}
	return n
}
