package walltime

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"gatecast/internal/durable"
	"gatecast/internal/wire"
)

const fileName = "walltime.json"

// saved is the file. The offset is good only within the boot it names, and a
// battery's clock only in a boot that it does not name.
type saved struct {
	FloorUS    int64          `json:"floor_us"`
	EvidenceUS int64          `json:"evidence_us"`
	ContactUS  int64          `json:"contact_us,omitempty"`
	BootID     string         `json:"boot_id,omitempty"`
	OffsetUS   int64          `json:"offset_us,omitempty"` // since 1970, minus time since boot
	MonoUS     int64          `json:"mono_us,omitempty"`   // since boot, when ErrUS held
	ErrUS      int64          `json:"err_us,omitempty"`
	Level      wire.TimeLevel `json:"level,omitempty"`
	Signed     *savedAnchor   `json:"signed,omitempty"` // of that boot
}

// savedAnchor is an anchor, in microseconds.
type savedAnchor struct {
	OffsetUS int64 `json:"offset_us"`
	MonoUS   int64 `json:"mono_us"`
	ErrUS    int64 `json:"err_us"`
}

// errUS is the bound that is saved beside an offset: whole microseconds above
// err, and one more, because the offset loses its part of one.
func errUS(err time.Duration) int64 {
	return (err + 2*time.Microsecond - 1).Microseconds()
}

// anchor returns what was saved; a nil savedAnchor is none.
func (s *savedAnchor) anchor() anchor {
	if s == nil {
		return anchor{}
	}
	us := func(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
	return anchor{offset: us(s.OffsetUS), at: us(s.MonoUS), err: us(s.ErrUS), held: true}
}

// same reports whether two files would read alike.
func (s saved) same(t saved) bool {
	a, b := s.Signed.anchor(), t.Signed.anchor()
	s.Signed, t.Signed = nil, nil
	return s == t && a == b
}

// load reads the file; an absent one is the zero value.
func load(disk durable.Volume, path string) (saved, error) {
	data, err := disk.ReadChecked(path)
	if errors.Is(err, fs.ErrNotExist) {
		return saved{}, nil
	}
	var s saved
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err == nil && (s.FloorUS < 0 || s.EvidenceUS < 0 || s.ContactUS < 0) {
		err = errors.New("time before 1970")
	}
	if err != nil {
		return saved{}, fmt.Errorf("restoring time: %w", err)
	}
	return s, nil
}

// Persist raises the floor to what has certainly passed and writes it. On
// return it survives loss of power.
func (c *Clock) Persist() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write(c.kernel.SinceBoot())
}

// persistLocked is Persist for callers that have nobody to tell.
func (c *Clock) persistLocked(boot time.Duration) {
	if err := c.write(boot); err != nil {
		c.log.Warn("persisting time", "err", err)
	}
}

func (c *Clock) write(boot time.Duration) error {
	// This much time has gone by since the floor, by the worst of crystals.
	// What the clock reads does not count: nobody may have signed it.
	if gone := boot - c.floorAt; gone > time.Second && !c.floor.IsZero() {
		c.floor, c.floorAt = c.floor.Add(gone-drift(gone)), boot
		c.holdFloor(boot)
	}
	s := saved{FloorUS: wire.US(c.floor), EvidenceUS: wire.US(c.evidence), ContactUS: wire.US(c.contact), BootID: c.bootID}
	if c.level > wire.T0 {
		s.Level = c.level
		s.OffsetUS, s.MonoUS, s.ErrUS = c.offset.Microseconds(), c.asOf.Microseconds(), errUS(c.err)
	}
	if c.signed.held && c.level > wire.T0 {
		s.Signed = &savedAnchor{c.signed.offset.Microseconds(), c.signed.at.Microseconds(), errUS(c.signed.err)}
	}
	if s.same(c.saved) {
		return nil
	}
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encoding time: %w", err)
	}
	if err := c.fs.WriteChecked(c.path, data, 0o600); err != nil {
		return err
	}
	c.saved = s
	return nil
}
