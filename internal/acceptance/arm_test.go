package acceptance

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/needtool"
)

// The builds for the boards at the gates run, emulated, through a whole day's
// work: enrol, fetch, play into a file, report.
func TestARMAgentsPlay(t *testing.T) {
	t.Parallel()
	boards := []struct{ name, arch, arm, emulator string }{
		{"arm_v6", "arm", "6", "qemu-arm-static"},
		{"arm_v7", "arm", "7", "qemu-arm-static"},
		{"arm64", "arm64", "", "qemu-aarch64-static"},
	}
	for _, b := range boards {
		needtool.Need(t, b.emulator)
	}
	o := newOffice(t)
	clip := testClip(10 * time.Second)
	o.addClip("ding", wavOf(clip))
	for _, b := range boards {
		t.Run(b.name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "gatecast-agent")
			build := exec.Command("go", "build", "-o", program, "./cmd/gatecast-agent")
			build.Dir = filepath.Join("..", "..")
			build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+b.arch, "GOARM="+b.arm)
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("building: %v\n%s", err, out)
			}
			o.t = t
			g := newGateOf(t, o, "SL-01-01", b.emulator, program)
			before := o.played()
			o.activate(slotsFrom(o, soon(15*time.Second), 15*time.Second, 1))
			eventually(t, time.Minute, func() string {
				if o.played() == before {
					return "the slot is not settled as played"
				}
				return ""
			})
			checkRecording(t, clip, g.recordings()[0])
			g.process.stop(t, 20*time.Second)
		})
	}
	o.t = t
	books := o.books()
	for _, row := range today(t, books, "SL-01-01") {
		if row.Verdict != fleet.Played {
			t.Errorf("%s = %s %s", row.Slot, row.Verdict, row.Reason)
		}
	}
}
