package attack

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/agent"
	"gatecast/audio"
	"gatecast/audio/encode"
	"gatecast/audio/output"
	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/internal/officetest"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// Cells mostly wait for real time, so all of them run beside each other.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "40"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// world is one gate with an office that the attacker has in hand.
type world struct {
	t      *testing.T
	o      *officetest.Office
	addr   string // of the broker
	opt    agent.Options
	a      *agent.App
	d      wire.DeviceID
	good   wire.ManifestClip // approved
	bad    wire.ManifestClip // not approved; the office has its bytes
	badRaw []byte
	plan   wire.Plan // in force
	man    wire.Manifest
	loose  bool // the honest play need not sound: the attack may silence
	starts []time.Time
}

// tone returns a clip of two seconds; pitch tells them apart by ear and hash.
func tone(t *testing.T, o *officetest.Office, title string, pitch float64) (wire.ManifestClip, []byte) {
	t.Helper()
	pcm := &audio.PCM{Format: audio.Format{Rate: 24000, Channels: 1}, Samples: make([]float32, 2*24000)}
	for i := range pcm.Samples {
		pcm.Samples[i] = float32(0.3 * math.Sin(float64(i)*pitch))
	}
	data, err := encode.FLAC(pcm)
	if err != nil {
		t.Fatal(err)
	}
	return wire.ManifestClip{SHA256: o.Put(data), Title: title, Bytes: int64(len(data)), Rate: 24000, Frames: int64(pcm.Frames())}, data
}

const (
	goodPitch = 0.05
	badPitch  = 0.5
)

// newWorld starts a gate that has a plan: one play of the approved clip, lead
// from now.
func newWorld(t *testing.T, lead time.Duration) *world {
	t.Helper()
	w := &world{t: t, o: officetest.New(t)}
	w.addr = w.o.StartBroker("")
	w.opt = agent.DefaultOptions()
	w.opt.DataDir, w.opt.Version = filepath.Join(t.TempDir(), "data"), "1.0.0"
	w.opt.Sink, w.opt.Device, w.opt.Volume = output.File, filepath.Join(t.TempDir(), "wav"), 0
	w.opt.ReportJitter, w.opt.FetchJitter, w.opt.Heartbeat = 0, 0, 2*time.Second
	w.o.AddCode("CODE123456")
	w.opt.JoinLine = fmt.Sprintf("gatecast-agent join %s %s %s", w.o.URL(), "CODE123456", w.o.RootHash())
	if err := agent.Enrol(t.Context(), w.opt); err != nil {
		t.Fatal(err)
	}
	w.good, _ = tone(t, w.o, "谨防冒充公检法", goodPitch)
	w.bad, w.badRaw = tone(t, w.o, "伪造的通知", badPitch)
	w.start()
	w.d = w.a.Device()
	w.o.Await(w.d, 20*time.Second, "hello", func(k officetest.Device) bool { return len(k.Hellos) > 0 })
	w.plan, w.man = w.documents(10, time.Now().Add(lead).Truncate(time.Second), 1)
	w.force()
	return w
}

// force offers the present documents and waits until they are in force, with
// the clip.
func (w *world) force() {
	w.t.Helper()
	w.o.Send(w.o.Offer(w.plan, w.man, true))
	w.o.Await(w.d, 20*time.Second, "the plan in force", func(k officetest.Device) bool {
		s := k.States[len(k.States)-1]
		return s.PlanVersion == w.plan.Version && len(s.ClipsReady) == len(w.plan.Clips)
	})
}

func (w *world) start() {
	w.t.Helper()
	a, err := agent.New(w.opt)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := a.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.a = a
	w.t.Cleanup(func() { _ = a.Stop(context.Background()) })
}

func (w *world) stop() {
	w.t.Helper()
	if err := w.a.Stop(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

// restart has the gate go on after change was made to its card.
func (w *world) restart(change func(dirs agent.Dirs)) {
	w.t.Helper()
	w.stop()
	n := len(w.o.Know(w.d).Hellos)
	if change != nil {
		change(agent.DirsOf(w.opt.DataDir))
	}
	w.start()
	w.o.Await(w.d, 20*time.Second, "hello after a restart", func(k officetest.Device) bool { return len(k.Hellos) > n })
}

// documents are an honest plan of count plays from start on, six seconds
// apart, and its manifest.
func (w *world) documents(version uint64, start time.Time, count int) (wire.Plan, wire.Manifest) {
	now := wire.US(time.Now())
	for k := range count {
		w.starts = append(w.starts, start.Add(time.Duration(k)*6*time.Second))
	}
	p := wire.Plan{
		Header: wire.Header{Type: wire.DocPlan, Device: w.d, Version: version, IssuedUS: now}, Point: "SF-01", PointName: "松风苑南门", Zone: "Asia/Shanghai",
		FromS: start.Unix() - 60, HorizonS: start.Unix() + 60*86400, NeedLevel: wire.T1, Clips: []string{w.good.SHA256},
		Slots: []wire.PlanSlot{{
			ID: wire.SlotID(fmt.Sprintf("2026-11-23.honest.s%d", start.Unix())), Name: "早", StartS: start.Unix(), EndS: start.Unix() + 600,
			EveryS: 6, Count: count, Playlist: []int{0}, GraceS: 3,
		}},
	}
	m := wire.Manifest{Header: wire.Header{Type: wire.DocManifest, Version: version, IssuedUS: now}, Clips: []wire.ManifestClip{w.good}, Ceilings: wire.Ceilings{
		Zone: "Asia/Shanghai", Allowed: []wire.DailyWindow{{LastMin: 1440}}, MaxGainDB: 6, MaxVolumePct: 80, MaxPlaysPerHour: 100, MaxClipS: 60,
	}}
	return p, m
}

// offer is an offer of two envelopes.
func offer(version uint64, plan, man []byte) []byte {
	data, err := json.Marshal(wire.PlanOffer{
		Version: version, PlanDoc: plan, ManDoc: man,
		Plan:     wire.DocRef{SHA256: seal.Hash(plan), Size: int64(len(plan))},
		Manifest: wire.DocRef{SHA256: seal.Hash(man), Size: int64(len(man))},
	})
	if err != nil {
		panic(err) // of this package's own types
	}
	return data
}

// inject publishes data to the gate, as whoever has the broker can.
func (w *world) inject(kind wire.Kind, data []byte) {
	w.o.Send(officetest.Outgoing{Device: w.d, Kind: kind, Data: data})
}

// sealBy signs with a key.
func (w *world) sealBy(doc any, key seal.Key) []byte { return w.o.Seal(doc, key) }

// ownKey is a key that the attacker drew.
func (w *world) ownKey() seal.Key {
	w.t.Helper()
	k, err := seal.NewKey()
	if err != nil {
		w.t.Fatal(err)
	}
	return k
}

// nonce is that of the present connection.
func (w *world) nonce() string {
	k := w.o.Know(w.d)
	return k.Hellos[len(k.Hellos)-1].Nonce
}

// incidents returns what the gate reported, by kind.
func (w *world) incidents() []wire.IncidentKind {
	var kinds []wire.IncidentKind
	for _, records := range w.o.Know(w.d).Records {
		for _, r := range records {
			var b wire.Incident
			if r.Kind == wire.RecordIncident && json.Unmarshal(r.Body, &b) == nil {
				kinds = append(kinds, b.What)
			}
		}
	}
	return kinds
}

// expectIncident waits for the gate's report, and has the real store take it
// as an incident of the gate's point.
func (w *world) expectIncident(kind wire.IncidentKind) {
	w.t.Helper()
	w.o.Await(w.d, 30*time.Second, "incident "+string(kind), func(officetest.Device) bool { return slices.Contains(w.incidents(), kind) })
	db, err := store.Open(w.t.Context(), filepath.Join(w.t.TempDir(), "gatecast.db"), store.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	ctx, now := w.t.Context(), time.Now()
	if err := db.ImportRegistry(ctx, fleet.Registry{
		Units:  []fleet.UnitEntry{{Unit: fleet.Unit{Code: "SL", Type: fleet.Subdistrict, Name: "示例街道"}}},
		Points: []fleet.PointEntry{{Point: fleet.Point{Code: "SF-01", Name: "松风苑南门", Kind: fleet.Gate}, Unit: "SL"}},
	}); err != nil {
		w.t.Fatal(err)
	}
	points, err := db.Points(ctx, fleet.PointFilter{})
	if err != nil || len(points) != 1 {
		w.t.Fatalf("%d points, %v", len(points), err)
	}
	if err := db.AddJoinCode(ctx, fleet.JoinCode{Hash: "h", Point: points[0].ID, Issued: now.Add(-time.Hour), Expires: now.Add(time.Hour), By: "admin"}); err != nil {
		w.t.Fatal(err)
	}
	if _, err := db.Enrol(ctx, "h", fleet.Device{ID: w.d, SPKI: []byte(w.d)}, now.Add(-time.Hour)); err != nil {
		w.t.Fatal(err)
	}
	for log, records := range w.o.Know(w.d).Records {
		var raw []json.RawMessage
		for _, r := range records {
			b, err := json.Marshal(r)
			if err != nil {
				w.t.Fatal(err)
			}
			raw = append(raw, b)
		}
		if _, err := db.AppendRecords(ctx, w.d, log, raw, now); err != nil {
			w.t.Fatal(err)
		}
	}
	found, err := db.Incidents(ctx, fleet.IncidentFilter{Point: points[0].ID, Open: true})
	if err != nil || !slices.ContainsFunc(found, func(in fleet.Incident) bool { return in.Kind == kind && in.Device == w.d }) {
		w.t.Errorf("incidents of %q at the controller: %+v, %v; want %s", points[0].Name, found, err, kind)
	}
}

// finish waits until the last honest play is over and judges what sounded:
// only the approved clip, only when it was due, each honest play once.
func (w *world) finish() {
	w.t.Helper()
	last := slices.MaxFunc(w.starts, time.Time.Compare)
	timer := time.NewTimer(time.Until(last.Add(4 * time.Second)))
	defer timer.Stop()
	<-timer.C
	files, err := filepath.Glob(filepath.Join(w.opt.Device, "*.wav"))
	if err != nil {
		w.t.Fatal(err)
	}
	if len(files) > len(w.starts) {
		w.t.Errorf("%d sounds, %d plays were owed", len(files), len(w.starts))
	}
	if len(files) == 0 && !w.loose {
		w.t.Error("the honest play did not sound")
	}
	for _, f := range files {
		if got := pitchOf(w.t, f); math.Abs(got-goodPitch) > goodPitch/4 {
			w.t.Errorf("%s sounds at pitch %.3f, the approved clip has %.3f", filepath.Base(f), got, goodPitch)
		}
	}
	if k := w.o.Know(w.d); len(k.States) > 0 {
		var top uint64
		for _, s := range k.States {
			if s.Online && s.PlanVersion < top && s.PlanVersion != 0 {
				w.t.Errorf("the plan went back from %d to %d", top, s.PlanVersion)
			}
			top = max(top, s.PlanVersion)
		}
	}
}

// pitchOf returns the pitch of the sound in a WAV file, in radians a sample.
func pitchOf(t *testing.T, path string) float64 {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i := strings.Index(string(data), "data")
	if i < 0 || len(data) < i+8+2*24000 {
		t.Fatalf("%s holds %d bytes", path, len(data))
	}
	pcm := data[i+8:]
	crossings, before, n := 0, int16(0), len(pcm)/2
	for k := range n {
		v := int16(uint16(pcm[2*k]) | uint16(pcm[2*k+1])<<8)
		if before < 0 && v >= 0 {
			crossings++
		}
		before = v
	}
	return 2 * math.Pi * float64(crossings) / float64(n)
}
