package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// attacks puts incidents of every kind into the world.
func (w *world) attacks(t testing.TB) {
	t.Helper()
	p := w.points["谷雨里南门"]
	add := func(in fleet.Incident) {
		t.Helper()
		if err := w.store.AddIncident(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	for i, kind := range append([]fleet.IncidentKind{"of_tomorrow", fleet.IncidentClone}, wire.DeviceIncidents...) {
		at := testNow.Add(-time.Duration(i+2) * time.Hour)
		add(fleet.Incident{Kind: kind, Point: p.ID, Detail: "plan: <script>alert(1)</script>", First: at.Add(-10 * time.Minute), Last: at, Count: 12})
	}
	add(fleet.Incident{Kind: fleet.IncidentStranger, From: "192.0.2.7", Detail: "TLS handshake error", Last: testNow.Add(-time.Minute), Count: 3})
}

func TestIncidentsAreShownAndTickedOff(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "admin")
	if d := c.page("/incidents"); !strings.Contains(d.text("main"), "没有未处理的安全事件") {
		t.Errorf("without any: %s", d.text("main"))
	}
	w.attacks(t)
	p := w.points["谷雨里南门"]
	d := c.page("/incidents")
	d.count("#incidents tbody tr", 15)
	if said := d.text("#incidents tbody tr"); !strings.Contains(said, "陌生人连接消息服务器") || !strings.Contains(said, "来自 192.0.2.7") || !strings.Contains(said, "点位不明") {
		t.Errorf("the latest one: %q", said)
	}
	said := d.text("main")
	for _, want := range []string{"收到伪造的文件", "有人重放旧计划", "存储卡上的文件被换", "重复身份", "其他被拒绝的尝试", "谷雨里南门", "请检查消息服务器和网络", "<script>alert(1)</script>"} {
		if !strings.Contains(said, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, path := range []string{"/", pointPath(p.ID)} {
		if over := c.page(path).text("main"); !strings.Contains(over, "谷雨里南门") || !strings.Contains(over, "安全事件：") {
			t.Errorf("%s does not say so: %s", path, over)
		}
	}
	if en := c.page("/incidents?lang=en").text("#incidents thead"); hasHan(en) {
		t.Errorf("English head %q", en)
	}

	one := w.as(t, "inspector")
	if n := len(one.page("/incidents").all("#incidents form")); n != 0 {
		t.Errorf("a supervisor finds %d forms", n)
	}
	if res := one.post("/incidents/1", url.Values{"note": {"x"}}); res.Code != http.StatusForbidden {
		t.Errorf("tick-off by a supervisor: %d", res.Code)
	}
	open, err := w.store.Incidents(t.Context(), fleet.IncidentFilter{Point: p.ID, Open: true})
	if err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/incidents/%d", open[0].ID)
	if res := c.post(path, url.Values{"note": {" "}}); res.Code != http.StatusBadRequest && res.Code != http.StatusUnprocessableEntity {
		t.Errorf("tick-off without a word: %d", res.Code)
	}
	if res := c.post(path, url.Values{"note": {"已到现场查看"}}); res.Code != http.StatusSeeOther {
		t.Fatalf("tick-off: %d %s", res.Code, res.Body)
	}
	if res := c.post(path, url.Values{"note": {"again"}}); res.Code != http.StatusConflict {
		t.Errorf("second tick-off: %d", res.Code)
	}
	if res := c.post("/incidents/99999", url.Values{"note": {"again"}}); res.Code != http.StatusNotFound {
		t.Errorf("tick-off of none: %d", res.Code)
	}
	c.page("/incidents").count("#incidents tbody tr", 14)
	if all := c.page("/incidents?all=1").text("main"); !strings.Contains(all, "已到现场查看") || !strings.Contains(all, "张工") {
		t.Errorf("what was done is not shown: %s", all)
	}
	lines, err := w.store.Audits(t.Context(), 1)
	if err != nil || len(lines) != 1 || lines[0].What != fleet.AuditIncident || !strings.Contains(lines[0].Object, "谷雨里南门") || lines[0].Detail != "已到现场查看" {
		t.Errorf("audit %+v, %v", lines, err)
	}
}
