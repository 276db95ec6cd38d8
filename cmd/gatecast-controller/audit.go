package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"gatecast/controller"
	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/controller/trust"
	"gatecast/internal/audit"
	"gatecast/internal/seal"
)

// auditVerify checks the whole audit of the data folder, in a copy of the
// database, so that the server may go on.
func (p *program) auditVerify(ctx context.Context) (err error) {
	work, err := os.MkdirTemp("", "gatecast-audit-")
	if err != nil {
		return fmt.Errorf("preparing check: %w", err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // a folder left over is only ugly
	s, authority, err := p.openCopy(ctx, work)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	kept, err := keptHeads(filepath.Join(p.cfg.DataDir, "trust"), authority.DirectorKeys())
	if err != nil {
		return err
	}
	heads, err := s.AuditHeads(ctx)
	if err != nil {
		return err
	}
	envelopes := make([][]byte, len(heads))
	for i, h := range heads {
		envelopes[i] = h.Envelope
	}
	c := audit.NewChecker(envelopes, authority.DirectorKeys())
	for _, h := range kept {
		c.Witness(h)
	}
	if err := s.EachAudit(ctx, 0, func(l audit.Line) error { c.Add(l); return nil }); err != nil {
		return err
	}
	return p.auditResult(c.Finish())
}

// openCopy opens a copy of the database, made in work, and the keys beside the
// original. The caller closes the store.
func (p *program) openCopy(ctx context.Context, work string) (*store.Store, *trust.Authority, error) {
	copied := filepath.Join(work, "gatecast.db")
	if err := store.CopyFile(ctx, filepath.Join(p.cfg.DataDir, "gatecast.db"), copied); err != nil {
		return nil, nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	s, err := store.Open(ctx, copied, store.Options{Logger: quiet, KeyFile: p.keyFile()})
	if err != nil {
		return nil, nil, err
	}
	authority, err := trust.Open(filepath.Join(p.cfg.DataDir, "trust"), trust.Options{Names: p.cfg.Hosts, Logger: quiet})
	if err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return s, authority, nil
}

// keptHeads reads the heads that stand outside of the database.
func keptHeads(dir string, director []seal.PublicKey) (all []audit.Head, err error) {
	names, err := filepath.Glob(filepath.Join(dir, strings.TrimSuffix(controller.AuditHeadFile, ".json")+"*.json"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		envelope, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the kept head of the audit: %w", err)
		}
		if h, err := audit.OpenHead(envelope, director); err == nil {
			all = append(all, h)
		}
	}
	return all, nil
}

// auditResult prints what was found; an audit that does not hold is an error.
func (p *program) auditResult(r audit.Report) error {
	fmt.Fprintf(p.out, "审计第 %d 至 %d 条，主控签名 %d 次，覆盖到第 %d 条\nLines %d to %d, %d signatures of the controller, signed up to %d\n",
		r.First, r.Last, r.Heads, r.Signed, r.First, r.Last, r.Heads, r.Signed)
	if r.Pruned > 0 {
		fmt.Fprintf(p.out, "第 %d 条及以前已按保存期限清除，有记录为证\nLines up to %d were dropped by the retention, as a line says\n", r.Pruned, r.Pruned)
	}
	for _, h := range r.Forgotten {
		fmt.Fprintf(p.out, "注意：%s 签过第 %d 条，现在的库里没有这一条；其间恢复过备份（%d 次），请核对恢复时间\nNote: line %d was signed on %s and is not in this database; a backup was restored (%d times): compare the times\n",
			h.Day, h.Line, r.Restores, h.Line, h.Day, r.Restores)
	}
	if len(r.Faults) > 0 {
		for _, f := range r.Faults[1:] {
			fmt.Fprintf(p.out, "  %v\n", f)
		}
		return &fleet.Error{Code: fleet.Conflict,
			Text:   "审计不完整或被改过。第一处问题：" + r.Faults[0].Error(),
			TextEN: "The audit was changed or is not whole. The first thing wrong: " + r.Faults[0].Error()}
	}
	if r.Signed < r.Last {
		fmt.Fprintf(p.out, "第 %d 条以后还没有签名（每天签一次，导出时也签）\nLines behind %d are not signed yet (once a day, and at each export)\n", r.Signed, r.Signed)
	}
	fmt.Fprintln(p.out, "通过 · PASSED")
	return nil
}
