package notary

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/audit"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// AuditStore keeps the audit and what was signed of it.
type AuditStore interface {
	AuditTail(ctx context.Context) (id int64, hash string, err error)
	LastAuditHead(ctx context.Context) (fleet.AuditHead, error)
	// AddAuditHead refuses a head that does not follow with code Conflict.
	AddAuditHead(ctx context.Context, h fleet.AuditHead) error
	AuditHeads(ctx context.Context) ([]fleet.AuditHead, error)
	// EachAudit calls see with every line up to upto in order.
	EachAudit(ctx context.Context, upto int64, see func(audit.Line) error) error
}

// AuditSealer signs heads with the director's key.
type AuditSealer interface {
	SealAuditHead(h *audit.Head) ([]byte, error)
	DirectorKeys() []seal.PublicKey
}

// AuditOptions of NewAuditSigner. Store, Sealer and Zone are required.
type AuditOptions struct {
	Store  AuditStore
	Sealer AuditSealer
	Zone   *time.Location              // of the day in a head
	Keep   func(envelope []byte) error // keeps a copy of the newest head outside of the store; nil does not
	Logger *slog.Logger                // nil discards
}

// AuditSigner signs the newest line of the audit. Safe for concurrent use.
type AuditSigner struct{ o AuditOptions }

// NewAuditSigner checks o.
func NewAuditSigner(o AuditOptions) (*AuditSigner, error) {
	if o.Store == nil || o.Sealer == nil || o.Zone == nil {
		return nil, errors.New("audit signer options: Store, Sealer and Zone are required")
	}
	if o.Keep == nil {
		o.Keep = func([]byte) error { return nil }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &AuditSigner{o}, nil
}

// Sign signs the newest line and returns the head for it; there is none, the
// zero value, while the audit is empty. A line that has a head by a key in
// force gets no second one.
func (a *AuditSigner) Sign(ctx context.Context, now time.Time) (fleet.AuditHead, error) {
	for try := 0; ; try++ {
		h, err := a.sign(ctx, now)
		if fleet.CodeOf(err) == fleet.Conflict && try < 10 {
			continue // somebody else signed just now
		}
		return h, err
	}
}

func (a *AuditSigner) sign(ctx context.Context, now time.Time) (fleet.AuditHead, error) {
	last, err := a.o.Store.LastAuditHead(ctx)
	if err != nil {
		return fleet.AuditHead{}, fmt.Errorf("reading the newest head of the audit: %w", err)
	}
	line, hash, err := a.o.Store.AuditTail(ctx)
	if err != nil {
		return fleet.AuditHead{}, fmt.Errorf("reading the end of the audit: %w", err)
	}
	if line == 0 {
		return last, nil
	}
	prev := ""
	if last.Number > 0 {
		if _, err := audit.OpenHead(last.Envelope, a.o.Sealer.DirectorKeys()); err == nil && last.Line == line {
			return last, nil
		}
		prev = seal.Hash(last.Envelope)
	}
	h := audit.Head{
		Header: wire.Header{Version: last.Number + 1, IssuedUS: wire.US(now)},
		Line:   line, Hash: hash, Day: now.In(a.o.Zone).Format(time.DateOnly), Prev: prev,
	}
	envelope, err := a.o.Sealer.SealAuditHead(&h)
	if err != nil {
		return fleet.AuditHead{}, fmt.Errorf("signing the audit: %w", err)
	}
	head := fleet.AuditHead{Number: h.Version, Line: line, Signed: now, Envelope: envelope}
	if err := a.o.Store.AddAuditHead(ctx, head); err != nil {
		return fleet.AuditHead{}, err
	}
	// Also outside of the database: whoever has that alone cannot take it back.
	a.o.Logger.Info("audit signed", "line", line, "hash", hash, "number", h.Version)
	if err := a.o.Keep(envelope); err != nil {
		a.o.Logger.Warn("keeping the newest head of the audit", "err", err)
	}
	return head, nil
}
