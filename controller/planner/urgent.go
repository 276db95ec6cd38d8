package planner

import (
	"slices"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// live returns the insertions that belong into plans now: those whose clip was
// not recalled since and, in strict mode, is signed: a device refuses the whole
// plan for one that is not.
func (p *Planner) live(w *world, now time.Time) []fleet.Insertion {
	if p.o.Insertions == nil {
		return nil
	}
	var live []fleet.Insertion
	for _, i := range p.o.Insertions.Live(now) {
		if c, ok := w.known[i.SHA256]; ok && c.State != fleet.ClipRecalled && !w.unsigned[c.SHA256] && (inLibrary(c, w.today) || !p.o.Sealer.Strict()) {
			live = append(live, i)
		}
	}
	return live
}

// urgentClips are the clips of insertions that are not in the library: they may
// sound as long as their insertion lasts.
func (p *Planner) urgentClips(w *world, now time.Time) []wire.ManifestClip {
	var clips []wire.ManifestClip
	for _, i := range p.live(w, now) {
		c := w.known[i.SHA256]
		if inLibrary(c, w.today) || slices.ContainsFunc(clips, func(m wire.ManifestClip) bool { return m.SHA256 == c.SHA256 }) {
			continue
		}
		clips = append(clips, wire.ManifestClip{
			SHA256: c.SHA256, Title: c.Title, Bytes: c.Bytes, Rate: c.Rate, Frames: c.Frames, GainDB: c.GainDB, Silent: c.Silent,
			UntilUS: wire.US(i.Until.Add(i.Length + time.Minute)),
		})
	}
	return clips
}

// addUrgent puts the insertions of a point into its plan, in the order of their
// starts with the other slots. They are owed by nobody: who asked for one sees
// what became of it.
func (p *Planner) addUrgent(plan *wire.Plan, index map[string]int, w *world, pt fleet.PointID, now time.Time) {
	for _, i := range p.live(w, now) {
		if !slices.Contains(i.Points, pt) {
			continue
		}
		at, ok := index[i.SHA256]
		if !ok {
			at = len(plan.Clips)
			index[i.SHA256] = at
			plan.Clips = append(plan.Clips, i.SHA256)
		}
		s := urgentSlot(i, p.office(), at)
		where, _ := slices.BinarySearchFunc(plan.Slots, s.StartS+1, func(o wire.PlanSlot, start int64) int { return int(o.StartS - start) })
		plan.Slots = slices.Insert(plan.Slots, where, s)
	}
}

func slotName(i fleet.Insertion) string {
	if i.Drill != fleet.NoDrill {
		return "紧急插播（演练）"
	}
	return "紧急插播"
}

// urgentSlot is the slot of an insertion in a plan in which its clip is number
// clip. What does not fit before its end is left out.
func urgentSlot(i fleet.Insertion, zone *time.Location, clip int) wire.PlanSlot {
	start := i.Start.Unix()
	end, every := max(i.Until.Unix(), start+1), int64(i.Every()/time.Second)
	return wire.PlanSlot{
		ID: i.Slot(zone), Name: slotName(i), GainDB: i.Drill.GainDB(), StartS: start, EndS: end, EveryS: every, Count: int(min(int64(i.Repeats), (end-start-1)/every+1)),
		Playlist: []int{clip}, GraceS: end - start, Urgent: true,
	}
}
