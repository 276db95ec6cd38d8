package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"gatecast/controller/backup"
)

// backup writes everything that cannot be made again to one file.
func (p *program) backup(ctx context.Context, file string) error {
	passphrase := ""
	if !p.plain {
		var err error
		if passphrase, err = p.backupKey(); err != nil {
			return err
		}
	}
	s, err := backup.MakeSealed(ctx, p.cfg.DataDir, file, version(), passphrase, time.Now())
	if err != nil {
		return err
	}
	if _, err := backup.Check(ctx, file, passphrase, filepath.Dir(file)); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "已备份并核对 · backed up and checked: %s (%d 个文件 files, %.1f MB)\n", s.Path, s.Files, float64(s.Bytes)/1e6)
	if p.plain {
		fmt.Fprintln(p.out, "备份内含签名密钥且未加密，请妥善保管 · it holds the signing keys and is not encrypted: keep it safe")
	} else {
		fmt.Fprintln(p.out, "恢复时要用备份口令（backup passphrase）· a restore needs the passphrase")
	}
	return nil
}

// backupKey is what a file holds that was named, otherwise the office's own.
func (p *program) backupKey() (string, error) {
	if named, err := p.passphrase(); err != nil || named != nil {
		return string(named), err
	}
	return backup.Passphrase(filepath.Join(p.cfg.DataDir, "trust"))
}

// backupPassphrase prints the passphrase for paper.
func (p *program) backupPassphrase(context.Context) error {
	pass, err := p.backupKey()
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "%s\n备份口令。请抄在纸上，与备份分开存放；没有它，换了机器就打不开备份。\n"+
		"The passphrase of backups. Write it on paper and keep it apart from them: without it none opens on another machine.\n", pass)
	return nil
}

// withPassphrase calls try with the passphrase that is at hand, and asks for one where it
// takes another.
func (p *program) withPassphrase(try func(passphrase string) error) error {
	pass := ""
	kept := filepath.Join(p.cfg.DataDir, "trust", backup.PassphraseFile)
	if _, err := os.Stat(kept); err == nil || p.keys.passphrase != "" {
		if pass, err = p.backupKey(); err != nil {
			return err
		}
	}
	err := try(pass)
	if !errors.Is(err, backup.ErrPassphrase) {
		return err
	}
	fmt.Fprint(p.out, "备份口令 · passphrase of the backup: ")
	line, rerr := bufio.NewReader(p.in).ReadString('\n')
	if strings.TrimSpace(line) == "" {
		return errors.Join(err, rerr)
	}
	fmt.Fprintln(p.out)
	return try(strings.TrimSpace(line))
}

// restore puts a backup in place of the data folder's content.
func (p *program) restore(ctx context.Context, file string) error {
	if p.check {
		return p.withPassphrase(func(pass string) error {
			s, err := backup.Check(ctx, file, pass, "")
			if err == nil {
				fmt.Fprintf(p.out, "备份完好 · the backup is whole: %s（%s，%d 个文件 files，%.1f MB）\n", s.Path, s.Made.Local().Format(time.DateTime), s.Files, float64(s.Bytes)/1e6)
			}
			return err
		})
	}
	by := "console"
	if u, err := user.Current(); err == nil {
		by = u.Username
	}
	var r backup.Restored
	if err := p.withPassphrase(func(pass string) (err error) {
		r, err = backup.RestoreSealed(ctx, file, p.cfg.DataDir, by, pass, time.Now())
		return err
	}); err != nil {
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
