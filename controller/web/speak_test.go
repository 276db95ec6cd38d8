package web

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"gatecast/controller/fleet"
	"gatecast/controller/speech"
	"gatecast/internal/needtool"
)

func TestSpeakPage(t *testing.T) {
	needtool.Need(t, "espeak-ng")
	w := newEmptyWorld(t)
	c := w.as(t, "clerk")
	c.page("/clips/speak").count("#heard", 0)
	form := url.Values{"title": {"防骗"}, "spoken": {"各位居民，请打96110，去银行核实。"}, "text": {"请打 96110"}, "type": {"冒充客服"}, "do": {"preview"}}
	res := c.post("/clips/speak", form)
	page := parse(t, res)
	if res.Code != http.StatusUnprocessableEntity {
		t.Errorf("a text with digits is answered %d", res.Code)
	}
	page.has("#findings", "九六幺幺零")
	page.has("#findings", "银行[yin2 hang2]")
	page.has("textarea[name=text]", "请打 96110") // what was typed stays
	form.Set("do", "fix")
	page = parse(t, c.post("/clips/speak", form))
	fixed := page.text("#spoken")
	if want := "各位居民，请打九六幺幺零，去银行[yin2 hang2]核实。"; fixed != want {
		t.Fatalf("the text became %q, want %q", fixed, want)
	}
	sound := page.all("#heard")
	if len(sound) != 1 {
		t.Fatal("there is nothing to listen to")
	}
	heard := c.get("/speech/" + strings.TrimPrefix(attrOf(sound[0], "src"), "/speech/"))
	if heard.Code != http.StatusOK || heard.Header().Get("Content-Type") != "audio/wav" || heard.Body.Len() < 10_000 {
		t.Errorf("the preview is answered %d, %s, %d bytes", heard.Code, heard.Header().Get("Content-Type"), heard.Body.Len())
	}
	form.Set("do", "keep")
	form.Set("spoken", fixed)
	form.Set("title", " ")
	if page := parse(t, c.post("/clips/speak", form)); !strings.Contains(page.text("[role=alert]"), "标题") {
		t.Error("a clip without a title is not refused by name")
	}
	form.Set("title", "防骗")
	res = c.post("/clips/speak", form)
	path, _, _ := strings.Cut(res.Header().Get("Location"), "?")
	if res.Code != http.StatusSeeOther || !strings.HasPrefix(path, "/clips/") {
		t.Fatalf("keeping it = %d to %q", res.Code, path)
	}
	c.page(path).has("h1", "防骗（合成语音）")
	clips, err := w.store.Clips(t.Context())
	if err != nil || len(clips) != 1 {
		t.Fatalf("%d clips, %v", len(clips), err)
	}
	u, err := w.store.Utterance(t.Context(), clips[0].ID)
	if err != nil || u.Origin != fleet.Synthetic || u.Spoken != fixed || clips[0].Text != "请打 96110" || clips[0].State != fleet.ClipDraft {
		t.Errorf("%+v of %+v, %v", u, clips[0], err)
	}
}

// Without a synthesiser the page says what to install, and nothing is lost.
func TestSpeakPageWithoutASynthesiser(t *testing.T) {
	w := newEmptyWorld(t)
	w.serve(t, func(o *Options) {
		o.Speech = speech.New(speech.Options{LookPath: func(string) (string, error) { return "", os.ErrNotExist }})
	})
	c := w.as(t, "clerk")
	c.page("/clips/speak").has(".notice", "apt install espeak-ng")
	res := c.post("/clips/speak", url.Values{"spoken": {"各位居民。"}, "do": {"keep"}, "title": {"一"}})
	if res.Code != http.StatusConflict || parse(t, res).text("#spoken") != "各位居民。" {
		t.Errorf("it is answered %d\n%s", res.Code, res.Body)
	}
}

func TestRecordPageTakesARecording(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "clerk")
	res := c.get("/clips/record")
	if p := res.Header().Get("Permissions-Policy"); !strings.Contains(p, "microphone=(self)") {
		t.Errorf("the page may not listen: %s", p)
	}
	for _, path := range []string{"/clips", "/clips/speak"} {
		if p := c.get(path).Header().Get("Permissions-Policy"); !strings.Contains(p, "microphone=()") {
			t.Errorf("%s may listen: %s", path, p)
		}
	}
	if res := c.uploadTo("/clips/record", map[string]string{"title": "录音"}); res.Code != http.StatusUnprocessableEntity || !strings.Contains(parse(t, res).text("[role=alert]"), "还没有录音") {
		t.Errorf("no recording is answered %d", res.Code)
	}
	if res := c.uploadTo("/clips/record", map[string]string{"title": "录音", "text": "说明"}, testFile{"a.wav", []byte("不是录音")}); res.Code != http.StatusUnprocessableEntity || parse(t, res).text("#rc-x") != "说明" {
		t.Errorf("what is no sound is answered %d", res.Code)
	}
	res = c.uploadTo("/clips/record", map[string]string{"title": "录音"}, testFile{"recording.wav", tone(t, 2, 48000, .3)})
	if res.Code != http.StatusSeeOther {
		t.Fatalf("a recording is answered %d\n%s", res.Code, res.Body)
	}
	clips, err := w.store.Clips(t.Context())
	if err != nil || len(clips) != 1 {
		t.Fatalf("%d clips, %v", len(clips), err)
	}
	if u, err := w.store.Utterance(t.Context(), clips[0].ID); err != nil || u.Origin != fleet.Recorded {
		t.Errorf("Utterance = %+v, %v", u, err)
	}
}

// TestPreviewsAreBounded holds that the oldest goes first.
func TestPreviewsAreBounded(t *testing.T) {
	p := newPreviews()
	for i := range previewsKept + 1 {
		p.put(string(rune('a'+i)), []byte{1}, testNow.Add(time.Duration(i)*time.Second))
	}
	if _, ok := p.get("a", testNow); ok {
		t.Error("the oldest is still there")
	}
	if _, ok := p.get("b", testNow); !ok {
		t.Error("the second is gone")
	}
	if _, ok := p.get("b", testNow.Add(previewsFor+time.Minute)); ok {
		t.Error("it is there for ever")
	}
}

// TestRecordingInTheBrowser records from a microphone that beeps and keeps it.
func TestRecordingInTheBrowser(t *testing.T) {
	w := newEmptyWorld(t)
	b := newBrowser(t, w)
	b.login("clerk")
	b.width(390)
	b.run(chromedp.Navigate(b.url+"/clips/record"), chromedp.WaitVisible(chromedp.CSS("[data-record=start]")), chromedp.Click(chromedp.CSS("[data-record=start]")))
	b.until(`document.querySelector('[data-record-time]').textContent >= '0:02'`)
	b.shot("recording-zh-390")
	b.run(chromedp.Click(chromedp.CSS("[data-record=stop]")))
	b.until(`document.querySelector('[data-record-play]').duration >= 2 && document.getElementById('sound').files.length === 1`)
	b.shot("recorded-zh-390")
	b.fits("recorded")
	b.run(chromedp.SetValue(chromedp.CSS("#rc-t"), "手机录音"), chromedp.Click(chromedp.CSS("main [type=submit]")))
	b.until(`location.search === '?done=recorded'`)
	b.quiet("recording")
	clips, err := w.store.Clips(t.Context())
	if err != nil || len(clips) != 1 || clips[0].Title != "手机录音" || clips[0].Duration() < time.Second {
		t.Errorf("%+v, %v", clips, err)
	}
}
