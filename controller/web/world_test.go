package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatecast/controller/assessment"
	"gatecast/controller/auth"
	"gatecast/controller/bulletin"
	"gatecast/controller/complaint"
	"gatecast/controller/dispatch"
	"gatecast/controller/dossier"
	"gatecast/controller/feedback"
	"gatecast/controller/fleet"
	"gatecast/controller/insertion"
	"gatecast/controller/media"
	"gatecast/controller/mute"
	"gatecast/controller/notary"
	"gatecast/controller/picture"
	"gatecast/controller/planner"
	"gatecast/controller/relay"
	"gatecast/controller/robot"
	"gatecast/controller/roster"
	"gatecast/controller/sample"
	"gatecast/controller/sheet"
	"gatecast/controller/speech"
	"gatecast/controller/store"
	"gatecast/controller/trust"
	"gatecast/internal/evidence"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// shanghai is the zone of every test page.
var shanghai = time.FixedZone("CST", 8*3600)

// testNow is the Monday evening that the test world stands at: the evening
// slot of the gates has run for 12 minutes.
var testNow = time.Date(2026, 11, 23, 18, 12, 40, 0, shanghai)

const testPassword = "Wuyou-2026-xia"

// world is 示例街道 in a real store, with pages on it.
type world struct {
	store   *store.Store
	trust   *trust.Authority
	media   testMedia
	parts   *media.Parts
	planner *planner.Planner
	mutes   *mute.Desk
	urgent  *insertion.Desk
	robots  *robot.Desk
	relay   *relay.Desk
	server  *Server
	hub     *Hub
	log     *logBuffer
	points  map[string]fleet.Point // by name
	clock   atomic.Int64           // nanoseconds since 1970, what the pages take for now

	dispatch   *dispatch.Desk
	complaints *complaint.Desk
	bulletins  *bulletin.Desk
}

func (w *world) now() time.Time      { return time.Unix(0, w.clock.Load()).In(shanghai) }
func (w *world) setNow(at time.Time) { w.clock.Store(at.UnixNano()) }

// openWorld opens the store below dir and puts pages on it.
func openWorld(t testing.TB, dir string) *world {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(dir, "gatecast.db"), store.Options{StateDelay: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{store: db, hub: &Hub{}, log: &logBuffer{}, points: map[string]fleet.Point{}}
	w.setNow(testNow.Add(-time.Hour))
	w.content(t, dir)
	if w.urgent, err = insertion.Open(t.Context(), insertion.Options{Book: db, Library: db, Zone: shanghai, Now: w.now}); err != nil {
		t.Fatal(err)
	}
	if w.mutes, err = mute.Open(t.Context(), mute.Options{Orders: db, Places: db, Sealer: w.trust}); err != nil {
		t.Fatal(err)
	}
	if w.dispatch, err = dispatch.New(dispatch.Options{Book: db, Planner: w.planner, Zone: shanghai}); err != nil {
		t.Fatal(err)
	}
	if w.complaints, err = complaint.New(complaint.Options{Book: db, Mutes: w.mutes, Planner: w.planner, Zone: shanghai}); err != nil {
		t.Fatal(err)
	}
	if w.relay, err = relay.New(relay.Options{Book: db, Places: db, Settings: db, Zone: shanghai, Now: w.now}); err != nil {
		t.Fatal(err)
	}
	w.serve(t, nil)
	w.setNow(testNow)
	return w
}

// newEmptyWorld is a store with accounts and nothing else.
func newEmptyWorld(t testing.TB) *world {
	t.Helper()
	begun.Do(func() { begun.make(t, func(w *world) { w.accounts(t) }) })
	return openWorld(t, begun.copy(t))
}

func (w *world) accounts(t testing.TB) {
	t.Helper()
	password, err := auth.Hash(testPassword)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []fleet.User{
		{Login: "admin", Name: "张工", Role: fleet.Admin}, {Login: "clerk", Name: "李工", Role: fleet.Clerk},
		{Login: "inspector", Name: "王工", Role: fleet.Supervisor}, {Login: "approver", Name: "陈工", Role: fleet.Approver},
		{Login: "auditor", Name: "赵工", Role: fleet.Auditor},
	} {
		u.Password, u.Created = password, testNow
		if _, err := w.store.SaveUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
}

// serve puts pages on the store; change may alter the options.
func (w *world) serve(t testing.TB, change func(*Options)) {
	t.Helper()
	logins, err := auth.New(t.Context(), auth.Options{Store: w.store, Vault: w.store.Vault(), Issuer: "示例街道", Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	say, err := Words("zh")
	if err != nil {
		t.Fatal(err)
	}
	if w.robots, err = robot.New(robot.Options{Store: w.store, Say: say, Office: "示例街道", Zone: shanghai, Now: w.now, Hosts: []string{"screen.example:8080"}}); err != nil {
		t.Fatal(err)
	}
	reports, err := feedback.New(feedback.Options{Book: w.store, Units: w.store, Settings: w.store, Zone: shanghai, Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	if w.bulletins, err = bulletin.New(bulletin.Options{
		Book: w.store, Archive: w.store, Ledger: w.store, Places: w.store, Relay: w.store, Deductions: w.store, Weekly: w.store, Feedback: reports, Settings: w.store, Say: say, Office: "示例街道", Zone: shanghai,
	}); err != nil {
		t.Fatal(err)
	}
	deductions, err := assessment.New(assessment.Options{Book: w.store, Ledger: w.store, Places: w.store, Clean: picture.Clean, Zone: shanghai})
	if err != nil {
		t.Fatal(err)
	}
	desk, err := roster.New(roster.Options{Places: w.store, People: w.store, Register: w.store, Zone: shanghai, Limits: sheet.DefaultLimits()})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Figures:    w.store,
		Proofs:     w.store,
		RosterDesk: desk,
		Backups:    w.store,
		Library:    w.store, Reels: testReels{w.store, w.media}, Transfers: w.parts, Settings: w.store, Week: w.planner.Week,
		Robots:   testRobots{w.store, w.robots},
		Registry: w.store, Scopes: w.store, Points: w.store, Devices: w.store, Admission: testAdmission{w}, Ledger: w.store, JoinCodes: w.store, Audit: w.store, Publications: w.store, Losses: w.store, Recovery: w.store, Incidents: w.store, Alerts: w.store, Inspections: w.store, InspectionDesk: w.inspections(t), Tokens: w.store, Clips: w.store, Programmes: w.store,
		Dispatch: w.dispatch, Replacements: w.store, Complaints: w.store, ComplaintDesk: w.complaints, Plans: testPlans{w}, Calibrations: w.store,
		Register: w.store, Sites: w.store, Rosters: w.store,
		Groups: w.store, GroupBook: w.store, Relay: w.relay, RelayBook: w.store,
		Bulletins: w.bulletins, BulletinBook: w.store, Slips: w.store, SlipSigner: testSlips(t), WeekFigures: w.store, Feedback: reports, FeedbackBook: w.store, Deductions: deductions, DeductionBook: w.store,
		Mutes: w.mutes, Urgent: w.urgent, Insertions: w.store, Ceilings: testCeilings,
		Speech: speech.New(speech.Options{}), Utterances: w.store, UrgentTexts: w.store, QuietRules: w.planner,
		Approvals: w.store,
		Media:     w.media, Planner: testPlanner{w.planner}, Almanac: testPlanner{w.planner}, Holidays: testPlanner{w.planner}, Outlook: testPlanner{w.planner}, Drafts: w.store, Trust: testTrust{}, Keys: testKeys{w}, Evidence: testEvidence{w}, Logins: logins, Events: w.hub,
		AuditBook: testAudit{w.store, w},
		Logger:    slog.New(slog.NewTextHandler(w.log, nil)), Zone: shanghai, Now: w.now, Version: "0.1", Demo: true,
	}
	if change != nil {
		change(&o)
	}
	if w.server, err = New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.server.Close() })
}

// testAudit is the real store with the real signer.
type testAudit struct {
	*store.Store
	w *world
}

func (a testAudit) ExportAudit(ctx context.Context, out io.Writer) error {
	signer, err := notary.NewAuditSigner(notary.AuditOptions{Store: a.w.store, Sealer: a.w.trust, Zone: shanghai})
	if err != nil {
		return err
	}
	return signer.Export(ctx, out, "示例街道", a.w.trust.RootEnvelope(), a.w.now())
}

// testAdmission is the real store; every device sounds its tone.
type testAdmission struct{ w *world }

func (a testAdmission) TestTone(ctx context.Context, id wire.DeviceID) error {
	return a.w.store.NoteTone(ctx, id, a.w.now())
}

func (a testAdmission) Accept(ctx context.Context, id wire.DeviceID, by string) error {
	_, err := a.w.store.AcceptDevice(ctx, id, by, a.w.now())
	return err
}

func (a testAdmission) Revoke(ctx context.Context, id wire.DeviceID) error {
	return a.w.store.RevokeDevice(ctx, id, a.w.now())
}

func (a testAdmission) NotHeard(ctx context.Context, id wire.DeviceID) error {
	return a.w.store.NoteUnheard(ctx, id, a.w.now())
}

// testEvidence is the real store with the real exporter.
type testEvidence struct{ w *world }

func (e testEvidence) Breaks(ctx context.Context, id fleet.PointID, limit int) ([]fleet.Break, error) {
	return e.w.store.Breaks(ctx, id, limit)
}

func (e testEvidence) NewestReceipt(ctx context.Context, d fleet.Device) (fleet.Receipt, error) {
	return e.w.store.NewestReceipt(ctx, d.ID)
}

func (e testEvidence) exporter() (*dossier.Exporter, error) {
	return dossier.New(dossier.Options{Store: e.w.store, Trust: e.w.trust, Zone: shanghai, Office: "示例街道", Now: e.w.now})
}

func (e testEvidence) CheckExport(ctx context.Context, q ExportQuery) error {
	x, err := e.exporter()
	if err != nil {
		return err
	}
	return x.Check(ctx, dossier.Query(q))
}

func (e testEvidence) Export(ctx context.Context, out io.Writer, q ExportQuery) error {
	x, err := e.exporter()
	if err != nil {
		return err
	}
	return x.Zip(ctx, out, dossier.Query(q))
}

// testPlans is the real store.
type testPlans struct{ w *world }

func (p testPlans) PlanOf(ctx context.Context, id wire.DeviceID) (wire.Plan, error) {
	doc, err := p.w.store.LatestDoc(ctx, id, wire.DocPlan)
	if err != nil {
		return wire.Plan{}, err
	}
	return seal.Peek[wire.Plan](doc.Bytes)
}

// testTrust is the real trust package behind a fixed address and root.
// testSlips is a trust that is made when the first slip is signed.
func testSlips(t testing.TB) slipSigner {
	dir := t.TempDir()
	return sync.OnceValues(func() (*trust.Authority, error) { return trust.Open(dir, trust.Options{}) })
}

type slipSigner func() (*trust.Authority, error)

func (open slipSigner) SealSlip(s *evidence.Slip) ([]byte, error) {
	a, err := open()
	if err != nil {
		return nil, err
	}
	return a.SealSlip(s)
}

type testTrust struct{}

func (testTrust) NewJoinCode() (code, hash string) { return trust.NewJoinCode() }

func (testTrust) HashCode(code string) (string, error) {
	n, err := trust.NormalizeCode(code)
	if err != nil {
		return "", err
	}
	return trust.HashCode(n), nil
}

func (testTrust) JoinLine(code string) string {
	return trust.JoinLine("https://10.1.2.3:8443", code, strings.Repeat("ab", 32))
}

// mould is a folder with a world in it, made by the first test that wants one
// and copied by every other: to make it takes seconds.
type mould struct {
	sync.Once
	dir string
}

// begun has accounts, finished the whole world.
var begun, finished mould

func TestMain(m *testing.M) {
	code := m.Run()
	for _, m := range []*mould{&begun, &finished} {
		if m.dir != "" {
			_ = os.RemoveAll(m.dir)
		}
	}
	os.Exit(code)
}

func (m *mould) make(t testing.TB, fill func(*world)) {
	t.Helper()
	dir, err := os.MkdirTemp("", "gatecast-web-")
	if err != nil {
		t.Fatal(err)
	}
	m.dir = dir
	w := openWorld(t, dir)
	fill(w)
	if err := w.store.Backup(t.Context(), filepath.Join(dir, "copy.db")); err != nil {
		t.Fatal(err)
	}
}

// copy returns a new folder that holds what m does.
func (m *mould) copy(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	copyFile(t, filepath.Join(m.dir, "copy.db"), filepath.Join(dir, "gatecast.db"))
	for _, sub := range []string{"media", "trust"} {
		if err := os.CopyFS(filepath.Join(dir, sub), os.DirFS(filepath.Join(m.dir, sub))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// newWorld is the whole subdistrict after two weeks of playing.
func newWorld(t testing.TB) *world {
	t.Helper()
	finished.Do(func() {
		finished.make(t, func(w *world) {
			w.accounts(t)
			w.fill(t, testNow)
		})
	})
	w := openWorld(t, finished.copy(t))
	points, err := w.store.Points(t.Context(), fleet.PointFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if len(points) != 48 {
		t.Fatalf("the finished world has %d points; the test that made it failed", len(points))
	}
	for _, p := range points {
		w.points[p.Name] = p
		w.report(t, p, 218, testNow) // who is online is not kept over a restart
	}
	return w
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// fill imports the registry, binds devices and lets two weeks pass.
func (w *world) fill(t testing.TB, now time.Time) {
	t.Helper()
	ctx := t.Context()
	if err := w.store.ImportRegistry(ctx, sample.Registry(now.AddDate(0, -1, 0))); err != nil {
		t.Fatal(err)
	}
	w.addSamples(t)
	points, err := w.store.Points(ctx, fleet.PointFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range points {
		if !bare(p.Name) {
			w.enrol(t, p, wire.DeviceID(fmt.Sprintf("d%024x", i+1)), now.AddDate(0, 0, -30))
		}
		if p, err = w.store.Point(ctx, p.ID); err != nil {
			t.Fatal(err)
		}
		w.points[p.Name] = p
		points[i] = p
	}
	for _, p := range points { // they have an old plan; activation makes version 218
		w.report(t, p, 217, now.AddDate(0, 0, -3))
	}
	w.owe(t, points, now)
	w.settle(t, points, now)
	w.activate(t, defaultProgramme(), now.AddDate(0, 0, -3))
	for _, p := range points {
		w.report(t, p, 218, now)
	}
	w.play(t, w.points["谷雨里南门"], now)
	w.play(t, w.points["松风苑南门"], now)
	for _, a := range []fleet.Audit{
		{At: now.Add(-9 * time.Hour), Who: "inspector", What: "login"},
		{At: now.Add(-2 * time.Hour), Who: "admin", What: "join_code", Object: "初夏庭南门"},
	} {
		if err := w.store.AddAudit(ctx, a); err != nil {
			t.Fatal(err)
		}
	}
}

// bare names the points that have no device yet.
func bare(name string) bool { return name == "初夏庭南门" || name == "云岭水口组" }

func (w *world) enrol(t testing.TB, p fleet.Point, id wire.DeviceID, at time.Time) {
	t.Helper()
	hash := "hash-" + string(id)
	if err := w.store.AddJoinCode(t.Context(), fleet.JoinCode{Hash: hash, Point: p.ID, Issued: at, Expires: at.Add(joinFor), By: "admin"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Enrol(t.Context(), hash, fleet.Device{ID: id, SPKI: []byte(id), Hardware: "Raspberry Pi 4"}, at); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.AcceptDevice(t.Context(), id, "test", at); err != nil {
		t.Fatal(err)
	}
}

type testSlot struct {
	key, name    string
	hour, minute int
	plays        int
}

var (
	gateSlots    = []testSlot{{"morning", "早", 7, 30, 6}, {"noon", "中", 11, 20, 6}, {"evening", "晚", 18, 0, 6}}
	villageSlots = []testSlot{{"village-morning", "早", 7, 0, 4}, {"village-evening", "晚", 18, 30, 4}}
)

// owe writes what every point owes from 13 days ago to today, as the shipped
// programme has it.
func (w *world) owe(t testing.TB, points []fleet.Point, now time.Time) {
	t.Helper()
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, shanghai)
	from := midnight.AddDate(0, 0, -13)
	win := fleet.PlanWindow{From: from, To: midnight.AddDate(0, 0, 1)}
	var all []fleet.Obligation
	for _, p := range points {
		if bare(p.Name) {
			continue
		}
		win.Points = append(win.Points, p.ID)
		slots := gateSlots
		if p.Kind == fleet.Horn {
			slots = villageSlots
		}
		for d := range 14 {
			day := from.AddDate(0, 0, d)
			kind := "workday"
			if wd := day.Weekday(); wd == time.Saturday || wd == time.Sunday {
				kind = "rest_day"
			}
			for _, s := range slots {
				start := day.Add(time.Duration(s.hour)*time.Hour + time.Duration(s.minute)*time.Minute)
				if kind == "rest_day" && s.key == "morning" {
					start = start.Add(time.Hour)
				}
				date := day.Format(time.DateOnly)
				verdict, note := fleet.Due, ""
				if p.Name == "蝉鸣里北门" && s.name == "中" {
					verdict, note = fleet.Exempt, "考点周边静默 全天"
				}
				all = append(all, fleet.Obligation{
					Point: p.ID, Day: fleet.Day(date), Slot: wire.SlotID(date + ".default." + s.key), Programme: "default", Version: 1,
					Name: s.name, DayType: kind, Start: start, End: start.Add(30 * time.Minute), Plays: s.plays,
					PlannedMS: int64(s.plays) * 25_000, Verdict: verdict, Note: note, Reason: map[bool]wire.Reason{true: wire.ReasonQuiet}[note != ""],
				})
			}
		}
	}
	if _, err := w.store.PutObligations(t.Context(), win, all, from.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
}

// settle decides what has ended by now: played, save for a few that make the
// pages worth reading.
func (w *world) settle(t testing.TB, points []fleet.Point, now time.Time) {
	t.Helper()
	rows, err := w.store.DueToSettle(t.Context(), now, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	names := map[fleet.PointID]string{}
	for _, p := range points {
		names[p.ID] = p.Name
	}
	today := fleet.Day(now.Format(time.DateOnly))
	var all []fleet.Settlement
	for _, o := range rows {
		s := fleet.Settlement{Point: o.Point, Day: o.Day, Slot: o.Slot, Verdict: fleet.Played, Grade: fleet.GradeB, PlaysOK: o.Plays, SoundMS: o.PlannedMS}
		switch name := names[o.Point]; {
		case name == "云阶台侧门" && o.Day == today:
			s.Verdict, s.Grade, s.Reason, s.PlaysOK, s.SoundMS = fleet.Missed, fleet.NoGrade, wire.ReasonDevice, 0, 0
		case name == "河湾里北门" && o.Day == today && o.Name == "早":
			s.Verdict, s.Reason, s.PlaysOK, s.SoundMS = fleet.Partial, wire.ReasonPower, 4, 100_000
		case name == "谷雨里南门" && o.Day >= dayPlus(today, -1):
			s.Verdict, s.Reason = fleet.Doubt, wire.ReasonSilent
		case name == "晴川府西门" && o.Day >= dayPlus(today, -1):
			s.Verdict, s.Grade, s.Reason, s.PlaysOK, s.SoundMS = fleet.Pending, fleet.GradeD, wire.ReasonOffline, 0, 0
		case name == "松风苑南门" && o.Day == dayPlus(today, -6) && o.Name == "晚":
			s.Verdict, s.Grade, s.Reason, s.PlaysOK, s.SoundMS = fleet.Missed, fleet.NoGrade, wire.ReasonPower, 0, 0
		case name == "松风苑南门" || name == "听松里东门":
			s.Grade = fleet.GradeA
		}
		all = append(all, s)
	}
	if _, err := w.store.Settle(t.Context(), all, now); err != nil {
		t.Fatal(err)
	}
}

// report lets the device at p say what it has.
func (w *world) report(t testing.TB, p fleet.Point, version uint64, now time.Time) {
	t.Helper()
	if bare(p.Name) {
		return
	}
	d, err := w.store.DeviceOfPoint(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	all, err := w.store.Clips(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	st := wire.State{
		Session: 7, Online: true, AtUS: wire.US(now), PlanVersion: version, PlanSHA256: d.WantHash, HorizonS: now.AddDate(0, 0, 59).Unix(),
		ClipsReady: []string{all[0].SHA256, all[1].SHA256, all[2].SHA256}, Log: "00112233445566aa", LastSeq: 44, AckedSeq: 44,
		Time: wire.TimeState{Level: wire.T2, ErrMS: 12}, Output: wire.Output{Sink: "alsa", Device: "hw:CARD=Device", Mixer: "Speaker 60%"},
	}
	at := now.Add(-9 * time.Second)
	offline := false
	if version != 218 {
		p.Name = "" // the special cases are of today
	}
	switch p.Name {
	case "云阶台侧门":
		st.Conditions = []wire.Condition{{Code: "output_fault", Severity: "bad", SinceUS: wire.US(now.Add(-11 * time.Hour)), Detail: "hw:CARD=Device"}}
	case "星渡湾二号门":
		st.Time.Level = wire.T0
		st.Conditions = []wire.Condition{{Code: "clock_untrusted", Severity: "bad", SinceUS: wire.US(now.Add(-92 * time.Minute))}}
	case "晴川府西门":
		at, offline = now.Add(-49*time.Hour), true
	case "麦浪庭西门":
		st.PlanVersion, st.PlanSHA256 = 211, strings.Repeat("aa", 32)
		st.ClipsReady, st.ClipsMissing = st.ClipsReady[:1], st.ClipsReady[1:]
	case "松风苑南门":
		st.Output = wire.Output{Sink: "file", Device: "songfengyuan.wav", Demo: true}
		st.Playing = wire.PlayID(now.Format(time.DateOnly) + ".default.evening#3")
	}
	if _, err := w.store.SaveHello(t.Context(), d.ID, wire.Hello{Protocol: wire.Protocol, Session: 7, Agent: "0.1.0", State: st}, at); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.SaveState(t.Context(), d.ID, st, at); err != nil {
		t.Fatal(err)
	}
	if offline {
		if _, err := w.store.SetOffline(t.Context(), d.ID, 7, at); err != nil {
			t.Fatal(err)
		}
	}
}

// play writes the journal of today's three evening plays at p.
func (w *world) play(t testing.TB, p fleet.Point, now time.Time) {
	t.Helper()
	d, err := w.store.DeviceOfPoint(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	day := now.Format(time.DateOnly)
	slot := wire.SlotID(day + ".default.evening")
	var raws []json.RawMessage
	seq, prev := wire.Seq(0), ""
	add := func(kind wire.RecordKind, at time.Time, body any) {
		seq++
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(wire.Record{Log: "00112233445566aa", Seq: seq, Prev: prev, Kind: kind, AtUS: wire.US(at), BootID: "b1", Level: wire.T2, ErrMS: 12, Body: b})
		if err != nil {
			t.Fatal(err)
		}
		raws, prev = append(raws, raw), fmt.Sprintf("%064x", int(seq)*7919)
	}
	for k := range 3 {
		at := time.Date(now.Year(), now.Month(), now.Day(), 18, 5*k, 0, 0, shanghai)
		play := wire.PlayID(fmt.Sprintf("%s#%d", slot, k+1))
		add(wire.RecordIntent, at.Add(-200*time.Millisecond), wire.Intent{Play: play, Slot: slot, Plan: 218, Clip: fmt.Sprintf("%064x", 1), PlannedUS: wire.US(at)})
		add(wire.RecordOutcome, at.Add(25*time.Second), wire.Outcome{
			Play: play, Slot: slot, Plan: 218, Clip: fmt.Sprintf("%064x", 1), PlannedUS: wire.US(at), IntentSeq: seq, Result: wire.PlayPlayed,
			StartedUS: wire.US(at.Add(600 * time.Microsecond)), ElapsedMS: 25_010, SoundMS: 25_000, ClipMS: 25_000, Frames: 600_000,
			FramesWritten: 600_000, FramesPlayed: 600_000, Rate: 24_000, Sink: "alsa", Device: "hw:CARD=Device", Mixer: "Speaker 60%", End: "drained",
			Demo: p.Name == "松风苑南门", Path: map[bool]string{true: "songfengyuan.wav"}[p.Name == "松风苑南门"],
		})
	}
	if n, err := w.store.AppendRecords(context.Background(), d.ID, "00112233445566aa", raws, now); err != nil || n != len(raws) {
		t.Fatalf("AppendRecords = %d, %v, want %d", n, err, len(raws))
	}
}

// logBuffer keeps what the server logged. Safe for concurrent use.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
