package notary

import (
	"context"
	"fmt"
	"io"
	"time"

	"gatecast/internal/audit"
	"gatecast/internal/wire"
)

// Export signs the newest line and writes the whole audit to w, in the form
// that audit.Verify checks; root is the envelope of the trust root.
func (a *AuditSigner) Export(ctx context.Context, w io.Writer, office string, root []byte, now time.Time) error {
	last, err := a.Sign(ctx, now)
	if err != nil {
		return err
	}
	heads, err := a.o.Store.AuditHeads(ctx)
	if err != nil {
		return fmt.Errorf("reading the heads of the audit: %w", err)
	}
	var envelopes [][]byte
	for _, h := range heads {
		if h.Number <= last.Number { // somebody may have signed a further one just now
			envelopes = append(envelopes, h.Envelope)
		}
	}
	out, err := audit.NewWriter(w, audit.Preface{Office: office, Zone: a.o.Zone.String(), MadeUS: wire.US(now), Upto: last.Line, Root: root}, envelopes)
	if err != nil {
		return fmt.Errorf("writing audit: %w", err)
	}
	if last.Line > 0 {
		if err := a.o.Store.EachAudit(ctx, last.Line, out.Add); err != nil {
			return fmt.Errorf("writing audit: %w", err)
		}
	}
	return out.Close()
}
