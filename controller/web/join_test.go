package web

import (
	"encoding/base64"
	"image/png"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
)

// issue makes a join code on the page and returns it with the page's path.
func issue(t *testing.T, w *world, point string) (code, at string) {
	t.Helper()
	c := w.as(t, "clerk")
	res := c.post("/enrol", url.Values{"point": {itoa(int(w.points[point].ID))}})
	at = res.Header().Get("Location")
	if res.Code != http.StatusSeeOther || !strings.HasPrefix(at, "/enrol/") {
		t.Fatalf("issuing: %d to %q\n%s", res.Code, at, res.Body)
	}
	return strings.TrimPrefix(at, "/enrol/"), at
}

func TestJoinCodeOnPageAndPhone(t *testing.T) {
	w := newWorld(t)
	code, at := issue(t, w, "初夏庭南门")
	d := w.as(t, "clerk").page(at)
	line := "gatecast-agent join https://10.1.2.3:8443 " + code + " " + strings.Repeat("ab", 32)
	if got := d.text("#line"); got != line {
		t.Errorf("line %q, want %q", got, line)
	}
	src := d.attr("img.qr", "src")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(src, "data:image/png;base64,"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(strings.NewReader(string(raw)))
	if err != nil || img.Bounds().Dx() < 200 {
		t.Errorf("QR picture: %v, %v", img.Bounds(), err)
	}
	d.has(".mono", "http://example.com/j/"+code)
	d.count(".notice[data-tone=warn]", 0)

	phone := w.client(t) // nobody is logged in at the gate
	p := phone.page("/j/" + code)
	p.has("h1", "给初夏庭南门装设备")
	p.has("pre", line)
	if phone.cookies[sessionCookie] != nil {
		t.Error("the guide starts a session")
	}
	file := phone.get("/j/" + strings.ToLower(code) + "/join.txt")
	if file.Body.String() != strings.Replace(line, code, strings.ToLower(code), 1)+"\n" || !strings.Contains(file.Header().Get("Content-Disposition"), "join.txt") {
		t.Errorf("file %q, %v", file.Body, file.Header())
	}
	w.as(t, "clerk").page(pointPath(w.points["初夏庭南门"].ID)).has("[data-live=live-codes] .log", "clerk 还没有用")
}

func TestJoinCodeUsedAndExpired(t *testing.T) {
	w := newWorld(t)
	code, at := issue(t, w, "初夏庭南门")
	hash, err := testTrust{}.HashCode(code)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Enrol(t.Context(), hash, fleet.Device{ID: "d-new", SPKI: []byte("k"), Hardware: "x"}, testNow); err != nil {
		t.Fatal(err)
	}
	w.as(t, "clerk").page(at).has(".state", "11-23 18:12 已用，设备 d-new")
	phone := w.client(t)
	phone.page("/j/"+code).has("[role=alert]", "请办公室重新生成一个")
	phone.page("/j/"+code).count("pre", 0)
	if res := phone.get("/j/" + code + "/join.txt"); res.Code != http.StatusConflict || strings.Contains(res.Body.String(), "gatecast-agent") {
		t.Errorf("file of a used code: %d", res.Code)
	}
	replace, at := issue(t, w, "松风苑南门")
	w.as(t, "clerk").page(at).has(".notice[data-tone=warn]", "松风苑南门 已有设备")
	w.setNow(testNow.Add(joinFor + time.Minute))
	phone.page("/j/"+replace).has("[role=alert]", "已过期")
}

func TestJoinCodeGuessing(t *testing.T) {
	w := newWorld(t)
	code, _ := issue(t, w, "初夏庭南门")
	phone := w.client(t)
	for _, wrong := range []string{"AAAAA-AAAAA", "x", strings.Repeat("A", 3000), "%2e%2e%2f"} {
		res := phone.get("/j/" + wrong)
		if res.Code != http.StatusNotFound {
			t.Errorf("code %.20q: %d", wrong, res.Code)
		}
		parse(t, res).has("[role=alert]", "没有这个接入码")
	}
	for range guessLimit {
		phone.get("/j/BBBBB-BBBBB")
	}
	if res := phone.get("/j/" + code); res.Code != http.StatusForbidden {
		t.Errorf("after %d wrong codes: %d", guessLimit, res.Code)
	}
	w.setNow(testNow.Add(guessWindow + time.Second))
	phone.page("/j/"+code).has("h1", "初夏庭南门")
}

func TestEnrolNeedsAPoint(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	for _, point := range []string{"", "abc", "999"} {
		if res := c.post("/enrol", url.Values{"point": {point}}); res.Code < 400 || res.Code >= 500 {
			t.Errorf("point %q: %d", point, res.Code)
		}
	}
	d := c.page("/enrol")
	if got := d.texts("#pt option"); len(got) != 49 || !strings.HasPrefix(got[1], "初夏庭南门") {
		t.Errorf("points without a device are not first: %q", got[:3])
	}
}

func TestLoopbackIsSaid(t *testing.T) {
	for in, want := range map[string]bool{
		"http://127.0.0.1:8080/j/x": true, "http://localhost:1/j/x": true, "https://[::1]/j/x": true, "http://0.0.0.0/": true,
		"https://10.1.2.3/j/x": false, "https://office.example/j/x": false,
	} {
		if got := loopback(in); got != want {
			t.Errorf("loopback(%q) = %v", in, got)
		}
	}
	w := newWorld(t)
	w.serve(t, func(o *Options) { o.PublicURL = "http://127.0.0.1:8080/" })
	_, at := issue(t, w, "初夏庭南门")
	d := w.as(t, "clerk").page(at)
	d.has(".notice[data-tone=warn]", "手机扫这个码打不开")
	d.has(".mono", "http://127.0.0.1:8080/j/")
	w.serve(t, func(o *Options) { o.PublicURL = "https://gatecast.example" })
	w.as(t, "clerk").page(at).count(".notice[data-tone=warn]", 0)
}

func TestOptionsAreChecked(t *testing.T) {
	w := newEmptyWorld(t)
	good := w.server.o
	tests := map[string]func(*Options){
		"no_registry": func(o *Options) { o.Registry = nil }, "no_ledger": func(o *Options) { o.Ledger = nil }, "no_planner": func(o *Options) { o.Planner = nil },
		"no_media": func(o *Options) { o.Media = nil }, "no_trust": func(o *Options) { o.Trust = nil }, "no_logins": func(o *Options) { o.Logins = nil },
		"no_zone": func(o *Options) { o.Zone = nil }, "public_path": func(o *Options) { o.PublicURL = "https://x/y" }, "public_scheme": func(o *Options) { o.PublicURL = "ftp://x" },
		"public_host": func(o *Options) { o.PublicURL = "https://" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			o := good
			change(&o)
			if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "web options: ") {
				t.Errorf("New = %v", err)
			}
		})
	}
}
