package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// muteNames are the two copies of what the office said last about silence.
var muteNames = []string{"mute", "mute-copy"}

// muted is what was said last. It is kept as it was understood and not as it
// was signed: the key that signed it may be retired before it is lifted, and
// silence must outlast that.
type muted struct {
	Number  uint64 `json:"number"`
	On      bool   `json:"on"`
	SinceUS int64  `json:"since_us"`
	UntilUS int64  `json:"until_us,omitempty"`
	AtUS    int64  `json:"at_us,omitempty"`
}

// same reports whether a and b say the same.
func (a muted) same(b muted) bool {
	a.AtUS = b.AtUS
	return a == b
}

// TakeMute takes the office's word that this device is to be silent, or may
// sound again, and reports whether that changed anything. When it returns nil
// the word survives loss of power. A number below the one held is ErrRollback,
// another word of the same number ErrConflict, and both change nothing. nowUS
// is the device's best time, for the report.
//
// A word of silence holds also when the card does not keep it; one that ends
// silence does not.
func (s *Store) TakeMute(envelope []byte, nowUS int64) (changed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var doc wire.Mute
	h, err := seal.Open(envelope, s.director, seal.Expect{Type: wire.DocMute, Device: s.device, MinVersion: s.mute.Number}, &doc)
	if err != nil {
		return false, fmt.Errorf("taking mute: %w", err)
	}
	next := muted{Number: h.Version, On: doc.On, SinceUS: doc.SinceUS, UntilUS: doc.UntilUS, AtUS: nowUS}
	switch {
	case h.Device != s.device:
		return false, fmt.Errorf("taking mute: %w", seal.ErrAudience)
	case h.Version == 0 || doc.UntilUS < 0 || doc.UntilUS != 0 && doc.UntilUS <= doc.SinceUS:
		return false, fmt.Errorf("taking mute: %w: number %d, until %d", ErrShape, h.Version, doc.UntilUS)
	case h.Version == s.mute.Number && !next.same(s.mute):
		return false, fmt.Errorf("taking mute: %w: %d", ErrConflict, h.Version)
	case h.Version == s.mute.Number && !s.muteLost:
		return false, nil
	}
	if next.On {
		s.muteHeld = true // before the card is asked
	}
	for _, name := range muteNames {
		if err := s.writeMute(name, next); err != nil {
			return true, fmt.Errorf("storing mute: %w", err)
		}
	}
	s.mute, s.muteHeld, s.muteLost = next, false, false
	return true, nil
}

// Muted reports whether the device must be silent at nowUS, by trusted time.
func (s *Store) Muted(nowUS int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mutedAt(nowUS)
}

func (s *Store) mutedAt(nowUS int64) bool {
	return s.muteHeld || s.muteLost || s.mute.On && (s.mute.UntilUS == 0 || nowUS < s.mute.UntilUS)
}

// MuteState is what the device tells the office of it.
func (s *Store) MuteState(nowUS int64) wire.MuteState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return wire.MuteState{Number: s.mute.Number, On: s.mutedAt(nowUS), AtUS: s.mute.AtUS, Lost: s.muteLost}
}

// loadMute takes the newer of the two copies and mends the other one. Where
// files are there and neither can be read, the device does not know whether it
// may sound: it is silent until the office says it again, which it does as
// soon as the two talk.
func (s *Store) loadMute() {
	var intact, damaged []string
	for _, name := range muteNames {
		data, err := s.fs.ReadChecked(filepath.Join(s.dir, name))
		var m muted
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil || json.Unmarshal(data, &m) != nil || m.Number == 0:
			damaged = append(damaged, name)
			continue
		}
		intact = append(intact, name)
		if m.Number > s.mute.Number {
			s.mute = m
		}
	}
	s.mended = append(s.mended, damaged...)
	switch {
	case len(intact) == 0 && len(damaged) == 0:
		return
	case len(intact) == 0:
		s.muteLost = true
		return
	}
	for _, name := range muteNames {
		_ = s.writeMute(name, s.mute) // a card that does not take it leaves one copy
	}
}

func (s *Store) writeMute(name string, m muted) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return s.fs.WriteChecked(filepath.Join(s.dir, name), data, 0o600)
}
