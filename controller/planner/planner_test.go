package planner

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/controller/sample"
	"gatecast/controller/store"
	"gatecast/controller/trust"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
	"gatecast/schedules"
	"gatecast/schedules/presets"
)

// noon of a Monday in the office, after 中 and before 晚.
var t0 = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

type testOffice struct {
	*Planner
	store   *store.Store
	trust   *trust.Authority
	offered []wire.DeviceID
}

var _ = []any{Registry((*store.Store)(nil)), Content((*store.Store)(nil)), Ledger((*store.Store)(nil)), Documents((*store.Store)(nil)), Sealer((*trust.Authority)(nil))}

func newTestPlanner(t testing.TB) *testOffice {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(t.Context(), filepath.Join(dir, "gatecast.db"), store.Options{StateDelay: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	a, err := trust.Open(filepath.Join(dir, "trust"), trust.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ImportRegistry(t.Context(), sample.Registry(t0)); err != nil {
		t.Fatal(err)
	}
	w := &testOffice{store: s, trust: a}
	w.Planner = w.restart(t)
	for i, name := range []string{"shuadan", "kefu", "laonian"} {
		if _, err := s.AddClip(t.Context(), fleet.Clip{
			SHA256: strings.Repeat(fmt.Sprint(i), 64), Original: strings.Repeat(fmt.Sprint(i+4), 64),
			Name: name, Title: name, Rate: 24000, Frames: int64(24000 * (25 + i)), Bytes: 1000, Uploaded: t0,
		}); err != nil {
			t.Fatal(err)
		}
	}
	w.signOff(t)
	return w
}

// signOff has every draft approved.
func (w *testOffice) signOff(t testing.TB) {
	t.Helper()
	if err := sample.SignOff(t.Context(), w.store, t0, nil); err != nil {
		t.Fatal(err)
	}
}

// restart returns a planner with no memory, as after a restart of the process.
func (w *testOffice) restart(t testing.TB) *Planner {
	t.Helper()
	p, err := New(Options{
		Registry: w.store, Content: w.store, Ledger: w.store, Documents: w.store, Sealer: w.trust, Almanac: w.store,
		Offer:   func(_ context.Context, ids []wire.DeviceID) { w.offered = append(w.offered, ids...) },
		OnEvent: func(fleet.Event) {}, Logger: slog.New(slog.DiscardHandler),
		Ceilings: wire.Ceilings{Zone: "Asia/Shanghai", Allowed: []wire.DailyWindow{{FirstMin: 360, LastMin: 1320}}, MaxGainDB: 20, MaxVolumePct: 80, MaxPlaysPerHour: 20, MaxClipS: 180},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// enrol binds a fresh device, heard and accepted, to a point.
func (w *testOffice) enrol(t testing.TB, code string, now time.Time) (fleet.Point, wire.DeviceID) {
	t.Helper()
	pt, err := w.store.PointByCode(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	_, hash := trust.NewJoinCode()
	if err := w.store.AddJoinCode(t.Context(), fleet.JoinCode{Hash: hash, Point: pt.ID, Issued: now, Expires: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	id := trust.DeviceIDOf(spki)
	if _, err = w.store.Enrol(t.Context(), hash, fleet.Device{ID: id, SPKI: spki}, now); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.AcceptDevice(t.Context(), id, "test", now); err != nil {
		t.Fatal(err)
	}
	if pt, err = w.store.Point(t.Context(), pt.ID); err != nil {
		t.Fatal(err)
	}
	return pt, id
}

func (w *testOffice) upload(t testing.TB, yaml string, now time.Time) (fleet.Programme, []Problem) {
	t.Helper()
	prog, problems, err := w.Upload(t.Context(), "test.yaml", []byte(yaml), "张工", now)
	if err != nil {
		t.Fatal(err)
	}
	return prog, problems
}

func (w *testOffice) activate(t testing.TB, yaml string, now time.Time) Change {
	t.Helper()
	prog, problems := w.upload(t, yaml, now)
	if prog.ID == 0 {
		t.Fatalf("Upload refused: %+v", problems)
	}
	c, err := w.Activate(t.Context(), prog.ID, now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *testOffice) slots(t testing.TB, pt fleet.Point, f fleet.ObligationFilter) (ids []string) {
	t.Helper()
	f.Point = pt.ID
	rows, err := w.store.Obligations(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range rows {
		ids = append(ids, string(o.Slot)+" "+string(o.Verdict))
	}
	return ids
}

func (w *testOffice) wanted(t testing.TB, id wire.DeviceID) *wire.Plan {
	t.Helper()
	d, err := w.store.Device(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := w.store.LatestDoc(t.Context(), id, wire.DocPlan)
	if err != nil {
		t.Fatal(err)
	}
	if doc.SHA256 != d.WantHash || doc.Version != d.WantVersion {
		t.Errorf("device wants %d %s, newest document is %d %s", d.WantVersion, d.WantHash, doc.Version, doc.SHA256)
	}
	var plan wire.Plan
	if _, err := seal.Open(doc.Bytes, w.trust.DirectorKeys(), seal.Expect{Type: wire.DocPlan, Device: id}, &plan); err != nil {
		t.Fatal(err)
	}
	return &plan
}

const evening = `
id: gates
name: 小区日常
zone: Asia/Shanghai
targets: {kinds: [gate]}
slots:
  - {key: noon, name: 中, start: "11:20", until: "11:50", playlist: [kefu]}
  - {key: evening, name: 晚, start: "%s", until: "%s", playlist: [shuadan, kefu]}
`

func TestActivateOwesFromNowOn(t *testing.T) {
	w := newTestPlanner(t)
	pt, id := w.enrol(t, "SL-01-01", t0)
	c := w.activate(t, fmt.Sprintf(evening, "18:00", "18:30"), t0)
	if c.Points != 1 || c.Devices != 1 || len(w.offered) != 1 {
		t.Errorf("Activate = %+v, offered %v", c, w.offered)
	}
	got := w.slots(t, pt, fleet.ObligationFilter{To: "2026-11-24"})
	want := []string{"2026-11-23.gates.evening due", "2026-11-24.gates.noon due", "2026-11-24.gates.evening due"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("obligations (-want +got):\n%s", diff)
	}
	plan := w.wanted(t, id)
	if len(plan.Slots) != 1+2*59 || plan.Slots[0].ID != "2026-11-23.gates.evening" || len(plan.Clips) != 2 {
		t.Errorf("plan has %d slots from %q and %d clips", len(plan.Slots), plan.Slots[0].ID, len(plan.Clips))
	}
	plays, err := plan.Plays(plan.Slots[0])
	if err != nil || len(plays) != 6 || !plays[0].At.Equal(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("Plays = %v, %v", plays, err)
	}
	if all := w.slots(t, pt, fleet.ObligationFilter{}); len(all) != len(plan.Slots) {
		t.Errorf("%d obligations for %d slots of the plan", len(all), len(plan.Slots))
	}
}

func TestChangeLeavesBegunSlotAlone(t *testing.T) {
	w := newTestPlanner(t)
	pt, id := w.enrol(t, "SL-01-01", t0)
	w.activate(t, fmt.Sprintf(evening, "18:00", "18:30"), t0)
	// In the middle of the evening slot the office moves it to 19:00.
	w.activate(t, fmt.Sprintf(evening, "19:00", "19:30"), time.Date(2026, 11, 23, 10, 10, 0, 0, time.UTC))
	rows, err := w.store.Obligations(t.Context(), fleet.ObligationFilter{Point: pt.ID, To: "2026-11-24"})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range rows {
		h := o.Start.In(time.UTC).Hour()
		switch o.Slot {
		case "2026-11-23.gates.evening":
			if h != 10 || o.Version != 1 {
				t.Errorf("the slot that had begun now starts at %s by version %d", o.Start, o.Version)
			}
		case "2026-11-24.gates.evening":
			if h != 11 || o.Version != 2 {
				t.Errorf("tomorrow's slot starts at %s by version %d", o.Start, o.Version)
			}
		}
	}
	plan := w.wanted(t, id)
	if plan.Version != 2 {
		t.Errorf("plan version %d, want 2", plan.Version)
	}
	for _, s := range plan.Slots {
		if s.ID == "2026-11-23.gates.evening" && s.StartS > time.Date(2026, 11, 23, 10, 10, 0, 0, time.UTC).Unix() {
			t.Errorf("the slot that had begun would sound a second time at %s", time.Unix(s.StartS, 0).UTC())
		}
	}
}

func TestSameContentMakesNoNewVersion(t *testing.T) {
	w := newTestPlanner(t)
	_, id := w.enrol(t, "SL-01-01", t0)
	w.activate(t, fmt.Sprintf(evening, "18:00", "18:30"), t0)
	w.Planner = w.restart(t)
	for _, now := range []time.Time{t0.Add(time.Minute), t0.Add(8 * time.Hour)} { // before and after the slot
		if _, err := w.Replan(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	if v := w.wanted(t, id).Version; v != 1 {
		t.Errorf("plan version %d after planning the same again, want 1", v)
	}
	if _, err := w.Replan(t.Context(), t0.AddDate(0, 0, 1)); err != nil {
		t.Fatal(err)
	}
	if v := w.wanted(t, id).Version; v != 2 {
		t.Errorf("plan version %d on the next day, want 2: the horizon moved", v)
	}
}

func TestPointWithoutDeviceOwesNothing(t *testing.T) {
	w := newTestPlanner(t)
	c := w.activate(t, fmt.Sprintf(evening, "18:00", "18:30"), t0)
	if c.Points != 0 || c.Slots != 0 {
		t.Errorf("Activate = %+v, want nothing owed", c.Summary)
	}
	pt, id := w.enrol(t, "SL-01-02", t0.Add(time.Hour))
	if _, err := w.Replan(t.Context(), t0.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := w.slots(t, pt, fleet.ObligationFilter{To: "2026-11-23"}); len(got) != 1 {
		t.Errorf("owed after enrolment: %v, want tonight's slot", got)
	}
	w.wanted(t, id)
}

func TestQuietRuleMakesExempt(t *testing.T) {
	w := newTestPlanner(t)
	pt, id := w.enrol(t, "SL-01-01", t0)
	w.activate(t, fmt.Sprintf(evening, "18:00", "18:30")+`
quiet:
  dated:
    - {id: exam, name: 考试, from: 2026-11-24, to: 2026-11-24, all_day: true, document: 示例〔2026〕1号}
`, t0)
	got := w.slots(t, pt, fleet.ObligationFilter{From: "2026-11-24", To: "2026-11-24"})
	want := []string{"2026-11-24.gates.noon exempt", "2026-11-24.gates.evening exempt"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("obligations (-want +got):\n%s", diff)
	}
	for _, s := range w.wanted(t, id).Slots {
		if strings.HasPrefix(string(s.ID), "2026-11-24") {
			t.Errorf("plan holds the silenced slot %q", s.ID)
		}
	}
}

func TestUploadRefusesInWords(t *testing.T) {
	w := newTestPlanner(t)
	good := fmt.Sprintf(evening, "18:00", "18:30")
	tests := map[string]struct{ yaml, want string }{
		"unknown_key":  {strings.Replace(good, "zone:", "zoen:", 1), "zoen"},
		"quiet_hours":  {fmt.Sprintf(evening, "22:30", "23:00"), "22:00–06:00"},
		"dead_target":  {strings.Replace(good, "kinds: [gate]", "units: [SL-99]", 1), "SL-99"},
		"demo_outside": {"demo: true\n" + good, "demo"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			prog, problems := w.upload(t, tt.yaml, t0)
			if prog.ID != 0 || len(problems) == 0 {
				t.Fatalf("Upload = %+v, %v, want a refusal", prog, problems)
			}
			said := ""
			for _, p := range problems {
				said += p.Key + " " + p.Text + "\n"
			}
			if !strings.Contains(said, tt.want) {
				t.Errorf("Upload says %q, want it to name %q", said, tt.want)
			}
		})
	}
	stored, err := w.store.Programmes(t.Context())
	if err != nil || len(stored) != 0 {
		t.Errorf("refused programmes left %d rows, %v", len(stored), err)
	}
}

func TestActivateRefusesMissingClip(t *testing.T) {
	w := newTestPlanner(t)
	pt, _ := w.enrol(t, "SL-01-01", t0)
	w.activate(t, fmt.Sprintf(evening, "18:00", "18:30"), t0)
	before := w.slots(t, pt, fleet.ObligationFilter{})
	prog, problems := w.upload(t, strings.Replace(fmt.Sprintf(evening, "19:00", "19:30"), "[kefu]", "[guanggao]", 1), t0)
	if prog.ID == 0 || len(problems) == 0 || !problems[0].Blocking {
		t.Fatalf("Upload = %+v, %+v, want a draft with a problem", prog, problems)
	}
	_, err := w.Activate(t.Context(), prog.ID, t0)
	if fleet.CodeOf(err) != fleet.Invalid || !strings.Contains(err.Error(), "guanggao") {
		t.Errorf("Activate = %v, want a refusal that names the clip", err)
	}
	if diff := cmp.Diff(before, w.slots(t, pt, fleet.ObligationFilter{})); diff != "" {
		t.Errorf("a refused activation changed what is owed:\n%s", diff)
	}
	active, err := w.store.ActiveProgrammes(t.Context())
	if err != nil || len(active) != 1 || active[0].Version != 1 {
		t.Errorf("active = %+v, %v, want version 1", active, err)
	}
}

func TestWhatIfPromisesWhatActivateDoes(t *testing.T) {
	w := newTestPlanner(t)
	pt, _ := w.enrol(t, "SL-01-01", t0)
	w.activate(t, fmt.Sprintf(evening, "18:00", "18:30"), t0)
	before := len(w.slots(t, pt, fleet.ObligationFilter{}))
	prog, _ := w.upload(t, strings.Replace(fmt.Sprintf(evening, "18:00", "18:30"), "key: noon", "key: midday", 1), t0)
	c, err := w.WhatIf(t.Context(), prog.ID, t0)
	if err != nil {
		t.Fatal(err)
	}
	if c.Added != 59 || c.Removed != 59 || c.Kept != 60 || c.Altered != 0 || c.Devices != 1 {
		t.Errorf("WhatIf = %d added, %d removed, %d kept, %d altered, %d devices, want 59, 59, 60, 0, 1", c.Added, c.Removed, c.Kept, c.Altered, c.Devices)
	}
	if n := len(w.slots(t, pt, fleet.ObligationFilter{})); n != before {
		t.Errorf("WhatIf changed obligations from %d to %d", before, n)
	}
	if _, err := w.Activate(t.Context(), prog.ID, t0); err != nil {
		t.Fatal(err)
	}
	if n := len(w.slots(t, pt, fleet.ObligationFilter{})); n != c.Kept+c.Added {
		t.Errorf("after Activate %d obligations, WhatIf promised %d", n, c.Kept+c.Added)
	}
	if again, err := w.WhatIf(t.Context(), prog.ID, t0); err != nil || again.Devices != 0 || again.Added+again.Removed+again.Altered != 0 {
		t.Errorf("WhatIf of what is in force = %+v, %v, want no change", again, err)
	}
}

func TestWhatIfCountsSlotsThatChange(t *testing.T) {
	w := newTestPlanner(t)
	w.enrol(t, "SL-01-01", t0)
	w.activate(t, fmt.Sprintf(evening, "18:00", "18:30"), t0)
	prog, _ := w.upload(t, fmt.Sprintf(evening, "18:10", "18:40"), t0)
	c, err := w.WhatIf(t.Context(), prog.ID, t0)
	if err != nil || c.Added != 0 || c.Removed != 0 || c.Altered == 0 || c.Altered >= c.Kept || c.Devices != 1 {
		t.Errorf("WhatIf of a moved evening = %+v, %v, want only the evenings altered", c, err)
	}
}

func TestPresetCanBeActivated(t *testing.T) {
	w := newTestPlanner(t)
	w.enrol(t, "SL-01-01", t0)
	w.enrol(t, "SL-11-01", t0)
	prog, problems := w.upload(t, string(presets.Default()), t0)
	for _, p := range problems {
		if p.Blocking {
			t.Errorf("problem: %+v", p)
		}
	}
	c, err := w.Activate(t.Context(), prog.ID, t0)
	if err != nil || c.Points != 2 || c.Devices != 2 {
		t.Errorf("Activate = %+v, %v", c.Summary, err)
	}
	pt, err := w.store.PointByCode(t.Context(), "SL-11-02") // not installed: previewed all the same
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := w.Preview(t.Context(), "x", presets.Default(), []fleet.PointID{pt.ID}, schedules.Date{Year: 2026, Month: 11, Day: 23}, 2, t0)
	if err != nil || len(rows[pt.ID]) != 4 {
		t.Errorf("Preview = %d slots, %v, want 4", len(rows[pt.ID]), err)
	}
}
