package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/robot"
	"gatecast/controller/store"
)

// testRobots is the real store with the real desk, which sends nothing as it
// does not run.
type testRobots struct {
	*store.Store
	desk *robot.Desk
}

func (o testRobots) Add(ctx context.Context, d RobotDraft, by string) (fleet.Robot, string, error) {
	return o.desk.Add(ctx, robot.Draft(d), by)
}
func (o testRobots) Test(ctx context.Context, r fleet.Robot, by string) (fleet.LetterID, error) {
	return o.desk.Test(ctx, r, by)
}
func (o testRobots) Pause(ctx context.Context, id fleet.RobotID) error { return o.desk.Pause(ctx, id) }
func (o testRobots) Resume(ctx context.Context, id fleet.RobotID) error {
	return o.desk.Resume(ctx, id)
}
func (o testRobots) Remove(ctx context.Context, id fleet.RobotID) error {
	return o.desk.Remove(ctx, id)
}
func (o testRobots) Resend(ctx context.Context, id fleet.LetterID) (fleet.Letter, error) {
	return o.desk.Resend(ctx, id)
}
func (o testRobots) Drop(ctx context.Context, id fleet.LetterID) (fleet.Letter, error) {
	return o.desk.Drop(ctx, id)
}

const testHook = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a91f6-secret"

// chat adds a robot of every state, with messages sent, waiting and given up.
func (w *world) chat(t testing.TB) {
	t.Helper()
	ctx := t.Context()
	for i, name := range []string{"值班群", strings.Repeat("很长的群名", 8), "督导群"} {
		r, _, err := w.robots.Add(ctx, robot.Draft{Name: name, Platform: fleet.WeCom, URL: testHook, Feeds: fleet.Feeds, Keyword: "反诈", MentionAll: true, Mobiles: "13800000421"}, "admin")
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range []fleet.Letter{
			{State: fleet.LetterSent, Ended: w.now()},
			{State: fleet.LetterDead, Ended: w.now(), Fault: fleet.LetterFaults[i%len(fleet.LetterFaults)], Answer: "93000 invalid webhook url, hint: [1, 2]", Attempts: 8},
			{State: fleet.LetterWaiting, Next: w.now().Add(time.Hour), Fault: fleet.FaultServer, Attempts: 3},
		} {
			id, err := w.robots.Test(ctx, r, "张工")
			if err != nil {
				t.Fatal(err)
			}
			l.ID, l.Robot = id, r.ID
			if err := w.store.NoteLetter(ctx, l, time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
		if i == 2 {
			if err := w.robots.Pause(ctx, r.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestRobotsOnThePage(t *testing.T) {
	w := newEmptyWorld(t)
	admin := w.as(t, "admin")
	if body := admin.get("/settings/robots").Body.String(); !strings.Contains(body, "还没有机器人") {
		t.Error("the empty page says nothing")
	}
	form := url.Values{"name": {"值班群"}, "platform": {"wecom"}, "url": {"http://10.0.0.1/x"}, "secret": {"SECnever"}, "feed": {"missed", "relay"}, "keyword": {"反诈"}, "mobiles": {"13800000421"}, "all": {"1"}}
	res := admin.post("/settings/robots", form)
	body := res.Body.String()
	for _, kept := range []string{"值班群", "http://10.0.0.1/x", "13800000421", "企业微信的地址应为"} {
		if !strings.Contains(body, kept) {
			t.Errorf("the refused form lacks %q", kept)
		}
	}
	if res.Code != http.StatusUnprocessableEntity || strings.Contains(body, "SECnever") {
		t.Errorf("%d; the secret is sent back: %v", res.Code, strings.Contains(body, "SECnever"))
	}
	form.Set("url", testHook)
	if res := admin.post("/settings/robots", form); res.Code != http.StatusSeeOther {
		t.Fatalf("adding = %d %s", res.Code, res.Body)
	}
	if res := admin.post("/settings/robots", form); res.Code != http.StatusUnprocessableEntity || !strings.Contains(res.Body.String(), "已有名为") {
		t.Errorf("adding twice = %d", res.Code)
	}
	all, err := w.store.Robots(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("%d robots, %v", len(all), err)
	}
	page := fmt.Sprintf("/settings/robots/%d", all[0].ID)
	if res := admin.post(page+"/test", nil); res.Code != http.StatusSeeOther {
		t.Errorf("test = %d", res.Code)
	}
	body = admin.get("/settings/robots").Body.String()
	for _, want := range []string{"值班群", "qyapi.weixin.qq.com/••••", "未按计划播出、转发超时", "关键词“反诈”", "提醒 1 人", "示例街道 测试消息", "排队中"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, secret := range []string{"693a91f6", "13800000421", "SECnever"} {
		if strings.Contains(body, secret) {
			t.Errorf("the page shows %q", secret)
		}
	}
	letters, err := w.store.Letters(t.Context(), fleet.LetterFilter{})
	if err != nil || len(letters) != 1 {
		t.Fatal(len(letters), err)
	}
	l := letters[0]
	l.State, l.Ended, l.Fault, l.Answer = fleet.LetterDead, w.now(), fleet.FaultKey, "93000 invalid webhook url"
	if err := w.store.NoteLetter(t.Context(), l, time.Time{}); err != nil {
		t.Fatal(err)
	}
	body = admin.get("/settings/robots").Body.String()
	if !strings.Contains(body, "机器人不存在") || !strings.Contains(body, "93000 invalid") || !strings.Contains(body, "1 条未能送达") {
		t.Error("the dead letter does not say why")
	}
	letter := fmt.Sprintf("/settings/letters/%d", l.ID)
	if res := admin.post(letter, nil); res.Code != http.StatusSeeOther {
		t.Errorf("resend = %d", res.Code)
	}
	if res := admin.post(letter, url.Values{"drop": {"1"}}); res.Code != http.StatusNotFound {
		t.Errorf("dropping what waits = %d", res.Code)
	}
	for _, step := range []struct {
		path string
		form url.Values
		want string
	}{
		{page + "/pause", nil, "起暂停"}, {page + "/pause", url.Values{"on": {"1"}}, "正常"}, {page + "/remove", nil, "还没有机器人"},
	} {
		if res := admin.post(step.path, step.form); res.Code != http.StatusSeeOther {
			t.Errorf("%s = %d", step.path, res.Code)
		}
		if body := admin.get("/settings/robots").Body.String(); !strings.Contains(body, step.want) {
			t.Errorf("after %s the page lacks %q", step.path, step.want)
		}
	}
	if res := admin.post(page+"/test", nil); res.Code != http.StatusNotFound {
		t.Errorf("testing what is gone = %d", res.Code)
	}
	lines, err := w.store.Audits(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	told := map[fleet.AuditCode]int{}
	for _, a := range lines {
		told[a.What]++
		if strings.Contains(fmt.Sprint(a), "693a91f6") {
			t.Errorf("the audit has the key: %+v", a)
		}
	}
	for what, n := range map[fleet.AuditCode]int{fleet.AuditRobotAdd: 1, fleet.AuditRobotTest: 1, fleet.AuditRobotPause: 2, fleet.AuditRobotRemove: 1, fleet.AuditRobotResend: 1} {
		if told[what] != n {
			t.Errorf("%d audit lines %q, want %d", told[what], what, n)
		}
	}
}

func TestTheSecretOfAWebhookIsShownOnce(t *testing.T) {
	w := newEmptyWorld(t)
	admin := w.as(t, "admin")
	res := admin.post("/settings/robots", url.Values{"name": {"大屏"}, "platform": {"webhook"}, "url": {"http://screen.example:8080/in"}, "feed": {"missed"}})
	all, err := w.store.Robots(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("%d %d robots, %v", res.Code, len(all), err)
	}
	target, err := w.store.RobotTarget(t.Context(), all[0].ID)
	if err != nil || len(target.Secret) != 48 || !strings.Contains(res.Body.String(), target.Secret) {
		t.Errorf("the answer lacks the secret %q, %v", target.Secret, err)
	}
	if strings.Contains(admin.get("/settings/robots").Body.String(), target.Secret) {
		t.Error("the secret is shown twice")
	}
}
