package enrol

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"gatecast/internal/durable"
	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

// Request is what Join needs.
type Request struct {
	Line
	Dir      string            // folder of the identity; made when missing
	Hardware string            // what the device is, for people, e.g. "Raspberry Pi 4 Model B"
	FS       durable.FS        // where Dir is; nil means the real disk
	Timeout  time.Duration     // of each exchange; 0 means 20 s
	HTTP     http.RoundTripper // instead of HTTPS; nil is the real thing
}

const (
	defaultTimeout = 20 * time.Second
	maxAnswer      = 64 << 10 // bytes: two certificates and a few names
)

// Join makes the device a member and returns its identity, which then
// survives loss of power. It draws the key (or takes the one that an earlier
// try left), fetches the trust root and checks it against the line's hash,
// and asks for a certificate under that root's CA. It may be interrupted
// anywhere and repeated with the same line: the controller recognises the key.
//
// A device that is already enrolled at this controller gets its identity back
// and nothing is sent; at another one it is refused with OtherHome. Every
// error except that of ctx is an *Error.
func Join(ctx context.Context, req Request) (*Identity, error) {
	switch id, err := Load(req.Dir, req.FS); {
	case err == nil && id.RootHash == req.RootHash:
		return id, nil
	case err == nil:
		return nil, &Error{Code: OtherHome, Subject: id.URL}
	case !errors.Is(err, ErrNotEnrolled):
		return nil, err
	}
	key, err := prepare(durable.On(req.FS), req.Dir)
	if err != nil {
		return nil, &Error{Code: BadDisk, Subject: req.Dir, Err: err}
	}
	if req.Timeout <= 0 {
		req.Timeout = defaultTimeout
	}
	root, pool, err := fetchRoot(ctx, req)
	if err != nil {
		return nil, named(ctx, err, req.URL)
	}
	answer, err := ask(ctx, req, key, pool)
	if err != nil {
		return nil, named(ctx, err, req.URL)
	}
	id := &Identity{
		Device: answer.Device, Point: answer.Point, PointName: answer.PointName, URL: req.URL,
		Root: root, RootHash: req.RootHash, Enrolled: time.Now(),
		dir: req.Dir, fs: durable.On(req.FS), key: key, pool: pool,
	}
	cert, err := id.checkCert(answer.Cert)
	if err != nil {
		return nil, &Error{Code: BadAnswer, Subject: req.URL, Err: err}
	}
	if id.MQTT, err = brokerAddress(answer.MQTT, req.URL); err != nil {
		return nil, &Error{Code: BadAnswer, Subject: req.URL, Err: err}
	}
	if err := id.save(cert); err != nil {
		return nil, &Error{Code: BadDisk, Subject: req.Dir, Err: err}
	}
	return id, nil
}

// prepare makes the folder, removes what a crash left and returns the key.
func prepare(v durable.Volume, dir string) (*ecdsa.PrivateKey, error) {
	if err := v.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if _, err := v.Clean(dir); err != nil {
		return nil, err
	}
	return bearKey(v, dir)
}

// fetchRoot gets the trust root from whoever answers: its hash, not the
// connection, says whether it is the right one.
func fetchRoot(ctx context.Context, req Request) ([]byte, *x509.CertPool, error) {
	anyone := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}
	status, _, body, err := exchange(ctx, transport(req.HTTP, anyone), req.Timeout, http.MethodGet, req.URL+wire.PathRoot, nil, seal.MaxDocument)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests:
		return nil, nil, &Error{Code: Unavailable, Err: fmt.Errorf("fetching trust root: status %d", status)}
	case status != http.StatusOK:
		return nil, nil, &Error{Code: NoRoot, Err: fmt.Errorf("fetching trust root: status %d", status)}
	}
	_, pool, err := openRoot(body, req.RootHash)
	return body, pool, err
}

// ask sends the code and the signing request, to a server of the pinned CA.
func ask(ctx context.Context, req Request, key *ecdsa.PrivateKey, pool *x509.CertPool) (wire.EnrolAnswer, error) {
	csr, err := signingRequest(key)
	if err != nil {
		return wire.EnrolAnswer{}, &Error{Code: BadDisk, Err: err}
	}
	body := wire.EnrolRequest{Code: req.Code, CSR: csr, Hardware: req.Hardware}
	answer, err := post(ctx, transport(req.HTTP, pinned(pool, nil)), req.Timeout, req.URL+wire.PathEnrol, body)
	if e, ok := errors.AsType[*Error](err); ok && (e.Code == UnknownCode || e.Code == UsedCode || e.Code == ExpiredCode) {
		e.Subject = req.Code
	}
	return answer, err
}

func signingRequest(key *ecdsa.PrivateKey) ([]byte, error) {
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("encoding public key: %w", err)
	}
	name := pkix.Name{CommonName: string(DeviceID(spki))}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: name}, key)
	if err != nil {
		return nil, fmt.Errorf("making certificate request: %w", err)
	}
	return csr, nil
}

// post sends an EnrolRequest and returns the answer or the refusal.
func post(ctx context.Context, via http.RoundTripper, timeout time.Duration, url string, req wire.EnrolRequest) (wire.EnrolAnswer, error) {
	data, err := json.Marshal(req)
	if err != nil {
		return wire.EnrolAnswer{}, fmt.Errorf("encoding request: %w", err)
	}
	status, kind, body, err := exchange(ctx, via, timeout, http.MethodPost, url, data, maxAnswer)
	if err != nil {
		return wire.EnrolAnswer{}, err
	}
	if status != http.StatusOK {
		return wire.EnrolAnswer{}, refusal(status, kind, body)
	}
	var answer wire.EnrolAnswer
	if err := json.Unmarshal(body, &answer); err != nil {
		return wire.EnrolAnswer{}, &Error{Code: BadAnswer, Err: fmt.Errorf("parsing answer: %w", err)}
	}
	return answer, nil
}

// refusal turns an answer other than 200 into an *Error. Without a readable
// body a server error is Unavailable and anything else BadRequest.
func refusal(status int, kind string, body []byte) error {
	e := &Error{Code: BadRequest, Err: fmt.Errorf("status %d", status)}
	if status >= 500 || status == http.StatusTooManyRequests {
		e.Code = Unavailable
	}
	var r wire.EnrolRefusal
	media, _, _ := mime.ParseMediaType(kind)
	if media == "application/json" && json.Unmarshal(body, &r) == nil && r.Code != "" {
		e.Zh, e.En = sentence(r.Text), sentence(r.TextEN)
		switch code := Code(r.Code); code {
		case UnknownCode, UsedCode, ExpiredCode, BadRequest, Unavailable:
			e.Code = code
		}
	}
	return e
}

// sentence returns s when it can be shown to a person as it is, else "".
func sentence(s string) string {
	if len(s) > 500 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return ""
	}
	return s
}

// transport returns instead, or what makes connections under conf.
func transport(instead http.RoundTripper, conf *tls.Config) http.RoundTripper {
	if instead != nil {
		return instead
	}
	return &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true}
}

// exchange does one request on a connection of its own and returns status,
// content type and a body of at most limit bytes.
func exchange(ctx context.Context, via http.RoundTripper, timeout time.Duration, method, url string, body []byte, limit int64) (int, string, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, "", nil, &Error{Code: Unreachable, Err: err}
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	client := &http.Client{
		Transport: via,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the join line says where the controller is, nobody else
		},
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, "", nil, netError(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return 0, "", nil, netError(err)
	}
	if int64(len(data)) > limit {
		return 0, "", nil, &Error{Code: NoRoot, Err: fmt.Errorf("answer of more than %d bytes", limit)}
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), data, nil
}

// netError sorts an error of the HTTP client.
func netError(err error) error {
	if _, ok := errors.AsType[errImpostor](err); ok {
		return &Error{Code: Impostor, Err: err}
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || strings.Contains(err.Error(), "HTTP response to HTTPS") {
		return &Error{Code: NoRoot, Err: err}
	}
	return &Error{Code: Unreachable, Err: err}
}

// named fills in the subject of an *Error that has none; once ctx has ended
// its error comes instead, for then nothing is known about the network.
func named(ctx context.Context, err error, subject string) error {
	if cause := ctx.Err(); cause != nil {
		return cause
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Subject == "" {
		e.Subject = subject
	}
	return err
}
