package acceptance

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/agent/journal"
	"gatecast/agent/walltime"
	"gatecast/controller/backup"
	"gatecast/controller/fleet"
	"gatecast/controller/ledger"
	"gatecast/controller/planner"
	"gatecast/controller/sample"
	"gatecast/controller/store"
	"gatecast/controller/trust"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// days is an office and its gates over days of virtual time: store, ledger,
// planner, keys and journals are the real ones; what gates play is drawn.
type days struct {
	t       *testing.T
	dir     string
	now     time.Time
	store   *store.Store
	planner *planner.Planner
	ledger  *ledger.Ledger
	gates   []*dayGate
}

// dayGate is a device with its journal.
type dayGate struct {
	w       *days
	id      wire.DeviceID
	dir     string
	journal *journal.Journal
	rand    *mathrand.Rand
	session uint64
	plan    wire.Plan
	hash    string
	boot    int
	off     time.Time // without power since; zero while it runs
}

const restoreProgramme = `
id: gates
name: 小区日常
zone: Asia/Shanghai
targets: {kinds: [gate]}
slots:
  - {key: noon, name: 中, start: "11:20", until: "11:50", playlist: [kefu, shuadan]}
  - {key: evening, name: 晚, start: "18:00", until: "18:30", playlist: [shuadan, kefu]}
`

func newDays(t *testing.T, gates int) *days {
	t.Helper()
	w := &days{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)}
	w.open()
	if err := w.store.ImportRegistry(t.Context(), sample.Registry(w.now)); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"shuadan", "kefu"} {
		if _, err := w.store.AddClip(t.Context(), fleet.Clip{
			SHA256: strings.Repeat(fmt.Sprint(i), 64), Original: strings.Repeat(fmt.Sprint(i+4), 64),
			Name: name, Title: name, Rate: 24000, Frames: int64(24000 * (25 + i)), Bytes: 1000, Uploaded: w.now,
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := sample.SignOff(t.Context(), w.store, w.now, nil); err != nil {
		t.Fatal(err)
	}
	points, err := w.store.Points(t.Context(), fleet.PointFilter{Kind: fleet.Gate})
	if err != nil || len(points) < gates {
		t.Fatalf("%d gates, %v", len(points), err)
	}
	for i := range gates {
		w.gates = append(w.gates, w.enrol(points[i], uint64(i)))
	}
	prog, problems, err := w.planner.Upload(t.Context(), "gates.yaml", []byte(restoreProgramme), "clerk", w.now)
	if err != nil || prog.ID == 0 {
		t.Fatalf("Upload: %v, %+v", err, problems)
	}
	if _, err := w.planner.Activate(t.Context(), prog.ID, w.now); err != nil {
		t.Fatal(err)
	}
	return w
}

// open opens what is on disk, as a controller does when it starts.
func (w *days) open() {
	w.t.Helper()
	s, err := store.Open(w.t.Context(), filepath.Join(w.dir, "gatecast.db"), store.Options{Clock: func() time.Time { return w.now }, StateDelay: time.Millisecond})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = s.Close() })
	keys, err := trust.Open(filepath.Join(w.dir, "trust"), trust.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.store = s
	w.planner, err = planner.New(planner.Options{
		Registry: s, Content: s, Ledger: s, Documents: s, Sealer: keys,
		Offer: func(context.Context, []wire.DeviceID) {}, OnEvent: func(fleet.Event) {}, Logger: slog.New(slog.DiscardHandler),
		Ceilings: wire.Ceilings{Zone: "Asia/Shanghai", Allowed: []wire.DailyWindow{{FirstMin: 360, LastMin: 1320}}, MaxGainDB: 20, MaxVolumePct: 80, MaxPlaysPerHour: 20, MaxClipS: 180},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if w.ledger, err = ledger.New(ledger.Options{Store: s, Clock: func() time.Time { return w.now }}); err != nil {
		w.t.Fatal(err)
	}
	if err := w.planner.Finish(w.t.Context(), w.now); err != nil {
		w.t.Fatal(err)
	}
}

func (w *days) enrol(pt fleet.Point, seed uint64) *dayGate {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		w.t.Fatal(err)
	}
	_, hash := trust.NewJoinCode()
	if err := w.store.AddJoinCode(w.t.Context(), fleet.JoinCode{Hash: hash, Point: pt.ID, Issued: w.now, Expires: w.now.Add(time.Hour)}); err != nil {
		w.t.Fatal(err)
	}
	g := &dayGate{w: w, id: trust.DeviceIDOf(spki), dir: w.t.TempDir(), rand: mathrand.New(mathrand.NewPCG(seed, 7))}
	if _, err := w.store.Enrol(w.t.Context(), hash, fleet.Device{ID: g.id, SPKI: spki}, w.now); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.store.AcceptDevice(w.t.Context(), g.id, "test", w.now); err != nil {
		w.t.Fatal(err)
	}
	g.power()
	return g
}

// power starts the device: the journal is opened, and what it missed is on
// record as the agent puts it there.
func (g *dayGate) power() {
	g.w.t.Helper()
	g.boot++
	var err error
	if g.journal, err = journal.Open(g.dir, journal.Options{Now: func() walltime.Stamp { return g.stamp(g.w.now) }}); err != nil {
		g.w.t.Fatal(err)
	}
	j := g.journal
	g.w.t.Cleanup(func() { _ = j.Close() })
	g.write(wire.RecordBoot, g.w.now, wire.Boot{Agent: "test", LastSeen: wire.US(g.off)})
	for _, s := range g.plan.Slots {
		if start := time.Unix(s.StartS, 0); !g.off.IsZero() && start.After(g.off) && start.Before(g.w.now) {
			g.slot(s, g.w.now, func(int) (wire.PlayResult, wire.Reason, int64) { return wire.PlaySkipped, wire.ReasonPower, 0 })
		}
	}
	g.off = time.Time{}
}

func (g *dayGate) stamp(at time.Time) walltime.Stamp {
	return walltime.Stamp{Wall: at, Mono: time.Duration(at.UnixNano() % int64(1e15)), BootID: fmt.Sprint("boot", g.boot), Level: wire.T2, Err: time.Millisecond}
}

func (g *dayGate) write(kind wire.RecordKind, at time.Time, body any) {
	g.w.t.Helper()
	if _, err := g.journal.Append(kind, g.stamp(at), body); err != nil {
		g.w.t.Fatal(err)
	}
}

// slot puts every play of s on record.
func (g *dayGate) slot(s wire.PlanSlot, at time.Time, how func(n int) (wire.PlayResult, wire.Reason, int64)) {
	g.w.t.Helper()
	plays, err := g.plan.Plays(s)
	if err != nil {
		g.w.t.Fatal(err)
	}
	for n, p := range plays {
		result, reason, ms := how(n)
		if result != wire.PlaySkipped {
			g.write(wire.RecordIntent, at, wire.Intent{Play: p.ID, Slot: s.ID, Plan: g.plan.Version})
		}
		g.write(wire.RecordOutcome, at.Add(20*time.Second), wire.Outcome{
			Play: p.ID, Slot: s.ID, Plan: g.plan.Version, Result: result, Reason: reason, SoundMS: ms, ClipMS: 25000, Sink: "alsa",
		})
		at = at.Add(time.Minute)
	}
}

// pass lets half a day go by at every gate.
func (w *days) pass(d time.Duration) {
	w.t.Helper()
	from := w.now
	w.now = w.now.Add(d)
	for _, g := range w.gates {
		for _, s := range g.plan.Slots {
			if start := time.Unix(s.StartS, 0).UTC(); !start.Before(from) && start.Before(w.now) && g.off.IsZero() {
				g.perform(s, start)
			}
		}
		if !g.off.IsZero() && g.rand.IntN(2) == 0 {
			g.power()
		}
		if g.off.IsZero() && g.rand.IntN(3) > 0 {
			g.deliver()
		}
	}
	if _, err := w.planner.Replan(w.t.Context(), w.now); err != nil {
		w.t.Fatal(err)
	}
	if err := w.ledger.Pass(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// perform draws how a slot goes.
func (g *dayGate) perform(s wire.PlanSlot, start time.Time) {
	switch luck := g.rand.IntN(10); {
	case luck < 5:
		g.slot(s, start, func(int) (wire.PlayResult, wire.Reason, int64) { return wire.PlayPlayed, "", 25000 })
	case luck < 6:
		g.slot(s, start, func(n int) (wire.PlayResult, wire.Reason, int64) {
			if n == 0 {
				return wire.PlayPlayed, "", 25000
			}
			return wire.PlayFailed, wire.ReasonDevice, 0
		})
	case luck < 7:
		g.slot(s, start, func(int) (wire.PlayResult, wire.Reason, int64) {
			return wire.PlayPartial, wire.ReasonStopped, int64(g.rand.IntN(9000))
		})
	case luck < 8:
		g.slot(s, start, func(int) (wire.PlayResult, wire.Reason, int64) { return wire.PlayDoubt, wire.ReasonSilent, 0 })
	default: // the power goes
		g.off = start.Add(-time.Minute)
		if err := g.journal.Close(); err != nil {
			g.w.t.Fatal(err)
		}
	}
}

// deliver connects: hello, what the controller asks for again, records and
// acks, and the plan that the device should have.
func (g *dayGate) deliver() {
	g.w.t.Helper()
	s, ctx := g.w.store, g.w.t.Context()
	g.session++
	state := wire.State{
		Session: g.session, Online: true, PlanVersion: g.plan.Version, PlanSHA256: g.hash,
		Log: g.journal.Log(), LastSeq: g.journal.Last(), AckedSeq: g.journal.Acked(), Older: g.journal.Older(),
	}
	if _, err := s.SaveHello(ctx, g.id, wire.Hello{Session: g.session, State: state}, g.w.now); err != nil {
		g.w.t.Fatal(err)
	}
	ack := func(log wire.LogID) {
		a, err := s.AckState(ctx, g.id, log)
		if err == nil {
			err = g.journal.Ack(a)
		}
		if err != nil {
			g.w.t.Fatal(err)
		}
	}
	ack(state.Log)
	for _, o := range state.Older {
		ack(o.Log)
	}
	for {
		b, err := g.journal.Batch(wire.MaxBatchRecords, wire.MaxBatchBytes)
		if err != nil {
			g.w.t.Fatal(err)
		}
		if len(b.Records) == 0 {
			break
		}
		if _, err := s.AppendRecords(ctx, g.id, b.Log, b.Records, g.w.now); err != nil {
			g.w.t.Fatal(err)
		}
		ack(b.Log)
	}
	d, err := s.Device(ctx, g.id)
	if err != nil {
		g.w.t.Fatal(err)
	}
	if d.Awaiting == fleet.AwaitNothing && d.WantVersion > g.plan.Version {
		doc, err := s.Doc(ctx, d.WantHash)
		if err != nil {
			g.w.t.Fatal(err)
		}
		if g.plan, err = seal.Peek[wire.Plan](doc); err != nil {
			g.w.t.Fatal(err)
		}
		g.hash = d.WantHash
		g.write(wire.RecordPlan, g.w.now, wire.PlanTaken{Version: g.plan.Version, SHA256: g.hash})
	}
	state.PlanVersion, state.PlanSHA256, state.LastSeq = g.plan.Version, g.hash, g.journal.Last()
	if _, err := s.SaveState(ctx, g.id, state, g.w.now); err != nil {
		g.w.t.Fatal(err)
	}
}

// damage spoils the bytes of a record that was delivered long ago, so that the
// device goes on in another journal.
func (g *dayGate) damage(play wire.PlayID) {
	g.w.t.Helper()
	if err := g.journal.Close(); err != nil {
		g.w.t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(g.dir, "*.seg"))
	if err != nil {
		g.w.t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			g.w.t.Fatal(err)
		}
		if at := bytes.Index(data, []byte(play)); at >= 0 {
			data[at] ^= 0x20
			if err := os.WriteFile(f, data, 0o600); err != nil {
				g.w.t.Fatal(err)
			}
			g.power()
			if len(g.journal.Older()) == 0 {
				g.w.t.Fatal("the damage did not begin another journal")
			}
			return
		}
	}
	g.w.t.Fatalf("no record of %s in the journal", play)
}

// settle lets every gate come back and deliver, and settles.
func (w *days) settle() {
	w.t.Helper()
	for range 3 {
		w.now = w.now.Add(5 * time.Minute)
		for _, g := range w.gates {
			if !g.off.IsZero() {
				g.power()
			}
			g.deliver()
		}
		if _, err := w.planner.Replan(w.t.Context(), w.now); err != nil {
			w.t.Fatal(err)
		}
		if err := w.ledger.Pass(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// book returns every row that has begun, without when and how often it was
// settled.
func (w *days) book() map[string]fleet.Obligation {
	w.t.Helper()
	rows, err := w.store.Obligations(w.t.Context(), fleet.ObligationFilter{})
	if err != nil {
		w.t.Fatal(err)
	}
	all := map[string]fleet.Obligation{}
	for _, o := range rows {
		if o.Start.Before(w.now) {
			o.Settled, o.Revisions = time.Time{}, 0
			all[fmt.Sprint(o.Point, " ", o.Slot)] = o
		}
	}
	return all
}

// TestRestoredLedgerEqualsTheLostOne lets an office and three gates live for
// days with power cuts, failures and absences, takes a backup in the middle,
// loses the database and restores the backup. Once the gates have come back
// the ledger is, row by row, the one that was lost.
func TestRestoredLedgerEqualsTheLostOne(t *testing.T) {
	t.Parallel()
	w := newDays(t, 3)
	for range 5 {
		w.pass(12 * time.Hour)
	}
	w.settle()
	file := filepath.Join(t.TempDir(), "wednesday.backup")
	if _, err := backup.Make(t.Context(), w.dir, file, "test", w.now); err != nil {
		t.Fatal(err)
	}
	early, err := w.store.RecordsAfter(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.pass(12 * time.Hour)
	}
	w.settle()
	for _, r := range early { // of the first gate, in the backup
		if o, err := r.Outcome(); err == nil && r.Device == w.gates[0].id {
			w.gates[0].damage(o.Play)
			break
		}
	}
	for range 9 {
		w.pass(12 * time.Hour)
	}
	w.settle()
	lost := w.book()
	verdicts := map[fleet.Verdict]int{}
	for _, o := range lost {
		verdicts[o.Verdict]++
	}
	for _, v := range []fleet.Verdict{fleet.Played, fleet.Partial, fleet.Missed, fleet.Doubt} {
		if verdicts[v] == 0 {
			t.Errorf("nothing was %q: %v", v, verdicts)
		}
	}
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"gatecast.db", "gatecast.db-wal", "gatecast.db-shm"} {
		if err := os.Remove(filepath.Join(w.dir, name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}

	if _, err := backup.Restore(t.Context(), file, w.dir, "root", w.now); err != nil {
		t.Fatal(err)
	}
	w.open()
	if err := w.ledger.Pass(t.Context()); err != nil { // before anybody came back
		t.Fatal(err)
	}
	for k, o := range w.book() {
		if was := lost[k]; o.Verdict != was.Verdict && o.Verdict != fleet.Pending && o.Verdict != fleet.Due {
			t.Errorf("%s is %s before its device came back, was %s", k, o.Verdict, was.Verdict)
		}
	}
	w.settle()
	ignoreNew := func(all map[string]fleet.Obligation) map[string]fleet.Obligation {
		kept := map[string]fleet.Obligation{}
		for k, o := range all {
			if _, ok := lost[k]; ok {
				kept[k] = o
			}
		}
		return kept
	}
	if diff := cmp.Diff(lost, ignoreNew(w.book())); diff != "" {
		t.Errorf("the ledger (-lost +restored):\n%s", diff)
	}
	for _, g := range w.gates {
		d, err := w.store.Device(t.Context(), g.id)
		if err != nil || d.Awaiting != fleet.AwaitConfirm {
			t.Errorf("device awaits %q, %v, want a person's word: it has a newer plan", d.Awaiting, err)
		}
	}
	before := w.gates[0].plan.Version
	if n, err := w.store.ConfirmPlans(t.Context(), w.now); err != nil || n != len(w.gates) {
		t.Errorf("ConfirmPlans = %d, %v", n, err)
	}
	w.settle()
	for _, g := range w.gates {
		if d, err := w.store.Device(t.Context(), g.id); err != nil || g.plan.Version <= before && g == w.gates[0] || d.Awaiting != fleet.AwaitNothing || d.PlanVersion != d.WantVersion {
			t.Errorf("after the confirmation the device has plan %d of %d, awaits %q, %v", d.PlanVersion, d.WantVersion, d.Awaiting, err)
		}
	}
	if err := w.store.Check(t.Context()); err != nil {
		t.Error(err)
	}
}
