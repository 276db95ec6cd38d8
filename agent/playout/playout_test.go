package playout

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/agent/condition"
	"gatecast/internal/wire"
)

// minutes returns the instant m minutes after the origin.
func minutes(m float64) time.Time { return origin.Add(time.Duration(m * float64(time.Minute))) }

func wantOutcomes(t *testing.T, r *rig, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, r.outcomes()); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

func TestSlotSoundsAtItsInstants(t *testing.T) {
	inBubble(t, testPlan(testSlot("gates.morning", 30, 3)), func(r *rig) {
		r.start()
		r.until(minutes(40))
		plays := r.sink.sounded()
		if len(plays) != 3 {
			t.Fatalf("%d plays sounded, want 3; outcomes %v", len(plays), r.outcomes())
		}
		for i, p := range plays {
			want := minutes(30 + 2*float64(i))
			if got := r.clock.Wall(p.at); got.Sub(want).Abs() > time.Millisecond {
				t.Errorf("play %d sounded at %v, want %v", i+1, got, want)
			}
		}
		wantOutcomes(t, r, "gates.morning#1 played", "gates.morning#2 played", "gates.morning#3 played")
	})
}

// TestIntentIsDurableBeforeTheSound holds the order on which I2 rests.
func TestIntentIsDurableBeforeTheSound(t *testing.T) {
	inBubble(t, testPlan(testSlot("gates.morning", 30, 1)), func(r *rig) {
		r.start()
		r.until(minutes(30).Add(5 * time.Second))
		intents := r.records(wire.RecordIntent)
		if len(intents) != 1 || len(r.records(wire.RecordOutcome)) != 0 {
			t.Fatalf("in the middle of the play: %d intents, %d outcomes, want 1, 0", len(intents), len(r.records(wire.RecordOutcome)))
		}
		if ahead := minutes(30).Sub(wire.FromUS(intents[0].AtUS)); ahead < 300*time.Millisecond || ahead > time.Second {
			t.Errorf("intent is %v ahead of the play, want a few hundred milliseconds", ahead)
		}
		if got := r.engine.Playing(); got != "2026-11-23.gates.morning#1" {
			t.Errorf("Playing() = %q", got)
		}
		r.until(minutes(31))
		o := r.outcomeRecords()[0]
		if o.IntentSeq != intents[0].Seq || o.Result != wire.PlayPlayed || o.SoundMS != 10_000 || o.ClipMS != 10_000 ||
			o.StartedUS != wire.US(minutes(30)) || o.Frames != clipFrames || o.FramesPlayed != clipFrames || o.Sink != "alsa" || o.Demo {
			t.Errorf("outcome = %+v", o)
		}
		if got := r.engine.Playing(); got != "" {
			t.Errorf("Playing() after the play = %q, want none", got)
		}
	})
}

func TestLeadInComesBeforeTheInstant(t *testing.T) {
	inBubble(t, testPlan(testSlot("gates.morning", 30, 1)), func(r *rig) {
		r.leadIn = 500 * time.Millisecond
		r.start()
		r.until(minutes(31))
		if got := r.clock.Wall(r.sink.sounded()[0].at); !got.Equal(minutes(30).Add(-r.leadIn)) {
			t.Errorf("first frame at %v, want the lead-in before %v", got, minutes(30))
		}
		o := r.outcomeRecords()[0]
		if o.Result != wire.PlayPlayed || o.StartedUS != wire.US(minutes(30)) || o.SoundMS != 10_000 {
			t.Errorf("outcome = %+v", o)
		}
	})
}

func TestMissedPlays(t *testing.T) {
	plan := testPlan(testSlot("gates.morning", 30, 3), testSlot("gates.noon", 60, 1))
	tests := map[string]struct {
		away func(*rig) *rig // called at minute 20, returns when the device is back
		want []string
	}{
		"power_cut_over_two_plays": {
			func(r *rig) *rig { return r.cut(13 * time.Minute) }, // back at 33
			[]string{"gates.morning#1 skipped power", "gates.morning#2 skipped power", "gates.morning#3 played", "gates.noon#1 played"},
		},
		"agent_down_over_one_play": {
			func(r *rig) *rig { n := r.kill(); r.pass(11 * time.Minute); return n }, // back at 31
			[]string{"gates.morning#1 skipped exit", "gates.morning#2 played", "gates.morning#3 played", "gates.noon#1 played"},
		},
		"back_within_the_grace": {
			func(r *rig) *rig { return r.cut(10*time.Minute + 20*time.Second) },
			[]string{"gates.morning#1 played", "gates.morning#2 played", "gates.morning#3 played", "gates.noon#1 played"},
		},
		"slot_over": {
			func(r *rig) *rig { return r.cut(30 * time.Minute) },
			[]string{"gates.morning#1 skipped power", "gates.morning#2 skipped power", "gates.morning#3 skipped power", "gates.noon#1 played"},
		},
		"twice_away_is_recorded_once": {
			func(r *rig) *rig {
				n := r.cut(13 * time.Minute)
				n.start()
				r.pass(10 * time.Second)
				return n.cut(time.Minute) // back at 34:10, inside the grace of the third
			},
			[]string{"gates.morning#1 skipped power", "gates.morning#2 skipped power", "gates.morning#3 played", "gates.noon#1 played"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, plan, func(r *rig) {
				r.start()
				r.until(minutes(20))
				n := tt.away(r)
				n.start()
				defer n.stop()
				n.until(minutes(70))
				wantOutcomes(t, n, tt.want...)
			})
		})
	}
}

func TestInterruptedPlayIsPartial(t *testing.T) {
	tests := map[string]struct {
		away   func(*rig) *rig
		reason wire.Reason
	}{
		"power_cut": {func(r *rig) *rig { return r.cut(5 * time.Second) }, wire.ReasonPower},
		"killed":    {func(r *rig) *rig { return r.kill() }, wire.ReasonExit},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, testPlan(testSlot("gates.morning", 30, 2)), func(r *rig) {
				r.start()
				r.until(minutes(30).Add(4 * time.Second))
				n := tt.away(r)
				n.start()
				defer n.stop()
				n.until(minutes(40))
				wantOutcomes(t, n, "gates.morning#1 partial "+string(tt.reason), "gates.morning#2 played")
				if o := n.outcomeRecords()[0]; o.SoundMS != 3500 {
					t.Errorf("sounded %d ms, want the 3500 that were known", o.SoundMS)
				}
				if len(n.sink.sounded()) != 1 {
					t.Errorf("%d plays after the restart, want only the second", len(n.sink.sounded()))
				}
			})
		})
	}
}

// A program that is killed at the start of a play knows whether the sink had
// taken anything of it.
func TestKilledAtTheStartOfAPlay(t *testing.T) {
	tests := []struct {
		name string
		at   time.Duration // of the kill, from the planned instant
		want string
	}{
		{"intent_written", -100 * time.Millisecond, "gates.morning#1 failed exit"},
		{"just_begun", 300 * time.Millisecond, "gates.morning#1 partial exit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, testPlan(testSlot("gates.morning", 30, 2)), func(r *rig) {
				r.start()
				r.until(minutes(30).Add(tt.at))
				n := r.kill()
				n.start()
				defer n.stop()
				n.until(minutes(40))
				wantOutcomes(t, n, tt.want, "gates.morning#2 played")
				if o := n.outcomeRecords()[0]; o.SoundMS != 0 {
					t.Errorf("sounded %d ms, of which nothing is known", o.SoundMS)
				}
			})
		})
	}
}

// TestRecordsProveNoSound writes records during a play whose sink has stalled:
// that the agent was alive is no proof of a sound.
func TestRecordsProveNoSound(t *testing.T) {
	inBubble(t, testPlan(testSlot("gates.morning", 30, 1)), func(r *rig) {
		r.sink.stall = true
		r.start()
		r.until(minutes(30).Add(7 * time.Second))
		if _, err := r.journal.Append(wire.RecordPlan, r.clock.Now(), wire.PlanTaken{Version: 8}); err != nil {
			t.Fatal(err)
		}
		n := r.cut(time.Minute)
		n.start()
		defer n.stop()
		n.until(minutes(40))
		if o := n.outcomeRecords()[0]; o.SoundMS != 0 || o.Result != wire.PlayPartial || o.Reason != wire.ReasonPower {
			t.Errorf("outcome = %s %s, %d ms, want partial power, 0 ms", o.Result, o.Reason, o.SoundMS)
		}
	})
}

func TestBootRecordTellsHowTheLastRunEnded(t *testing.T) {
	inBubble(t, testPlan(), func(r *rig) {
		boot := func(r *rig) (b wire.Boot) {
			t.Helper()
			all := r.records(wire.RecordBoot)
			if err := json.Unmarshal(all[len(all)-1].Body, &b); err != nil {
				t.Fatal(err)
			}
			return b
		}
		r.start()
		r.until(minutes(1))
		if got := boot(r); got.Clean || got.LastSeen != 0 || got.Agent != "test" {
			t.Errorf("first boot = %+v", got)
		}
		r.stop()
		r.start()
		r.until(minutes(2))
		if got := boot(r); !got.Clean || !got.SameBoot || got.LastSeen != wire.US(minutes(1)) {
			t.Errorf("after a stop = %+v", got)
		}
		r = r.kill()
		r.start()
		r.until(minutes(3))
		if got := boot(r); got.Clean || !got.SameBoot {
			t.Errorf("after a kill = %+v", got)
		}
		r = r.cut(time.Minute)
		r.start()
		r.until(minutes(5))
		if got := boot(r); got.Clean || got.SameBoot {
			t.Errorf("after a power cut = %+v", got)
		}
		r.stop()
	})
}

func TestClockSteps(t *testing.T) {
	tests := map[string]struct {
		at   float64 // minutes
		step time.Duration
		end  float64
		want []string
	}{
		"forward_over_a_play": {29, 2 * time.Minute, 45,
			[]string{"gates.morning#2 played", "gates.morning#1 skipped clock", "gates.morning#3 played"}},
		"forward_into_the_grace": {29, 80 * time.Second, 45,
			[]string{"gates.morning#1 played", "gates.morning#2 played", "gates.morning#3 played"}},
		"forward_over_the_slot": {29, time.Hour, 100,
			[]string{"gates.morning#1 skipped clock", "gates.morning#2 skipped clock", "gates.morning#3 skipped clock"}},
		"forward_while_prepared": {29.99, 30 * time.Second, 45,
			[]string{"gates.morning#1 played", "gates.morning#2 played", "gates.morning#3 played"}},
		"backward_after_a_play": {31, -5 * time.Minute, 45,
			[]string{"gates.morning#1 played", "gates.morning#2 played", "gates.morning#3 played"}},
		"backward_during_a_play": {30.1, -5 * time.Minute, 45,
			[]string{"gates.morning#1 played", "gates.morning#2 played", "gates.morning#3 played"}},
		"backward_while_prepared": {29.99, -time.Minute, 45,
			[]string{"gates.morning#1 played", "gates.morning#2 played", "gates.morning#3 played"}},
		"backward_before_the_plan": {31, -2 * time.Hour, 45,
			[]string{"gates.morning#1 played", "gates.morning#2 played", "gates.morning#3 played"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, testPlan(testSlot("gates.morning", 30, 3)), func(r *rig) {
				r.start()
				r.until(minutes(tt.at))
				r.kernel.step(tt.step)
				r.until(minutes(tt.end))
				wantOutcomes(t, r, tt.want...)
				if n := len(r.sink.sounded()); n != len(slices.DeleteFunc(slices.Clone(tt.want), func(s string) bool { return s[len(s)-6:] != "played" })) {
					t.Errorf("%d plays sounded", n)
				}
				if len(r.records(wire.RecordClock)) == 0 {
					t.Error("no clock record")
				}
			})
		})
	}
}

func TestPointMayDemandT2(t *testing.T) {
	p := testPlan(testSlot("gates.morning", 30, 1), testSlot("gates.noon", 60, 1))
	p.NeedLevel = wire.T2
	inBubble(t, p, func(r *rig) {
		r.start()
		r.until(minutes(20))
		r.kernel.sync(false)
		r.until(minutes(50))
		r.kernel.sync(true)
		r.until(minutes(70))
		wantOutcomes(t, r, "gates.morning#1 skipped clock", "gates.noon#1 played")
	})
}

func TestStopEndsAPlayAtOnce(t *testing.T) {
	tests := map[string]struct {
		at   time.Duration // from the play's start
		want string
	}{
		"while_it_sounds":    {4 * time.Second, "gates.morning#1 partial stopped"},
		"before_it_sounds":   {-800 * time.Millisecond, "gates.morning#1 skipped stopped"},
		"between_the_two":    {-200 * time.Millisecond, "gates.morning#1 failed stopped"},
		"with_nothing_to_do": {-time.Minute, "gates.morning#1 played"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, testPlan(testSlot("gates.morning", 30, 2)), func(r *rig) {
				r.start()
				r.until(minutes(30).Add(tt.at))
				if got, want := r.engine.CancelPlay(), tt.at > -time.Minute; got != want {
					t.Errorf("CancelPlay() = %v, want %v", got, want)
				}
				if tt.at > -time.Minute {
					r.pass(100 * time.Millisecond)
					wantOutcomes(t, r, tt.want)
				}
				r.until(minutes(40))
				wantOutcomes(t, r, tt.want, "gates.morning#2 played")
			})
		})
	}
}

func TestShutdownRecordsTheCutPlay(t *testing.T) {
	inBubble(t, testPlan(testSlot("gates.morning", 30, 1)), func(r *rig) {
		r.start()
		r.until(minutes(30).Add(4 * time.Second))
		r.stop()
		r.start()
		r.until(minutes(31))
		wantOutcomes(t, r, "gates.morning#1 partial stopped")
		if o := r.outcomeRecords()[0]; o.SoundMS != 4000 {
			t.Errorf("sounded %d ms, want 4000", o.SoundMS)
		}
	})
}

func TestPlanChanges(t *testing.T) {
	first := testPlan(testSlot("gates.morning", 30, 2))
	next := func(slots ...wire.PlanSlot) *wire.Plan {
		p := testPlan(slots...)
		p.Version = 8
		p.IssuedUS = wire.US(origin)
		return p
	}
	moved := testSlot("gates.morning", 30, 2)
	moved.Playlist = []int{1}
	tests := map[string]struct {
		at   time.Time
		plan *wire.Plan
		want []string
	}{
		"begun_play_finishes":      {minutes(30).Add(3 * time.Second), next(), []string{"gates.morning#1 played"}},
		"removed_play_is_silent":   {minutes(29), next(testSlot("gates.noon", 40, 1)), []string{"gates.noon#1 played"}},
		"removed_while_prepared":   {minutes(30).Add(-800 * time.Millisecond), next(testSlot("gates.noon", 40, 1)), []string{"gates.noon#1 played"}},
		"same_plays_are_not_again": {minutes(31), next(testSlot("gates.morning", 30, 2)), []string{"gates.morning#1 played", "gates.morning#2 played"}},
		"other_clip":               {minutes(31), next(moved), []string{"gates.morning#1 played", "gates.morning#2 played"}},
		"added_in_time":            {minutes(29), next(testSlot("gates.extra", 29, 1), testSlot("gates.morning", 30, 2)), []string{"gates.extra#1 played", "gates.morning#1 played", "gates.morning#2 played"}},
		"added_within_the_grace":   {minutes(29.4), next(testSlot("gates.extra", 29, 1), testSlot("gates.morning", 30, 2)), []string{"gates.extra#1 played", "gates.morning#1 played", "gates.morning#2 played"}},
		"added_too_late":           {minutes(29.6), next(testSlot("gates.extra", 29, 1), testSlot("gates.morning", 30, 2)), []string{"gates.extra#1 skipped offline", "gates.morning#1 played", "gates.morning#2 played"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, first, func(r *rig) {
				r.start()
				r.until(tt.at)
				r.setPlan(tt.plan)
				r.until(minutes(50))
				wantOutcomes(t, r, tt.want...)
			})
		})
	}
}

// TestMissedPlaysOfTheOldPlanAreTold swaps the plan in the same second in
// which time becomes trusted after a power cut.
func TestMissedPlaysOfTheOldPlanAreTold(t *testing.T) {
	inBubble(t, testPlan(testSlot("gates.morning", 30, 1)), func(r *rig) {
		r.start()
		r.until(minutes(20))
		n := r.cut(20 * time.Minute)
		n.boot(time.Until(time.Unix(1000, 0)), false)
		n.start()
		defer n.stop()
		r.pass(5 * time.Second)
		p := testPlan(testSlot("gates.noon", 60, 1))
		p.Version, p.IssuedUS = 8, wire.US(minutes(40))
		n.setPlan(p)
		n.clock.Trust(wire.US(minutes(40).Add(5*time.Second)), 0)
		r.pass(30 * time.Minute)
		wantOutcomes(t, n, "gates.morning#1 skipped power", "gates.noon#1 played")
	})
}

func TestNoBurstAfterAnOutage(t *testing.T) {
	slot := testSlot("gates.morning", 30, 5)
	slot.GraceS = 600
	inBubble(t, testPlan(slot), func(r *rig) {
		r.start()
		r.until(minutes(20))
		n := r.cut(15 * time.Minute) // back at 35: 1 to 3 are due, all within their grace
		n.start()
		defer n.stop()
		n.until(minutes(45))
		wantOutcomes(t, n, "gates.morning#1 skipped power", "gates.morning#2 skipped power", "gates.morning#3 played", "gates.morning#4 played", "gates.morning#5 played")
	})
}

func TestLatePlayGivesWayToTheNext(t *testing.T) {
	slot := testSlot("gates.morning", 30, 2)
	slot.GraceS = 600
	inBubble(t, testPlan(slot), func(r *rig) {
		r.start()
		r.until(minutes(20))
		n := r.cut(11*time.Minute + 55*time.Second) // 5 s before the second; the first needs 10
		n.start()
		defer n.stop()
		n.until(minutes(45))
		wantOutcomes(t, n, "gates.morning#1 skipped power", "gates.morning#2 played")
		if late := n.clock.Wall(n.sink.sounded()[0].at).Sub(minutes(32)); late != 0 {
			t.Errorf("the second play was %v late", late)
		}
	})
}

func TestTwoSlotsAtOneInstantSoundOneAfterTheOther(t *testing.T) {
	inBubble(t, testPlan(testSlot("gates.a", 30, 1), testSlot("gates.b", 30, 1)), func(r *rig) {
		r.start()
		r.until(minutes(31))
		wantOutcomes(t, r, "gates.a#1 played", "gates.b#1 played")
	})
}

func TestLeapOfTheClockThatIsTakenBackCostsNothing(t *testing.T) {
	inBubble(t, testPlan(testSlot("gates.morning", 30, 2), testSlot("gates.noon", 60, 1)), func(r *rig) {
		r.start()
		r.until(minutes(20))
		r.kernel.step(5 * time.Hour)
		r.pass(time.Minute)
		r.kernel.step(-5 * time.Hour)
		r.until(minutes(70))
		wantOutcomes(t, r, "gates.morning#1 played", "gates.morning#2 played", "gates.noon#1 played")
	})
}

// fullJournal refuses records while it is full.
// TestDamagedJournalNeverPlaysAgain loses the journal in the middle of a
// slot: what was played before is unknown, so nothing before is repeated.
func TestNewDeviceOwesNothingOfThePast(t *testing.T) {
	inBubble(t, testPlan(testSlot("gates.morning", 30, 3)), func(r *rig) {
		r.until(minutes(33))
		r.start()
		r.until(minutes(40))
		wantOutcomes(t, r, "gates.morning#3 played")
	})
}

func TestPlanOverIsTold(t *testing.T) {
	p := testPlan()
	p.HorizonS = minutes(10).Unix()
	inBubble(t, p, func(r *rig) {
		r.start()
		r.until(minutes(5))
		if !r.has(condition.PlanEnding) || r.has(condition.PlanOver) {
			t.Errorf("before the horizon: %v", r.conds.List())
		}
		r.until(minutes(11))
		if r.has(condition.PlanEnding) || !r.has(condition.PlanOver) {
			t.Errorf("past the horizon: %v", r.conds.List())
		}
	})
}

func TestOptionsNameWhatIsMissing(t *testing.T) {
	if _, err := New(Options{}); err == nil || err.Error() != "Options.Clock is missing" {
		t.Errorf("New(Options{}) = %v", err)
	}
}

// TestNothingIsDoneWithoutAPlan also holds that the loop idles.
func TestNothingIsDoneWithoutAPlan(t *testing.T) {
	inBubble(t, nil, func(r *rig) {
		r.start()
		r.until(minutes(5))
		if !r.has(condition.NoPlan) || len(r.engine.Ready()) != 0 {
			t.Errorf("conditions %v, ready %v", r.conds.List(), r.engine.Ready())
		}
		p := testPlan(testSlot("gates.morning", 30, 1))
		r.setPlan(p)
		r.lib.fail(shaOf(2), errMissing)
		r.until(minutes(31))
		wantOutcomes(t, r, "gates.morning#1 played")
		if diff := cmp.Diff([]string{shaOf(1)}, r.engine.Ready()); diff != "" {
			t.Errorf("Ready (-want +got):\n%s", diff)
		}
	})
}
