package dossier

import (
	"context"
	"fmt"
	"slices"

	"gatecast/controller/fleet"
	"gatecast/internal/evidence"
	"gatecast/internal/wire"
)

func (r *run) root(context.Context) error {
	return r.out.whole(evidence.RootFile, r.e.o.Trust.RootEnvelope())
}

// journals writes the records of every device that has any in the period.
func (r *run) journals(ctx context.Context) error {
	var with []fleet.Device
	for _, d := range r.devices {
		spans, err := r.e.o.Store.LogSpans(ctx, d.ID, r.from, r.to)
		if err != nil {
			return err
		}
		for _, s := range spans {
			if err := r.journal(ctx, s); err != nil {
				return err
			}
		}
		if len(spans) > 0 {
			with = append(with, d)
			r.c.Devices = append(r.c.Devices, r.device(d))
		}
	}
	r.devices = with
	return nil
}

func (r *run) device(d fleet.Device) evidence.ContentsDevice {
	return evidence.ContentsDevice{Device: d.ID, Key: d.SPKI, Points: []string{r.points[d.Point].Code}, State: string(d.State)}
}

func (r *run) journal(ctx context.Context, s fleet.LogSpan) error {
	l := evidence.ContentsLog{
		Device: s.Device, Log: s.Log, First: s.First, Last: s.Last,
		File: fmt.Sprintf("journals/%s/%s.jsonl", s.Device, s.Log),
	}
	w, err := r.out.create(l.File)
	if err != nil {
		return err
	}
	err = r.e.o.Store.EachRecord(ctx, s, func(raw []byte) error {
		l.Count++
		_, err := w.Write(append(slices.Clip(evidence.EncodeLine(raw)), '\n'))
		return err
	})
	r.c.Logs = append(r.c.Logs, l)
	return err
}

// receipts writes those that are about exported records.
func (r *run) receipts(ctx context.Context) error {
	w, err := r.out.create(evidence.ReceiptsFile)
	if err != nil {
		return err
	}
	for _, d := range r.devices {
		err := r.e.o.Store.Receipts(ctx, d.ID, func(c fleet.Receipt) error {
			if !slices.ContainsFunc(r.c.Logs, func(l evidence.ContentsLog) bool {
				return l.Device == d.ID && l.Log == c.Log && l.First <= c.Upto && c.Upto <= l.Last
			}) {
				return nil
			}
			_, err := w.Write(append(slices.Clip(c.Envelope), '\n'))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// audit writes the signatures under the office's audit, so that whoever keeps
// the export can tell when that is rewritten.
func (r *run) audit(ctx context.Context) error {
	heads, err := r.e.o.Store.AuditHeads(ctx)
	if err != nil {
		return err
	}
	w, err := r.out.create("audit/heads.jsonl")
	if err != nil {
		return err
	}
	for _, h := range heads {
		if _, err := w.Write(append(slices.Clip(h.Envelope), '\n')); err != nil {
			return err
		}
	}
	return nil
}

// documents writes the plans that devices have or should have, and the newest
// manifest. Older ones are not kept by the office; the records name the
// version and hash that was in force.
func (r *run) documents(ctx context.Context) error {
	seen := map[string]bool{}
	put := func(hash, name string) error {
		if hash == "" || seen[hash] {
			return nil
		}
		seen[hash] = true
		doc, err := r.e.o.Store.Doc(ctx, hash)
		if fleet.CodeOf(err) == fleet.NotFound {
			return nil // replaced meanwhile
		}
		if err != nil {
			return err
		}
		return r.out.whole(name, doc)
	}
	for _, d := range r.devices {
		for _, hash := range []string{d.PlanHash, d.WantHash} {
			if err := put(hash, fmt.Sprintf("documents/plan-%s-%.12s.json", d.ID, hash)); err != nil {
				return err
			}
		}
	}
	m, err := r.e.o.Store.LatestDoc(ctx, "", wire.DocManifest)
	if fleet.CodeOf(err) == fleet.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return put(m.SHA256, fmt.Sprintf("documents/manifest-%d.json", m.Version))
}
