package trust

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Server returns the certificate that browsers and devices are shown.
func (a *Authority) Server() *x509.Certificate {
	return a.current(&a.server, x509.ExtKeyUsageServerAuth).Leaf
}

// Authority returns the certificate of the CA that Server is of.
func (a *Authority) Authority() *x509.Certificate { return a.serverCA.cert }

// Shown returns the certificates of a trust folder without opening it, so that
// they can be read beside a running controller: what browsers see, and the CA
// it is of.
func Shown(dir string) (server, ca *x509.Certificate, err error) {
	if server, err = readCertificate(filepath.Join(dir, "server.crt")); err != nil {
		return nil, nil, err
	}
	ca, err = readCertificate(filepath.Join(dir, oldCA+".crt"))
	if errors.Is(err, fs.ErrNotExist) {
		ca, err = readCertificate(filepath.Join(dir, "ca.crt"))
	}
	return server, ca, err
}

func readCertificate(path string) (*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading certificate: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("certificate file %q: no PEM block", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certificate file %q: %w", path, err)
	}
	return cert, nil
}
