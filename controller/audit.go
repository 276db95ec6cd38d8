package controller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/internal/audit"
	"gatecast/internal/durable"
	"gatecast/internal/seal"
)

// AuditHeadFile is the copy of the newest signature under the audit, in the
// trust folder: whoever has the database alone cannot cut the audit off
// unseen. One that goes further than the database, as after a restore, is kept
// beside it as audit-head-NUMBER.json.
const AuditHeadFile = "audit-head.json"

// officeAudit is the audit for the pages.
type officeAudit struct {
	*store.Store
	c *Controller
}

func (a officeAudit) ExportAudit(ctx context.Context, w io.Writer) error {
	return a.c.auditor.Export(ctx, w, a.c.o.Config.Name, a.c.Trust.RootEnvelope(), time.Now())
}

// tidyEvery is how often the retention is applied.
const tidyEvery = 6 * time.Hour

// tidy drops what is older than the retention, and the numbers of those who
// left, at the start and from time to time until ctx ends.
func (c *Controller) tidy(ctx context.Context) error {
	if err := c.noteRetention(ctx, time.Now()); err != nil && ctx.Err() == nil {
		c.logger.Warn("noting the retention", "err", err)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		timer.Reset(tidyEvery)
		now := time.Now()
		n, err := c.Store.PruneAudit(ctx, c.o.Config.Retention.Audit(), now)
		if err != nil && ctx.Err() == nil {
			c.logger.Warn("dropping old lines of the audit", "err", err)
		}
		erased, err := c.Store.ErasePhones(ctx, c.o.Config.Retention.Phone(), now)
		if err != nil && ctx.Err() == nil {
			c.logger.Warn("erasing telephone numbers of those who left", "err", err)
		}
		c.pruneShots(ctx, now)
		c.tidyMedia(ctx, now)
		if n > 0 || erased > 0 {
			c.logger.Info("retention applied", "audit_lines", n, "phones", erased)
		}
	}
}

// settingRetention holds the retention that was in force last, in days.
const settingRetention = "audit.retention_days"

// noteRetention tells the audit when the retention is another one than before.
func (c *Controller) noteRetention(ctx context.Context, now time.Time) error {
	before, err := c.Store.Setting(ctx, settingRetention)
	if err != nil {
		return err
	}
	days := strconv.Itoa(c.o.Config.Retention.AuditDays)
	if before == days {
		return nil
	}
	if before != "" {
		ctx, _ = fleet.WithAudit(ctx, fleet.Audit{At: now, Who: fleet.AuditSelf, What: fleet.AuditRetention, Object: days, Before: before, After: days})
	}
	return c.Store.SetSetting(ctx, settingRetention, days)
}

// keepAuditHead replaces the copy by envelope.
func (c *Controller) keepAuditHead(envelope []byte) error {
	path := filepath.Join(c.o.Config.DataDir, "trust", AuditHeadFile)
	fresh, err := seal.Peek[audit.Head](envelope)
	if err != nil {
		return err
	}
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the head kept last: %w", err)
	}
	if h, err := seal.Peek[audit.Head](old); err == nil && h.Version >= fresh.Version && seal.Hash(old) != seal.Hash(envelope) {
		c.logger.Warn("the audit was signed further than the database goes", "signed", h.Line, "here", fresh.Line)
		aside := filepath.Join(filepath.Dir(path), fmt.Sprintf("audit-head-%d.json", h.Version))
		if err := durable.WriteFile(aside, old, 0o600); err != nil {
			return err
		}
	}
	return durable.WriteFile(path, envelope, 0o600)
}
