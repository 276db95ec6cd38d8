package schedules

import (
	"fmt"
	"time"
)

// Play is one sounding of a clip within a slot.
type Play struct {
	Index int // from 0
	At    time.Time
	Clip  string
}

// Plays returns the plays of s in order, also when s is silenced: then they are
// what would have sounded.
func (s Slot) Plays() []Play {
	out := make([]Play, s.Count)
	for k := range out {
		out[k] = Play{k, s.PlayAt(k), s.Clip(k)}
	}
	return out
}

// PlayAt returns the instant of play k.
func (s Slot) PlayAt(k int) time.Time { return s.Start.Add(time.Duration(k) * s.Every) }

// Clip returns the clip of play k, "" for a slot without clips.
func (s Slot) Clip(k int) string {
	if len(s.Clips) == 0 {
		return ""
	}
	return s.Clips[k%len(s.Clips)]
}

// PlannedSound returns how long the plays of s sound together, whether or not
// s is silenced. durations holds the length of each clip by the reference that
// the programme uses; ok is false when one is missing, and its plays count as 0.
func (s Slot) PlannedSound(durations map[string]time.Duration) (total time.Duration, ok bool) {
	ok = true
	for k := range s.Count {
		d, known := durations[s.Clip(k)]
		if !known {
			ok = false
		}
		total += d
	}
	return total, ok
}

// SoundsUntil returns the instant at which the last sound of s ends. That may
// be after End, since End only bounds the start of plays.
func (s Slot) SoundsUntil(durations map[string]time.Duration) time.Time {
	var end time.Time
	for k := range s.Count {
		if t := s.PlayAt(k).Add(durations[s.Clip(k)]); t.After(end) {
			end = t
		}
	}
	return end
}

// print writes down everything about s that a change may change.
func (s *Slot) print() string {
	if s == nil {
		return ""
	}
	out := fmt.Sprint(s.ID, s.Start.Unix(), s.End.Unix(), s.Every, s.Count, s.Clips, s.Gain, s.Grace)
	for _, by := range []*Silence{s.Silenced, s.Lowered} {
		if by != nil {
			out += by.Rule
		}
		out += "|"
	}
	return out
}
