package planner

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/sample"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// both has two clips in turn.
var both = strings.Replace(gates, "[shuadan]", "[shuadan, kefu]", 1)

// step takes a step with the clip of that name as it stands.
func (w *testOffice) step(t testing.TB, name string, step fleet.ClipStep, now time.Time, terms fleet.ClipTerms) {
	t.Helper()
	c, err := w.store.ClipByName(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	by := sample.Clerk
	if step == fleet.StepApprove || step == fleet.StepRecall || step == fleet.StepReturn {
		by = sample.Approver
	}
	if terms.Title == "" {
		terms.Title = c.Title
	}
	d := fleet.ClipDecision{Step: step, By: by, At: now, Reason: "号码有误", Revision: c.Revision, Terms: terms}
	if _, err := w.store.DecideClip(t.Context(), c.ID, d); err != nil {
		t.Fatal(err)
	}
}

// validUntil signs another last day for a clip.
func (w *testOffice) validUntil(t testing.TB, name string, day fleet.Day) {
	t.Helper()
	w.step(t, name, fleet.StepEdit, t0, fleet.ClipTerms{ValidUntil: day})
	w.step(t, name, fleet.StepApprove, t0, fleet.ClipTerms{})
}

func (w *testOffice) manifest(t testing.TB) *wire.Manifest {
	t.Helper()
	doc, err := w.store.LatestDoc(t.Context(), "", wire.DocManifest)
	if err != nil {
		t.Fatal(err)
	}
	m, err := seal.Peek[wire.Manifest](doc.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return &m
}

// sounding returns the clips of a plan's slots by day.
func sounding(t testing.TB, p *wire.Plan) map[string][]string {
	t.Helper()
	days := map[string][]string{}
	for _, s := range p.Slots {
		plays, err := p.Plays(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, play := range plays {
			day, _, _ := strings.Cut(string(play.Slot), ".")
			if !slices.Contains(days[day], play.Clip[:1]) {
				days[day] = append(days[day], play.Clip[:1])
			}
		}
	}
	return days
}

// TestExpiryLeavesThePlanInAdvance expires a clip in the middle of the
// horizon: a device that never hears of us again does not play it after its
// last day, by the plan and by the manifest.
func TestExpiryLeavesThePlanInAdvance(t *testing.T) {
	w := newTestPlanner(t)
	_, id := w.enrol(t, "SL-01-02", t0)
	w.validUntil(t, "kefu", "2026-11-30")
	prog, problems := w.upload(t, both, t0)
	if !slices.ContainsFunc(problems, func(p Problem) bool {
		return !p.Blocking && strings.Contains(p.Text, "“kefu”有效期到 2026-11-30")
	}) {
		t.Errorf("nobody is warned: %+v", problems)
	}
	if _, err := w.Activate(t.Context(), prog.ID, t0); err != nil {
		t.Fatal(err)
	}
	days := sounding(t, w.wanted(t, id))
	if len(days) < 50 {
		t.Fatalf("%d days are planned", len(days))
	}
	for day, clips := range days {
		if has := slices.Contains(clips, "1"); has != (day <= "2026-11-30") { // kefu is 111…
			t.Errorf("%s sounds %q", day, clips)
		}
	}
	c, ok := w.manifest(t).Clip(strings.Repeat("1", 64))
	if want := time.Date(2026, 11, 30, 16, 0, 0, 0, time.UTC); !ok || c.UntilUS != wire.US(want) || c.FromUS != 0 {
		t.Errorf("the manifest has it until %s, want %s", wire.FromUS(c.UntilUS), want)
	}
	after := time.Date(2026, 11, 30, 16, 0, 1, 0, time.UTC)
	if _, err := w.Replan(t.Context(), after); err != nil {
		t.Fatal(err)
	}
	if _, ok := w.manifest(t).Clip(strings.Repeat("1", 64)); ok || slices.Contains(w.wanted(t, id).Clips, strings.Repeat("1", 64)) {
		t.Error("an expired clip is still delivered")
	}
	if turn := w.nextTurn(after.Add(-61 * time.Second)); turn != 61*time.Second {
		t.Errorf("a minute before midnight the planner sleeps for %s", turn)
	}
}

// TestRecallLeavesPlanAndManifest recalls one of two clips, then the other:
// the slots stay owed, and what cannot sound is not planned.
func TestRecallLeavesPlanAndManifest(t *testing.T) {
	w := newTestPlanner(t)
	pt, id := w.enrol(t, "SL-01-02", t0)
	_, other := w.enrol(t, "SL-11-01", t0) // no slot there
	w.activate(t, both, t0)
	before := w.slots(t, pt, fleet.ObligationFilter{})
	versions := []uint64{w.wanted(t, id).Version, w.wanted(t, other).Version}
	w.step(t, "kefu", fleet.StepRecall, t0, fleet.ClipTerms{})
	if _, err := w.Replan(t.Context(), t0.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	kefu := strings.Repeat("1", 64)
	for i, d := range []wire.DeviceID{id, other} {
		p := w.wanted(t, d)
		if p.Version <= versions[i] || !slices.Equal(p.Recalled, []string{kefu}) || slices.Contains(p.Clips, kefu) {
			t.Errorf("plan %d of device %d: recalled %q, clips %q", p.Version, i, p.Recalled, p.Clips)
		}
	}
	if _, ok := w.manifest(t).Clip(kefu); ok {
		t.Error("the manifest still allows it")
	}
	for day, clips := range sounding(t, w.wanted(t, id)) {
		if slices.Contains(clips, "1") || len(clips) == 0 {
			t.Errorf("%s sounds %q", day, clips)
		}
	}
	w.step(t, "shuadan", fleet.StepRecall, t0, fleet.ClipTerms{})
	if _, err := w.Replan(t.Context(), t0.Add(2*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if p := w.wanted(t, id); len(p.Slots) != 0 || len(p.Recalled) != 2 {
		t.Errorf("with nothing to play the plan has %d slots, recalled %q", len(p.Slots), p.Recalled)
	}
	if after := w.slots(t, pt, fleet.ObligationFilter{}); len(after) != len(before) {
		t.Errorf("%d slots are owed, %d were: a recall must not take away what is owed", len(after), len(before))
	}
	rows, err := w.store.Obligations(t.Context(), fleet.ObligationFilter{Point: pt.ID, Limit: 1, Offset: 3})
	if err != nil || len(rows) != 1 || rows[0].PlannedMS != 0 || rows[0].Plays == 0 {
		t.Errorf("an owed slot without a clip = %+v, %v", rows, err)
	}
}

func TestActivationNamesWhoHasToSign(t *testing.T) {
	tests := map[string]struct {
		steps []fleet.ClipStep // of a new clip
		terms fleet.ClipTerms
		words string // of the refusal; empty: it is activated
	}{
		"draft":     {nil, fleet.ClipTerms{}, "还是草稿，请先送审"},
		"submitted": {[]fleet.ClipStep{fleet.StepSubmit}, fleet.ClipTerms{}, "还没有签发：clerk 已送审，等签发人签发"},
		"returned":  {[]fleet.ClipStep{fleet.StepSubmit, fleet.StepReturn}, fleet.ClipTerms{}, "被退回（号码有误）"},
		"approved":  {[]fleet.ClipStep{fleet.StepSubmit, fleet.StepApprove}, fleet.ClipTerms{}, ""},
		"recalled":  {[]fleet.ClipStep{fleet.StepSubmit, fleet.StepApprove, fleet.StepRecall}, fleet.ClipTerms{}, "已召回（号码有误），请在播放计划里换一个素材"},
		"expired":   {[]fleet.ClipStep{fleet.StepEdit, fleet.StepSubmit, fleet.StepApprove}, fleet.ClipTerms{ValidUntil: "2026-11-22"}, "有效期到 2026-11-22 为止，已过期"},
		"ahead":     {[]fleet.ClipStep{fleet.StepEdit, fleet.StepSubmit, fleet.StepApprove}, fleet.ClipTerms{ValidFrom: "2026-12-01"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newTestPlanner(t)
			w.enrol(t, "SL-01-02", t0)
			sha := strings.Repeat("9", 64)
			if _, err := w.store.AddClip(t.Context(), fleet.Clip{SHA256: sha, Name: "xin", Title: "xin", Rate: 24000, Frames: 24000 * 20, Bytes: 1000, Uploaded: t0, By: "clerk"}); err != nil {
				t.Fatal(err)
			}
			for _, step := range tt.steps {
				w.step(t, "xin", step, t0, tt.terms)
			}
			prog, problems := w.upload(t, strings.Replace(fmt.Sprintf(evening, "18:00", "18:30"), "[kefu]", "[xin]", 1), t0)
			if prog.ID == 0 {
				t.Fatalf("not even a draft: %+v", problems)
			}
			_, err := w.Activate(t.Context(), prog.ID, t0)
			if tt.words == "" {
				if err != nil {
					t.Errorf("Activate = %v", err)
				}
				return
			}
			said := ""
			for _, p := range problems {
				said += p.Text + "\n"
			}
			if fleet.CodeOf(err) != fleet.Invalid || !strings.Contains(said, "“xin”"+tt.words) {
				t.Errorf("Activate = %v, the page says %q, want %q", err, said, tt.words)
			}
		})
	}
}
