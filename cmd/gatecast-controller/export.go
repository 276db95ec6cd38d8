package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gatecast/controller/dossier"
	"gatecast/controller/fleet"
	"gatecast/internal/durable"
)

// exportTo writes the evidence of a period to a zip file or into a folder. It
// reads a copy of the database, so that the server may go on.
func (p *program) exportTo(ctx context.Context, path string, q dossier.Query) (err error) {
	zone, err := time.LoadLocation(p.cfg.Sound.Zone)
	if err != nil {
		return fmt.Errorf("sound.zone: %w", err)
	}
	db := filepath.Join(p.cfg.DataDir, "gatecast.db")
	if _, err := os.Stat(db); errors.Is(err, fs.ErrNotExist) {
		return &fleet.Error{Code: fleet.NotFound, Err: err,
			Text:   fmt.Sprintf("数据目录 %s 里没有数据库，请用 --data 或配置文件指明主控的数据目录", p.cfg.DataDir),
			TextEN: fmt.Sprintf("Data folder %s has no database; name the controller's with --data or the configuration", p.cfg.DataDir)}
	}
	if err := durable.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(path), ".gatecast-export-")
	if err != nil {
		return fmt.Errorf("preparing export: %w", err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // a folder left over is only ugly
	s, authority, err := p.openCopy(ctx, work)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	e, err := dossier.New(dossier.Options{Store: s, Trust: authority, Zone: zone, Office: p.cfg.Name})
	if err != nil {
		return err
	}
	if err := writeExport(ctx, e, work, path, q); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "证据包已写好 · exported: %s\n信任根 · trust root: %s\n核验 · verify: gatecast verify --root %s %s\n", path, authority.RootHash(), authority.RootHash(), path)
	return nil
}

// writeExport writes into a folder, or to a file that appears when it is whole.
func writeExport(ctx context.Context, e *dossier.Exporter, work, path string, q dossier.Query) error {
	if !strings.EqualFold(filepath.Ext(path), ".zip") {
		return e.Folder(ctx, path, q)
	}
	if _, err := os.Lstat(path); err == nil {
		return &fleet.Error{Code: fleet.Conflict,
			Text:   fmt.Sprintf("文件 %s 已经存在，请换一个名字", path),
			TextEN: fmt.Sprintf("File %s exists already. Choose another name", path)}
	}
	f, err := os.Create(filepath.Join(work, "export.zip"))
	if err != nil {
		return fmt.Errorf("writing export: %w", err)
	}
	if err := errors.Join(e.Zip(ctx, f, q), f.Sync(), f.Close()); err != nil {
		return err
	}
	return durable.Rename(f.Name(), path)
}
