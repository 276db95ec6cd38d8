package playout

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gatecast/internal/wire"
)

// hostilePlan is what somebody with the director's key may sign: any slots, at
// any hour, as often and as loud as a plan can say.
func hostilePlan(r *rand.Rand, version uint64) *wire.Plan {
	p := testPlan()
	p.Version = version
	p.Clips = []string{shaOf(1), shaOf(2), shaOf(8), shaOf(9)}
	p.StaleS = []int64{0, 1, 3600}[r.IntN(3)]
	p.Default = []string{"", shaOf(2), shaOf(9)}[r.IntN(3)]
	at := origin.Unix()
	for i := range 3 + r.IntN(6) {
		at += int64(r.IntN(1800))
		s := wire.PlanSlot{
			ID: wire.SlotID(fmt.Sprintf("2026-11-23.h%d.v%d", i, version)), Name: "h", StartS: at, EveryS: int64(31 + r.IntN(90)), Count: 1 + r.IntN(60),
			Playlist: []int{r.IntN(4), r.IntN(4)}, GraceS: int64(r.IntN(600)), GainDB: float64(r.IntN(160) - 120),
		}
		s.EndS = s.StartS + int64(s.Count)*s.EveryS
		p.Slots = append(p.Slots, s)
	}
	return p
}

// TestNothingSoundsOutsideTheEnvelope has the director's key in wrong hands
// sign one plan after the other, over restarts and power cuts: whatever
// sounds, sounds inside the hours, the number, the length and the gain that
// the library role signed.
func TestNothingSoundsOutsideTheEnvelope(t *testing.T) {
	sounded, reported := 0, 0
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed_", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			first := hostilePlan(r, 7)
			inBubble(t, first, func(original *rig) {
				rig := original
				minute := func(at time.Time) int { at = at.In(shanghai(t)); return at.Hour()*60 + at.Minute() }
				from := minute(origin) + r.IntN(60)
				c := &rig.man.Ceilings
				c.Allowed = []wire.DailyWindow{{FirstMin: from, LastMin: from + 45}, {FirstMin: from + 45, LastMin: min(1440, from+60+r.IntN(60))}}
				c.MaxPlaysPerHour, c.MaxGainDB, c.MaxClipS = 1+r.IntN(8), float64(r.IntN(12)-12), int64(clipFrames/clipRate)
				rig.man.Clips[7].Frames = clipFrames * 3 // too long, although approved
				if Beyond(first, rig.man) != "" {
					reported++
				}
				rig.start()
				for v := range uint64(4) {
					rig.until(origin.Add(time.Duration(v+1) * 40 * time.Minute))
					switch r.IntN(3) {
					case 0:
						rig.stop()
						rig.start() // the count of the hour is in the journal
					case 1:
						rig = rig.cut(time.Minute)
						rig.start()
					}
					rig.setPlan(hostilePlan(r, 8+v))
				}
				rig.until(origin.Add(4 * time.Hour))
				sounded += checkEnvelope(t, rig)
				if rig != original {
					rig.stop()
				}
			})
		})
	}
	if sounded < 10 || reported < 5 {
		t.Errorf("%d plays sounded and %d plans were reported: the test shows nothing", sounded, reported)
	}
}

func shanghai(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// checkEnvelope holds every outcome that sounded, and what the sink took, to
// the manifest.
func checkEnvelope(t *testing.T, rig *rig) (sounded int) {
	t.Helper()
	c := rig.man.Ceilings
	zone := shanghai(t)
	var starts []time.Time
	for _, o := range rig.outcomeRecords() {
		if o.FramesPlayed == 0 {
			continue
		}
		start := wire.FromUS(o.StartedUS)
		dur := time.Duration(o.FramesPlayed) * time.Second / clipRate
		starts = append(starts, start)
		for at := start; at.Before(start.Add(dur)); at = at.Add(time.Second) {
			local := at.In(zone)
			if m := local.Hour()*60 + local.Minute(); !slices.ContainsFunc(c.Allowed, func(w wire.DailyWindow) bool { return w.FirstMin <= m && m < w.LastMin }) {
				t.Errorf("play %s sounds at minute %d, allowed are %v", o.Play, m, c.Allowed)
				break
			}
		}
		if limit := time.Duration(c.MaxClipS) * time.Second; dur > limit {
			t.Errorf("play %s sounds for %v", o.Play, dur)
		}
	}
	for i := range starts {
		n := 0
		for _, s := range starts {
			if d := s.Sub(starts[i]); d >= 0 && d < time.Hour-hourSlack-time.Second {
				n++
			}
		}
		if n > c.MaxPlaysPerHour {
			t.Errorf("%d plays in the hour from %v, allowed are %d", n, starts[i].In(zone), c.MaxPlaysPerHour)
		}
	}
	most := 0.25 * math.Pow(10, c.MaxGainDB/20) * 1.001
	for _, p := range rig.sink.sounded() {
		if p.peak > most {
			t.Errorf("a play with a peak of %.3f, at most %.3f is allowed", p.peak, most)
		}
	}
	return len(starts)
}

func TestBeyondNamesWhatIsForbidden(t *testing.T) {
	m := testManifest()
	m.Ceilings.Allowed = []wire.DailyWindow{{FirstMin: 360, LastMin: 1260}}
	m.Ceilings.MaxPlaysPerHour = 30
	day := time.Date(2026, 11, 24, 8, 0, 0, 0, shanghai(t))
	slot := func(hour, count int, every int64, gain float64) *wire.Plan {
		at := day.Add(time.Duration(hour-8) * time.Hour).Unix()
		return testPlan(wire.PlanSlot{ID: "s", StartS: at, EndS: at + int64(count)*every, EveryS: every, Count: count, Playlist: []int{0}, GainDB: gain})
	}
	if got := Beyond(slot(8, 30, 120, 0), m); got != "" {
		t.Errorf("Beyond of a good plan = %q", got)
	}
	for name, p := range map[string]*wire.Plan{"night": slot(23, 1, 60, 0), "often": slot(8, 31, 110, 0), "loud": slot(8, 1, 60, 7)} {
		if Beyond(p, m) == "" {
			t.Errorf("%s: Beyond found nothing", name)
		}
	}
	strange := slot(8, 1, 60, 0)
	strange.Clips[0] = shaOf(77)
	if Beyond(strange, m) == "" {
		t.Error("Beyond takes a clip that nobody approved")
	}
	m.Clips[0].Frames = clipRate * 600
	if Beyond(slot(8, 1, 60, 0), m) == "" {
		t.Error("Beyond takes a clip that is too long")
	}
}
