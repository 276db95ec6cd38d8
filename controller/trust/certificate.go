package trust

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"time"

	"gatecast/internal/durable"
	"gatecast/internal/wire"
)

// linkName is a name that every server certificate covers, so that the
// controller's own link and tests need no other.
const linkName = "controller.gatecast.internal"

const (
	caYears       = 20
	leafDays      = 825 // of the controller's own certificates
	deviceDays    = 365
	renewLeftDays = 120 // own certificates are reissued when less is left
)

// past is where the validity of the CA begins: so early that a device whose
// clock is behind can still be told a time inside it.
var past = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// issuer is a CA with its key.
type issuer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// leaf is a certificate of the controller itself.
type leaf struct {
	name string // of its files, without extension
	cert tls.Certificate
}

// loadCA reads the CA, and the one before it while devices still rely on that.
func (a *Authority) loadCA(complete bool) (err error) {
	if a.ca, err = a.readCA("ca", complete); err != nil {
		return err
	}
	a.serverCA = a.ca
	if !complete {
		return nil
	}
	pinned := func(c *x509.Certificate) bool {
		return slices.ContainsFunc(a.rootDoc.CAs, func(der []byte) bool { return bytes.Equal(der, c.Raw) })
	}
	if !pinned(a.ca.cert) {
		return fmt.Errorf("%w: %q is not the CA that the root document names", ErrIncomplete, a.path("ca.crt"))
	}
	if len(a.rootDoc.CAs) > 1 {
		if a.serverCA, err = a.readCA(oldCA, true); err != nil {
			return err
		}
		if !pinned(a.serverCA.cert) {
			return fmt.Errorf("%w: %q is not a CA that the root document names", ErrIncomplete, a.path(oldCA+".crt"))
		}
	}
	return nil
}

// readCA reads the two files of a CA, or makes them as signingKey does.
func (a *Authority) readCA(name string, must bool) (ca issuer, err error) {
	if ca.key, err = a.ecKey(name+".key", must); err != nil {
		return ca, err
	}
	text, err := a.read(name+".crt", must)
	if err != nil {
		return ca, err
	}
	if text == nil {
		if text, err = newCA(ca.key, a.now()); err != nil {
			return ca, err
		}
		if err := durable.WriteFile(a.path(name+".crt"), text, 0o600); err != nil {
			return ca, err
		}
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return ca, fmt.Errorf("certificate file %q: no PEM block", a.path(name+".crt"))
	}
	if ca.cert, err = x509.ParseCertificate(block.Bytes); err != nil {
		return ca, fmt.Errorf("certificate file %q: %w", a.path(name+".crt"), err)
	}
	if pub, ok := ca.key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(ca.cert.PublicKey) {
		return ca, fmt.Errorf("%w: %q does not belong to %q", ErrIncomplete, a.path(name+".key"), a.path(name+".crt"))
	}
	return ca, nil
}

// loadPools says whose certificates count: of every CA in the root document,
// and for renewal those of earlier ones too.
func (a *Authority) loadPools() error {
	a.pool, a.ever = x509.NewCertPool(), x509.NewCertPool()
	for i, doc := range append([]oldRoot{{Root: a.rootDoc}}, a.past...) {
		for _, der := range doc.CAs {
			cert, err := x509.ParseCertificate(der)
			if err != nil {
				return fmt.Errorf("root document %d: CA: %w", doc.Version, err)
			}
			if a.ever.AddCert(cert); i == 0 {
				a.pool.AddCert(cert)
			}
		}
	}
	return nil
}

// newCA returns a CA's certificate for key in PEM.
func newCA(key crypto.Signer, now time.Time) ([]byte, error) {
	from := past
	if now.Before(past) {
		from = now.Add(-24 * time.Hour)
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{Organization: []string{"Gatecast"}, CommonName: "Gatecast CA " + now.UTC().Format("2006-01-02")},
		NotBefore:             from,
		NotAfter:              now.AddDate(caYears, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("creating the CA: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

func (a *Authority) loadLeaves() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.server.name, a.link.name = "server", "link"
	if err := a.load(&a.server, x509.ExtKeyUsageServerAuth); err != nil {
		return err
	}
	return a.load(&a.link, x509.ExtKeyUsageClientAuth)
}

// load reads a certificate of the controller and reissues it where it is
// missing, unreadable, of another CA, not for the present names or near its
// end. Devices pin the CA alone, so that this costs nothing.
func (a *Authority) load(l *leaf, usage x509.ExtKeyUsage) error {
	key, err := a.ecKey(l.name+".key", false)
	if err != nil {
		a.logger.Warn("drawing a key anew", "file", l.name+".key", "err", err)
		if key, err = a.newECKey(l.name + ".key"); err != nil {
			return err
		}
	}
	text, err := a.read(l.name+".crt", false)
	if err != nil {
		return err
	}
	if block, _ := pem.Decode(text); block != nil {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err == nil && a.good(cert, key, usage) {
			l.cert = tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
			return nil
		}
	}
	return a.reissue(l, key, usage)
}

// good reports whether an own certificate can go on being used.
func (a *Authority) good(cert *x509.Certificate, key crypto.Signer, usage x509.ExtKeyUsage) bool {
	now := a.now()
	pub, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !pub.Equal(cert.PublicKey) || now.Before(cert.NotBefore) || now.AddDate(0, 0, renewLeftDays).After(cert.NotAfter) {
		return false
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: a.pool, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
		return false
	}
	return usage != x509.ExtKeyUsageServerAuth || slices.Equal(a.names, namesOf(cert))
}

func namesOf(cert *x509.Certificate) []string {
	names := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	slices.Sort(names)
	return names
}

func (a *Authority) reissue(l *leaf, key crypto.Signer, usage x509.ExtKeyUsage) error {
	now := a.now()
	template := &x509.Certificate{
		Subject:     pkix.Name{Organization: []string{"Gatecast"}, CommonName: "controller " + l.name},
		NotAfter:    now.AddDate(0, 0, leafDays),
		ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	if usage == x509.ExtKeyUsageServerAuth {
		for _, n := range a.names {
			if ip := net.ParseIP(n); ip != nil {
				template.IPAddresses = append(template.IPAddresses, ip)
			} else {
				template.DNSNames = append(template.DNSNames, n)
			}
		}
	}
	der, err := a.serverCA.issue(template, key.Public(), now)
	if err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("parsing own certificate: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := durable.WriteFile(a.path(l.name+".crt"), text, 0o600); err != nil {
		return err
	}
	l.cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: cert}
	a.logger.Info("certificate issued", "name", l.name, "until", cert.NotAfter)
	return nil
}

// issue signs template for pub. Validity begins a day ago, inside that of the
// CA, so that clocks a little behind and checks at NotBefore + 1 s agree.
func (ca issuer) issue(template *x509.Certificate, pub crypto.PublicKey, now time.Time) ([]byte, error) {
	template.SerialNumber = serial()
	template.NotBefore = now.Add(-24 * time.Hour)
	if template.NotBefore.Before(ca.cert.NotBefore) {
		template.NotBefore = ca.cert.NotBefore
	}
	if template.NotAfter.After(ca.cert.NotAfter) {
		template.NotAfter = ca.cert.NotAfter
	}
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, pub, ca.key)
	if err != nil {
		return nil, fmt.Errorf("issuing certificate: %w", err)
	}
	return der, nil
}

// MaxCSR bounds a certificate request, in bytes.
const MaxCSR = 4 << 10

// ErrCSR says that a certificate request is not acceptable.
var ErrCSR = errors.New("certificate request not acceptable")

// IssueDevice returns a certificate of one year for the key of a PKCS #10
// request, with the name and the DER form of that key. Nothing else is taken
// from the request. One that is damaged, not signed by its own key or of a
// kind of key other than P-256 and Ed25519 yields ErrCSR.
func (a *Authority) IssueDevice(csrDER []byte, now time.Time) (cert []byte, id wire.DeviceID, spki []byte, err error) {
	if len(csrDER) > MaxCSR {
		return nil, "", nil, fmt.Errorf("%w: %d bytes", ErrCSR, len(csrDER))
	}
	csr, err := x509.ParseCertificateRequest(csrDER)
	if err != nil {
		return nil, "", nil, fmt.Errorf("%w: %w", ErrCSR, err)
	}
	switch k := csr.PublicKey.(type) {
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return nil, "", nil, fmt.Errorf("%w: curve %s", ErrCSR, k.Curve.Params().Name)
		}
	case ed25519.PublicKey:
	default:
		return nil, "", nil, fmt.Errorf("%w: key of type %T", ErrCSR, k)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, "", nil, fmt.Errorf("%w: %w", ErrCSR, err)
	}
	if spki, err = x509.MarshalPKIXPublicKey(csr.PublicKey); err != nil {
		return nil, "", nil, fmt.Errorf("%w: %w", ErrCSR, err)
	}
	id = DeviceIDOf(spki)
	template := &x509.Certificate{
		Subject:     pkix.Name{Organization: []string{"Gatecast"}, CommonName: string(id)},
		NotAfter:    now.AddDate(0, 0, deviceDays),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if cert, err = a.ca.issue(template, csr.PublicKey, now); err != nil {
		return nil, "", nil, err
	}
	return cert, id, spki, nil
}

// DeviceOf returns the device whose certificate cert is. It must have passed
// verification against the CA, as in a TLS handshake; ok is false for nil and
// for the controller's own certificates.
func (a *Authority) DeviceOf(cert *x509.Certificate) (id wire.DeviceID, ok bool) {
	if cert == nil || a.IsController(cert) {
		return "", false
	}
	id = DeviceIDOf(cert.RawSubjectPublicKeyInfo)
	return id, cert.Subject.CommonName == string(id)
}

// IsController reports whether cert is the controller's own MQTT identity.
func (a *Authority) IsController(cert *x509.Certificate) bool {
	if cert == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return string(cert.RawSubjectPublicKeyInfo) == string(a.link.cert.Leaf.RawSubjectPublicKeyInfo)
}

func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	b[0] &= 0x7f
	b[15] |= 1
	return new(big.Int).SetBytes(b)
}
