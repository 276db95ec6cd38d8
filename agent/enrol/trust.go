package enrol

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// openRoot checks the envelope of a trust root against the hash that came on
// paper and against its own root key, and returns its content with its CAs.
// Expiry is not checked: a device without a clock could not.
func openRoot(envelope []byte, hash string) (wire.Root, *x509.CertPool, error) {
	if got := seal.Hash(envelope); got != hash {
		return wire.Root{}, nil, &Error{Code: WrongRoot, Err: fmt.Errorf("fingerprint is %s, want %s", got, hash)}
	}
	root, pool, err := parseRoot(envelope)
	if err != nil {
		return wire.Root{}, nil, &Error{Code: NoRoot, Err: err}
	}
	return root, pool, nil
}

func parseRoot(envelope []byte) (wire.Root, *x509.CertPool, error) {
	// The keys that must have signed stand inside, so the payload is read
	// before it is verified; nothing of it is used until it is.
	var outer struct {
		Payload []byte `json:"payload"`
	}
	if err := json.Unmarshal(envelope, &outer); err != nil {
		return wire.Root{}, nil, fmt.Errorf("parsing trust root: %w", err)
	}
	var claimed wire.Root
	if err := json.Unmarshal(outer.Payload, &claimed); err != nil {
		return wire.Root{}, nil, fmt.Errorf("parsing trust root: %w", err)
	}
	keys, err := seal.ParsePublicKeys(claimed.RootKeys)
	if err != nil {
		return wire.Root{}, nil, fmt.Errorf("trust root: %w", err)
	}
	var root wire.Root
	if _, err := seal.Open(envelope, keys, seal.Expect{Type: wire.DocRoot}, &root); err != nil {
		return wire.Root{}, nil, fmt.Errorf("opening trust root: %w", err)
	}
	pool, err := poolOf(root.CAs)
	if err != nil {
		return wire.Root{}, nil, err
	}
	return root, pool, nil
}

// poolOf parses the CAs of a trust root.
func poolOf(cas [][]byte) (*x509.CertPool, error) {
	if len(cas) == 0 {
		return nil, errors.New("trust root without a CA")
	}
	pool := x509.NewCertPool()
	for _, der := range cas {
		ca, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("trust root: parsing CA: %w", err)
		}
		if !ca.IsCA {
			return nil, fmt.Errorf("trust root: certificate of %q is not a CA", ca.Subject.CommonName)
		}
		pool.AddCert(ca)
	}
	return pool, nil
}

// A Clock returns the time and whether it may be relied on. A nil Clock is
// one that may not.
type Clock func() (now time.Time, trusted bool)

// errImpostor marks a server certificate outside the pinned CA, so that it is
// told apart from a broken connection.
type errImpostor struct{ err error }

func (e errImpostor) Error() string { return "checking the controller's certificate: " + e.err.Error() }
func (e errImpostor) Unwrap() error { return e.err }

// pinned returns a configuration that accepts exactly the servers whose chain
// leads to pool, whatever their name: a controller may move to another
// address, but only its own CA signs server certificates. While clock cannot
// be relied on the chain is verified one second after the leaf became valid,
// because a device without a battery wakes up in 1970.
func pinned(pool *x509.CertPool, clock Clock) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // VerifyConnection does it, at its own instant; it also runs on resumption
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 {
				return errImpostor{errors.New("no certificate")}
			}
			if err := verify(state.PeerCertificates, pool, clock, x509.ExtKeyUsageServerAuth); err != nil {
				return errImpostor{err}
			}
			return nil
		},
	}
}

// verify checks that chain leads to pool for usage, leaf first.
func verify(chain []*x509.Certificate, pool *x509.CertPool, clock Clock, usage x509.ExtKeyUsage) error {
	at := chain[0].NotBefore.Add(time.Second)
	if clock != nil {
		if now, trusted := clock(); trusted {
			at = now
		}
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: pool, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage},
	})
	return err
}
