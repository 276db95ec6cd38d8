package depot

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatecast/controller/trust"
	"gatecast/internal/acceptance/outcome"
	"gatecast/internal/wire"
)

// TestRefusesWhatStrangersSend puts the device port under what anybody on the
// network can send without being known: bodies without end, lies about their
// length, paths, codes, bodies that stand still. A device enrols beside all that.
func TestRefusesWhatStrangersSend(t *testing.T) {
	w := newTestWorld(t, func(o *Options) { o.Tries = Tries{Burst: 1000, Every: time.Millisecond} })
	tried, refused := 0, 0
	count := func(ok bool, format string, args ...any) {
		t.Helper()
		tried++
		if ok {
			refused++
		} else {
			t.Errorf(format, args...)
		}
	}
	dial := func() *tls.Conn {
		c, err := tls.Dial("tcp", w.server.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(20 * time.Second)) // of an open connection this never fails
		return c
	}
	stranger := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for range 20 { // they hold their connections all the while
		if _, err := io.WriteString(dial(), "POST "+wire.PathEnrol+" HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{wire.PathEnrol, wire.PathRenew} {
		for name, start := range map[string]string{
			"claims_1_GB": "Content-Length: 1073741824\r\n\r\n", "endless": "Transfer-Encoding: chunked\r\n\r\n",
		} {
			c := dial()
			_, err := io.WriteString(c, "POST "+path+" HTTP/1.1\r\nHost: x\r\n"+start)
			chunk := bytes.Repeat([]byte("["), 64<<10)
			if name == "endless" {
				chunk = append(fmt.Appendf(nil, "%x\r\n", len(chunk)), append(chunk, "\r\n"...)...)
			}
			sent := 0
			for err == nil && sent < 32<<20 {
				var n int
				n, err = c.Write(chunk)
				sent += n
			}
			count(sent < 8<<20, "%s %s: %d bytes were taken", path, name, sent)
		}
	}
	code, _ := trust.NewJoinCode()
	for name, body := range map[string]string{
		"nested": strings.Repeat("[", 16000), "numbers": `{"code":` + strings.Repeat("9", 16000) + `}`, "null": "null", "array": "[]", "no_csr": `{"code":"` + code + `"}`,
		"csr_of_zeros": `{"code":"` + code + `","csr":"` + strings.Repeat("A", 4000) + `"}`, "csr_too_long": `{"code":"` + code + `","csr":"` + strings.Repeat("A", 12000) + `"}`,
		"sql": `{"code":"' OR '1'='1"}`, "script": `{"code":"<script>alert(1)</script>"}`, "nul": `{"code":"\u0000"}`, "utf8": "{\"code\":\"\xff\xfe\"}", "twice": `{"code":"a","code":"b"}`,
	} {
		res, err := stranger.Post(w.server.URL+wire.PathEnrol, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		count(res.StatusCode >= 400 && res.StatusCode < 500 && !strings.Contains(string(text), "<script"), "enrol with %s = %d %s", name, res.StatusCode, text)
	}
	sha := strings.Repeat("ab", 32)
	for _, path := range []string{
		wire.PathClips + sha, wire.PathDocs + sha, wire.PathClips + "../trust/ca.key", wire.PathClips + "..%2f..%2ftrust%2fca.key", wire.PathDocs + "%00", "/trust/ca.key", "/gatecast.db", "/debug/pprof/", "/metrics", "/",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, "TRACE"} {
			req, err := http.NewRequestWithContext(t.Context(), method, w.server.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := stranger.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			count(res.StatusCode >= 400 && res.StatusCode < 500, "%s %s = %d", method, path, res.StatusCode)
		}
	}
	for name, plain := range map[string]string{"http": "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "garbage": "\xff\xff\xff\xff", "nothing": ""} {
		c, err := net.Dial("tcp", w.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(c, plain)
		_ = c.(*net.TCPConn).CloseWrite()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		answer, err := io.ReadAll(c)
		c.Close()
		count(err == nil && !bytes.Contains(answer, []byte("200 OK")), "%s: %q, %v", name, answer, err)
	}
	if got := w.newBox().wait(w.code(0)); len(got.Cert) == 0 {
		t.Error("a device could not enrol beside it")
	}
	outcome.ReportAttack(t, outcome.Attack{
		Side: "device port", Attack: "requests of strangers: endless bodies, wrong codes, paths, no TLS", AttackZH: "陌生请求：无尽请求体、乱猜接入码、路径、非 TLS", Tried: tried, Refused: refused,
		Note: "a device enrols meanwhile", NoteZH: "其间设备照常接入",
	})
}
