package web

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestPointsFilterAndSort(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "inspector")
	unit := ""
	for _, n := range c.page("/points").all("#f-u option") {
		if textOf(n) == "晴川社区" {
			unit = attrOf(n, "value")
		}
	}
	tests := []struct {
		query string
		total string
		first string
	}{
		{"", "48", "松风苑南门"},
		{"?q=谷雨里", "1", "谷雨里南门"},
		{"?q=SL-04", "9", "晴川府南门"},
		{"?unit=" + unit, "9", "晴川府南门"},
		{"?kind=village", "6", "云岭村委会"},
		{"?state=bare", "2", "初夏庭南门"},
		{"?state=offline", "1", "晴川府西门"},
		{"?state=behind", "1", "麦浪庭西门"},
		{"?state=issue", "5", "云阶台侧门"},
		{"?sort=state", "48", "晴川府西门"},
		{"?unit=99999&kind=nonsense&state=nonsense&sort=nonsense&page=-3", "0", ""},
	}
	for _, tt := range tests {
		d := c.page("/points" + tt.query)
		if got := d.text("[data-live=live-points] .count"); got != tt.total {
			t.Errorf("%q: %s points, want %s", tt.query, got, tt.total)
		}
		if got := d.text("tbody th a"); got != tt.first {
			t.Errorf("%q: first is %q, want %q", tt.query, got, tt.first)
		}
	}
	d := c.page("/points?q=门&state=bare&sort=name")
	if d.attr("#f-q", "value") != "门" || d.attr("#f-s option[selected]", "value") != "bare" || d.attr("input[name=sort]", "value") != "name" {
		t.Error("the form forgets what was asked for")
	}
	if hrefs := attrs(d, "thead a", "href"); !slices.Contains(hrefs, "/points?q=%E9%97%A8&sort=state&state=bare") {
		t.Errorf("a column head drops the filter: %q", hrefs)
	}
}

func attrs(d doc, selector, name string) []string {
	var list []string
	for _, n := range d.all(selector) {
		list = append(list, attrOf(n, name))
	}
	return list
}

func TestPointShowsWantedAndHad(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "inspector")
	d := c.page(pointPath(w.points["麦浪庭西门"].ID))
	d.has("[data-live=live-device] tr", "计划 第 218 版 第 211 版")
	d.has("[data-live=live-device] tr", "素材 3 条 1 条，校验相符")
	d.count("[data-live=live-codes] form", 0) // an inspector issues no codes
	d.has("[data-live=live-needs] h3", "计划过旧")

	demo := c.page(pointPath(w.points["松风苑南门"].ID))
	demo.has("[data-live=live-device] dd", "file songfengyuan.wav 演示")
	demo.has("[data-live=live-today] tbody tr", "晚 18:00–18:30 播放中 演示 — 3/6 75/152 秒")
	demo.has("[data-live=live-strip] p", "应播 42 = ")
	demo.count("[data-live=live-strip] tbody a.cell", 42)
	demo.count("[data-live=live-timeline] .t-play", 3)
	demo.has("[data-live=live-records] tbody tr", "11-23 18:10:25")

	c.page(pointPath(w.points["初夏庭南门"].ID)).has("[data-live=live-device]", "待安装")
}

func TestPointThatIsNot(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "inspector")
	for _, path := range []string{"/points/0", "/points/abc", "/points/99", "/points/-1", "/points/1/slots/x", "/points/1/slots/2026-11-23.a.b", "/points/999999999999999999999"} {
		res := c.get(path)
		if res.Code != http.StatusNotFound {
			t.Errorf("GET %s = %d", path, res.Code)
		}
		if text := parse(t, res).text("[role=alert]"); text == "" || strings.Contains(text, "报修") {
			t.Errorf("GET %s says %q", path, text)
		}
	}
}

func TestSlotShowsItsEvidence(t *testing.T) {
	w := newWorld(t)
	d := w.as(t, "inspector").page(slotPath(w.points["谷雨里南门"].ID, "2026-11-23.default.evening"))
	d.count("[data-live=live-evidence] tbody tr", 6)
	d.has("[data-live=live-evidence] tbody tr", "2 结果 11-23 18:00:25 18:00:00.000 +0.6 ms 播完，出声 25/25 秒 600000/600000 帧，24000 Hz alsa hw:CARD=Device")
	d.has("[data-live=live-evidence] tbody tr", "迟报 12 分钟")
	d.has("[data-live=live-slot] dd", "default 第 1 版")
	d.has("[data-live=live-slot] dd", "3/6")
	settled := w.as(t, "inspector").page(slotPath(w.points["谷雨里南门"].ID, "2026-11-23.default.noon"))
	settled.has("[data-live=live-slot] .badge", "存疑")
	settled.has("[data-live=live-evidence] .empty", "还没有收到设备记录")
}
