package evidence

import (
	"encoding/json"
	"fmt"
	"slices"

	"gatecast/internal/wire"
)

// LogOptions say what is known of a log before its records are read.
type LogOptions struct {
	Device   wire.DeviceID // whose it must be; empty takes the first checkpoint's
	Log      wire.LogID
	Receipts []wire.Receipt // of this log, verified
	Ends     []wire.LogEnd  // of this log, as signed checkpoints of the next one say
}

// Log checks the records of one log as they come. After the first fault it
// looks at nothing more.
type Log struct {
	o    LogOptions
	r    LogReport
	tail Tail
	gap  []Hole
	bare int // records since the last checkpoint

	boots map[string]bool // that ended
	boot  string
	mono  int64
	wall  int64 // newest trusted instant
}

// LogReport is what is known of a log once it was read.
type LogReport struct {
	Device      wire.DeviceID // empty without a checkpoint
	Log         wire.LogID
	First, Last wire.Seq // 0 without records
	Records     int64
	FromUS      int64 // earliest and latest trusted instant on the records, 0 for none
	ToUS        int64

	Checkpoints int
	Signed      wire.Seq // newest checkpoint; it covers everything up to here but Bare
	Bare        []Hole   // records that no checkpoint covers: the end, and what stands in front of a hole
	Receipts    int
	Receipted   wire.Seq // the controller's signature covers everything up to here
	WallBack    wire.Seq // first record whose trusted time is before that of one in front, beyond its error; 0 for none
	Fault       *Fault
}

// Hole is a run of records that are not there.
type Hole struct{ First, Last wire.Seq }

// NewLog returns a Log that waits for its first record.
func NewLog(o LogOptions) *Log {
	o.Receipts = slices.Clone(o.Receipts)
	slices.SortFunc(o.Receipts, func(a, b wire.Receipt) int { return int(int64(a.Upto) - int64(b.Upto)) })
	return &Log{o: o, r: LogReport{Device: o.Device, Log: o.Log}, boots: map[string]bool{}}
}

func (l *Log) fail(code Code, seq, from wire.Seq, detail string) {
	if l.r.Fault == nil {
		l.r.Fault = &Fault{Code: code, Device: l.r.Device, Log: l.o.Log, Seq: seq, From: from, Detail: detail}
	}
}

// Add takes the exact bytes of the next record, which are not kept.
func (l *Log) Add(raw []byte) {
	if l.r.Fault != nil {
		return
	}
	var r wire.Record
	if err := json.Unmarshal(raw, &r); err != nil || r.Seq == 0 || r.Kind == "" {
		l.fail(Unreadable, l.r.Last+1, 0, fmt.Sprint(err))
		return
	}
	switch {
	case r.Log != l.o.Log:
		l.fail(Foreign, r.Seq, 0, string(r.Log))
		return
	case l.r.Last > 0 && r.Seq <= l.r.Last:
		l.fail(Order, r.Seq, 0, "")
		return
	case l.r.Last > 0 && r.Seq > l.r.Last+1:
		l.hole(l.r.Last+1, r.Seq-1)
	case l.r.Last == 0 && r.Seq > 1:
		l.hole(1, r.Seq-1)
	}
	if prev, known := l.tail.Want(r.Seq); known && r.Prev != prev {
		l.fail(Chain, r.Seq, max(r.Seq, 2)-1, "")
		return
	}
	if r.Seq > 1 && len(r.Prev) != 64 {
		l.fail(Chain, r.Seq, 0, "")
		return
	}
	if l.r.First == 0 {
		l.r.First = r.Seq
	}
	if !l.order(r) {
		return
	}
	if r.Kind == wire.RecordCheckpoint && !l.checkpoint(raw, r.Seq) {
		return
	}
	if l.bare++; r.Kind == wire.RecordCheckpoint {
		l.bare = 0
	}
	if l.bare > Uncovered {
		l.fail(Unsigned, r.Seq, max(l.r.Signed+1, l.r.First), "")
		return
	}
	l.tail = Tail{Log: r.Log, Seq: r.Seq, Hash: Hash(raw)}
	l.r.Last = r.Seq
	l.r.Records++
	for _, end := range l.o.Ends {
		if end.Seq != r.Seq || end.Hash == "" {
			continue
		}
		if end.Hash != l.tail.Hash {
			l.fail(Forged, r.Seq, max(l.r.Signed+1, l.r.First), "")
			return
		}
		l.r.Signed, l.bare = r.Seq, 0
	}
	for len(l.o.Receipts) > 0 && l.o.Receipts[0].Upto <= r.Seq {
		if c := l.o.Receipts[0]; c.Upto == r.Seq {
			if c.Hash != l.tail.Hash {
				l.fail(Receipt, r.Seq, 0, fmt.Sprint(c.Version))
				return
			}
			l.r.Receipts++
			l.r.Receipted = r.Seq
		}
		l.o.Receipts = l.o.Receipts[1:]
	}
}

func (l *Log) checkpoint(raw []byte, seq wire.Seq) bool {
	device, _, err := VerifyCheckpoint(raw)
	switch {
	case err != nil:
		l.fail(Forged, seq, max(l.r.Signed+1, l.r.First), err.Error())
		return false
	case l.r.Device == "":
		l.r.Device = device
	case l.r.Device != device:
		l.fail(Stranger, seq, 0, string(device))
		return false
	}
	l.r.Checkpoints++
	l.r.Signed = seq
	return true
}

// monoSlack is how far the time since boot may go back from one record to the
// next: it is read before a record waits for the disk, and a failing card
// makes it wait for minutes.
const monoSlack = 10 * 60_000_000 // microseconds

// wallSlack is the same for trusted wall time.
const wallSlack = monoSlack

// order checks that time goes forward.
func (l *Log) order(r wire.Record) bool {
	if r.BootID != "" { // the journal's own records during recovery have none
		if r.BootID != l.boot {
			if l.boots[r.BootID] {
				l.fail(Backwards, r.Seq, 0, "boot "+r.BootID)
				return false
			}
			if l.boot != "" {
				l.boots[l.boot] = true
			}
			l.boot, l.mono = r.BootID, r.MonoUS
		}
		if r.MonoUS < l.mono-monoSlack {
			l.fail(Backwards, r.Seq, 0, fmt.Sprintf("%d ms", (l.mono-r.MonoUS)/1000))
			return false
		}
		l.mono = max(l.mono, r.MonoUS)
	}
	if r.Level > wire.T0 && r.AtUS > 0 {
		if l.r.FromUS == 0 || r.AtUS < l.r.FromUS {
			l.r.FromUS = r.AtUS
		}
		l.r.ToUS = max(l.r.ToUS, r.AtUS)
		if l.r.WallBack == 0 && r.Kind != wire.RecordClock && r.AtUS+r.ErrMS*1000+wallSlack < l.wall {
			l.r.WallBack = r.Seq
		}
		l.wall = max(l.wall, r.AtUS-r.ErrMS*1000)
	}
	return true
}

// Lost says that records of these numbers cannot be read.
func (l *Log) Lost(first, last wire.Seq) {
	if l.r.Fault == nil && last > l.r.Last {
		l.hole(first, last)
		if l.r.First == 0 {
			l.r.First = first
		}
		l.r.Last = last
	}
}

// hole notes missing records; whether something signed excuses them is known
// at the end. What stands in front of them is not covered from behind any
// more.
func (l *Log) hole(first, last wire.Seq) {
	l.gap = append(l.gap, Hole{first, last})
	l.tail = Tail{}
	l.uncovered()
}

// uncovered notes the records behind the last checkpoint.
func (l *Log) uncovered() {
	if from := max(l.r.Signed+1, l.r.First); l.r.Last >= from && l.r.First > 0 {
		l.r.Bare = append(l.r.Bare, Hole{from, l.r.Last})
	}
}

// End returns what was found. Holes are the records that are missing; a log
// that begins late has one from 1.
func (l *Log) End() (r LogReport, holes []Hole) {
	if l.r.Fault == nil && len(l.o.Receipts) > 0 {
		c := l.o.Receipts[len(l.o.Receipts)-1]
		if c.Upto > l.r.Last {
			l.fail(Cut, c.Upto, l.r.Last+1, fmt.Sprint(c.Version))
		}
	}
	l.uncovered()
	return l.r, l.gap
}
