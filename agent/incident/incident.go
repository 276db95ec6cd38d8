// Package incident tells the office that somebody tried what is not allowed,
// and was refused.
//
// Whoever refuses something reports it by kind; a Reporter counts, and writes
// one record of a kind at once and at most one of a kind an hour after that,
// with how often it was tried since. So nobody fills the card or floods the
// office by trying, whatever the pace. The records travel as every record of
// the journal does.
//
// What is counted and not yet written is in memory: a program that is killed
// loses at most an hour of counting, never the first report. Memory is bounded
// by the number of kinds. A Reporter is safe for concurrent use.
package incident

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"gatecast/agent/walltime"
	"gatecast/internal/wire"
)

// Every is the shortest time between two records of one kind.
const Every = time.Hour

// again is how long a journal that took no record is left alone.
const again = time.Minute

// maxDetail bounds the operator's text of a record, in bytes.
const maxDetail = 300

// Journal takes the records; *journal.Journal is one.
type Journal interface {
	Append(kind wire.RecordKind, at walltime.Stamp, body any) (wire.Seq, error)
}

// Reporter counts incidents and writes them.
type Reporter struct {
	journal Journal               // immutable
	now     func() walltime.Stamp // immutable
	log     *slog.Logger          // immutable
	poke    chan struct{}

	mu    sync.Mutex
	kinds map[wire.IncidentKind]*tally
}

// tally is what is known of one kind.
type tally struct {
	body wire.Incident // Count 0: nothing to write
	next time.Time     // no record before; monotonic
}

// New returns a Reporter that writes while Run runs. now stamps the records;
// a nil logger discards.
func New(j Journal, now func() walltime.Stamp, log *slog.Logger) *Reporter {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Reporter{journal: j, now: now, log: log.With("component", "incident"), poke: make(chan struct{}, 1), kinds: map[wire.IncidentKind]*tally{}}
}

// Report counts one attempt of a kind of wire.DeviceIncidents; others are
// dropped. detail is the operator's text of what was tried. It never blocks
// and takes no disk.
func (r *Reporter) Report(kind wire.IncidentKind, detail string) {
	if !slices.Contains(wire.DeviceIncidents, kind) {
		return
	}
	at := wire.US(r.now().Wall)
	r.mu.Lock()
	t := r.kinds[kind]
	if t == nil {
		t = &tally{}
		r.kinds[kind] = t
	}
	if t.body.Count == 0 {
		t.body = wire.Incident{What: kind, FirstUS: at}
	}
	t.body.Detail, t.body.LastUS = clean(detail), max(at, t.body.FirstUS)
	t.body.Count++
	r.mu.Unlock()
	select {
	case r.poke <- struct{}{}:
	default:
	}
}

// Run writes what was reported, until ctx ends; what is still counted then is
// written at once.
func (r *Reporter) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			r.flush(true)
			return
		case <-r.poke:
		case <-timer.C:
		}
		timer.Reset(r.flush(false))
	}
}

// flush writes what may be written and returns when to come back. all says
// that nobody comes back.
func (r *Reporter) flush(all bool) time.Duration {
	wait := Every
	for _, kind := range wire.DeviceIncidents {
		r.mu.Lock()
		t := r.kinds[kind]
		if t == nil || t.body.Count == 0 {
			r.mu.Unlock()
			continue
		}
		if left := time.Until(t.next); left > 0 && !all {
			wait = min(wait, left)
			r.mu.Unlock()
			continue
		}
		body := t.body
		t.body, t.next = wire.Incident{}, time.Now().Add(Every)
		r.mu.Unlock()
		if _, err := r.journal.Append(wire.RecordIncident, r.now(), body); err != nil {
			r.log.Error("writing incident", "what", string(kind), "err", err)
			r.giveBack(t, body)
			wait = min(wait, again)
			continue
		}
		r.log.Warn("an attack was refused", "what", string(kind), "count", body.Count, "detail", body.Detail)
	}
	return wait
}

// giveBack counts again what the journal did not take.
func (r *Reporter) giveBack(t *tally, body wire.Incident) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.body.Count > 0 {
		body.Detail, body.LastUS = t.body.Detail, t.body.LastUS
		body.Count += t.body.Count
	}
	t.body, t.next = body, time.Now().Add(again)
}

// clean makes detail one line of valid UTF-8 within maxDetail.
func clean(detail string) string {
	detail = strings.Join(strings.Fields(strings.ToValidUTF8(detail, "?")), " ")
	if len(detail) > maxDetail {
		detail = strings.ToValidUTF8(detail[:maxDetail], "")
	}
	return detail
}
