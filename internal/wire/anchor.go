package wire

import "cmp"

// DriftPPM bounds how fast a device's clock runs wrong on its own: a cheap
// crystal in the sun and in frost stays within 100 millionths, 8.6 s a day.
const DriftPPM = 100

// Bounds of what an Anchor is made of; beyond them a record is damaged or a
// lie, and arithmetic could overflow.
const (
	maxInstantUS = 1e17 // the year 5138
	maxMonoUS    = 1e15 // 31 years without a restart
	maxErrMS     = 1e9  // eleven days
)

// Anchor ties the time since a boot of a device to the time of the day: one
// reading of both while the time was trusted. With it, every other instant of
// the same boot is known, also one that was written down before there was
// trust.
type Anchor struct {
	AtUS   int64 // since 1970
	MonoUS int64 // since the boot, at the same instant
	ErrUS  int64 // bound of AtUS's error
}

// AnchorOf returns what r says about its boot. ok is false where it says
// nothing: the time was not trusted, or r names no boot.
func AnchorOf(r Record) (a Anchor, ok bool) {
	return anchorOf(r.Level, r.BootID, r.AtUS, r.MonoUS, r.ErrMS)
}

// Anchor is AnchorOf for the record that h was skimmed from.
func (h Head) Anchor() (a Anchor, ok bool) {
	return anchorOf(h.Level, h.BootID, h.AtUS, h.MonoUS, h.ErrMS)
}

func anchorOf(level TimeLevel, boot string, at, mono, errMS int64) (Anchor, bool) {
	if level <= T0 || boot == "" || at <= 0 || at > maxInstantUS || !monoOK(mono) || errMS < 0 || errMS > maxErrMS {
		return Anchor{}, false
	}
	// A record's milliseconds were cut off, not rounded up.
	return Anchor{AtUS: at, MonoUS: mono, ErrUS: errMS*1000 + 1000}, true
}

func monoOK(us int64) bool { return us >= 0 && us <= maxMonoUS }

// At returns the instant of monoUS since the boot of a, and the bound of its
// error: that of a, and what the clock may have drifted in between. ok is
// false where monoUS cannot be a time since a boot.
func (a Anchor) At(monoUS int64) (atUS, errUS int64, ok bool) {
	if !monoOK(monoUS) {
		return 0, 0, false
	}
	by := monoUS - a.MonoUS
	return a.AtUS + by, a.ErrUS + (max(by, -by)*DriftPPM+999_999)/1_000_000, true
}

// Better reports whether a is to be used instead of b, both of the same boot:
// it leaves the smaller error for what was written at the boot's beginning.
// The order is total, so that the best of any anchors is the same whichever
// came first. The zero Anchor is worse than every other.
func (a Anchor) Better(b Anchor) bool {
	if (b == Anchor{}) || (a == Anchor{}) {
		return a != b && b == Anchor{}
	}
	return cmp.Or(cmp.Compare(a.weight(), b.weight()), cmp.Compare(a.MonoUS, b.MonoUS), cmp.Compare(a.AtUS, b.AtUS)) < 0
}

// weight is the error that a leaves for the instant of the boot, in 1e-12 s.
func (a Anchor) weight() int64 { return a.ErrUS*1_000_000 + a.MonoUS*DriftPPM }
