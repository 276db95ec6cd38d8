package guest

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"gatecast/internal/needtool"
)

// debian is where the kernels come from.
const (
	debian  = "http://deb.debian.org/debian"
	suite   = "bookworm"
	keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
)

// Kernel is a Debian kernel with some of its modules, as files.
type Kernel struct {
	Image   string
	Modules []string // in the order of loading
}

// edition names the choice of modules that is kept; another one is another
// folder.
const edition = "3"

// FetchKernel returns the kernel of a metapackage for a Debian architecture,
// with the given modules and everything they depend on. It is downloaded once
// into the cache folder; where it cannot be, the test skips. Safe for
// concurrent use, also by several processes.
func FetchKernel(t testing.TB, meta, arch string, modules []string) Kernel {
	t.Helper()
	needtool.Need(t, "apt-get", "apt-cache", "dpkg-deb", "xz", keyring)
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "gatecast", "guest", meta+"-"+edition)
	if _, err := os.Stat(filepath.Join(dir, "vmlinuz")); err != nil {
		if err := download(dir, meta, arch); err != nil {
			needtool.Missing(t, "the kernel "+meta+" ("+err.Error()+")")
		}
	}
	k := Kernel{Image: filepath.Join(dir, "vmlinuz")}
	if plain := filepath.Join(dir, "vmlinux"); arch == "amd64" {
		if _, err := os.Stat(plain); err == nil {
			k.Image = plain
		}
	}
	for _, m := range modules {
		if err := k.require(dir, m); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

// require appends a module behind what it depends on. A module that the kernel
// has built in has no file, and needs none.
func (k *Kernel) require(dir, module string) error {
	name := filepath.Join(dir, strings.ReplaceAll(module, "-", "_")+".ko")
	if slices.Contains(k.Modules, name) {
		return nil
	}
	f, err := elf.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading module %q: %w", module, err)
	}
	defer f.Close()
	info, err := f.Section(".modinfo").Data()
	if err != nil {
		return fmt.Errorf("reading module %q: %w", module, err)
	}
	for field := range bytes.SplitSeq(info, []byte{0}) {
		depends, ok := strings.CutPrefix(string(field), "depends=")
		if !ok || depends == "" {
			continue
		}
		for _, d := range strings.Split(depends, ",") {
			if err := k.require(dir, d); err != nil {
				return err
			}
		}
	}
	k.Modules = append(k.Modules, name)
	return nil
}

// download fetches the newest kernel of the metapackage by a private apt, and
// keeps its image and the modules worth keeping in dir.
func download(dir, meta, arch string) error {
	work, err := os.MkdirTemp("", "gatecast-apt")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	conf, err := privateApt(work, arch)
	if err != nil {
		return err
	}
	apt := func(name string, args ...string) (string, error) {
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), "APT_CONFIG="+conf, "LC_ALL=C")
		cmd.Dir = work
		out, err := cmd.CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("%s %v: %w: %s", name, args, err, bytes.TrimSpace(out))
		}
		return string(out), nil
	}
	if _, err := apt("apt-get", "update", "-qq"); err != nil {
		return err
	}
	show, err := apt("apt-cache", "show", meta)
	if err != nil {
		return err
	}
	m := regexp.MustCompile(`Depends: (linux-image-\S+)`).FindStringSubmatch(show)
	if m == nil {
		return fmt.Errorf("%s names no kernel", meta)
	}
	if _, err := apt("apt-get", "download", "-qq", m[1]); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("apt-get download left %v (%w)", debs, err)
	}
	return unpack(debs[0], dir)
}

// privateApt writes an apt configuration that touches nothing outside work.
func privateApt(work, arch string) (conf string, err error) {
	for _, d := range []string{"lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d", "etc/sources.d"} {
		if err := os.MkdirAll(filepath.Join(work, d), 0o755); err != nil {
			return "", err
		}
	}
	list := filepath.Join(work, "etc", "sources.list")
	source := fmt.Sprintf("deb [arch=%s signed-by=%s] %s %s main\n", arch, keyring, debian, suite)
	if err := os.WriteFile(list, []byte(source), 0o644); err != nil {
		return "", err
	}
	status := filepath.Join(work, "status")
	if err := os.WriteFile(status, nil, 0o644); err != nil {
		return "", err
	}
	conf = filepath.Join(work, "apt.conf")
	text := fmt.Sprintf(`APT::Architecture %q;
APT::Architectures { %q; };
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State::lists "%[3]s/lists";
Dir::State::status "%[3]s/status";
Dir::Cache "%[3]s/cache";
Dir::Etc "%[3]s/etc";
Dir::Etc::sourcelist "%[3]s/etc/sources.list";
Dir::Etc::sourceparts "%[3]s/etc/sources.d";
Dir::Etc::parts "%[3]s/etc/apt.conf.d";
`, arch, arch, work)
	return conf, os.WriteFile(conf, []byte(text), 0o644)
}

// kept matches the modules worth keeping, of some 4,000: sound and its buses,
// and what a disk and a network of virtio take.
var kept = regexp.MustCompile(`/kernel/(?:(?:sound|drivers/usb|drivers/pci|drivers/input|drivers/leds|drivers/acpi|drivers/virt|drivers/media/mc|lib|drivers/firmware|drivers/virtio|net/core|fs/ext4|fs/jbd2|crypto)/.*|fs/mbcache|drivers/block/virtio_blk|drivers/net/virtio_net|drivers/net/net_failover)\.ko$`)

// unpack keeps the image and the modules of a kernel package in dir, which
// appears complete or not at all.
func unpack(deb, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	part, err := os.MkdirTemp(filepath.Dir(dir), "part")
	if err != nil {
		return err
	}
	defer os.RemoveAll(part)
	cmd := exec.Command("dpkg-deb", "--fsys-tarfile", deb)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	for files := tar.NewReader(out); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("unpacking %s: %w", deb, err)
		}
		name := strings.ReplaceAll(path.Base(h.Name), "-", "_")
		switch {
		case strings.Contains(h.Name, "/boot/vmlinuz-"):
			name = "vmlinuz"
		case !kept.MatchString(h.Name):
			continue
		}
		b, err := io.ReadAll(files)
		if err == nil {
			err = os.WriteFile(filepath.Join(part, name), b, 0o644)
		}
		if err != nil {
			return fmt.Errorf("unpacking %s: %w", h.Name, err)
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("unpacking %s: %w", deb, err)
	}
	if err := inflate(part); err != nil {
		return err
	}
	if err := os.Chmod(part, 0o755); err != nil {
		return err
	}
	if err := os.Rename(part, dir); err != nil && !errors.Is(err, os.ErrExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return err
	}
	return nil // or another test brought the same
}

// inflate unpacks the kernel inside the image of a PC, if there is one, which
// an emulated processor would take seconds for at each boot; QEMU boots it as
// it is.
func inflate(dir string) error {
	image, err := os.ReadFile(filepath.Join(dir, "vmlinuz"))
	if err != nil {
		return err
	}
	// The header of the x86 boot protocol (Documentation/arch/x86/boot.rst)
	// stands at 0x202; what looks packed in another image is something else.
	if len(image) < 0x206 || string(image[0x202:0x206]) != "HdrS" {
		return nil
	}
	packed := bytes.Index(image, []byte("\xfd7zXZ\x00"))
	if packed < 0 {
		return nil
	}
	cmd := exec.Command("xz", "-dc", "--single-stream")
	cmd.Stdin = bytes.NewReader(image[packed:])
	plain, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("unpacking the kernel: %w", err)
	}
	if !bytes.HasPrefix(plain, []byte(elf.ELFMAG)) {
		return nil
	}
	return os.WriteFile(filepath.Join(dir, "vmlinux"), plain, 0o644)
}
