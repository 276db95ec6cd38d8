package controller

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gatecast/internal/audit"
	"gatecast/internal/durable"
	"gatecast/internal/seal"
)

// AuditHeadFile is the copy of the newest signature under the audit, in the
// trust folder: whoever has the database alone cannot cut the audit off
// unseen. One that goes further than the database, as after a restore, is kept
// beside it as audit-head-NUMBER.json.
const AuditHeadFile = "audit-head.json"

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
