package plan

import (
	"fmt"
	"slices"
	"time"

	"gatecast/internal/wire"
)

// Bounds of a plan. They hold the memory and the work that a signed mistake
// can cause on a small device; no real plan comes near them.
const (
	maxSlots    = 20_000
	maxPlays    = 200_000
	maxClips    = 1_000
	maxGrace    = 6 * 60 * 60 // seconds
	maxSlotSpan = 26 * 60 * 60
	maxRepeats  = 60 // of a slot that cuts in
	minGainDB   = -120
	maxGainDB   = 40
)

// check looks at what signatures cannot tell.
func check(p *wire.Plan, m *wire.Manifest) error {
	if len(p.Clips) > maxClips || len(m.Clips) > 10*maxClips {
		return fmt.Errorf("%w: %d clips in the plan, %d in the manifest", ErrShape, len(p.Clips), len(m.Clips))
	}
	if err := checkZones(p, m); err != nil {
		return err
	}
	allowed := make(map[string]bool, len(m.Clips))
	for _, c := range m.Clips {
		if err := checkClip(c); err != nil {
			return err
		}
		allowed[c.SHA256] = true
	}
	for _, sha := range p.Clips {
		if !allowed[sha] {
			return fmt.Errorf("%w: %q", ErrClip, sha)
		}
	}
	if p.StaleS < 0 || p.Default != "" && !slices.Contains(p.Clips, p.Default) {
		return fmt.Errorf("%w: stale after %d s, with clip %q", ErrShape, p.StaleS, p.Default)
	}
	return checkSlots(p)
}

func checkZones(p *wire.Plan, m *wire.Manifest) error {
	for _, zone := range []string{p.Zone, m.Ceilings.Zone} {
		if zone == "" || zone == "Local" {
			return fmt.Errorf("%w: zone %q", ErrShape, zone)
		}
		if _, err := time.LoadLocation(zone); err != nil {
			return fmt.Errorf("%w: zone %q: %w", ErrShape, zone, err)
		}
	}
	for _, w := range m.Ceilings.Allowed {
		if w.FirstMin < 0 || w.LastMin > 24*60 || w.FirstMin >= w.LastMin {
			return fmt.Errorf("%w: allowed minutes %d to %d", ErrShape, w.FirstMin, w.LastMin)
		}
	}
	return nil
}

func checkClip(c wire.ManifestClip) error {
	switch {
	case !isSHA256(c.SHA256):
		return fmt.Errorf("%w: clip hash %q", ErrShape, c.SHA256)
	case c.Bytes <= 0 || c.Rate < 8000 || c.Rate > 192_000 || c.Frames <= 0:
		return fmt.Errorf("%w: clip %s of %d bytes, %d frames at %d Hz", ErrShape, c.SHA256, c.Bytes, c.Frames, c.Rate)
	case !(c.GainDB >= minGainDB && c.GainDB <= maxGainDB):
		return fmt.Errorf("%w: clip %s with a gain of %v dB", ErrShape, c.SHA256, c.GainDB)
	}
	return nil
}

func checkSlots(p *wire.Plan) error {
	if len(p.Slots) > maxSlots {
		return fmt.Errorf("%w: %d slots", ErrShape, len(p.Slots))
	}
	seen := make(map[wire.SlotID]bool, len(p.Slots))
	var last int64
	plays := 0
	for _, s := range p.Slots {
		switch {
		case s.ID == "" || len(s.ID) > 200 || seen[s.ID]:
			return fmt.Errorf("%w: slot id %q", ErrShape, s.ID)
		case s.StartS < last:
			return fmt.Errorf("%w: slot %q is before the one in front of it", ErrShape, s.ID)
		case s.StartS <= 0 || s.EndS <= s.StartS || s.EndS-s.StartS > maxSlotSpan:
			return fmt.Errorf("%w: slot %q from %d to %d", ErrShape, s.ID, s.StartS, s.EndS)
		case s.GraceS < 0 || s.GraceS > maxGrace && !s.Urgent || s.GraceS > maxSlotSpan:
			return fmt.Errorf("%w: slot %q with a grace of %d s", ErrShape, s.ID, s.GraceS)
		case !(s.GainDB >= minGainDB && s.GainDB <= maxGainDB):
			return fmt.Errorf("%w: slot %q with a gain of %v dB", ErrShape, s.ID, s.GainDB)
		case s.Count < 1 || s.Count > 1 && s.EveryS < 1 || s.EveryS > maxSlotSpan:
			return fmt.Errorf("%w: slot %q with %d plays every %d s", ErrShape, s.ID, s.Count, s.EveryS)
		case s.Urgent && s.Count > maxRepeats:
			return fmt.Errorf("%w: slot %q cuts in %d times", ErrShape, s.ID, s.Count)
		case int64(s.Count-1)*s.EveryS >= s.EndS-s.StartS:
			return fmt.Errorf("%w: slot %q ends before its last play", ErrShape, s.ID)
		}
		if _, err := p.Plays(s); err != nil {
			return fmt.Errorf("%w: %w", ErrShape, err)
		}
		if plays += s.Count; plays > maxPlays {
			return fmt.Errorf("%w: more than %d plays", ErrShape, maxPlays)
		}
		seen[s.ID], last = true, s.StartS
	}
	return nil
}

func isSHA256(s string) bool {
	if len(s) != 64 {
		return false
	}
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
