package journal

import "gatecast/internal/wire"

// bound drops segments until more bytes fit and nothing acked is older than
// it has to be kept. The newest segment stays.
func (j *Journal) bound(more int64) error {
	if now := j.o.Now(); now.Level > wire.T0 {
		oldest := wire.US(now.Wall) - j.o.KeepAcked.Microseconds()
		for j.dropFirst(func(c *chain, s *segment) bool {
			return s.last() <= c.acked && s.lastUS > 0 && s.lastUS < oldest
		}) {
			continue
		}
	}
	for j.bytes()+more > j.o.MaxBytes {
		if j.dropAcked() {
			continue
		}
		dropped, err := j.dropUnacked()
		if err != nil || !dropped {
			return err
		}
	}
	return nil
}

func (j *Journal) bytes() int64 {
	var n int64
	for _, c := range j.logs {
		for _, s := range c.segs {
			n += s.size
		}
	}
	return n
}

// dropAcked removes the oldest segment that is acked whole, to make space.
func (j *Journal) dropAcked() bool {
	return j.dropFirst(func(c *chain, s *segment) bool { return s.last() <= c.acked })
}

// dropFirst removes the first segment of a log that may go and is the oldest
// one there, so that what is kept of a log has no holes.
func (j *Journal) dropFirst(may func(*chain, *segment) bool) bool {
	for i, c := range j.logs {
		current := i == len(j.logs)-1
		if len(c.segs) == 0 || current && len(c.segs) == 1 || !may(c, c.segs[0]) {
			continue
		}
		j.log.Info("journal segment dropped", "log", c.id, "first", c.segs[0].first, "last", c.segs[0].last())
		j.keepClaims(c.segs[0], c.segs[0].last() > c.acked)
		j.owe(c.id, c.segs[0].last())
		j.remove(c, 0)
		if len(c.segs) == 0 {
			j.logs = append(j.logs[:i:i], j.logs[i+1:]...)
		}
		return true
	}
	return false
}

// dropUnacked removes the oldest segment of all, after records say so: one
// gap from the first number that nobody acked, and the gaps that the segment
// itself reported, once more.
func (j *Journal) dropUnacked() (bool, error) {
	c := j.logs[0]
	if len(j.logs) == 1 && len(c.segs) == 1 || j.f == nil {
		return false, nil
	}
	s := c.segs[0]
	gaps := []wire.Gap{{Log: c.id, First: c.acked + 1, Last: s.last(), Why: whyFull}}
	for _, r := range j.reported {
		if r.log == c.id && s.first <= r.seq && r.seq <= s.last() && (r.gap.Why != whyFull || r.gap.Log != c.id) {
			gaps = append(gaps, r.gap)
		}
	}
	for _, g := range gaps {
		j.log.Error("records dropped before they were delivered", "log", g.Log, "first", g.First, "last", g.Last, "why", g.Why)
		// Into the open segment even when that exceeds its size: asking for
		// room here would come back to this place.
		if err := j.reportBy(j.putHere, g); err != nil {
			return false, err
		}
	}
	j.dropFirst(func(*chain, *segment) bool { return true })
	return true, nil
}

// remove deletes segment i of c. A name that stays behind is found and
// removed again when the journal is opened.
func (j *Journal) remove(c *chain, i int) {
	if err := j.fs.Remove(c.segs[i].path); err != nil {
		j.log.Warn("removing journal segment", "err", err)
	}
	c.segs = append(c.segs[:i:i], c.segs[i+1:]...)
}
