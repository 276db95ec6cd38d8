package fleet

import (
	"slices"
	"time"

	"gatecast/internal/wire"
)

// MuteID is the row id of a Mute; 0 means not stored yet.
type MuteID int64

// Area is where something holds: everywhere, or at the points named and at
// those of the units named and of all units below them. The zero value is
// nowhere.
type Area struct {
	All    bool      `json:"all,omitempty"`
	Units  []UnitID  `json:"units,omitempty"`
	Points []PointID `json:"points,omitempty"`
}

// Empty reports whether s is nowhere.
func (s Area) Empty() bool { return !s.All && len(s.Units) == 0 && len(s.Points) == 0 }

// Holds reports whether s holds at point p, whose unit and all units above it
// are above.
func (s Area) Holds(p PointID, above []UnitID) bool {
	return s.All || slices.Contains(s.Points, p) || slices.ContainsFunc(above, func(u UnitID) bool { return slices.Contains(s.Units, u) })
}

// Mute is one 全部静音: an order that gates be silent, until it is lifted. The
// orders and their endings are numbered together; devices obey the highest
// number that they have seen.
type Mute struct {
	ID       MuteID
	Number   uint64
	At       time.Time
	By, Name string // login and name of who gave it
	Reason   string
	Area     Area
	Until    time.Time // ends by itself then; zero: until it is lifted

	// Approved is when somebody who may let gates sound again stood up for it:
	// the slots that it silenced are exempt from then on. Zero: they are missed.
	Approved   time.Time
	ApprovedBy string

	Lifted     time.Time // zero while it holds
	LiftNumber uint64
	LiftedBy   string
	LiftReason string
}

// Open reports whether m demands silence at that time.
func (m Mute) Open(at time.Time) bool {
	return m.Lifted.IsZero() && (m.Until.IsZero() || at.Before(m.Until))
}

// SilenceOf returns what a device should have been told by the mutes that hold at
// its point. Version is 0 where there never was any.
func SilenceOf(mutes []Mute) wire.Mute {
	var w wire.Mute
	var until time.Time
	for _, m := range mutes {
		w.Version = max(w.Version, m.Number, m.LiftNumber)
		if !m.Lifted.IsZero() {
			continue
		}
		if at := wire.US(m.At); !w.On || at < w.SinceUS {
			w.SinceUS = at
		}
		switch {
		case !w.On || m.Until.IsZero():
			until = m.Until
		case !until.IsZero() && m.Until.After(until):
			until = m.Until
		}
		w.On = true
	}
	w.UntilUS = wire.US(until)
	return w
}

// muteLag is how much earlier than the office's order a device may believe to
// have obeyed it: by as much may the two clocks differ.
const muteLag = time.Minute

// SilencedBy returns the mute that a play planned for that instant was silent
// for: the newest order before it of those that hold at the point. A device
// that was away when it was lifted goes on to obey it.
func SilencedBy(mutes []Mute, planned time.Time) (Mute, bool) {
	var found Mute
	ok := false
	for _, m := range mutes {
		if m.At.After(planned.Add(muteLag)) || ok && m.Number < found.Number {
			continue
		}
		found, ok = m, true
	}
	return found, ok
}
