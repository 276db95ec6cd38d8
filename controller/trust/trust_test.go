package trust

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

var testNow = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func newTestAuthority(t *testing.T, dir string, o Options) *Authority {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return testNow }
	}
	a, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newTestCSR(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "controller link"}, DNSNames: []string{linkName},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func newTestKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestOpenAgainKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	a := newTestAuthority(t, dir, Options{})
	b := newTestAuthority(t, dir, Options{})
	if a.RootHash() != b.RootHash() {
		t.Errorf("root hash changed from %s to %s", a.RootHash(), b.RootHash())
	}
	if string(a.server.cert.Leaf.Raw) != string(b.server.cert.Leaf.Raw) {
		t.Error("server certificate was reissued without need")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if fi.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", e.Name(), fi.Mode().Perm())
		}
	}
	if len(entries) != 11 {
		t.Errorf("%d files, want 11", len(entries))
	}
}

func TestOpenAfterCrashWhileCreating(t *testing.T) {
	// The folder is complete only with root.json: what was there before it is
	// taken over, whatever was missing is made.
	for _, lost := range []string{"root.key", "director.key", "server.crt", "link.key"} {
		t.Run(lost, func(t *testing.T) {
			dir := t.TempDir()
			newTestAuthority(t, dir, Options{})
			for _, name := range []string{"root.json", lost} {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			a := newTestAuthority(t, dir, Options{})
			if _, err := OpenRoot(a.RootEnvelope()); err != nil {
				t.Errorf("OpenRoot: %v", err)
			}
		})
	}
}

func TestOpenRefusesIncompleteFolder(t *testing.T) {
	for _, lost := range []string{"library.key", "director.key", "ca.key", "ca.crt"} {
		t.Run(lost, func(t *testing.T) {
			dir := t.TempDir()
			newTestAuthority(t, dir, Options{})
			if err := os.Remove(filepath.Join(dir, lost)); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir, Options{})
			if !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), lost) {
				t.Errorf("Open = %v, want ErrIncomplete naming %s", err, lost)
			}
			if _, err := os.Stat(filepath.Join(dir, lost)); err == nil {
				t.Errorf("%s was made anew", lost)
			}
		})
	}
}

func TestOpenWithRootKeyOffline(t *testing.T) {
	dir := t.TempDir()
	a := newTestAuthority(t, dir, Options{})
	if err := os.Remove(filepath.Join(dir, "root.key")); err != nil {
		t.Fatal(err)
	}
	b := newTestAuthority(t, dir, Options{Names: []string{"other.example"}})
	if a.RootHash() != b.RootHash() {
		t.Error("root document changed while its key was away")
	}
}

func TestServerCertificateIsReissued(t *testing.T) {
	dir := t.TempDir()
	a := newTestAuthority(t, dir, Options{Names: []string{"Gates.example", "192.168.1.5", "fe80::1"}})
	first := a.server.cert.Leaf
	for _, name := range []string{"gates.example", "192.168.1.5", "fe80::1", "localhost", "127.0.0.1"} {
		if err := first.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	same := newTestAuthority(t, dir, Options{Names: []string{"192.168.1.5", "gates.example", "fe80:0::1"}})
	if !same.server.cert.Leaf.Equal(first) {
		t.Error("reissued although the names are the same")
	}
	moved := newTestAuthority(t, dir, Options{Names: []string{"192.168.1.6"}})
	if moved.server.cert.Leaf.Equal(first) || moved.server.cert.Leaf.VerifyHostname("192.168.1.6") != nil {
		t.Error("not reissued for another address")
	}
	now := testNow
	running := newTestAuthority(t, dir, Options{Names: []string{"192.168.1.6"}, Now: func() time.Time { return now }})
	now = now.AddDate(0, 0, leafDays-renewLeftDays+1)
	cert, err := running.serverCertificate(nil)
	if err != nil || !cert.Leaf.NotAfter.After(now.AddDate(2, 0, 0)) {
		t.Errorf("certificate of a long run ends %s, want one reissued at %s", cert.Leaf.NotAfter, now)
	}
}

func TestRootDocumentNamesTheKeys(t *testing.T) {
	a := newTestAuthority(t, t.TempDir(), Options{})
	r, err := OpenRoot(a.RootEnvelope())
	if err != nil {
		t.Fatal(err)
	}
	if seal.Hash(a.RootEnvelope()) != a.RootHash() || r.Version != 1 || r.Type != wire.DocRoot {
		t.Errorf("root = %+v, hash %s", r.Header, a.RootHash())
	}
	director, err := seal.ParsePublicKeys(r.DirectorKeys)
	if err != nil {
		t.Fatal(err)
	}
	env, err := a.SealPlan(&wire.Plan{Header: wire.Header{Device: "gate7", Version: 3}})
	if err != nil {
		t.Fatal(err)
	}
	var p wire.Plan
	if _, err := seal.Open(env, director, seal.Expect{Type: wire.DocPlan, Device: "gate7", MinVersion: 3}, &p); err != nil {
		t.Error(err)
	}
	library, err := seal.ParsePublicKeys(r.LibraryKeys)
	if err != nil {
		t.Fatal(err)
	}
	man, err := a.SealManifest(&wire.Manifest{Header: wire.Header{Version: 1}})
	if err != nil {
		t.Fatal(err)
	}
	var m wire.Manifest
	if _, err := seal.Open(man, library, seal.Expect{Type: wire.DocManifest, Device: "gate7"}, &m); err != nil {
		t.Error(err)
	}
	if _, err := seal.Open(man, director, seal.Expect{Type: wire.DocManifest}, &m); !errors.Is(err, seal.ErrSignature) {
		t.Errorf("the director's key opens a manifest: %v", err)
	}
	tampered := []byte(strings.Replace(string(a.RootEnvelope()), `"sig":"`, `"sig":"A`, 1))
	if _, err := OpenRoot(tampered); err == nil {
		t.Error("OpenRoot of a tampered envelope succeeded")
	}
}

func TestOpenRefusesAKeyThatTheRootDoesNotName(t *testing.T) {
	for _, name := range []string{"director.key", "library.key"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			newTestAuthority(t, dir, Options{})
			if err := os.WriteFile(filepath.Join(dir, name), []byte("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, Options{}); !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), name) {
				t.Errorf("Open = %v, want ErrIncomplete naming %s", err, name)
			}
		})
	}
}

func TestIssueDevice(t *testing.T) {
	a := newTestAuthority(t, t.TempDir(), Options{})
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"p256": newTestKey(t), "ed25519": ed} {
		t.Run(name, func(t *testing.T) {
			der, id, spki, err := a.IssueDevice(newTestCSR(t, key), testNow)
			if err != nil {
				t.Fatal(err)
			}
			cert, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := a.DeviceOf(cert); !ok || got != id || !id.Valid() || DeviceIDOf(spki) != id {
				t.Errorf("DeviceOf = %q, %v, want %q", got, ok, id)
			}
			if cert.Subject.CommonName != string(id) || len(cert.DNSNames) != 0 || cert.IsCA {
				t.Errorf("certificate took %v %v from the request", cert.Subject, cert.DNSNames)
			}
			// A device with a 1970 clock verifies at NotBefore + 1 s; a server
			// certificate's use must not be open to devices.
			at := cert.NotBefore.Add(time.Second)
			if _, err := cert.Verify(x509.VerifyOptions{Roots: a.pool, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
				t.Error(err)
			}
			if _, err := cert.Verify(x509.VerifyOptions{Roots: a.pool, CurrentTime: at}); err == nil {
				t.Error("a device certificate passes as a server's")
			}
			if left := cert.NotAfter.Sub(testNow); left < 364*24*time.Hour || left > 366*24*time.Hour {
				t.Errorf("valid for %s", left)
			}
		})
	}
	if _, ok := a.DeviceOf(a.link.cert.Leaf); ok || !a.IsController(a.link.cert.Leaf) {
		t.Error("the controller's own certificate passes as a device's")
	}
	if _, ok := a.DeviceOf(nil); ok {
		t.Error("DeviceOf(nil) = ok")
	}
	at := a.server.cert.Leaf.NotBefore.Add(time.Second)
	if _, err := a.server.cert.Leaf.Verify(x509.VerifyOptions{Roots: a.pool, CurrentTime: at}); err != nil {
		t.Errorf("server certificate at NotBefore + 1 s: %v", err)
	}
}

func TestIssueDeviceRefuses(t *testing.T) {
	a := newTestAuthority(t, t.TempDir(), Options{})
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	forged := newTestCSR(t, newTestKey(t))
	forged[len(forged)-3] ^= 1
	tests := map[string][]byte{
		"empty":           nil,
		"text":            []byte("hello"),
		"p384":            newTestCSR(t, p384),
		"rsa":             newTestCSR(t, rsaKey),
		"wrong_signature": forged,
		"too_long":        make([]byte, MaxCSR+1),
	}
	for name, csr := range tests {
		t.Run(name, func(t *testing.T) {
			if _, _, _, err := a.IssueDevice(csr, testNow); !errors.Is(err, ErrCSR) {
				t.Errorf("IssueDevice = %v, want ErrCSR", err)
			}
		})
	}
}

// TestHandshakes runs real TLS between every kind of client and both ports.
func TestHandshakes(t *testing.T) {
	now := testNow
	a := newTestAuthority(t, t.TempDir(), Options{Now: func() time.Time { return now }})
	other := newTestAuthority(t, t.TempDir(), Options{})
	client := func(a *Authority) *tls.Config {
		key := newTestKey(t)
		der, _, _, err := a.IssueDevice(newTestCSR(t, key), testNow)
		if err != nil {
			t.Fatal(err)
		}
		c := a.ControllerClientTLS()
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
		}
		return c
	}
	device, stranger, link := client(a), client(other), a.ControllerClientTLS()
	stranger.RootCAs = a.pool
	bare := a.ControllerClientTLS()
	bare.GetClientCertificate = nil
	old := client(a)
	old.MaxVersion = tls.VersionTLS11
	later := testNow.AddDate(1, 1, 0)
	tests := []struct {
		name   string
		server *tls.Config
		client *tls.Config
		at     time.Time
		ok     bool
	}{
		{"mqtt_device", a.MQTTServerTLS(), device, testNow, true},
		{"mqtt_controller", a.MQTTServerTLS(), link, testNow, true},
		{"mqtt_no_certificate", a.MQTTServerTLS(), bare, testNow, false},
		{"mqtt_other_ca", a.MQTTServerTLS(), stranger, testNow, false},
		{"mqtt_expired", a.MQTTServerTLS(), device, later, false},
		{"mqtt_tls11", a.MQTTServerTLS(), old, testNow, false},
		{"https_device", a.ServerTLS(), device, testNow, true},
		{"https_no_certificate", a.ServerTLS(), bare, testNow, true},
		{"https_other_ca", a.ServerTLS(), stranger, testNow, false},
		{"https_expired_may_renew", a.ServerTLS(), device, later, true},
		{"other_server", other.MQTTServerTLS(), device, testNow, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now = tt.at
			cc := tt.client.Clone()
			cc.Time = func() time.Time { return testNow }
			if err := handshake(t, tt.server, cc); (err == nil) != tt.ok {
				t.Errorf("handshake = %v, want ok %v", err, tt.ok)
			}
		})
	}
}

// handshake connects client to server over a socket and passes one byte from
// the server, because a TLS 1.3 client learns of a refusal only then.
func handshake(t *testing.T, server, client *tls.Config) error {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = tls.Server(c, server).Write([]byte{1})
	}()
	conn, err := tls.Dial("tcp", l.Addr().String(), client)
	if err == nil {
		_, err = io.ReadFull(conn, make([]byte, 1))
		_ = conn.Close()
	}
	<-done
	return err
}

func TestJoinCodes(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		code, hash := NewJoinCode()
		if len(code) != 11 || code[5] != '-' || strings.ContainsAny(code, "ILOUilou") || seen[code] {
			t.Fatalf("code %q", code)
		}
		seen[code] = true
		n, err := NormalizeCode(code)
		if err != nil || HashCode(n) != hash {
			t.Fatalf("NormalizeCode(%q) = %q, %v", code, n, err)
		}
	}
}

func TestNormalizeCode(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"as_shown", "ABCDE-FGHJK", "ABCDEFGHJK"},
		{"lower_case_and_spaces", " abcde fghjk\n", "ABCDEFGHJK"},
		{"full_width", "ＡＢＣＤＥ－ｆｇｈｊｋ", "ABCDEFGHJK"},
		{"full_width_space", "ABCDE　FGHJK", "ABCDEFGHJK"},
		{"look_alikes", "oilOI-L0101", "0110110101"},
		{"dashes", "ABCDE—FGH–JK", "ABCDEFGHJK"},
		{"too_short", "ABCDE-FGHJ", ""},
		{"too_long", "ABCDE-FGHJKM", ""},
		{"letter_u", "ABCDU-FGHJK", ""},
		{"chinese", "一二三四五六七八九十", ""},
		{"empty", "", ""},
		{"invalid_utf8", "ABCDE\xffFGHJK", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := NormalizeCode(tt.in)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("NormalizeCode(%q) = %q, %v, want %q", tt.in, got, err, tt.want)
			}
		})
	}
}

func TestJoinLine(t *testing.T) {
	if got, want := JoinLine("https://10.0.0.1:8443/", "ABCDE-FGHJK", "00ff"), "gatecast-agent join https://10.0.0.1:8443 ABCDE-FGHJK 00ff"; got != want {
		t.Errorf("JoinLine = %q, want %q", got, want)
	}
}

func TestSealRefusesWhatIsMissing(t *testing.T) {
	a := newTestAuthority(t, t.TempDir(), Options{})
	full := wire.Command{Header: wire.Header{Device: "d1", ExpiresUS: 1}, ID: "x", Counter: 1, Nonce: "n", Do: "stop"}
	if _, err := a.SealCommand(&full); err != nil {
		t.Errorf("SealCommand = %v", err)
	}
	for name, cut := range map[string]func(*wire.Command){
		"device":  func(c *wire.Command) { c.Device = "" },
		"id":      func(c *wire.Command) { c.ID = "" },
		"counter": func(c *wire.Command) { c.Counter = 0 },
		"nonce":   func(c *wire.Command) { c.Nonce = "" },
		"expiry":  func(c *wire.Command) { c.ExpiresUS = 0 },
	} {
		t.Run("command_without_"+name, func(t *testing.T) {
			c := full
			cut(&c)
			if _, err := a.SealCommand(&c); err == nil {
				t.Error("SealCommand succeeded")
			}
		})
	}
	if _, err := a.SealPlan(&wire.Plan{Header: wire.Header{Version: 1}}); err == nil {
		t.Error("SealPlan without device succeeded")
	}
	if _, err := a.SealManifest(&wire.Manifest{}); err == nil {
		t.Error("SealManifest without version succeeded")
	}
	if _, err := a.SealTime("d1", "", testNow); err == nil {
		t.Error("SealTime without nonce succeeded")
	}
}

func FuzzNormalizeCode(f *testing.F) {
	f.Add("ABCDE-FGHJK")
	f.Add("ＡＢＣＤＥ")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := NormalizeCode(s)
		if err != nil {
			return
		}
		if again, err := NormalizeCode(n); err != nil || again != n {
			t.Errorf("NormalizeCode(%q) = %q, again %q, %v", s, n, again, err)
		}
	})
}

func FuzzIssueDevice(f *testing.F) {
	a, err := Open(f.TempDir(), Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(newTestCSR(f, newTestKey(f)))
	f.Fuzz(func(t *testing.T, csr []byte) {
		if der, id, _, err := a.IssueDevice(csr, testNow); err == nil {
			cert, err := x509.ParseCertificate(der)
			if err != nil || cert.Subject.CommonName != string(id) {
				t.Errorf("issued %v, %v", cert, err)
			}
		}
	})
}
