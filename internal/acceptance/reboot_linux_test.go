package acceptance

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"gatecast/internal/needtool"
)

// machine is what a program takes for the computer that it runs on: it has a
// battery-backed clock, and another boot id after each power cut, as a real
// one. An agent tells by it what a cut can have taken back.
type machine struct {
	t    *testing.T
	boot string // the file that stands for the kernel's boot id
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	needtool.Need(t, "unshare", "mount")
	m := &machine{t: t, boot: filepath.Join(t.TempDir(), "boot_id")}
	m.reboot()
	return m
}

// reboot changes the boot id, for programs that are started afterwards.
func (m *machine) reboot() {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	id := fmt.Sprintf("%x-%x-%x-%x-%x\n", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	if err := os.WriteFile(m.boot, []byte(id), 0o600); err != nil {
		m.t.Error(err)
	}
}

// line is a command line that runs program on the machine: in mounts of its
// own, in which the two files of the kernel are replaced. A process id stays
// one, so that a kill hits the program.
func (m *machine) line(program ...string) []string {
	const script = `mount --bind "$0" /proc/sys/kernel/random/boot_id &&
mount -t tmpfs none /sys/class && mkdir -p /sys/class/rtc/rtc0 && echo 1 > /sys/class/rtc/rtc0/hctosys && exec "$@"`
	return append([]string{"unshare", "--mount", "sh", "-c", script, m.boot}, program...)
}
