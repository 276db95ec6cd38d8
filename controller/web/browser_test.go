package web

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"gatecast/controller/fleet"
	"gatecast/controller/relay"
	"gatecast/controller/sample"
	"gatecast/controller/trust"
	"gatecast/internal/needtool"
)

// browser is a real Chromium on the pages of a world.
type browser struct {
	t   *testing.T
	ctx context.Context
	url string

	mu     sync.Mutex
	errors []string // console errors and exceptions since the last look
}

func newBrowser(t *testing.T, w *world) *browser {
	t.Helper()
	needtool.Need(t, "chromium")
	srv := httptest.NewServer(w.server)
	t.Cleanup(srv.Close)
	t.Cleanup(func() { _ = w.server.Close() })       // before the listener: it waits for event streams
	voice := filepath.Join(t.TempDir(), "voice.wav") // what the microphone hears
	if err := os.WriteFile(voice, tone(t, 2, 48000, .3), 0o600); err != nil {
		t.Fatal(err)
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox,
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("use-file-for-fake-audio-capture", voice), chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 8*time.Minute)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx, url: srv.URL}
	err := chromedp.Listen(ctx, func(ev any) {
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			b.note("exception: " + e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.ConsoleAPICalledTypeError {
				b.note(fmt.Sprintf("console.error: %v", e.Args))
			}
		case *log.EventEntryAdded:
			if e.Entry.Level == "error" {
				b.note("log: " + e.Entry.Text + " " + e.Entry.URL)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *browser) note(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.errors = append(b.errors, text)
}

func (b *browser) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) login(account string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.url+"/login"), chromedp.SetValue(chromedp.CSS("#u"), account), chromedp.SetValue(chromedp.CSS("#p"), testPassword),
		chromedp.Submit(chromedp.CSS("#p")), chromedp.WaitVisible(chromedp.CSS(".nav")))
}

func (b *browser) width(px int) {
	b.t.Helper()
	if px < 600 {
		b.run(chromedp.EmulateViewport(int64(px), 844, chromedp.EmulateMobile, chromedp.EmulateTouch))
		return
	}
	b.run(chromedp.EmulateViewport(int64(px), 900))
}

// ask evaluates an expression in the page.
func ask[T any](b *browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("evaluating %s: %v", expression, err)
	}
	return v
}

// media emulates paper or screen, and light or dark.
func (b *browser) media(kind, scheme string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Media: kind, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// quiet fails the test if the console said something since the last look.
func (b *browser) quiet(where string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.errors {
		b.t.Errorf("%s: %s", where, e)
	}
	b.errors = nil
}

// fits fails the test if the page can be scrolled sideways, and names what
// sticks out.
func (b *browser) fits(where string) {
	b.t.Helper()
	out := ask[string](b, `(() => {
		const w = document.documentElement.clientWidth;
		if (document.documentElement.scrollWidth <= w) return '';
		const wide = [...document.body.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > w + 1 && !e.closest('.table-wrap,.nav,.sr'));
		return document.documentElement.scrollWidth + ' > ' + w + ': ' + wide.slice(0, 4).map(e => e.tagName + '.' + e.className).join(', ');
	})()`)
	if out != "" {
		b.t.Errorf("%s overflows: %s", where, out)
	}
}

// shot saves a picture of the whole page in $GATECAST_SHOTS, for people to look
// at; without that it does nothing, as a picture takes longer than a page.
func (b *browser) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("GATECAST_SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// tour is every page a user walks through.
func (w *world) tour(t testing.TB) map[string]string {
	pages := map[string]string{
		"overview": "/", "points": "/points", "points_issues": "/points?state=issue&sort=state",
		"point": pointPath(w.points["谷雨里南门"].ID), "point_demo": pointPath(w.points["松风苑南门"].ID),
		"point_bare": pointPath(w.points["初夏庭南门"].ID), "slot": slotPath(w.points["谷雨里南门"].ID, "2026-11-23.default.evening"),
		"clips": "/clips", "speak": "/clips/speak", "record": "/clips/record", "clip": "/clips/1", "programmes": "/programmes", "programme": "/programmes/1?days=14",
		"compliance": "/compliance?from=2026-11-16&to=2026-11-23", "compliance_day": "/compliance?from=2026-11-23&to=2026-11-23&result=all&unit=3", "compliance_year": "/compliance?from=2026-01-01&to=2026-11-23&by=point",
		"figures": "/figures", "papers": "/papers", "feedback": "/feedback?week=2026-W48", "feedback_sheet": "/feedback/sheet?week=2026-W48",
		"enrol": "/enrol", "password": "/password", "certificate": "/certificate", "tokens": "/tokens", "keys": "/settings/keys", "robots": "/settings/robots", "lost": "/nowhere",
		"privacy": "/privacy", "backups": "/backups", "phone": pointPath(w.points["谷雨里南门"].ID) + "/phone",
	}
	w.registerTour(t, pages)
	w.inspectionTour(t, pages)
	w.wasAway(t)
	code, hash := trust.NewJoinCode()
	if err := w.store.AddJoinCode(t.Context(), fleet.JoinCode{Hash: hash, Point: w.points["初夏庭南门"].ID, Issued: testNow, Expires: testNow.Add(joinFor), By: "clerk"}); err != nil {
		t.Fatal(err)
	}
	pages["enrolcode"], pages["join"], pages["join_wrong"] = "/enrol/"+code, "/j/"+code, "/j/AAAAA-AAAAA"
	draft, problems, err := w.planner.Upload(t.Context(), "later.yaml", []byte(strings.Replace(string(defaultProgramme()), "max_plays: 6", "max_plays: 5", 1)), "clerk", testNow)
	if err != nil || draft.ID == 0 {
		t.Fatalf("draft: %v %+v", err, problems)
	}
	pages["draft"], pages["activate"] = programmePath(draft.ID), programmePath(draft.ID)+"/activate"
	w.trouble(t, pages)
	pages["alerts"], pages["alert"] = "/alerts", alertPath(w.alerted(t)[0].ID)
	w.deducted(t, pages)
	w.chat(t)
	pages["rosters"], pages["rostercheck"] = "/rosters", w.checked(t)
	w.relayed(t, pages)
	unused, err := w.store.ClipByName(t.Context(), "gongjianfa")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.DecideClip(t.Context(), unused.ID, fleet.ClipDecision{Step: fleet.StepRecall, By: sample.Approver, At: testNow, Reason: "号码念错"}); err != nil {
		t.Fatal(err)
	}
	pages["clip_recalled"] = clipPath(unused.ID)
	reel, err := w.store.AddReel(t.Context(), fleet.Reel{
		Original: strings.Repeat("a", 64), File: "反诈讲座录音（第二场，" + strings.Repeat("很长的名字", 8) + "）.m4a", Kind: "m4a", Bytes: 19_000_000, Duration: 40*time.Minute + 12*time.Second,
		Peaks: []byte(strings.Repeat("\xe0\x20\xa0\x60\xff\x01", 260)), By: "clerk", Uploaded: testNow.Add(-time.Hour), Expires: testNow.Add(fleet.ReelKept),
	})
	if err != nil {
		t.Fatal(err)
	}
	pages["reel"], pages["reels"], pages["voice"] = reelPath(reel)+"?from=12:40&to=13:35", "/reels", "/clips/voice"
	m, err := w.mutes.Mute(t.Context(), fleet.User{Login: "clerk", Name: "李工", Role: fleet.Clerk}, fleet.Area{All: true}, "播错了内容", time.Time{}, testNow)
	if err != nil {
		t.Fatal(err)
	}
	i, err := w.urgent.Submit(t.Context(), fleet.User{Login: "clerk", Name: "李工", Role: fleet.Clerk}, fleet.Insertion{
		Clip: 1, Area: fleet.Area{All: true}, Repeats: 3, Until: testNow.Add(time.Hour), Reason: "冒充燃气公司的骗子正在入户",
	}, testNow)
	if err != nil {
		t.Fatal(err)
	}
	w.dispatched(t, pages)
	w.bulletinTour(t, pages)
	pages["urgents"], pages["urgent_new"], pages["urgent"] = "/urgent", "/urgent/new", urgentPath(i.ID)
	pages["urgent_texts"], pages["urgent_drill"] = "/urgent/texts", "/urgent/new?drill=1"
	w.calendarTour(t, pages)
	pages["mute_sheet"] = "/mute/sheet"
	pages["mute"], pages["mutes"], pages["mute_board"] = "/mute", "/mutes", mutePath(m.ID)
	return pages
}

// relayed adds the pages of groups and of the relay, with an item half way.
func (w *world) relayed(t testing.TB, pages map[string]string) {
	t.Helper()
	g := w.groupNamed(t, secondGrid)
	g.Name, g.Members = "示例街道松风社区(第2网格)反诈宣传群 ", 512
	if _, err := w.store.SaveGroup(t.Context(), g, "clerk", testNow); err != nil {
		t.Fatal(err)
	}
	id, err := w.relay.Create(t.Context(), fleet.RelayItem{Text: strings.Repeat("近期有人冒充燃气公司上门收费。", 6), Source: "区反电诈宣传总指挥群", By: "clerk", Name: "李工", Urgent: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tick := func(nodes []relay.Node) {
		for _, n := range nodes {
			if err := w.relay.Tick(t.Context(), n.Task.ID, fleet.User{Login: "clerk", Name: "李工"}, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	grow := func() relay.Tree {
		_, tree, err := w.relay.Tree(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return tree
	}
	w.setNow(testNow.Add(-2 * time.Hour))
	tick(grow().Roots)
	tick(grow().Roots[0].Below[:3])
	tick(grow().Roots[0].Below[0].Below[:2])
	w.setNow(testNow)
	pages["groups"], pages["group_names"], pages["group"], pages["group_new"] = "/groups", "/groups/names", groupPath(g.ID), "/groups/new?tier=3&grid=2"
	pages["group_register"], pages["group_rule"] = "/groups/register", "/groups/rule"
	pages["relay"], pages["relay_item"], pages["relay_overdue"], pages["relay_rules"] = "/relay", relayPath(id), "/relay/overdue", "/relay/rules"
}

// TestAuditInTheBrowser looks at the one page that the tour's account may not.
func TestAuditInTheBrowser(t *testing.T) {
	w := newWorld(t)
	for _, a := range []fleet.Audit{
		{Who: "clerk", Role: fleet.Clerk, From: "192.0.2.7", What: fleet.AuditActivate, Object: "街道小区门口反诈广播（默认）", Before: fleet.Fields("version", "1"), After: fleet.Fields("version", "2")},
		{Who: "root@mail.example", From: "2001:db8:85a3:8d3:1319:8a2e:370:7348", What: fleet.AuditLoginRefused, Detail: "×64", Failed: true},
		{Who: "admin", Role: fleet.Admin, From: "192.0.2.1", What: fleet.AuditReveal, Object: "谷雨里南门 门岗", Detail: strings.Repeat("喇叭不响，联系门岗", 9), After: "138****1234"},
	} {
		a.At = testNow.Add(-time.Hour)
		if err := w.store.AddAudit(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	b := newBrowser(t, w)
	b.login("auditor")
	for _, lang := range languages {
		for _, px := range []int{1440, 390} {
			b.width(px)
			where := fmt.Sprintf("audit-%s-%d", lang, px)
			b.run(chromedp.Navigate(b.url+"/audit?lang="+lang), chromedp.WaitReady(chromedp.CSS("#audit")))
			b.fits(where)
			b.shot(where)
			b.quiet(where)
		}
	}
}

func TestPagesInTheBrowser(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t, w)
	pages := w.tour(t)
	b.login("admin") // what happened on the tour ended every login
	wide, narrow := 1440, 390
	for _, tour := range []struct {
		lang   string
		widths []int // a page is loaded in the first, with a look for faults of accessibility, and then resized
	}{{"zh", []int{wide, narrow}}, {"en", []int{narrow, wide}}} {
		b.width(tour.widths[0])
		for name, path := range pages {
			sep := "?"
			if strings.Contains(path, "?") {
				sep = "&"
			}
			for i, px := range tour.widths {
				where := fmt.Sprintf("%s-%s-%d", name, tour.lang, px)
				b.width(px)
				if i == 0 {
					b.run(chromedp.Navigate(b.url+path+sep+"lang="+tour.lang), chromedp.WaitReady(chromedp.CSS("#main")))
					if at, err := chromedp.Run(b.ctx, chromedp.Location()); err != nil || !strings.HasPrefix(at, b.url+path) {
						t.Fatalf("%s: the browser shows %q (%v), want %s", where, at, err, path)
					}
					b.accessible(where)
				}
				b.fits(where)
				b.shot(where)
				if name == "lost" || name == "join_wrong" {
					b.errors = nil // the browser notes the 404
				}
				b.quiet(where)
			}
		}
	}
	b.prints(pages["bulletin"], 2)
}

// TestRefusesInlineScriptInTheBrowser puts what an attacker would into a page
// of a real browser: the policy holds, and the console says so, which is how
// the other tests here would notice a page of ours that breaks it.
func TestRefusesInlineScriptInTheBrowser(t *testing.T) {
	w := newEmptyWorld(t)
	b := newBrowser(t, w)
	b.login("admin")
	b.quiet("login")
	attacks := []string{
		`const s = document.createElement('script'); s.textContent = 'window.owned = 1'; document.body.append(s)`,
		`const s = document.createElement('script'); s.src = 'data:text/javascript,window.owned=1'; document.body.append(s)`,
		`const d = document.createElement('div'); d.innerHTML = '<img src="/nowhere.png" onerror="window.owned=1">'; document.body.append(d)`,
		`const f = document.createElement('iframe'); f.srcdoc = '<script>parent.owned = 1</script>'; document.body.append(f)`,
		`const f = document.createElement('iframe'); f.src = '/points'; document.body.append(f)`,
		`const a = document.createElement('a'); a.href = 'javascript:window.owned=1'; document.body.append(a); a.click()`,
		`const s = document.createElement('style'); s.textContent = 'body { display: none }'; document.head.append(s)`,
		`fetch('https://evil.example/').catch(() => {})`,
		`const o = document.createElement('object'); o.data = '/points'; document.body.append(o)`,
	}
	n := &tally{t: t}
	for _, attack := range attacks {
		b.run(chromedp.Navigate(b.url+"/points"), chromedp.WaitReady(chromedp.CSS("#main")))
		ask[bool](b, `(() => { `+attack+`; return true })()`)
		b.complains(attack)
		n.count(!ask[bool](b, `!!window.owned || getComputedStyle(document.body).display === 'none'`), "the browser let through: %s", attack)
	}
	n.report("inline script, frames and foreign requests in a real browser", "真实浏览器里的内联脚本、框架和外部请求", "Chromium, content security policy", "Chromium，内容安全策略")
}

// complains waits until the console holds that the policy was broken, and
// forgets it.
func (b *browser) complains(what string) {
	b.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 250 {
		b.mu.Lock()
		said := strings.Contains(strings.Join(b.errors, "\n"), "Content Security Policy")
		if said {
			b.errors = nil
		}
		b.mu.Unlock()
		if said {
			return
		}
		<-tick.C
	}
	b.t.Errorf("the console says nothing of %s", what)
}
