package plan

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"gatecast/internal/durable"
	"gatecast/internal/wire"
)

// Inspect reads the documents in force in dir without opening the store:
// nothing is written or put aside, and its owner may go on. Signatures are
// verified as by Open. ok is false when there are none.
func Inspect(dir string, device wire.DeviceID, root []byte) (p *wire.Plan, m *wire.Manifest, ok bool, err error) {
	s := &Store{dir: dir, fs: durable.On(nil), device: device}
	if err := s.loadRoot(root); err != nil {
		return nil, nil, false, fmt.Errorf("inspecting plan store: %w", err)
	}
	data, err := s.fs.ReadFile(filepath.Join(dir, acceptedName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, false, nil
	}
	if err != nil {
		return nil, nil, false, fmt.Errorf("inspecting plan store: %w", err)
	}
	planEnv, manEnv, err := splitPair(data)
	if err != nil {
		return nil, nil, false, fmt.Errorf("inspecting plan store: %w", err)
	}
	pair, err := s.open(planEnv, manEnv, 0)
	if err != nil {
		return nil, nil, false, fmt.Errorf("inspecting plan store: %w", err)
	}
	return pair.plan, pair.manifest, true, nil
}
