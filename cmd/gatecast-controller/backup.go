package main

import (
	"context"
	"fmt"
	"os/user"
	"time"

	"gatecast/controller/backup"
)

// backup writes everything that cannot be made again to one file.
func (p *program) backup(ctx context.Context, file string) error {
	s, err := backup.Make(ctx, p.cfg.DataDir, file, version(), time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "已备份 · backed up: %s (%d 个文件 files, %.1f MB)\n"+
		"备份内含签名密钥且未加密，请妥善保管 · it holds the signing keys and is not encrypted: keep it safe\n", s.Path, s.Files, float64(s.Bytes)/1e6)
	return nil
}

// restore puts a backup in place of the data folder's content.
func (p *program) restore(ctx context.Context, file string) error {
	by := "console"
	if u, err := user.Current(); err == nil {
		by = u.Username
	}
	r, err := backup.Restore(ctx, file, p.cfg.DataDir, by, time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "已恢复自 · restored from: %s（%s）\n", r.Path, r.Made.Local().Format(time.DateTime))
	if r.Aside != "" {
		fmt.Fprintf(p.out, "原来的数据在 · what was there is in: %s\n", r.Aside)
	}
	fmt.Fprintf(p.out, "启动服务后，%d 台设备重新连接并补传之后的记录；计划比备份新的设备等待在网页上确认 · "+
		"start the service: %d devices connect again and deliver what the backup lacks; those with a newer plan wait for a confirmation on the pages\n", r.Devices, r.Devices)
	return nil
}
