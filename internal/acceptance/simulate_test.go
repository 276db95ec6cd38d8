package acceptance

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// simulate runs "gatecast simulate" and returns its exit status and what it
// said.
func simulate(t *testing.T, args ...string) (int, string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), filepath.Join(bin, "gatecast"), append([]string{"simulate"}, args...)...)
	out, err := c.CombinedOutput()
	if c.ProcessState == nil {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(out)
}

// TestSimulatorOfTheShippedProgram runs one seed in two processes: virtual time
// works outside a test binary, and the world is the same in both.
func TestSimulatorOfTheShippedProgram(t *testing.T) {
	t.Parallel()
	var hashes []string
	for range 2 {
		status, said := simulate(t, "--seed", "7", "--devices", "1", "--days", "1", "--faults", "none")
		m := regexp.MustCompile(`(?m)^seed 7 ok (\S+) .* (\d+) of (\d+) slots played$`).FindStringSubmatch(said)
		if status != 0 || m == nil || m[2] != m[3] || m[2] == "0" || !strings.Contains(said, "device-years per CPU-minute") {
			t.Fatalf("status %d\n%s", status, said)
		}
		hashes = append(hashes, m[1])
	}
	if hashes[0] != hashes[1] {
		t.Errorf("the same seed hashed to %s and %s", hashes[0], hashes[1])
	}
	for _, bad := range [][]string{{"--faults", "weather"}, {"--days", "400"}, {"--seeds", "0"}, {"extra"}} {
		if status, said := simulate(t, bad...); status != 2 || strings.Count(strings.TrimSpace(said), "\n") > 0 {
			t.Errorf("simulate %s: status %d, said %q", strings.Join(bad, " "), status, said)
		}
	}
}
