package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"gatecast/agent"
	"gatecast/agent/enrol"
)

// join enrols the device with the operands of the pasted line.
func (p *program) join(ctx context.Context, words []string) error {
	line, err := enrol.ParseJoinLine(strings.Join(words, " "))
	if err != nil {
		return err
	}
	dir := agent.DirsOf(p.cfg.DataDir).Identity
	id, err := enrol.Join(ctx, enrol.Request{Line: line, Dir: dir, Hardware: agent.Hardware()})
	if err != nil {
		return err
	}
	if err := handOver(p.cfg.DataDir, dir); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "已入网：点位 %s %s，设备 %s，控制中心 %s\n", id.Point, id.PointName, id.Device, id.URL)
	fmt.Fprintf(p.out, "Enrolled: point %s, device %s, controller %s\n", id.Point, id.Device, id.URL)
	fmt.Fprintln(p.out, "下一步 · next: systemctl restart gatecast-agent（没有用 systemd 时 · without systemd: gatecast-agent run）")
	return nil
}

// handOver gives what root has just made below dataDir to the account that
// owns dataDir, the one that the daemon runs as.
func handOver(dataDir, dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	fi, err := os.Stat(dataDir)
	if err != nil {
		return fmt.Errorf("looking at the data folder: %w", err)
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(st.Uid), int(st.Gid))
	})
}
