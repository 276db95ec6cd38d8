package plan

import (
	"crypto/subtle"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"gatecast/internal/evidence"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// maxCommandLife bounds a command from issue to expiry, in microseconds.
const maxCommandLife = 5 * 60 * 1_000_000

// VerifyTime opens the director's answer to nonce, the one of the present
// connection's hello. An answer to another nonce is ErrReplay.
func (s *Store) VerifyTime(env []byte, nonce string) (wire.TimeAnswer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var a wire.TimeAnswer
	if _, err := seal.Open(env, s.director, seal.Expect{Type: wire.DocTime, Device: s.device}, &a); err != nil {
		return wire.TimeAnswer{}, fmt.Errorf("time answer: %w", err)
	}
	if !same(a.Nonce, nonce) {
		return wire.TimeAnswer{}, fmt.Errorf("time answer: %w", ErrReplay)
	}
	if a.NowUS <= 0 {
		return wire.TimeAnswer{}, fmt.Errorf("time answer: %w: %d", ErrShape, a.NowUS)
	}
	return a, nil
}

// VerifyCommand opens a command of the director for this device. It is
// ErrReplay when it answers another connection than nonce's or its counter is
// not above every one seen. nowUS is trusted time, 0 when there is none; the
// nonce protects then. The counter is on the disk when VerifyCommand returns
// nil, so that the command is executed at most once.
func (s *Store) VerifyCommand(env []byte, nonce string, nowUS int64) (wire.Command, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var c wire.Command
	want := seal.Expect{Type: wire.DocCommand, Device: s.device, NowUS: nowUS}
	if _, err := seal.Open(env, s.director, want, &c); err != nil {
		return wire.Command{}, fmt.Errorf("command: %w", err)
	}
	switch {
	case c.Device != s.device:
		return wire.Command{}, fmt.Errorf("command %q: %w", c.ID, seal.ErrAudience)
	case c.Counter <= s.counter:
		return wire.Command{}, fmt.Errorf("command %q: %w: counter %d after %d", c.ID, ErrReplay, c.Counter, s.counter)
	case !same(c.Nonce, nonce):
		return wire.Command{}, fmt.Errorf("command %q: %w", c.ID, ErrConnection)
	case c.ExpiresUS == 0 || c.ExpiresUS-c.IssuedUS > maxCommandLife:
		return wire.Command{}, fmt.Errorf("command %q: %w: it lives longer than five minutes", c.ID, ErrShape)
	}
	if err := s.fs.WriteChecked(filepath.Join(s.dir, counterName), []byte(strconv.FormatUint(c.Counter, 10)+"\n"), 0o600); err != nil {
		return wire.Command{}, fmt.Errorf("storing command counter: %w", err)
	}
	s.counter = c.Counter
	return c, nil
}

// VerifyReceipt opens a receipt of the director for this device; one of a key
// that was retired counts too, because it was given before.
func (s *Store) VerifyReceipt(env []byte) (wire.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return evidence.OpenReceipt(env, s.receipts, s.device)
}

// same compares nonces. An empty nonce is nobody's.
func same(a, b string) bool {
	return b != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

func (s *Store) loadCounter() {
	// A counter that cannot be read counts as 0: the nonce still protects.
	if data, err := s.fs.ReadChecked(filepath.Join(s.dir, counterName)); err == nil {
		s.counter, _ = strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	}
}
