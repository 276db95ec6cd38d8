package doorway

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

// recheck is how often the files of a certificate are looked at, at most.
const recheck = 10 * time.Second

// Certificate is a certificate in two PEM files, followed when they change.
type Certificate struct {
	certFile, keyFile string // immutable
	logger            *slog.Logger

	mu     sync.Mutex
	cert   *tls.Certificate
	stamp  [2]time.Time // when the files were written that cert is of
	looked time.Time
}

// OpenCertificate reads a chain and its key. A pair that does not belong
// together, that cannot be read or whose certificate is over is refused.
func OpenCertificate(certFile, keyFile string, logger *slog.Logger) (*Certificate, error) {
	c := &Certificate{certFile: certFile, keyFile: keyFile, logger: logger}
	cert, err := LoadPair(certFile, keyFile, time.Now())
	if err != nil {
		return nil, err
	}
	c.cert, c.stamp, c.looked = cert, c.written(), time.Now()
	return c, nil
}

// LoadPair returns the certificate of two PEM files as of now.
func LoadPair(certFile, keyFile string, now time.Time) (*tls.Certificate, error) {
	for _, f := range []string{certFile, keyFile} {
		if _, err := os.ReadFile(f); err != nil {
			return nil, fmt.Errorf("%q cannot be read · 读不出这个文件: %w", f, err)
		}
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	switch {
	case err != nil && strings.Contains(err.Error(), "private key does not match"):
		return nil, fmt.Errorf("%q is not the key of %q · 私钥和证书不是一对", keyFile, certFile)
	case err != nil:
		return nil, fmt.Errorf("%q and %q are no PEM certificate and key · 不是 PEM 格式的证书和私钥: %w", certFile, keyFile, err)
	case now.After(cert.Leaf.NotAfter):
		return nil, fmt.Errorf("the certificate in %q ended on %s · 证书已于该日到期", certFile, cert.Leaf.NotAfter.Format(time.DateOnly))
	}
	return &cert, nil
}

func (c *Certificate) written() (at [2]time.Time) {
	for i, f := range []string{c.certFile, c.keyFile} {
		if fi, err := os.Stat(f); err == nil {
			at[i] = fi.ModTime()
		}
	}
	return at
}

// Get is for tls.Config.GetCertificate. A new pair is taken within 10 s of its
// files; one that cannot be used is logged, and the old one stays.
func (c *Certificate) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.at(time.Now()), nil
}

func (c *Certificate) at(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.looked) < recheck {
		return c.cert
	}
	c.looked = now
	stamp := c.written()
	if stamp == c.stamp {
		return c.cert
	}
	cert, err := LoadPair(c.certFile, c.keyFile, now)
	if err != nil {
		c.logger.Warn("reading a changed certificate; the old one stays", "file", c.certFile, "err", err)
		return c.cert
	}
	c.cert, c.stamp = cert, stamp
	c.logger.Info("certificate replaced", "file", c.certFile, "until", cert.Leaf.NotAfter, "fingerprint", Fingerprint(cert.Leaf))
	return c.cert
}

// Fingerprint returns the SHA-256 of a certificate as browsers show it and
// people compare it: 32 pairs of hex digits with colons between.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}
