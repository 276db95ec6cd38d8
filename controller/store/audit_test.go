package store

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatecast/controller/fleet"
	"gatecast/internal/audit"
)

// checkAudit checks the chain of s, without heads.
func checkAudit(t testing.TB, s *Store) audit.Report {
	t.Helper()
	c := audit.NewChecker(nil, nil)
	if err := s.EachAudit(t.Context(), 0, func(l audit.Line) error { c.Add(l); return nil }); err != nil {
		t.Fatal(err)
	}
	r := c.Finish()
	if n := len(r.Faults); n > 0 && r.Faults[n-1].Code == audit.NoHead {
		r.Faults = r.Faults[:n-1]
	}
	return r
}

func addTestAudits(t testing.TB, s *Store, n int, from time.Time, every time.Duration) {
	t.Helper()
	for i := range n {
		if err := s.AddAudit(t.Context(), fleet.Audit{At: from.Add(time.Duration(i) * every), Who: "admin", What: fleet.AuditLogin}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAuditIsAChain(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		lines := []fleet.Audit{
			{At: t0, Who: "admin", Role: fleet.Admin, From: "127.0.0.1", What: fleet.AuditLogin},
			{At: t0.Add(time.Second), Who: "clerk", What: fleet.AuditActivate, Object: "gates", Detail: "版本 2", Before: "1", After: fleet.Fields("版本", "2"), Failed: true},
			{At: t0.Add(2 * time.Second), Who: "admin", What: fleet.AuditPointSync, Object: "松风苑"},
		}
		for _, a := range lines {
			if err := s.AddAudit(ctx, a); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.Audits(ctx, 2)
		if diff := cmp.Diff([]fleet.Audit{lines[2], lines[1]}, got, cmpopts.IgnoreFields(fleet.Audit{}, "ID", "Prev", "Hash")); err != nil || diff != "" {
			t.Errorf("Audits: %v (-want +got):\n%s", err, diff)
		}
		if r := checkAudit(t, s); len(r.Faults) > 0 || r.Last != 3 {
			t.Errorf("check = %+v", r)
		}
		if id, hash, err := s.AuditTail(ctx); err != nil || id != 3 || hash != got[0].Hash || got[1].Hash != got[0].Prev {
			t.Errorf("AuditTail = %d %q, %v", id, hash, err)
		}
		for name, tt := range map[string]struct {
			f    fleet.AuditFilter
			want int
		}{
			"all": {fleet.AuditFilter{}, 3}, "who": {fleet.AuditFilter{Who: "ADM"}, 2}, "what": {fleet.AuditFilter{What: fleet.AuditActivate}, 1},
			"object": {fleet.AuditFilter{Object: "松风"}, 1}, "address": {fleet.AuditFilter{Address: "127."}, 1}, "failed": {fleet.AuditFilter{Failed: true}, 1},
			"from": {fleet.AuditFilter{From: t0.Add(time.Second)}, 2}, "to": {fleet.AuditFilter{To: t0.Add(time.Second)}, 1},
			"below": {fleet.AuditFilter{Below: 3}, 2}, "wildcard": {fleet.AuditFilter{Object: "%"}, 0}, "limit": {fleet.AuditFilter{Limit: 2}, 2},
		} {
			if got, err := s.FindAudits(ctx, tt.f); err != nil || len(got) != tt.want {
				t.Errorf("%s: %d lines, %v, want %d", name, len(got), err, tt.want)
			}
		}
	})
}

func TestAuditTextsAreBounded(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		long := strings.Repeat("电话13812345678，", 5000)
		if err := s.AddAudit(t.Context(), fleet.Audit{At: t0, Who: "a\x00b\xff\n" + long, What: "x", Object: long, Detail: long, Before: long, After: long}); err != nil {
			t.Fatal(err)
		}
		all, err := s.Audits(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		a := all[0]
		if len(a.Who) > maxName || len(a.Object) > maxText || len(a.After) > maxSide || !strings.HasPrefix(a.Who, "a b�\n") || !strings.HasSuffix(a.After, "…") {
			t.Errorf("line of %d, %d, %d bytes: %q", len(a.Who), len(a.Object), len(a.After), a.Who)
		}
		if text := fmt.Sprint(a); strings.Contains(text, "13812345678") || !strings.Contains(text, "138****5678") {
			t.Error("a telephone number is in the audit")
		}
		if r := checkAudit(t, s); len(r.Faults) > 0 {
			t.Errorf("check = %+v", r.Faults)
		}
	})
}

// TestAuditRowsCannotBeChanged asks the database itself, past the program.
func TestAuditRowsCannotBeChanged(t *testing.T) {
	s := newTestStore(t)
	addTestAudits(t, s, 3, t0, time.Second)
	if err := s.AddAuditHead(t.Context(), fleet.AuditHead{Number: 1, Line: 3, Signed: t0, Envelope: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		"UPDATE audit SET who = 'x' WHERE id = 2", "UPDATE audit SET hash = '' WHERE id = 2", "DELETE FROM audit", "DELETE FROM audit WHERE id = 1",
		"UPDATE audit_heads SET line = 1", "DELETE FROM audit_heads",
		fmt.Sprintf("INSERT INTO audit_prunings VALUES (2, %d, %d)", t0.UnixMicro(), t0.Add(183*24*time.Hour).UnixMicro()),
	} {
		if _, err := s.w.conn.ExecContext(t.Context(), q); err == nil {
			t.Errorf("%q was taken", q)
		}
	}
	if r := checkAudit(t, s); len(r.Faults) > 0 || r.Last != 3 {
		t.Errorf("check = %+v", r)
	}
	if err := s.AddAuditHead(t.Context(), fleet.AuditHead{Number: 3, Line: 3}); fleet.CodeOf(err) != fleet.Conflict {
		t.Errorf("a head out of turn = %v", err)
	}
}

func TestLinesFromBeforeTheChainAreChained(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatecast.db")
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	if err := (&Store{path: path, logger: slog.New(slog.DiscardHandler), clock: time.Now}).migrate(t.Context(), steps[:5]); err != nil {
		t.Fatal(err)
	}
	old, err := sql.Open("sqlite", dsn(path, ""))
	if err != nil {
		t.Fatal(err)
	}
	for i := range auditChunk + 5 {
		if _, err := old.ExecContext(t.Context(), `INSERT INTO audit (at_us, who, address, what, object, detail) VALUES (?, 'admin', '127.0.0.1', 'login', ?, ?)`,
			t0.UnixMicro()+int64(i), "bad \xff text", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	s := openTestStore(t, path)
	addTestAudits(t, s, 1, t0.Add(time.Hour), 0)
	if r := checkAudit(t, s); len(r.Faults) > 0 || r.First != 1 || r.Last != auditChunk+6 {
		t.Errorf("check = %+v", r)
	}
}

// TestChangeAndLineAreOne has a change take its line along, or neither.
func TestChangeAndLineAreOne(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		p := importTest(t, s, 1)[0].ID
		ctx, line := fleet.WithAudit(t.Context(), fleet.Audit{At: t0, Who: "clerk", What: fleet.AuditPointSync})
		if err := s.SetPointNeedSync(ctx, 999, true); fleet.CodeOf(err) != fleet.NotFound {
			t.Fatalf("SetPointNeedSync of no point = %v", err)
		}
		if all, err := s.Audits(t.Context(), 0); err != nil || len(all) != 0 || line.Written() {
			t.Errorf("a change that was refused left %v, %v", all, err)
		}
		for range 2 { // the second change has no line of its own
			if err := s.SetPointNeedSync(ctx, p, true); err != nil {
				t.Fatal(err)
			}
		}
		if all, err := s.Audits(t.Context(), 0); err != nil || len(all) != 1 || all[0].What != fleet.AuditPointSync || !line.Written() {
			t.Errorf("after the change: %v, %v", all, err)
		}
		// Where no line can be written, nothing is changed.
		if _, err := s.w.conn.ExecContext(t.Context(), "CREATE TRIGGER stuck BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'stuck'); END"); err != nil {
			t.Fatal(err)
		}
		ctx, line = fleet.WithAudit(t.Context(), fleet.Audit{At: t0, Who: "clerk", What: fleet.AuditPointTime})
		if err := s.SetPointNeedSync(ctx, p, false); err == nil {
			t.Error("the change was made without its line")
		}
		if pt, err := s.Point(t.Context(), p); err != nil || !pt.NeedSync || line.Written() {
			t.Errorf("NeedSync = %v, %v", pt.NeedSync, err)
		}
	})
}

func TestPruneAuditKeepsTheRetention(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		day := 24 * time.Hour
		addTestAudits(t, s, 500, t0, day)
		now := t0.Add(499 * day)
		for _, days := range []int{0, 1, 183} {
			_, err := s.PruneAudit(ctx, time.Duration(days)*day, now)
			var told *fleet.Error
			if !errors.As(err, &told) || told.Code != fleet.Invalid || !strings.Contains(told.Text, "184") {
				t.Errorf("PruneAudit of %d days = %v", days, err)
			}
		}
		if n, err := s.PruneAudit(ctx, 400*day, now); err != nil || n != 99 {
			t.Errorf("PruneAudit = %d, %v, want the 99 lines older than 400 days", n, err)
		}
		if n, err := s.PruneAudit(ctx, 400*day, now); err != nil || n != 0 {
			t.Errorf("PruneAudit again = %d, %v", n, err)
		}
		if r := checkAudit(t, s); len(r.Faults) > 0 || r.First != 100 || r.Pruned != 99 || r.Last != 501 {
			t.Errorf("check = %+v", r)
		}
		if n, err := s.PruneAudit(ctx, 184*day, now.Add(day)); err != nil || n != 217 {
			t.Errorf("PruneAudit to the floor = %d, %v", n, err)
		}
		if r := checkAudit(t, s); len(r.Faults) > 0 || r.First != 317 || r.Pruned != 316 {
			t.Errorf("check = %+v", r)
		}
	})
}
