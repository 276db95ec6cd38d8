package enrol

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"gatecast/internal/durable"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// ErrNotEnrolled is returned by Load when dir holds no identity.
var ErrNotEnrolled = errors.New("device is not enrolled")

// Identity is what a device became by enrolment. It is safe for concurrent
// use; only its certificate changes, by Renew.
type Identity struct {
	Device    wire.DeviceID
	Point     string // point code at enrolment; the plan says the present one
	PointName string
	URL       string // https://host:port of the device port
	MQTT      string // host:port of the broker, never without a host
	Root      []byte // the envelope of the trust root
	RootHash  string // its SHA-256, as on the join line
	Enrolled  time.Time

	HTTP http.RoundTripper // for Renew, instead of HTTPS; nil is the real thing; set before use

	dir  string
	fs   durable.Volume
	file []byte // content of identity.json, as it was read; guarded by mu
	key  *ecdsa.PrivateKey

	mended []string // names of files

	mu   sync.Mutex
	cert *x509.Certificate
	pool *x509.CertPool // CAs whose servers count: of the pinned root, or of a later one
}

// stored is identity.json.
type stored struct {
	Version   int           `json:"version"` // 1
	Device    wire.DeviceID `json:"device"`
	Point     string        `json:"point"`
	PointName string        `json:"point_name"`
	URL       string        `json:"url"`
	MQTT      string        `json:"mqtt"`
	RootHash  string        `json:"root_sha256"`
	EnrolUS   int64         `json:"enrolled_us"` // by the device's own clock, which may have been wrong
	Cert      []byte        `json:"cert_der"`
}

// Load returns the identity in dir, or ErrNotEnrolled, or an *Error with code
// BadDisk when something of it is damaged in both of its copies. A copy that is
// damaged or missing is written anew from the other; Mended tells which. A card
// that does not take it is no error. disk is where dir is; nil means the real
// one.
func Load(dir string, disk durable.FS) (*Identity, error) {
	id, err := Inspect(dir, disk)
	if err != nil {
		return nil, err
	}
	_ = id.mend() // what was damaged is told all the same
	return id, nil
}

// Inspect is Load without writing anything.
func Inspect(dir string, disk durable.FS) (*Identity, error) {
	v := durable.On(disk)
	contents, gone, err := copies(v, dir, identityFiles)
	if gone {
		return nil, ErrNotEnrolled
	}
	for _, data := range contents {
		id, perr := parseIdentity(v, dir, data)
		if perr == nil {
			return id, nil
		}
		err = errors.Join(err, perr)
		if errors.Is(perr, errNewer) {
			break
		}
	}
	return nil, &Error{Code: BadDisk, Subject: dir, Err: err}
}

// errNewer keeps an old copy from standing in for what it does not know.
var errNewer = errors.New("it is from a newer program")

func parseIdentity(v durable.Volume, dir string, data []byte) (*Identity, error) {
	var s stored
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("parsing %s: %w", identityFiles[0], err)
	}
	if s.Version != 1 {
		return nil, fmt.Errorf("%s of version %d, want 1: %w", identityFiles[0], s.Version, errNewer)
	}
	root, err := readRoot(v, dir, s.RootHash)
	if err != nil {
		return nil, fmt.Errorf("reading trust root: %w", err)
	}
	_, pool, err := parseRoot(root)
	if err != nil {
		return nil, err
	}
	keys, err := readKeys(v, dir)
	if err != nil {
		return nil, fmt.Errorf("reading key: %w", err)
	}
	id := &Identity{
		Device: s.Device, Point: s.Point, PointName: s.PointName, URL: s.URL, MQTT: s.MQTT,
		Root: root, RootHash: s.RootHash, Enrolled: wire.FromUS(s.EnrolUS),
		dir: dir, fs: v, file: data, pool: pool,
	}
	for _, id.key = range keys { // one of two may have lost a bit and still be a key
		// Which CA it is of counts when it comes: by now that may be one which
		// only a later root names.
		if id.cert, err = id.checkOwn(s.Cert); err == nil {
			return id, nil
		}
	}
	return nil, err
}

// readRoot returns the copy of the trust root that has the pinned hash.
func readRoot(v durable.Volume, dir, hash string) ([]byte, error) {
	contents, gone, err := copies(v, dir, rootFiles)
	if gone {
		return nil, fs.ErrNotExist
	}
	for _, root := range contents {
		if seal.Hash(root) == hash {
			return root, nil
		}
		err = errors.Join(err, errors.New("trust root does not have the hash that was pinned"))
	}
	return nil, err
}

// checkCert parses der and checks that it is a certificate for our key, our
// identity and of a CA that counts.
func (id *Identity) checkCert(der []byte) (*x509.Certificate, error) {
	cert, err := id.checkOwn(der)
	if err != nil {
		return nil, err
	}
	if err := verify([]*x509.Certificate{cert}, id.cas(), nil, x509.ExtKeyUsageClientAuth); err != nil {
		return nil, fmt.Errorf("checking own certificate: %w", err)
	}
	return cert, nil
}

// checkOwn parses der and checks that it is a certificate for our key and our
// identity.
func (id *Identity) checkOwn(der []byte) (*x509.Certificate, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parsing certificate: %w", err)
	}
	if !id.key.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("certificate is for another key")
	}
	if own := DeviceID(cert.RawSubjectPublicKeyInfo); id.Device != own {
		return nil, fmt.Errorf("certificate is of device %q, answer is for %q", own, id.Device)
	}
	return cert, nil
}

// cas returns the CAs whose servers count now.
func (id *Identity) cas() *x509.CertPool {
	id.mu.Lock()
	defer id.mu.Unlock()
	return id.pool
}

// SetCAs makes the CAs of a later trust root count, and no others. It lasts
// until the identity is loaded again.
func (id *Identity) SetCAs(root *wire.Root) error {
	pool, err := poolOf(root.CAs)
	if err != nil {
		return err
	}
	id.mu.Lock()
	defer id.mu.Unlock()
	id.pool = pool
	return nil
}

// IssuedBy reports whether the present certificate is of the CA der.
func (id *Identity) IssuedBy(der []byte) bool {
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return false
	}
	id.mu.Lock()
	defer id.mu.Unlock()
	return id.cert.CheckSignatureFrom(ca) == nil
}

// save writes the root, then identity.json as the commit, both twice, and only
// then makes cert the one in use.
func (id *Identity) save(cert *x509.Certificate) error {
	data, err := json.MarshalIndent(stored{
		Version: 1, Device: id.Device, Point: id.Point, PointName: id.PointName,
		URL: id.URL, MQTT: id.MQTT, RootHash: id.RootHash, EnrolUS: wire.US(id.Enrolled), Cert: cert.Raw,
	}, "", " ")
	if err != nil {
		return fmt.Errorf("encoding identity: %w", err)
	}
	if err := store(id.fs, id.dir, rootFiles, id.Root); err != nil {
		return err
	}
	if err := store(id.fs, id.dir, identityFiles, append(data, '\n')); err != nil {
		return err
	}
	id.mu.Lock()
	id.cert = cert
	id.mu.Unlock()
	return nil
}

// TLS returns a configuration for connections to the controller: it shows the
// present certificate, also after a renewal, and accepts only servers of the
// CAs that count now. clock decides at which instant their chain is verified.
func (id *Identity) TLS(clock Clock) *tls.Config {
	c := pinned(id.cas(), clock)
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		id.mu.Lock()
		defer id.mu.Unlock()
		return &tls.Certificate{Certificate: [][]byte{id.cert.Raw}, PrivateKey: id.key, Leaf: id.cert}, nil
	}
	return c
}

// Validity returns when the present certificate begins and ceases to be valid.
func (id *Identity) Validity() (from, to time.Time) {
	id.mu.Lock()
	defer id.mu.Unlock()
	return id.cert.NotBefore, id.cert.NotAfter
}

// brokerAddress returns the broker's host:port from the answer's mqtt field:
// an empty or unspecified host means the one the device enrolled at.
func brokerAddress(mqtt, enrolledAt string) (string, error) {
	host, port, err := net.SplitHostPort(mqtt)
	if err != nil || port == "" {
		return "", fmt.Errorf("broker address %q: want host:port", mqtt)
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		h, _, err := net.SplitHostPort(strings.TrimPrefix(enrolledAt, "https://"))
		if err != nil {
			return "", fmt.Errorf("controller address %q: %w", enrolledAt, err)
		}
		host = h
	}
	return net.JoinHostPort(host, port), nil
}
