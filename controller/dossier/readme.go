package dossier

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"gatecast/internal/seal"
)

//go:embed readme.txt
var readmeText string

// readme says what the files are and how to verify them, in both languages.
func (r *run) readme(context.Context) error {
	text := strings.NewReplacer(
		"{FROM}", string(r.q.From), "{TO}", string(r.q.To), "{OFFICE}", r.e.o.Office,
		"{MADE}", r.e.o.Now().In(r.e.o.Zone).Format("2006-01-02 15:04:05 -07:00"), "{ROOT}", seal.Hash(r.e.o.Trust.RootEnvelope()),
	).Replace(readmeText)
	if err := r.out.whole("README.txt", []byte(text)); err != nil {
		return fmt.Errorf("writing README.txt: %w", err)
	}
	return nil
}
