package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatecast/agent"
	"gatecast/agent/config"
	"gatecast/audio"
	"gatecast/audio/encode"
	"gatecast/internal/configfile"
	"gatecast/internal/officetest"
	"gatecast/internal/wire"
)

// TestMain lets the test binary stand in for the program, so that processes
// can be tested without building it first. GATECAST_TEST_BIN names another.
func TestMain(m *testing.M) {
	if os.Getenv("GATECAST_TEST_AS_AGENT") != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// command starts the agent as a process of its own.
func command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	bin := os.Getenv("GATECAST_TEST_BIN")
	if bin == "" {
		var err error
		if bin, err = os.Executable(); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command(bin, args...)
	c.Env = append(os.Environ(), "GATECAST_TEST_AS_AGENT=1")
	c.Stderr = &lines{t: t}
	return c
}

// lines passes a process's log on to the test.
type lines struct{ t testing.TB }

func (l *lines) Write(p []byte) (int, error) {
	l.t.Logf("%s", bytes.TrimSpace(p))
	return len(p), nil
}

// gate is a data folder with flags that make the agent play into files.
type gate struct {
	t     testing.TB
	o     *officetest.Office
	data  string
	wavs  string
	flags []string
}

func newGate(t testing.TB) *gate {
	t.Helper()
	g := &gate{t: t, o: officetest.New(t), data: filepath.Join(t.TempDir(), "data"), wavs: filepath.Join(t.TempDir(), "wav")}
	g.flags = []string{"--data", g.data, "--sink", "file", "--device", g.wavs, "--report-jitter", "0s"}
	g.o.StartBroker("")
	g.o.AddCode("K7QM-4T2P")
	return g
}

func (g *gate) join() string {
	g.t.Helper()
	c := command(g.t, "join", g.o.URL(), "K7QM-4T2P", g.o.RootHash(), "--data", g.data)
	out, err := c.Output()
	if err != nil {
		g.t.Fatalf("join: %v\n%s", err, out)
	}
	return string(out)
}

func (g *gate) start() *exec.Cmd {
	g.t.Helper()
	c := command(g.t, append([]string{"run"}, g.flags...)...)
	if err := c.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		_ = c.Process.Kill()
		_, _ = c.Process.Wait()
	})
	return c
}

func (g *gate) status() agent.Status {
	g.t.Helper()
	out, err := command(g.t, "status", "--json", "--data", g.data).Output()
	if err != nil {
		g.t.Fatalf("status: %v", err)
	}
	var s agent.Status
	if err := json.Unmarshal(out, &s); err != nil {
		g.t.Fatalf("status printed %q: %v", out, err)
	}
	return s
}

// offer gives the device a plan of count plays of 3 s.
func (g *gate) offer(d wire.DeviceID, version uint64, start time.Time, every time.Duration, count int) {
	g.t.Helper()
	g.offerOf(d, version, 3, wire.PlanSlot{
		ID: "2026-11-23.demo.morning", Name: "早", StartS: start.Unix(), EndS: start.Unix() + 3600,
		EveryS: int64(every / time.Second), Count: count, Playlist: []int{0}, GraceS: 2,
	})
}

// offerOf gives the device a plan of slots with one clip of that many seconds.
func (g *gate) offerOf(d wire.DeviceID, version uint64, seconds int, slots ...wire.PlanSlot) {
	g.t.Helper()
	pcm := &audio.PCM{Format: audio.Format{Rate: 24000, Channels: 1}, Samples: make([]float32, seconds*24000)}
	for i := range pcm.Samples {
		pcm.Samples[i] = float32(0.3 * math.Sin(float64(i)/20))
	}
	data, err := encode.FLAC(pcm)
	if err != nil {
		g.t.Fatal(err)
	}
	clip := wire.ManifestClip{SHA256: g.o.Put(data), Title: "示例", Bytes: int64(len(data)), Rate: 24000, Frames: int64(pcm.Frames())}
	now, from := wire.US(time.Now()), slots[0].StartS-60
	g.o.Send(g.o.Offer(wire.Plan{
		Header: wire.Header{Device: d, Version: version, IssuedUS: now}, Point: "SF-01", PointName: "松风苑南门", Zone: "Asia/Shanghai",
		FromS: from, HorizonS: from + 60*86400, NeedLevel: wire.T1, Clips: []string{clip.SHA256}, Slots: slots,
	}, wire.Manifest{Header: wire.Header{Version: version, IssuedUS: now}, Clips: []wire.ManifestClip{clip}, Ceilings: wire.Ceilings{
		Zone: "Asia/Shanghai", Allowed: []wire.DailyWindow{{LastMin: 1440}}, MaxGainDB: 24, MaxVolumePct: 80, MaxPlaysPerHour: 1000, MaxClipS: 60,
	}}, false))
}

func hello(k officetest.Device) bool { return len(k.Hellos) > 0 }

func ready(k officetest.Device) bool {
	n := len(k.States)
	return n > 0 && len(k.States[n-1].ClipsReady) == 1
}

func outcomes(k officetest.Device) (out []wire.Outcome) {
	for _, log := range k.Records {
		for _, r := range log {
			var o wire.Outcome
			if r.Kind == wire.RecordOutcome && json.Unmarshal(r.Body, &o) == nil {
				out = append(out, o)
			}
		}
	}
	return out
}

func TestJoinRunStatusStop(t *testing.T) {
	g := newGate(t)
	if out := g.join(); !strings.Contains(out, "SF-01") || !strings.Contains(out, "已入网") {
		t.Errorf("join printed %q", out)
	}
	s := g.status()
	if !s.Enrolled || s.Running != 0 || s.PlanVersion != 0 {
		t.Errorf("status before run = %+v", s)
	}
	c := g.start()
	g.o.Await(s.Device, 15*time.Second, "hello", hello)
	// A device leaves itself up to a tenth of the time that is left.
	g.offer(s.Device, 1, time.Now().Add(2*time.Minute), time.Minute, 1)
	g.o.Await(s.Device, 30*time.Second, "clips", ready)
	if s = g.status(); s.Running == 0 || s.PlanVersion != 1 || s.ClipsReady != 1 || s.Last == 0 || len(s.Problems) > 0 {
		t.Errorf("status while running = %+v", s)
	}
	began := time.Now()
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil || time.Since(began) > 3*time.Second {
		t.Errorf("after SIGTERM the agent ended with %v in %s", err, time.Since(began))
	}
	g.o.Await(s.Device, 5*time.Second, "leaving", func(k officetest.Device) bool { return !k.States[len(k.States)-1].Online })
}

// TestKilledAtAnyMoment kills the agent again and again, while it connects,
// stores the plan, plays and reports. In the end every play has one outcome at
// most, none sounded twice, and no record is missing.
func TestKilledAtAnyMoment(t *testing.T) {
	g := newGate(t)
	g.join()
	d := g.status().Device
	const plays = 12
	var start time.Time
	for round := range 10 {
		c := g.start()
		if round == 0 {
			g.o.Await(d, 15*time.Second, "hello", hello)
			start = time.Now().Add(3 * time.Second).Truncate(time.Second)
			g.offer(d, 1, start, 4*time.Second, plays)
		}
		// 0.35 s to 5 s: from the middle of the start to the middle of a play.
		<-time.After(time.Duration(350+round*517) * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
	}
	g.start()
	last := start.Add((plays - 1) * 4 * time.Second)
	<-time.After(time.Until(last.Add(5 * time.Second)))
	k := g.o.Await(d, 30*time.Second, "an outcome of each play", func(k officetest.Device) bool { return len(outcomes(k)) >= plays })
	seen := map[wire.PlayID]wire.PlayResult{}
	for _, o := range outcomes(k) {
		if before, ok := seen[o.Play]; ok {
			t.Errorf("%s has two outcomes: %s and %s", o.Play, before, o.Result)
		}
		seen[o.Play] = o.Result
	}
	if len(seen) != plays {
		t.Errorf("%d plays have an outcome, want %d", len(seen), plays)
	}
	for log, records := range k.Records {
		intents := map[wire.PlayID]int{}
		for seq := wire.Seq(1); seq <= wire.Seq(len(records)); seq++ {
			r, ok := records[seq]
			if !ok {
				t.Errorf("log %s has no record %d of %d", log, seq, len(records))
			}
			var in wire.Intent
			if r.Kind == wire.RecordIntent && json.Unmarshal(r.Body, &in) == nil {
				if intents[in.Play]++; intents[in.Play] > 1 {
					t.Errorf("%s began twice", in.Play)
				}
			}
			if r.Kind == wire.RecordGap {
				t.Errorf("log %s: gap %s", log, r.Body)
			}
		}
	}
	if len(k.Records) != 1 {
		t.Errorf("%d logs, want 1", len(k.Records))
	}
	t.Logf("results: %v", seen)
}

func TestSecondAgentIsRefused(t *testing.T) {
	g := newGate(t)
	g.join()
	g.start()
	g.o.Await(g.status().Device, 15*time.Second, "hello", hello)
	second := command(t, append([]string{"run"}, g.flags...)...)
	var errw bytes.Buffer
	second.Stderr = &errw
	err := second.Run()
	if second.ProcessState.ExitCode() != exitBad || !strings.Contains(errw.String(), "正被另一个 gatecast-agent 使用") {
		t.Errorf("second agent: %v, %q", err, errw.String())
	}
}

func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good.yaml", "output: {sink: file, device: /tmp/x}\n")
	typo := write("typo.yaml", "data_dir: /srv\noutput:\n  volum_pct: 5\n")
	wrong := write("wrong.yaml", "output: {volume_pct: 500}\n")
	hash := strings.Repeat("ab", 32)
	tests := map[string]struct {
		args []string
		code int
		want string // on either stream
	}{
		"version":          {[]string{"version"}, exitOK, "gatecast-agent "},
		"help":             {[]string{"help"}, exitOK, "config describe"},
		"help_flag":        {[]string{"-h"}, exitOK, "config describe"},
		"unknown":          {[]string{"dance"}, exitUsage, "usage:"},
		"unknown_flag":     {[]string{"--loud"}, exitUsage, "-loud"},
		"run_with_words":   {[]string{"run", "away"}, exitUsage, "usage:"},
		"check_good":       {[]string{"config", "check", "--config", good}, exitOK, "配置没有问题"},
		"check_typo":       {[]string{"config", "check", "--config", typo}, exitUsage, "typo.yaml:3: output.volum_pct: unknown key"},
		"check_value":      {[]string{"--config", wrong, "config", "check"}, exitUsage, "output.volume_pct: 500 is outside"},
		"check_flag":       {[]string{"config", "check", "--config", good, "--sink", "horn"}, exitUsage, `output.sink: "horn"`},
		"check_absent":     {[]string{"config", "check", "--config", filepath.Join(dir, "none.yaml")}, exitUsage, "找不到这个配置文件"},
		"run_typo":         {[]string{"run", "--config", typo}, exitUsage, "unknown key"},
		"bad_jitter":       {[]string{"--report-jitter", "soon"}, exitUsage, "soon"},
		"describe":         {[]string{"config", "describe"}, exitOK, "volume_pct: 60"},
		"status_absent":    {[]string{"status", "--data", filepath.Join(dir, "none")}, exitBad, "reading data folder"},
		"status_empty":     {[]string{"status", "--data", dir}, exitOK, "请在后台点位页面复制入网命令"},
		"join_bad_line":    {[]string{"join", "http://x:1", "AAAA1111", hash}, exitRefused, "入网命令有误"},
		"join_no_operands": {[]string{"join"}, exitUsage, "usage:"},
		"join_nobody":      {[]string{"join", "https://127.0.0.1:1", "AAAA1111", hash, "--data", filepath.Join(dir, "d")}, exitBad, "连不上控制中心"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out, errw bytes.Buffer
			code := run(tt.args, &out, &errw)
			if both := out.String() + errw.String(); code != tt.code || !strings.Contains(both, tt.want) {
				t.Errorf("run(%q) = %d, want %d and %q in\n%s", tt.args, code, tt.code, tt.want, both)
			}
		})
	}
}

func TestJoinRefusalsHaveTheirOwnStatus(t *testing.T) {
	o := officetest.New(t)
	var out, errw bytes.Buffer
	code := run([]string{"join", o.URL(), "AAAA1111", o.RootHash(), "--data", filepath.Join(t.TempDir(), "d")}, &out, &errw)
	if code != exitRefused || !strings.Contains(errw.String(), "没有“AAAA1111”这个接入码") || !strings.Contains(errw.String(), `no join code "AAAA1111"`) {
		t.Errorf("join with an unknown code = %d, %q", code, errw.String())
	}
	errw.Reset()
	data := filepath.Join(t.TempDir(), "d2")
	t.Setenv("GATECAST_AGENT_JOIN_LINE", fmt.Sprintf("%s BBBB2222 %s", o.URL(), o.RootHash()))
	code = run([]string{"run", "--data", data, "--sink", "file", "--device", data}, io.Discard, &errw)
	if code != exitRefused || !strings.Contains(errw.String(), "没有“BBBB2222”这个接入码") {
		t.Errorf("run with an unknown code = %d, %q", code, errw.String())
	}
}

func TestDescribeIsTheShippedFile(t *testing.T) {
	var out bytes.Buffer
	if code := run([]string{"config", "describe"}, &out, io.Discard); code != exitOK {
		t.Fatalf("config describe = %d", code)
	}
	shipped, err := os.ReadFile("../../deploy/gatecast-agent.yaml")
	if err != nil || out.String() != string(shipped) {
		t.Errorf("config describe differs from deploy/gatecast-agent.yaml (%v)", err)
	}
	c := config.Defaults()
	if err := configfile.Parse("x", out.Bytes(), &c); err != nil {
		t.Error(err)
	}
}

// TestUnitKnowsTheExitStatuses holds the unit file to the program.
func TestUnitKnowsTheExitStatuses(t *testing.T) {
	unit, err := os.ReadFile("../../deploy/systemd/gatecast-agent.service")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("\nRestartPreventExitStatus=%d %d\n", exitUsage, exitRefused); !bytes.Contains(unit, []byte(want)) {
		t.Errorf("unit lacks %q", strings.TrimSpace(want))
	}
	if bytes.Contains(unit, []byte("\nProtectClock=yes")) {
		t.Error("ProtectClock forbids to ask whether the kernel's clock is synchronised")
	}
}

// BenchmarkIdle reports what an idle agent costs that is enrolled, connected
// by TLS, has 60 days of plan and a clip of 30 s, and has played it.
func BenchmarkIdle(b *testing.B) {
	g := newGate(b)
	g.join()
	d := g.status().Device
	c := g.start()
	g.o.Await(d, 15*time.Second, "hello", hello)
	start := time.Now().Add(4 * time.Second).Unix()
	slots := []wire.PlanSlot{{ID: "2026-11-23.demo.now", StartS: start, EndS: start + 60, Count: 1, Playlist: []int{0}, GraceS: 2}}
	for n := range int64(180) {
		at := start + (n+1)*8*3600
		slots = append(slots, wire.PlanSlot{ID: wire.SlotID(fmt.Sprintf("2026-11-23.demo.s%d", n)), Name: "早", StartS: at, EndS: at + 1800, EveryS: 300, Count: 6, Playlist: []int{0}, GraceS: 30})
	}
	g.offerOf(d, 1, 30, slots...)
	g.o.Await(d, 90*time.Second, "a play", func(k officetest.Device) bool { return len(outcomes(k)) == 1 })
	<-time.After(150 * time.Second) // the runtime collects at least every two minutes
	before := cpu(b, c.Process.Pid)
	<-time.After(30 * time.Second)
	b.ReportMetric(float64(cpu(b, c.Process.Pid)-before)/30*1000, "cpu-ms/s")
	b.ReportMetric(rss(b, c.Process.Pid), "RSS-MB")
	b.ReportMetric(0, "ns/op")
}

func rss(b *testing.B, pid int) float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kb); n == 1 {
			return kb / 1024
		}
	}
	b.Fatal("no VmRSS")
	return 0
}

// cpu returns the seconds of processor time that pid has used.
func cpu(b *testing.B, pid int) float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	var user, system float64
	fmt.Sscan(fields[11], &user)
	fmt.Sscan(fields[12], &system)
	return (user + system) / 100
}
