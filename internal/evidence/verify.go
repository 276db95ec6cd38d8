package evidence

import (
	"encoding/json"
	"fmt"
	"slices"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// Source is a set of logs that can be read more than once.
type Source interface {
	// Logs lists them; those of one device in the order in which it wrote them.
	Logs() []LogInfo
	// Read calls see with the exact bytes of each record of a log in order, and
	// lost with the numbers of records that cannot be read. What see is given is
	// not kept.
	Read(i LogInfo, see func(raw []byte), lost func(first, last wire.Seq)) error
}

// LogInfo names a log of a Source.
type LogInfo struct {
	Device wire.DeviceID // empty when only the log itself can tell
	Log    wire.LogID
	// First and Last are the records that a sealed table of contents promises;
	// 0 when there is none, and the log itself has to say why it begins late.
	First, Last wire.Seq
}

// Options say what is trusted.
type Options struct {
	Director []seal.PublicKey // of the trust root; none leaves receipts unchecked
	Device   wire.DeviceID    // whose journal it must be; empty for any
	Receipts [][]byte         // envelopes that came beside the records
}

// Report is what Verify found.
type Report struct {
	Logs      []LogReport
	Faults    []Fault // the first one of each log, and those of no log; in the order of the logs
	Gaps      []Gap   // missing records that a signed record of the device accounts for
	Receipts  int     // verified
	Unchecked int     // receipts that could not be checked for want of the trust root
	Loose     int     // verified receipts about records that are not here
}

// Gap is a hole with its explanation.
type Gap struct {
	Device wire.DeviceID
	Log    wire.LogID
	Hole
	Why string // of wire.Gap, or "dropped"
}

// First returns the first fault.
func (r Report) First() (Fault, bool) {
	if len(r.Faults) == 0 {
		return Fault{}, false
	}
	return r.Faults[0], true
}

// place names a log in one source. Device is empty where the source knows
// only one.
type place struct {
	device wire.DeviceID
	log    wire.LogID
}

func (i LogInfo) place() place { return place{i.Device, i.Log} }

// place names the log of a device.
func (v *verification) place(d wire.DeviceID, log wire.LogID) place {
	if v.single {
		d = ""
	}
	return place{d, log}
}

// claim is a record of the device that says why others are missing.
type claim struct {
	by   place // where it stands
	seq  wire.Seq
	log  place // what it is about
	hole Hole
	why  string
}

// kept is a receipt as it stands in a log.
type kept struct {
	info LogInfo
	seq  wire.Seq
	body wire.ReceiptKept
}

// verification is one run of Verify.
type verification struct {
	src    Source
	o      Options
	r      Report
	infos  []LogInfo
	single bool // a journal: the logs are of one device, whoever that is
	owner  map[place]wire.DeviceID
	kept   []kept
	after  []kept // checkpoints that name the log before, in seq and info
	ends   []wire.LogEnd
	claim  []claim
	known  map[wire.DeviceID]map[uint64]numbered // receipts by number
	bad    map[place]Fault                       // found before the records were checked
}

type numbered struct {
	wire.Receipt
	hash string
}

// Verify checks every log of src. Its error is that of reading; what is wrong
// with the records is in the report. Memory grows with the number of logs and
// receipts, not with that of records.
func Verify(src Source, o Options) (Report, error) {
	v := &verification{
		src: src, o: o, infos: src.Logs(), owner: map[place]wire.DeviceID{},
		known: map[wire.DeviceID]map[uint64]numbered{}, bad: map[place]Fault{},
	}
	v.single = !slices.ContainsFunc(v.infos, func(i LogInfo) bool { return i.Device != "" })
	for _, info := range v.infos {
		if err := v.collect(info); err != nil {
			return Report{}, err
		}
	}
	v.takeReceipts()
	if err := v.checkLogs(); err != nil {
		return Report{}, err
	}
	return v.r, nil
}

// collect reads what records say about other records.
func (v *verification) collect(info LogInfo) error {
	owner := info.Device
	if owner == "" {
		owner = v.o.Device
	}
	err := v.src.Read(info, func(raw []byte) {
		h, err := Head(raw)
		if err != nil {
			return
		}
		switch h.Kind {
		case wire.RecordReceipt, wire.RecordGap, wire.RecordDrop, wire.RecordCheckpoint:
		default:
			return
		}
		var r wire.Record
		if json.Unmarshal(raw, &r) != nil {
			return
		}
		switch h.Kind {
		case wire.RecordReceipt:
			k := kept{info: info, seq: r.Seq}
			if json.Unmarshal(r.Body, &k.body) == nil {
				v.kept = append(v.kept, k)
			}
		case wire.RecordGap:
			var g wire.Gap
			if json.Unmarshal(r.Body, &g) == nil {
				v.claim = append(v.claim, claim{info.place(), r.Seq, place{info.Device, g.Log}, Hole{g.First, g.Last}, g.Why})
			}
		case wire.RecordDrop:
			var d wire.Drop
			if json.Unmarshal(r.Body, &d) == nil {
				v.claim = append(v.claim, claim{info.place(), r.Seq, place{info.Device, d.Log}, Hole{1, d.Last}, "dropped"})
			}
		case wire.RecordCheckpoint:
			device, end, err := VerifyCheckpoint(raw)
			if err != nil {
				return
			}
			if owner == "" {
				owner = device
			}
			if end != nil && device == owner {
				v.after = append(v.after, kept{info: info, seq: r.Seq})
				v.ends = append(v.ends, *end)
			}
		}
	}, func(_, _ wire.Seq) {})
	if err != nil {
		return fmt.Errorf("reading log %q: %w", info.Log, err)
	}
	v.owner[info.place()] = owner
	if v.o.Device == "" && info.Device == "" {
		v.o.Device = owner // a journal is of one device
	}
	return nil
}

// takeReceipts verifies every receipt and their chain.
func (v *verification) takeReceipts() {
	if len(v.o.Director) == 0 {
		v.r.Unchecked = len(v.kept) + len(v.o.Receipts)
		return
	}
	for _, envelope := range v.o.Receipts {
		claimed, err := seal.Peek[wire.Receipt](envelope)
		if err != nil {
			v.r.Faults = append(v.r.Faults, Fault{Code: BadReceipt, Detail: err.Error()})
			continue
		}
		at := Fault{Device: claimed.Device, Log: claimed.Log, Seq: claimed.Upto}
		v.take(envelope, claimed.Device, at)
	}
	for _, k := range v.kept {
		owner := v.owner[k.info.place()]
		at := Fault{Device: owner, Log: k.info.Log, Seq: k.seq}
		v.take(k.body.Envelope, owner, at)
		if k.body.Refused != "" {
			at.Code, at.Detail = Disputed, k.body.Refused
			v.note(at)
		}
	}
	for _, all := range v.known {
		for n, r := range all {
			if before, ok := all[n-1]; ok && r.Prev != before.hash {
				v.note(Fault{Code: Fork, Device: r.Device, Log: r.Log, Seq: r.Upto, Detail: fmt.Sprint(n)})
			}
		}
		v.r.Receipts += len(all)
	}
}

func (v *verification) take(envelope []byte, device wire.DeviceID, at Fault) {
	r, err := OpenReceipt(envelope, v.o.Director, device)
	if err != nil {
		at.Code, at.Detail = BadReceipt, err.Error()
		v.note(at)
		return
	}
	if v.known[device] == nil {
		v.known[device] = map[uint64]numbered{}
	}
	n := numbered{r, seal.Hash(envelope)}
	if there, ok := v.known[device][r.Version]; ok && there.Receipt != r {
		at.Code, at.Detail = Fork, fmt.Sprint(r.Version)
		v.note(at)
		return
	}
	v.known[device][r.Version] = n
}

// note keeps a fault that was found outside the order of the records; the
// earliest of a log counts.
func (v *verification) note(f Fault) {
	at := v.place(f.Device, f.Log)
	if there, ok := v.bad[at]; !ok || f.Seq < there.Seq {
		v.bad[at] = f
	}
}

// checkLogs reads every record again and judges it.
func (v *verification) checkLogs() error {
	holes := make([][]Hole, len(v.infos))
	for i, info := range v.infos {
		o := LogOptions{Device: v.owner[info.place()], Log: info.Log}
		for _, r := range v.known[o.Device] {
			if r.Log == info.Log && (info.Last == 0 || r.Upto <= info.Last) && r.Upto >= info.First {
				o.Receipts = append(o.Receipts, r.Receipt)
			}
		}
		for k, a := range v.after {
			if (place{a.info.Device, v.ends[k].Log}) == info.place() {
				o.Ends = append(o.Ends, v.ends[k])
			}
		}
		l := NewLog(o)
		if err := v.src.Read(info, l.Add, l.Lost); err != nil {
			return fmt.Errorf("reading log %q: %w", info.Log, err)
		}
		r, gap := l.End()
		if info.First > 0 && r.Fault == nil && (r.First != info.First || r.Last != info.Last) {
			r.Fault = &Fault{Code: Cut, Device: r.Device, Log: r.Log, Seq: info.Last, From: r.Last + 1, Detail: fmt.Sprintf("%d–%d", info.First, info.Last)}
		}
		holes[i] = gap
		v.r.Logs = append(v.r.Logs, r)
	}
	for i, info := range v.infos {
		r := &v.r.Logs[i]
		for _, h := range holes[i] {
			if info.First > 0 && h.Last+1 == info.First {
				continue // an export of a period says where it begins
			}
			v.excuse(info, r, h)
		}
		for k, a := range v.after {
			if v.ends[k].Log == info.Log && a.info.Device == info.Device && v.covered(a.info.place(), a.seq) && r.Last < v.ends[k].Seq && info.First == 0 {
				v.excuse(info, r, Hole{r.Last + 1, v.ends[k].Seq})
			}
		}
		if f, ok := v.bad[info.place()]; ok && (r.Fault == nil || f.Seq < r.Fault.Seq) {
			r.Fault = &f
		}
		delete(v.bad, info.place())
		if r.Fault != nil {
			v.r.Faults = append(v.r.Faults, *r.Fault)
		}
	}
	for _, f := range v.bad { // about logs that are not here
		v.r.Faults = append(v.r.Faults, f)
	}
	v.absent()
	v.r.Loose = v.r.Receipts
	for _, r := range v.r.Logs {
		v.r.Loose -= r.Receipts
	}
	return nil
}

// account looks for signed records of device that account for the hole h of a
// log and returns the first number that none does; behind h when all are.
func (v *verification) account(device wire.DeviceID, log place, h Hole) wire.Seq {
	from := h.First
	for again := true; again && from <= h.Last; {
		again = false
		for _, c := range v.claim {
			if c.log != log || v.owner[c.by] != device || from < c.hole.First || c.hole.Last < from || !v.covered(c.by, c.seq) {
				continue
			}
			last := min(c.hole.Last, h.Last)
			v.r.Gaps = append(v.r.Gaps, Gap{device, log.log, Hole{from, last}, c.why})
			from, again = last+1, true
		}
	}
	return from
}

// excuse makes the hole h a fault of r's log unless it is accounted for.
func (v *verification) excuse(info LogInfo, r *LogReport, h Hole) {
	from := v.account(v.owner[info.place()], info.place(), h)
	if from <= h.Last && (r.Fault == nil || h.Last < r.Fault.Seq) {
		code := Missing
		if h.Last > r.Last {
			code = Cut
		}
		r.Fault = &Fault{Code: code, Device: r.Device, Log: r.Log, Seq: h.Last + 1, From: from}
	}
}

// covered reports whether a checkpoint covers record seq of a log.
func (v *verification) covered(log place, seq wire.Seq) bool {
	for i, info := range v.infos {
		if info.place() == log {
			r := v.r.Logs[i]
			return seq <= r.Signed && !slices.ContainsFunc(r.Bare, func(h Hole) bool { return h.First <= seq && seq <= h.Last })
		}
	}
	return false
}

// absent looks for logs that checkpoints name and that are not there.
func (v *verification) absent() {
	for k, a := range v.after {
		end, log := v.ends[k], place{a.info.Device, v.ends[k].Log}
		here := slices.ContainsFunc(v.infos, func(i LogInfo) bool { return i.place() == log })
		if a.info.First > 0 || end.Seq == 0 || here || !v.covered(a.info.place(), a.seq) {
			continue
		}
		device := v.owner[a.info.place()]
		if from := v.account(device, log, Hole{1, end.Seq}); from <= end.Seq {
			v.r.Faults = append(v.r.Faults, Fault{Code: LostLog, Device: device, Log: end.Log, Seq: end.Seq, From: from})
		}
	}
}
