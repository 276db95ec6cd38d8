// Package dossier writes the export of a period: everything that a third party
// needs to judge, offline and with public keys alone, what was owed and what
// came of it.
//
// An export is a folder, or the same in a zip archive: the exact bytes of the
// records of the period, one a line, with what comes behind them up to the
// next checkpoint and receipt; the receipts; the devices' public keys; the
// trust root; the signed documents in force; obligations, verdicts and
// corrections as CSV and JSON; and a sealed table of contents with the
// SHA-256 of every file. Package evidence reads and judges it; "gatecast
// verify" is the tool.
//
// Everything is streamed: memory grows with the number of devices and with
// one day's obligations, not with the records. An Exporter is safe for
// concurrent use; an export shows each log as of the moment it was read.
package dossier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/evidence"
	"gatecast/internal/wire"
)

// Registry is what an export reads of places and devices.
type Registry interface {
	Points(ctx context.Context, f fleet.PointFilter) ([]fleet.Point, error)
	Devices(ctx context.Context) ([]fleet.Device, error)
	// DevicesOfPoint returns every device that was ever bound to a point.
	DevicesOfPoint(ctx context.Context, id fleet.PointID) ([]fleet.Device, error)
}

// Records are the journals and what was signed of them.
type Records interface {
	// LogSpans returns, for each journal of a device with a record in [from, to),
	// the numbers that an export of that time holds.
	LogSpans(ctx context.Context, id wire.DeviceID, from, to time.Time) ([]fleet.LogSpan, error)
	// EachRecord calls see with the exact bytes of the records of a span in
	// order; they are see's only during the call.
	EachRecord(ctx context.Context, s fleet.LogSpan, see func(raw []byte) error) error
	Receipts(ctx context.Context, id wire.DeviceID, see func(fleet.Receipt) error) error
}

// Books are what was owed, and the documents in force.
type Books interface {
	Obligations(ctx context.Context, f fleet.ObligationFilter) ([]fleet.Obligation, error)
	Corrections(ctx context.Context, p fleet.PointID, slot wire.SlotID) ([]fleet.Correction, error)
	Doc(ctx context.Context, sha256 string) ([]byte, error)
	LatestDoc(ctx context.Context, d wire.DeviceID, t wire.DocType) (fleet.Doc, error)
}

// Audits are what was signed of the audit; the audit itself is none of a third
// party's business.
type Audits interface {
	AuditHeads(ctx context.Context) ([]fleet.AuditHead, error)
}

// Store is the four together; one value has them all.
type Store interface {
	Registry
	Records
	Books
	Audits
}

// Trust signs the table of contents.
type Trust interface {
	RootEnvelope() []byte
	SealContents(c *evidence.Contents) ([]byte, error)
}

// Options of New. Store, Trust and Zone are required.
type Options struct {
	Store  Store
	Trust  Trust
	Zone   *time.Location // of the office's days
	Office string         // its name
	Now    func() time.Time
}

// Query says what to export.
type Query struct {
	From, To fleet.Day // both included
	Point    string    // code; empty for all
}

// Exporter writes exports.
type Exporter struct{ o Options }

// New checks o.
func New(o Options) (*Exporter, error) {
	if o.Store == nil || o.Trust == nil || o.Zone == nil {
		return nil, errors.New("dossier options: Store, Trust and Zone are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Exporter{o}, nil
}

// Check says, before anything is written, whether q can be exported: a
// *fleet.Error of code Invalid or NotFound tells what is wrong with it.
func (e *Exporter) Check(ctx context.Context, q Query) error {
	_, err := e.begin(ctx, q)
	return err
}

// Zip writes the export as a zip archive to w. On an error what was written is
// no valid archive.
func (e *Exporter) Zip(ctx context.Context, w io.Writer, q Query) error {
	z := newArchive(w, e.o.Now())
	if err := e.write(ctx, z, q); err != nil {
		return err
	}
	return z.close()
}

// Folder writes the export into dir, which must be empty or missing.
func (e *Exporter) Folder(ctx context.Context, dir string, q Query) error {
	f, err := newFolder(dir)
	if err != nil {
		return err
	}
	if err := e.write(ctx, f, q); err != nil {
		return err
	}
	return f.close()
}

// run is one export being written.
type run struct {
	e        *Exporter
	q        Query
	from, to time.Time
	points   map[fleet.PointID]fleet.Point
	only     fleet.PointID // 0 for all
	devices  []fleet.Device
	out      *sums
	c        evidence.Contents
}

func (e *Exporter) begin(ctx context.Context, q Query) (*run, error) {
	r := &run{e: e, q: q, points: map[fleet.PointID]fleet.Point{}}
	from, err1 := time.ParseInLocation(time.DateOnly, string(q.From), e.o.Zone)
	last, err2 := time.ParseInLocation(time.DateOnly, string(q.To), e.o.Zone)
	if errors.Join(err1, err2) != nil || last.Before(from) {
		return nil, &fleet.Error{
			Code:   fleet.Invalid,
			Text:   fmt.Sprintf("起止日期 %q 至 %q 无效，应写成 2026-11-23 的样子，且起不晚于止。", q.From, q.To),
			TextEN: fmt.Sprintf("Dates %q to %q are invalid; write them like 2026-11-23, the first not after the last.", q.From, q.To),
		}
	}
	r.from, r.to = from, time.Date(last.Year(), last.Month(), last.Day()+1, 0, 0, 0, 0, e.o.Zone)
	points, err := e.o.Store.Points(ctx, fleet.PointFilter{})
	if err != nil {
		return nil, fmt.Errorf("reading points: %w", err)
	}
	for _, p := range points {
		r.points[p.ID] = p
		if p.Code == q.Point {
			r.only = p.ID
		}
	}
	switch {
	case q.Point == "":
		r.devices, err = e.o.Store.Devices(ctx)
	case r.only == 0:
		return nil, &fleet.Error{
			Code:   fleet.NotFound,
			Text:   fmt.Sprintf("没有编号为 %q 的点位，编号见点位页。", q.Point),
			TextEN: fmt.Sprintf("There is no point with code %q; the codes are on the points page.", q.Point),
		}
	default:
		r.devices, err = e.o.Store.DevicesOfPoint(ctx, r.only)
	}
	if err != nil {
		return nil, fmt.Errorf("reading devices: %w", err)
	}
	return r, nil
}

func (e *Exporter) write(ctx context.Context, out files, q Query) error {
	r, err := e.begin(ctx, q)
	if err != nil {
		return err
	}
	r.out = &sums{files: out}
	r.c = evidence.Contents{
		Header: wire.Header{IssuedUS: wire.US(e.o.Now())}, Office: e.o.Office,
		From: string(q.From), To: string(q.To), Zone: e.o.Zone.String(), Point: q.Point,
	}
	for _, step := range []func(context.Context) error{r.readme, r.root, r.journals, r.receipts, r.audit, r.documents, r.obligations, r.verdicts, r.corrections} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("exporting %s to %s: %w", q.From, q.To, err)
		}
	}
	if r.c.Files, err = r.out.all(); err != nil {
		return err
	}
	envelope, err := e.o.Trust.SealContents(&r.c)
	if err != nil {
		return err
	}
	w, err := out.create(evidence.ContentsFile)
	if err != nil {
		return err
	}
	_, err = w.Write(envelope)
	return err
}
