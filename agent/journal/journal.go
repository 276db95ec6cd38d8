// Package journal is the device's append-only record log: what it played,
// when, and how, until the controller says that it is committed.
//
// A record is on the disk when Append returns. It names the log it belongs to,
// its place in it, and the hash of the record before, so that nothing can be
// removed, inserted or changed unseen. Opening a journal cuts off what was
// being written when the power went, and nothing else: after any other damage
// everything readable is kept and still delivered, a new log begins, and its
// first records are gap records that name what is lost; of an end that cannot be
// read they name the first number. A record that cannot be read later on is a
// gap as well, and is never sent. A sync that fails retires the log in the same
// way and is never retried.
//
// On disk: segments of <dir>/<epoch>-<log>-<first>.seg in frames with CRC32C,
// acks.json with the positions at the last orderly stop, and lock. The ack
// position otherwise rides in the frame that is written next, so that an ack
// costs no write; what is lost of it in a power cut is sent once more.
//
// Bounds: acked segments are dropped when they are older than KeepAcked, and
// the oldest of all when the journal exceeds MaxBytes. A drop is itself a
// record, and what was not acked of it a gap record.
//
// With Options.Sign the device vouches for its records by checkpoints: the
// first record of each log, one after every 64 others, one on each new day and
// one behind a stop record. They cover everything before them (package evidence), so that
// a card that was written by anybody else does not verify.
//
// One process owns a journal. A Journal is safe for concurrent use. The
// package knows records, not how they travel; playout writes, the link reads.
package journal

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"gatecast/agent/walltime"
	"gatecast/internal/durable"
	"gatecast/internal/evidence"
	"gatecast/internal/wire"
)

// Errors that callers tell apart.
var (
	// ErrFull means that the disk has no space for the record; the journal is
	// whole and a later Append may succeed.
	ErrFull = errors.New("no space left for records")
	// ErrBroken means that the disk does not take records any more; each Append
	// tries to begin a new log.
	ErrBroken = errors.New("records cannot be written")
	// ErrInUse means that another process has the journal open.
	ErrInUse = errors.New("folder is in use by another agent")
	// ErrAhead means that an ack names records which were never written here:
	// the card was copied or put back.
	ErrAhead = errors.New("ack is ahead of the journal")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("journal is closed")
)

// Options bounds a journal. The zero value has the defaults.
type Options struct {
	// MaxBytes bounds the journal on disk; 0 means 64 MiB, about two years at
	// 50 plays a day.
	MaxBytes int64
	// KeepAcked is how long acked records are kept for a controller that was
	// restored from a backup; 0 means 35 days.
	KeepAcked time.Duration
	// SegmentBytes is the size at which a new segment begins; 0 means 256 KiB,
	// about three days.
	SegmentBytes int64
	// Now stamps the journal's own gap records; nil means the system clock,
	// untrusted.
	Now func() walltime.Stamp
	// Logger receives damage and drops; nil discards them.
	Logger *slog.Logger
	// FS is the disk; nil means the real one.
	FS durable.FS
	// Rand names new logs; nil is the machine's own source.
	Rand io.Reader
	// Sign vouches for the records by checkpoints; nil writes none.
	Sign Signer
	// Zone is where a new day, and with it a checkpoint, begins; nil is UTC.
	Zone func() *time.Location
}

func (o *Options) defaults() error {
	if o.MaxBytes == 0 {
		o.MaxBytes = 64 << 20
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 256 << 10
	}
	if o.KeepAcked == 0 {
		o.KeepAcked = 35 * 24 * time.Hour
	}
	switch {
	case o.SegmentBytes < dataStart+maxFrame || o.SegmentBytes > maxSegment:
		return fmt.Errorf("Options.SegmentBytes is %d; it must be %d to 1 GiB", o.SegmentBytes, dataStart+maxFrame)
	case o.MaxBytes < 2*o.SegmentBytes:
		return fmt.Errorf("Options.MaxBytes is %d; it must be at least two segments, %d", o.MaxBytes, 2*o.SegmentBytes)
	case o.KeepAcked < 0:
		return fmt.Errorf("Options.KeepAcked is %v; it must be positive", o.KeepAcked)
	}
	if o.Now == nil {
		o.Now = func() walltime.Stamp { return walltime.Stamp{Wall: time.Now().Round(0).UTC()} }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	return nil
}

// chain is one log: the current one, or one retired before it.
type chain struct {
	id      wire.LogID
	epoch   uint64
	segs    []*segment
	last    wire.Seq
	hash    string   // of record last
	acked   wire.Seq // everything up to here is committed
	written wire.Seq // acked, as it stands on disk
	again   []wire.SeqRange
	sign    vouched
	after   *wire.LogEnd // end of the log before, as its first record says; nil when it does not
}

// Journal is an open journal.
type Journal struct {
	dir     string         // immutable
	o       Options        // immutable
	fs      durable.Volume // immutable
	log     *slog.Logger   // immutable
	lock    io.Closer      // immutable; nil when it was not taken
	changed chan struct{}

	mu        sync.Mutex
	logs      []*chain     // by epoch; the last one is written to
	f         durable.File // of the newest segment; nil when none is open
	epoch     uint64       // highest that was ever tried
	retired   bool         // the current log must not be written to any more
	owed      []wire.Gap   // not reported yet
	reported  []report
	damage    []wire.Gap
	dropped   []wire.Drop             // not recorded yet
	told      map[wire.LogID]wire.Seq // recorded drops
	claims    bool                    // gap or drop records without a checkpoint behind them
	receipt   uint64
	truncated int64
	refusals  int
	healed    int
	closed    bool
}

// Open opens the journal in dir, creating it when there is none, and recovers
// it. Besides ErrInUse it fails only when the folder cannot be listed or a first
// log cannot be begun: a disk that is full, or takes no records any more, still
// lets those that are there be delivered.
func Open(dir string, o Options) (*Journal, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	j := &Journal{dir: dir, o: o, fs: durable.On(o.FS), log: o.Logger.With("component", "journal"), changed: make(chan struct{}, 1), told: map[wire.LogID]wire.Seq{}}
	if err := j.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening journal %q: %w", dir, err), j.abandon())
	}
	if j.pendingLocked() {
		j.signal()
	}
	return j, nil
}

// current returns the log that is written to.
func (j *Journal) current() *chain { return j.logs[len(j.logs)-1] }

// Log returns the id of the log that is written to.
func (j *Journal) Log() wire.LogID {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.current().id
}

// Last returns the number of the newest record of the current log, 0 for none.
func (j *Journal) Last() wire.Seq {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.current().last
}

// Acked returns the number up to which every record of the current log is
// committed.
func (j *Journal) Acked() wire.Seq {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.current().acked
}

// Truncated returns how many bytes Open cut from the newest segment's tail.
func (j *Journal) Truncated() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.truncated
}

// Gaps returns every gap that the journal knows to have reported: what was
// lost to damage, dropped for space, or asked for after it had aged out.
func (j *Journal) Gaps() []wire.Gap {
	j.mu.Lock()
	defer j.mu.Unlock()
	gaps := make([]wire.Gap, len(j.reported))
	for i, r := range j.reported {
		gaps[i] = r.gap
	}
	return gaps
}

// Damage returns what was lost, or not confirmed by the disk, since Open began,
// and that nobody had reported before: the card does not give it back as it
// was written, or does not take it.
func (j *Journal) Damage() []wire.Gap {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.damage)
}

// Refusals returns how often the disk refused a write or a sync since Open
// began, so that a log had to be retired.
func (j *Journal) Refusals() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.refusals
}

// Changed yields a value after something became pending. It has one reader;
// signals that nobody waited for are merged.
func (j *Journal) Changed() <-chan struct{} { return j.changed }

func (j *Journal) signal() {
	select {
	case j.changed <- struct{}{}:
	default:
	}
}

// Append writes a record and returns its number. When it returns nil the
// record survives loss of power. Otherwise the record is not in the journal:
// ErrFull for a full disk, ErrBroken for a broken one; only a power cut before
// the next record is written may bring it back. at is not checked: a
// record may be older than the one before, when the clock stepped.
func (j *Journal) Append(kind wire.RecordKind, at walltime.Stamp, body any) (wire.Seq, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, fmt.Errorf("encoding %s record: %w", kind, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return 0, ErrClosed
	}
	seq, err := j.appendLocked(kind, at, raw)
	if err != nil {
		return 0, fmt.Errorf("writing %s record: %w", kind, err)
	}
	if kind == wire.RecordReceipt {
		j.noteBody(j.current(), seq, kind, raw)
	}
	j.vouchLocked(kind, at)
	j.signal()
	return seq, nil
}

func (j *Journal) appendLocked(kind wire.RecordKind, at walltime.Stamp, body json.RawMessage) (wire.Seq, error) {
	if err := j.renew(); err != nil {
		return 0, err
	}
	seq, err := j.put(kind, at, body)
	if err == nil || !j.retired {
		return seq, err
	}
	// The disk failed under the current log. The record goes into a new one;
	// what was half written of it in the old one does not count.
	if err := j.renew(); err != nil {
		return 0, err
	}
	return j.put(kind, at, body)
}

// put writes one record behind the newest one of the current log.
func (j *Journal) put(kind wire.RecordKind, at walltime.Stamp, body json.RawMessage) (wire.Seq, error) {
	if err := j.room(frameSize(len(body) + maxFrameWork)); err != nil {
		return 0, err
	}
	return j.putHere(kind, at, body)
}

// putHere is put without a look at the size of the segment, which is open.
func (j *Journal) putHere(kind wire.RecordKind, at walltime.Stamp, body json.RawMessage) (wire.Seq, error) {
	c := j.current()
	if j.f == nil {
		return 0, fmt.Errorf("%w: log %s is retired", ErrBroken, c.id)
	}
	seq := c.last + 1
	payload, err := json.Marshal(c.record(kind, at, body))
	if err != nil {
		return 0, fmt.Errorf("encoding record: %w", err)
	}
	if len(payload) > maxPayload {
		return 0, fmt.Errorf("record of %d bytes: the limit is %d", len(payload), maxPayload)
	}
	s := c.segs[len(c.segs)-1]
	data := appendFrame(nil, s.id, seq, c.acked, payload)
	if err := j.write(s, data); err != nil {
		return 0, err
	}
	s.recs = append(s.recs, place{off: int32(s.size) + headSize, size: int32(len(payload))})
	s.size += int64(len(data))
	if at.Level > wire.T0 {
		s.lastUS = max(s.lastUS, wire.US(at.Wall))
	}
	c.last, c.hash, c.written = seq, evidence.Hash(payload), c.acked
	j.count(c, kind, at.Level, wire.US(at.Wall))
	return seq, nil
}

// record returns the one that follows the newest of c.
func (c *chain) record(kind wire.RecordKind, at walltime.Stamp, body json.RawMessage) wire.Record {
	return wire.Record{
		Log: c.id, Seq: c.last + 1, Prev: c.hash, Kind: kind,
		AtUS: wire.US(at.Wall), MonoUS: at.Mono.Microseconds(), BootID: at.BootID,
		Level: at.Level, ErrMS: at.Err.Milliseconds(), Body: body,
	}
}

// room makes sure that a segment with space for n bytes is open.
func (j *Journal) room(n int) error {
	c := j.current()
	if j.retired {
		return fmt.Errorf("%w: log %s is retired", ErrBroken, c.id)
	}
	if j.f != nil {
		s := c.segs[len(c.segs)-1]
		if len(s.recs) == 0 || s.size+int64(n) <= j.o.SegmentBytes {
			return nil
		}
	}
	if err := j.bound(j.o.SegmentBytes); err != nil {
		return err
	}
	s, err := j.newSegment(c.epoch, c.id, c.last+1, c.hash)
	if err != nil {
		if !errors.Is(err, ErrFull) {
			// Its name may be on the disk, or come to be: no other segment may
			// take the number that it begins with.
			j.failed(c.segs[len(c.segs)-1], err)
		}
		return err
	}
	j.seal()
	c.segs, j.f = append(c.segs, s.segment), s.f
	return nil
}

// seal closes the newest segment and gives back the space reserved behind it.
func (j *Journal) seal() {
	if j.f == nil {
		return
	}
	c := j.current()
	// Everything in it is synced; an error here loses nothing.
	_ = j.f.Truncate(c.segs[len(c.segs)-1].size)
	_ = j.f.Close()
	j.f = nil
}

// write puts data behind s and syncs it.
func (j *Journal) write(s *segment, data []byte) error {
	_, err := j.f.WriteAt(data, s.size)
	if noSpace(err) {
		if terr := j.f.Truncate(s.size); terr != nil {
			return j.retire(s, terr)
		}
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	if err != nil {
		return j.retire(s, err)
	}
	if err := j.f.SyncData(); err != nil {
		return j.retire(s, err)
	}
	return nil
}

// retire stops writing to the current log, whose newest record may or may not
// be on the disk: after a failed sync the cache cannot be trusted to tell.
func (j *Journal) retire(s *segment, cause error) error {
	seq := s.first + wire.Seq(len(s.recs))
	// Best effort, for a process that is killed before a new log says so; on
	// the disk the record may stay.
	_ = j.f.Truncate(s.size)
	j.failed(s, cause)
	g := wire.Gap{Log: s.log, First: seq, Last: seq, Why: whySync}
	j.owed, j.damage = append(j.owed, g), append(j.damage, g)
	return fmt.Errorf("%w: %w", ErrBroken, cause)
}

// failed marks the current log as one that must not be written to any more.
func (j *Journal) failed(s *segment, cause error) {
	j.log.Error("journal segment retired", "log", s.log, "last", s.last(), "err", cause)
	j.retired = true
	j.refusals++
	if j.f != nil {
		_ = j.f.Close()
		j.f = nil
	}
}

// renew begins a new log if the current one was retired, and reports the gaps
// that are owed before anything else is written.
func (j *Journal) renew() error {
	if j.retired {
		if err := j.begin(); err != nil {
			return fmt.Errorf("beginning a new log: %w", err)
		}
	}
	return j.tell()
}

// tell records the gaps and drops that are owed.
func (j *Journal) tell() error {
	for len(j.owed) > 0 {
		if err := j.report(j.owed[0]); err != nil {
			return fmt.Errorf("reporting a gap: %w", err)
		}
		j.owed = j.owed[1:]
	}
	return j.tellDrops()
}

type opened struct {
	*segment
	f durable.File
}

// newSegment creates a segment, dropping acked ones when the disk is full.
func (j *Journal) newSegment(epoch uint64, log wire.LogID, first wire.Seq, prev string) (opened, error) {
	s, err := parseName(filepath.Join(j.dir, segmentName(epoch, log, first)))
	if err != nil {
		return opened{}, err
	}
	s.prev = prev
	for {
		f, err := j.createSegment(s, j.o.SegmentBytes)
		switch {
		case err == nil:
			return opened{s, f}, nil
		case !noSpace(err):
			return opened{}, fmt.Errorf("%w: %w", ErrBroken, err)
		case !j.dropAcked():
			return opened{}, fmt.Errorf("%w: %w", ErrFull, err)
		}
	}
}

// begin starts a new log; the old ones stay, to be delivered.
func (j *Journal) begin() error {
	var id [8]byte
	if _, err := io.ReadFull(j.o.Rand, id[:]); err != nil {
		return fmt.Errorf("naming a log: %w", err)
	}
	log := wire.LogID(hex.EncodeToString(id[:]))
	j.epoch++ // also after a try that failed: its name may be on the disk
	s, err := j.newSegment(j.epoch, log, 1, "")
	if err != nil {
		return err
	}
	if len(j.logs) > 0 {
		j.seal()
	}
	j.logs = append(j.logs, &chain{id: log, epoch: j.epoch, segs: []*segment{s.segment}})
	j.f, j.retired = s.f, false
	j.vouchLocked("", j.o.Now())
	return nil
}

func noSpace(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// Close persists the ack position and closes the journal. It is idempotent.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil
	}
	j.closed = true
	err := j.saveAcks()
	j.seal()
	if err != nil {
		err = fmt.Errorf("persisting acks: %w", err)
	}
	return errors.Join(err, j.abandon())
}

// abandon releases what Open took, without writing.
func (j *Journal) abandon() error {
	if j.f != nil {
		_ = j.f.Close()
		j.f = nil
	}
	if j.lock == nil {
		return nil
	}
	return j.lock.Close()
}
