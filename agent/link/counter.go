package link

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"gatecast/internal/durable"
)

// reserve is how many sessions one write of link.json is good for. A restart
// skips what is left of them; 2^64 are enough for both.
const reserve = 64

// counters are the numbers that grow over restarts.
type counters struct {
	path string
	fs   durable.Volume

	mu      sync.Mutex
	session uint64 // last one given out
	disk    savedCounters
}

type savedCounters struct {
	Session uint64 `json:"session_reserved"` // none above was ever given out
}

// openCounters reads dir/link.json. When there is none that can be read,
// sessions go on from the seconds since 1970 at now: that is above every
// number given out before, as no device connects once a second for ever.
func openCounters(disk durable.FS, dir string, now time.Time) *counters {
	c := &counters{path: filepath.Join(dir, "link.json"), fs: durable.On(disk)}
	data, err := c.fs.ReadChecked(c.path)
	if err != nil || json.Unmarshal(data, &c.disk) != nil {
		c.disk = savedCounters{Session: uint64(max(0, now.Unix()))}
	}
	c.session = c.disk.Session
	return c
}

// nextSession returns a number above every one before, also those of earlier
// runs.
func (c *counters) nextSession() (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session >= c.disk.Session {
		next := c.disk
		next.Session = c.session + reserve
		if err := c.write(next); err != nil {
			return 0, fmt.Errorf("counting sessions: %w", err)
		}
	}
	c.session++
	return c.session, nil
}

func (c *counters) write(next savedCounters) error {
	data, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := c.fs.WriteChecked(c.path, data, 0o600); err != nil {
		return err
	}
	c.disk = next
	return nil
}
