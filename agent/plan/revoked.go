package plan

import (
	"fmt"
	"path/filepath"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// Revoke takes the controller's word that this device plays no more. When it
// returns nil nothing is in force any more, and that survives loss of power;
// there is no way back but a new enrolment. An envelope that the director did
// not sign for this device changes nothing.
func (s *Store) Revoke(envelope []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.openRevocation(envelope, s.director); err != nil {
		return fmt.Errorf("taking revocation: %w", err)
	}
	if s.revoked {
		return nil
	}
	// Silent also when the disk does not keep it: the controller says it again.
	s.revoked = true
	if err := s.fs.WriteFile(filepath.Join(s.dir, revokedName), envelope, 0o600); err != nil {
		return fmt.Errorf("storing revocation: %w", err)
	}
	return nil
}

// Revoked reports whether the controller revoked this device.
func (s *Store) Revoked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revoked
}

func (s *Store) openRevocation(envelope []byte, director []seal.PublicKey) error {
	var r wire.Revocation
	if _, err := seal.Open(envelope, director, seal.Expect{Type: wire.DocRevoked, Device: s.device}, &r); err != nil {
		return err
	}
	if r.Device != s.device {
		return seal.ErrAudience
	}
	return nil
}

// loadRevoked believes the file only by its signature: a stray file must not
// silence a gate, and the controller repeats what a damaged one said. What was
// taken stays so when the key that signed it is retired.
func (s *Store) loadRevoked() {
	data, err := s.fs.ReadFile(filepath.Join(s.dir, revokedName))
	s.revoked = err == nil && s.openRevocation(data, s.receipts) == nil
}
