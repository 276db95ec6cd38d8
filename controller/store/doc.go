package store

import (
	"context"
	"slices"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// docChunk is how many documents go into one transaction: 50 plans of 40 KB
// are written in about the time that others may be kept waiting.
const docChunk = 50

// PutDocs keeps sealed documents as the bytes that were signed; one that is
// there already is left as it is. Each document is durable or absent.
func (s *Store) PutDocs(ctx context.Context, docs []fleet.Doc) error {
	now := wire.US(s.clock())
	for chunk := range slices.Chunk(docs, docChunk) {
		_, err := changeBulk(ctx, s, func(t *tx) (none, error) { return none{}, putDocsTx(t, chunk, now) })
		if err != nil {
			return err
		}
	}
	return nil
}

func putDocsTx(t *tx, docs []fleet.Doc, now int64) error {
	for _, d := range docs {
		if _, err := t.exec(`INSERT OR IGNORE INTO docs (sha256, type, device, version, stored_us, bytes) VALUES (?, ?, ?, ?, ?, ?)`,
			d.SHA256, d.Type, d.Device, int64(d.Version), now, d.Bytes); err != nil {
			return err
		}
	}
	return nil
}

// PutPlans keeps plans, makes each the one that its device should have, and
// drops the device's plans that it neither should have nor has. Each device's
// part is done wholly or not at all.
func (s *Store) PutPlans(ctx context.Context, plans []fleet.Doc) error {
	now := wire.US(s.clock())
	for chunk := range slices.Chunk(plans, docChunk) {
		_, err := change(ctx, s, func(t *tx) (none, error) {
			if err := putDocsTx(t, chunk, now); err != nil {
				return none{}, err
			}
			want := make([]fleet.Wanted, len(chunk))
			for i, d := range chunk {
				want[i] = fleet.Wanted{Device: d.Device, Version: d.Version, SHA256: d.SHA256}
			}
			if err := s.wantTx(t, want); err != nil {
				return none{}, err
			}
			for _, d := range chunk {
				if err := s.pruneTx(t, d.Device, d.SHA256); err != nil {
					return none{}, err
				}
			}
			return none{}, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) pruneTx(t *tx, id wire.DeviceID, want string) error {
	d, err := s.device(id)
	if err != nil {
		return err
	}
	_, err = t.exec(`DELETE FROM docs WHERE device = ? AND type = ? AND sha256 NOT IN (?, ?)`, id, wire.DocPlan, want, d.PlanHash)
	return err
}

// PrunePlans drops the plans of every device that it neither should have nor
// has.
func (s *Store) PrunePlans(ctx context.Context) error {
	all, err := s.Devices(ctx)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(all, docChunk) {
		_, err := change(ctx, s, func(t *tx) (none, error) {
			for _, d := range chunk {
				if err := s.pruneTx(t, d.ID, d.WantHash); err != nil {
					return none{}, err
				}
			}
			return none{}, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

var noDoc = &fleet.Error{
	Code:   fleet.NotFound,
	Text:   "控制端没有这份签名文件，设备会自动重新获取最新的一份。",
	TextEN: "The controller does not have this document; the device will fetch the newest one by itself.",
}

// Doc returns the bytes of the document with that hash, in hex, or a
// *fleet.Error of code NotFound.
func (s *Store) Doc(ctx context.Context, sha256 string) ([]byte, error) {
	var b []byte
	err := s.read.QueryRowContext(ctx, `SELECT bytes FROM docs WHERE sha256 = ?`, sha256).Scan(&b)
	return b, notFound(err, noDoc)
}

// LatestDoc returns the document of that type and audience with the highest
// version, or a *fleet.Error of code NotFound. An empty device asks for the
// document of every device.
func (s *Store) LatestDoc(ctx context.Context, device wire.DeviceID, typ wire.DocType) (fleet.Doc, error) {
	d := fleet.Doc{Device: device, Type: typ}
	var version, stored int64
	err := s.read.QueryRowContext(ctx, `SELECT sha256, version, stored_us, bytes FROM docs WHERE device = ? AND type = ? ORDER BY version DESC, stored_us DESC LIMIT 1`,
		device, typ).Scan(&d.SHA256, &version, &stored, &d.Bytes)
	d.Version, d.Stored = uint64(version), wire.FromUS(stored)
	return d, notFound(err, noDoc)
}
