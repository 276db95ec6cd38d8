package playout

import (
	"encoding/json"
	"time"

	"gatecast/internal/wire"
)

// orphan is an intent that has no outcome.
type orphan struct {
	intent wire.Intent
	seq    wire.Seq
	bootID string
}

// history is what the journal tells about the runs before.
type history struct {
	done     map[wire.PlayID]int64 // plays with an intent or outcome, and their planned µs
	orphans  map[wire.PlayID]*orphan
	order    []wire.PlayID // of orphans
	starts   []time.Time   // of the newest intents
	firsts   []moment      // of each boot since which nothing is missing here
	boots    map[string]*boot
	lastUS   int64 // newest trusted time
	last     wire.RecordKind
	lastBoot string
}

// moment is when a record was written.
type moment struct {
	boot   string
	monoUS int64
}

// boot is what is known of the time in one boot of the machine.
type boot struct {
	anchor wire.Anchor // the zero value while no record of it was trusted
	lastUS int64       // since the boot, of its newest record
}

func newHistory(done map[wire.PlayID]int64) *history {
	return &history{done: done, orphans: make(map[wire.PlayID]*orphan), boots: make(map[string]*boot)}
}

// time takes notice of when r was written. What was written before there was
// trust is timed by what came after it in the same boot.
func (h *history) time(r wire.Record) {
	if r.Kind == wire.RecordGap {
		h.firsts = nil
	}
	if r.BootID == "" {
		return // of a version that did not name it
	}
	b := h.boots[r.BootID]
	if b == nil {
		b = &boot{}
		h.boots[r.BootID] = b
	}
	b.lastUS = max(b.lastUS, r.MonoUS)
	if a, ok := wire.AnchorOf(r); ok && a.Better(b.anchor) {
		b.anchor = a
	}
	if r.Level > wire.T0 {
		h.lastUS = max(h.lastUS, r.AtUS)
	}
	if n := len(h.firsts); n == 0 || h.firsts[n-1].boot != r.BootID {
		h.firsts = append(h.firsts, moment{r.BootID, r.MonoUS})
	}
}

// sinceUS returns the time from which on nothing is missing, 0 for none that
// is known.
func (h *history) sinceUS() int64 {
	for _, m := range h.firsts {
		if at := h.at(m); at != 0 {
			return at
		}
	}
	return 0
}

// seenUS returns the newest time that is known, 0 for none.
func (h *history) seenUS() int64 {
	last := h.lastUS
	for id, b := range h.boots {
		last = max(last, h.at(moment{id, b.lastUS}))
	}
	return last
}

// at returns the time of m, 0 where its boot was never trusted.
func (h *history) at(m moment) int64 {
	b := h.boots[m.boot]
	if (b.anchor == wire.Anchor{}) {
		return 0
	}
	at, _, _ := b.anchor.At(m.monoUS)
	return at
}

// maxStarts bounds the starts kept for the ceiling of plays an hour.
const maxStarts = 256

// read takes one record. A body that does not parse is passed over: the
// journal checks records, and a later version may write other ones.
func (h *history) read(r wire.Record) error {
	h.time(r)
	switch r.Kind {
	case wire.RecordCheckpoint, wire.RecordDrop: // the journal's own, also behind a stop
		return nil
	}
	h.last, h.lastBoot = r.Kind, r.BootID
	switch r.Kind {
	case wire.RecordIntent:
		var b wire.Intent
		if json.Unmarshal(r.Body, &b) == nil {
			h.done[b.Play] = b.PlannedUS
			if _, ok := h.orphans[b.Play]; !ok {
				h.order = append(h.order, b.Play)
			}
			h.orphans[b.Play] = &orphan{intent: b, seq: r.Seq, bootID: r.BootID}
			h.starts = append(h.starts, wire.FromUS(max(b.PlannedUS, r.AtUS)))
			if len(h.starts) > maxStarts {
				h.starts = h.starts[1:]
			}
		}
	case wire.RecordOutcome:
		var b wire.Outcome
		if json.Unmarshal(r.Body, &b) == nil {
			h.done[b.Play] = b.PlannedUS
			delete(h.orphans, b.Play)
		}
	}
	return nil
}

// outcome settles a play that the run before left in the middle. sounded is
// what the progress file knows of it, clip its length, 0 for unknown.
func (o *orphan) outcome(bootID string, sounded, clip time.Duration) wire.Outcome {
	i := o.intent
	out := wire.Outcome{
		Play: i.Play, Slot: i.Slot, Plan: i.Plan, Clip: i.Clip, PlannedUS: i.PlannedUS, IntentSeq: o.seq, Default: i.Default, Before: i.Before,
		Result: wire.PlayPartial, Reason: wire.ReasonPower, Detail: "power failed during the play",
	}
	if o.bootID == bootID {
		out.Reason, out.Detail = wire.ReasonExit, "the agent ended during the play"
		if sounded == armed { // only a power cut can take back what the file said later
			out.Result, out.Detail = wire.PlayFailed, "the agent ended before the play sounded"
			return out
		}
	}
	if sounded == armed {
		sounded = 0
	}
	// Only the progress file counts: that the agent still wrote records does
	// not prove that the sink still sounded.
	if clip > 0 {
		sounded = min(sounded, clip)
		out.ClipMS = clip.Milliseconds()
	}
	out.SoundMS = sounded.Milliseconds()
	return out
}

// recover reads the journal, writes the boot record, and settles what the run
// before left open.
func (e *Engine) recover() error {
	h := newHistory(e.s.done)
	if err := e.o.Journal.Scan(h.read); err != nil {
		return err
	}
	now := e.o.Clock.Now()
	e.s.started = now.Mono
	e.s.starts = h.starts
	// What this plan owes is told even if a newer one comes before time is
	// trusted.
	if p, m, ok := e.o.Plan(); ok {
		e.s.plan, e.s.manifest = p, m
	}
	e.s.known = wire.FromUS(h.sinceUS()) // zero: not before time is trusted
	boot := wire.Boot{
		Agent: e.o.Agent, Clean: h.last == wire.RecordStop, SameBoot: h.lastBoot == now.BootID,
		LastSeen: h.seenUS(), Truncated: e.o.Journal.Truncated(),
	}
	if _, err := e.o.Journal.Append(wire.RecordBoot, now, boot); err != nil {
		e.journalFault(err)
	}
	for _, id := range h.order {
		if o, ok := h.orphans[id]; ok {
			sounded, err := e.readProgress(id)
			if err != nil {
				e.log.Warn("progress unknown", "err", err)
			}
			var clip time.Duration
			if e.s.manifest != nil {
				if c, ok := e.s.manifest.Clip(o.intent.Clip); ok {
					clip = length(c)
				}
			}
			e.s.owed = append(e.s.owed, o.outcome(now.BootID, sounded, clip))
		}
	}
	e.writeOwed(now)
	return nil
}
