package backup

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gatecast/internal/durable"
)

// PassphraseFile holds the passphrase of sealed backups in a trust folder. It
// is in sealed backups, so that a restored office keeps the one on paper, and
// never in plain ones.
const PassphraseFile = "backup.pass"

// letters have no I, L, O and U: nothing that is misread on paper (Crockford's
// base 32). 24 of them are 120 bits.
const letters = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const passLetters = 24

// Passphrase returns the passphrase kept in a trust folder, and draws one where
// there is none. On return it survives power loss. Write it on paper: without
// it no sealed backup can be opened anywhere else.
func Passphrase(trust string) (string, error) {
	path := filepath.Join(trust, PassphraseFile)
	text, err := os.ReadFile(path)
	if err == nil {
		if len(Normal(string(text))) < passLetters/2 {
			return "", fmt.Errorf("reading passphrase of backups %q: fewer than %d letters", path, passLetters/2)
		}
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading passphrase of backups: %w", err)
	}
	raw := make([]byte, passLetters)
	if _, err := rand.Read(raw); err != nil {
		return "", fmt.Errorf("drawing a passphrase: %w", err)
	}
	var b strings.Builder
	for i, c := range raw {
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(letters[c%32])
	}
	if err := durable.WriteFile(path, []byte(b.String()+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keeping passphrase of backups: %w", err)
	}
	return b.String(), nil
}

// Normal is a passphrase as it counts: how it is spaced, and letters that look
// alike, make no difference.
func Normal(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '-' || r == ' ' || r == '\n' || r == '\r' || r == '\t':
			return -1
		case r == 'O':
			return '0'
		case r == 'I' || r == 'L':
			return '1'
		}
		return r
	}, strings.ToUpper(text))
}
