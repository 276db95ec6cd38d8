package store

import (
	"context"
	"encoding/json"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// PlanInForce returns the plan that the device at a point had taken last at an
// instant, by its own journal. A point whose journals tell of none, yet, yields
// a *fleet.Error of code NotFound.
func (s *Store) PlanInForce(ctx context.Context, p fleet.PointID, at time.Time) (fleet.PlanInForce, error) {
	// A refused plan leaves the one before in force; a device refuses the same
	// one over and over, so a row at a time would be read for long.
	const query = `SELECT ` + recordColumns + ` FROM ` + recordTables + ` WHERE r.id = (
  SELECT id FROM records WHERE point_id = ? AND slot IS NULL AND kind = 'plan' AND at_us > 0 AND at_us <= ?
    AND CASE WHEN json_valid(CAST(raw AS TEXT)) THEN coalesce(json_extract(CAST(raw AS TEXT), '$.body.refused'), '') = '' ELSE 0 END ORDER BY at_us DESC, id DESC LIMIT 1)`
	r, err := one(ctx, s, "设备没有报告过计划。", "No device has reported a plan.", scanRecord, query, p, wire.US(at))
	if err != nil {
		return fleet.PlanInForce{}, err
	}
	var taken wire.PlanTaken
	if err := json.Unmarshal(r.Body, &taken); err != nil {
		return fleet.PlanInForce{}, err
	}
	return fleet.PlanInForce{Device: r.Device, Version: taken.Version, SHA256: taken.SHA256, Taken: r.At, Log: r.Log, Seq: r.Seq}, nil
}

// maxReceipts bounds ReceiptsFrom: the records of one slot lie within a receipt
// or two.
const maxReceipts = 32

// ReceiptsFrom returns the receipts of a journal that cover seq or more, the
// earliest first, without their envelopes; none where none does yet.
func (s *Store) ReceiptsFrom(ctx context.Context, id wire.DeviceID, log wire.LogID, seq wire.Seq) ([]fleet.Receipt, error) {
	return list(ctx, s, "receipts", func(sc scanner) (r fleet.Receipt, err error) {
		var number, upto int64
		err = sc.Scan(&r.Device, &r.Log, &number, &upto, &r.Count, &r.Day, &r.IssuedUS, &r.SHA256)
		r.Version, r.Upto, r.Type = uint64(number), wire.Seq(upto), wire.DocReceipt
		return r, err
	}, `SELECT d.name, l.log, c.number, c.upto, c.count, c.day, c.issued_us, c.sha256 FROM receipts c JOIN devices d ON d.id = c.device_id JOIN logs l ON l.id = c.log_id
WHERE d.name = ? AND l.log = ? AND c.upto >= ? ORDER BY c.upto, c.number`+page(maxReceipts, 0), id, log, seq)
}
