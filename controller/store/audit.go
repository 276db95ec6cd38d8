package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gatecast/controller/fleet"
	"gatecast/internal/audit"
	"gatecast/internal/wire"
)

// AddAudit keeps one line of who did what, as the next of the chain; its ID,
// Prev and Hash are ignored. Texts are cut to what a line may hold, and mobile
// numbers in them are masked. On return the line survives power loss.
func (s *Store) AddAudit(ctx context.Context, a fleet.Audit) error {
	_, err := change(ctx, s, func(t *tx) (none, error) { return none{}, auditTx(t, a) })
	return err
}

// Most bytes of the texts of a line. What comes from outside must not fill the
// disk: a path may have 64 KiB.
const (
	maxName = 128
	maxText = 512
	maxSide = 8 << 10 // Before and After
)

// auditTx adds the next line of the chain. Only the writer adds lines, one
// after the other, so that the newest one is the one to follow.
func auditTx(t *tx, a fleet.Audit) error {
	var last, lastUS int64
	var hash string
	err := t.row(`SELECT id, at_us, hash FROM audit ORDER BY id DESC LIMIT 1`).Scan(&last, &lastUS, &hash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("reading the end of the audit: %w", err)
	}
	l := audit.Line{
		AtUS: wire.US(a.At), Who: clean(a.Who, maxName), Role: string(a.Role), From: clean(a.From, maxName), What: clean(string(a.What), maxName),
		Object: clean(a.Object, maxText), Detail: clean(a.Detail, maxText), Before: clean(a.Before, maxSide), After: clean(a.After, maxSide), Failed: a.Failed,
	}.Follow(last, hash)
	if _, err := t.exec(`INSERT INTO audit (id, at_us, who, role, address, what, object, detail, before, after, failed, prev, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		l.ID, l.AtUS, l.Who, l.Role, l.From, l.What, l.Object, l.Detail, l.Before, l.After, l.Failed, l.Prev, l.Hash); err != nil {
		return fmt.Errorf("writing audit line: %w", err)
	}
	return nil
}

// clean makes text fit a line: valid UTF-8 without control characters but line
// ends, at most most bytes.
func clean(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r != '\n' && unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
	text = fleet.MaskPhones(text)
	if len(text) <= most {
		return text
	}
	cut := most - len("…")
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

const auditColumns = `id, at_us, who, role, address, what, object, detail, before, after, failed, prev, hash`

func scanLine(r scanner) (l audit.Line, err error) {
	err = r.Scan(&l.ID, &l.AtUS, &l.Who, &l.Role, &l.From, &l.What, &l.Object, &l.Detail, &l.Before, &l.After, &l.Failed, &l.Prev, &l.Hash)
	return l, err
}

func scanAudit(r scanner) (fleet.Audit, error) {
	l, err := scanLine(r)
	return fleet.Audit{
		ID: l.ID, At: wire.FromUS(l.AtUS), Who: l.Who, Role: fleet.Role(l.Role), From: l.From, What: fleet.AuditCode(l.What), Object: l.Object, Detail: l.Detail,
		Before: l.Before, After: l.After, Failed: l.Failed, Prev: l.Prev, Hash: l.Hash,
	}, err
}

// Audits returns the newest lines, newest first; limit 0 means all.
func (s *Store) Audits(ctx context.Context, limit int) ([]fleet.Audit, error) {
	return s.FindAudits(ctx, fleet.AuditFilter{Limit: limit})
}

// FindAudits returns the lines that f selects, newest first.
func (s *Store) FindAudits(ctx context.Context, f fleet.AuditFilter) ([]fleet.Audit, error) {
	var w where
	if !f.From.IsZero() {
		w.add("at_us >= ?", wire.US(f.From))
	}
	if !f.To.IsZero() {
		w.add("at_us < ?", wire.US(f.To))
	}
	if f.What != "" {
		w.add("what = ?", string(f.What))
	}
	for column, part := range map[string]string{"who": f.Who, "object": f.Object, "address": f.Address} {
		if part = strings.TrimSpace(part); part != "" {
			w.add("instr(lower("+column+"), lower(?)) > 0", part)
		}
	}
	if f.Failed {
		w.add("failed = 1")
	}
	if f.Below > 0 {
		w.add("id < ?", f.Below)
	}
	return list(ctx, s, "audit", scanAudit, `SELECT `+auditColumns+` FROM audit`+w.String()+` ORDER BY id DESC`+page(f.Limit, 0), w.args...)
}

// AuditTail returns number and hash of the newest line, 0 and "" when there is
// none.
func (s *Store) AuditTail(ctx context.Context) (id int64, hash string, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1`).Scan(&id, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, "", nil
	}
	return id, hash, explain(err)
}

// auditChunk is how many lines are read at a time: a few MB at most.
const auditChunk = 1000

// EachAudit calls see with every line up to upto, or to the end for 0, in order.
func (s *Store) EachAudit(ctx context.Context, upto int64, see func(audit.Line) error) error {
	if upto <= 0 {
		upto = 1 << 62
	}
	for from := int64(-1 << 62); ; {
		lines, err := list(ctx, s, "audit", scanLine, `SELECT `+auditColumns+` FROM audit WHERE id > ? AND id <= ? ORDER BY id LIMIT ?`, from, upto, auditChunk)
		if err != nil {
			return err
		}
		for _, l := range lines {
			if err := see(l); err != nil {
				return err
			}
			from = l.ID
		}
		if len(lines) < auditChunk {
			return nil
		}
	}
}

// AuditHeads returns what was signed of the audit, by number.
func (s *Store) AuditHeads(ctx context.Context) ([]fleet.AuditHead, error) {
	return list(ctx, s, "heads of the audit", scanHead, `SELECT number, line, signed_us, envelope FROM audit_heads ORDER BY number`)
}

// LastAuditHead returns the newest head, the zero value when there is none.
func (s *Store) LastAuditHead(ctx context.Context) (fleet.AuditHead, error) {
	h, err := scanHead(s.read.QueryRowContext(ctx, `SELECT number, line, signed_us, envelope FROM audit_heads ORDER BY number DESC LIMIT 1`))
	if errors.Is(err, sql.ErrNoRows) {
		return fleet.AuditHead{}, nil
	}
	return h, explain(err)
}

func scanHead(r scanner) (h fleet.AuditHead, err error) {
	var number, signed int64
	err = r.Scan(&number, &h.Line, &signed, &h.Envelope)
	h.Number, h.Signed = uint64(number), wire.FromUS(signed)
	return h, err
}

// AddAuditHead keeps a head that follows the newest one; any other is a
// *fleet.Error of code Conflict.
func (s *Store) AddAuditHead(ctx context.Context, h fleet.AuditHead) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		var have int64
		if err := t.row(`SELECT coalesce(max(number), 0) FROM audit_heads`).Scan(&have); err != nil {
			return none{}, err
		}
		if int64(h.Number) != have+1 {
			return none{}, &fleet.Error{
				Code:   fleet.Conflict,
				Text:   fmt.Sprintf("审计签名第 %d 号与已有的不衔接，请再试一次。", h.Number),
				TextEN: fmt.Sprintf("Signature %d of the audit does not follow from the ones there are. Try again.", h.Number),
			}
		}
		_, err := t.exec(`INSERT INTO audit_heads (number, line, signed_us, envelope) VALUES (?, ?, ?, ?)`, int64(h.Number), h.Line, wire.US(h.Signed), h.Envelope)
		return none{}, err
	})
	return err
}

// PruneAudit drops the lines that are older than keep at now, and adds the
// line that says so; it returns how many it dropped. keep below
// fleet.LeastRetention is a *fleet.Error of code Invalid, and nothing is
// dropped.
func (s *Store) PruneAudit(ctx context.Context, keep time.Duration, now time.Time) (int64, error) {
	if err := fleet.CheckRetention(keep); err != nil {
		return 0, err
	}
	return change(ctx, s, func(t *tx) (int64, error) {
		// Up to the first younger line: after a clock was wrong they need not be
		// in order, and what is left must be without a gap.
		var upto, uptoUS, first int64
		var hash string
		err := t.row(`SELECT id, at_us, hash, (SELECT min(id) FROM audit) FROM audit
WHERE id < coalesce((SELECT min(id) FROM audit WHERE at_us >= ?1), (SELECT max(id) FROM audit)) ORDER BY id DESC LIMIT 1`,
			wire.US(now.Add(-keep))).Scan(&upto, &uptoUS, &hash, &first)
		if errors.Is(err, sql.ErrNoRows) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		if err := t.row(`SELECT max(at_us) FROM audit WHERE id <= ?`, upto).Scan(&uptoUS); err != nil {
			return 0, err
		}
		if err := auditTx(t, fleet.Audit{
			At: now, Who: fleet.AuditSelf, What: fleet.AuditPruned, Object: fmt.Sprint(upto - first + 1), Detail: wire.FromUS(uptoUS).UTC().Format(time.RFC3339),
			After: audit.Pruned{Upto: upto, Hash: hash, AtUS: uptoUS}.Text(),
		}); err != nil {
			return 0, err
		}
		if _, err := t.exec(`INSERT INTO audit_prunings (upto, upto_us, at_us) VALUES (?, ?, ?)`, upto, uptoUS, wire.US(now)); err != nil {
			return 0, err
		}
		if _, err := t.exec(`DELETE FROM audit WHERE id <= ?`, upto); err != nil {
			return 0, err
		}
		return upto - first + 1, nil
	})
}
