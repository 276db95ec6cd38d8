package web

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestRefusesOversizeAndSlow sends what is too large, what lies about its size
// and what never ends to a real server, while somebody reads pages.
func TestRefusesOversizeAndSlow(t *testing.T) {
	w := newEmptyWorld(t)
	srv := httptest.NewUnstartedServer(w.server)
	door := &meteredListener{Listener: srv.Listener, read: map[string]*atomic.Int64{}}
	srv.Listener = door
	srv.Start()
	t.Cleanup(srv.Close)
	t.Cleanup(func() { _ = w.server.Close() })
	cookie := w.as(t, "admin").cookies[sessionCookie]
	head := "Host: " + srv.Listener.Addr().String() + "\r\nSec-Fetch-Site: same-origin\r\nCookie: " + cookie.Name + "=" + cookie.Value + "\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	dial := func() net.Conn {
		c, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(30 * time.Second)) // of an open connection this never fails
		return c
	}
	n := &tally{t: t}
	starts := map[string]string{
		"claims_700_MB": "Content-Length: 734003200\r\n\r\nname=", "endless_chunks": "Transfer-Encoding: chunked\r\n\r\n", "both_lengths": "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, path := range w.posts() {
		if path == "/clips" || path == "/logout" {
			continue // clips have a limit of their own; the other takes nothing
		}
		for name, start := range starts {
			c := dial()
			wg.Go(func() {
				overflow(c, "POST "+path+" HTTP/1.1\r\n"+head+start, name != "claims_700_MB")
				taken := door.taken(c.LocalAddr())
				mu.Lock()
				defer mu.Unlock()
				n.count(taken > 0 && taken < 16<<20, "POST %s %s: %d bytes were taken", path, name, taken) // a photo may have 12 MB
			})
		}
	}
	wg.Wait()
	slow := make([]net.Conn, 40)
	for i := range slow {
		slow[i] = dial()
		text := "POST /programmes HTTP/1.1\r\n" + head + "Content-Length: 100000\r\n\r\nyaml=a"
		if i%2 == 0 {
			text = "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: " // a header that does not end
		}
		if _, err := io.WriteString(slow[i], text); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range slow { // beside each of them a page is served
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/points", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.AddCookie(cookie)
		res, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		n.count(res.StatusCode == http.StatusOK, "beside slow connection %d a page = %d", i, res.StatusCode)
		_ = c.Close()
	}
	n.report("oversize, lying, endless and slow requests", "超大、谎报长度、无尽与慢速请求", "every POST route; pages are served beside", "每个 POST 路由；其间页面照常打开")
}

// meteredListener counts what the server reads from each client. What a client
// could send says less: buffers of the system take much that nobody reads.
type meteredListener struct {
	net.Listener
	mu   sync.Mutex
	read map[string]*atomic.Int64
}

func (l *meteredListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n := new(atomic.Int64)
	l.read[c.RemoteAddr().String()] = n
	return meteredConn{c, n}, nil
}

// taken returns how many bytes the server has read from a client.
func (l *meteredListener) taken(client net.Addr) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.read[client.String()]
	if n == nil {
		return 0
	}
	return n.Load()
}

type meteredConn struct {
	net.Conn
	n *atomic.Int64
}

func (c meteredConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// overflow sends a request whose body does not end, in chunks or not, until
// the server has enough of it; 64 MB at most.
func overflow(c net.Conn, start string, chunked bool) {
	defer c.Close()
	chunk := bytes.Repeat([]byte("a"), 64<<10)
	if chunked {
		chunk = append(fmt.Appendf(nil, "%x\r\n", len(chunk)), append(chunk, "\r\n"...)...)
	}
	_, err := io.WriteString(c, start)
	for sent := 0; err == nil && sent < 64<<20; {
		var m int
		m, err = c.Write(chunk)
		sent += m
	}
}

// TestRefusesBombs sends small files that claim or become a lot.
func TestRefusesBombs(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "clerk")
	n := &tally{t: t}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	aliases := "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 12; i++ {
		aliases += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","))
	}
	for name, yaml := range map[string]string{
		"aliases": aliases, "aliases_in_slots": aliases + "slots: *a11\n", "deep_flow": strings.Repeat("[", 100000), "deep_map": strings.Repeat("{a: ", 50000), "deep_block": deepBlock(3000),
		"merge": "a: &a {x: 1}\n" + strings.Repeat("<<: *a\n", 5000), "long_key": strings.Repeat("k", 250000) + ": 1", "self": "a: &a\n  b: *a\n", "tags": "!!binary " + strings.Repeat("A", 200000),
		"numbers": "slots: " + strings.Repeat("9", 100000), "nul": "id: \x00\x00", "every_nothing": "id: x\nslots:\n  - {name: 早, start: \"07:00\", end: \"07:01\", every: 1ns}\n",
	} {
		began := time.Now()
		res := c.post("/programmes", url.Values{"yaml": {yaml}})
		n.count(res.Code == http.StatusUnprocessableEntity && time.Since(began) < 20*time.Second, "YAML %s = %d after %s", name, res.Code, time.Since(began))
	}
	for name, data := range soundBombs(t) {
		began := time.Now()
		res := c.upload(map[string]string{"title": name}, testFile{name, data})
		page := parse(t, c.get(res.Header().Get("Location")))
		taken := len(page.all(".notice[data-tone=ok]")) > 0
		n.count(res.Code == http.StatusSeeOther && !taken && time.Since(began) < 20*time.Second, "sound %s = %d after %s, taken: %v", name, res.Code, time.Since(began), taken)
	}
	runtime.ReadMemStats(&after)
	if took := after.HeapSys - before.HeapSys; after.HeapSys > before.HeapSys && took > 512<<20 {
		t.Errorf("%d MB of memory for %d bombs", took>>20, n.tried)
	}
	if strings.Contains(w.log.String(), "level=ERROR") {
		t.Errorf("the log has an error:\n%s", w.log)
	}
	n.report("YAML and sound bombs", "YAML 与音频炸弹", "aliases, nesting, files that claim 2^31 frames", "别名膨胀、深层嵌套、谎称 2^31 帧的音频")
}

func deepBlock(n int) string {
	var b strings.Builder
	for i := range n {
		if b.Len() > 200<<10 {
			break
		}
		fmt.Fprintf(&b, "%s-\n", strings.Repeat(" ", i%60))
	}
	return b.String()
}

// soundBombs are files whose headers claim what they do not hold.
func soundBombs(t *testing.T) map[string][]byte {
	wav := func(rate, channels, size uint32, body []byte) []byte {
		b := []byte("RIFF\xff\xff\xff\xffWAVEfmt \x10\x00\x00\x00\x01\x00")
		b = binary.LittleEndian.AppendUint16(b, uint16(channels))
		b = binary.LittleEndian.AppendUint32(b, rate)
		b = binary.LittleEndian.AppendUint32(b, rate*channels*2)
		b = binary.LittleEndian.AppendUint16(b, uint16(channels*2))
		b = append(b, 16, 0)
		b = append(b, "data"...)
		b = binary.LittleEndian.AppendUint32(b, size)
		return append(b, body...)
	}
	// STREAMINFO that claims 2^36-1 samples of eight channels at 655,350 Hz.
	flac := append([]byte("fLaC\x80\x00\x00\x22\x10\x00\x10\x00\x00\x00\x00\x00\x00\x00"), 0x9f, 0xff, 0x6f, 0xff, 0xff, 0xff, 0xff, 0xff)
	flac = append(flac, make([]byte, 16)...)
	id3 := append([]byte("ID3\x04\x00\x00\x7f\x7f\x7f\x7f"), make([]byte, 1000)...) // a tag of 256 MB
	ogg := append([]byte("OggS\x00\x02\xff\xff\xff\xff\xff\xff\xff\x7f"), make([]byte, 200)...)
	return map[string][]byte{
		"claims.wav": wav(8000, 1, 0xffffffff, make([]byte, 400)), "channels.wav": wav(8000, 0xffff, 0xffffffff, make([]byte, 400)), "rate.wav": wav(0xffffffff, 1, 1000, make([]byte, 1000)),
		"zero.wav": wav(0, 0, 0, nil), "claims.flac": flac, "tag.mp3": id3, "page.ogg": ogg, "silence.wav": wav(8000, 1, 8000*2*100, make([]byte, 8000*2*100)),
		"long.wav": wav(8000, 1, 8000*2*900, make([]byte, 8000*2*900)), "zip.wav": append([]byte("PK\x03\x04"), make([]byte, 500)...), "empty.mp3": {},
	}
}
