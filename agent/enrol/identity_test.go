package enrol

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatecast/internal/durable"
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

// TestLoadOfDamage damages one file of two: it is written anew from the other
// and named. The same damage in both is refused, and never replaced by
// something new.
func TestLoadOfDamage(t *testing.T) {
	damages := map[string]func(old []byte) []byte{
		"gone":   func([]byte) []byte { return nil },
		"zeroed": func(old []byte) []byte { return make([]byte, len(old)) },
		"cut":    func(old []byte) []byte { return old[:len(old)/2] },
		"bit":    func(old []byte) []byte { old[len(old)/3] ^= 4; return old },
		"empty":  func([]byte) []byte { return []byte{} },
	}
	_, whole := newMember(t, officetest.New(t))
	for name, damage := range damages {
		for _, files := range [][]string{keyFiles, rootFiles, identityFiles} {
			for _, hit := range [][]string{files[:1], files[1:], files} {
				t.Run(name+"_"+strings.Join(hit, "_and_"), func(t *testing.T) { damaged(t, whole, hit, damage) })
			}
		}
	}
}

func damaged(t *testing.T, whole string, files []string, damage func([]byte) []byte) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
		t.Fatal(err)
	}
	before := filesOf(t, dir)
	gone := false
	for _, name := range files {
		path := filepath.Join(dir, name)
		data := damage([]byte(before[name]))
		err := os.WriteFile(path, data, 0o600)
		if gone = data == nil; gone {
			err = os.Remove(path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	id, err := Load(dir, nil)
	switch {
	case len(files) == 2 && gone && files[0] == identityFiles[0]:
		if err != ErrNotEnrolled {
			t.Fatalf("Load = %v, want %v", err, ErrNotEnrolled)
		}
	case len(files) == 2:
		if codeOf(err) != BadDisk {
			t.Fatalf("Load = %v, want code %q", err, BadDisk)
		}
	case err != nil:
		t.Fatalf("Load: %v", err)
	default:
		want := files
		if gone && files[0] != keyFiles[0] && strings.Contains(files[0], "-copy") || gone && files[0] == keyFiles[1] {
			want = nil // as after a power cut between the two
		}
		if diff := cmp.Diff(want, id.Mended(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("Mended (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, filesOf(t, dir)); diff != "" {
			t.Errorf("files (-before +after):\n%s", diff)
		}
	}
}

func filesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, name := range slices.Concat(keyFiles, rootFiles, identityFiles) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(data)
	}
	return all
}

func TestIdentityOfANewerProgramIsNotReplacedByItsCopy(t *testing.T) {
	_, dir := newMember(t, officetest.New(t))
	path := filepath.Join(dir, "identity.json")
	data, err := durable.On(nil).ReadChecked(path)
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(string(data), `"version": 1`, `"version": 2`, 1)
	if err := durable.On(nil).WriteChecked(path, []byte(newer), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, nil); codeOf(err) != BadDisk || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("Load = %v, want code %q", err, BadDisk)
	}
}

// TestRootStandsThereAsItWasReceived holds for whoever verifies a card.
func TestRootStandsThereAsItWasReceived(t *testing.T) {
	id, dir := newMember(t, officetest.New(t))
	for _, name := range rootFiles {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(data) != string(id.Root) {
			t.Errorf("%s is not the envelope: %v", name, err)
		}
	}
}

// TestIdentityOfAnEarlierVersionIsCopied has single files without checksums.
func TestIdentityOfAnEarlierVersionIsCopied(t *testing.T) {
	id, dir := newMember(t, officetest.New(t))
	for _, names := range [][]string{keyFiles, rootFiles, identityFiles} {
		path := filepath.Join(dir, names[0])
		data, err := durable.On(nil).ReadChecked(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(path, data, 0o600), os.Remove(filepath.Join(dir, names[1]))); err != nil {
			t.Fatal(err)
		}
	}
	again, err := Load(dir, nil)
	if err != nil || again.Device != id.Device || len(again.Mended()) != 0 {
		t.Fatalf("Load = %v, %v, mended %v", again, err, again.Mended())
	}
	filesOf(t, dir) // all six
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
