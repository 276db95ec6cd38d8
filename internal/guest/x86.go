package guest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"gatecast/internal/needtool"
)

// PC is a virtual PC with a disk, a network of its own behind which the host
// is 10.0.2.2, and one sound card (Intel HDA) that QEMU records. Between boots
// its disk stays. It has no real-time clock that Linux would set its own from.
//
// It runs in real time, as its sound card does: on a host that does not let
// it run it is late, and its card hears gaps. Once it has booted, Priority
// puts it before other processes.
type PC struct {
	Dir  string // short: it holds sockets
	Disk string // the file of its ext4 file system, mounted by nobody

	kernel Kernel
	initrd string
}

// busybox is the shell of the guests, a static program.
const busybox = "/bin/busybox"

var pcModules = []string{"virtio-pci", "virtio-blk", "virtio-net", "crc32c_generic", "ext4", "snd-hda-codec-generic", "snd-hda-intel"}

// NewPC makes a PC whose root file system holds programs, from the host by
// their place in the guest, besides busybox. The disk has diskMB megabytes and
// an empty file system. Where something it takes is missing, the test skips.
func NewPC(t testing.TB, diskMB int, programs map[string]string) *PC {
	t.Helper()
	needtool.Need(t, "qemu-system-x86_64", "go", "mkfs.ext4", "e2fsck", busybox)
	p := &PC{kernel: FetchKernel(t, "linux-image-amd64", "amd64", pcModules)}
	dir, err := os.MkdirTemp("", "gcpc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p.Dir, p.Disk, p.initrd = dir, filepath.Join(dir, "disk"), filepath.Join(dir, "initrd")
	files := map[string]string{"/bin/busybox": busybox}
	for place, from := range programs {
		files[place] = from
	}
	if err := Initramfs(p.initrd, BuildInit(t, dir, "GOARCH=amd64"), p.kernel, files); err != nil {
		t.Fatal(err)
	}
	disk, err := os.Create(p.Disk)
	if err == nil {
		err = disk.Truncate(int64(diskMB) << 20)
	}
	if err != nil {
		t.Fatal(err)
	}
	disk.Close()
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", p.Disk).CombinedOutput(); err != nil {
		t.Fatalf("making a file system: %v\n%s", err, out)
	}
	return p
}

// Setting is how a PC is switched on.
type Setting struct {
	RTC   string // what its clock says, in QEMU's form: 1970-01-01T00:00:00
	Sound string // WAV file of what its card plays

	// Forwards are TCP ports of the host's loopback that lead to the same ports
	// of the PC.
	Forwards []string

	// Skip lets the PC's time, and with it its card, count its instructions, 4
	// ns each, and jump where it is idle: nothing in it depends on how busy the
	// host is, and an hour of waiting takes seconds. Only who is outside seems
	// slow to it: see Hurry.
	Skip bool
}

// Args returns what boots the PC. QEMU writes to the disk's file only what the
// guest flushed or its kernel wrote back.
func (p *PC) Args(s Setting) []string {
	net := "user,id=net0"
	for _, port := range s.Forwards {
		net += ",hostfwd=tcp:127.0.0.1:" + port + "-:" + port
	}
	args := []string{
		"-machine", "q35,accel=tcg", "-cpu", "max", "-m", "512", "-rtc", "base=" + s.RTC,
		"-kernel", p.kernel.Image, "-initrd", p.initrd,
		"-append", "console=ttyS0 quiet loglevel=1 panic=-1 initcall_blacklist=cmos_init",
		"-drive", "file=" + p.Disk + ",format=raw,if=virtio,cache=writeback",
		"-netdev", net, "-device", "virtio-net-pci,netdev=net0,id=nic0",
		"-audiodev", "wav,id=hda,out.frequency=48000,path=" + s.Sound,
		"-device", "ich9-intel-hda", "-device", "hda-output,audiodev=hda",
	}
	if s.Skip {
		args = append(args, "-icount", "shift=2,sleep=off")
	}
	return args
}

// Setup is the script that mounts the disk at /disk and brings the network up.
const Setup = `
busybox mount -t ext4 /dev/vda /disk
busybox ip link set lo up
busybox ip link set eth0 up
busybox ip addr add 10.0.2.15/24 dev eth0
busybox ip route add default via 10.0.2.2
`
