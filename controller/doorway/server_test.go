package doorway

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pair writes a certificate and its key.
func pair(t *testing.T, dir, name string, until time.Time) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: until.Add(-48 * time.Hour), NotAfter: until, DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	kd, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	for path, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: kd}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestLoadPairNamesWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	cert, key := pair(t, dir, "good", now.Add(time.Hour))
	_, other := pair(t, dir, "other", now.Add(time.Hour))
	over, overKey := pair(t, dir, "over", now.Add(-time.Hour))
	if _, err := LoadPair(cert, key, now); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, cert, key, want string }{
		{"missing", cert, filepath.Join(dir, "no"), "cannot be read"},
		{"not_a_pair", cert, other, "is not the key of"},
		{"swapped", key, cert, "no PEM certificate and key"},
		{"over", over, overKey, "ended on"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := LoadPair(tt.cert, tt.key, now); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("LoadPair = %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestCertificateFollowsItsFiles(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	cert, key := pair(t, dir, "a", now.Add(time.Hour))
	c, err := OpenCertificate(cert, key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	first := Fingerprint(c.at(now).Leaf)
	newCert, newKey := pair(t, dir, "b", now.Add(2*time.Hour))
	rename := func(from, to string, at time.Time) {
		t.Helper()
		if err := errors.Join(os.Rename(from, to), os.Chtimes(to, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	rename(newCert, cert, now.Add(time.Second)) // half of the pair: the old one stays
	if got := Fingerprint(c.at(now.Add(recheck + time.Second)).Leaf); got != first {
		t.Error("a certificate without its key was taken")
	}
	rename(newKey, key, now.Add(2*time.Second))
	if got := Fingerprint(c.at(now.Add(recheck + 2*time.Second)).Leaf); got != first {
		t.Error("the files were looked at again too soon")
	}
	if got := Fingerprint(c.at(now.Add(2*recheck + 2*time.Second)).Leaf); got == first || len(got) != 95 {
		t.Errorf("fingerprint after the change: %s", got)
	}
}

// memory is a listener whose connections have the addresses it is told.
type memory struct{ conns chan net.Conn }

func (m memory) Accept() (net.Conn, error) {
	c, ok := <-m.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (m memory) Close() error   { close(m.conns); return nil }
func (m memory) Addr() net.Addr { return &net.TCPAddr{} }

type from struct {
	net.Conn
	ip string
}

func (f from) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(f.ip), Port: 4711} }

func TestListenBoundsEachAddress(t *testing.T) {
	m := memory{make(chan net.Conn, 100)}
	l := Listen(m, Limits{Total: 12, PerAddress: 3, Trusted: networks(t, "192.0.2.1")})
	come := func(ip string) (near net.Conn) {
		near, far := net.Pipe()
		m.conns <- from{far, ip}
		return near
	}
	var kept []net.Conn
	take := func() { // the next one that is let in
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, c)
	}
	refused := func(near net.Conn) {
		t.Helper()
		if _, err := near.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("reading from a refused connection: %v, want EOF", err)
		}
	}
	for _, ip := range []string{"203.0.113.5", "203.0.113.5", "203.0.113.5"} {
		come(ip)
		take()
	}
	fourth, mapped := come("203.0.113.5"), come("::ffff:203.0.113.5")
	for i := range 3 {
		come("2001:db8::" + string(rune('1'+i)))
		take()
	}
	sameNet := come("2001:db8::ffff")
	for range 5 { // a proxy holds more than others may
		come("192.0.2.1")
		take()
	}
	refused(fourth)
	refused(mapped)
	refused(sameNet)
	come("127.0.0.1")
	take()
	full := come("198.51.100.1")
	go func() { // ends when the listener does
		for {
			if _, err := l.Accept(); err != nil {
				return
			}
		}
	}()
	refused(full)
	_ = kept[0].Close()
	_ = kept[0].Close() // counts once
	come("203.0.113.5")
	again := come("203.0.113.5")
	refused(again)
	_ = m.Close()
}

// TestSlowRequestsEnd sends a body a byte at a time to a real server: it is cut
// off, while an honest client beside it is served.
func TestSlowRequestsEnd(t *testing.T) {
	read := make(chan error, 10)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		read <- err
		if err == nil {
			// The deadline has gone with the body: a handler may take its time.
			select {
			case <-r.Context().Done():
				t.Error("the context ended while the handler was thinking")
			case <-time.After(400 * time.Millisecond):
			}
		}
		_, _ = io.WriteString(w, "done")
	})
	srv := httptest.NewServer(Patience(200*time.Millisecond, 5*time.Second, h))
	defer srv.Close()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc"); err != nil {
		t.Fatal(err)
	}
	if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading a body that does not come: %v", err)
	}
	res, err := http.Post(srv.URL, "text/plain", strings.NewReader("quick"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); string(body) != "done" || <-read != nil {
		t.Errorf("the honest client got %q", body)
	}
	_, _ = io.Copy(io.Discard, bufio.NewReader(c)) // the slow one's connection ends
}

func TestToHTTPS(t *testing.T) {
	tests := []struct{ name, port, host, target, want string }{
		{"port", "8443", "office.example:80", "/points?q=a", "https://office.example:8443/points?q=a"},
		{"default_port", "443", "office.example", "/", "https://office.example/"},
		{"six", "8443", "[2001:db8::7]:80", "/", "https://[2001:db8::7]:8443/"},
		{"six_default", "443", "[2001:db8::7]", "/", "https://[2001:db8::7]/"},
		{"path_like_a_host", "8443", "office.example", "//evil.example/", "https://office.example:8443//evil.example/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Host = tt.host
			u, err := r.URL.Parse("http://x" + tt.target)
			if err != nil {
				t.Fatal(err)
			}
			r.URL = u
			res := httptest.NewRecorder()
			ToHTTPS(tt.port).ServeHTTP(res, r)
			if got := res.Header().Get("Location"); res.Code != http.StatusTemporaryRedirect || got != tt.want {
				t.Errorf("%d to %q, want %q", res.Code, got, tt.want)
			}
		})
	}
	res := httptest.NewRecorder()
	ToHTTPS("8443").ServeHTTP(res, httptest.NewRequest(http.MethodPost, "/login", strings.NewReader("password=x")))
	if res.Code != http.StatusForbidden {
		t.Errorf("POST over plain HTTP: %d", res.Code)
	}
}
