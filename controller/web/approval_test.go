package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// newClip uploads a tone as login, submitted unless keep says draft, and
// returns it.
func (w *world) newClip(t testing.TB, c *client, name, keep string) fleet.Clip {
	t.Helper()
	path := "/clips"
	if keep != "" {
		path += "?keep=" + keep
	}
	form := c.uploadTo(path, map[string]string{"name": name, "title": name, "text": "先挂断，再自己查。", "until": "2026-12-31"},
		testFile{name + ".wav", tone(t, 2+float64(len(name))/10, 8000, .3)})
	if form.Code != http.StatusSeeOther {
		t.Fatalf("upload: %d\n%s", form.Code, form.Body)
	}
	clip, err := w.store.ClipByName(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return clip
}

// press presses a button of a clip's page, with the revision that stands there.
func (c *client) press(clip fleet.Clip, step string, form url.Values) (code int, body string) {
	c.t.Helper()
	if form == nil {
		form = url.Values{}
	}
	if rev := c.page(clipPath(clip.ID)).all(`[name=revision]`); len(rev) > 0 {
		form.Set("revision", c.page(clipPath(clip.ID)).attr(`[name=revision]`, "value"))
	}
	res := c.post(fmt.Sprintf("%s/%s", clipPath(clip.ID), step), form)
	return res.Code, res.Body.String()
}

func TestClipGoesFromClerkToApprover(t *testing.T) {
	w := newEmptyWorld(t)
	clerk, signer := w.as(t, "clerk"), w.as(t, "approver")
	clip := w.newClip(t, clerk, "gas", "")
	if clip.State != fleet.ClipSubmitted || clip.Submitter != "clerk" || clip.ValidUntil != "2026-12-31" {
		t.Fatalf("after one click: %+v", clip)
	}
	d := clerk.page(clipPath(clip.ID))
	d.has("#why-not", "要由签发人签发")
	d.count("form[action$='/approve']", 0)
	d.has("[data-live=live-uses] .state", "待签发")
	if code, _ := clerk.press(clip, "approve", nil); code != http.StatusForbidden {
		t.Errorf("a clerk signs: %d", code)
	}

	list := signer.page("/clips")
	list.has(".nav .count", "1")
	list.count(".picks li", 1)
	list.has(".picks .tag", "未试听")
	d = signer.page(clipPath(clip.ID))
	d.count("form[action$='/approve'] button", 1)
	d.has("#unheard", "还没有试听过")
	d.count("form[action$='/edit'], form[action$='/submit']", 0)
	if res := signer.get(clipPath(clip.ID) + "/audio"); res.Code != http.StatusOK {
		t.Fatal(res.Code)
	}
	signer.page(clipPath(clip.ID)).count("#unheard", 0)
	if code, body := signer.press(clip, "approve", nil); code != http.StatusSeeOther {
		t.Fatalf("approve: %d\n%s", code, body)
	}
	d = signer.page(clipPath(clip.ID))
	d.has("[data-live=live-uses] .state", "已签发")
	d.has(".log", "陈工 签发")
	if strings.Contains(d.text(".log"), "没有试听") {
		t.Error("the history says that nobody listened")
	}
	signer.page("/clips").count(".nav .count", 0)
	lines, err := w.store.Audits(t.Context(), 20)
	if err != nil {
		t.Fatal(err)
	}
	told := map[fleet.AuditCode]fleet.Audit{}
	for _, l := range lines {
		told[l.What] = l
	}
	if l := told[fleet.AuditClipApprove]; l.Who != "approver" || l.Object != "gas" || !strings.Contains(l.Before, "submitted") || !strings.Contains(l.After, "approved") || l.From == "" {
		t.Errorf("audit of the sign-off = %+v", l)
	}
	if l := told[fleet.AuditClipSubmit]; l.Who != "clerk" {
		t.Errorf("audit of the submission = %+v", l)
	}
}

// TestOwnClipCannotBeSigned gives the clerk the approver's role between the
// two clicks.
func TestOwnClipCannotBeSigned(t *testing.T) {
	w := newEmptyWorld(t)
	clip := w.newClip(t, w.as(t, "clerk"), "gas", "")
	user, err := w.store.UserByLogin(t.Context(), "clerk")
	if err != nil {
		t.Fatal(err)
	}
	user.Role = fleet.Approver
	if _, err := w.store.SaveUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	c := w.as(t, "clerk")
	d := c.page(clipPath(clip.ID))
	d.has("#why-not", "须由另一位签发人签发")
	d.count("form[action$='/approve']", 0)
	res := c.post(clipPath(clip.ID)+"/approve", url.Values{"revision": {fmt.Sprint(clip.Revision)}})
	if res.Code != http.StatusForbidden || !strings.Contains(res.Body.String(), "须由另一位签发人签发") {
		t.Errorf("the submitter signs: %d\n%s", res.Code, res.Body)
	}
	if clip, err = w.store.Clip(t.Context(), clip.ID); err != nil || clip.State != fleet.ClipSubmitted {
		t.Errorf("clip = %s, %v", clip.State, err)
	}
	c.page("/clips").count(".picks", 0)
	lines, err := w.store.Audits(t.Context(), 1)
	if err != nil || len(lines) != 1 || !lines[0].Failed || lines[0].What != fleet.AuditClipApprove || lines[0].Object != "gas" {
		t.Errorf("the attempt is told as %+v, %v", lines, err)
	}
}

func TestSeveralClipsAtOnce(t *testing.T) {
	w := newEmptyWorld(t)
	clerk, signer := w.as(t, "clerk"), w.as(t, "approver")
	var keys []string
	for _, name := range []string{"a", "bb", "ccc"} {
		c := w.newClip(t, clerk, name, "draft")
		if c.State != fleet.ClipDraft {
			t.Fatalf("kept as a draft: %s", c.State)
		}
		keys = append(keys, fmt.Sprintf("%d.%d", c.ID, c.Revision))
	}
	clerk.page("/clips").count(".picks li", 3)
	res := clerk.post("/clips/submit", url.Values{"clip": keys})
	clerk.page(res.Header().Get("Location")).count(".notice[data-tone=ok]", 3)
	waiting := signer.page("/clips")
	waiting.count(".picks li", 3)
	form := url.Values{}
	for _, n := range waiting.all(".picks input") {
		for _, a := range n.Attr {
			if a.Key == "value" {
				form.Add("clip", a.Val)
			}
		}
	}
	form["clip"][1] += "9" // another revision than the present one
	d := signer.page(signer.post("/clips/approve", form).Header().Get("Location"))
	d.count(".notice[data-tone=ok]", 2)
	d.has(".notice[data-tone=bad]", "在您查看之后又有改动")
	if d.count(".picks li", 1); signer.post("/clips/approve", nil).Code != http.StatusSeeOther {
		t.Error("nothing chosen breaks the page")
	}
	signer.page(signer.post("/clips/approve", nil).Header().Get("Location")).has("[role=alert]", "没有选素材")
	if res := signer.post("/clips/approve", url.Values{"clip": {"1; DROP TABLE clips"}}); res.Code != http.StatusUnprocessableEntity && res.Code != http.StatusSeeOther {
		t.Errorf("a broken form: %d", res.Code)
	}
}

func TestReturnAndChangeOfASignedClip(t *testing.T) {
	w := newEmptyWorld(t)
	clerk, signer := w.as(t, "clerk"), w.as(t, "approver")
	clip := w.newClip(t, clerk, "gas", "")
	if code, body := signer.press(clip, "return", url.Values{"reason": {" "}}); code != http.StatusUnprocessableEntity || !strings.Contains(body, "退回须写明理由") {
		t.Errorf("return without a reason: %d", code)
	}
	signer.press(clip, "return", url.Values{"reason": {"第二句 <b>念错</b>"}})
	d := clerk.page(clipPath(clip.ID))
	d.has(".notice", "第二句 <b>念错</b>")
	d.count(".notice b", 0)
	clerk.press(clip, "edit", url.Values{"title": {"煤气"}, "text": {"一\r\n二"}, "from": {"2026-11-23"}, "until": {"2026-12-01"}})
	clerk.press(clip, "submit", nil)
	signer.press(clip, "approve", nil)
	d = signer.page(clipPath(clip.ID))
	d.has("h1", "煤气")
	d.has("dd", "2026-11-23 至 2026-12-01")
	d.has(".log .tag", "签发前没有试听")

	clerk.press(clip, "edit", url.Values{"title": {"煤气二"}, "text": {"一"}, "until": {"2027-12-01"}})
	d = signer.page(clipPath(clip.ID))
	d.has("h1", "煤气")
	d.has("#decide dd", "煤气二")
	d.has("#decide dd", "到 2027-12-01 为止")
	d.has("#decide .hint", "仍按原来签发的内容播放")
	signer.press(clip, "approve", nil)
	signer.page(clipPath(clip.ID)).has("h1", "煤气二")
}

// TestRecallListsEveryPoint recalls a clip of the whole subdistrict: points
// that report it gone are told as such, the others are not.
func TestRecallListsEveryPoint(t *testing.T) {
	w := newWorld(t)
	all, err := w.store.Clips(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	clip := all[0]
	signer := w.as(t, "approver")
	if code, _ := w.as(t, "clerk").press(clip, "recall", url.Values{"reason": {"x"}}); code != http.StatusForbidden {
		t.Errorf("a clerk recalls: %d", code)
	}
	if code, body := signer.press(clip, "recall", url.Values{"reason": {"号码有误 <script>1</script>"}}); code != http.StatusSeeOther {
		t.Fatalf("recall: %d\n%s", code, body)
	}
	const devices = 46 // of 48 points two are bare
	d := signer.page(clipPath(clip.ID))
	d.count("#purges tbody tr", devices)
	d.count("#purges [data-purge=purged]", 0)
	d.count("main script", 0)
	gate := w.points["松风苑南门"]
	dev, err := w.store.DeviceOfPoint(t.Context(), gate.ID)
	if err != nil {
		t.Fatal(err)
	}
	say := func(st wire.State) {
		t.Helper()
		st.Session, st.Online = dev.Session, true
		if _, err := w.store.SaveState(t.Context(), dev.ID, st, testNow); err != nil {
			t.Fatal(err)
		}
	}
	// What does not say that it is gone: nothing about what is held, a list that
	// has it, one that is cut short, and a plan that still wants it.
	for name, st := range map[string]wire.State{
		"silent": {}, "held": {Held: &wire.Held{Clips: []string{clip.SHA256}}}, "cut_short": {Held: &wire.Held{More: 1}},
		"ready": {ClipsReady: []string{clip.SHA256}, Held: &wire.Held{}}, "missing": {ClipsMissing: []string{clip.SHA256}, Held: &wire.Held{}},
	} {
		say(st)
		if got := signer.page(clipPath(clip.ID)).all("#purges [data-purge=purged]"); len(got) != 0 {
			t.Errorf("%s: the page believes that it is gone", name)
		}
	}
	say(wire.State{Held: &wire.Held{Clips: []string{all[1].SHA256}}})
	d = signer.page(clipPath(clip.ID))
	d.count("#purges [data-purge=purged]", 1)
	d.has("#purges [data-purge=purged] th", "松风苑南门")
	d.has("[data-live=live-purge] .count", fmt.Sprintf("1 / %d", devices))
	if len(d.all("#purges [data-purge=offline]")) == 0 || !strings.Contains(d.text("#purges [data-purge=offline] td:last-child"), "离线自") {
		t.Error("no point is told as offline since when")
	}
	say(wire.State{ClipsReady: []string{clip.SHA256}})
	signer.page(clipPath(clip.ID)).count("#purges [data-purge=purged]", 1) // said once, it stays

	clerk := w.as(t, "clerk")
	if code, _ := clerk.press(clip, "submit", nil); code != http.StatusUnprocessableEntity {
		t.Errorf("submitted again without a reason: %d", code)
	}
	clerk.press(clip, "submit", url.Values{"reason": {"号码是对的，已向派出所核实"}})
	signer.page(clipPath(clip.ID)).has("#decide", "号码是对的")
}

func TestClipFilterByState(t *testing.T) {
	w := newEmptyWorld(t)
	clerk := w.as(t, "clerk")
	w.newClip(t, clerk, "a", "draft")
	w.newClip(t, clerk, "bb", "")
	for state, want := range map[string]int{"draft": 1, "submitted": 1, "approved": 0, "": 2, "nonsense": 0} {
		if got := len(clerk.page("/clips?state=" + state).all("[data-live=live-clips] tbody tr")); got != want {
			t.Errorf("state %q shows %d clips, want %d", state, got, want)
		}
	}
	w.setNow(testNow.Add(60 * 24 * time.Hour))
	signer := w.as(t, "approver")
	clip, err := w.store.ClipByName(t.Context(), "bb")
	if err != nil {
		t.Fatal(err)
	}
	if code, body := signer.press(clip, "approve", nil); code != http.StatusUnprocessableEntity || !strings.Contains(body, "已经过期") {
		t.Errorf("a clip that has expired is signed: %d", code)
	}
}

// TestApproverOnThePhone signs with one thumb at 390 px.
func TestApproverOnThePhone(t *testing.T) {
	w := newWorld(t)
	clip := w.newClip(t, w.as(t, "clerk"), "gas", "")
	b := newBrowser(t, w)
	b.login("approver")
	b.width(390)
	b.run(chromedp.Navigate(b.url + "/clips"))
	b.until(`!!document.querySelector('.picks li')`)
	b.fits("clips of the approver")
	b.shot("approver_clips-zh-390")
	b.run(chromedp.Click(chromedp.CSS(".picks a.strong")))
	b.until(`location.pathname === '` + clipPath(clip.ID) + `' && !!document.getElementById('unheard')`)
	b.fits("clip of the approver")
	b.shot("approver_clip-zh-390")
	if h := ask[float64](b, `document.querySelector('form[action$="/approve"] button').getBoundingClientRect().height`); h < 44 {
		t.Errorf("the button is %.0f px high, a thumb needs 44", h)
	}
	b.run(chromedp.Click(chromedp.CSS(`form[action$="/approve"] button`)))
	b.until(`document.querySelector('[data-live=live-uses] .state').dataset.state === 'approved'`)
	b.shot("approver_signed-zh-390")
	ask[bool](b, `document.querySelectorAll('.card details').forEach(d => d.open = true) || true`)
	b.shot("approver_recall-zh-390")
	b.quiet("approver")
}
