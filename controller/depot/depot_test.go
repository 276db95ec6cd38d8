package depot

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/media"
	"gatecast/controller/sample"
	"gatecast/controller/store"
	"gatecast/controller/trust"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// world is the device port on a real store, keys and clips, behind real TLS.
type world struct {
	t      testing.TB
	trust  *trust.Authority
	store  *store.Store
	media  *media.Store
	points []fleet.Point
	server *httptest.Server

	mu       sync.Mutex
	now      time.Time
	enrolled []wire.DeviceID
}

func newTestWorld(t testing.TB, change func(*Options)) *world {
	t.Helper()
	w := &world{t: t, now: time.Now()}
	dir := t.TempDir()
	var err error
	if w.trust, err = trust.Open(filepath.Join(dir, "trust"), trust.Options{Now: w.time}); err != nil {
		t.Fatal(err)
	}
	if w.store, err = store.Open(t.Context(), filepath.Join(dir, "gatecast.db"), store.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	if err := w.store.ImportRegistry(t.Context(), sample.Registry(w.now)); err != nil {
		t.Fatal(err)
	}
	if w.points, err = w.store.Points(t.Context(), fleet.PointFilter{}); err != nil {
		t.Fatal(err)
	}
	if w.media, err = media.New(filepath.Join(dir, "media")); err != nil {
		t.Fatal(err)
	}
	o := Options{
		Store: w.store, Trust: w.trust, Clips: w.media, MQTTAddr: ":8883", Now: w.time,
		OnEnrolled: func(d wire.DeviceID) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.enrolled = append(w.enrolled, d)
		},
	}
	if change != nil {
		change(&o)
	}
	w.server = httptest.NewUnstartedServer(Handler(o))
	w.server.TLS = w.trust.ServerTLS()
	w.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	w.server.StartTLS()
	t.Cleanup(w.server.Close)
	return w
}

func (w *world) time() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// code makes a join code for the i-th point.
func (w *world) code(i int) string {
	w.t.Helper()
	code, hash := trust.NewJoinCode()
	now := w.time()
	if err := w.store.AddJoinCode(w.t.Context(), fleet.JoinCode{Hash: hash, Point: w.points[i].ID, Issued: now, Expires: now.Add(24 * time.Hour)}); err != nil {
		w.t.Fatal(err)
	}
	return code
}

// box is a device as it comes out of its carton.
type box struct {
	w      *world
	key    crypto.Signer
	id     wire.DeviceID
	client *http.Client
}

func (w *world) newBox() *box {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		w.t.Fatal(err)
	}
	b := &box{w: w, key: key, id: trust.DeviceIDOf(spki)}
	b.show(nil)
	return b
}

// show makes the device present cert from now on.
func (b *box) show(cert []byte) {
	c := b.w.trust.ControllerClientTLS()
	c.GetClientCertificate = nil
	if cert != nil {
		c.Certificates = []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: b.key}}
	}
	b.client = &http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}}
}

func (b *box) csr() []byte {
	b.w.t.Helper()
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, b.key)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return csr
}

func (b *box) do(method, path string, body []byte, headers ...string) (*http.Response, []byte) {
	b.w.t.Helper()
	req, err := http.NewRequestWithContext(b.w.t.Context(), method, b.w.server.URL+path, bytes.NewReader(body))
	if err != nil {
		b.w.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return resp, data
}

func (b *box) post(path string, req wire.EnrolRequest) (int, wire.EnrolAnswer, wire.EnrolRefusal) {
	b.w.t.Helper()
	body, err := json.Marshal(req)
	if err != nil {
		b.w.t.Fatal(err)
	}
	resp, data := b.do(http.MethodPost, path, body)
	var answer wire.EnrolAnswer
	var refusal wire.EnrolRefusal
	into := any(&refusal)
	if resp.StatusCode == http.StatusOK {
		into = &answer
	}
	if err := json.Unmarshal(data, into); err != nil {
		b.w.t.Fatalf("status %d: %q: %v", resp.StatusCode, data, err)
	}
	return resp.StatusCode, answer, refusal
}

// join enrols b, lets it show its certificate and accepts it.
func (b *box) join(code string) wire.EnrolAnswer {
	b.w.t.Helper()
	answer := b.wait(code)
	if _, err := b.w.store.AcceptDevice(b.w.t.Context(), b.id, "test", b.w.time()); err != nil {
		b.w.t.Fatal(err)
	}
	return answer
}

// wait enrols b and lets it show its certificate; it is in quarantine.
func (b *box) wait(code string) wire.EnrolAnswer {
	b.w.t.Helper()
	status, answer, refusal := b.post(wire.PathEnrol, wire.EnrolRequest{Code: code, CSR: b.csr(), Hardware: "Pi 4"})
	if status != http.StatusOK {
		b.w.t.Fatalf("enrolling: %d %+v", status, refusal)
	}
	b.show(answer.Cert)
	return answer
}

func TestRootIsOpenToAll(t *testing.T) {
	w := newTestWorld(t, nil)
	resp, body := w.newBox().do(http.MethodGet, wire.PathRoot, nil)
	if resp.StatusCode != http.StatusOK || seal.Hash(body) != w.trust.RootHash() {
		t.Errorf("GET root = %d, hash %s, want %s", resp.StatusCode, seal.Hash(body), w.trust.RootHash())
	}
}

func TestEnrolMakesAMember(t *testing.T) {
	w := newTestWorld(t, nil)
	b := w.newBox()
	code := w.code(3)
	answer := b.wait(" " + strings.ToLower(strings.ReplaceAll(code, "-", " ")) + "\n")
	if answer.Device != b.id || answer.Point != w.points[3].Code || answer.PointName != w.points[3].Name || answer.MQTT != ":8883" || !bytes.Equal(answer.CA, w.trust.CA()) {
		t.Errorf("answer = %+v", answer)
	}
	cert, err := x509.ParseCertificate(answer.Cert)
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := w.trust.DeviceOf(cert); !ok || id != b.id {
		t.Errorf("certificate is of %q", id)
	}
	d, err := w.store.Device(t.Context(), b.id)
	if err != nil || d.Point != w.points[3].ID || d.Hardware != "Pi 4" || d.State != fleet.DeviceQuarantine {
		t.Errorf("registry has %+v, %v", d, err)
	}
	// The answer may get lost on its way: the same device asks again.
	if again := b.wait(code); again.Device != b.id || again.Point != answer.Point {
		t.Errorf("second answer = %+v", again)
	}
	if len(w.enrolled) != 2 || w.enrolled[0] != b.id {
		t.Errorf("OnEnrolled was told of %v", w.enrolled)
	}
}

func TestEnrolRefusesInWords(t *testing.T) {
	w := newTestWorld(t, nil)
	used, revoked := w.code(0), w.newBox()
	w.newBox().join(used)
	revoked.join(w.code(1))
	if err := w.store.RevokeDevice(t.Context(), revoked.id, w.time()); err != nil {
		t.Fatal(err)
	}
	old := w.code(2)
	w.pass(25 * time.Hour)
	fresh := w.code(3)
	good := w.newBox()
	tests := []struct {
		name   string
		box    *box
		req    wire.EnrolRequest
		status int
		code   string
	}{
		{"unknown", good, wire.EnrolRequest{Code: "00000-00000", CSR: good.csr()}, 403, "unknown_code"},
		{"malformed", good, wire.EnrolRequest{Code: "你好", CSR: good.csr()}, 403, "unknown_code"},
		{"empty", good, wire.EnrolRequest{CSR: good.csr()}, 403, "unknown_code"},
		{"used_by_another", good, wire.EnrolRequest{Code: used, CSR: good.csr()}, 403, "used_code"},
		{"expired", good, wire.EnrolRequest{Code: old, CSR: good.csr()}, 403, "expired_code"},
		{"revoked_device", revoked, wire.EnrolRequest{Code: fresh, CSR: revoked.csr()}, 403, "revoked"},
		{"no_csr", good, wire.EnrolRequest{Code: fresh}, 400, "bad_request"},
		{"broken_csr", good, wire.EnrolRequest{Code: fresh, CSR: good.csr()[:40]}, 400, "bad_request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, _, refusal := tt.box.post(wire.PathEnrol, tt.req)
			if status != tt.status || refusal.Code != tt.code {
				t.Errorf("enrol = %d %+v, want %d %s", status, refusal, tt.status, tt.code)
			}
			if refusal.Text == "" || refusal.TextEN == "" || strings.Contains(refusal.Text, "\n") {
				t.Errorf("refusal is no sentence: %+v", refusal)
			}
			if refusal.Code == "used_code" || refusal.Code == "expired_code" {
				if !strings.Contains(refusal.Text, tt.req.Code) || !strings.Contains(refusal.TextEN, tt.req.Code) {
					t.Errorf("refusal does not name %s: %+v", tt.req.Code, refusal)
				}
			}
		})
	}
	if answer := good.join(fresh); answer.Device != good.id {
		t.Errorf("the code that bad requests came with no longer works: %+v", answer)
	}
}

func TestEnrolRefusesBadBodies(t *testing.T) {
	w := newTestWorld(t, nil)
	b := w.newBox()
	for name, tt := range map[string]struct {
		body   string
		status int
	}{
		"empty":     {"", 400},
		"text":      {"hello", 400},
		"array":     {"[]", 400},
		"too_large": {`{"code":"` + strings.Repeat("x", maxBody) + `"}`, 413},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := b.do(http.MethodPost, wire.PathEnrol, []byte(tt.body))
			var r wire.EnrolRefusal
			if err := json.Unmarshal(body, &r); err != nil || resp.StatusCode != tt.status || r.Code != "bad_request" {
				t.Errorf("POST = %d %q", resp.StatusCode, body)
			}
		})
	}
}

func TestWrongCodesAreSlowedDown(t *testing.T) {
	w := newTestWorld(t, func(o *Options) { o.Tries = Tries{Burst: 3, Every: time.Minute} })
	for i := range 5 { // those who get in do not count
		w.newBox().join(w.code(i))
	}
	b := w.newBox()
	wrong := wire.EnrolRequest{Code: "00000-00000", CSR: b.csr()}
	for range 3 {
		if status, _, _ := b.post(wire.PathEnrol, wrong); status != http.StatusForbidden {
			t.Fatalf("status %d", status)
		}
	}
	body, err := json.Marshal(wire.EnrolRequest{Code: w.code(6), CSR: b.csr()})
	if err != nil {
		t.Fatal(err)
	}
	resp, data := b.do(http.MethodPost, wire.PathEnrol, body)
	var r wire.EnrolRefusal
	if err := json.Unmarshal(data, &r); err != nil || resp.StatusCode != http.StatusTooManyRequests || r.Code != "unavailable" || resp.Header.Get("Retry-After") != "60" {
		t.Errorf("fourth try = %d %q, Retry-After %s", resp.StatusCode, data, resp.Header.Get("Retry-After"))
	}
	w.pass(61 * time.Second)
	if resp, data := b.do(http.MethodPost, wire.PathEnrol, body); resp.StatusCode != http.StatusOK {
		t.Errorf("a minute later = %d %q", resp.StatusCode, data)
	}
}

func TestLimiterForgets(t *testing.T) {
	l := newLimiter(Tries{Burst: 2, Every: time.Second})
	now := time.Now()
	for i := range 3 * maxAddresses {
		l.take(fmt.Sprint(i), now.Add(time.Duration(i)))
	}
	if len(l.used) > maxAddresses {
		t.Errorf("%d addresses are remembered, want at most %d", len(l.used), maxAddresses)
	}
	l.take("new", now.Add(time.Hour))
	if len(l.used) > 1 {
		t.Errorf("%d addresses are remembered after all have their tokens again", len(l.used)-1)
	}
}

func TestAddressNamesACustomer(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7:5555":          "192.0.2.7",
		"[::ffff:192.0.2.7]:5555": "192.0.2.7",
		"[2001:db8:1:2:3::4]:1":   "2001:db8:1:2::/64",
		"[fe80::1%eth0]:1":        "fe80::/64",
		"pipe":                    "pipe",
	} {
		if got := address(&http.Request{RemoteAddr: in}); got != want {
			t.Errorf("address(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestRenew(t *testing.T) {
	w := newTestWorld(t, nil)
	b := w.newBox()
	b.join(w.code(0))
	w.pass(400 * 24 * time.Hour) // the certificate has expired; the key is still good
	if resp, _ := b.do(http.MethodGet, wire.PathClips+strings.Repeat("0", 64), nil); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a clip with an expired certificate = %d", resp.StatusCode)
	}
	status, answer, refusal := b.post(wire.PathRenew, wire.EnrolRequest{CSR: b.csr()})
	if status != http.StatusOK || answer.Device != b.id || answer.Point != w.points[0].Code {
		t.Fatalf("renew = %d %+v %+v", status, answer, refusal)
	}
	b.show(answer.Cert)
	if resp, _ := b.do(http.MethodGet, wire.PathClips+strings.Repeat("0", 64), nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a missing clip with the new certificate = %d", resp.StatusCode)
	}
	stranger := w.newBox()
	if status, _, r := stranger.post(wire.PathRenew, wire.EnrolRequest{CSR: stranger.csr()}); status != http.StatusUnauthorized || r.TextEN == "" {
		t.Errorf("renew without a certificate = %d %+v", status, r)
	}
	if status, _, _ := b.post(wire.PathRenew, wire.EnrolRequest{CSR: stranger.csr()}); status != http.StatusForbidden {
		t.Errorf("renew for another key = %d", status)
	}
	if err := w.store.RevokeDevice(t.Context(), b.id, w.time()); err != nil {
		t.Fatal(err)
	}
	if status, _, r := b.post(wire.PathRenew, wire.EnrolRequest{CSR: b.csr()}); status != http.StatusForbidden || r.Code != "revoked" {
		t.Errorf("renew of a revoked device = %d %+v", status, r)
	}
}

// putClip stores content as a clip and returns its hash.
func (w *world) putClip(content string) string {
	w.t.Helper()
	sha := seal.Hash([]byte(content))
	if err := os.WriteFile(w.media.Path(sha), []byte(content), 0o640); err != nil {
		w.t.Fatal(err)
	}
	return sha
}

func TestClips(t *testing.T) {
	w := newTestWorld(t, nil)
	b := w.newBox()
	b.join(w.code(0))
	sha := w.putClip("0123456789")
	tests := []struct {
		name, path string
		headers    []string
		status     int
		body       string
	}{
		{"whole", sha, nil, 200, "0123456789"},
		{"rest", sha, []string{"Range", "bytes=4-"}, 206, "456789"},
		{"part", sha, []string{"Range", "bytes=2-3"}, 206, "23"},
		{"resume_of_the_same", sha, []string{"Range", "bytes=4-", "If-Range", `"` + sha + `"`}, 206, "456789"},
		{"past_the_end", sha, []string{"Range", "bytes=10-"}, 416, ""},
		{"absent", strings.Repeat("0", 64), nil, 404, ""},
		{"upper_case", strings.ToUpper(sha), nil, 404, ""},
		{"short", sha[:63], nil, 404, ""},
		{"listing", "", nil, 404, ""},
		{"file_name", sha + ".flac", nil, 404, ""},
		{"dots", "..%2f..%2ftrust%2froot.key", nil, 404, ""},
		{"dots_plain", "../../trust/root.key", nil, 404, ""},
		{"absolute", "%2fetc%2fpasswd", nil, 404, ""},
		{"nul", sha[:62] + "%00a", nil, 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := b.do(http.MethodGet, wire.PathClips+tt.path, nil, tt.headers...)
			if resp.StatusCode != tt.status || tt.body != "" && string(body) != tt.body {
				t.Errorf("GET %s = %d %q, want %d %q", tt.path, resp.StatusCode, body, tt.status, tt.body)
			}
			if tt.status == 404 && strings.Contains(string(body), w.media.Path(sha)) {
				t.Errorf("the answer names a path: %q", body)
			}
		})
	}
	if resp, _ := b.do(http.MethodHead, wire.PathClips+sha, nil); resp.StatusCode != 200 || resp.ContentLength != 10 {
		t.Errorf("HEAD = %d, %d bytes", resp.StatusCode, resp.ContentLength)
	}
	if resp, _ := b.do(http.MethodPost, wire.PathClips+sha, nil); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST = %d", resp.StatusCode)
	}
}

func TestOnlyActiveDevicesFetch(t *testing.T) {
	w := newTestWorld(t, nil)
	sha := w.putClip("clip")
	active, revoked, replaced, waiting := w.newBox(), w.newBox(), w.newBox(), w.newBox()
	active.join(w.code(0))
	revoked.join(w.code(1))
	replaced.join(w.code(2))
	w.newBox().join(w.code(2))
	waiting.wait(w.code(3))
	if err := w.store.RevokeDevice(t.Context(), revoked.id, w.time()); err != nil {
		t.Fatal(err)
	}
	forgotten := w.newBox() // a certificate of ours, but of no device that the registry knows
	cert, _, _, err := w.trust.IssueDevice(forgotten.csr(), w.time())
	if err != nil {
		t.Fatal(err)
	}
	forgotten.show(cert)
	for name, tt := range map[string]struct {
		box          *box
		clip, absent int // status of the clip, and of a document that nobody has
		code         string
	}{
		"active":     {active, 200, 404, ""},
		"none":       {w.newBox(), 401, 401, "bad_request"},
		"revoked":    {revoked, 403, 403, "revoked"},
		"replaced":   {replaced, 403, 404, "revoked"}, // it may fetch the plan that silences it
		"waiting":    {waiting, 403, 404, "revoked"},
		"unknown":    {forgotten, 403, 403, "not_enrolled"},
		"controller": {&box{w: w, client: &http.Client{Transport: &http.Transport{TLSClientConfig: w.trust.ControllerClientTLS()}}}, 403, 403, "not_enrolled"},
	} {
		t.Run(name, func(t *testing.T) {
			for path, want := range map[string]int{wire.PathClips + sha: tt.clip, wire.PathDocs + sha: tt.absent} {
				resp, body := tt.box.do(http.MethodGet, path, nil)
				var r wire.EnrolRefusal
				_ = json.Unmarshal(body, &r) // a clip is no JSON
				if resp.StatusCode != want || want/100 == 4 && want != 404 && r.Code != tt.code {
					t.Errorf("GET %s = %d %q, want %d %s", path, resp.StatusCode, body, want, tt.code)
				}
			}
		})
	}
}

func TestDocsAreForTheirDevice(t *testing.T) {
	w := newTestWorld(t, nil)
	own, other := w.newBox(), w.newBox()
	own.join(w.code(0))
	other.join(w.code(1))
	put := func(envelope []byte, err error, typ wire.DocType, d wire.DeviceID) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		sha := seal.Hash(envelope)
		if err := w.store.PutDocs(t.Context(), []fleet.Doc{{SHA256: sha, Type: typ, Device: d, Version: 1, Bytes: envelope}}); err != nil {
			t.Fatal(err)
		}
		return sha
	}
	planEnv, err := w.trust.SealPlan(&wire.Plan{Header: wire.Header{Device: own.id, Version: 1}})
	plan := put(planEnv, err, wire.DocPlan, own.id)
	manEnv, err := w.trust.SealManifest(&wire.Manifest{Header: wire.Header{Version: 1}})
	man := put(manEnv, err, wire.DocManifest, "")
	cmdEnv, err := w.trust.SealTime(own.id, "nonce", w.time())
	cmd := put(cmdEnv, err, wire.DocTime, own.id)
	for _, tt := range []struct {
		name   string
		box    *box
		sha    string
		status int
		body   []byte
	}{
		{"own_plan", own, plan, 200, planEnv},
		{"plan_of_another", other, plan, 404, nil},
		{"manifest", other, man, 200, manEnv},
		{"other_type", own, cmd, 404, nil},
		{"absent", own, strings.Repeat("0", 64), 404, nil},
		{"traversal", own, "..%2f" + plan[3:], 404, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := tt.box.do(http.MethodGet, wire.PathDocs+tt.sha, nil)
			if resp.StatusCode != tt.status || tt.body != nil && !bytes.Equal(body, tt.body) {
				t.Errorf("GET = %d %q", resp.StatusCode, body)
			}
		})
	}
}

// TestTransfersAreBounded holds transfers open and counts who gets in.
func TestTransfersAreBounded(t *testing.T) {
	gate := make(chan struct{})
	clips := &slowClips{gate: gate, inside: make(chan struct{}, 100)}
	w := newTestWorld(t, func(o *Options) {
		o.Transfers = 6
		clips.Clips = o.Clips
		o.Clips = clips
	})
	sha := w.putClip("clip")
	a, b := w.newBox(), w.newBox()
	a.join(w.code(0))
	b.join(w.code(1))
	var wg sync.WaitGroup
	hold := func(x *box) {
		wg.Go(func() {
			if resp, body := x.do(http.MethodGet, wire.PathClips+sha, nil); resp.StatusCode != 200 || string(body) != "clip" {
				t.Errorf("held transfer = %d %q", resp.StatusCode, body)
			}
		})
		<-clips.inside
	}
	for range perDevice {
		hold(a)
	}
	busy := func(what string, x *box) {
		t.Helper()
		resp, body := x.do(http.MethodGet, wire.PathClips+sha, nil)
		var r wire.EnrolRefusal
		if err := json.Unmarshal(body, &r); err != nil || resp.StatusCode != 503 || r.Code != "unavailable" || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %q, Retry-After %q", what, resp.StatusCode, body, resp.Header.Get("Retry-After"))
		}
	}
	busy("one device over its share", a)
	hold(b)
	hold(b)
	busy("one more than all may", b)
	close(gate)
	wg.Wait()
	if resp, _ := a.do(http.MethodGet, wire.PathClips+sha, nil); resp.StatusCode != 200 {
		t.Errorf("after the others are done: %d", resp.StatusCode)
	}
}

// slowClips lets a request wait inside until gate is closed.
type slowClips struct {
	Clips
	gate   chan struct{}
	inside chan struct{}
}

func (c *slowClips) Open(sha string) (*os.File, error) {
	c.inside <- struct{}{}
	<-c.gate
	return c.Clips.Open(sha)
}

func TestStoreFaultIsNotTheDevices(t *testing.T) {
	w := newTestWorld(t, nil)
	b := w.newBox()
	b.join(w.code(0))
	code := w.code(1)
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	fresh := w.newBox()
	status, _, refusal := fresh.post(wire.PathEnrol, wire.EnrolRequest{Code: code, CSR: fresh.csr()})
	if status != http.StatusServiceUnavailable || refusal.Code != "unavailable" {
		t.Errorf("enrol with a closed database = %d %+v", status, refusal)
	}
	if resp, _ := b.do(http.MethodGet, wire.PathDocs+strings.Repeat("0", 64), nil); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("document with a closed database = %d", resp.StatusCode)
	}
}

func TestUnknownPathsAreNotFound(t *testing.T) {
	w := newTestWorld(t, nil)
	b := w.newBox()
	for _, path := range []string{"/", "/trust/", "/trust/root.key", "/clips", "/docs/", "/debug/pprof/", "/enrol/x"} {
		if resp, _ := b.do(http.MethodGet, path, nil); resp.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s = %d", path, resp.StatusCode)
		}
	}
	if resp, _ := b.do(http.MethodGet, wire.PathEnrol, nil); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET enrol = %d", resp.StatusCode)
	}
}

func TestHardwareFitsOneLine(t *testing.T) {
	if got := hardware("a\nb\x00c\x7f" + strings.Repeat("长", 500)); strings.ContainsAny(got, "\n\x00\x7f") || len([]rune(got)) != maxHardware {
		t.Errorf("hardware = %q", got)
	}
}

func FuzzEnrol(f *testing.F) {
	w := newTestWorld(f, func(o *Options) { o.Tries = Tries{Burst: 1 << 30, Every: time.Nanosecond} })
	h := w.server.Config.Handler
	f.Add([]byte(`{"code":"00000-00000","csr_der":"AAAA"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		rec := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, wire.PathEnrol, bytes.NewReader(body))
		h.ServeHTTP(rec, r)
		var refusal wire.EnrolRefusal
		if err := json.Unmarshal(rec.Body.Bytes(), &refusal); err != nil || rec.Code < 400 || rec.Code >= 500 || refusal.Text == "" {
			t.Errorf("enrol %q = %d %q", body, rec.Code, rec.Body)
		}
	})
}
