package store

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"gatecast/internal/lossyfs"
)

// suiteOnLossyDisk are the tests that put most on a disk: many connections, two
// processes, killed ones, backups and migrations.
const suiteOnLossyDisk = "^(TestConcurrentAppendsAreEachAnswered|TestAckStateMatchesModel|TestDevicesConcurrently|" +
	"TestCursorMissesNothingWhileOthersWrite|TestBackupIsACompleteDatabase|TestWhatWasAckedSurvivesKill|" +
	"TestOpenRefusesASecondController|TestMigratingBacksUpFirst|TestLedgerMatchesModel)$"

// TestSuiteOnLossyDisk runs some tests of this package once more on a lossy
// disk with its power on: locks and maps of shared memory work there as on any
// other disk, so that what the power cuts show is not its own doing.
func TestSuiteOnLossyDisk(t *testing.T) {
	_, dir := lossyfs.Mounted(t, lossyfs.Options{})
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.short", "-test.run="+suiteOnLossyDisk, "-test.v")
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if ran := strings.Count(string(out), "\n--- PASS"); ran < 9 {
		t.Errorf("%d tests ran, want 9:\n%s", ran, out)
	}
}
