package web

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatecast/audio/clips"
	"gatecast/controller/fleet"
)

// tone is a WAV of a steady tone: mono, 16 bits.
func tone(t testing.TB, seconds float64, rate int, level float64) []byte {
	t.Helper()
	n := int(seconds * float64(rate))
	var b bytes.Buffer
	b.WriteString("RIFF")
	put := func(v any) {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	put(uint32(36 + 2*n))
	b.WriteString("WAVEfmt ")
	put(uint32(16))
	put([]uint16{1, 1})
	put([]uint32{uint32(rate), uint32(2 * rate)})
	put([]uint16{2, 16})
	b.WriteString("data")
	put(uint32(2 * n))
	for i := range n {
		put(int16(level * 32767 * math.Sin(2*math.Pi*440*float64(i)/float64(rate))))
	}
	return b.Bytes()
}

type testFile struct {
	name string
	data []byte
}

// upload sends files as the form on the page does.
func (c *client) upload(fields map[string]string, files ...testFile) *httptest.ResponseRecorder {
	c.t.Helper()
	return c.uploadTo("/clips", fields, files...)
}

// uploadTo is upload by a button with an address of its own.
func (c *client) uploadTo(path string, fields map[string]string, files ...testFile) *httptest.ResponseRecorder {
	c.t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for k, v := range fields {
		if err := form.WriteField(k, v); err != nil {
			c.t.Fatal(err)
		}
	}
	for _, f := range files {
		part, err := form.CreateFormFile("file", f.name)
		if err != nil {
			c.t.Fatal(err)
		}
		if _, err := part.Write(f.data); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		c.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, path, &b)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return c.do(r)
}

func TestUploadTakesAndRefusesEachFileByItself(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "clerk")
	good, _ := clips.ByName("kefu")
	res := c.upload(map[string]string{"title": "冒充客服 <b>退款</b>", "type": "冒充客服", "audience": "通用", "text": "先挂断，再自己查。"},
		testFile{`C:\录音\kefu.mp3`, good.Data()},
		testFile{"讲话.mp3", []byte("这其实是一段文字，不是录音。\n")},
		testFile{"空.wav", nil},
		testFile{"音叉.wav", tone(t, 2, 8000, .3)})
	if res.Code != http.StatusSeeOther {
		t.Fatalf("upload: %d\n%s", res.Code, res.Body)
	}
	at := res.Header().Get("Location")
	d := c.page(at)
	d.count(".notice[data-tone=ok]", 2)
	d.count(".notice[data-tone=bad][role=alert]", 2)
	d.has(".notice[data-tone=ok]", "“kefu.mp3” 已收下")
	d.has(".notice[data-tone=bad] h3", "“讲话.mp3” 没有收下")
	d.has(".notice[data-tone=bad] h3", "“空.wav” 没有收下")
	for _, reason := range d.texts(".notice[data-tone=bad] p") {
		if reason == "" || strings.Contains(reason, "报修") {
			t.Errorf("a refusal without a reason: %q", reason)
		}
	}
	all, err := w.store.Clips(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("%d clips, %v", len(all), err)
	}
	for _, cl := range all {
		if cl.By != "clerk" || cl.Frames == 0 || len(cl.Peaks) == 0 {
			t.Errorf("clip %+v", cl)
		}
	}
	d.has("tbody td", "冒充客服 <b>退款</b>")
	d.count("tbody b", 0)
	if other := w.as(t, "admin").page(at); len(other.all(".notice[data-tone=ok]")) != 0 {
		t.Error("the result of an upload is shown to somebody else")
	}
	if got := c.page("/clips?q=kefu").texts("tbody .strong"); len(got) != 0 {
		t.Errorf("search finds %q by a file's name", got) // the title was given; the name comes of it
	}
}

func TestUploadWithoutFiles(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "clerk")
	c.page(c.upload(map[string]string{"title": "x"}).Header().Get("Location")).has("[role=alert]", "没有选文件")
	if res := c.post("/clips", nil); res.Code != http.StatusUnprocessableEntity {
		t.Errorf("a form that is no upload: %d", res.Code)
	}
	c.page(c.upload(map[string]string{"name": "../../etc"}, testFile{"a.wav", tone(t, 2, 8000, .3)}).Header().Get("Location")).
		has("[role=alert]", "可以改成 “etc”")
	many := make([]testFile, maxFiles+2)
	for i := range many {
		many[i] = testFile{"x.txt", []byte("text")}
	}
	d := c.page(c.upload(nil, many...).Header().Get("Location"))
	d.count("[role=alert]", maxFiles+1)
	d.has("[role=alert]", "一次最多传 20 个文件")
}

func TestUploadCutOff(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "clerk")
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, err := form.CreateFormFile("file", "a.wav")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(tone(t, 3, 8000, .3)); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/clips", io.LimitReader(&b, int64(b.Len()/2)))
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	res := c.do(r)
	c.page(res.Header().Get("Location")).has("[role=alert] h3", "“a.wav” 没有收下")
	if all, err := w.store.Clips(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("half a file became a clip: %d, %v", len(all), err)
	}
}

func TestClipNames(t *testing.T) {
	for in, want := range map[string]string{
		"冒充客服 退款": "冒充客服-退款", "Gas Company (2)": "gas-company-2", "--x--": "x", "../../etc": "etc", "！？": "clip", "": "clip",
	} {
		if got := clipName(in); got != want {
			t.Errorf("clipName(%q) = %q, want %q", in, got, want)
		}
		if clipName(clipName(in)) != clipName(in) {
			t.Errorf("clipName is not at rest for %q", in)
		}
	}
	if got := baseName(`C:\a\b/` + strings.Repeat("长", 200)); len([]rune(got)) != 120 {
		t.Errorf("baseName of a long name has %d runes", len([]rune(got)))
	}
}

func TestClipPageAndAudio(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "inspector")
	d := c.page("/clips")
	d.count("[data-live=live-clips] tbody tr", len(clips.All()))
	d.count("form[data-upload]", 0) // an inspector uploads nothing
	d.has("tbody td", "示例")
	d.has("tbody tr", "示例街道日常")
	d.count("tbody svg.wave path", len(clips.All()))
	all, err := w.store.Clips(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	one := all[0]
	page := c.page(clipPath(one.ID))
	page.has("dd", one.SHA256)
	if got := page.attr("audio", "src"); got != clipPath(one.ID)+"/audio" {
		t.Errorf("audio src %q", got)
	}
	res := c.get(clipPath(one.ID) + "/audio")
	if res.Header().Get("Content-Type") != "audio/flac" || int64(res.Body.Len()) != one.Bytes || !bytes.HasPrefix(res.Body.Bytes(), []byte("fLaC")) {
		t.Errorf("audio: %v, %d bytes of %d", res.Header(), res.Body.Len(), one.Bytes)
	}
	r := httptest.NewRequest(http.MethodGet, clipPath(one.ID)+"/audio", nil)
	r.Header.Set("Range", "bytes=4-11")
	if res := c.do(r); res.Code != http.StatusPartialContent || res.Body.Len() != 8 {
		t.Errorf("range: %d, %d bytes", res.Code, res.Body.Len())
	}
	if got := c.page("/clips?type=两卡").texts("tbody .strong"); len(got) != 1 || got[0] != "两卡" {
		t.Errorf("filter by type: %q", got)
	}
	c.page("/clips?lang=en").has("tbody td", "posing as police or court")
}

func TestWave(t *testing.T) {
	if got := wave(nil, 10, 100, 20); got != "M0 10H100" {
		t.Errorf("wave of nothing = %q", got)
	}
	lo, quiet := int8(-127), int8(-1)
	peaks := []byte{byte(lo), 127, byte(quiet), 1}
	if got := wave(peaks, 2, 10, 20); got != "M2.5 0.0v20.0M7.5 9.9v0.2" {
		t.Errorf("wave = %q", got)
	}
	if got := strings.Count(wave(peaks, 5, 10, 20), "M"); got != 5 {
		t.Errorf("%d bars of fewer peaks, want 5", got)
	}
}

func TestClipFileGone(t *testing.T) {
	w := newEmptyWorld(t)
	if _, err := w.store.AddClip(t.Context(), fleet.Clip{SHA256: strings.Repeat("ab", 32), Name: "gone", Title: "gone", Rate: 24000, Frames: 24000, Uploaded: testNow}); err != nil {
		t.Fatal(err)
	}
	if res := w.as(t, "admin").get("/clips/1/audio"); res.Code != http.StatusNotFound {
		t.Errorf("audio of a lost file: %d", res.Code)
	}
}
