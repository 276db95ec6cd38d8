package output

import (
	"fmt"
	"time"
)

// The bounds of elapsed ÷ duration within which a play counts as played in
// real time: a card's clock is within 0.1 % of true, so 1 % early means that
// sound was dropped, and 2 % late that it was broken. The slack on top is what
// cards swallow into their own first-in-first-out at a start (an HDA codec 20
// ms), which would fail clips under 3 s that sounded whole.
const (
	minPace   = 0.99
	maxPace   = 1.02
	paceSlack = 30 * time.Millisecond
)

// Played reports whether r proves that a clip of the given duration was played
// (evidence grade B): drained, every frame consumed, in real time, on the
// device it started on, and not muted. why is empty then; otherwise it is the
// first reason against, in operator's words. Digital silence of the clip
// itself is not looked at here.
func Played(r Report, clip time.Duration) (ok bool, why string) {
	switch {
	case r.End != Drained:
		return false, fmt.Sprintf("ended as %q, not drained", r.End)
	case clip <= 0 || r.Frames <= 0:
		return false, "clip has no length"
	case r.Underruns > 0:
		return false, fmt.Sprintf("sound broke off %d times", r.Underruns)
	case r.FramesPlayed < r.Frames:
		return false, fmt.Sprintf("device played %d of %d frames", r.FramesPlayed, r.Frames)
	case r.Muted:
		return false, fmt.Sprintf("device was muted (%s)", r.Mixer)
	case r.MovedTo != "":
		return false, fmt.Sprintf("sound moved from %q to %q", r.Device, r.MovedTo)
	case r.StartedAt.IsZero():
		return false, "start is unknown"
	}
	if r.Elapsed < time.Duration(minPace*float64(clip))-paceSlack {
		return false, fmt.Sprintf("finished too early: %v for a clip of %v", r.Elapsed, clip)
	}
	if r.Elapsed > time.Duration(maxPace*float64(clip))+paceSlack {
		return false, fmt.Sprintf("took too long: %v for a clip of %v", r.Elapsed, clip)
	}
	return true, ""
}
