package planner

import (
	"slices"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
	"gatecast/schedules/presets"
)

// urgents are insertions as a test has them.
type urgents []fleet.Insertion

func (u *urgents) Live(now time.Time) []fleet.Insertion {
	return slices.DeleteFunc(slices.Clone(*u), func(i fleet.Insertion) bool { return i.Standing(now) != fleet.InsertionLive })
}

func TestInsertionIsInThePlansOfItsPoints(t *testing.T) {
	w := newTestPlanner(t)
	in, inDev := w.enrol(t, "SL-01-01", t0)
	_, outDev := w.enrol(t, "SL-01-02", t0)
	w.activate(t, string(presets.Default()), t0)
	before := w.wanted(t, inDev)
	if _, err := w.store.AddClip(t.Context(), fleet.Clip{SHA256: shaRecorded, Original: shaRecorded, Name: "luyin", Title: "录音", Rate: 24000, Frames: 24000 * 20, Bytes: 1000, Uploaded: t0}); err != nil {
		t.Fatal(err)
	}
	now := t0.Add(time.Minute)
	live := &urgents{{
		ID: 7, SHA256: shaRecorded, Title: "录音", Length: 20 * time.Second, Outside: true, Points: []fleet.PointID{in.ID}, Repeats: 3,
		Start: now.Add(3 * time.Second), Until: now.Add(time.Hour), State: fleet.InsertionLive,
	}}
	w.Planner.o.Insertions = live
	if _, err := w.Replan(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	p := w.wanted(t, inDev)
	i := slices.IndexFunc(p.Slots, func(s wire.PlanSlot) bool { return s.Urgent })
	if i < 0 || p.Version <= before.Version {
		t.Fatalf("version %d after %d, no urgent slot in %+v", p.Version, before.Version, p.Slots[:min(3, len(p.Slots))])
	}
	s := p.Slots[i]
	if s.ID != "2026-11-23.insertion-7.now" || s.Count != 3 || s.EveryS != 23 || s.EndS-s.StartS != s.GraceS || p.Clips[s.Playlist[0]] != shaRecorded {
		t.Errorf("slot = %+v", s)
	}
	if !slices.IsSortedFunc(p.Slots, func(a, b wire.PlanSlot) int { return int(a.StartS - b.StartS) }) {
		t.Error("the slots are not by start")
	}
	if slices.ContainsFunc(w.wanted(t, outDev).Slots, func(s wire.PlanSlot) bool { return s.Urgent }) {
		t.Error("a point out of scope has the slot")
	}
	manifest := func() (m wire.Manifest) {
		doc, err := w.store.LatestDoc(t.Context(), "", wire.DocManifest)
		if err != nil {
			t.Fatal(err)
		}
		if m, err = seal.Peek[wire.Manifest](doc.Bytes); err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := manifest()
	if c, ok := m.Clip(shaRecorded); !ok || c.UntilUS == 0 {
		t.Errorf("the manifest has %+v, %v, want the recording until the insertion is over", c, ok)
	}
	if owed := w.slots(t, in, fleet.ObligationFilter{}); slices.Contains(owed, "2026-11-23.insertion-7.now") {
		t.Error("an insertion is owed")
	}

	(*live)[0].State = fleet.InsertionCancelled
	if _, err := w.Replan(t.Context(), now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(w.wanted(t, inDev).Slots, func(s wire.PlanSlot) bool { return s.Urgent }) {
		t.Error("a cancelled insertion is still in the plan")
	}
	m = manifest()
	if _, ok := m.Clip(shaRecorded); ok {
		t.Error("the manifest still allows the recording")
	}
}

const shaRecorded = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

func TestUrgentSlotFitsBeforeItsEnd(t *testing.T) {
	start := t0
	for left, want := range map[time.Duration]int{time.Hour: 5, 47 * time.Second: 3, 46 * time.Second: 2, time.Second: 1, -time.Minute: 1} {
		s := urgentSlot(fleet.Insertion{ID: 1, Length: 20 * time.Second, Repeats: 5, Start: start, Until: start.Add(left)}, time.UTC, 0)
		if s.Count != want || int64(s.Count-1)*s.EveryS >= s.EndS-s.StartS {
			t.Errorf("%v left: %+v, want %d plays", left, s, want)
		}
	}
}
