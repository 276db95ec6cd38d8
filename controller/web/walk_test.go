package web

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"gatecast/audio/clips"
	"gatecast/controller/auth"
	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// until waits until an expression is true in the page.
func (b *browser) until(expression string) {
	b.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 400 {
		// An error is a page that is being left; the next look is at the new one.
		if ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression)); err == nil && ok {
			return
		}
		<-tick.C
	}
	b.t.Fatalf("waited 20 s for %s", expression)
}

func TestUploadInTheBrowser(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t, w)
	b.login("clerk")
	good, _ := clips.ByName("kefu")
	dir := t.TempDir()
	// Another recording than the shipped one, so that it is a clip of its own.
	tune, text := filepath.Join(dir, "燃气公司.wav"), filepath.Join(dir, "通知.mp3")
	if err := os.WriteFile(tune, tone(t, 3, 16000, .25), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(text, []byte("不是录音"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.run(chromedp.Navigate(b.url+"/clips"), chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{tune, text}))
	b.until(`document.querySelectorAll('#names li').length === 2`)
	if got := ask[string](b, `document.querySelector('#names li').textContent`); got != "燃气公司.wav" {
		t.Errorf("the chosen file shows as %q", got)
	}
	b.run(chromedp.SetValue(chromedp.CSS("#u-t"), "燃气公司上门收费"), chromedp.Click(chromedp.CSS("form[data-upload] [type=submit]")))
	b.until(`location.search.startsWith('?upload=') && !!document.querySelector('.notice[data-tone=ok]')`)
	if got := ask[string](b, `document.querySelector('.notice[data-tone=bad]').innerText`); !strings.Contains(got, "“通知.mp3” 没有收下") {
		t.Errorf("refusal %q", got)
	}
	b.shot("upload_result-zh-1440")
	if all, err := w.store.Clips(t.Context()); err != nil || len(all) != len(clips.All())+1 {
		t.Errorf("%d clips, %v", len(all), err)
	}

	b.run(chromedp.SetValue(chromedp.CSS("#q"), good.Name), chromedp.Submit(chromedp.CSS("#q")))
	b.until(`location.search.includes('q=kefu')`)
	b.run(chromedp.Click(chromedp.CSS("[data-listen]")))
	b.until(`document.getElementById('player-audio').duration > 20 && document.getElementById('player-audio').currentTime > 0`)
	if got := ask[string](b, `document.querySelector('[data-listen] .i').className`); got != "i i-pause" {
		t.Errorf("the button of the clip that plays is %q", got)
	}
	b.shot("listening-zh-1440")
	b.quiet("upload")
}

func TestDropInTheBrowser(t *testing.T) {
	w := newEmptyWorld(t)
	b := newBrowser(t, w)
	b.login("clerk")
	b.run(chromedp.Navigate(b.url + "/clips"))
	names := ask[string](b, `(() => {
		const d = document.querySelector('.drop'), t = new DataTransfer();
		t.items.add(new File(['x'], '一.wav')); t.items.add(new File(['y'], '二.wav'));
		d.dispatchEvent(new DragEvent('dragover', {dataTransfer: t, bubbles: true, cancelable: true}));
		const over = d.classList.contains('over');
		d.dispatchEvent(new DragEvent('drop', {dataTransfer: t, bubbles: true, cancelable: true}));
		return over + ' ' + document.getElementById('file').files.length + ' ' + document.getElementById('names').innerText;
	})()`)
	if names != "true 2 一.wav\n二.wav" {
		t.Errorf("after the drop: %q", names)
	}
}

func TestActivationInTheBrowser(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t, w)
	b.login("clerk")
	later := strings.Replace(string(defaultProgramme()), "max_plays: 6", "max_plays: 5", 1)
	b.run(chromedp.Navigate(b.url+"/programmes"), chromedp.SetValue(chromedp.CSS("#py"), strings.Replace(later, "every: 5m", "evry: 5m", 1)),
		chromedp.Click(chromedp.CSS("#new [type=submit]")), chromedp.WaitVisible(chromedp.CSS("[role=alert]")))
	b.shot("programme_refused-zh-1440")
	if got := ask[string](b, `document.querySelector('[role=alert] tbody').innerText`); !strings.Contains(got, "evry") {
		t.Errorf("refusal %q", got)
	}
	if !ask[bool](b, `document.getElementById('py').value.includes('evry: 5m')`) {
		t.Error("the text is gone")
	}
	b.mu.Lock()
	b.errors = nil // the browser notes the 422
	b.mu.Unlock()
	b.run(chromedp.SetValue(chromedp.CSS("#py"), later), chromedp.Click(chromedp.CSS("#new [type=submit]")),
		chromedp.WaitVisible(chromedp.CSS(".notice .btn.primary")), chromedp.Click(chromedp.CSS(".notice .btn.primary")),
		chromedp.WaitVisible(chromedp.CSS("form .btn.primary")))
	b.shot("activate_confirm-zh-1440")
	if got := ask[string](b, `document.querySelector('form[action$=activate] .btn.primary').innerText`); got != "激活并下发到 41 台设备" && !strings.HasPrefix(got, "激活并下发到 ") {
		t.Errorf("button %q", got)
	}
	b.run(chromedp.Click(chromedp.CSS("form[action$=activate] .btn.primary")), chromedp.WaitVisible(chromedp.CSS("[role=status]")))
	b.until(`document.querySelector('.page-h .tag').innerText === '现行'`)
	b.shot("activated-zh-1440")

	// A device takes the new plan: the board follows without a reload.
	was := ask[string](b, `document.querySelector('[data-live=live-delivery] b').innerText`)
	p := w.points["松风苑南门"]
	d, err := w.store.DeviceOfPoint(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	state := wire.State{Session: 7, Online: true, PlanVersion: d.WantVersion, PlanSHA256: d.WantHash, HorizonS: testNow.AddDate(0, 0, 59).Unix(), ClipsReady: d.ClipsReady, Time: wire.TimeState{Level: wire.T2}}
	if _, err := w.store.SaveState(t.Context(), d.ID, state, testNow); err != nil {
		t.Fatal(err)
	}
	w.hub.Publish(fleet.Event{Kind: fleet.EventDevice, Point: p.ID})
	b.until(`document.querySelector('[data-live=live-delivery] b').innerText !== ` + quote(was))
	b.quiet("activation")
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

func TestLiveUpdateInTheBrowserKeepsFocus(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t, w)
	b.login("inspector")
	b.run(chromedp.Navigate(b.url+"/"), chromedp.WaitVisible(chromedp.CSS("#wall")))
	tile := pointPath(w.points["望河花园南门"].ID)
	ask[bool](b, `(() => { const a = document.querySelector('#wall a[href="`+tile+`"]'); a.focus(); window.before = a; document.body.dataset.kept = 'yes'; return true; })()`)
	p := w.points["听松里西门"]
	d, err := w.store.DeviceOfPoint(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.SetOffline(t.Context(), d.ID, 7, testNow); err != nil {
		t.Fatal(err)
	}
	w.hub.Publish(fleet.Event{Kind: fleet.EventDevice, Point: p.ID})
	b.until(`document.querySelector('[data-live=live-needs]').innerText.includes('听松里西门')`)
	b.until(`!window.before.isConnected`)
	if got := ask[string](b, `document.activeElement.getAttribute('href') || ''`); got != tile {
		t.Errorf("focus is at %q after the card was replaced, want %q", got, tile)
	}
	if !ask[bool](b, `document.body.dataset.kept === 'yes'`) {
		t.Error("the page was loaded again")
	}
	if got := ask[string](b, `document.querySelector('#wall a[href="`+pointPath(p.ID)+`"]').className`); !strings.Contains(got, "issue") {
		t.Errorf("the tile of the point that went is %q", got)
	}
	b.quiet("live update")
}

func TestPagesInTheDarkAndOnPaper(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t, w)
	b.login("admin")
	b.width(1440)
	for _, page := range []struct{ name, path string }{{"overview", "/"}, {"point", pointPath(w.points["谷雨里南门"].ID)}, {"clips", "/clips"}, {"compliance", "/compliance"}} {
		b.media("screen", "dark")
		b.run(chromedp.Navigate(b.url+page.path), chromedp.WaitReady(chromedp.CSS("#main")))
		if got := ask[string](b, `getComputedStyle(document.body).backgroundColor`); got != "rgb(15, 20, 26)" {
			t.Errorf("%s: background in the dark is %s", page.name, got)
		}
		b.shot(page.name + "-dark")
		b.media("print", "light")
		if got := ask[string](b, `getComputedStyle(document.querySelector('.top')).display`); got != "none" {
			t.Errorf("%s: the frame prints as %s", page.name, got)
		}
		b.shot(page.name + "-print")
	}
}

func TestTypingOutlivesTheSessionInTheBrowser(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t, w)
	b.login("clerk")
	b.run(chromedp.Navigate(b.url+"/programmes"), chromedp.SetValue(chromedp.CSS("#py"), "id: half-written"))
	b.until(`!!document.body.dataset.events`)
	w.setNow(testNow.Add(auth.DefaultIdle))
	w.hub.Publish(fleet.Event{Kind: fleet.EventPlan})
	b.until(`document.getElementById('toasts').innerText.includes('登录已到期')`)
	if got := ask[string](b, `document.getElementById('py').value`); got != "id: half-written" {
		t.Errorf("what was typed is now %q", got)
	}
	b.run(chromedp.Navigate(b.url + "/points")) // a page without input goes to the login by itself
	b.until(`location.pathname === '/login' && location.search.includes('points')`)
	b.quiet("end of the session")
}
