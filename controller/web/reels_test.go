package web

import (
	"encoding/binary"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
)

// over uploads a recording of 200 s and returns its page.
func (c *client) over() (result doc, reel string) {
	c.t.Helper()
	data := tone(c.t, 200, 8000, .3)
	for i := len(data) / 2 &^ 1; i < len(data); i += 2 { // its second half is softer, so that no two parts are the same
		binary.LittleEndian.PutUint16(data[i:], uint16(int16(binary.LittleEndian.Uint16(data[i:]))/2))
	}
	res := c.upload(map[string]string{"title": "讲座"}, testFile{"反诈讲座.wav", data})
	d := c.page(res.Header().Get("Location"))
	reel, _, _ = strings.Cut(d.attr(".notice[data-tone=warn] .acts a", "href"), "#")
	return d, reel
}

func TestOverLongRecordingIsAnsweredWithThreeWays(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	d, reel := c.over()
	d.has(".notice[data-tone=warn] h3", "“反诈讲座.wav” 太长")
	d.has(".notice[data-tone=warn] p", "时长3分20秒，超过180秒上限。") // and fits every slot
	if got, want := d.texts(".notice[data-tone=warn] .acts a"), []string{"剪取片段", "拆分", "申请长音频"}; !slices.Equal(got, want) || reel == "" {
		t.Fatalf("ways on %q to %q, want %q", got, reel, want)
	}
	before, err := w.store.Clips(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	// What was typed stays when it is refused.
	for reason, form := range map[string]url.Values{
		"看不懂":      {"from": {"半分钟"}, "to": {"1:00"}, "title": {"片段一"}},
		"超过180秒上限": {"from": {"0:00"}, "to": {"3：10"}, "title": {"片段一"}},
		"请填名称":     {"from": {"0:00"}, "to": {"1:00"}, "title": {" "}},
		"结束要晚于开始，都在录音之内": {"from": {"1:00"}, "to": {"0:30"}, "title": {"片段一"}},
	} {
		res := c.post(reel+"/cut", form)
		if res.Code != http.StatusUnprocessableEntity {
			t.Errorf("%v: %d", form, res.Code)
			continue
		}
		d := parse(t, res)
		d.has("#cut-error", reason)
		if got := d.attr("#cut-from", "value"); got != form.Get("from") {
			t.Errorf("the form forgot %q: %q", form.Get("from"), got)
		}
	}
	if res := c.get(reel + "/audio?from=0:10&to=0:13"); res.Code != 200 || !strings.HasPrefix(res.Body.String(), "fLaC") {
		t.Errorf("listening to a part: %d", res.Code)
	}
	c.page(c.post(reel+"/cut", url.Values{"from": {"0:10"}, "to": {"1:05"}, "title": {"片段一"}, "type": {"两卡"}, "audience": {"老年"}}).Header().Get("Location")).
		has(".notice[data-tone=ok] h3", "已剪出 55秒，存为草稿")
	cut, err := w.store.ClipByName(t.Context(), "片段一")
	if err != nil || cut.State != fleet.ClipDraft || cut.Source != fleet.SourceCut || cut.ScamType != "两卡" || cut.Duration().Round(time.Second) != 55*time.Second {
		t.Errorf("cut %+v, %v", cut, err)
	}
	d = c.page(c.post(reel+"/split", url.Values{"most": {"120"}, "title": {"讲座"}}).Header().Get("Location"))
	d.count(".notice[data-tone=ok]", 2)
	if after, err := w.store.Clips(t.Context()); err != nil || len(after) != len(before)+3 {
		t.Errorf("%d clips, want %d more than %d; %v", len(after), 3, len(before), err)
	}
	c.page(reel).has(".log a", "片段一")
	if res := c.post(reel+"/drop", nil); res.Code != http.StatusSeeOther {
		t.Errorf("giving it up: %d", res.Code)
	}
}

func TestLongClipNeedsItsOwnApproval(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "clerk")
	_, reel := c.over()
	if res := c.post(reel+"/long", url.Values{"from": {"0:00"}, "to": {"3:20"}, "title": {"整场"}}); res.Code != http.StatusUnprocessableEntity {
		t.Errorf("without a reason: %d", res.Code)
	}
	c.page(c.post(reel+"/long", url.Values{"from": {"0:00"}, "to": {"3:20"}, "title": {"整场"}, "reason": {"所长讲话，须完整播放"}}).Header().Get("Location")).
		has(".notice[data-tone=ok] .muted", "已送审")
	clip, err := w.store.ClipByName(t.Context(), "整场")
	if err != nil || clip.Long != "所长讲话，须完整播放" || clip.State != fleet.ClipSubmitted || clip.Duration() < 199*time.Second {
		t.Fatalf("clip %+v, %v", clip, err)
	}
	signer := w.as(t, "approver")
	signer.page(clipPath(clip.ID)).has("#long-approval", "所长讲话，须完整播放")
	form := url.Values{"revision": {"2"}}
	if res := signer.post(clipPath(clip.ID)+"/approve", form); res.Code == http.StatusSeeOther {
		t.Error("a long clip was signed off without a word about its length")
	}
	signer.page(signer.post("/clips/approve", url.Values{"clip": {"1.2"}}).Header().Get("Location")).has("[role=alert]", "长音频")
	form.Set("long", "1")
	if res := signer.post(clipPath(clip.ID)+"/approve", form); res.Code != http.StatusSeeOther {
		t.Errorf("signing it off: %d\n%s", res.Code, res.Body)
	}
}

func TestWeChatVoiceIsAnsweredWithAGuide(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "clerk")
	d := c.page(c.upload(nil, testFile{"微信语音 1123.amr", []byte("\x02#!SILK_V3\x10\x00abc")}).Header().Get("Location"))
	d.has(".notice[data-tone=bad] p", "这是微信语音文件。请用手机录音机重录，或以文件形式发送。")
	if got := d.attr(".notice[data-tone=bad] .acts a", "href"); got != "/clips/voice" {
		t.Fatalf("guide at %q", got)
	}
	for _, lang := range languages {
		d := c.page("/clips/voice?lang=" + lang)
		d.count(".guide li", 3)
		src := d.attr(".picture", "src")
		if res := c.get(src); res.Code != 200 || !strings.Contains(res.Header().Get("Content-Type"), "svg") {
			t.Errorf("picture %q: %d %s", src, res.Code, res.Header().Get("Content-Type"))
		}
	}
}

func FuzzReadClock(f *testing.F) {
	for _, s := range []string{"12:40", "1:02:03", "95", "12:40.5", "１２：４０", "1:60", ":", "1e9", "-1", "0:00.05"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, err := readClock(s)
		if err != nil {
			return
		}
		if again, err := readClock(clockText(at)); err != nil || (again-at).Abs() >= 100*time.Millisecond {
			t.Errorf("%q is %v, written %q, read back %v, %v", s, at, clockText(at), again, err)
		}
	})
}
