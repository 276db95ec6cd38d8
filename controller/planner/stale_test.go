package planner

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// gates plays one clip in the evening.
const gates = `
id: gates
name: 小区日常
zone: Asia/Shanghai
targets: {kinds: [gate]}
slots:
  - {key: evening, name: 晚, start: "18:00", until: "18:30", playlist: [shuadan]}
`

// TestPlansReachSixtyDaysAhead lets the office do nothing for three weeks: the
// hourly run alone keeps devices supplied.
func TestPlansReachSixtyDaysAhead(t *testing.T) {
	w := newTestPlanner(t)
	_, id := w.enrol(t, "SL-01-02", t0)
	w.activate(t, gates, t0)
	version := uint64(0)
	for day := range 21 {
		now := t0.AddDate(0, 0, day)
		if _, err := w.Replan(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		p := w.wanted(t, id)
		left := time.Unix(p.HorizonS, 0).Sub(now)
		last := time.Unix(p.Slots[len(p.Slots)-1].StartS, 0).Sub(now)
		if left <= 59*24*time.Hour || left > 60*24*time.Hour || last <= 58*24*time.Hour {
			t.Fatalf("day %d: the plan ends in %v, its last slot starts in %v, want 60 days", day, left, last)
		}
		if issued := wire.FromUS(p.IssuedUS); now.Sub(issued) > 24*time.Hour {
			t.Fatalf("day %d: the plan was issued at %v", day, issued)
		}
		if day > 0 && p.Version <= version {
			t.Fatalf("day %d: version %d after %d", day, p.Version, version)
		}
		version = p.Version
	}
}

func TestPlansSayWhatASilentOfficeMeans(t *testing.T) {
	kefu := strings.Repeat("1", 64) // no slot of the programme plays it
	tests := map[string]struct {
		after  time.Duration
		clip   string
		staleS int64
		def    string
	}{
		"never":               {after: 0, clip: "kefu"},
		"no_clip_named":       {after: 14 * 24 * time.Hour, staleS: 14 * 86_400},
		"clip_of_its_own":     {after: 14 * 24 * time.Hour, clip: "kefu", staleS: 14 * 86_400, def: kefu},
		"clip_that_plays":     {after: 24 * time.Hour, clip: "shuadan", staleS: 86_400, def: strings.Repeat("0", 64)},
		"clip_by_its_hash":    {after: 24 * time.Hour, clip: kefu, staleS: 86_400, def: kefu},
		"clip_not_in_library": {after: 24 * time.Hour, clip: "nosuch", staleS: 86_400},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newTestPlanner(t)
			w.o.StaleAfter, w.o.DefaultClip = tt.after, tt.clip
			_, id := w.enrol(t, "SL-01-02", t0)
			w.activate(t, gates, t0)
			p := w.wanted(t, id)
			if p.StaleS != tt.staleS || p.Default != tt.def {
				t.Errorf("plan goes stale after %d s with clip %q, want %d, %q", p.StaleS, p.Default, tt.staleS, tt.def)
			}
			if tt.def != "" && !slices.Contains(p.Clips, tt.def) {
				t.Error("the device would not fetch the default clip")
			}
			if once := slices.Compact(slices.Sorted(slices.Values(p.Clips))); len(once) != len(p.Clips) {
				t.Errorf("clips come twice: %v", p.Clips)
			}
			first := p.Slots[0].Playlist
			if n := slices.Max(first); n >= len(p.Clips) || p.Clips[first[0]] != strings.Repeat("0", 64) {
				t.Errorf("the default clip moved the playlist %v of %v", first, p.Clips)
			}
		})
	}
}

// TestDefaultClipThatComesLater is uploaded after the plan was made.
func TestDefaultClipThatComesLater(t *testing.T) {
	w := newTestPlanner(t)
	w.o.StaleAfter, w.o.DefaultClip = 24*time.Hour, "later"
	_, id := w.enrol(t, "SL-01-02", t0)
	w.activate(t, gates, t0)
	sha := strings.Repeat("9", 64)
	if _, err := w.store.AddClip(t.Context(), fleet.Clip{SHA256: sha, Original: sha, Name: "later", Title: "later", Rate: 24000, Frames: 24000, Bytes: 1000, Uploaded: t0}); err != nil {
		t.Fatal(err)
	}
	w.signOff(t)
	if _, err := w.Replan(t.Context(), t0.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if p := w.wanted(t, id); p.Default != sha {
		t.Errorf("default clip = %q, want the new one", p.Default)
	}
}

func TestPointDemandsSynchronisedTime(t *testing.T) {
	w := newTestPlanner(t)
	pt, id := w.enrol(t, "SL-01-02", t0)
	w.activate(t, gates, t0)
	if p := w.wanted(t, id); p.NeedLevel != wire.T1 {
		t.Errorf("plan needs T%d, want T1", p.NeedLevel)
	}
	if err := w.store.SetPointNeedSync(t.Context(), pt.ID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Replan(t.Context(), t0.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if p := w.wanted(t, id); p.NeedLevel != wire.T2 || p.Version != 2 {
		t.Errorf("version %d needs T%d, want a new one with T2", p.Version, p.NeedLevel)
	}
	if _, err := w.store.SavePoint(t.Context(), pt); err != nil {
		t.Fatal(err)
	}
	if again, err := w.store.Point(t.Context(), pt.ID); err != nil || !again.NeedSync {
		t.Errorf("an import took the demand away: %+v, %v", again, err)
	}
}
