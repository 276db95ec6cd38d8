package plan

import (
	"encoding/json"
	"path/filepath"
	"slices"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// held is what the device must not go behind: the newest versions that it
// accepted. It stands in a file of its own, because the documents may be
// damaged, and a device without any would take whatever old ones it is shown.
type held struct {
	Plan         uint64 `json:"plan"`
	PlanHash     string `json:"plan_sha256"`
	Manifest     uint64 `json:"manifest"`
	ManifestHash string `json:"manifest_sha256"`
}

func (p *pair) held() held {
	return held{Plan: p.plan.Version, PlanHash: p.planHash, Manifest: p.manifest.Version, ManifestHash: seal.Hash(p.manEnv)}
}

// hold writes the file, after the documents: they are in force, and say the
// same, also when it cannot be written. The next Open tries again.
func (s *Store) hold() {
	data, err := json.Marshal(s.held)
	if err == nil {
		_ = s.fs.WriteChecked(filepath.Join(s.dir, heldName), data, 0o600)
	}
}

// loadHeld reads the file. One that cannot be read leaves what the documents
// say.
func (s *Store) loadHeld() {
	data, err := s.fs.ReadChecked(filepath.Join(s.dir, heldName))
	if err == nil {
		err = json.Unmarshal(data, &s.held)
	}
	if err != nil {
		s.held = held{}
	}
}

// Mended returns the names of the files that Open found damaged: documents
// that the controller has to send again, or a list of roots that was restored
// from its copy.
func (s *Store) Mended() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mended)
}

// rootNames are the files of the roots that followed the pinned one.
var rootNames = []string{"root", "root-copy"}

// rootsIn returns the envelopes in a file, as far as each follows from the one
// before.
func (s *Store) rootsIn(name string, pinned *wire.Root) [][]byte {
	data, err := s.fs.ReadChecked(filepath.Join(s.dir, name))
	var chain [][]byte
	if err != nil || json.Unmarshal(data, &chain) != nil {
		return nil
	}
	var t Store
	if t.useRoot(pinned) != nil {
		return nil
	}
	for i, env := range chain {
		next, err := t.nextRoot(env)
		if err != nil || next.Version == t.root.Version || t.useRoot(next) != nil {
			return chain[:i]
		}
	}
	return chain
}

func (s *Store) writeRoots(name string, chain [][]byte) error {
	data, err := json.Marshal(chain)
	if err != nil {
		return err
	}
	return s.fs.WriteChecked(filepath.Join(s.dir, name), data, 0o600)
}

// mendRoots brings both files into agreement with the longest chain. A card
// that does not take it leaves one copy.
func (s *Store) mendRoots() {
	for i, name := range rootNames {
		data, err := s.fs.ReadChecked(filepath.Join(s.dir, name))
		var chain [][]byte
		intact := err == nil && json.Unmarshal(data, &chain) == nil
		if len(s.roots) == 0 && !intact || intact && slices.EqualFunc(chain, s.roots, slices.Equal[[]byte]) {
			continue
		}
		if !intact && i == 0 { // a missing copy may be a power cut's
			s.mended = append(s.mended, name)
		}
		_ = s.writeRoots(name, s.roots)
	}
}
