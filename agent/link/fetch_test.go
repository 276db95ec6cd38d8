package link

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"gatecast/agent/enrol"
	"gatecast/internal/officetest"
	"gatecast/internal/wire"
)

// newOffice returns an office and a Link that is enrolled there and not run.
func newOffice(t *testing.T) (*officetest.Office, *Link) {
	t.Helper()
	o := officetest.New(t)
	id := member(t, o)
	w := newWorld()
	opt := DefaultOptions()
	opt.Device, opt.Broker, opt.Base, opt.Dir = id.Device, id.MQTT, id.URL, t.TempDir()
	opt.TLS = func() *tls.Config { return id.TLS(nil) }
	opt.State, opt.Journal, opt.Plans, opt.Clock, opt.Faults, opt.Doer = w.snapshot, w, w, w, w, w
	opt.Clips = func(*Fetcher) Clips { return w }
	l, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.fetcher.close)
	return o, l
}

func member(t *testing.T, o *officetest.Office) *enrol.Identity {
	t.Helper()
	o.AddCode("K7QM4T2P")
	line, err := enrol.NewLine(o.URL(), "K7QM4T2P", o.RootHash())
	if err != nil {
		t.Fatal(err)
	}
	id, err := enrol.Join(t.Context(), enrol.Request{Line: line, Dir: filepath.Join(t.TempDir(), "identity")})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestFetchResumes(t *testing.T) {
	o, l := newOffice(t)
	clip := bytes.Repeat([]byte("0123456789"), 10_000)
	path := wire.PathClips + o.Put(clip)
	for _, offset := range []int64{0, 1, 99_999} {
		r, total, err := l.fetcher.Fetch(t.Context(), path, offset)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || total != int64(len(clip)) || !bytes.Equal(got, clip[offset:]) {
			t.Errorf("Fetch from %d: %d bytes of %d, %v", offset, len(got), total, err)
		}
	}
}

func TestFetchReadsOverWhenTheServerIgnoresRange(t *testing.T) {
	o, l := newOffice(t)
	o.Before(func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = w.Write([]byte("from the beginning"))
		return true
	})
	r, total, err := l.fetcher.Fetch(t.Context(), "/clips/x", 5)
	if err != nil || total != 18 {
		t.Fatalf("Fetch = %d bytes in all, %v, want 18", total, err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != "the beginning" {
		t.Errorf("body = %q, %v", got, err)
	}
	if _, _, err := l.fetcher.Fetch(t.Context(), "/clips/x", 50); err == nil {
		t.Error("Fetch beyond the end succeeded")
	}
}

func TestFetchErrors(t *testing.T) {
	tests := map[string]struct {
		status int
		header http.Header
		busy   time.Duration
	}{
		"busy":             {503, http.Header{"Retry-After": {"7"}}, 7 * time.Second},
		"too_many":         {429, http.Header{"Retry-After": {"1"}}, time.Second},
		"busy_for_ever":    {503, http.Header{"Retry-After": {"99999999999999999999"}}, stall},
		"busy_for_a_year":  {503, http.Header{"Retry-After": {"31536000"}}, maxRetryAfter},
		"busy_until_date":  {503, http.Header{"Retry-After": {"Mon, 23 Nov 2026 10:00:00 GMT"}}, stall},
		"busy_no_hint":     {503, nil, stall},
		"gone":             {404, nil, 0},
		"wrong_part":       {206, http.Header{"Content-Range": {"bytes 3-9/10"}}, 0},
		"not_to_the_end":   {206, http.Header{"Content-Range": {"bytes 5-8/10"}}, 0},
		"nonsense_part":    {206, http.Header{"Content-Range": {"bytes */10"}}, 0},
		"unsatisfiable":    {416, nil, 0},
		"server_error":     {500, nil, 0},
		"redirect_nowhere": {302, http.Header{"Location": {"https://127.0.0.1:1/"}}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o, l := newOffice(t)
			o.Before(func(w http.ResponseWriter, _ *http.Request) bool {
				for k, v := range tt.header {
					w.Header()[k] = v
				}
				w.WriteHeader(tt.status)
				return true
			})
			_, _, err := l.fetcher.Fetch(t.Context(), "/clips/x", 5)
			busy, ok := errors.AsType[*BusyError](err)
			if err == nil || ok != (tt.busy > 0) || (ok && busy.After != tt.busy) {
				t.Errorf("Fetch = %v, want busy for %s", err, tt.busy)
			}
		})
	}
}

func TestFetchEndsATransferThatStandsStill(t *testing.T) {
	o, l := newOffice(t)
	l.fetcher.stall = 50 * time.Millisecond
	o.Before(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", "10")
		_, _ = w.Write([]byte("half"))
		w.(http.Flusher).Flush()
		<-r.Context().Done() // the device hangs up
		return true
	})
	r, _, err := l.fetcher.Fetch(t.Context(), "/clips/x", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); !errors.Is(err, errStalled) || string(got) != "half" {
		t.Errorf("read %q, %v, want %v", got, err, errStalled)
	}
}

func TestDocumentRefusesWhatCannotBeOne(t *testing.T) {
	o, l := newOffice(t)
	for name, ref := range map[string]wire.DocRef{
		"no_hash":   {SHA256: "../../etc/passwd"},
		"too_large": {SHA256: hashOf([]byte("x")), Size: 1 << 40},
		"negative":  {SHA256: hashOf([]byte("x")), Size: -1},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(o.Requests())
			if _, err := l.fetcher.document(t.Context(), ref); err == nil {
				t.Error("document succeeded")
			}
			if len(o.Requests()) != before {
				t.Error("the controller was asked for it")
			}
		})
	}
}
