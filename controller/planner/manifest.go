package planner

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// manifestState is the manifest in force; the zero value means not known yet.
type manifestState struct {
	content string // without its header
	version uint64
	inForce bool // by a key that devices believe
}

// ensureManifest seals a new manifest when the approved clips or the ceilings
// changed since the last one, or the library key did. In strict mode the
// present one stays until the approver's is imported.
func (p *Planner) ensureManifest(ctx context.Context, w *world, now time.Time) error {
	if p.o.Sealer.Strict() {
		return nil // the approver does: see TakeManifest
	}
	m := p.wanted(w)
	m.Clips = append(m.Clips, p.urgentClips(w, now)...)
	if p.manifest.version == 0 {
		if err := p.recallManifest(ctx); err != nil {
			return err
		}
	}
	content, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding manifest: %w", err)
	}
	if p.manifest.version != 0 && string(content) == p.manifest.content && p.manifest.inForce && !p.reseal {
		return nil
	}
	// By the clock, because devices do not say which one they have: a number
	// counted from a restored backup could be below it, and be refused.
	m.Header = wire.Header{Type: wire.DocManifest, Version: max(p.manifest.version+1, uint64(max(0, now.Unix()))), IssuedUS: wire.US(now)}
	envelope, err := p.o.Sealer.SealManifest(&m)
	if err != nil {
		return fmt.Errorf("sealing manifest: %w", err)
	}
	doc := fleet.Doc{SHA256: seal.Hash(envelope), Type: wire.DocManifest, Version: m.Version, Bytes: envelope, Stored: now}
	if err := p.o.Documents.PutDocs(ctx, []fleet.Doc{doc}); err != nil {
		return fmt.Errorf("storing manifest: %w", err)
	}
	p.manifest, p.reseal = manifestState{string(content), m.Version, true}, false
	p.o.Logger.Info("manifest sealed", "version", m.Version, "clips", len(m.Clips))
	return nil
}

// recallManifest finds the version in force after a restart.
func (p *Planner) recallManifest(ctx context.Context) error {
	doc, err := p.o.Documents.LatestDoc(ctx, "", wire.DocManifest)
	if fleet.CodeOf(err) == fleet.NotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading manifest: %w", err)
	}
	m, err := seal.Peek[wire.Manifest](doc.Bytes)
	if err != nil {
		return fmt.Errorf("reading manifest version %d: %w", doc.Version, err)
	}
	m.Header = wire.Header{}
	content, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding manifest: %w", err)
	}
	p.manifest = manifestState{string(content), doc.Version, p.o.Sealer.InForce(wire.DocManifest, doc.Bytes)}
	return nil
}
