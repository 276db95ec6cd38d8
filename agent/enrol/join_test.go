package enrol

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatecast/internal/durable"
	"gatecast/internal/officetest"
	"gatecast/internal/wire"
)

func newRequest(t *testing.T, o *officetest.Office, code string) Request {
	t.Helper()
	line, err := NewLine(o.URL(), code, o.RootHash())
	if err != nil {
		t.Fatal(err)
	}
	return Request{Line: line, Dir: filepath.Join(t.TempDir(), "identity"), Timeout: 10 * time.Second}
}

func codeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

func TestJoinMakesAMember(t *testing.T) {
	o := officetest.New(t)
	o.AddCode("K7QM-4T2P")
	req := newRequest(t, o, "K7QM-4T2P")
	id, err := Join(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if id.Device != o.UsedBy("K7QM-4T2P") || !id.Device.Valid() || id.Point != "SF-01" || id.MQTT != "127.0.0.1:1" {
		t.Errorf("Join = %q at %q, broker %q; the office knows %q", id.Device, id.Point, id.MQTT, o.UsedBy("K7QM-4T2P"))
	}
	again, err := Load(req.Dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if again.Device != id.Device || again.URL != o.URL() || string(again.Root) != string(o.Root) || again.PointName != id.PointName {
		t.Errorf("Load = %+v, want what Join returned", again)
	}
	for _, name := range []string{"key.pem", "key-copy.pem", "identity.json", "root.json"} {
		fi, err := os.Stat(filepath.Join(req.Dir, name))
		if err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, mode %v, want 0600", name, err, fi.Mode())
		}
	}
	before := len(o.Requests())
	if same, err := Join(t.Context(), req); err != nil || same.Device != id.Device {
		t.Errorf("second Join = %v, %v", same, err)
	}
	if n := len(o.Requests()) - before; n != 0 {
		t.Errorf("second Join sent %d requests, want none", n)
	}
	// The certificate is taken by a server that asks for one.
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: again.TLS(nil)}}
	resp, err := client.Get(o.URL() + wire.PathClips + o.Put([]byte("x")))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("GET with the certificate: status %d", resp.StatusCode)
	}
}

// TestJoinSurvivesInterruption breaks enrolment after each of its steps and
// repeats it: the device must stay the same one and get in.
func TestJoinSurvivesInterruption(t *testing.T) {
	tests := map[string]func(t *testing.T, o *officetest.Office, req Request){
		"answer_lost": func(t *testing.T, o *officetest.Office, req Request) {
			// The controller has used the code; the connection dies before the answer arrives.
			o.Before(func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != wire.PathEnrol {
					return false
				}
				rec := httptest.NewRecorder()
				o.Before(nil)
				o.Serve(rec, r)
				panic(http.ErrAbortHandler)
			})
			if _, err := Join(t.Context(), req); codeOf(err) != Unreachable {
				t.Fatalf("Join without an answer: %v", err)
			}
			if o.UsedBy(req.Code) == "" {
				t.Fatal("the code was not used: the test tests nothing")
			}
		},
		"root_lost": func(t *testing.T, o *officetest.Office, req Request) {
			o.Before(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
			if _, err := Join(t.Context(), req); codeOf(err) != Unreachable {
				t.Fatalf("Join without a root: %v", err)
			}
			o.Before(nil)
		},
		"commit_lost": func(t *testing.T, o *officetest.Office, req Request) {
			if _, err := Join(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			for _, name := range identityFiles {
				if err := os.Remove(filepath.Join(req.Dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		},
		"one_key_copy_only": func(t *testing.T, o *officetest.Office, req Request) {
			if _, err := prepare(durable.On(nil), req.Dir); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(filepath.Join(req.Dir, "key.pem")); err != nil {
				t.Fatal(err)
			}
		},
		"temporary_files_left": func(t *testing.T, o *officetest.Office, req Request) {
			if _, err := prepare(durable.On(nil), req.Dir); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(req.Dir, ".key.pem.durable-tmp-1"), []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, interrupt := range tests {
		t.Run(name, func(t *testing.T) {
			o := officetest.New(t)
			o.AddCode("K7QM4T2P")
			req := newRequest(t, o, "K7QM4T2P")
			interrupt(t, o, req)
			var first wire.DeviceID
			if keys, err := readKeys(durable.On(nil), req.Dir); err == nil {
				spki, _ := x509.MarshalPKIXPublicKey(&keys[0].PublicKey)
				first = DeviceID(spki)
			}
			id, err := Join(t.Context(), req)
			if err != nil {
				t.Fatalf("Join after the interruption: %v", err)
			}
			if id.Device != o.UsedBy("K7QM4T2P") || id.Device != first {
				t.Errorf("device %q, at first %q, the office knows %q", id.Device, first, o.UsedBy("K7QM4T2P"))
			}
			entries, err := os.ReadDir(req.Dir)
			if err != nil || len(entries) != 6 {
				t.Errorf("folder holds %v, want six files: %v", entries, err)
			}
		})
	}
}

func TestJoinRefusals(t *testing.T) {
	other := officetest.New(t)
	tests := map[string]struct {
		setup   func(o *officetest.Office, req *Request)
		want    Code
		retry   bool
		zh, en  string
		keepOut bool
	}{
		"unknown_code": {setup: func(o *officetest.Office, req *Request) { req.Code = "XXXX9999" }, want: UnknownCode, zh: "没有“XXXX9999”这个接入码", en: `no join code "XXXX9999"`},
		"used_code": {setup: func(o *officetest.Office, req *Request) {
			first := newRequest(t, o, req.Code)
			if _, err := Join(t.Context(), first); err != nil {
				t.Fatal(err)
			}
		}, want: UsedCode, zh: "已被另一台设备使用", en: "used by another device"},
		"expired_code_in_the_controllers_words": {setup: func(o *officetest.Office, _ *Request) {
			o.Before(func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != wire.PathEnrol {
					return false
				}
				w.Header().Set("Content-Type", "application/json; charset=utf-8")
				w.WriteHeader(http.StatusGone)
				_, _ = w.Write([]byte(`{"code":"expired_code","text":"这个接入码昨天过期了。","text_en":"It expired yesterday."}`))
				return true
			})
		}, want: ExpiredCode, zh: "这个接入码昨天过期了。", en: "It expired yesterday."},
		"unavailable": {setup: func(o *officetest.Office, _ *Request) {
			o.Before(func(w http.ResponseWriter, r *http.Request) bool {
				http.Error(w, "busy", http.StatusServiceUnavailable)
				return true
			})
		}, want: Unavailable, retry: true, zh: "暂时不能办理入网", en: "right now"},
		"unknown_refusal": {setup: func(o *officetest.Office, _ *Request) {
			o.Before(func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == wire.PathEnrol {
					officetest.Refuse(w, http.StatusForbidden, "some_new_code")
					return true
				}
				return false
			})
		}, want: BadRequest, zh: "升级到同一版本", en: "same version"},
		"other_root": {setup: func(_ *officetest.Office, req *Request) { req.RootHash = other.RootHash() }, want: WrongRoot, zh: "指纹不符", en: "fingerprint differs"},
		"certificate_of_another_key": {setup: func(o *officetest.Office, _ *Request) {
			key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			o.Before(func(w http.ResponseWriter, r *http.Request) bool {
				return r.URL.Path == wire.PathEnrol && o.Answer(w, &key.PublicKey, "d000000000000000000000000")
			})
		}, want: BadAnswer, zh: "与本机不符", en: "does not fit this device"},
		"no_gatecast_there": {setup: func(o *officetest.Office, _ *Request) {
			o.Before(func(w http.ResponseWriter, r *http.Request) bool {
				http.NotFound(w, r)
				return true
			})
		}, want: NoRoot, retry: true, zh: "不是门播控制中心", en: "not a Gatecast controller"},
		"nobody_listens": {setup: func(_ *officetest.Office, req *Request) { req.URL = "https://127.0.0.1:1" }, want: Unreachable, retry: true, zh: "连不上", en: "cannot be reached"},
		"folder_is_a_file": {setup: func(_ *officetest.Office, req *Request) {
			if err := os.WriteFile(req.Dir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, want: BadDisk, zh: "存储卡", en: "memory card"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := officetest.New(t)
			o.AddCode("K7QM4T2P")
			req := newRequest(t, o, "K7QM4T2P")
			tt.setup(o, &req)
			_, err := Join(t.Context(), req)
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Code != tt.want || e.Retry() != tt.retry {
				t.Fatalf("Join = %v, want code %q, retry %v", err, tt.want, tt.retry)
			}
			if !strings.Contains(e.Text("zh"), tt.zh) || !strings.Contains(e.Text("en"), tt.en) {
				t.Errorf("texts %q and %q, want %q and %q in them", e.Text("zh"), e.Text("en"), tt.zh, tt.en)
			}
			if _, err := Load(req.Dir, nil); err == nil {
				t.Error("refused device has an identity")
			}
		})
	}
}

// TestJoinRefusesAnImpostor puts a server with the right root document but a
// certificate of its own between device and controller.
func TestJoinRefusesAnImpostor(t *testing.T) {
	o := officetest.New(t)
	var asked bool
	fake := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == wire.PathRoot {
			_, _ = w.Write(o.Root)
			return
		}
		asked = true
	}))
	defer fake.Close()
	req := newRequest(t, o, "K7QM4T2P")
	req.URL = fake.URL
	_, err := Join(t.Context(), req)
	if codeOf(err) != Impostor {
		t.Errorf("Join through an impostor: %v, want code %q", err, Impostor)
	}
	if asked {
		t.Error("the join code was sent to the impostor")
	}
}

func TestJoinRefusesADeviceAsServer(t *testing.T) {
	// A member's certificate is of the right CA, but not for servers.
	o := officetest.New(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der := o.Issue(&key.PublicKey, "d1", time.Hour, x509.ExtKeyUsageClientAuth)
	fake := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(o.Root) }))
	fake.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	fake.StartTLS()
	defer fake.Close()
	req := newRequest(t, o, "K7QM4T2P")
	req.URL = fake.URL
	if _, err := Join(t.Context(), req); codeOf(err) != Impostor {
		t.Errorf("Join at a device posing as controller: %v, want code %q", err, Impostor)
	}
}

func TestJoinElsewhereIsRefused(t *testing.T) {
	home, away := officetest.New(t), officetest.New(t)
	home.AddCode("AAAA1111")
	away.AddCode("BBBB2222")
	req := newRequest(t, home, "AAAA1111")
	if _, err := Join(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	move := newRequest(t, away, "BBBB2222")
	move.Dir = req.Dir
	_, err := Join(t.Context(), move)
	if codeOf(err) != OtherHome || !strings.Contains(TextOf(err, "en"), home.URL()) {
		t.Errorf("Join elsewhere: %v (%s)", err, TextOf(err, "en"))
	}
}

func TestJoinEndsWithItsContext(t *testing.T) {
	o := officetest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	o.Before(func(w http.ResponseWriter, r *http.Request) bool {
		cancel()
		<-r.Context().Done()
		return true
	})
	if _, err := Join(ctx, newRequest(t, o, "K7QM4T2P")); !errors.Is(err, context.Canceled) {
		t.Errorf("Join = %v, want %v", err, context.Canceled)
	}
}
