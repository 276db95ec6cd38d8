package trust

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"gatecast/internal/durable"
	"gatecast/internal/seal"
)

// ErrNeedsSigning says that the library key is not here: the approver signs
// manifests on a machine of their own.
var ErrNeedsSigning = errors.New("in strict mode the approver signs the manifest")

// ErrMode says that the office is in that mode already.
var ErrMode = errors.New("the office is in that mode already")

// Strict reports whether the library key is kept away from this machine.
func (a *Authority) Strict() bool { return a.strict }

// loadMode reads which mode the folder is in: strict while library.pub is
// there. What a change of mode that was cut short has left goes.
func (a *Authority) loadMode(complete bool) (strict bool, err error) {
	text, err := os.ReadFile(a.path(publicName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading library key: %w", err)
	}
	if !complete {
		return false, fmt.Errorf("%w: %q without %q", ErrIncomplete, a.path(publicName), a.path(rootName))
	}
	if !slices.Contains(a.rootDoc.LibraryKeys, string(bytes.TrimSpace(text))) {
		if _, err := os.Stat(a.path(libraryName)); err != nil {
			return false, fmt.Errorf("%w: %q is not the key that the root document names", ErrIncomplete, a.path(publicName))
		}
		return false, a.remove(publicName) // of before the key was drawn here
	}
	return true, a.remove(libraryName)
}

// GoStrict takes the library key out of the folder. The key stays the one that
// devices know. out takes its text, as formatted by write, and must not exist.
// The folder has to be opened again after it.
func (a *Authority) GoStrict(out string, format func(seal.Key) ([]byte, error)) error {
	if a.strict {
		return fmt.Errorf("switching to strict mode: %w", ErrMode)
	}
	text, err := format(a.library)
	if err != nil {
		return fmt.Errorf("switching to strict mode: %w", err)
	}
	if err := WriteNew(out, text); err != nil {
		return fmt.Errorf("switching to strict mode: %w", err)
	}
	if err := durable.WriteFile(a.path(publicName), []byte(a.library.Public().String()+"\n"), 0o600); err != nil {
		return fmt.Errorf("switching to strict mode: %w", err)
	}
	return a.remove(libraryName)
}

// GoDefault puts the library key back into the folder. It must be the one that
// devices know; with another one the key is rotated. The folder has to be
// opened again after it.
func (a *Authority) GoDefault(k seal.Key) error {
	if !a.strict {
		return fmt.Errorf("switching to default mode: %w", ErrMode)
	}
	if !slices.Contains(a.rootDoc.LibraryKeys, k.Public().String()) {
		return fmt.Errorf("switching to default mode: key %s is not the library key of this office", k.Public().ID())
	}
	// Until library.pub is gone the folder is in strict mode.
	if err := durable.WriteFile(a.path(libraryName), formatKey(k), 0o600); err != nil {
		return err
	}
	return a.remove(publicName)
}
