package enrol

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatecast/internal/officetest"
)

func newMember(t *testing.T, o *officetest.Office) (*Identity, string) {
	t.Helper()
	o.AddCode("K7QM4T2P")
	req := newRequest(t, o, "K7QM4T2P")
	id, err := Join(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return id, req.Dir
}

func TestLoadWithoutIdentity(t *testing.T) {
	if _, err := Load(t.TempDir(), nil); err != ErrNotEnrolled {
		t.Errorf("Load of an empty folder: %v, want %v", err, ErrNotEnrolled)
	}
}

// TestLoadOfDamage damages one file at a time: what can be mended is mended,
// anything else is refused by name and never replaced by something new.
func TestLoadOfDamage(t *testing.T) {
	tests := map[string]struct {
		file   string
		damage func(old []byte) []byte
		mended bool
		want   string
	}{
		"first_key_gone":   {"key.pem", func([]byte) []byte { return nil }, true, ""},
		"first_key_zeroed": {"key.pem", func(old []byte) []byte { return make([]byte, len(old)) }, true, ""},
		"second_key_cut":   {"key-copy.pem", func(old []byte) []byte { return old[:40] }, true, ""},
		"root_changed":     {"root.json", func(old []byte) []byte { return append(old, ' ') }, false, "hash that was pinned"},
		"root_gone":        {"root.json", func([]byte) []byte { return nil }, false, "root"},
		"identity_cut":     {"identity.json", func(old []byte) []byte { return old[:len(old)/2] }, false, "identity.json"},
		"identity_of_tomorrow": {"identity.json", func(old []byte) []byte {
			return []byte(strings.Replace(string(old), `"version": 1`, `"version": 2`, 1))
		}, false, "newer program"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			id, dir := newMember(t, officetest.New(t))
			path := filepath.Join(dir, tt.file)
			old, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if data := tt.damage(old); data == nil {
				err = os.Remove(path)
			} else {
				err = os.WriteFile(path, data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			again, err := Load(dir, nil)
			if !tt.mended {
				if codeOf(err) != BadDisk || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("Load = %v, want code %q and %q", err, BadDisk, tt.want)
				}
				return
			}
			if err != nil || again.Device != id.Device {
				t.Fatalf("Load = %v, %v", again, err)
			}
			if now, err := os.ReadFile(path); err != nil || string(now) != string(old) {
				t.Errorf("the damaged copy was not written anew: %v", err)
			}
		})
	}
}

func TestLoadWithBothKeysGoneIsNotAFreshStart(t *testing.T) {
	_, dir := newMember(t, officetest.New(t))
	for _, name := range keyFiles {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(dir, nil); codeOf(err) != BadDisk {
		t.Errorf("Load without keys: %v, want code %q", err, BadDisk)
	}
	if _, err := os.Stat(filepath.Join(dir, "key.pem")); err == nil {
		t.Error("Load drew a new key for an old certificate")
	}
}

// TestTLSAtAnyClock connects with clocks that may and may not be relied on.
func TestTLSAtAnyClock(t *testing.T) {
	o := officetest.New(t)
	id, _ := newMember(t, o)
	at := func(now time.Time, trusted bool) Clock { return func() (time.Time, bool) { return now, trusted } }
	tests := map[string]struct {
		clock Clock
		ok    bool
	}{
		"no_clock":               {nil, true},
		"in_1970_untrusted":      {at(time.Unix(60, 0), false), true},
		"today_trusted":          {at(time.Now(), true), true},
		"in_1970_trusted":        {at(time.Unix(60, 0), true), false},
		"after_expiry_trusted":   {at(time.Now().Add(48*time.Hour), true), false},
		"after_expiry_untrusted": {at(time.Now().Add(48*time.Hour), false), true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			conn, err := tls.Dial("tcp", strings.TrimPrefix(o.URL(), "https://"), id.TLS(tt.clock))
			if err == nil {
				conn.Close()
			}
			if (err == nil) != tt.ok {
				t.Errorf("dialling: %v, want success %v", err, tt.ok)
			}
		})
	}
}

func TestRenewReplacesTheCertificate(t *testing.T) {
	o := officetest.New(t)
	o.SetLife(3 * time.Hour)
	id, dir := newMember(t, o)
	_, before := id.Validity()
	if at := id.RenewAt(); time.Until(at) > 2*time.Hour || time.Until(at) < 110*time.Minute {
		t.Errorf("RenewAt is in %s, want about 2h", time.Until(at))
	}
	o.SetLife(300 * time.Hour)
	if err := id.Renew(t.Context(), o.URL(), nil); err != nil {
		t.Fatal(err)
	}
	if _, after := id.Validity(); !after.After(before.Add(200 * time.Hour)) {
		t.Errorf("valid to %s after renewal, before %s", after, before)
	}
	again, err := Load(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, stored := again.Validity(); !stored.After(before) {
		t.Errorf("stored certificate is still the old one")
	}
}

func TestRenewKeepsTheOldOneOnError(t *testing.T) {
	o := officetest.New(t)
	id, dir := newMember(t, o)
	_, before := id.Validity()
	o.Before(func(w http.ResponseWriter, r *http.Request) bool {
		officetest.Refuse(w, http.StatusForbidden, "bad_request")
		return true
	})
	if err := id.Renew(t.Context(), o.URL(), nil); codeOf(err) != BadRequest {
		t.Errorf("Renew = %v, want code %q", err, BadRequest)
	}
	if _, after := id.Validity(); !after.Equal(before) {
		t.Error("a refused renewal changed the certificate")
	}
	if _, err := Load(dir, nil); err != nil {
		t.Errorf("Load after a refused renewal: %v", err)
	}
}

func TestDeviceIDIsHashOfTheKey(t *testing.T) {
	id, dir := newMember(t, officetest.New(t))
	data, err := os.ReadFile(filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(data)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.(*ecdsa.PrivateKey).PublicKey)
	if err == nil && DeviceID(spki) != id.Device {
		t.Errorf("DeviceID(key on disk) = %q, identity says %q", DeviceID(spki), id.Device)
	}
}

func TestBrokerAddress(t *testing.T) {
	tests := map[string]struct{ mqtt, at, want string }{
		"named":       {"mqtt.example:8883", "https://10.0.0.5:8443", "mqtt.example:8883"},
		"empty_host":  {":8883", "https://10.0.0.5:8443", "10.0.0.5:8883"},
		"unspecified": {"0.0.0.0:8883", "https://office.example:8443", "office.example:8883"},
		"ipv6":        {"[::]:8883", "https://[fd00::5]:8443", "[fd00::5]:8883"},
		"no_port":     {"mqtt.example", "https://10.0.0.5:8443", ""},
		"empty_port":  {"mqtt.example:", "https://10.0.0.5:8443", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := brokerAddress(tt.mqtt, tt.at)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("brokerAddress(%q, %q) = %q, %v, want %q", tt.mqtt, tt.at, got, err, tt.want)
			}
		})
	}
}
