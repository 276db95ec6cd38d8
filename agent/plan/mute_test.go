package plan

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

func muteDoc(number uint64, on bool) wire.Mute {
	return wire.Mute{Header: wire.Header{Type: wire.DocMute, Device: device, Version: number, IssuedUS: wire.US(issued)}, On: on, SinceUS: 10}
}

func TestMuteHoldsUntilAHigherNumberLiftsIt(t *testing.T) {
	o, dir := newOffice(t), t.TempDir()
	s := openStore(t, dir, o)
	take := func(s *Store, m wire.Mute) error {
		t.Helper()
		_, err := s.TakeMute(sign(t, m, o.director), 20)
		return err
	}
	if err := take(s, muteDoc(5, true)); err != nil || !s.Muted(20) {
		t.Fatalf("TakeMute = %v, Muted = %v", err, s.Muted(20))
	}
	s = openStore(t, dir, o)
	if got := s.MuteState(30); !s.Muted(30) || got != (wire.MuteState{Number: 5, On: true, AtUS: 20}) {
		t.Fatalf("after a restart: MuteState = %+v", got)
	}
	if changed, err := s.TakeMute(sign(t, muteDoc(5, true), o.director), 40); changed || err != nil {
		t.Errorf("the same word again = %v, %v", changed, err)
	}
	if err := take(s, muteDoc(5, false)); !errors.Is(err, ErrConflict) {
		t.Errorf("another word of the same number = %v, want ErrConflict", err)
	}
	if err := take(s, muteDoc(4, false)); !errors.Is(err, seal.ErrRollback) || !s.Muted(50) {
		t.Errorf("an older word = %v, want ErrRollback", err)
	}
	if err := take(s, muteDoc(6, false)); err != nil || s.Muted(50) {
		t.Errorf("a newer word = %v, Muted = %v", err, s.Muted(50))
	}
	if err := take(s, muteDoc(5, true)); !errors.Is(err, seal.ErrRollback) || openStore(t, dir, o).Muted(60) {
		t.Errorf("the word that was lifted, again = %v, want ErrRollback", err)
	}
}

func TestMuteIsRefused(t *testing.T) {
	o := newOffice(t)
	s := openStore(t, t.TempDir(), o)
	change := func(f func(*wire.Mute)) wire.Mute { m := muteDoc(7, true); f(&m); return m }
	tests := map[string][]byte{
		"by_the_library": sign(t, muteDoc(7, true), o.library),
		"another_device": sign(t, change(func(m *wire.Mute) { m.Device = "d111111111111111111111111" }), o.director),
		"every_device":   sign(t, change(func(m *wire.Mute) { m.Device = "" }), o.director),
		"another_type":   sign(t, change(func(m *wire.Mute) { m.Type = wire.DocTime }), o.director),
		"no_number":      sign(t, change(func(m *wire.Mute) { m.Version = 0 }), o.director),
		"ends_before":    sign(t, change(func(m *wire.Mute) { m.UntilUS = 10 }), o.director),
		"nothing":        nil,
	}
	for name, env := range tests {
		if changed, err := s.TakeMute(env, 20); err == nil || changed || s.Muted(20) {
			t.Errorf("%s: TakeMute = %v, %v", name, changed, err)
		}
	}
}

func TestMuteEndsByItself(t *testing.T) {
	o := newOffice(t)
	s := openStore(t, t.TempDir(), o)
	m := muteDoc(1, true)
	m.UntilUS = 100
	if _, err := s.TakeMute(sign(t, m, o.director), 20); err != nil {
		t.Fatal(err)
	}
	if !s.Muted(99) || s.Muted(100) || s.MuteState(100).On {
		t.Errorf("Muted(99), Muted(100) = %v, %v, want true, false", s.Muted(99), s.Muted(100))
	}
}

// TestDamagedMute holds that a card which lost the word keeps silent, and that
// one copy is enough to know it.
func TestDamagedMute(t *testing.T) {
	tests := map[string]struct {
		damage []string
		remove []string
		on     bool
		silent bool
		lost   bool
	}{
		"one_copy_of_a_mute":      {damage: []string{"mute"}, on: true, silent: true},
		"the_other_copy":          {damage: []string{"mute-copy"}, on: true, silent: true},
		"a_copy_is_gone":          {remove: []string{"mute"}, on: true, silent: true},
		"both_copies":             {damage: []string{"mute", "mute-copy"}, on: true, silent: true, lost: true},
		"both_copies_of_the_lift": {damage: []string{"mute", "mute-copy"}, silent: true, lost: true},
		"one_copy_of_the_lift":    {damage: []string{"mute-copy"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o, dir := newOffice(t), t.TempDir()
			s := openStore(t, dir, o)
			if _, err := s.TakeMute(sign(t, muteDoc(5, tt.on), o.director), 20); err != nil {
				t.Fatal(err)
			}
			for _, file := range tt.damage {
				path := filepath.Join(dir, file)
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				data[3] ^= 4
				if err := os.WriteFile(path, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, file := range tt.remove {
				if err := os.Remove(filepath.Join(dir, file)); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				s = openStore(t, dir, o)
				if s.Muted(30) != tt.silent || s.MuteState(30).Lost != tt.lost {
					t.Fatalf("MuteState = %+v, want silent %v, lost %v", s.MuteState(30), tt.silent, tt.lost)
				}
			}
			if _, err := s.TakeMute(sign(t, muteDoc(6, false), o.director), 40); err != nil || s.Muted(40) {
				t.Errorf("lifted: TakeMute = %v, Muted = %v", err, s.Muted(40))
			}
			if openStore(t, dir, o).Muted(50) {
				t.Error("muted again after a restart")
			}
		})
	}
}
