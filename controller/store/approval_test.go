package store

import (
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

var (
	testClerk  = fleet.User{Login: "clerk", Name: "李工", Role: fleet.Clerk}
	testSigner = fleet.User{Login: "signer", Name: "陈工", Role: fleet.Approver}
)

// stepTest takes a step with the clip as it stands.
func stepTest(t testing.TB, s *Store, id fleet.ClipID, step fleet.ClipStep, by fleet.User) (fleet.Clip, error) {
	t.Helper()
	c, err := s.Clip(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s.DecideClip(t.Context(), id, fleet.ClipDecision{
		Step: step, By: by, At: t0.Add(time.Duration(c.Revision) * time.Minute), Today: "2026-11-23", Address: "192.0.2.7", Reason: "理由", Revision: c.Revision,
		Terms: fleet.ClipTerms{Title: "新名", Text: "新词", ValidFrom: "2026-11-23", ValidUntil: "2026-12-31"},
	})
}

func approvedTest(t testing.TB, s *Store, c fleet.Clip) fleet.Clip {
	t.Helper()
	id, err := s.AddClip(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stepTest(t, s, id, fleet.StepSubmit, testClerk); err != nil {
		t.Fatal(err)
	}
	c, err = stepTest(t, s, id, fleet.StepApprove, testSigner)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClipStepsAreKept(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		c := testClip("aa", "shuadan")
		c.State, c.ValidUntil = fleet.ClipApproved, "2026-12-01" // the state of a new clip is nobody's to say
		id, err := s.AddClip(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Clip(ctx, id); err != nil || got.State != fleet.ClipDraft || got.ValidUntil != "2026-12-01" {
			t.Fatalf("a new clip is %s until %s, %v", got.State, got.ValidUntil, err)
		}
		waiting := func(login string, want int) {
			t.Helper()
			if n, err := s.ClipsWaiting(ctx, login); err != nil || n != want {
				t.Errorf("%d clips wait for %s, %v, want %d", n, login, err, want)
			}
		}
		waiting("signer", 0)
		if _, err := stepTest(t, s, id, fleet.StepApprove, testSigner); fleet.CodeOf(err) != fleet.Conflict {
			t.Errorf("a draft is signed: %v", err)
		}
		for _, step := range []fleet.ClipStep{fleet.StepSubmit, fleet.StepReturn, fleet.StepEdit, fleet.StepSubmit} {
			by := testClerk
			if step == fleet.StepReturn {
				by = testSigner
			}
			if _, err := stepTest(t, s, id, step, by); err != nil {
				t.Fatalf("%s: %v", step, err)
			}
		}
		waiting("signer", 1)
		waiting("clerk", 0)
		for range 2 {
			if err := s.HearClip(ctx, id, "signer", t0); err != nil {
				t.Fatal(err)
			}
		}
		if heard, err := s.HeardClip(ctx, id, "clerk"); err != nil || heard {
			t.Errorf("the clerk has heard it: %v, %v", heard, err)
		}
		signed, err := stepTest(t, s, id, fleet.StepApprove, testSigner)
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.Clip(ctx, id)
		if diff := cmp.Diff(signed, again); err != nil || diff != "" {
			t.Errorf("what was returned is not what is stored: %v (-returned +stored):\n%s", err, diff)
		}
		if _, err := stepTest(t, s, id, fleet.StepEdit, testClerk); err != nil {
			t.Fatal(err)
		}
		waiting("signer", 0) // the change says what is signed already
		events, err := s.ClipEvents(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, e := range events {
			told = append(told, fmt.Sprintf("%s %s>%s %s %s %v", e.Step, e.Was, e.Now, e.By, e.Terms.Title, e.Heard))
		}
		want := []string{
			"upload >draft clerk 刷单返利 false", "submit draft>submitted clerk 刷单返利 false", "return submitted>returned signer 刷单返利 false",
			"edit returned>draft clerk 新名 false", "submit draft>submitted clerk 新名 false", "approve submitted>approved signer 新名 true", "edit approved>approved clerk 新名 false",
		}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		if e := events[5]; e.SHA256 != "aa" || e.Terms.Text != "新词" || e.Terms.ValidUntil != "2026-12-31" || e.Address != "192.0.2.7" || e.Name != "陈工" {
			t.Errorf("the sign-off is kept as %+v", e)
		}
	})
}

func TestClipHistoryCannotBeChanged(t *testing.T) {
	s := newTestStore(t)
	approvedTest(t, s, testClip("aa", "shuadan"))
	for _, q := range []string{`UPDATE clip_events SET by = 'x'`, `DELETE FROM clip_events`} {
		_, err := change(t.Context(), s, func(tx *tx) (none, error) { _, err := tx.exec(q); return none{}, err })
		if err == nil || !strings.Contains(err.Error(), "history of a clip") {
			t.Errorf("%s: %v", q, err)
		}
	}
}

func TestRecalledAudioStaysRecalled(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		c := approvedTest(t, s, testClip("aa", "shuadan"))
		if _, err := stepTest(t, s, c.ID, fleet.StepRecall, testSigner); err != nil {
			t.Fatal(err)
		}
		again := testClip("aa", "another")
		if id, err := s.AddClip(t.Context(), again); err != nil || id != c.ID {
			t.Fatalf("the same audio again = %d, %v", id, err)
		}
		if got, err := s.Clip(t.Context(), c.ID); err != nil || got.State != fleet.ClipRecalled {
			t.Errorf("it is %s, %v", got.State, err)
		}
		_, err := s.DecideClip(t.Context(), c.ID, fleet.ClipDecision{Step: fleet.StepSubmit, By: testClerk, At: t0})
		if fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("submitted again without a reason: %v", err)
		}
	})
}

// TestPurgesAreTheDevicesWord follows a recall over what devices say, and over
// a restart of the controller.
func TestPurgesAreTheDevicesWord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatecast.db")
	s, err := Open(t.Context(), path, Options{StateDelay: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	points := importTest(t, s, 4)
	for i, p := range points {
		enrolTest(t, s, p.ID, wire.DeviceID(fmt.Sprintf("d%d", i)), t0)
	}
	c := approvedTest(t, s, testClip("aa", "shuadan"))
	if _, err := stepTest(t, s, c.ID, fleet.StepRecall, testSigner); err != nil {
		t.Fatal(err)
	}
	say := func(s *Store, d wire.DeviceID, st wire.State, at time.Time) {
		t.Helper()
		st.Online, st.Session = true, 1
		if _, err := s.SaveState(t.Context(), d, st, at); err != nil {
			t.Fatal(err)
		}
	}
	purged := func(s *Store) (list []string) {
		t.Helper()
		all, err := s.ClipPurges(t.Context(), c.ID)
		if err != nil || len(all) != len(points) {
			t.Fatalf("%d rows, %v, want one for each of %d devices", len(all), err, len(points))
		}
		for _, p := range all {
			if !p.Purged.IsZero() {
				list = append(list, fmt.Sprintf("%s %d", p.Device, p.Purged.Sub(t0)/time.Hour))
			}
		}
		return list
	}
	say(s, "d0", wire.State{Held: &wire.Held{Clips: []string{"bb"}}}, t0.Add(time.Hour))
	say(s, "d1", wire.State{Held: &wire.Held{Clips: []string{"aa"}}}, t0.Add(time.Hour))
	say(s, "d2", wire.State{}, t0.Add(time.Hour))
	if diff := cmp.Diff([]string{"d0 1"}, purged(s)); diff != "" {
		t.Errorf("purged (-want +got):\n%s", diff)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTestStore(t, path)
	if diff := cmp.Diff([]string{"d0 1"}, purged(s)); diff != "" {
		t.Errorf("purged after a restart (-want +got):\n%s", diff)
	}
	say(s, "d0", wire.State{ClipsReady: []string{"aa"}}, t0.Add(2*time.Hour))
	if _, err := s.SaveHello(t.Context(), "d1", wire.Hello{Session: 2, State: wire.State{Held: &wire.Held{}}}, t0.Add(3*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"d0 1", "d1 3"}, purged(s)); diff != "" {
		t.Errorf("purged (-want +got):\n%s", diff)
	}

	// A second recall starts a list of its own.
	if _, err := stepTest(t, s, c.ID, fleet.StepSubmit, testClerk); err != nil {
		t.Fatal(err)
	}
	for _, step := range []fleet.ClipStep{fleet.StepApprove, fleet.StepRecall} {
		if _, err := stepTest(t, s, c.ID, step, testSigner); err != nil {
			t.Fatal(err)
		}
	}
	if got := purged(s); len(got) != 0 {
		t.Errorf("right after the second recall %q have deleted it", got)
	}
}

// TestClipsOfAnOlderDatabaseSoundOn migrates a database of before approval.
func TestClipsOfAnOlderDatabaseSoundOn(t *testing.T) {
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "gatecast.db")
	// Not opened as a store: that reads columns of later migrations.
	old := &Store{path: path, logger: slog.New(slog.DiscardHandler), clock: time.Now}
	if err := old.migrate(t.Context(), steps[:purgesSince-1]); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", dsn(path, ""))
	if err != nil {
		t.Fatal(err)
	}
	for i, withdrawn := range []int64{0, wire.US(t0)} {
		_, err := db.ExecContext(t.Context(), `INSERT INTO clips (sha256, name, title, text, bytes, rate, frames, lufs, true_peak, gain_db, uploaded_us, by, withdrawn_us) VALUES (?, ?, '旧', '词', 1, 24000, 24000, -18, -2, 0, ?, 'old', ?)`,
			fmt.Sprint(i), fmt.Sprint("old", i), wire.US(t0.AddDate(-1, 0, 0)), withdrawn)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := openTestStore(t, path)
	for name, want := range map[string]fleet.ClipState{"old0": fleet.ClipApproved, "old1": fleet.ClipRecalled} {
		c, err := s.ClipByName(t.Context(), name)
		if err != nil || c.State != want || len(c.Hands) != 1 || c.Hands[0] != "old" {
			t.Errorf("%s is %s by %q, %v, want %s", name, c.State, c.Hands, err, want)
		}
		events, err := s.ClipEvents(t.Context(), c.ID)
		if err != nil || len(events) != 1 || events[0].Step != fleet.StepCarried || events[0].Terms.Text != "词" {
			t.Errorf("history of %s = %+v, %v", name, events, err)
		}
	}
}
