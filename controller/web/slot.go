package web

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// slotView is one obligation with its evidence.
type slotView struct {
	Point, PointHref string
	Code             string
	Title            string
	Day              string
	Window           string
	V, Verdict       string
	Grade            fleet.Grade
	Why, Note        string
	Plays, Sound     string
	Programme        string
	DayType          string
	Settled          string
	Revisions        int
	Device           string
	Demo             bool
	Records          []recordRow
	Proof            slotProof
}

// recordRow is one journal entry as evidence.
type recordRow struct {
	Seq                wire.Seq
	Log                string
	Hash               string // of the entry before it
	Kind               string
	At, Received       string
	Told               string // what the device believed, where At was corrected; or that At is not to be trusted
	Level              string
	Text               string
	Tone               string
	Sink, Output, Path string
	Frames             string
	Started            string
	Error              string // start against plan
	Clip               string
	Detail             string
	Demo               bool
	Late               string // received long after, empty if not
	Receipt            string // the first that covers it; empty while none does
}

func (s *Server) slot(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "", "compliance")
	if err != nil {
		return f, err
	}
	id, err := pointID(r)
	if err != nil {
		return f, err
	}
	o, err := s.o.Ledger.Obligation(ctx, id, wire.SlotID(r.PathValue("slot")))
	if code := fleet.CodeOf(err); code == fleet.NotFound || code == fleet.Invalid {
		return f, errNoPage
	}
	if err != nil {
		return f, fmt.Errorf("reading obligation: %w", err)
	}
	one := []fleet.Obligation{o}
	if err := s.progress(ctx, one, v.Now); err != nil {
		return f, err
	}
	o = one[0]
	p, err := s.places(ctx, fleet.PointFilter{})
	if err != nil {
		return f, err
	}
	pt, ok := p.point[id]
	if !ok {
		return f, errNoPage
	}
	records, err := s.o.Ledger.RecordsOfSlot(ctx, id, o.Slot)
	if err != nil {
		return f, fmt.Errorf("reading records: %w", err)
	}
	row := v.L.slotRow(o, p.device[id], v.Now)
	view := &slotView{
		Point: pt.Name, PointHref: pointPath(id), Code: pt.Code, Title: o.Name, Day: v.L.Date(v.L.Day(o.Day)), Window: row.Window,
		V: row.V, Verdict: row.Verdict, Grade: o.Grade, Plays: row.Plays, Sound: row.Sound, Demo: o.Demo,
		Why: v.L.reason(o.Reason), Note: v.L.note(o.Note), Programme: v.L.T("slot.programme", o.Programme, o.Version),
		Settled: v.L.Stamp(o.Settled, v.Now), Revisions: o.Revisions, Device: string(o.Device),
	}
	cal, err := s.calendar(ctx)
	if err != nil {
		return f, err
	}
	view.DayType = v.L.dayWord(cal, o.DayType, o.Day)
	for _, rec := range records {
		view.Records = append(view.Records, v.L.recordRow(rec, v.Now))
	}
	if view.Proof, err = s.proofOf(ctx, v, o, records, view.Records); err != nil {
		return f, err
	}
	f.Title, f.V = pt.Name+" "+view.Day+" "+o.Name, view
	return f, nil
}

// lateAfter is from when on a record counts as reported late.
const lateAfter = 10 * time.Minute

func (l *lang) recordRow(r fleet.Record, now time.Time) recordRow {
	at, told := r.At, wire.FromUS(r.AtUS)
	row := recordRow{
		Seq: r.Seq, Log: string(r.Log), Hash: short(r.Prev), Kind: l.recordKind(r.Kind),
		At: l.Stamp(at, now), Received: l.Stamp(r.Received, now), Level: l.T("time.level", int(r.Level)),
	}
	if r.AtErr > 0 {
		row.Level = l.T("time.level_err", int(r.Level), r.AtErr.Milliseconds())
	}
	if !at.IsZero() {
		row.At = l.in(at).Format("01-02 15:04:05")
	}
	switch {
	case r.Retimed:
		row.Told = l.T("record.retimed", l.in(told).Format("2006-01-02 15:04:05"))
	case r.Level == wire.T0:
		row.Told = l.T("record.untimed")
	}
	if d := r.Received.Sub(at); d > lateAfter && !at.IsZero() && row.Told != l.T("record.untimed") {
		row.Late = l.T("record.late", l.Span(d))
	}
	if r.Kind != wire.RecordOutcome {
		return row
	}
	o, err := r.Outcome()
	if err != nil {
		row.Text, row.Tone = l.T("record.unreadable"), "bad"
		return row
	}
	row.Text, row.Detail, row.Clip, row.Demo = l.result(o), o.Detail, short(o.Clip), o.Demo
	row.Tone = map[wire.PlayResult]string{wire.PlayPlayed: "ok", wire.PlayPartial: "warn", wire.PlayDoubt: "doubt"}[o.Result]
	if row.Tone == "" {
		row.Tone = "bad"
	}
	row.Sink, row.Output, row.Path = o.Sink, o.Device, o.Path
	if o.Frames > 0 {
		row.Frames = l.T("record.frames", o.FramesPlayed, o.Frames, o.Rate)
	}
	if o.StartedUS != 0 {
		row.Started = l.in(wire.FromUS(o.StartedUS)).Format("15:04:05.000")
		row.Error = fmt.Sprintf("%+.1f ms", float64(o.StartedUS-o.PlannedUS)/1000)
	}
	return row
}

func (l *lang) recordKind(k wire.RecordKind) string {
	if key := "record." + string(k); l.Has(key) {
		return l.T(key)
	}
	return l.T("record.other")
}

// result is how one play went, in words.
func (l *lang) result(o wire.Outcome) string {
	word := l.T("result.other")
	if key := "result." + string(o.Result); l.Has(key) {
		word = l.T(key)
	}
	if o.Reason != "" {
		word += l.T("comma") + l.reason(o.Reason)
	}
	if o.SoundMS > 0 {
		word += l.T("comma") + l.T("sound.sec_of", o.SoundMS/1000, o.ClipMS/1000)
	}
	return word
}
