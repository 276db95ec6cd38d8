package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatecast/controller/fleet"
	"gatecast/internal/needtool"
	"gatecast/internal/wire"
)

// TestFullDatabaseGoesOnLater lets the database reach a limit of its size and
// lifts it again.
func TestFullDatabaseGoesOnLater(t *testing.T) {
	s := newTestStore(t)
	var pages int
	if err := s.w.conn.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	limit := func(pages int) {
		t.Helper()
		// Through the writer, which owns the connection.
		if _, err := change(t.Context(), s, func(x *tx) (none, error) {
			var got int
			return none{}, x.row(fmt.Sprintf("PRAGMA max_page_count = %d", pages)).Scan(&got)
		}); err != nil {
			t.Fatal(err)
		}
	}
	fillAndFree(t, s, func() { limit(pages + 40) }, func() { limit(1 << 30) })
}

// TestFullDiskGoesOnLater does the same on a file system that is really full.
func TestFullDiskGoesOnLater(t *testing.T) {
	dir := t.TempDir()
	needtool.SmallDisk(t, dir, 3<<20)
	s := openTestStore(t, filepath.Join(dir, "gatecast.db"))
	ballast := filepath.Join(dir, "ballast")
	fillAndFree(t, s, func() {
		// Until nothing fits any more, to the byte.
		for size := 1 << 20; size > 0; size /= 2 {
			for i := 0; ; i++ {
				f, err := os.OpenFile(ballast, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
				if err != nil {
					t.Fatal(err)
				}
				_, err = f.Write(make([]byte, size))
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
				if err != nil {
					break
				}
			}
		}
	}, func() {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	})
}

// fillAndFree appends until the store says that it is full, checks what it
// says and keeps, and appends on when there is space again.
func fillAndFree(t *testing.T, s *Store, fill, free func()) {
	t.Helper()
	ctx := t.Context()
	p := importTest(t, s, 1)[0]
	enrolTest(t, s, p.ID, "d1", t0)
	record := func(seq wire.Seq) []byte {
		return fmt.Appendf(nil, `{"log":%q,"seq":%d,"kind":"stop","body":{"why":%q}}`, testLog, seq, strings.Repeat("x", 8000))
	}
	seq := wire.Seq(0)
	for ; seq < 5; seq++ {
		if _, err := s.AppendRecords(ctx, "d1", testLog, rawMessages(record(seq+1)), t0); err != nil {
			t.Fatal(err)
		}
	}
	fill()
	var err error
	for err == nil && seq < 2000 {
		if _, err = s.AppendRecords(ctx, "d1", testLog, rawMessages(record(seq+1)), t0); err == nil {
			seq++
		}
	}
	var told *fleet.Error
	if !errors.As(err, &told) || told.Code != fleet.Full || !strings.Contains(told.Text, "磁盘已满") || told.TextEN == "" {
		t.Fatalf("after %d records: %v, want code full", seq, err)
	}
	// Full it stays, for every kind of change; reading goes on.
	for range 3 {
		if err := s.ImportRegistry(ctx, testRegistry(2000)); fleet.CodeOf(err) != fleet.Full {
			t.Errorf("ImportRegistry = %v, want code full", err)
		}
	}
	check := func(when string) {
		t.Helper()
		ack, err := s.AckState(ctx, "d1", testLog)
		if err != nil || ack.Upto != seq || len(ack.Missing) > 0 {
			t.Errorf("%s: ack %+v, %v, want %d", when, ack, err, seq)
		}
		if recs, err := s.LastRecords(ctx, "d1", 1<<30); err != nil || wire.Seq(len(recs)) != seq {
			t.Errorf("%s: %d records, %v, want %d", when, len(recs), err, seq)
		}
	}
	check("while full")
	if err := s.Trouble(); fleet.CodeOf(err) != fleet.Full {
		t.Errorf("while full: Trouble = %v, want code full", err)
	}
	free()
	for range 20 {
		if _, err := s.AppendRecords(ctx, "d1", testLog, rawMessages(record(seq+1)), t0); err != nil {
			t.Fatalf("with space again: %v", err)
		}
		seq++
	}
	check("with space again")
	if err := s.Trouble(); err != nil {
		t.Errorf("with space again: Trouble = %v", err)
	}
	if err := s.AddJoinCode(ctx, fleet.JoinCode{Hash: "h", Point: 999, Issued: t0, Expires: t0}); err == nil || s.Trouble() != nil {
		t.Errorf("a change refused for what it says: %v, Trouble = %v", err, s.Trouble())
	}
	if err := s.Check(ctx); err != nil {
		t.Error(err)
	}
}
