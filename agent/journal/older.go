package journal

import "gatecast/internal/wire"

// maxOlder bounds Older: 32 entries are 2.5 KB of JSON.
const maxOlder = 32

// Older returns the logs before the current one of which records are still
// kept, the newest maxOlder of them, oldest first. A controller that was
// restored from a backup learns by it which of them it has to ask for again.
func (j *Journal) Older() []wire.LogState {
	j.mu.Lock()
	defer j.mu.Unlock()
	retired := j.logs[:len(j.logs)-1]
	retired = retired[max(0, len(retired)-maxOlder):]
	var all []wire.LogState
	for _, c := range retired {
		all = append(all, wire.LogState{Log: c.id, Last: c.last, Acked: c.acked})
	}
	return all
}
