package web

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"gatecast/controller/fleet"
)

func TestProgrammeUploadNamesLineKeyAndRule(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	bad := strings.Replace(string(defaultProgramme()), "max_plays: 6", "max_play: 6", 1)
	bad = strings.Replace(bad, `until: "11:50"`, `until: "12:50"`, 1)
	res := c.post("/programmes", url.Values{"yaml": {bad}})
	if res.Code != http.StatusUnprocessableEntity {
		t.Fatalf("bad programme: %d", res.Code)
	}
	d := parse(t, res)
	line := 0
	for i, text := range strings.Split(bad, "\n") {
		if strings.Contains(text, "max_play: 6") {
			line = i + 1
		}
	}
	d.has("[role=alert] tbody tr", "max_play")
	if got := d.text("[role=alert] tbody td"); got != itoa(line) {
		t.Errorf("first problem is at line %q, want %d: %q", got, line, d.texts("[role=alert] tbody tr"))
	}
	if got := strings.TrimSpace(textOf(d.all("textarea")[0])); !strings.Contains(got, "max_play: 6") {
		t.Error("what was typed is lost")
	}
	en := parse(t, c.post("/programmes?lang=en", url.Values{"yaml": {bad}}))
	if text := en.text("[role=alert] tbody"); hasHan(text) || text == "" {
		t.Errorf("English problems: %q", text)
	}
	all, err := w.store.Programmes(t.Context())
	if err != nil || len(all) != 1 {
		t.Errorf("%d programmes after a refused upload, %v", len(all), err)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

func TestProgrammeFromUploadToActivation(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	later := strings.Replace(string(defaultProgramme()), `start: "0 18 * * *"`, `start: "30 18 * * *"`, 1)
	later = strings.Replace(later, `until: "18:30"`, `until: "19:00"`, 1)
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, err := form.CreateFormFile("file", "新计划.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write([]byte(later)); err != nil {
		t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/programmes", &b)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	res := c.do(r)
	at := res.Header().Get("Location")
	if res.Code != http.StatusSeeOther || !strings.HasPrefix(at, "/programmes/2?") {
		t.Fatalf("upload: %d to %q\n%s", res.Code, at, res.Body)
	}
	d := c.page(at)
	d.has("[role=status]", "已存为草稿")
	d.has(".page-h", "第 2 版")
	d.has("#preview tbody tr", "18:30–19:00")
	if got := d.attr(".notice .btn.primary", "href"); got != "/programmes/2/activate" {
		t.Fatalf("the way to activation is %q", got)
	}
	confirm := c.page("/programmes/2/activate")
	button := confirm.text("form .btn.primary")
	if !strings.HasPrefix(button, "激活并下发到 ") || !strings.HasSuffix(button, " 台设备") {
		t.Errorf("the button does not name the effect: %q", button)
	}
	confirm.has(".diff li", "新增的时段")
	if p, err := w.store.Programme(t.Context(), 2); err != nil || p.State != fleet.Draft {
		t.Fatalf("looking at the change made it %q, %v", p.State, err)
	}
	res = c.post("/programmes/2/activate", nil)
	if res.Code != http.StatusSeeOther {
		t.Fatalf("activation: %d\n%s", res.Code, res.Body)
	}
	after := c.page(res.Header().Get("Location"))
	after.has("[role=status]", "已激活，正在下发")
	after.has(".page-h .tag", "现行")
	after.has("[data-live=live-delivery] .legend", "下载中 45") // the new plan waits at every device that is online
	after.has("[data-live=live-delivery] tbody tr", "晴川府西门")
	c.page("/programmes").has("tbody tr", "已被替换")
	c.page("/").has("[data-live=live-ops]", "clerk 激活播放计划“示例街道日常”")
}

func TestProgrammePreviewShowsWhatIsSilenced(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "inspector")
	point := itoa(int(w.points["蝉鸣里北门"].ID))
	d := c.page("/programmes/1?days=7&from=2026-11-23&point=" + point)
	d.count("#preview tbody tr", 7)
	d.has("#preview tbody tr", "11月23日 星期一 工作日")
	d.count("#preview .pslot.off", 5)
	d.has("#preview .pslot.off", "中 11:20–11:50 不播：考点周边静默")
	d.has("#preview tbody tr", "休息日 早 08:30–09:00 6 次，隔 5 分钟： 刷单返利、冒充客服退款")
	d.has("#preview .card-h", "蝉鸣里北门，21 段，其中静默 5 段")
	if text := c.page("/programmes/1?lang=en&point=" + point).text("#preview .pslot.off"); !strings.Contains(text, "silent: ") {
		t.Errorf("in English: %q", text)
	}
	d.count(".notice .btn.primary", 0) // an inspector activates nothing
	if res := c.get("/programmes/1" + "?from=9999-99-99&days=12345&point=abc"); res.Code != http.StatusOK {
		t.Errorf("nonsense in the URL: %d", res.Code)
	}
}

func TestProgrammeThatCannotBeActivated(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	missing := strings.Replace(string(defaultProgramme()), "playlist: [shuadan, kefu]", "playlist: [shuadan, meiyou]", 1)
	res := c.post("/programmes", url.Values{"yaml": {missing}})
	if res.Code != http.StatusSeeOther {
		t.Fatalf("a programme with a missing clip is not stored: %d\n%s", res.Code, res.Body)
	}
	d := c.page(res.Header().Get("Location"))
	d.has("tbody tr", "meiyou")
	d.has(".notice[data-tone=bad]", "暂时不能激活")
	res = c.post("/programmes/2/activate", nil)
	c.page(res.Header().Get("Location")).has("[role=alert]", "meiyou")
	if p, err := w.store.Programme(t.Context(), 1); err != nil || p.State != fleet.Active {
		t.Errorf("the old version is %q, %v", p.State, err)
	}
}

func TestProgrammeYAMLComesBackAsItWas(t *testing.T) {
	w := newWorld(t)
	res := w.as(t, "inspector").get("/programmes/1/yaml")
	if !bytes.Equal(res.Body.Bytes(), defaultProgramme()) {
		t.Error("the exported programme differs")
	}
	if got := res.Header().Get("Content-Disposition"); !strings.Contains(got, "default-1.yaml") {
		t.Errorf("name %q", got)
	}
}

func TestProgrammeUploadOfNothing(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "clerk")
	parse(t, c.post("/programmes", url.Values{"yaml": {"  \n"}})).has("[role=alert]", "没有内容")
	parse(t, c.post("/programmes", url.Values{"yaml": {strings.Repeat("# x\n", maxYAML/3)}})).has("[role=alert]", "超过 256 KB")
	parse(t, c.post("/programmes", url.Values{"yaml": {"\x00\xff{{{"}})).has("[role=alert]", "没有存")
	c.page("/programmes").has(".empty", "还没有播放计划")
}
