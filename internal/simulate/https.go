package simulate

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"gatecast/internal/wire"
)

// bytesPerSecond is what a transfer gets: a poor mobile connection.
const bytesPerSecond = 64 << 10

var errCutOff = errors.New("connection was cut in the middle of a transfer")

// wayToPort is HTTPS between one run of a device and the office's device port,
// whose handler runs on the caller's goroutine. TLS is not there; the
// certificate that the device would show is put where TLS would put it.
type wayToPort struct {
	n   *network
	run *process
}

var _ http.RoundTripper = wayToPort{}

// RoundTrip implements http.RoundTripper.
func (p wayToPort) RoundTrip(req *http.Request) (*http.Response, error) {
	d, ctx := p.run.dev, req.Context()
	sky, lost, where := d.sky(), d.dice.http.Float64(), d.dice.http.Float64()
	if !pause(ctx, between(d.dice.http, 50*time.Millisecond, 400*time.Millisecond)) {
		return nil, ctx.Err()
	}
	if p.run.ended() || sky.cut || lost < sky.drop/2 {
		return nil, errUnreachable
	}
	handler := p.n.w.office.port()
	if handler == nil {
		return nil, errRefused
	}
	var body io.Reader = http.NoBody
	if req.Body != nil {
		data, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
	}
	in, err := http.NewRequestWithContext(ctx, req.Method, req.URL.RequestURI(), body)
	if err != nil {
		return nil, err
	}
	in.Header, in.RemoteAddr, in.TLS = req.Header.Clone(), d.address, &tls.ConnectionState{}
	if cert := d.certificate(); cert != nil {
		in.TLS.PeerCertificates = []*x509.Certificate{cert}
	}
	rec := &recorder{header: http.Header{}, status: http.StatusOK}
	handler.ServeHTTP(rec, in)
	p.n.w.trace.event(d.name, "%s %.24s → %d, %d bytes", req.Method, req.URL.Path, rec.status, roughly(req.URL.Path, rec.body.Len()))
	if rec.status == http.StatusOK && req.Method == http.MethodPost {
		var a wire.EnrolAnswer
		if json.Unmarshal(rec.body.Bytes(), &a) == nil {
			d.issued(a.Cert)
		}
	}
	if !pause(ctx, time.Duration(roughly(req.URL.Path, rec.body.Len()))*time.Second/bytesPerSecond) {
		return nil, ctx.Err()
	}
	resp := &http.Response{
		StatusCode: rec.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: rec.header,
		ContentLength: int64(rec.body.Len()), Request: req,
	}
	data := rec.body.Bytes()
	resp.Body = io.NopCloser(bytes.NewReader(data))
	if lost < sky.drop {
		// What came before the cut is there; ".part" files live on it.
		part := data[:int(where*float64(len(data)))]
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(part), failing{errCutOff}))
	}
	return resp, nil
}

// roughly hides what differs from run to run: certificates are signed with
// fresh random numbers and so are a byte longer or shorter.
func roughly(path string, n int) int {
	if path == wire.PathEnrol || path == wire.PathRenew || strings.HasPrefix(path, wire.PathRoot) {
		return 0
	}
	return n
}

type failing struct{ err error }

// Read implements io.Reader.
func (f failing) Read([]byte) (int, error) { return 0, f.err }

// recorder is a http.ResponseWriter in memory.
type recorder struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if !r.wrote {
		r.status, r.wrote = status, true
	}
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(p []byte) (int, error) {
	r.wrote = true
	return r.body.Write(p)
}
