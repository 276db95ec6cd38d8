package acceptance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"gatecast/agent"
	"gatecast/controller/store"
	"gatecast/internal/acceptance/outcome"
	"gatecast/internal/wire"
)

// stormClip is short, so that many plays fit into a minute: the shortest slot
// is five seconds.
const (
	stormClip = 2 * time.Second
	stormStep = 5 * time.Second
)

// Every program of an office and its gates is killed at random moments of its
// life, from the first start on: while it makes its database and its keys,
// while devices enrol, while a programme is activated, while clips sound and
// records travel. Afterwards the books are whole and true. GATECAST_KILLS says
// how many kills there are at least.
func TestSurvivesKills(t *testing.T) {
	t.Parallel()
	want := atLeast(t, "GATECAST_KILLS", 200)
	s := &storm{t: t, seed: seedOf(t)}
	begun := time.Now()
	phase := func(name string) {
		t.Logf("%s: %d kills so far, %s", name, s.total(), time.Since(begun).Round(100*time.Millisecond))
	}
	s.bearOffice()
	phase("office set up")
	s.bearGates(6)
	phase("gates enrolled")
	clip := testClip(stormClip)
	s.o.addClip("ding", wavOf(clip))

	first := soon(3 * time.Second)
	slots := 2 + want/50
	s.o.activate(slotsFrom(s.o, first, stormStep, slots))
	for _, g := range s.gates {
		g.start()
		g.waitStatus(ready)
		g.process.kill()
	}
	phase("plays begin")
	s.rage(want, first, slots)
	phase("storm over")
	s.calm(len(s.gates) * slots)
	phase("all settled")

	kills := s.total()
	for _, g := range s.gates {
		g.process.stop(t, 5*time.Second)
	}
	books := s.o.books()
	var sum tally
	for _, g := range s.gates {
		sum = sum.plus(sameBooks(t, books, g))
		s.unharmed(g)
	}
	truth := trueVerdicts(t, books, s.gates, clip)
	sum = sum.plus(truth.tally)
	if kills < want {
		t.Errorf("%d kills, want %d", kills, want)
	}
	outcome.Report(t, outcome.Row{
		Fault: "SIGKILL of agents and controller", FaultZH: "随机杀死设备程序和主控", Tried: kills, Unit: "kills", UnitZH: "次",
		Of: sum.of, Lost: sum.lost, Doubled: sum.doubled,
		Note:   fmt.Sprintf("1 office, %d gates, %d slots: %s", len(s.gates), truth.of, truth),
		NoteZH: fmt.Sprintf("1 个街道、%d 个门口、%d 个时段：%s", len(s.gates), truth.of, truth.zh()),
	})
}

// storm is an office and its gates under a hail of kills.
type storm struct {
	t     *testing.T
	seed  uint64
	o     *office
	gates []*gate

	mu      sync.Mutex
	mortals []*mortal
	seen    map[*gate]agent.Status // newest state of each gate's folder

	// A test whose kills are power cuts says where data lies and what a death
	// does to it; nil for nothing. home is a data folder.
	settle, died func(home string)
}

// mortal is a program of the storm whose data is at home.
func (s *storm) mortal(home, name string, log *logbook, short, long time.Duration, longPct int, line ...string) *mortal {
	m := newMortal(s.t, s.seed, name, log, lives(short, long, longPct), line...)
	switch {
	case s.died != nil:
		m.after = func() { s.died(home) }
	case s.o != nil && home == s.home():
		m.after = func() { s.checkOffice(home) }
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mortals = append(s.mortals, m)
	return m
}

// home is where the office's data lies.
func (s *storm) home() string { return filepath.Join(s.o.dir, "data") }

func (s *storm) total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, m := range s.mortals {
		n += m.killed()
	}
	return n
}

// untilDone has a program that ends by itself killed a few times, then lets it
// run to its end.
func (s *storm) untilDone(m *mortal, times int) {
	s.t.Helper()
	for range times {
		if ended, status := m.once(s.t.Context()); ended && status != 0 {
			s.t.Errorf("%s ended with status %d:\n%s", m.name, status, m.log)
		}
	}
}

// bearOffice sets an office up while its programs are killed: the import that
// makes the database, the command that makes an account, and the first starts,
// which make the keys.
func (s *storm) bearOffice() {
	t := s.t
	s.o = layOut(t, t.TempDir(), "")
	home := s.home()
	if s.settle != nil {
		s.settle(home)
	}
	var b strings.Builder
	b.WriteString(strings.SplitAfter(registry, "points:\n")[0])
	for i := range 6 {
		fmt.Fprintf(&b, "  - {code: G%d, name: G%d, kind: gate, unit: SL-01, compound: 松风苑}\n", i+1, i+1)
	}
	file := filepath.Join(s.o.dir, "registry.yaml")
	writeFile(t, file, b.String())
	program := filepath.Join(bin, "gatecast-controller")
	s.untilDone(s.mortal(home, "import", &logbook{}, 80*time.Millisecond, 150*time.Millisecond, 20, program, "--config", s.o.config, "registry", "import", file), 8)
	run(t, "gatecast-controller", "--config", s.o.config, "registry", "import", file)
	s.untilDone(s.mortal(home, "password", &logbook{}, 100*time.Millisecond, 200*time.Millisecond, 20, program, "--config", s.o.config, "password", "admin"), 4)
	once := s.o.oncePassword()
	first := s.mortal(home, "first start", s.o.log, 200*time.Millisecond, 600*time.Millisecond, 20, program, "--config", s.o.config)
	for range 12 {
		if ended, status := first.once(t.Context()); ended {
			t.Fatalf("the controller ended by itself with status %d in one of its first starts", status)
		}
	}
	s.o.start()
	s.o.logIn(once)
}

// bearGates enrols devices while the command that does it and the controller
// that answers it are killed. Each point has one device in the end, which is
// accepted.
func (s *storm) bearGates(n int) {
	t := s.t
	for i := range n {
		log := &logbook{}
		showLogs(t, map[string]*logbook{fmt.Sprint("gate ", i+1): log})
		g := &gate{t: t, dir: filepath.Join(t.TempDir(), "data"), wav: filepath.Join(t.TempDir(), "wav"), log: log,
			program: []string{filepath.Join(bin, "gatecast-agent")}, forgets: s.died != nil}
		if s.settle != nil {
			s.settle(g.dir)
		}
		s.gates = append(s.gates, g)
	}
	lines := make([]string, n)
	for i := range lines {
		lines[i] = s.o.joinLine(fmt.Sprintf("G%d", i+1))
	}
	s.o.process.kill()
	ctx, stop := context.WithCancel(t.Context())
	office := s.mortal(s.home(), "controller at enrolment", s.o.log, 300*time.Millisecond, 900*time.Millisecond, 60, filepath.Join(bin, "gatecast-controller"), "--config", s.o.config)
	office.growing = true
	var haunted, joining sync.WaitGroup
	haunted.Go(func() { office.haunt(ctx) })
	for i, g := range s.gates {
		join := s.mortal(g.dir, fmt.Sprint("join ", i+1), g.log, 60*time.Millisecond, 2*time.Second, 40,
			append([]string{g.program[0], "join", "--data", g.dir}, strings.Fields(lines[i])...)...)
		join.growing = true
		joining.Go(func() {
			for begun := time.Now(); ; {
				if ended, status := join.once(ctx); ended && status == 0 {
					return
				}
				if time.Since(begun) > 2*time.Minute {
					t.Errorf("gate %d cannot enrol", i+1)
					return
				}
			}
		})
	}
	joining.Wait()
	stop()
	haunted.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, g := range s.gates {
		g.reroute(s.o.mqtt.addr)
	}
	s.o.start()
	var hearing sync.WaitGroup
	for i, g := range s.gates {
		g.start()
		hearing.Go(func() { g.accept(s.o, fmt.Sprintf("G%d", i+1)) })
	}
	hearing.Wait()
	for _, g := range s.gates {
		g.process.stop(t, 5*time.Second)
	}
}

// rage kills everybody until want kills are reached and the slots from first
// on are over. In the middle of it a clerk puts two more slots in force.
func (s *storm) rage(want int, first time.Time, slots int) {
	t := s.t
	s.o.process.kill()
	s.seen = map[*gate]agent.Status{}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var haunted sync.WaitGroup
	office := s.mortal(s.home(), "controller", s.o.log, 600*time.Millisecond, 4*time.Second, 35, filepath.Join(bin, "gatecast-controller"), "--config", s.o.config)
	haunted.Go(func() { office.haunt(ctx) })
	for i, g := range s.gates {
		m := s.mortal(g.dir, fmt.Sprint("agent ", i+1), g.log, 600*time.Millisecond, 9*time.Second, 35, g.line()...)
		died := m.after
		m.after = func() {
			if died != nil {
				died()
			}
			s.look(g)
		}
		haunted.Go(func() { m.haunt(ctx) })
	}
	activated := make(chan struct{})
	go func() {
		defer close(activated)
		wait := time.NewTimer(time.Until(first.Add(stormStep)))
		defer wait.Stop()
		select {
		case <-wait.C:
			s.insist(ctx, slotsFrom(s.o, first, stormStep, slots+2))
		case <-ctx.Done():
		}
	}()
	over := first.Add(time.Duration(slots) * stormStep)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for s.total() < want || time.Now().Before(over) {
		<-tick.C
		if t.Failed() {
			break
		}
	}
	<-activated
	stop()
	haunted.Wait()
}

// insist activates a programme at an office that is killed all the time: it
// asks again until the office says that it is in force.
func (s *storm) insist(ctx context.Context, yaml string) {
	ask := func(f func() (*http.Response, error)) string {
		res, err := f()
		if err != nil {
			return ""
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			return ""
		}
		return string(body)
	}
	form := formOf(yaml)
	pause := time.NewTicker(100 * time.Millisecond)
	defer pause.Stop()
	for ctx.Err() == nil {
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
		page := ask(func() (*http.Response, error) { return s.o.clerk.PostForm(s.o.web+"/programmes", form) })
		link := regexp.MustCompile(`href="(/programmes/\d+/activate)"`).FindStringSubmatch(page)
		if link == nil {
			continue
		}
		if ask(func() (*http.Response, error) { return s.o.clerk.PostForm(s.o.web+link[1], nil) }) != "" {
			return
		}
	}
}

// look checks the folder of a gate that is dead: it can be read, nothing in it
// went back, and nothing acked is gone.
func (s *storm) look(g *gate) {
	now, err := agent.Inspect(g.dir)
	if err != nil || len(now.Problems) > 0 {
		s.t.Errorf("folder of a killed gate: %v %q", err, now.Problems)
		return
	}
	s.mu.Lock()
	old := s.seen[g]
	s.seen[g] = now
	s.mu.Unlock()
	switch {
	case now.PlanVersion < old.PlanVersion:
		s.t.Errorf("plan went back from version %d to %d", old.PlanVersion, now.PlanVersion)
	case old.Log != "" && now.Log != old.Log:
		s.t.Errorf("journal %s was given up for %s", old.Log, now.Log)
	case now.Last < old.Last:
		s.t.Errorf("journal went back from record %d to %d", old.Last, now.Last)
	case now.Time.Before(old.Time.Add(-time.Second)):
		s.t.Errorf("time went back from %s to %s", old.Time, now.Time)
	}
}

// calm starts everybody once more and waits until all is delivered and
// settled.
func (s *storm) calm(owed int) {
	t := s.t
	s.o.start()
	for _, g := range s.gates {
		g.start()
	}
	waitSettled(t, s.o, owed, 40*time.Second)
	// What the journals say of themselves lags behind by a record; when nothing
	// is added to them any more, nothing is on its way.
	quiet := time.Now().Add(2 * time.Second)
	var last wire.Seq
	eventually(t, 20*time.Second, func() string {
		var sum wire.Seq
		for _, g := range s.gates {
			now, err := agent.Inspect(g.dir)
			if err != nil {
				t.Fatal(err)
			}
			sum += now.Last
		}
		if sum != last {
			last, quiet = sum, time.Now().Add(2*time.Second)
		}
		if time.Now().Before(quiet) {
			return "records are still added"
		}
		return ""
	})
}

// unharmed checks that a journal knows of no loss: a kill is none.
func (s *storm) unharmed(g *gate) {
	var version uint64
	for _, r := range g.records() {
		switch r.Kind {
		case wire.RecordGap:
			s.t.Errorf("a kill left a gap: %s", r.Body)
		case wire.RecordPlan:
			p := bodyOf[wire.PlanTaken](s.t, r)
			if p.Refused != "" || p.Version < version {
				s.t.Errorf("plan %+v after version %d", p, version)
			}
			version = p.Version
		}
	}
	if left, err := filepath.Glob(filepath.Join(g.dir, "*", "*.refused")); err != nil || len(left) > 0 {
		s.t.Errorf("documents were put aside: %v, %v", left, err)
	}
	if _, err := os.Stat(g.wav); err != nil {
		s.t.Errorf("the gate never played: %v", err)
	}
}

// checkOffice looks at what a dead office left at home: a whole database, in
// it every record that a device was told to be committed.
func (s *storm) checkOffice(home string) {
	if _, err := os.Stat(filepath.Join(home, "gatecast.db")); errors.Is(err, fs.ErrNotExist) {
		return // not made yet
	}
	books := copiedBooks(s.t, home)
	if err := books.Check(context.Background()); err != nil {
		s.t.Errorf("after kill %d: %v", s.total(), err)
	}
	for _, g := range s.gates {
		now, err := agent.Inspect(g.dir)
		if err != nil || now.Log == "" {
			continue // not enrolled yet; look reports what cannot be read
		}
		if ack, err := books.AckState(context.Background(), now.Device, now.Log); err != nil || ack.Upto < now.Acked {
			s.t.Errorf("after kill %d: device %s was acked %d, the office holds %+v, %v", s.total(), now.Device, now.Acked, ack, err)
		}
	}
	if err := books.Close(); err != nil {
		s.t.Error(err)
	}
}

// copiedBooks opens a copy of the database of a stopped office: SQLite maps
// files, and a process must not map those of a disk that it serves itself.
func copiedBooks(t *testing.T, home string) *store.Store {
	dir, err := os.MkdirTemp(t.TempDir(), "books")
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"", "-wal"} {
		b, err := os.ReadFile(filepath.Join(home, "gatecast.db"+end))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "gatecast.db"+end), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := store.Open(context.Background(), filepath.Join(dir, "gatecast.db"), store.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
