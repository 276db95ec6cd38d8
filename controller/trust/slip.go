package trust

import (
	"errors"

	"gatecast/internal/evidence"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// SealSlip signs s as director and returns the file that lies beside what was
// handed out: see evidence.EncodeSlip. Type is set; IssuedUS is set where it
// is 0. Code, file and hash are required. s is not changed or kept.
func (a *Authority) SealSlip(s *evidence.Slip) ([]byte, error) {
	doc := *s
	if doc.Code == "" || doc.File == "" || doc.SHA256 == "" {
		return nil, errors.New("sealing a slip: code, file and hash are required")
	}
	doc.Version = 1
	a.stamp(&doc.Header, wire.DocSlip)
	envelope, err := seal.Sign(doc, a.director)
	if err != nil {
		return nil, err
	}
	return evidence.EncodeSlip(a.RootEnvelope(), envelope)
}
