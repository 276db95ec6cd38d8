// Package officetest is a small office for the tests of the device daemon: a
// CA, the signing keys, the HTTPS device port and an MQTT broker with TLS,
// all on loopback addresses of their own.
//
// It speaks internal/wire and internal/seal like the real controller, keeps
// everything in memory and does exactly what a test tells it to. Only tests
// import it. An Office is safe for concurrent use.
package officetest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// Office is one controller stand-in.
type Office struct {
	t testing.TB

	ca       *x509.Certificate
	caKey    *ecdsa.PrivateKey
	server   tls.Certificate
	Director seal.Key
	Library  seal.Key
	Root     []byte // envelope
	web      *httptest.Server

	mu     sync.Mutex
	life   time.Duration     // of device certificates
	codes  map[string]string // join code → device that used it, "" for none
	blobs  map[string][]byte // SHA-256 → document or clip
	mqtt   string            // host:port in enrolment answers
	before func(http.ResponseWriter, *http.Request) bool
	seen   []string // method and path of every request
	broker *broker

	devices map[wire.DeviceID]*Device
	offers  map[wire.DeviceID]held
	mute    bool
	news    chan struct{} // closed at the next message from a device
}

// New returns an office whose device port listens.
func New(t testing.TB) *Office {
	t.Helper()
	o := &Office{
		t: t, codes: map[string]string{}, blobs: map[string][]byte{},
		devices: map[wire.DeviceID]*Device{}, offers: map[wire.DeviceID]held{}, news: make(chan struct{}),
		life: 30 * 24 * time.Hour, mqtt: "127.0.0.1:1",
	}
	o.ca, o.caKey = o.newCA()
	o.server = o.serverCert()
	root := o.newKey()
	o.Director, o.Library = o.newKey(), o.newKey()
	o.Root = o.Seal(wire.Root{
		Header:       wire.Header{Type: wire.DocRoot, Version: 1, IssuedUS: wire.US(time.Now())},
		RootKeys:     []string{root.Public().String()},
		LibraryKeys:  []string{o.Library.Public().String()},
		DirectorKeys: []string{o.Director.Public().String()},
		CAs:          [][]byte{o.ca.Raw},
	}, root)
	o.web = httptest.NewUnstartedServer(http.HandlerFunc(o.Serve))
	o.web.TLS = &tls.Config{Certificates: []tls.Certificate{o.server}, ClientAuth: tls.RequestClientCert}
	o.web.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are what tests are about
	o.web.StartTLS()
	t.Cleanup(o.web.Close)
	return o
}

// URL returns the address of the device port.
func (o *Office) URL() string { return o.web.URL }

// RootHash returns the fingerprint of a join line.
func (o *Office) RootHash() string { return seal.Hash(o.Root) }

// AddCode makes a join code valid.
func (o *Office) AddCode(code string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.codes[code] = ""
}

// UsedBy returns the device that used code.
func (o *Office) UsedBy(code string) wire.DeviceID {
	o.mu.Lock()
	defer o.mu.Unlock()
	return wire.DeviceID(o.codes[code])
}

// SetLife sets how long device certificates issued from now on are valid.
func (o *Office) SetLife(life time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.life = life
}

// Put makes data available at /docs/ and /clips/ and returns its hash.
func (o *Office) Put(data []byte) string {
	sum := sha256.Sum256(data)
	hash := hex.EncodeToString(sum[:])
	o.mu.Lock()
	defer o.mu.Unlock()
	o.blobs[hash] = data
	return hash
}

// Before installs f in front of every HTTPS request; where it returns true it
// has answered itself.
func (o *Office) Before(f func(http.ResponseWriter, *http.Request) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.before = f
}

// Requests returns method and path of every HTTPS request so far.
func (o *Office) Requests() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.seen...)
}

// Seal signs doc and fails the test when that is impossible.
func (o *Office) Seal(doc any, key seal.Key) []byte {
	envelope, err := seal.Sign(doc, key)
	if err != nil {
		o.t.Errorf("sealing %T: %v", doc, err)
	}
	return envelope
}

// Serve is the device port.
func (o *Office) Serve(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.seen = append(o.seen, r.Method+" "+r.URL.Path)
	before := o.before
	o.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	switch {
	case r.URL.Path == wire.PathRoot:
		_, _ = w.Write(o.Root)
	case r.URL.Path == wire.PathEnrol:
		o.enrol(w, r)
	case r.TLS == nil || len(r.TLS.PeerCertificates) == 0:
		http.Error(w, "no certificate", http.StatusForbidden)
	case r.URL.Path == wire.PathRenew:
		o.renew(w, r)
	case strings.HasPrefix(r.URL.Path, wire.PathClips), strings.HasPrefix(r.URL.Path, wire.PathDocs):
		o.mu.Lock()
		data, ok := o.blobs[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]]
		o.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	default:
		http.NotFound(w, r)
	}
}

func (o *Office) enrol(w http.ResponseWriter, r *http.Request) {
	var req wire.EnrolRequest
	_ = json.NewDecoder(r.Body).Decode(&req)
	csr, err := x509.ParseCertificateRequest(req.CSR)
	if err != nil || csr.CheckSignature() != nil {
		Refuse(w, http.StatusBadRequest, "bad_request")
		return
	}
	device := deviceOf(csr.RawSubjectPublicKeyInfo)
	o.mu.Lock()
	user, known := o.codes[req.Code]
	if known && user == "" {
		o.codes[req.Code] = string(device)
		user = string(device)
	}
	o.mu.Unlock()
	switch {
	case !known:
		Refuse(w, http.StatusNotFound, "unknown_code")
	case user != string(device):
		Refuse(w, http.StatusConflict, "used_code")
	default:
		o.Answer(w, csr.PublicKey, device)
	}
}

func (o *Office) renew(w http.ResponseWriter, r *http.Request) {
	var req wire.EnrolRequest
	_ = json.NewDecoder(r.Body).Decode(&req)
	csr, err := x509.ParseCertificateRequest(req.CSR)
	if err != nil || deviceOf(csr.RawSubjectPublicKeyInfo) != deviceOf(r.TLS.PeerCertificates[0].RawSubjectPublicKeyInfo) {
		Refuse(w, http.StatusForbidden, "bad_request")
		return
	}
	o.Answer(w, csr.PublicKey, deviceOf(csr.RawSubjectPublicKeyInfo))
}

// Answer writes an EnrolAnswer with a certificate for any key and device, and
// returns true, so that it can end a Before hook.
func (o *Office) Answer(w http.ResponseWriter, public any, device wire.DeviceID) bool {
	o.mu.Lock()
	mqtt, life := o.mqtt, o.life
	o.mu.Unlock()
	_ = json.NewEncoder(w).Encode(wire.EnrolAnswer{
		Device: device, Point: "SF-01", PointName: "松风苑南门",
		Cert: o.Issue(public, string(device), life, x509.ExtKeyUsageClientAuth), CA: o.ca.Raw, MQTT: mqtt,
	})
	return true
}

// Refuse answers with an EnrolRefusal that carries the code only.
func Refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(wire.EnrolRefusal{Code: code})
}

func deviceOf(spki []byte) wire.DeviceID {
	sum := sha256.Sum256(spki)
	return wire.DeviceID("d" + hex.EncodeToString(sum[:])[:24])
}

func (o *Office) newKey() seal.Key {
	k, err := seal.NewKey()
	if err != nil {
		o.t.Fatal(err)
	}
	return k
}

func (o *Office) newCA() (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		o.t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test office CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		o.t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		o.t.Fatal(err)
	}
	return ca, key
}

// Issue returns a certificate of the office's CA.
func (o *Office) Issue(public any, name string, life time.Duration, usage x509.ExtKeyUsage) []byte {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		o.t.Error(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, o.ca, public, o.caKey)
	if err != nil {
		o.t.Errorf("issuing certificate for %q: %v", name, err)
	}
	return der
}

func (o *Office) serverCert() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		o.t.Fatal(err)
	}
	return tls.Certificate{
		Certificate: [][]byte{o.Issue(&key.PublicKey, "test office", 24*time.Hour, x509.ExtKeyUsageServerAuth)},
		PrivateKey:  key,
	}
}
