package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gatecast/internal/evidence"
	"gatecast/internal/seal"
)

// slipCheck is what came of comparing a file with its slip.
type slipCheck struct {
	file, slip string // paths
	o          evidence.OpenedSlip
	err        error // nil: the file is the one that was handed out
}

// errNoSlipBeside means that a table has no slip beside it.
var errNoSlipBeside = errors.New("no slip beside the file")

// openSlip checks path if it is a slip, or a file with a slip; ok is false
// when it is something else. slip names the slip, empty for one in the same
// folder: with the file's name, else one about these very bytes.
func openSlip(path, slip, root string) (c slipCheck, ok bool, err error) {
	c = slipCheck{file: path, slip: slip}
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return c, false, nil // whoever opens it next says so
	}
	table := isTable(path)
	switch {
	case slip == "" && strings.HasSuffix(path, evidence.SlipSuffix):
		c.slip, c.file = path, ""
	case slip == "":
		c.slip, err = slipBeside(path)
		if err != nil && !table {
			return c, false, nil
		}
		if err != nil {
			return c, true, err
		}
	}
	data, err := readSlip(c.slip)
	if err != nil {
		return c, true, err
	}
	c.o, c.err = evidence.OpenSlip(data, root)
	if errors.Is(c.err, evidence.ErrNoSlip) {
		return c, true, c.err
	}
	if c.file == "" {
		c.file = strings.TrimSuffix(path, evidence.SlipSuffix)
		if _, err := os.Stat(c.file); err != nil {
			c.file = filepath.Join(filepath.Dir(path), filepath.Base(c.o.File))
		}
	}
	f, err := os.Open(c.file)
	if err != nil {
		return c, true, err
	}
	defer f.Close()
	if err := c.o.Check(f); c.err == nil {
		c.err = err
	}
	return c, true, nil
}

// isTable reports whether path is named like a table that the office hands
// out.
func isTable(path string) bool {
	ext := strings.ToLower(filepath.Ext(path))
	return ext == ".xlsx" || ext == ".csv" || ext == ".docx"
}

// slipBeside finds the slip of a file in its folder.
func slipBeside(path string) (string, error) {
	if _, err := os.Stat(path + evidence.SlipSuffix); err == nil {
		return path + evidence.SlipSuffix, nil
	}
	if !isTable(path) {
		return "", errNoSlipBeside
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum, _, err := evidence.Sum(f)
	if err != nil {
		return "", err
	}
	near, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"+evidence.SlipSuffix))
	if err != nil {
		return "", err
	}
	for _, name := range near { // the browser or a person gave the file another name
		data, err := readSlip(name)
		if err != nil {
			continue
		}
		if o, err := evidence.OpenSlip(data, ""); err == nil && o.SHA256 == sum {
			return name, nil
		}
	}
	return "", errNoSlipBeside
}

func readSlip(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, seal.MaxDocument+1))
}

// writeSlip says what was found and returns the exit status.
func (w verifyWords) writeSlip(c slipCheck, root string) int {
	o := c.o
	w.line("文件 %s（核验单 %s）", "File %s (slip %s)", c.file, c.slip)
	if errors.Is(c.err, evidence.ErrSlipForged) {
		w.line("不通过：核验单不是主控签的，或被改过。（%v）", "FAILED: the slip was not signed by the controller, or was changed. (%v)", c.err)
		return exitBad
	}
	w.line("核验单：%s，编号 %s，%s“%s”，%s 由 %s 导出", "Slip: %s, code %s, %s %q, handed out %s to %s", o.Office, o.Code, o.Title, o.File, stamp(o.IssuedUS), o.By)
	switch {
	case o.OtherRoot:
		w.line("不通过：信任根不是指定的那个。", "FAILED: the trust root is not the one that was named.")
		return exitBad
	case root != "":
		w.line("信任根 %s，与指定的一致", "trust root %s, as you named it", o.RootHash)
	default:
		w.line("信任根 %s：请与接入命令或街道公布的指纹核对，或用 --root 指定", "trust root %s: compare it with the join line or what the office published, or name it with --root", o.RootHash)
	}
	if c.err != nil {
		w.line("不通过：文件与导出时不同，被改动过，或不是这份核验单所指的文件。（SHA-256 应为 %s）",
			"FAILED: the file is not as it was handed out: it was changed, or the slip is about another one. (SHA-256 should be %s)", o.SHA256)
		return exitBad
	}
	w.line("通过：文件与主控导出时一字节不差。", "PASSED: every byte of the file is as the controller handed it out.")
	w.line("核验单不说明表中数字怎样得来；要从设备记录核对，请用“达标情况”页导出的证据包。",
		"A slip does not say how the figures came about; to check them against the records of the devices use the export of the compliance page.")
	return exitOK
}

// unusableSlip says why a file cannot be compared.
func (w verifyWords) unusableSlip(c slipCheck, err error) string {
	switch {
	case errors.Is(err, errNoSlipBeside):
		return fmt.Sprintf(w.pick("%s 旁边没有核验单。请按文件第一行的核验编号，在“周报 → 登记表”页下载核验单，与文件放在同一目录，或用 --slip 指定。",
			"There is no slip beside %s. Download it from the page Registers, under Weekly, by the code in the first line of the file, and put it into the same folder or name it with --slip."), c.file)
	case errors.Is(err, evidence.ErrNoSlip):
		return fmt.Sprintf(w.pick("%s 不是核验单。（%v）", "%s is no slip. (%v)"), c.slip, err)
	}
	return fmt.Sprintf(w.pick("无法读取：%v", "cannot be read: %v"), err)
}
