package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// TestBadChangesFailAlone mixes changes that the database refuses with good
// ones: each is answered for itself, whatever shared its transaction.
func TestBadChangesFailAlone(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		p := importTest(t, s, 1)[0].ID
		code := fleet.JoinCode{Hash: "taken", Point: p, Issued: t0, Expires: t0.Add(time.Hour)}
		if err := s.AddJoinCode(ctx, code); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				if i%2 == 0 {
					if err := s.SetSetting(ctx, fmt.Sprint(i), "kept"); err != nil {
						t.Errorf("a good change: %v", err)
					}
					return
				}
				bad := code
				if i%4 == 3 {
					bad = fleet.JoinCode{Hash: fmt.Sprint(i), Point: 999}
				}
				if err := s.AddJoinCode(ctx, bad); fleet.CodeOf(err) != fleet.Conflict && fleet.CodeOf(err) != fleet.NotFound {
					t.Errorf("a bad change: %v", err)
				}
			})
		}
		wg.Wait()
		for i := 0; i < 200; i += 2 {
			if v, err := s.Setting(ctx, fmt.Sprint(i)); err != nil || v != "kept" {
				t.Errorf("setting %d = %q, %v", i, v, err)
			}
		}
		if codes, err := s.JoinCodes(ctx, 0); err != nil || len(codes) != 1 {
			t.Errorf("%d join codes, %v, want one", len(codes), err)
		}
	})
}

// TestHalfAChangeLeavesNothing fails a change after its first statement.
func TestHalfAChangeLeavesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		wrong := errors.New("wrong")
		_, err := change(t.Context(), s, func(x *tx) (none, error) {
			if _, err := x.exec(`INSERT INTO settings (key, value) VALUES ('half', 'done')`); err != nil {
				return none{}, err
			}
			x.after(func() { t.Error("told of a commit that did not happen") })
			return none{}, wrong
		})
		if !errors.Is(err, wrong) {
			t.Errorf("change = %v", err)
		}
		if v, err := s.Setting(t.Context(), "half"); err != nil || v != "" {
			t.Errorf("Setting = %q, %v", v, err)
		}
	})
}

// TestStatesReachTheDiskTogether runs on a clock of its own.
func TestStatesReachTheDiskTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(t.Context(), filepath.Join(t.TempDir(), "gatecast.db"), Options{StateDelay: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		points := importTest(t, s, 30)
		for i, p := range points {
			enrolTest(t, s, p.ID, wire.DeviceID(fmt.Sprintf("d%d", i)), t0)
		}
		onDisk := func() (n int) {
			if err := s.read.QueryRowContext(t.Context(), `SELECT count(*) FROM devices WHERE session = 5 AND json_extract(said, '$.plan_version') = 7`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		for i := range points {
			if _, err := s.SaveState(t.Context(), wire.DeviceID(fmt.Sprintf("d%d", i)), stateOf(5), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(900 * time.Millisecond)
		if n := onDisk(); n != 0 {
			t.Errorf("%d states were written at once", n)
		}
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if n := onDisk(); n != len(points) {
			t.Errorf("%d of %d states on the disk after the delay", n, len(points))
		}
	})
}
