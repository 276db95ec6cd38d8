package playout

import (
	"slices"
	"time"

	"gatecast/internal/wire"
)

// approved reports whether c, a clip of the manifest, may sound whole from
// start on: within the days that were signed with it, and not recalled by the
// office, which may take away what the library allows. The plan of an honest
// office asks for nothing else; this holds for the others, and for a device
// that has been offline since.
func approved(p *wire.Plan, c wire.ManifestClip, start time.Time) (refusal, bool) {
	end := start.Add(length(c))
	switch {
	case slices.Contains(p.Recalled, c.SHA256):
		return refusal{wire.ReasonClipMissing, "clip was recalled"}, false
	case c.FromUS != 0 && start.Before(wire.FromUS(c.FromUS)):
		return refusal{wire.ReasonClipMissing, "clip is not valid yet"}, false
	case c.UntilUS != 0 && end.After(wire.FromUS(c.UntilUS)):
		return refusal{wire.ReasonClipMissing, "clip has expired"}, false
	}
	return refusal{}, true
}
