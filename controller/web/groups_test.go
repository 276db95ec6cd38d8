package web

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"gatecast/controller/fleet"
	"gatecast/controller/sheet"
)

// groupNamed returns the group of that name.
func (w *world) groupNamed(t testing.TB, name string) fleet.Group {
	t.Helper()
	all, err := w.store.Groups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range all {
		if g.Name == name {
			return g
		}
	}
	t.Fatalf("no group %q", name)
	return fleet.Group{}
}

const secondGrid = "示例街道松风社区（第二网格）反电诈宣传群"

func TestGroupsShowProblemsFirstAndTheRightName(t *testing.T) {
	w := newWorld(t)
	g := w.groupNamed(t, secondGrid)
	g.Name = "示例街道松风社区(第二网格)反电诈宣传群"
	if _, err := w.store.SaveGroup(t.Context(), g, "clerk", testNow); err != nil {
		t.Fatal(err)
	}
	c := w.as(t, "clerk")
	list := c.page("/groups")
	if first := list.texts("#groups tbody tr"); len(first) != 32 || !strings.Contains(first[0], g.Name) || !strings.Contains(first[0], "全角") {
		t.Errorf("the first of %d rows is %q", len(first), first[0])
	}
	c.page("/groups?show=name").count("#groups tbody tr", 1)
	c.page("/groups?tier=2").count("#groups tbody tr", 8)
	c.page("/groups?q=%E6%9D%BE%E9%A3%8E&tier=3").count("#groups tbody tr", 3)
	names := c.page("/groups/names")
	names.has("#names mark", "(")
	if got := names.attr("#names [data-copy]", "data-copy"); got != secondGrid {
		t.Errorf("the button copies %q", got)
	}
	if res := c.post(groupPath(g.ID)+"/rename", url.Values{"name": {secondGrid}}); res.Code != http.StatusSeeOther {
		t.Fatalf("tick = %d", res.Code)
	}
	c.page("/groups/names").count("#names mark", 0)
	one := c.page(groupPath(g.ID))
	one.has("main", "曾用名")
	if is := w.groupNamed(t, secondGrid); is.State != fleet.GroupRenamed || is.Former[len(is.Former)-1] != g.Name {
		t.Errorf("after the tick: %+v", is)
	}
}

func TestGroupFormKeepsWhatWasTyped(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	form := url.Values{"tier": {"2"}, "unit": {"2"}, "name": {"一个群"}, "owner": {"何知夏"}, "members": {"很多"}, "platform": {"wecom"}}
	res := c.post("/groups", form)
	if res.Code != http.StatusUnprocessableEntity {
		t.Fatalf("a wrong number = %d", res.Code)
	}
	page := parse(t, res)
	page.has("[role=alert]", "群人数要填数字")
	for selector, want := range map[string]string{"#gf-n": "一个群", "#gf-o": "何知夏", "#gf-m": "很多"} {
		if got := page.attr(selector, "value"); got != want {
			t.Errorf("%s holds %q, want %q", selector, got, want)
		}
	}
	form.Set("members", "20")
	form.Set("phone", "13800001234")
	if res := c.post("/groups", form); res.Code != http.StatusSeeOther {
		t.Fatalf("a good form = %d", res.Code)
	}
	g := w.groupNamed(t, "一个群")
	if page := c.page(groupPath(g.ID)); strings.Contains(page.text("main"), "13800001234") || !strings.Contains(page.text("main"), "138****1234") {
		t.Error("the number is not masked")
	}
	if res := c.post(groupPath(g.ID)+"/phone", url.Values{"reason": {"催转发"}}); res.Code != http.StatusUnprocessableEntity {
		t.Errorf("a reason of three characters = %d", res.Code)
	}
	parse(t, c.post(groupPath(g.ID)+"/phone", url.Values{"reason": {"电话催转发"}})).has("#number", "13800001234")
}

func TestGroupSplitNumbersBoth(t *testing.T) {
	w := newWorld(t)
	g := w.groupNamed(t, secondGrid)
	g.Members = 512
	if _, err := w.store.SaveGroup(t.Context(), g, "clerk", testNow); err != nil {
		t.Fatal(err)
	}
	c := w.as(t, "clerk")
	c.page("/groups/names").has(".notice[data-tone=warn]", "512")
	if res := c.post("/groups", url.Values{"tier": {"3"}, "grid": {fmt.Sprint(g.Grid)}, "platform": {"wechat"}}); res.Code != http.StatusSeeOther {
		t.Fatalf("the second group = %d", res.Code)
	}
	second := w.groupNamed(t, secondGrid+"2群")
	if second.Code == g.Code || second.Seq != 2 {
		t.Errorf("the second group is %s, %d", second.Code, second.Seq)
	}
	if page := c.page(groupPath(g.ID)); !strings.Contains(page.text(".notice[data-tone=bad]"), secondGrid+"1群") {
		t.Error("the first group is not told to be 1群")
	}
}

func TestGroupRulePreviewsAndRefuses(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	form := url.Values{"name1": {"{街道}反诈指挥群"}, "name2": {"{街道}{简称}反电诈组织群"}, "name3": {"{街道}{社区全称}（第{中文数}网格）反电诈宣传群"}, "code": {"{街道码}-{级}-{社区序}-{网格序}-{群序}"}, "limit": {"300"}}
	form.Set("preview", "1")
	parse(t, c.post("/groups/rule", form)).has("main", "示例街道反诈指挥群")
	form.Del("preview")
	if res := c.post("/groups/rule", form); res.Code != http.StatusSeeOther {
		t.Fatalf("a good rule = %d", res.Code)
	}
	c.page("/groups/names").has("#names", "示例街道反诈指挥群")
	form.Set("name3", "{街道}反电诈宣传群")
	res := c.post("/groups/rule", form)
	if res.Code != http.StatusUnprocessableEntity {
		t.Fatalf("a rule without units = %d", res.Code)
	}
	page := parse(t, res)
	if got := page.attr("#r-3", "value"); got != "{街道}反电诈宣传群" {
		t.Errorf("the form lost %q", got)
	}
}

func TestGroupsArePlannedByTheRule(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	g := w.groupNamed(t, secondGrid)
	if res := c.post(groupPath(g.ID)+"/state", url.Values{"to": {"dissolved"}}); res.Code != http.StatusSeeOther {
		t.Fatalf("dissolve = %d", res.Code)
	}
	c.page("/groups").has("#gaps", "松风社区第二网格")
	if res := c.post("/groups/plan", nil); res.Code != http.StatusSeeOther {
		t.Fatalf("plan = %d", res.Code)
	}
	c.post("/groups/plan", nil) // twice plans nothing more
	var planned []fleet.Group
	all, err := w.store.Groups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range all {
		if o.State == fleet.GroupPlanned {
			planned = append(planned, o)
		}
	}
	if len(planned) != 1 || planned[0].Name != secondGrid || planned[0].Code == g.Code || planned[0].Owner == "" {
		t.Errorf("planned: %+v", planned)
	}
}

func TestGroupRegisterIsATableAndAWorkbook(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "inspector")
	page := c.page("/groups/register")
	page.count("#register tbody tr", 32)
	if class := page.attr("body", "class"); class != "a4l" {
		t.Errorf("the register prints as %q", class)
	}
	res := c.get("/groups/register.xlsx")
	book, err := sheet.Read(res.Body.Bytes(), sheet.DefaultLimits())
	if err != nil || len(book.Sheets) != 1 {
		t.Fatalf("workbook: %v", err)
	}
	if res := c.post("/groups", url.Values{}); res.Code != http.StatusForbidden {
		t.Errorf("a supervisor adds a group: %d", res.Code)
	}
}

// postFile posts a form with a file.
func (c *client) postFile(t testing.TB, path string, form url.Values, field string, data []byte) *httptest.ResponseRecorder {
	t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for key, values := range form {
		for _, v := range values {
			if err := m.WriteField(key, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	part, err := m.CreateFormFile(field, "shot.png")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(data) // to memory
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, path, &body)
	r.Header.Set("Content-Type", m.FormDataContentType())
	return c.do(r)
}

func testShot(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 40, 80))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unitAccount adds an account of a unit's own and logs it in.
func (w *world) unitAccount(t testing.TB, login, unit string) *client {
	t.Helper()
	clerk, err := w.store.UserByLogin(t.Context(), "clerk")
	if err != nil {
		t.Fatal(err)
	}
	units, err := w.store.Units(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range units {
		if u.Name == unit {
			if _, err := w.store.SaveUser(t.Context(), fleet.User{Login: login, Name: unit, Role: fleet.UnitAccount, Unit: u.ID, Password: clerk.Password, Created: testNow}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return w.as(t, login)
}

func TestRelayGoesFromTheOfficeToTheUnit(t *testing.T) {
	w := newWorld(t)
	office, own := w.as(t, "clerk"), w.unitAccount(t, "songfeng", "松风社区")
	res := office.post("/relay", url.Values{"text": {"冒充燃气公司上门收费"}, "source": {"区总指挥群"}, "received": {"18:00"}})
	path, _, _ := strings.Cut(res.Header().Get("Location"), "?")
	if res.Code != http.StatusSeeOther || path == "" {
		t.Fatalf("paste = %d %s", res.Code, res.Body)
	}
	own.page("/my/relay").count("form[action^='/my/relay/']", 0)
	tick := office.page(path).attr("#tree form", "action")
	if res := office.post(tick, nil); res.Code != http.StatusSeeOther {
		t.Fatalf("tick of tier 1 = %d", res.Code)
	}
	mine := own.page("/my/relay")
	mine.count("form[action^='/my/relay/']", 1) // of its own unit only
	if got := mine.attr("[data-copy]", "data-copy"); got != "冒充燃气公司上门收费" {
		t.Errorf("the button copies %q", got)
	}
	mine.has("main", "不会替您发微信")
	action := mine.attr("form[action^='/my/relay/']", "action")
	if res := own.postFile(t, action, nil, "shot", []byte("这不是图片")); res.Code != http.StatusUnprocessableEntity {
		t.Errorf("a screenshot that is none = %d", res.Code)
	}
	if res := own.postFile(t, action, nil, "shot", testShot(t)); res.Code != http.StatusSeeOther {
		t.Fatalf("tick with a screenshot = %d %s", res.Code, res.Body)
	}
	after := own.page("/my/relay")
	after.count("form[action^='/my/relay/']", 3)
	shot := own.get(action + "/shot")
	if shot.Code != http.StatusOK || shot.Header().Get("Content-Type") != "image/jpeg" {
		t.Errorf("the screenshot = %d %s", shot.Code, shot.Header().Get("Content-Type"))
	}
	tree := office.page(path)
	tree.has("main", "1/8")
	tree.has("#tree", "截图")
}

func TestUnitReachesItsOwnTasksOnly(t *testing.T) {
	w := newWorld(t)
	office, other := w.as(t, "clerk"), w.unitAccount(t, "wanghe", "望河社区")
	office.post("/relay", url.Values{"text": {"字"}})
	tick := office.page("/relay/1").attr("#tree form", "action")
	office.post(tick, nil)
	tasks, err := w.store.RelayTasks(t.Context(), fleet.RelayFilter{Item: 1})
	if err != nil {
		t.Fatal(err)
	}
	songfeng := w.groupNamed(t, "示例街道松风反电诈组织群")
	for _, k := range tasks {
		if k.Group != songfeng.ID {
			continue
		}
		for _, sub := range []string{"/picture", "/shot", "/audio"} {
			if res := other.get(fmt.Sprintf("/my/relay/%d%s", k.ID, sub)); res.Code != http.StatusNotFound {
				t.Errorf("%s of another unit's task = %d", sub, res.Code)
			}
		}
		if res := other.post(fmt.Sprintf("/my/relay/%d", k.ID), nil); res.Code != http.StatusNotFound {
			t.Errorf("a tick of another unit's task = %d", res.Code)
		}
	}
	if res := other.post("/relay", url.Values{"text": {"字"}}); res.Code != http.StatusForbidden {
		t.Errorf("a unit starts an item: %d", res.Code)
	}
}

func TestRelayFormKeepsTheTextWhenThePictureIsTooLarge(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	res := c.postFile(t, "/relay", url.Values{"text": {"不能丢的文字"}}, "picture", make([]byte, 9<<20))
	if res.Code != http.StatusUnprocessableEntity {
		t.Fatalf("a picture of 9 MB = %d", res.Code)
	}
	page := parse(t, res)
	page.has("[role=alert]", "8 MB")
	page.has("#r-t", "不能丢的文字")
}

func TestOverviewTellsOfWhatIsOverdue(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	c.post("/relay", url.Values{"text": {"冒充燃气公司"}})
	w.setNow(testNow.AddDate(0, 0, 1))
	c = w.as(t, "clerk")
	c.page("/").has("main", "1 个群逾期未转发")
	over := c.page("/relay/overdue")
	over.count("#overdue tbody tr", 1)
	over.has("main", "转发催办")
	if res := c.post("/relay/1/close", nil); res.Code != http.StatusSeeOther {
		t.Fatalf("end = %d", res.Code)
	}
	c.page("/relay/overdue").count("#overdue tbody tr", 0)
	if res := c.post("/relay/rules", url.Values{"tier1": {"x"}, "tier2": {"1"}, "tier3": {"0"}, "urgent": {"30"}, "digest": {"08:30"}}); res.Code != http.StatusUnprocessableEntity {
		t.Errorf("a rule that is none = %d", res.Code)
	}
	if res := c.post("/relay/rules", url.Values{"tier1": {"60"}, "tier2": {"90"}, "tier3": {"0"}, "urgent": {"30"}, "digest": {"07：45"}}); res.Code != http.StatusSeeOther {
		t.Errorf("good rules = %d", res.Code)
	}
}
