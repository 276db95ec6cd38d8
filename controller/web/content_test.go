package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatecast/audio/clips"
	"gatecast/controller/fleet"
	"gatecast/controller/media"
	"gatecast/controller/planner"
	"gatecast/controller/sample"
	"gatecast/controller/store"
	"gatecast/controller/trust"
	"gatecast/internal/wire"
	"gatecast/schedules"
	"gatecast/schedules/presets"
)

// testMedia is the real media package and the store behind it.
type testMedia struct {
	files *media.Store
	store *store.Store
	now   func() time.Time
}

func (m testMedia) Ingest(ctx context.Context, file string, r io.Reader, info ClipInfo, by string) (fleet.Clip, []Note, error) {
	p, err := m.files.Ingest(ctx, file, r, media.Options{KeepLong: true})
	var long *media.Error
	if errors.As(err, &long) && long.Reel != nil {
		id, rerr := m.store.AddReel(ctx, fleet.Reel{
			Original: long.Reel.Original, File: file, Kind: string(long.Reel.Kind), Bytes: long.Reel.Bytes, Duration: long.Reel.Duration,
			Peaks: long.Reel.Peaks, By: by, Uploaded: m.now(), Expires: m.now().Add(fleet.ReelKept),
		})
		err = errors.Join(rerr, &fleet.Error{Code: fleet.Invalid, Text: long.Say(media.ZH).String(), TextEN: long.Say(media.EN).String(), Topic: fleet.ReelTopic(id)})
	}
	if err != nil {
		return fleet.Clip{}, nil, err
	}
	var notes []Note
	for _, w := range p.Warnings {
		notes = append(notes, Note{Text: w.Say(media.ZH), TextEN: w.Say(media.EN)})
	}
	c := clipOf(p, info)
	c.Uploaded, c.By = m.now(), by
	if c.ID, err = m.store.AddClip(ctx, c); err != nil {
		return fleet.Clip{}, nil, err
	}
	c, err = m.store.Clip(ctx, c.ID)
	return c, notes, err
}

func clipOf(p *media.Prepared, info ClipInfo) fleet.Clip {
	return fleet.Clip{
		SHA256: p.SHA256, Original: p.OriginalSHA256, Name: info.Name, Title: info.Title, ScamType: info.ScamType, Audience: info.Audience,
		ValidFrom: info.ValidFrom, ValidUntil: info.ValidUntil, Spoken: info.Spoken, Source: info.Source, First: info.First,
		Text: info.Text, Bytes: p.Bytes, Rate: p.Rate, Frames: int64(p.Frames), LUFS: p.LUFS, TruePeak: p.TruePeak, GainDB: p.GainDB, Peaks: p.PeakBytes(),
	}
}

func (m testMedia) Open(sha256 string) (io.ReadSeekCloser, error) { return m.files.Open(sha256) }

// testReels are the real recordings of the world.
type testReels struct {
	*store.Store
	m testMedia
}

func (r testReels) Excerpt(ctx context.Context, id fleet.ReelID, part fleet.Stretch) (io.ReadSeeker, error) {
	x, err := r.Reel(ctx, id)
	if err != nil {
		return nil, err
	}
	return r.m.files.Excerpt(ctx, x.Original, part.From, part.To)
}

func (r testReels) Cut(ctx context.Context, id fleet.ReelID, part fleet.Stretch, c fleet.Clip) (fleet.Clip, error) {
	x, err := r.Reel(ctx, id)
	if err != nil {
		return c, err
	}
	o := media.Options{}
	if c.Long != "" {
		o.MaxDuration = media.HardStop
	}
	p, err := r.m.files.Cut(ctx, x.Original, x.File, part.From, part.To, o)
	if err != nil {
		return c, err
	}
	cut := clipOf(p, ClipInfo{Name: c.Name, Title: c.Title, ScamType: c.ScamType, Audience: c.Audience, Text: c.Text, Source: fleet.SourceCut})
	cut.Uploaded, cut.By, cut.Long = r.m.now(), c.By, c.Long
	if cut.ID, err = r.AddClip(ctx, cut); err != nil {
		return c, err
	}
	if err := r.AddReelCut(ctx, id, cut.ID, part); err != nil {
		return c, err
	}
	return r.Clip(ctx, cut.ID)
}

// testPlanner puts the real planner's answers into the words of web.
type testPlanner struct{ *planner.Planner }

func webProblems(list []planner.Problem) []Problem {
	out := make([]Problem, len(list))
	for i, p := range list {
		out[i] = Problem(p)
	}
	return out
}

func (p testPlanner) Upload(ctx context.Context, file string, yaml []byte, by string, now time.Time) (fleet.Programme, []Problem, error) {
	prog, problems, err := p.Planner.Upload(ctx, file, yaml, by, now)
	return prog, webProblems(problems), err
}

func (p testPlanner) Preview(ctx context.Context, file string, yaml []byte, points []fleet.PointID, from schedules.Date, days int, now time.Time) (map[fleet.PointID][]schedules.Slot, []Problem, error) {
	slots, problems, err := p.Planner.Preview(ctx, file, yaml, points, from, days, now)
	return slots, webProblems(problems), err
}

func (p testPlanner) EntryEffect(ctx context.Context, e fleet.CalendarEntry, now time.Time) (*Effect, []Problem, error) {
	eff, problems, err := p.Planner.EntryEffect(ctx, e, now)
	return (*Effect)(eff), webProblems(problems), err
}

func (p testPlanner) SaveEntry(ctx context.Context, e fleet.CalendarEntry, now time.Time) (fleet.CalendarEntry, []Problem, error) {
	saved, problems, err := p.Planner.SaveEntry(ctx, e, now)
	return saved, webProblems(problems), err
}

func (p testPlanner) HolidayEffect(ctx context.Context, h schedules.HolidayTable, now time.Time) (*Effect, error) {
	eff, err := p.Planner.HolidayEffect(ctx, h, now)
	return (*Effect)(eff), err
}

func (p testPlanner) ProgrammeEffect(ctx context.Context, file string, yaml []byte, now time.Time) (*Effect, []Problem, error) {
	eff, problems, err := p.Planner.ProgrammeEffect(ctx, file, yaml, now)
	return (*Effect)(eff), webProblems(problems), err
}

func webChange(c planner.Change) Change {
	return Change{
		Points: c.Points, Devices: c.Devices, Slots: c.Slots, Silenced: c.Silenced,
		Added: c.Added, Removed: c.Removed, Kept: c.Kept, Altered: c.Altered, From: c.From, To: c.To,
	}
}

func (p testPlanner) WhatIf(ctx context.Context, id fleet.ProgrammeID, now time.Time) (Change, error) {
	c, err := p.Planner.WhatIf(ctx, id, now)
	return webChange(c), err
}

func (p testPlanner) Activate(ctx context.Context, id fleet.ProgrammeID, now time.Time) (Change, error) {
	c, err := p.Planner.Activate(ctx, id, now)
	return webChange(c), err
}

// content makes the real media store, trust and planner below dir.
func (w *world) content(t testing.TB, dir string) {
	t.Helper()
	files, err := media.New(filepath.Join(dir, "media"))
	if err != nil {
		t.Fatal(err)
	}
	w.media = testMedia{files, w.store, w.now}
	if w.parts, err = media.OpenParts(filepath.Join(dir, "parts"), media.DefaultPartLimits(), w.now); err != nil {
		t.Fatal(err)
	}
	authority, err := trust.Open(filepath.Join(dir, "trust"), trust.Options{Names: []string{"10.1.2.3"}})
	if err != nil {
		t.Fatal(err)
	}
	w.trust = authority
	w.planner, err = planner.New(planner.Options{
		Registry: w.store, Content: w.store, Ledger: w.store, Documents: w.store, Sealer: authority, Almanac: w.store,
		Offer: func(context.Context, []wire.DeviceID) {}, OnEvent: w.hub.Publish, Logger: slog.New(slog.NewTextHandler(w.log, nil)),
		Ceilings: testCeilings, Adjustments: w.store,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// addSamples ingests the clips that ship with Gatecast.
func (w *world) addSamples(t testing.TB) {
	t.Helper()
	for _, s := range clips.All() {
		p, err := w.media.files.Ingest(t.Context(), s.FileName(), bytes.NewReader(s.Data()), media.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c := clipOf(p, ClipInfo{Name: s.Name, Title: s.Title, ScamType: s.ScamType, Audience: strings.Join(s.Audience, "、"), Text: s.DisplayText})
		c.Example, c.Uploaded, c.By = true, testNow.AddDate(0, 0, -21), "admin"
		if _, err := w.store.AddClip(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if err := sample.SignOff(t.Context(), w.store, testNow.AddDate(0, 0, -21), nil); err != nil {
		t.Fatal(err)
	}
}

// defaultProgramme is the shipped preset and an exam near one gate.
func defaultProgramme() []byte {
	return append(presets.Default(), []byte(`
quiet:
  dated:
    - {id: exam, name: 考点周边静默, from: 2026-11-10, to: 2026-11-27, times: ["11:00-12:00"], document: 示例文号〔2026〕9号, targets: {points: [SL-06-04]}}
`)...)
}

// activate uploads and activates a programme at that time.
func (w *world) activate(t testing.TB, yaml []byte, at time.Time) fleet.Programme {
	t.Helper()
	p, problems, err := w.planner.Upload(t.Context(), "test.yaml", yaml, "admin", at)
	if err != nil || p.ID == 0 {
		t.Fatalf("Upload: %v, %+v", err, problems)
	}
	if _, err := w.planner.Activate(t.Context(), p.ID, at); err != nil {
		t.Fatal(fmt.Errorf("activating: %w", err))
	}
	return p
}

// testCeilings are what was signed for the test world.
var testCeilings = wire.Ceilings{
	Zone: "Asia/Shanghai", Allowed: []wire.DailyWindow{{FirstMin: 360, LastMin: 1320}}, MaxGainDB: 20, MaxVolumePct: 60, MaxPlaysPerHour: 30, MaxClipS: 180,
}
