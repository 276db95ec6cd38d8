package robot

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/internal/robottest"
)

var testStart = time.Date(2026, 11, 23, 10, 1, 0, 0, time.UTC)

// world is a desk on a real store that talks to a server like the platforms.
type world struct {
	*Desk
	t      *testing.T
	store  *store.Store
	server *robottest.Server
	clock  atomic.Int64
	log    strings.Builder
}

func (w *world) now() time.Time { return time.Unix(0, w.clock.Load()).UTC() }

func newTestWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	w.clock.Store(testStart.UnixNano())
	w.server = robottest.New(w.now)
	t.Cleanup(w.server.Close)
	w.open(filepath.Join(t.TempDir(), "gatecast.db"))
	return w
}

func (w *world) open(path string) {
	w.t.Helper()
	var err error
	if w.store, err = store.Open(w.t.Context(), path, store.Options{}); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = w.store.Close() })
	w.Desk, err = New(Options{
		Store: w.store, Hosts: []string{w.server.Host()}, Office: "示例街道", Zone: time.UTC, Now: w.now, Logger: slog.New(slog.NewTextHandler(&w.log, nil)),
		Say: func(key string, args ...any) string {
			return strings.TrimSpace(fmt.Sprintln(append([]any{key}, args...)...))
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) add(p fleet.Platform, change func(*Draft)) fleet.Robot {
	w.t.Helper()
	v := Draft{Name: string(p), Platform: p, Feeds: fleet.Feeds}
	switch p {
	case fleet.WeCom:
		v.URL = w.server.WeCom()
	case fleet.DingTalk:
		v.URL, v.Secret = w.server.DingTalk(), robottest.DingTalkSecret
	case fleet.Feishu:
		v.URL, v.Secret = w.server.Feishu(), robottest.FeishuSecret
	case fleet.Webhook:
		v.URL, v.Secret = w.server.Webhook(), "whsec"
	}
	if change != nil {
		change(&v)
	}
	r, _, err := w.Add(w.t.Context(), v, "admin")
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// pass lets time go by, with a look whenever the desk asks for one.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	end := w.now().Add(d)
	for {
		next, err := w.step(w.t.Context(), w.now())
		if err != nil {
			w.t.Fatal(err)
		}
		w.wg.Wait()
		select {
		case <-w.poke: // an attempt ended
			continue
		default:
		}
		if next = next.Add(time.Millisecond); next.After(end) {
			w.clock.Store(end.UnixNano())
			return
		}
		w.clock.Store(max(next.UnixNano(), w.now().Add(time.Millisecond).UnixNano()))
	}
}

func (w *world) happen(kind fleet.OccurrenceKind, n int, pairs ...string) {
	w.t.Helper()
	var all []fleet.Occurrence
	for i := range n {
		all = append(all, fleet.Occurrence{
			At: w.now(), Kind: kind, Point: fleet.PointID(i + 1), Object: fmt.Sprintf("松风苑%d号门", i+1), Data: fleet.Fields(append([]string{"slot", "2026-11-23.x.noon", "device", fmt.Sprint("d", i)}, pairs...)...),
		})
	}
	if _, err := w.store.AddOccurrences(w.t.Context(), all, nil); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) letters(state fleet.LetterState) []fleet.Letter {
	w.t.Helper()
	all, err := w.store.Letters(w.t.Context(), fleet.LetterFilter{State: state})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func TestTestMessagesArriveAtEachPlatform(t *testing.T) {
	w := newTestWorld(t)
	w.server.Keyword = "反诈"
	for _, p := range fleet.Platforms {
		r := w.add(p, func(d *Draft) {
			if p.Chat() {
				d.Keyword, d.MentionAll = "反诈", true
			}
			if p == fleet.WeCom || p == fleet.DingTalk {
				d.Mobiles = "13800000421，13900002207"
			}
		})
		if _, err := w.Test(t.Context(), r, "张工"); err != nil {
			t.Fatal(err)
		}
	}
	w.pass(time.Minute)
	taken := w.server.Taken()
	if len(taken) != 4 {
		t.Fatalf("%d of 4 messages arrived; %s", len(taken), w.log.String())
	}
	want := map[string]int{"wecom": 3, "dingtalk": 3, "feishu": 1, "webhook": 0}
	for _, m := range taken {
		if len(m.Mentions) != want[m.Platform] {
			t.Errorf("%s mentions %q", m.Platform, m.Mentions)
		}
		if m.Platform != "webhook" && !strings.Contains(m.Text, "反诈") || strings.Contains(m.Text, "13800000421") {
			t.Errorf("%s: %q", m.Platform, m.Text)
		}
		if m.Platform == "webhook" && m.Header.Get(HeaderSignature) != Sign("whsec", m.At, m.Body) {
			t.Errorf("webhook signed %q", m.Header.Get(HeaderSignature))
		}
	}
	if n := len(w.letters(fleet.LetterSent)); n != 4 {
		t.Errorf("%d messages are sent by the outbox", n)
	}
	for _, secret := range []string{robottest.Key, robottest.Token, robottest.DingTalkSecret, robottest.Hook, robottest.FeishuSecret} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// TestOneDigestAnInterval lets a slot fail at 300 points, over and over, and
// devices go: chats get one message in ten minutes with all of it.
func TestOneDigestAnInterval(t *testing.T) {
	w := newTestWorld(t)
	w.add(fleet.WeCom, nil)
	w.happen(fleet.OccurredVerdict, 300, "verdict", "missed", "reason", "offline", "name", "中", "day", "2026-11-23")
	w.pass(30 * time.Second)
	if n := w.server.Calls(); n != 0 {
		t.Fatalf("%d messages before others were waited for", n)
	}
	w.happen(fleet.OccurredOffline, 3)
	w.happen(fleet.OccurredOnline, 2) // two came back
	w.happen(fleet.OccurredVerdict, 1, "verdict", "played")
	w.pass(2 * time.Minute)
	for range 4 {
		w.happen(fleet.OccurredVerdict, 20, "verdict", "partial", "name", "晚")
		w.pass(time.Minute)
	}
	taken := w.server.Taken()
	if len(taken) != 1 {
		t.Fatalf("%d messages in six minutes, want 1", len(taken))
	}
	text := taken[0].Text
	for _, want := range []string{"robot.digest.title 示例街道", "robot.digest.missed 299", "robot.digest.more 291", "robot.digest.offline 1", "松风苑3号门", "reason.offline"} {
		if !strings.Contains(text, want) {
			t.Errorf("the digest lacks %q:\n%s", want, text)
		}
	}
	if len(text) > maxWeCom || strings.Contains(text, "松风苑1号门") {
		t.Errorf("%d bytes:\n%s", len(text), text)
	}
	w.pass(10 * time.Minute)
	if taken = w.server.Taken(); len(taken) != 2 || !strings.Contains(taken[1].Text, "robot.digest.missed 20\n") {
		t.Fatalf("%d messages, the second one %v", len(taken), taken)
	}
	w.pass(time.Hour)
	if n := len(w.server.Taken()); n != 2 {
		t.Errorf("%d messages though nothing happened", n)
	}
}

func TestFeedsAreChosen(t *testing.T) {
	w := newTestWorld(t)
	w.add(fleet.WeCom, func(d *Draft) { d.Feeds = []fleet.Feed{fleet.FeedRelay} })
	w.happen(fleet.OccurredVerdict, 3, "verdict", "missed")
	w.happen(fleet.OccurredIncident, 1, "code", "clone")
	w.pass(20 * time.Minute)
	if n := w.server.Calls(); n != 0 {
		t.Fatalf("%d messages about what was not asked for", n)
	}
	w.happen(fleet.OccurredRelay, 1, "tasks", "3")
	w.pass(20 * time.Minute)
	if taken := w.server.Taken(); len(taken) != 1 || !strings.Contains(taken[0].Text, "robot.digest.relay 1") || strings.Contains(taken[0].Text, "missed") {
		t.Errorf("%v", taken)
	}
}

// TestAlertsAreToldOnce has alerts of fifty gates in one digest, without those
// that closed before it was sent, and nothing more until the morning.
func TestAlertsAreToldOnce(t *testing.T) {
	w := newTestWorld(t)
	w.add(fleet.WeCom, func(d *Draft) { d.Feeds = []fleet.Feed{fleet.FeedAlert} })
	for i := range 50 {
		w.happen(fleet.OccurredAlert, 1, "alert", fmt.Sprint(i), "trouble", "away", "likely", "area")
	}
	w.happen(fleet.OccurredAlertClosed, 1, "alert", "7")
	w.happen(fleet.OccurredAlertCall, 1, "alert", "8", "run", "2")
	w.pass(20 * time.Minute)
	taken := w.server.Taken()
	if len(taken) != 1 {
		t.Fatalf("%d messages, want 1", len(taken))
	}
	for _, want := range []string{"robot.digest.alert 50", "trouble.away likely.area", "robot.digest.more 42"} {
		if !strings.Contains(taken[0].Text, want) {
			t.Errorf("the digest lacks %q:\n%s", want, taken[0].Text)
		}
	}
	w.happen(fleet.OccurredAlertClosed, 1, "alert", "9")
	w.pass(time.Hour)
	if n := len(w.server.Taken()); n != 1 {
		t.Errorf("%d messages though nothing new is wrong", n)
	}
	w.happen(fleet.OccurredAlertsOpen, 1, "open", "49", "new", "40")
	w.pass(20 * time.Minute)
	if taken = w.server.Taken(); len(taken) != 2 || !strings.Contains(taken[1].Text, "robot.digest.alert.open 49 40") {
		t.Errorf("in the morning: %v", taken)
	}
}

// TestRatesAreKept writes 25 messages at once to each platform: every one
// arrives, and no platform ever says that it is too much.
func TestRatesAreKept(t *testing.T) {
	w := newTestWorld(t)
	for _, p := range []fleet.Platform{fleet.WeCom, fleet.DingTalk, fleet.Feishu} {
		r := w.add(p, nil)
		for range 25 {
			if _, err := w.Test(t.Context(), r, "张工"); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.pass(3 * time.Minute)
	by := map[string]int{}
	for _, m := range w.server.Taken() {
		by[m.Platform]++
	}
	if by["wecom"] != 25 || by["dingtalk"] != 25 || by["feishu"] != 25 || w.server.Calls() != 75 {
		t.Errorf("%v arrived of 25 each, in %d calls: %s", by, w.server.Calls(), w.log.String())
	}
}

// TestTooMuchIsWaitedOut has others use up what a robot may send: nothing is
// lost, and DingTalk is left alone for its ten minutes.
func TestTooMuchIsWaitedOut(t *testing.T) {
	for _, tt := range []struct {
		p       fleet.Platform
		address func(*robottest.Server) string
		n       int
		blocked time.Duration
	}{
		{fleet.WeCom, (*robottest.Server).WeCom, 25, time.Minute},
		{fleet.DingTalk, (*robottest.Server).DingTalk, 25, 10 * time.Minute},
		{fleet.Feishu, (*robottest.Server).Feishu, 105, time.Minute},
	} {
		t.Run(string(tt.p), func(t *testing.T) {
			t.Parallel()
			w := newTestWorld(t)
			r := w.add(tt.p, nil)
			for range tt.n {
				res, err := http.Post(tt.address(w.server), "application/json", strings.NewReader("{}"))
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
			}
			before := w.server.Calls()
			for range 3 {
				if _, err := w.Test(t.Context(), r, "张工"); err != nil {
					t.Fatal(err)
				}
			}
			w.pass(tt.blocked - 2*time.Second)
			if n := w.server.Calls() - before; n != 1 {
				t.Errorf("%d calls while blocked, want 1", n)
			}
			for _, l := range w.letters(fleet.LetterWaiting) {
				if l.Attempts != 0 {
					t.Errorf("an answer about the rate counts as attempt: %+v", l)
				}
			}
			w.pass(5 * time.Minute)
			if n := len(w.server.Taken()); n != 3 || len(w.letters(fleet.LetterDead)) != 0 {
				t.Errorf("%d of 3 messages arrived: %s", n, w.log.String())
			}
		})
	}
}

// TestOutagesArePatientlyTried has a platform out of order: the waits grow,
// the message arrives once it works again; one that never does is given up
// and can be sent again.
func TestOutagesArePatientlyTried(t *testing.T) {
	w := newTestWorld(t)
	r := w.add(fleet.WeCom, nil)
	w.server.Fail(http.StatusBadGateway, 3)
	if _, err := w.Test(t.Context(), r, "张工"); err != nil {
		t.Fatal(err)
	}
	w.pass(9 * time.Second)
	if n := w.server.Calls(); n != 1 {
		t.Errorf("%d attempts in nine seconds", n)
	}
	w.pass(5 * time.Minute)
	if n := w.server.Calls(); n != 4 || len(w.server.Taken()) != 1 {
		t.Errorf("%d attempts, %d messages", n, len(w.server.Taken()))
	}
	w.server.Fail(http.StatusInternalServerError, 1000)
	if _, err := w.Test(t.Context(), r, "张工"); err != nil {
		t.Fatal(err)
	}
	w.pass(8 * time.Hour)
	dead := w.letters(fleet.LetterDead)
	if len(dead) != 1 || dead[0].Attempts != maxAttempts || dead[0].Fault != fleet.FaultServer || w.server.Calls() != 4+maxAttempts {
		t.Fatalf("dead letters %+v after %d calls", dead, w.server.Calls())
	}
	w.server.Fail(0, 0)
	if _, err := w.Resend(t.Context(), dead[0].ID); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	if n := len(w.server.Taken()); n != 2 || len(w.letters(fleet.LetterDead)) != 0 {
		t.Errorf("%d messages after a resend", n)
	}
	if _, err := w.Drop(t.Context(), dead[0].ID); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("dropping a sent one: %v", err)
	}
}

// TestWhatTimeDoesNotMendIsToldAtOnce has every setting wrong that a person
// can get wrong.
func TestWhatTimeDoesNotMendIsToldAtOnce(t *testing.T) {
	w := newTestWorld(t)
	w.server.Keyword = "反诈"
	tests := []struct {
		name   string
		p      fleet.Platform
		change func(*Draft)
		want   fleet.LetterFault
	}{
		{"wecom_key", fleet.WeCom, func(d *Draft) { d.URL = strings.Replace(d.URL, robottest.Key, "other", 1) }, fleet.FaultKey},
		{"dingtalk_secret", fleet.DingTalk, func(d *Draft) { d.Secret = "SECother"; d.Keyword = "反诈" }, fleet.FaultSign},
		{"dingtalk_keyword", fleet.DingTalk, nil, fleet.FaultKeyword},
		{"dingtalk_token", fleet.DingTalk, func(d *Draft) { d.URL += "x" }, fleet.FaultKey},
		{"feishu_secret", fleet.Feishu, func(d *Draft) { d.Secret = "other" }, fleet.FaultSign},
		{"feishu_keyword", fleet.Feishu, nil, fleet.FaultKeyword},
		{"feishu_hook", fleet.Feishu, func(d *Draft) { d.URL += "x" }, fleet.FaultKey},
		{"webhook_path", fleet.Webhook, func(d *Draft) { d.URL += "/elsewhere" }, fleet.FaultKey},
	}
	want := map[fleet.RobotID]fleet.LetterFault{}
	for _, tt := range tests {
		r := w.add(tt.p, func(d *Draft) {
			d.Name = tt.name
			if tt.change != nil {
				tt.change(d)
			}
		})
		want[r.ID] = tt.want
		if _, err := w.Test(t.Context(), r, "张工"); err != nil {
			t.Fatal(err)
		}
	}
	w.pass(time.Minute)
	dead := w.letters(fleet.LetterDead)
	for _, l := range dead {
		if l.Fault != want[l.Robot] || l.Attempts != 1 || l.Answer == "" {
			t.Errorf("%+v, want %q", l, want[l.Robot])
		}
	}
	if len(dead) != len(tests) {
		t.Errorf("%d of %d are given up", len(dead), len(tests))
	}
}

func TestAddressesAreGuarded(t *testing.T) {
	w := newTestWorld(t)
	moved := httptest.NewServer(http.RedirectHandler(w.server.Webhook(), http.StatusTemporaryRedirect))
	t.Cleanup(moved.Close)
	w.o.Hosts = append(w.o.Hosts, strings.TrimPrefix(moved.URL, "http://"))
	tests := []struct {
		p    fleet.Platform
		url  string
		good bool
	}{
		{fleet.WeCom, "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=abc", true},
		{fleet.DingTalk, "https://oapi.dingtalk.com/robot/send?access_token=abc", true},
		{fleet.Feishu, "https://open.feishu.cn/open-apis/bot/v2/hook/abc", true},
		{fleet.WeCom, "http://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=abc", false},
		{fleet.WeCom, "https://qyapi.weixin.qq.com/cgi-bin/webhook/send", false},
		{fleet.WeCom, "https://qyapi.weixin.qq.com/cgi-bin/gettoken?key=abc", false},
		{fleet.WeCom, "https://qyapi.weixin.qq.com:8443/cgi-bin/webhook/send?key=abc", false},
		{fleet.WeCom, "https://qyapi.weixin.qq.com@10.0.0.1/cgi-bin/webhook/send?key=abc", false},
		{fleet.WeCom, "https://qyapi.weixin.qq.com.evil.example/cgi-bin/webhook/send?key=abc", false},
		{fleet.WeCom, "https://oapi.dingtalk.com/robot/send?access_token=abc", false},
		{fleet.DingTalk, "https://127.0.0.1/robot/send?access_token=abc", false},
		{fleet.Feishu, "https://open.feishu.cn/open-apis/bot/v2/hook/", false},
		{fleet.Feishu, "https://open.feishu.cn/open-apis/bot/v2/hook/a/../../x", false},
		{fleet.Webhook, "https://169.254.169.254/latest/meta-data", false},
		{fleet.Webhook, "file:///etc/passwd", false},
		{fleet.Webhook, "gopher://" + w.server.Host() + "/in", false},
		{fleet.Webhook, "http://localhost:" + strings.Split(w.server.Host(), ":")[1] + "/in", false}, // another name is another host
		{fleet.Webhook, w.server.Webhook(), true},
		{fleet.WeCom, w.server.Webhook(), false}, // the named host, not the platform's path
		{fleet.Webhook, "", false},
	}
	for i, tt := range tests {
		_, _, err := w.Add(t.Context(), Draft{Name: fmt.Sprint("r", i), Platform: tt.p, URL: tt.url, Feeds: fleet.Feeds}, "admin")
		if tt.good != (err == nil) || err != nil && fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("Add(%s %s) = %v, want good %v", tt.p, tt.url, err, tt.good)
		}
	}
	redirected := w.add(fleet.Webhook, func(d *Draft) { d.URL = moved.URL + "/in" })
	before := w.server.Calls()
	if _, err := w.Test(t.Context(), redirected, "张工"); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Second)
	if dead := w.letters(fleet.LetterDead); len(dead) != 1 || dead[0].Fault != fleet.FaultRefused || w.server.Calls() != before {
		t.Errorf("a redirect was followed: %+v", dead)
	}
	w.o.Hosts = nil // the operator took the host away
	if _, err := w.Test(t.Context(), redirected, "张工"); err != nil {
		t.Fatal(err)
	}
	w.pass(10 * time.Second)
	if dead := w.letters(fleet.LetterDead); len(dead) != 2 || dead[0].Fault != fleet.FaultConfig {
		t.Errorf("a host that is not allowed any more: %+v", dead)
	}
}

func TestRefusalsNameTheField(t *testing.T) {
	w := newTestWorld(t)
	w.add(fleet.WeCom, func(d *Draft) { d.Name = "值班群" })
	tests := []struct {
		name   string
		change func(*Draft)
		want   string
	}{
		{"name", func(d *Draft) { d.Name = " " }, "名称"},
		{"long_name", func(d *Draft) { d.Name = strings.Repeat("长", 41) }, "40"},
		{"same_name", func(d *Draft) { d.Name = "值班群" }, "已有名为“值班群”"},
		{"platform", func(d *Draft) { d.Platform = "qq" }, "平台"},
		{"feeds", func(d *Draft) { d.Feeds = nil }, "推送的内容"},
		{"feed", func(d *Draft) { d.Feeds = []fleet.Feed{"gossip"} }, "gossip"},
		{"secret", func(d *Draft) { d.Secret = "a b" }, "密钥"},
		{"keyword", func(d *Draft) { d.Keyword = strings.Repeat("词", 21) }, "关键词"},
		{"mobiles", func(d *Draft) { d.Mobiles = "12345" }, "手机号"},
		{"feishu_mobiles", func(d *Draft) {
			d.Platform, d.URL, d.Mobiles = fleet.Feishu, "https://open.feishu.cn/open-apis/bot/v2/hook/x", "13800000421"
		}, "手机号"},
	}
	for _, tt := range tests {
		d := Draft{Name: "新群", Platform: fleet.WeCom, URL: w.server.WeCom(), Feeds: fleet.Feeds}
		tt.change(&d)
		_, _, err := w.Add(t.Context(), d, "admin")
		var fe *fleet.Error
		if fe, _ = err.(*fleet.Error); fe == nil || !strings.Contains(fe.Text, tt.want) || fe.TextEN == "" {
			t.Errorf("%s: %v, want a sentence with %q", tt.name, err, tt.want)
		}
	}
}

// TestSecretsAreSealed looks for what must not be seen in everything that is
// on the disk.
func TestSecretsAreSealed(t *testing.T) {
	w := newTestWorld(t)
	r := w.add(fleet.DingTalk, func(d *Draft) { d.Mobiles = "13800000421" })
	back := filepath.Join(t.TempDir(), "copy.db")
	if err := w.store.Backup(t.Context(), back); err != nil {
		t.Fatal(err)
	}
	data := readFile(t, back)
	for _, secret := range []string{robottest.Token, robottest.DingTalkSecret, "13800000421"} {
		if strings.Contains(data, secret) {
			t.Errorf("the database has %q in clear text", secret)
		}
	}
	got, err := w.store.RobotTarget(t.Context(), r.ID)
	if err != nil || got.Secret != robottest.DingTalkSecret || got.URL != w.server.DingTalk() {
		t.Errorf("RobotTarget = %v, %v", got, err)
	}
}

// TestAWebhookGetsEverything has a program that is away and comes back: all
// events arrive in order, each once in a batch that keeps its number.
func TestAWebhookGetsEverything(t *testing.T) {
	w := newTestWorld(t)
	w.add(fleet.Webhook, nil)
	w.server.Fail(http.StatusServiceUnavailable, 2)
	w.happen(fleet.OccurredVerdict, 250, "verdict", "played")
	w.happen(fleet.OccurredIncident, 1, "code", "clone")
	w.pass(10 * time.Minute)
	var ids []int64
	deliveries := map[string]bool{}
	for _, m := range w.server.Taken() {
		var v struct {
			Events []struct {
				ID   int64
				Kind string
				Data map[string]string
			}
		}
		if err := json.Unmarshal(m.Body, &v); err != nil {
			t.Fatal(err)
		}
		if m.Header.Get(HeaderSignature) != Sign("whsec", m.At, m.Body) || deliveries[m.Header.Get(HeaderDelivery)] {
			t.Errorf("header %v", m.Header)
		}
		deliveries[m.Header.Get(HeaderDelivery)] = true
		for _, e := range v.Events {
			ids = append(ids, e.ID)
		}
	}
	if len(ids) != 251 || len(deliveries) != 3 {
		t.Fatalf("%d events in %d deliveries: %s", len(ids), len(deliveries), w.log.String())
	}
	for i, id := range ids {
		if id != int64(i+1) {
			t.Fatalf("event %d is number %d", i, id)
		}
	}
	if _, err := w.store.TrimOccurrences(t.Context(), w.now().Add(time.Hour), 10); err != nil {
		t.Fatal(err)
	}
	w.happen(fleet.OccurredIncident, 1, "code", "clone")
	w.pass(time.Minute)
	if taken := w.server.Taken(); len(taken) != 4 || strings.Contains(taken[3].Text, "gap") {
		t.Errorf("a reader who is up to date is told of a gap: %v", taken[3:])
	}
}

// TestRestartsLoseAndDoubleNothing opens the store anew between writing and
// sending, and while an attempt was under way.
func TestRestartsLoseAndDoubleNothing(t *testing.T) {
	w := newTestWorld(t)
	path := filepath.Join(t.TempDir(), "gatecast.db")
	w.open(path)
	r := w.add(fleet.WeCom, nil)
	w.happen(fleet.OccurredVerdict, 3, "verdict", "missed")
	w.server.Fail(http.StatusBadGateway, 1)
	w.pass(2 * time.Minute) // one attempt failed; the second waits
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	w.open(path)
	w.pass(time.Minute)
	if n := len(w.server.Taken()); n != 1 {
		t.Fatalf("%d messages after a restart, want 1", n)
	}
	for range 22 { // an office that restarts does not begin its minute anew
		if _, err := w.Test(t.Context(), r, "张工"); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		w.pass(time.Second)
		if err := w.store.Close(); err != nil {
			t.Fatal(err)
		}
		w.open(path)
	}
	w.pass(5 * time.Minute)
	if n := len(w.server.Taken()); n != 23 || strings.Contains(w.log.String(), "45009") {
		t.Errorf("%d messages, want 23: %s", n, w.log.String())
	}
}

func TestPausedRobotsAreLeftAlone(t *testing.T) {
	w := newTestWorld(t)
	r := w.add(fleet.WeCom, nil)
	if err := w.Pause(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	w.happen(fleet.OccurredVerdict, 3, "verdict", "missed")
	w.pass(time.Hour)
	if err := w.Resume(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	w.pass(20 * time.Minute)
	if n := w.server.Calls(); n != 0 {
		t.Errorf("%d messages of the time of the pause", n)
	}
	w.happen(fleet.OccurredVerdict, 1, "verdict", "missed")
	w.pass(2 * time.Minute)
	if n := len(w.server.Taken()); n != 1 {
		t.Errorf("%d messages after the pause", n)
	}
	if err := w.Remove(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.Pause(t.Context(), r.ID); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("pausing what was removed: %v", err)
	}
}

// TestAHangingRobotHoldsUpNobody has one platform swallow every request: the
// others are sent to, and the hanging one ends with the desk.
func TestAHangingRobotHoldsUpNobody(t *testing.T) {
	w := newTestWorld(t)
	r := w.add(fleet.WeCom, nil)
	other := robottest.New(w.now)
	defer other.Close()
	w.o.Hosts = append(w.o.Hosts, other.Host())
	release := w.server.Hang()
	defer release()
	if _, err := w.Test(t.Context(), r, "张工"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.step(t.Context(), w.now()); err != nil {
		t.Fatal(err)
	}
	hook := w.add(fleet.Webhook, func(d *Draft) { d.URL = other.Webhook() })
	if _, err := w.Test(t.Context(), hook, "张工"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.step(t.Context(), w.now()); err != nil {
		t.Fatal(err)
	}
	for len(w.letters(fleet.LetterSent)) == 0 {
		select {
		case <-w.poke:
		case <-time.After(10 * time.Second):
			t.Fatal("nothing is sent while one robot hangs")
		}
	}
	release()
	w.wg.Wait()
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
