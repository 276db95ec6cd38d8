package playout

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"gatecast/agent/condition"
	"gatecast/agent/journal"
	"gatecast/agent/library"
	"gatecast/agent/walltime"
	"gatecast/internal/wire"
)

func TestNothingSoundsWithoutTrustedTime(t *testing.T) {
	inBubble(t, testPlan(testSlot("gates.morning", 30, 2), testSlot("gates.noon", 60, 1)), func(r *rig) {
		r.start()
		r.until(minutes(20))
		n := r.cut(time.Minute)
		n.boot(time.Until(time.Unix(1000, 0)), false) // no clock of its own: 1970
		boot := time.Now()
		n.start()
		defer n.stop()
		r.pass(20 * time.Minute) // 41 in truth
		if len(n.sink.sounded()) != 0 || !n.has(condition.ClockUntrusted) {
			t.Fatalf("%d plays at T0, conditions %v", len(n.sink.sounded()), n.conds.List())
		}
		n.clock.Trust(wire.US(minutes(21).Add(time.Since(boot))), 0)
		r.pass(30 * time.Minute)
		wantOutcomes(t, n, "gates.morning#1 skipped clock", "gates.morning#2 skipped clock", "gates.noon#1 played")
		if n.has(condition.ClockUntrusted) {
			t.Error("condition stays")
		}
	})
}

func TestSinkFaults(t *testing.T) {
	tests := map[string]struct {
		sink  func(*rig)
		want  string
		fault bool
	}{
		"busy_throughout": {func(r *rig) { r.sink.set(func(s *fakeSink) { s.prepare = errBusy }) }, "gates.morning#1 skipped device", true},
		"lost_in_the_play": {func(r *rig) { r.sink.set(func(s *fakeSink) { s.lostAt = 3 * time.Second }) },
			"gates.morning#1 partial device", true},
		"swallows_sound": {func(r *rig) { r.sink.set(func(s *fakeSink) { s.tooFast = true }) }, "gates.morning#1 failed device", false},
		"muted":          {func(r *rig) { r.sink.set(func(s *fakeSink) { s.muted = true }) }, "gates.morning#1 doubt silent", false},
		"silent_clip":    {func(r *rig) { r.lib.quiet = true }, "gates.morning#1 doubt silent", false},
		"clip_marked_silent": {func(r *rig) { r.man.Clips[0].Silent = true },
			"gates.morning#1 doubt silent", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, testPlan(testSlot("gates.morning", 30, 1)), func(r *rig) {
				tt.sink(r)
				r.start()
				r.until(minutes(30.8))
				wantOutcomes(t, r, tt.want)
				if got := r.has(condition.OutputFault); got != tt.fault {
					t.Errorf("output fault shown: %v, want %v", got, tt.fault)
				}
			})
		})
	}
}

func TestSinkBackWithinTheGraceStillSounds(t *testing.T) {
	inBubble(t, testPlan(testSlot("gates.morning", 30, 1)), func(r *rig) {
		r.sink.set(func(s *fakeSink) { s.prepare = errBusy })
		r.start()
		r.until(minutes(30.25))
		r.sink.set(func(s *fakeSink) { s.prepare = nil })
		r.until(minutes(31))
		wantOutcomes(t, r, "gates.morning#1 played")
		if late := r.clock.Wall(r.sink.sounded()[0].at).Sub(minutes(30.25)); late < 0 || late > 2*time.Second {
			t.Errorf("sounded %v after the device was back", late)
		}
	})
}

func TestLostPlayTellsWhatSounded(t *testing.T) {
	inBubble(t, testPlan(testSlot("gates.morning", 30, 1)), func(r *rig) {
		r.sink.set(func(s *fakeSink) { s.lostAt = 3 * time.Second })
		r.start()
		r.until(minutes(31))
		o := r.outcomeRecords()[0]
		if o.SoundMS != 3000 || o.FramesPlayed != 24_000 || o.End != "lost" {
			t.Errorf("outcome = %+v", o)
		}
	})
}

func TestClipFaults(t *testing.T) {
	tests := map[string]struct {
		err  error
		want string
	}{
		"missing": {errMissing, "gates.morning#1 skipped clip_missing"},
		"corrupt": {fmt.Errorf("x: %w", library.ErrHash), "gates.morning#1 skipped hash"},
		"content": {fmt.Errorf("x: %w", library.ErrContent), "gates.morning#1 skipped hash"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, testPlan(testSlot("gates.morning", 30, 1)), func(r *rig) {
				r.lib.fail(shaOf(1), tt.err)
				r.start()
				r.until(minutes(31))
				wantOutcomes(t, r, tt.want)
			})
		})
	}
	t.Run("fetched_within_the_grace", func(t *testing.T) {
		inBubble(t, testPlan(testSlot("gates.morning", 30, 1)), func(r *rig) {
			r.lib.fail(shaOf(1), errMissing)
			r.start()
			r.until(minutes(30.2))
			r.lib.fail(shaOf(1), nil)
			r.until(minutes(31))
			wantOutcomes(t, r, "gates.morning#1 played")
		})
	})
}

func TestCeilingsHoldWhateverThePlanSays(t *testing.T) {
	tests := map[string]struct {
		change func(*wire.Plan, *wire.Manifest)
		want   []string
	}{
		"clip_not_in_the_manifest": {func(p *wire.Plan, _ *wire.Manifest) { p.Clips[0] = shaOf(77) },
			[]string{"gates.morning#1 skipped other", "gates.morning#2 skipped other"}},
		"quiet_hours": {func(_ *wire.Plan, m *wire.Manifest) {
			m.Ceilings.Allowed = []wire.DailyWindow{{FirstMin: 451, LastMin: 1320}}
		}, // from 07:31
			[]string{"gates.morning#1 skipped quiet", "gates.morning#2 played"}},
		"no_windows": {func(_ *wire.Plan, m *wire.Manifest) { m.Ceilings.Allowed = nil },
			[]string{"gates.morning#1 skipped quiet", "gates.morning#2 skipped quiet"}},
		"ends_in_quiet_hours": {func(p *wire.Plan, m *wire.Manifest) {
			m.Ceilings.Allowed = []wire.DailyWindow{{FirstMin: 0, LastMin: 452}} // to 07:32
			p.Slots[0].StartS -= 5                                               // the second play would sound until 07:32:05
		}, []string{"gates.morning#1 played", "gates.morning#2 skipped quiet"}},
		"plays_an_hour": {func(_ *wire.Plan, m *wire.Manifest) { m.Ceilings.MaxPlaysPerHour = 1 },
			[]string{"gates.morning#1 played", "gates.morning#2 skipped other"}},
		"long_clip": {func(_ *wire.Plan, m *wire.Manifest) { m.Ceilings.MaxClipS = 9 },
			[]string{"gates.morning#1 skipped other", "gates.morning#2 skipped other"}},
		"zero_ceilings_allow_nothing": {func(_ *wire.Plan, m *wire.Manifest) { m.Ceilings = wire.Ceilings{} },
			[]string{"gates.morning#1 skipped other", "gates.morning#2 skipped other"}},
		"expired_plan": {func(p *wire.Plan, _ *wire.Manifest) { p.ExpiresUS = wire.US(minutes(31)) },
			[]string{"gates.morning#1 played", "gates.morning#2 skipped other"}},
		"expired_manifest": {func(_ *wire.Plan, m *wire.Manifest) { m.ExpiresUS = wire.US(minutes(31)) },
			[]string{"gates.morning#1 played", "gates.morning#2 skipped other"}},
		"past_the_horizon": {func(p *wire.Plan, _ *wire.Manifest) { p.HorizonS = minutes(30).Unix() }, []string{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := testPlan(testSlot("gates.morning", 30, 2))
			inBubble(t, p, func(r *rig) {
				tt.change(p, r.man)
				r.start()
				r.until(minutes(40))
				wantOutcomes(t, r, tt.want...)
			})
		})
	}
}

func TestGainIsCutToTheCeiling(t *testing.T) {
	tests := map[string]struct {
		clip, slot, limit float64
		want              float64 // peak of a clip of 0.25
	}{
		"as_it_is":    {0, 0, 6, 0.25},
		"both_add":    {3, 3.0206, 12, 0.5},
		"slot_lowers": {0, -6.0206, 6, 0.125},
		"ceiling":     {20, 0, -6.0206, 0.125},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := testPlan(testSlot("gates.morning", 30, 1))
			p.Slots[0].GainDB = tt.slot
			inBubble(t, p, func(r *rig) {
				r.man.Clips[0].GainDB, r.man.Ceilings.MaxGainDB = tt.clip, tt.limit
				r.start()
				r.until(minutes(31))
				if got := r.sink.sounded()[0].peak; got < tt.want*0.98 || got > tt.want*1.02 {
					t.Errorf("peak = %.3f, want %.3f", got, tt.want)
				}
			})
		})
	}
}

type fullJournal struct {
	Journal
	full atomic.Bool
}

func (j *fullJournal) Append(kind wire.RecordKind, at walltime.Stamp, body any) (wire.Seq, error) {
	if j.full.Load() {
		return 0, fmt.Errorf("writing: %w", journal.ErrFull)
	}
	return j.Journal.Append(kind, at, body)
}

func TestNothingSoundsThatCannotBeRecorded(t *testing.T) {
	inBubble(t, testPlan(testSlot("gates.morning", 30, 2)), func(r *rig) {
		j := &fullJournal{}
		r.wrap = func(inner Journal) Journal { j.Journal = inner; return j }
		r.start()
		r.until(minutes(29))
		j.full.Store(true)
		r.until(minutes(31))
		if n := len(r.sink.sounded()); n != 0 || !r.has(condition.JournalFault) {
			t.Fatalf("%d plays without an intent, conditions %v", n, r.conds.List())
		}
		j.full.Store(false)
		r.until(minutes(40))
		wantOutcomes(t, r, "gates.morning#1 skipped other", "gates.morning#2 played")
		if r.has(condition.JournalFault) {
			t.Error("condition stays")
		}
	})
}

func TestOutcomeIsKeptUntilItCanBeRecorded(t *testing.T) {
	inBubble(t, testPlan(testSlot("gates.morning", 30, 1)), func(r *rig) {
		j := &fullJournal{}
		r.wrap = func(inner Journal) Journal { j.Journal = inner; return j }
		r.start()
		r.until(minutes(30).Add(5 * time.Second))
		j.full.Store(true)
		r.until(minutes(32))
		wantOutcomes(t, r, []string{}...)
		j.full.Store(false)
		r.until(minutes(33))
		wantOutcomes(t, r, "gates.morning#1 played")
	})
}

func TestDamagedJournalNeverPlaysAgain(t *testing.T) {
	slot := testSlot("gates.morning", 30, 3)
	slot.GraceS = 600
	inBubble(t, testPlan(slot), func(r *rig) {
		r.start()
		r.until(minutes(31))
		n := r.kill()
		n.damage()
		n.start()
		defer n.stop()
		n.until(minutes(40))
		if n := len(n.sink.sounded()); n != 2 {
			t.Errorf("%d plays after the damage, want the two to come", n)
		}
	})
}
