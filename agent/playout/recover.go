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
	fromUS int64 // it did not sound before; the intent may be late
	known  int64 // newest trusted time in the same run, µs
	over   bool  // its run has ended
}

// history is what the journal tells about the runs before.
type history struct {
	done     map[wire.PlayID]int64 // plays with an intent or outcome, and their planned µs
	orphans  map[wire.PlayID]*orphan
	order    []wire.PlayID // of orphans
	starts   []time.Time   // of the newest intents
	sinceUS  int64         // trusted time from which on nothing is missing here
	lastUS   int64         // newest trusted time
	last     wire.RecordKind
	lastBoot string
}

// maxStarts bounds the starts kept for the ceiling of plays an hour.
const maxStarts = 256

// read takes one record. A body that does not parse is passed over: the
// journal checks records, and a later version may write other ones.
func (h *history) read(r wire.Record) error {
	if r.Kind == wire.RecordGap {
		h.sinceUS = 0
	}
	if r.Level > wire.T0 {
		if h.sinceUS == 0 {
			h.sinceUS = r.AtUS
		}
		h.lastUS = max(h.lastUS, r.AtUS)
	}
	for _, o := range h.orphans {
		// What a later run writes says nothing of this play.
		if o.over = o.over || r.Kind == wire.RecordBoot; !o.over && r.Level > wire.T0 {
			o.known = max(o.known, r.AtUS)
		}
	}
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
			h.orphans[b.Play] = &orphan{intent: b, seq: r.Seq, bootID: r.BootID, fromUS: max(b.PlannedUS, r.AtUS)}
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
		Play: i.Play, Slot: i.Slot, Plan: i.Plan, Clip: i.Clip, PlannedUS: i.PlannedUS, IntentSeq: o.seq,
		Result: wire.PlayPartial, Reason: wire.ReasonPower, Detail: "power failed during the play",
	}
	if o.bootID == bootID {
		out.Reason, out.Detail = wire.ReasonOther, "the agent ended during the play"
		if sounded == armed { // only a power cut can take back what the file said later
			out.Result, out.Detail = wire.PlayFailed, "the agent ended before the play sounded"
			return out
		}
	}
	if sounded == armed {
		sounded = 0
	}
	// It sounded at least until the newest record of its run.
	sounded = max(sounded, time.Duration(o.known-o.fromUS)*time.Microsecond, 0)
	if clip > 0 {
		sounded = min(sounded, clip)
	}
	out.SoundMS = sounded.Milliseconds()
	return out
}

// recover reads the journal, writes the boot record, and settles what the run
// before left open.
func (e *Engine) recover() error {
	h := history{done: e.s.done, orphans: make(map[wire.PlayID]*orphan)}
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
	e.s.known = wire.FromUS(h.sinceUS) // zero: not before time is trusted
	boot := wire.Boot{
		Agent: e.o.Agent, Clean: h.last == wire.RecordStop, SameBoot: h.lastBoot == now.BootID,
		LastSeen: h.lastUS, Truncated: e.o.Journal.Truncated(),
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
