package vmtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
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

// writeInitramfs writes a root file system whose init is the given static
// program, with the modules and the order to load them in.
func writeInitramfs(name, init string, k kernel) error {
	program, err := os.ReadFile(init)
	if err != nil {
		return err
	}
	var c cpio
	for _, d := range []string{"dev", "proc", "sys", "tmp", "modules"} {
		c.add(d, modeFolder, nil, 0, 0)
	}
	c.add("dev/console", modeDevice, nil, 5, 1)
	c.add("init", modeFile, program, 0, 0)
	var order []string
	for _, m := range k.modules {
		b, err := os.ReadFile(m)
		if err != nil {
			return err
		}
		order = append(order, filepath.Base(m))
		c.add("modules/"+filepath.Base(m), modeFile, b, 0, 0)
	}
	c.add("modules/order", modeFile, []byte(strings.Join(order, "\n")), 0, 0)
	c.add("TRAILER!!!", 0, nil, 0, 0)
	return os.WriteFile(name, c.Bytes(), 0o644)
}
