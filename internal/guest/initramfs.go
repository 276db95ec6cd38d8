package guest

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// cpio is an archive in the kernel's "newc" form.
type cpio struct {
	bytes.Buffer
	inode int
}

const (
	modeFolder = 0o040755
	modeFile   = 0o100755
	modeDevice = 0o020600
)

// add appends an entry. major and minor are of a device.
func (c *cpio) add(name string, mode int, body []byte, major, minor int) {
	c.inode++
	fmt.Fprintf(c, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		c.inode, mode, 0, 0, 1, 0, len(body), 0, 0, major, minor, len(name)+1, 0)
	c.WriteString(name + "\x00")
	c.pad()
	c.Write(body)
	c.pad()
}

func (c *cpio) pad() {
	for c.Len()%4 != 0 {
		c.WriteByte(0)
	}
}

// Initramfs writes a root file system to the file name: the static program
// init as /init, further programs from the host by their place in the guest,
// and the kernel's modules below /modules, with the order to load them in.
func Initramfs(name, init string, k Kernel, programs map[string]string) error {
	var c cpio
	made := map[string]bool{".": true}
	folder := func(dir string) {
		for parts, i := strings.Split(dir, "/"), 1; i <= len(parts); i++ {
			if d := strings.Join(parts[:i], "/"); !made[d] {
				made[d] = true
				c.add(d, modeFolder, nil, 0, 0)
			}
		}
	}
	for _, d := range []string{"dev", "proc", "sys", "tmp", "modules", "disk"} {
		folder(d)
	}
	c.add("dev/console", modeDevice, nil, 5, 1)
	files := map[string]string{"init": init}
	for place, from := range programs {
		files[strings.TrimPrefix(place, "/")] = from
	}
	var order []string
	for _, m := range k.Modules {
		order = append(order, filepath.Base(m))
		files["modules/"+filepath.Base(m)] = m
	}
	for _, place := range slices.Sorted(maps.Keys(files)) {
		b, err := os.ReadFile(files[place])
		if err != nil {
			return fmt.Errorf("packing %q: %w", place, err)
		}
		folder(path.Dir(place))
		c.add(place, modeFile, b, 0, 0)
	}
	c.add("modules/order", modeFile, []byte(strings.Join(order, "\n")), 0, 0)
	c.add("TRAILER!!!", 0, nil, 0, 0)
	return os.WriteFile(name, c.Bytes(), 0o644)
}
