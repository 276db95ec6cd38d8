package schedules

import "time"

// window is a Pattern with its expressions worked out.
type window struct {
	Pattern
	start  *start
	length TimeOfDay // the same for every start and on every day
}

// newWindow works p out. It assumes that p's values passed the checker, apart
// from the rules that the error names.
func newWindow(p Pattern) (*window, *startError) {
	s, err := parseStart(p.Start)
	if err != nil {
		return nil, err
	}
	w := &window{Pattern: p, start: s, length: TimeOfDay(p.Duration)}
	switch {
	case p.Until != 0 && p.Duration != 0:
		return nil, &startError{RuleTwoWindows, nil}
	case p.Until == 0 && p.Duration == 0:
		return nil, &startError{RuleNoWindow, nil}
	case p.Duration != 0:
		return w, nil
	case len(s.times) > 1:
		return nil, &startError{RuleUntilStarts, []any{p.Start}}
	case p.Until <= s.times[0]:
		return nil, &startError{RuleUntilBefore, []any{p.Until, s.times[0]}}
	}
	w.length = p.Until - s.times[0]
	return w, nil
}

// span returns the window that starts at t, for people.
func (w *window) span(t TimeOfDay) string {
	end := t + w.length
	if end > dayLength {
		end -= dayLength
	}
	return t.String() + "–" + end.String()
}

// count returns how many plays the window has.
func (w *window) count() int { return w.plays(time.Duration(w.length)) }

// lateness returns the grace of the window; by default no more than half of
// what is there to be late in.
func (w *window) lateness() time.Duration {
	if w.Grace != nil {
		return *w.Grace
	}
	return min(w.grace(), time.Duration(w.length)/2)
}

// firstClash returns two starts of v and w on one day whose windows share a
// moment, and false if there are none.
func (w *window) firstClash(v *window) (a, b TimeOfDay, clash bool) {
	for i, j := 0, 0; i < len(w.start.times) && j < len(v.start.times); {
		a, b = w.start.times[i], v.start.times[j]
		switch {
		case a+w.length <= b:
			i++
		case b+v.length <= a:
			j++
		default:
			return a, b, true
		}
	}
	return 0, 0, false
}
