//go:build linux

package vmtest

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/audio"
	"gatecast/audio/output"
	"gatecast/audio/output/alsa"
	"gatecast/internal/guest"
	"gatecast/internal/needtool"
	"gatecast/internal/soundcheck"
)

// swish is d of smoothed noise: each seed is found in a recording of all of
// them, at one place only. Guest and host make the same.
func swish(seed uint64, rate, channels int, d time.Duration) *audio.PCM {
	rng := rand.New(rand.NewPCG(seed, 7))
	p := &audio.PCM{Format: audio.Format{Rate: rate, Channels: channels}}
	var a, b float64
	for range audio.Frames(int64(d) * int64(rate) / int64(time.Second)) {
		a += 0.15 * (rng.Float64()*2 - 1 - a)
		b += 0.15 * (a - b)
		for range channels {
			p.Samples = append(p.Samples, float32(1.5*b))
		}
	}
	return p
}

// guestMachine is one kind of virtual machine.
type guestMachine struct {
	qemu    string
	kernel  string // Debian's metapackage
	arch    string // Debian's name
	env     []string
	console string
	args    []string
	modules []string
	cards   []string // drivers
	wavs    []string // audio devices; the second USB one is for after the plug was pulled
}

var machines = map[string]guestMachine{
	"x86": {
		qemu: "qemu-system-x86_64", kernel: "linux-image-amd64", arch: "amd64",
		env: []string{"GOARCH=amd64"}, console: "ttyS0",
		args: []string{"-machine", "q35,accel=tcg", "-cpu", "max", "-m", "384",
			"-device", "ich9-intel-hda", "-device", "hda-output,audiodev=hda",
			"-device", "qemu-xhci", "-device", "usb-audio,id=ua,audiodev=usb"},
		modules: []string{"snd-dummy", "snd-aloop", "snd-hda-codec-generic", "snd-hda-intel", "xhci-pci", "snd-usb-audio"},
		cards:   []string{"Dummy", "HDA-Intel", "Loopback", "USB-Audio"},
		wavs:    []string{"hda", "usb", "usb2"},
	},
	"arm64": {
		qemu: "qemu-system-aarch64", kernel: "linux-image-arm64", arch: "arm64",
		env: []string{"GOARCH=arm64"}, console: "ttyAMA0",
		args: []string{"-machine", "virt", "-cpu", "cortex-a53", "-m", "384",
			"-device", "qemu-xhci", "-device", "usb-audio,id=ua,audiodev=usb"},
		modules: []string{"snd-aloop", "xhci-pci", "snd-usb-audio"},
		cards:   []string{"Loopback", "USB-Audio"},
		wavs:    []string{"usb", "usb2"},
	},
	"arm": {
		qemu: "qemu-system-arm", kernel: "linux-image-armmp-lpae", arch: "armhf",
		env: []string{"GOARCH=arm", "GOARM=6"}, console: "ttyAMA0",
		args: []string{"-machine", "virt,highmem=off", "-cpu", "cortex-a15", "-m", "384",
			"-device", "qemu-xhci", "-device", "usb-audio,id=ua,audiodev=usb"},
		modules: []string{"snd-aloop", "xhci-pci", "snd-usb-audio"},
		cards:   []string{"Loopback", "USB-Audio"},
		wavs:    []string{"usb", "usb2"},
	},
}

// mips is the speed of the guests' one processor: 4 ns an instruction, where a
// Pi Zero's clock ticks every 1 ns.
const mips = 250

// run boots a machine and returns the guest's results and QEMU's recordings.
func (m guestMachine) run(t *testing.T) (raw map[string]json.RawMessage, wavs map[string]*audio.PCM) {
	t.Helper()
	needtool.Need(t, m.qemu, "go")
	k := guest.FetchKernel(t, m.kernel, m.arch, m.modules)
	dir, err := os.MkdirTemp("", "gcvm") // short: it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	init := filepath.Join(dir, "init")
	build := exec.Command("go", "test", "-c", "-o", init, ".")
	build.Env = append(append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux"), m.env...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the guest's init: %v\n%s", err, out)
	}
	initrd := filepath.Join(dir, "initrd")
	if err := guest.Initramfs(initrd, init, k, nil); err != nil {
		t.Fatal(err)
	}
	args := append(slices.Clone(m.args), "-kernel", k.Image, "-initrd", initrd,
		"-append", "console="+m.console+" quiet loglevel=1 panic=-1")
	for _, w := range m.wavs {
		args = append(args, "-audiodev", "wav,id="+w+",out.frequency=48000,path="+filepath.Join(dir, w+".wav"))
	}
	// The guest's clock counts its instructions, and so do its cards: what it
	// sees does not depend on how busy the host is, and idle time is skipped.
	args = append(args, "-icount", "shift=2,sleep=off")
	raw = boot(t, m.qemu, args, dir)
	wavs = map[string]*audio.PCM{}
	for _, w := range m.wavs {
		if wavs[w], err = soundcheck.ReadWAV(filepath.Join(dir, w+".wav")); err != nil {
			t.Error(err)
		}
	}
	return raw, wavs
}

func TestCardsInGuest(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines for a minute each")
	}
	for name, m := range machines {
		t.Run(name, func(t *testing.T) {
			raw, wavs := m.run(t)
			r := results{t, raw}
			checkCards(t, m, raw["cards"])
			if slices.Contains(m.cards, "HDA-Intel") {
				t.Run("hda", func(t *testing.T) { checkHDA(results{t, raw}, wavs["hda"]) })
			}
			t.Run("usb", func(t *testing.T) { checkUSB(results{t, raw}, wavs["usb"], wavs["usb2"]) })
			for _, virtual := range []string{"Dummy", "Loopback"} {
				if slices.Contains(m.cards, virtual) {
					r.played(strings.ToLower(virtual)+"-play", 72000)
				}
			}
		})
	}
}

// results are the guest's, by name.
type results struct {
	*testing.T
	raw map[string]json.RawMessage
}

func (r results) get(name string) (o outcome) {
	r.Helper()
	r.decode(name, &o)
	return o
}

func (r results) decode(name string, into any) {
	r.Helper()
	if err := json.Unmarshal(r.raw[name], into); err != nil {
		r.Fatalf("result %q: %v", name, err)
	}
}

// played holds a play against every proof of evidence grade B.
func (r results) played(name string, frames audio.Frames) {
	r.Helper()
	o := r.get(name)
	if !o.Played || o.Report.End != output.Drained || o.Report.FramesPlayed != frames || o.Report.FramesWritten != frames {
		r.Errorf("%s: %+v; want all %d frames played", name, o, frames)
	}
}

// heard is played for a card that QEMU records: the clip reported as played
// must be there whole.
func (r results) heard(name string, clip, wav *audio.PCM) {
	r.Helper()
	r.played(name, clip.Frames())
	m, err := soundcheck.Compare(clip, wav)
	if err != nil {
		r.Errorf("%s: %v", name, err)
		return
	}
	if m.Correlation < 0.999 || len(m.Gaps) > 0 || m.Covered < m.Clip {
		r.Errorf("%s heard: %+v; want the whole clip", name, m)
	}
	r.Logf("%s heard: correlation %.6f, gain %.2f dB", name, m.Correlation, m.Gain)
}

func checkCards(t *testing.T, m guestMachine, result json.RawMessage) {
	t.Helper()
	var found struct{ Cards []alsa.Card }
	if err := json.Unmarshal(result, &found); err != nil {
		t.Fatal(err)
	}
	var drivers []string
	for _, c := range found.Cards {
		drivers = append(drivers, c.Driver)
	}
	slices.Sort(drivers)
	if !slices.Equal(drivers, m.cards) {
		t.Fatalf("cards %v, want %v", drivers, m.cards)
	}
}

func checkHDA(r results, wav *audio.PCM) {
	if o := r.get("hda-muted"); o.Code != output.Silenced || o.Report.End != output.Refused || !o.Report.Muted || o.Played {
		r.Errorf("muted card: %+v; want refused", o)
	}
	r.heard("hda-play", swish(10, 48000, 2, 4*time.Second), wav)
	if o := r.get("hda-muted-midway"); !o.Report.Muted || o.Played {
		r.Errorf("muted midway: %+v; want muted and not played", o)
	}
	for name, worst := range map[string]time.Duration{"hda-starts": 2 * time.Millisecond, "hda-starts-loaded": 10 * time.Millisecond} {
		var late []time.Duration
		r.decode(name, &late)
		slices.Sort(late)
		r.Logf("%s on a processor of %d million instructions a second: %v", name, mips, late)
		if len(late) == 0 || late[0] < -100*time.Microsecond || late[len(late)-1] > worst {
			r.Errorf("%s: %v; want at most %v", name, late, worst)
		}
	}
}

func checkUSB(r results, wav, replugged *audio.PCM) {
	r.heard("usb-play", swish(20, 24000, 1, 4*time.Second), wav)
	if o := r.get("usb-volume"); o.Percent < 58 || o.Percent > 62 || !strings.Contains(o.Report.Mixer, "60%") {
		r.Errorf("volume set to 60%%: %+v", o)
	}
	if o := r.get("usb-busy"); o.Code != output.Busy || o.Report.End != output.Refused || o.Played {
		r.Errorf("held card: %+v; want refused as busy", o)
	}
	if o := r.get("usb-underrun"); o.Report.End != output.Underrun || o.Report.Underruns < 1 || o.Played || o.Report.FramesPlayed != 144000 {
		r.Errorf("stalled source: %+v; want an underrun and the rest played", o)
	}
	o := r.get("usb-cancelled")
	if got := o.Report.FramesPlayed; o.Report.End != output.Cancelled || got < 46000 || got > 48500 || o.Took > 1100*time.Millisecond {
		r.Errorf("cancelled after 1s: %+v", o)
	}
	o = r.get("usb-unplugged")
	if got := o.Report.FramesPlayed.Duration(48000); o.Report.End != output.Lost || o.Code != output.Gone || o.Played || got < time.Second || got > 50*time.Second {
		r.Errorf("unplugged after some 2s: %+v; want lost, frames known", o)
	}
	if late := o.Report.Elapsed - o.Report.FramesPlayed.Duration(48000); late < 0 || late > 50*time.Millisecond {
		r.Errorf("the loss was noticed %v after the last frame", late)
	}
	if o := r.get("usb-absent"); o.Code != output.Absent || o.Report.End != output.Refused {
		r.Errorf("absent card: %+v; want refused as absent", o)
	}
	r.heard("usb-replugged", swish(80, 48000, 2, 1500*time.Millisecond), replugged)
}
