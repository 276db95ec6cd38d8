package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"gatecast/controller/fleet"
	"gatecast/internal/evidence"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// RecordBytes returns the exact bytes of one record, or a *fleet.Error of code
// NotFound.
func (s *Store) RecordBytes(ctx context.Context, id wire.DeviceID, log wire.LogID, seq wire.Seq) ([]byte, error) {
	return one(ctx, s, fmt.Sprintf("没有设备 %s 的第 %d 号记录。", id, seq), fmt.Sprintf("There is no record %d of device %s.", seq, id),
		func(r scanner) (raw []byte, err error) { err = r.Scan(&raw); return raw, err },
		`SELECT r.raw FROM `+recordTables+` WHERE d.name = ? AND l.log = ? AND r.seq = ?`, id, log, int64(seq))
}

// AddBreaks keeps places where journals do not hold together and returns how
// many were not known. One whose journal has no record is left out.
func (s *Store) AddBreaks(ctx context.Context, all []fleet.Break) (int, error) {
	return change(ctx, s, func(t *tx) (fresh int, err error) {
		for _, b := range all {
			r, err := t.exec(`INSERT OR IGNORE INTO breaks (log_id, seq, code, detail, found_us)
SELECT l.id, ?, ?, ?, ? FROM logs l JOIN devices d ON d.id = l.device_id WHERE d.name = ? AND l.log = ?`,
				int64(b.Seq), string(b.Code), b.Detail, wire.US(b.Found), b.Device, b.Log)
			if err != nil {
				return 0, err
			}
			n, err := r.RowsAffected()
			if err != nil {
				return 0, err
			}
			fresh += int(n)
		}
		return fresh, nil
	})
}

// Breaks returns where journals of devices that were ever bound to p do not
// hold together, the newest first; p 0 means all.
func (s *Store) Breaks(ctx context.Context, p fleet.PointID, limit int) ([]fleet.Break, error) {
	var w where
	if p != 0 {
		w.add("l.device_id IN (SELECT device_id FROM bindings WHERE point_id = ?)", p)
	}
	return list(ctx, s, "breaks", func(r scanner) (b fleet.Break, err error) {
		var seq, found int64
		err = r.Scan(&b.Device, &b.Log, &seq, &b.Code, &b.Detail, &found)
		b.Seq, b.Found = wire.Seq(seq), wire.FromUS(found)
		return b, err
	}, `SELECT d.name, l.log, b.seq, b.code, b.detail, b.found_us FROM breaks b JOIN logs l ON l.id = b.log_id JOIN devices d ON d.id = l.device_id`+
		w.String()+` ORDER BY b.id DESC`+page(limit, 0), w.args...)
}

// Unsigned returns the journals that brought something besides checkpoints
// and receipts since their last receipt, by device. Those of revoked devices
// are left out.
func (s *Store) Unsigned(ctx context.Context) ([]fleet.Unsigned, error) {
	type row struct {
		fleet.Unsigned
		id   int64
		upto int64 // of the last receipt
	}
	all, err := list(ctx, s, "journals", func(r scanner) (v row, err error) {
		err = r.Scan(&v.id, &v.Device, &v.Log, &v.upto, &v.Count)
		return v, err
	}, `SELECT l.id, d.name, l.log, coalesce(c.upto, 0), coalesce(c.count, 0) FROM logs l JOIN devices d ON d.id = l.device_id
LEFT JOIN (SELECT log_id, max(upto) AS upto, max(count) AS count FROM receipts GROUP BY log_id) c ON c.log_id = l.id
WHERE d.state <> ? AND EXISTS (SELECT 1 FROM records r WHERE r.log_id = l.id AND r.seq > coalesce(c.upto, 0) AND r.kind NOT IN (?, ?))
ORDER BY d.name, l.id`, fleet.DeviceRevoked, wire.RecordReceipt, wire.RecordCheckpoint)
	if err != nil {
		return nil, err
	}
	var found []fleet.Unsigned
	for _, v := range all {
		a, err := s.AckState(ctx, v.Device, v.Log)
		if err != nil {
			return nil, err
		}
		upto := a.Upto
		if len(a.Missing) > 0 {
			upto = a.Missing[0].First - 1
		}
		var raw []byte
		var seq, more int64
		err = s.read.QueryRowContext(ctx, `SELECT seq, raw, (SELECT count(*) FROM records WHERE log_id = ?1 AND seq > ?3 AND seq <= ?2)
FROM records WHERE log_id = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1`, v.id, int64(upto), v.upto).Scan(&seq, &raw, &more)
		if errors.Is(err, sql.ErrNoRows) || err == nil && seq <= v.upto {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading journal %q of %q: %w", v.Log, v.Device, explain(err))
		}
		v.Upto, v.Hash, v.Count = wire.Seq(seq), evidence.Hash(raw), v.Count+more
		found = append(found, v.Unsigned)
	}
	return found, nil
}

// AddReceipt keeps a receipt that follows the newest one of its device; any
// other is a *fleet.Error of code Conflict. One that is there already is no
// error.
func (s *Store) AddReceipt(ctx context.Context, r fleet.Receipt) error {
	return s.AddReceipts(ctx, []fleet.Receipt{r})
}

// AddReceipts is AddReceipt for receipts of different devices, all or none.
func (s *Store) AddReceipts(ctx context.Context, all []fleet.Receipt) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		for _, r := range all {
			d, err := s.device(r.Device)
			if err != nil {
				return none{}, err
			}
			if err := addReceiptTx(t, s, d, r); err != nil {
				return none{}, err
			}
		}
		return none{}, nil
	})
	return err
}

func addReceiptTx(t *tx, s *Store, d *device, r fleet.Receipt) error {
	conflict := &fleet.Error{
		Code:   fleet.Conflict,
		Text:   fmt.Sprintf("设备 %s 的第 %d 号回执与已有的回执不衔接。", r.Device, r.Version),
		TextEN: fmt.Sprintf("Receipt %d of device %s does not follow from the ones there are.", r.Version, r.Device),
	}
	if d.Receipts >= r.Version {
		var sum string
		if err := t.row(`SELECT sha256 FROM receipts WHERE device_id = ? AND number = ?`, d.row, int64(r.Version)).Scan(&sum); err != nil {
			return err
		}
		if sum != r.SHA256 {
			return conflict
		}
		return nil
	}
	if d.Receipts+1 != r.Version || r.SHA256 != seal.Hash(r.Envelope) || d.receiptHash != r.Prev {
		return conflict
	}
	if _, err := t.exec(`INSERT INTO receipts (device_id, number, log_id, upto, count, day, issued_us, sha256, envelope)
VALUES (?, ?, (SELECT id FROM logs WHERE device_id = ?1 AND log = ?), ?, ?, ?, ?, ?, ?)`,
		d.row, int64(r.Version), r.Log, int64(r.Upto), r.Count, r.Day, r.IssuedUS, r.SHA256, r.Envelope); err != nil {
		return err
	}
	t.after(func() {
		s.edit(r.Device, func(d *device) { d.Receipts, d.receiptHash = r.Version, r.SHA256 })
	})
	return nil
}

// NextReceipt returns the envelope of the receipt that a device which has
// number held should get next: the one behind it, or the newest where it has
// none. It is nil when the device has them all.
func (s *Store) NextReceipt(ctx context.Context, id wire.DeviceID, held uint64) ([]byte, error) {
	d, err := s.device(id)
	if err != nil || d.Receipts <= held {
		return nil, err
	}
	want := held + 1
	if held == 0 {
		want = d.Receipts
	}
	var envelope []byte
	err = s.read.QueryRowContext(ctx, `SELECT envelope FROM receipts WHERE device_id = ? AND number = ?`, d.row, int64(want)).Scan(&envelope)
	if err != nil {
		return nil, fmt.Errorf("reading receipt %d of %q: %w", want, id, explain(err))
	}
	return envelope, nil
}

// Receipts returns the receipts of a device, or with an empty id of all, by
// device and number.
func (s *Store) Receipts(ctx context.Context, id wire.DeviceID, see func(fleet.Receipt) error) error {
	var w where
	if id != "" {
		w.add("d.name = ?", id)
	}
	rows, err := s.read.QueryContext(ctx, `SELECT d.name, l.log, c.number, c.upto, c.count, c.day, c.issued_us, c.sha256, c.envelope
FROM receipts c JOIN devices d ON d.id = c.device_id JOIN logs l ON l.id = c.log_id`+w.String()+` ORDER BY d.name, c.number`, w.args...)
	if err != nil {
		return fmt.Errorf("reading receipts: %w", explain(err))
	}
	defer rows.Close()
	for rows.Next() {
		var r fleet.Receipt
		var number, upto int64
		if err := rows.Scan(&r.Device, &r.Log, &number, &upto, &r.Count, &r.Day, &r.IssuedUS, &r.SHA256, &r.Envelope); err != nil {
			return fmt.Errorf("reading receipts: %w", explain(err))
		}
		r.Version, r.Upto, r.Type = uint64(number), wire.Seq(upto), wire.DocReceipt
		if err := see(r); err != nil {
			return err
		}
	}
	return rows.Err()
}

// receiptsSince is the migration that made their table.
const receiptsSince = 4

// loadReceipts fills in the newest receipt of each device.
func (s *Store) loadReceipts(ctx context.Context) error {
	_, err := list(ctx, s, "receipts", func(r scanner) (none, error) {
		var id wire.DeviceID
		var number int64
		var sum string
		if err := r.Scan(&id, &number, &sum); err != nil {
			return none{}, err
		}
		s.devices[id].Receipts, s.devices[id].receiptHash = uint64(number), sum
		return none{}, nil
	}, `SELECT d.name, c.number, c.sha256 FROM receipts c JOIN devices d ON d.id = c.device_id
WHERE c.number = (SELECT max(number) FROM receipts WHERE device_id = c.device_id)`)
	return err
}

// ReceiptHead returns number and hash of the newest receipt of a device, 0
// when there is none.
func (s *Store) ReceiptHead(_ context.Context, id wire.DeviceID) (number uint64, sha256 string, err error) {
	d, err := s.device(id)
	if err != nil {
		return 0, "", err
	}
	return d.Receipts, d.receiptHash, nil
}

// NewestReceipt returns the newest receipt of a device, without its envelope;
// a device without one yields a *fleet.Error of code NotFound.
func (s *Store) NewestReceipt(ctx context.Context, id wire.DeviceID) (r fleet.Receipt, err error) {
	err = found(s.read.QueryRowContext(ctx, `SELECT d.name, l.log, c.number, c.upto, c.count, c.day, c.issued_us, c.sha256 FROM receipts c
JOIN devices d ON d.id = c.device_id JOIN logs l ON l.id = c.log_id WHERE d.name = ? ORDER BY c.number DESC LIMIT 1`, id).
		Scan(&r.Device, &r.Log, &r.Version, &r.Upto, &r.Count, &r.Day, &r.IssuedUS, &r.SHA256), "这台设备还没有回执。", "This device has no receipt yet.")
	return r, err
}
