package journal

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strings"

	"gatecast/internal/durable"
	"gatecast/internal/evidence"
	"gatecast/internal/wire"
)

// A segment begins with a page that holds its head twice, at 0 and at 2048:
//
//	 0  8  magic
//	 8  8  epoch: logs of one folder count up from 1
//	16  8  log id
//	24  8  sequence number of the first record
//	32 32  SHA-256 of the record before it; zero for the first of a log
//	64  4  CRC32C of bytes 0–63
//
// Its name says the same but for the hash, so that a segment whose both heads
// are gone can still be read.
const (
	dataStart = 4096
	headCopy  = 2048
	headLen   = 68
	// maxSegment bounds a segment: places in it are 32 bits.
	maxSegment = 1 << 30
)

var segmentMagic = [8]byte{'g', 'c', 'S', 'E', 'G', '1', 0xF5, 0x5F}

// segment is one file. Its fields but recs and size are immutable.
type segment struct {
	path  string
	epoch uint64
	log   wire.LogID
	id    [8]byte
	first wire.Seq
	prev  string // hex hash of the record before first; empty for none or unknown

	recs   []place // by sequence number from first; a lost record has size 0
	size   int64   // of the file's records and head
	lastUS int64   // trusted time of the newest record that has one
}

// place is where a record's payload stands.
type place struct{ off, size int32 }

func (s *segment) last() wire.Seq { return s.first + wire.Seq(len(s.recs)) - 1 }

func segmentName(epoch uint64, log wire.LogID, first wire.Seq) string {
	return fmt.Sprintf("%06d-%s-%016x.seg", epoch, log, uint64(first))
}

// parseName is the inverse of segmentName.
func parseName(path string) (*segment, error) {
	var epoch, first uint64
	var log string
	base := filepath.Base(path)
	parts := strings.Split(strings.TrimSuffix(base, ".seg"), "-")
	if len(parts) == 3 {
		log = parts[1]
		_, err1 := fmt.Sscanf(parts[0], "%d", &epoch)
		_, err2 := fmt.Sscanf(parts[2], "%x", &first)
		id, err3 := parseLogID(wire.LogID(log))
		if errors.Join(err1, err2, err3) == nil && segmentName(epoch, wire.LogID(log), wire.Seq(first)) == base && first > 0 {
			return &segment{path: path, epoch: epoch, log: wire.LogID(log), id: id, first: wire.Seq(first), size: dataStart}, nil
		}
	}
	return nil, fmt.Errorf("segment name %q: want epoch-log-first.seg", base)
}

// head returns the first page of s.
func (s *segment) head() []byte {
	page := make([]byte, dataStart)
	h := page[:headLen]
	copy(h, segmentMagic[:])
	binary.LittleEndian.PutUint64(h[8:], s.epoch)
	copy(h[16:], s.id[:])
	binary.LittleEndian.PutUint64(h[24:], uint64(s.first))
	prev, _ := hex.DecodeString(s.prev) // own hex
	copy(h[32:64], prev)
	binary.LittleEndian.PutUint32(h[64:], crc32.Checksum(h[:64], castagnoli))
	copy(page[headCopy:], h)
	return page
}

// readHead takes the hash from the first intact copy in page and reports
// whether both are.
func (s *segment) readHead(page []byte) (both bool) {
	want := s.head()
	good := 0
	for _, at := range []int{headCopy, 0} {
		if len(page) < at+headLen {
			continue
		}
		h := page[at : at+headLen]
		if string(h[:32]) != string(want[:32]) || crc32.Checksum(h[:64], castagnoli) != binary.LittleEndian.Uint32(h[64:]) {
			continue
		}
		good++
		if !isZero(h[32:64]) {
			s.prev = hex.EncodeToString(h[32:64])
		}
	}
	return good == 2
}

// createSegment writes the head of s and opens it for records. On return file
// and name survive loss of power, and space for bytes is reserved, so that the
// disk cannot be full in the middle of a segment.
func (j *Journal) createSegment(s *segment, bytes int64) (durable.File, error) {
	f, err := j.fs.Draft(s.path, 0o600)
	if err != nil {
		return nil, err
	}
	// It gets its name last: a segment that is there takes all further records,
	// also when a power cut brought it back.
	if _, err = f.Write(s.head()); err != nil {
		err = fmt.Errorf("writing %q: %w", s.path, err)
	} else if err = f.Reserve(bytes); err != nil {
		err = fmt.Errorf("reserving space: %w", err)
	} else if err = f.Publish(); err == nil {
		return f.File, nil
	}
	return nil, errors.Join(err, f.Discard())
}

// envelope is what the journal itself reads of a record.
type envelope struct {
	Log   wire.LogID      `json:"log"`
	Seq   wire.Seq        `json:"seq"`
	Prev  string          `json:"prev"`
	Kind  wire.RecordKind `json:"kind"`
	AtUS  int64           `json:"at_us"`
	Level wire.TimeLevel  `json:"level"`
}

// found is what reading a segment brought to light.
type found struct {
	lost    []wire.SeqRange // numbers that cannot be read
	frames  int             // whole ones
	acked   wire.Seq        // as the newest frame says
	hash    string          // of the newest record
	torn    int64           // bytes behind the last frame that are not its
	unended bool            // the last frame lacks its end mark
	healed  int             // damage that cost nothing
}

// read scans the file of s. prev is the hash of the record before it, "" when
// unknown. tail says that s is the newest segment of all, where a torn frame
// is expected. See is called with each whole record in order.
func (s *segment) read(data []byte, prev string, tail bool, see func(envelope, []byte)) found {
	r := found{hash: prev}
	if !s.readHead(data[:min(len(data), dataStart)]) {
		r.healed++
	}
	if r.hash == "" {
		r.hash = s.prev
	}
	off, seq := dataStart, s.first
	for off < len(data) {
		f, err := parseFrame(data, off, s.id, seq)
		if err == nil {
			s.take(&r, f, off, see)
			off, seq = off+f.size, seq+1
			if r.unended = f.unended; f.unended {
				r.healed++
			}
			continue
		}
		if errors.Is(err, errEnd) {
			break
		}
		if errors.Is(err, errTorn) && tail {
			r.torn = int64(len(data) - off)
			break
		}
		at, next, ok := findFrame(data, off, s.id, seq)
		if !ok {
			if !errors.Is(err, errTorn) {
				r.lost = append(r.lost, wire.SeqRange{First: seq, Last: seq})
				s.recs = append(s.recs, place{})
				r.hash = ""
			}
			break
		}
		r.lost = append(r.lost, wire.SeqRange{First: seq, Last: next.seq - 1})
		for ; seq < next.seq; seq++ {
			s.recs = append(s.recs, place{})
		}
		off, r.hash = at, ""
	}
	s.size = int64(off)
	return r
}

// take indexes one frame and checks that its record belongs where it stands.
func (s *segment) take(r *found, f frame, off int, see func(envelope, []byte)) {
	var e envelope
	err := json.Unmarshal(f.payload, &e)
	if err != nil || e.Log != s.log || e.Seq != f.seq || r.hash != "" && e.Prev != r.hash {
		// The checksum holds but the chain does not: somebody wrote this, or
		// the record before, and nobody can tell which.
		first := f.seq
		if n := len(s.recs); n > 0 && s.recs[n-1].size > 0 {
			s.recs[n-1], first = place{}, f.seq-1
		}
		r.lost = append(r.lost, wire.SeqRange{First: first, Last: f.seq})
		s.recs = append(s.recs, place{})
		r.hash = ""
		return
	}
	s.recs = append(s.recs, place{off: int32(off + headSize), size: int32(len(f.payload))})
	r.frames++
	r.hash, r.acked = evidence.Hash(f.payload), f.acked
	if e.Level > wire.T0 {
		s.lastUS = max(s.lastUS, e.AtUS)
	}
	see(e, f.payload)
}
