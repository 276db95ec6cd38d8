package fleet

import (
	"fmt"
	"slices"
	"time"

	"gatecast/internal/wire"
)

// ReplacementID is the row id of a Replacement; 0 means not stored yet.
type ReplacementID int64

// DefaultReplaceLead is how long before a slot starts it is settled what sounds
// in it: later orders, and later undoing, begin with the slot after it. Devices
// that are connected have a plan within seconds; two minutes leave room for
// one that reconnects, so that no slot is half one and half the other by order.
const DefaultReplaceLead = 2 * time.Minute

// Replacement is one 更换: a clip that sounds where programmes name another,
// for some slots and days. Programmes stay as they are written; what they name
// comes back by itself after the last day.
type Replacement struct {
	ID       ReplacementID
	At       time.Time
	By, Name string // login and name of who ordered it
	Reason   string
	Old, New string // SHA-256
	OldName  string // names of the clips then
	NewName  string
	Slots    []string      // "<programme>.<slot key>"; none means every slot
	From, To Day           // first and last day in the office's zone; To empty: until it is undone
	Lead     time.Duration // how long before its start a slot is settled: the office's setting when it was ordered

	Undone     time.Time // zero while it holds
	UndoneBy   string
	UndoReason string
}

// Holds reports whether r holds in a slot of a programme that starts then, on
// that day. It depends on nothing but what was ordered and when, so what holds
// in a slot does not change any more once the slot is near.
func (r Replacement) Holds(slot string, day Day, start time.Time) bool {
	switch {
	case len(r.Slots) > 0 && !slices.Contains(r.Slots, slot):
		return false
	case day < r.From || r.To != "" && day > r.To:
		return false
	case start.Before(r.At.Add(r.Lead)):
		return false
	}
	return r.Undone.IsZero() || start.Before(r.Undone.Add(r.Lead))
}

// ReplaceOrder is what somebody asks for.
type ReplaceOrder struct {
	Old, New ClipID
	Slots    []string // "<programme>.<slot key>"; none means every slot
	From, To Day      // To empty: until it is undone
	Reason   string
}

// Sounding is a slot of the coming days and what sounds in it as things are.
type Sounding struct {
	Key       string // "<programme>.<slot key>"
	Programme string // name
	Name      string // of the slot
	Day       Day
	Start     time.Time
	Points    int
	Clips     []string // SHA-256, each once
}

// Same reports whether o orders the same as r and neither was undone: pressing
// twice is ordering once.
func (r Replacement) Same(o Replacement) bool {
	return r.Undone.IsZero() && o.Undone.IsZero() && r.Old == o.Old && r.New == o.New && r.From == o.From && r.To == o.To && slices.Equal(r.Slots, o.Slots)
}

// ReplacedAt is where a replacement was expected when it was ordered.
type ReplacedAt struct {
	Point    PointID
	Slot     wire.SlotID // the first one it holds in
	SlotName string
	Start    time.Time
	Plays    int
	Device   wire.DeviceID // bound then; empty for none
	Version  uint64        // its newest plan then: every later one has the replacement
}

// Voice is what a device will sound where a clip was replaced.
type Voice string

// What a device will sound.
const (
	VoiceNew  Voice = "new"  // it has the plan and the clip
	VoiceOld  Voice = "old"  // it goes on with what it has
	VoiceNone Voice = "none" // no device, no plan that reaches so far, or silent by order
)

// Voice returns what d, the active device of the point now, sounds in the slot
// as things are. The zero Device is none.
func (a ReplacedAt) Voice(r Replacement, d Device) Voice {
	switch {
	case d.ID == "" || d.PlanVersion == 0 || !d.Horizon.IsZero() && !d.Horizon.After(a.Start) || d.Mute.On:
		return VoiceNone
	case d.ID == a.Device && d.PlanVersion <= a.Version, d.ID != a.Device && !d.Ready():
		return VoiceOld
	case !slices.Contains(d.ClipsReady, r.New):
		return VoiceOld
	}
	return VoiceNew
}

// CheckReplacement refuses what cannot be ordered: the same clip twice, one
// that may not sound, days that are over or in the wrong order.
func CheckReplacement(r Replacement, next Clip, today Day) error {
	refuse := func(zh, en string, args ...any) error {
		return &Error{Code: Invalid, Text: fmt.Sprintf(zh, args...), TextEN: fmt.Sprintf(en, args...)}
	}
	last := r.To
	if last == "" {
		last = r.From
	}
	switch {
	case r.Old == r.New:
		return refuse("新旧素材是同一个，请选另一个素材。", "Both are the same clip. Choose another one.")
	case r.From < today:
		return refuse("开始日期 %s 已经过去，请选今天或以后。", "The first day, %s, has passed. Choose today or later.", r.From)
	case r.To != "" && r.To < r.From:
		return refuse("结束日期 %s 早于开始日期 %s。", "The last day, %s, is before the first, %s.", r.To, r.From)
	case !next.MaySound(r.From, last):
		return refuse("素材“%s”还没有签发，或在这些日子无效；请选一个已签发的素材。", "Clip %q is not signed off, or not valid on these days. Choose one that is.", next.Name)
	}
	return nil
}
