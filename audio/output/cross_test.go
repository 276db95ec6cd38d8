package output

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatecast/internal/needtool"
)

// TestFilePlaysByTheWallClock plays without a bubble, so that it also holds
// where the processor is emulated.
func TestFilePlaysByTheWallClock(t *testing.T) {
	clip := chirp(24000, 1, 1200*time.Millisecond)
	at := time.Now().Add(50 * time.Millisecond)
	r, err := openTestFile(t, t.TempDir()).Play(t.Context(), at, newPCMSource(clip))
	if err != nil || r.FramesPlayed != clip.Frames() || r.End != Drained {
		t.Fatalf("Play = %+v, %v", r, err)
	}
	if took := time.Since(at); took < 1200*time.Millisecond {
		t.Errorf("played 1.2s in %v", took)
	}
	if _, samples := readWAV(t, r.Path); len(samples) != len(clip.Samples) {
		t.Errorf("WAV has %d samples, want %d", len(samples), len(clip.Samples))
	}
}

// TestCrossBuildsPlay builds this test for the boards at the gates, without
// cgo, and lets an emulated processor play clips into files with it.
func TestCrossBuildsPlay(t *testing.T) {
	tests := map[string]struct {
		qemu string
		env  []string
	}{
		"arm_v6": {"qemu-arm-static", []string{"GOARCH=arm", "GOARM=6"}},
		"arm_v7": {"qemu-arm-static", []string{"GOARCH=arm", "GOARM=7"}},
		"arm64":  {"qemu-aarch64-static", []string{"GOARCH=arm64"}},
	}
	const plays = "TestFilePlaysByTheWallClock"
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			needtool.Need(t, tt.qemu, "go")
			binary := filepath.Join(t.TempDir(), "play")
			build := exec.Command("go", "test", "-c", "-o", binary, ".")
			build.Env = append(append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux"), tt.env...)
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("building: %v\n%s", err, out)
			}
			run := exec.Command(tt.qemu, binary, "-test.v", "-test.run", plays+"|TestFilePlaysEachFrame|TestEncoding|TestFeed|TestPlayed|TestKernelClock|TestStartAt")
			out, err := run.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "--- PASS: "+plays) {
				t.Errorf("running: %v\n%s", err, out)
			}
		})
	}
}
