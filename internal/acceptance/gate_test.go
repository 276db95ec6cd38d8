package acceptance

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"gatecast/agent/enrol"
	"gatecast/agent/journal"
	"gatecast/audio"
	"gatecast/internal/durable"
	"gatecast/internal/soundcheck"
	"gatecast/internal/wire"
)

// gate is an agent as a process; it plays into WAV files.
type gate struct {
	t       *testing.T
	dir     string
	wav     string
	program []string // the agent's command line up to its arguments
	log     *logbook
	process *process
	// forgets says that its disk loses what was not synced without the machine
	// starting anew, as none does: an agent that was merely killed believes what
	// it last wrote, and so the first second of a play may be denied.
	forgets bool
}

// newGate enrols a device for a point, through the cables of the office,
// starts it and has it accepted.
func newGate(t *testing.T, o *office, point string) *gate {
	t.Helper()
	return newGateOf(t, o, point, filepath.Join(bin, "gatecast-agent"))
}

// newGateOf is newGate for an agent that is started by another command line.
func newGateOf(t *testing.T, o *office, point string, program ...string) *gate {
	t.Helper()
	return newGateIn(t, o, point, filepath.Join(t.TempDir(), "data"), program...)
}

// newGateIn is newGateOf with the data folder dir.
func newGateIn(t *testing.T, o *office, point, dir string, program ...string) *gate {
	t.Helper()
	g := &gate{t: t, dir: dir, wav: filepath.Join(t.TempDir(), "wav"), program: program, log: &logbook{}}
	showLogs(t, map[string]*logbook{"gate " + point: g.log})
	runProgram(t, append(slices.Concat(program, []string{"join", "--data", g.dir}), strings.Fields(o.joinLine(point))...)...)
	g.reroute(o.mqtt.addr)
	g.start()
	g.accept(o, point)
	return g
}

// accept has the office hear the gate's test tone and let it play. The tone is
// no recording of a play.
func (g *gate) accept(o *office, point string) {
	g.t.Helper()
	o.accept(point)
	if err := os.RemoveAll(g.wav); err != nil {
		g.t.Fatal(err)
	}
}

// device returns who the gate is.
func (g *gate) device() wire.DeviceID {
	g.t.Helper()
	id, err := enrol.Load(filepath.Join(g.dir, "identity"), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return id.Device
}

// reroute leads the device's MQTT connection over addr.
func (g *gate) reroute(addr string) {
	g.t.Helper()
	path := filepath.Join(g.dir, "identity", "identity.json")
	b, err := durable.On(nil).ReadChecked(path)
	if err != nil {
		g.t.Fatal(err)
	}
	var id map[string]any
	if err := json.Unmarshal(b, &id); err != nil {
		g.t.Fatal(err)
	}
	if _, ok := id["mqtt"]; !ok {
		g.t.Fatalf("%s names no broker", path)
	}
	id["mqtt"] = addr
	if b, err = json.Marshal(id); err != nil {
		g.t.Fatal(err)
	}
	writeFile(g.t, path, string(b))
}

func (g *gate) start() {
	g.t.Helper()
	g.process = startProgram(g.t, g.log, g.line()...)
}

// line is the agent's command line.
func (g *gate) line() []string {
	return append(slices.Clone(g.program), "--data", g.dir, "--sink", "file", "--device", g.wav, "--report-jitter", "0s")
}

// recordings returns the WAV files written so far, oldest first.
func (g *gate) recordings() []string {
	g.t.Helper()
	entries, err := os.ReadDir(g.wav)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		g.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".wav") {
			names = append(names, filepath.Join(g.wav, e.Name()))
		}
	}
	sort.Strings(names)
	return names
}

// records returns the stopped device's journal.
func (g *gate) records() []wire.Record {
	g.t.Helper()
	j, err := journal.Open(filepath.Join(g.dir, "journal"), journal.Options{})
	if err != nil {
		g.t.Fatal(err)
	}
	defer j.Close()
	var all []wire.Record
	if err := j.Scan(func(r wire.Record) error { all = append(all, r); return nil }); err != nil {
		g.t.Fatal(err)
	}
	return all
}

// within returns clip without its first and last d.
func within(clip *audio.PCM, d time.Duration) *audio.PCM {
	n := int(d*time.Duration(clip.Rate)/time.Second) * clip.Channels
	return &audio.PCM{Format: clip.Format, Samples: clip.Samples[n : len(clip.Samples)-n]}
}

// checkRecording compares a recording with the clip: whole, without gap,
// nothing outside it but what fades and limiter do.
func checkRecording(t *testing.T, clip *audio.PCM, file string) {
	t.Helper()
	rec, err := soundcheck.ReadWAV(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := soundcheck.Compare(clip, rec)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	// Between the fades nothing but the level may differ.
	inner, err := soundcheck.Compare(within(clip, 50*time.Millisecond), rec)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if inner.Correlation < 0.9999 {
		t.Errorf("%s: correlation %.6f with the clip between its fades", file, inner.Correlation)
	}
	if d := (m.Covered - m.Clip).Abs(); d > 2*time.Millisecond {
		t.Errorf("%s covers %s of %s", file, m.Covered, m.Clip)
	}
	if len(m.Gaps) > 0 {
		t.Errorf("%s: silent where the clip sounds: %v", file, m.Gaps)
	}
	if m.Outside > 0.001 {
		t.Errorf("%s: sound of level %.4f outside the clip", file, m.Outside)
	}
}
