// Package notary counter-signs the journals of devices: once a day, for each
// journal that brought something, a receipt by the director's key that says
// how far the controller holds it and what its newest record is.
//
// The receipt goes to the device, which writes it into its journal, and stays
// in the store; so the office cannot change what it acknowledged, and the
// device cannot change what it delivered, without the other one's copy saying
// so. What exactly is signed and how it is checked is in package evidence.
//
// It also signs the audit, once a day and whenever it is exported: package
// audit says what that holds against whom.
//
// The notary decides when and about what; store, keys and delivery are
// elsewhere. It keeps the last day that it closed as a setting. A Notary is
// used by one goroutine; an AuditSigner by any number.
package notary

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// Store keeps receipts and knows what is to be signed.
type Store interface {
	// Unsigned returns the journals that brought something since their last
	// receipt.
	Unsigned(ctx context.Context) ([]fleet.Unsigned, error)
	Device(ctx context.Context, id wire.DeviceID) (fleet.Device, error)
	// ReceiptHead returns number and hash of a device's newest receipt.
	ReceiptHead(ctx context.Context, id wire.DeviceID) (number uint64, sha256 string, err error)
	// AddReceipts keeps receipts of different devices, all or none.
	AddReceipts(ctx context.Context, all []fleet.Receipt) error
	Settings
}

// Settings keep the last day that was closed.
type Settings interface {
	Setting(ctx context.Context, key string) (string, error)
	SetSetting(ctx context.Context, key, value string) error
}

// Sealer signs receipts.
type Sealer interface {
	SealReceipt(r *wire.Receipt) ([]byte, error)
}

// Options of New. Store, Sealer and Zone are required.
type Options struct {
	Store  Store
	Sealer Sealer
	Zone   *time.Location   // of the office's days
	Audit  *AuditSigner     // signs the audit at the start and once a day; nil does not
	Now    func() time.Time // nil means time.Now
	Logger *slog.Logger     // nil discards
}

// settingDay is the setting that holds the last day closed, 2006-01-02.
const settingDay = "receipts_closed"

// after is how long after midnight a day is closed: what gates say at the end
// of a slot comes within minutes.
const after = 10 * time.Minute

// every is how often the notary looks at the clock.
const every = 5 * time.Minute

// Notary makes receipts.
type Notary struct {
	o      Options
	logger *slog.Logger
}

// New checks o.
func New(o Options) (*Notary, error) {
	if o.Store == nil || o.Sealer == nil || o.Zone == nil {
		return nil, errors.New("notary options: Store, Sealer and Zone are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Notary{o: o, logger: o.Logger}, nil
}

// Run closes each day soon after its end, and at the start one that ended
// while nothing ran, until ctx ends. What cannot be stored is tried again.
func (n *Notary) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	n.signAudit(ctx) // what the last run left unsigned, or a key before this one signed
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		timer.Reset(every)
		if _, err := n.Close(ctx, n.o.Now()); err != nil && ctx.Err() == nil {
			n.logger.Warn("making receipts", "err", err)
		}
	}
}

func (n *Notary) signAudit(ctx context.Context) {
	if n.o.Audit == nil {
		return
	}
	if _, err := n.o.Audit.Sign(ctx, n.o.Now()); err != nil && ctx.Err() == nil {
		n.logger.Warn("signing the audit", "err", err)
	}
}

// Close makes the receipts of the day before now unless that was done, and
// returns how many.
func (n *Notary) Close(ctx context.Context, now time.Time) (int, error) {
	local := now.In(n.o.Zone).Add(-after)
	day := time.Date(local.Year(), local.Month(), local.Day()-1, 12, 0, 0, 0, n.o.Zone).Format(time.DateOnly)
	closed, err := n.o.Store.Setting(ctx, settingDay)
	if err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return 0, fmt.Errorf("reading the day closed last: %w", err)
	}
	if closed >= day {
		return 0, nil
	}
	made, err := n.sign(ctx, day, now)
	if err != nil {
		return made, err
	}
	n.signAudit(ctx)
	if err := n.o.Store.SetSetting(ctx, settingDay, day); err != nil {
		return made, fmt.Errorf("keeping the day closed last: %w", err)
	}
	n.logger.Info("receipts made", "day", day, "receipts", made)
	return made, nil
}

// chunk is how many receipts are kept at a time: a fleet of 10,000 needs 20
// commits.
const chunk = 500

// sign makes a receipt for each journal that needs one.
func (n *Notary) sign(ctx context.Context, day string, now time.Time) (made int, err error) {
	all, err := n.o.Store.Unsigned(ctx)
	if err != nil {
		return 0, err
	}
	var waiting []fleet.Receipt
	flush := func() error {
		if err := n.o.Store.AddReceipts(ctx, waiting); err != nil {
			return fmt.Errorf("keeping receipts: %w", err)
		}
		made += len(waiting)
		waiting = waiting[:0]
		return nil
	}
	for _, u := range all {
		if k := len(waiting); k == chunk || k > 0 && waiting[k-1].Device == u.Device { // the next one needs its hash
			if err := flush(); err != nil {
				return made, err
			}
		}
		d, err := n.o.Store.Device(ctx, u.Device)
		if err != nil {
			return made, err
		}
		number, hash, err := n.o.Store.ReceiptHead(ctx, u.Device)
		if err != nil {
			return made, err
		}
		if d.Receipt > number {
			// This database is older than what the device keeps: it will bring
			// them back, and two receipts of one number would be a forgery.
			n.logger.Warn("device keeps receipts that this database does not", "device", d.ID, "has", d.Receipt, "here", number)
			continue
		}
		doc := wire.Receipt{
			Header: wire.Header{Device: u.Device, Version: number + 1, IssuedUS: wire.US(now)},
			Log:    u.Log, Upto: u.Upto, Hash: u.Hash, Count: u.Count, Day: day, Prev: hash,
		}
		envelope, err := n.o.Sealer.SealReceipt(&doc)
		if err != nil {
			return made, fmt.Errorf("signing receipt: %w", err)
		}
		waiting = append(waiting, fleet.Receipt{Receipt: doc, SHA256: seal.Hash(envelope), Envelope: envelope})
	}
	err = flush()
	return made, err
}
