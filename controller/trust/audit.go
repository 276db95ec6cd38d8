package trust

import (
	"errors"

	"gatecast/internal/audit"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// SealAuditHead signs h as director. Type is set; IssuedUS is set where it is
// 0. Number, line and its hash are required. h is not changed or kept.
func (a *Authority) SealAuditHead(h *audit.Head) ([]byte, error) {
	doc := *h
	if doc.Version == 0 || doc.Line < 1 || doc.Hash == "" {
		return nil, errors.New("sealing a head of the audit: number, line and its hash are required")
	}
	a.stamp(&doc.Header, wire.DocAudit)
	return seal.Sign(doc, a.director)
}
