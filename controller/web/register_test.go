package web

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"gatecast/controller/fleet"
)

func (w *world) unitNamed(t testing.TB, name string) fleet.Unit {
	t.Helper()
	units, err := w.store.Units(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range units {
		if u.Name == name {
			return u
		}
	}
	t.Fatalf("no unit %q", name)
	return fleet.Unit{}
}

func TestEmptyRegisterOffersMemberUnits(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "clerk")
	c.page("/units").has(".card", "13")
	if res := c.post("/units/preset", nil); res.Code != http.StatusSeeOther {
		t.Fatalf("preset: %d %s", res.Code, res.Body)
	}
	c.page("/units").count("#units tbody tr", 14) // with the subdistrict
	if res := c.post("/units/preset", nil); res.Code != http.StatusSeeOther {
		t.Fatalf("preset again: %d", res.Code)
	}
	d := c.page("/units")
	d.count("#units tbody tr", 14)
	if got := d.text("#units"); !strings.Contains(got, "缺第一责任人") {
		t.Errorf("member units lack nobody: %s", got)
	}
	lines, err := w.store.FindAudits(t.Context(), fleet.AuditFilter{What: fleet.AuditRegister, Who: "clerk"})
	if err != nil || len(lines) != 14 || lines[0].After == "" || lines[0].From == "" {
		t.Errorf("%d lines of the audit, %v", len(lines), err)
	}
}

func TestUnitIsAddedAndChangedWithoutLosingWhatWasTyped(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	form := url.Values{"code": {"SL-07"}, "name": {"竹影社区"}, "type": {"community"}, "parent": {"SL"}, "region": {"3401"}, "head": {"周工"}}
	res := c.post("/units", form)
	if res.Code != http.StatusUnprocessableEntity {
		t.Fatalf("a short region code: %d", res.Code)
	}
	d := parse(t, res)
	d.has(".field.invalid", "12 位")
	if d.attr("#unit-name", "value") != "竹影社区" || d.attr("#unit-region", "value") != "3401" || d.attr("#unit-region", "aria-invalid") != "true" {
		t.Error("the form lost what was typed")
	}
	form.Set("region", "340103001007")
	if res := c.post("/units", form); res.Code != http.StatusSeeOther {
		t.Fatalf("adding: %d %s", res.Code, res.Body)
	}
	if res := c.post("/units", form); res.Code != http.StatusUnprocessableEntity || !strings.Contains(res.Body.String(), "已有单位在用") {
		t.Errorf("adding it twice: %d", res.Code)
	}
	u := w.unitNamed(t, "竹影社区")
	path := unitPath(u.ID)
	for what, form := range map[string]url.Values{
		"liaison":  {"name": {"林工"}, "post": {"副主任"}, "phone": {"13800000077"}, "from": {"2026-11-01"}},
		"grid":     {"number": {"1"}, "name": {"第一网格"}, "worker": {"张工"}, "households": {"４２０"}, "population": {"1,100"}},
		"compound": {"name": {"竹影苑"}, "property": {"知邻物业"}},
	} {
		if res := c.post(path+"/"+what, form); res.Code != http.StatusSeeOther {
			t.Errorf("%s: %d %s", what, res.Code, parse(t, res).text("[role=alert]"))
		}
	}
	d = c.page(path)
	d.has("#liaisons", "138****0077")
	d.has("#grids", "1100")
	d.has("#compounds", "竹影苑")
	if strings.Contains(d.text("main"), "13800000077") {
		t.Error("the page shows a whole number")
	}
	// A change of the liaison without a number keeps it; leaving keeps the post.
	if res := c.post(path+"/liaison", url.Values{"name": {"林工"}, "post": {"主任"}, "from": {"2026-11-01"}}); res.Code != http.StatusSeeOther {
		t.Fatalf("changing: %d", res.Code)
	}
	liaisons, err := w.store.Liaisons(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range liaisons {
		if l.Unit != u.ID {
			continue
		}
		if l.Phone.Full() != "13800000077" || l.Post != "主任" {
			t.Errorf("liaison = %+v", l)
		}
		if res := c.post(path+"/leave", url.Values{"liaison": {fmt.Sprint(l.ID)}}); res.Code != http.StatusSeeOther {
			t.Errorf("leaving: %d", res.Code)
		}
	}
	d = c.page(path)
	d.has("#liaisons", "主任")
	d.has(".page-h", "缺联络员")
	if res := c.post(path+"/grid", url.Values{"number": {"abc"}, "name": {"第二网格"}}); res.Code != http.StatusUnprocessableEntity || !strings.Contains(parse(t, res).text("#grids"), "不是数目") {
		t.Errorf("a grid without a number: %d", res.Code)
	}
	if res := w.as(t, "inspector").post(path, url.Values{"name": {"x"}}); res.Code != http.StatusForbidden {
		t.Errorf("the inspector changes a unit: %d", res.Code)
	}
	w.as(t, "inspector").page(path).count("form[action='"+path+"']", 0)
}

func TestMergedUnitKeepsItsPageAndPast(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	old, to := w.unitNamed(t, "松风社区"), w.unitNamed(t, "望河社区")
	before := c.page("/compliance?from=2026-11-16&to=2026-11-22").text("main table")
	form := url.Values{"kind": {"merge"}, "target": {fmt.Sprint(to.ID)}, "day": {"2026-11-22"}, "document": {"示例〔2026〕9号"}}
	res := c.post(unitPath(old.ID)+"/change", form)
	if res.Code != http.StatusUnprocessableEntity {
		t.Fatalf("a merger of yesterday: %d", res.Code)
	}
	d := parse(t, res)
	d.has("#history [role=alert]", "最早是今天")
	if d.attr("#ch-p", "value") != "示例〔2026〕9号" {
		t.Error("the form lost the number of the document")
	}
	form.Set("day", "2026-12-01")
	if res := c.post(unitPath(old.ID)+"/change", form); res.Code != http.StatusSeeOther {
		t.Fatalf("a merger to come: %d", res.Code)
	}
	all, err := w.store.UnitChanges(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	if res := c.post(unitPath(old.ID)+"/cancel", url.Values{"change": {fmt.Sprint(all[0].ID)}}); res.Code != http.StatusSeeOther {
		t.Fatalf("taking it back: %d", res.Code)
	}
	form.Set("day", "2026-11-23")
	if res := c.post(unitPath(old.ID)+"/change", form); res.Code != http.StatusSeeOther {
		t.Fatalf("a merger of today: %d", res.Code)
	}
	c.page(unitPath(old.ID)).has(".page-h", "并入 望河社区")
	if after := c.page("/compliance?from=2026-11-16&to=2026-11-22").text("main table"); after != before {
		t.Errorf("last week reads\n%s\nbefore it was\n%s", after, before)
	}
	c.page("/units").count("#units a[href='"+unitPath(old.ID)+"']", 0)
	c.page("/units?show=merged").has("#units", "松风社区")
	lines, err := w.store.FindAudits(t.Context(), fleet.AuditFilter{What: fleet.AuditUnitChange})
	if err != nil || len(lines) != 3 || lines[0].After == "" {
		t.Errorf("audit: %+v, %v", lines, err)
	}
}

func TestMissingListsWhatIsLacking(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "inspector")
	d := c.page("/units/missing")
	d.has("main", "缺区划代码")
	d.has("main", "未做声级校准")
	for _, path := range []string{"/units?q=松风", "/units?sort=lacks", "/units?show=community", "/compounds?q=青檐&sort=points", "/properties?q=知邻", "/properties?sort=compounds", "/compounds?q=没有"} {
		c.page(path).count("main", 1)
	}
	c.page("/compounds?q=青檐").has("table", "松风苑")
	c.page("/units?q=周望舒").count("#units tbody tr", 1)
}

func TestPropertyCompanyIsRenamedWithItsAccounts(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	all, err := w.store.Companies(t.Context())
	if err != nil || len(all) != 3 {
		t.Fatalf("Companies = %+v, %v", all, err)
	}
	path := fmt.Sprintf("/properties/%d", all[0].ID)
	if res := c.post(path, url.Values{"name": {all[1].Name}, "contact": {"王工"}}); res.Code != http.StatusUnprocessableEntity || parse(t, res).attr("#company-contact", "value") != "王工" {
		t.Errorf("to a name that is taken: %d", res.Code)
	}
	if res := c.post(path, url.Values{"name": {"新檐物业"}, "contact": {"王工"}, "phone": {"13800000088"}}); res.Code != http.StatusSeeOther {
		t.Fatalf("renaming: %d", res.Code)
	}
	c.page("/compounds?q=新檐").has("table", "新檐物业")
	if res := c.post("/properties", url.Values{"name": {""}, "phone": {"12"}}); res.Code != http.StatusUnprocessableEntity {
		t.Errorf("a company without name: %d", res.Code)
	}
}

func TestPointIsAddedHeldMeasuredAndRetired(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	form := url.Values{"code": {"SL-01-99"}, "name": {"松风苑东门"}, "kind": {"gate"}, "unit": {"SL-01"}, "compound": {"松风苑"}, "cap": {"150"}, "tags": {"考点周边"}, "hold": {"1"}}
	res := c.post("/points", form)
	if res.Code != http.StatusUnprocessableEntity || !strings.Contains(parse(t, res).text(".field.invalid"), "1 到 100") {
		t.Fatalf("a ceiling of 150 %%: %d", res.Code)
	}
	form.Set("cap", "55")
	if res = c.post("/points", form); res.Code != http.StatusSeeOther {
		t.Fatalf("adding: %d %s", res.Code, parse(t, res).text("[role=alert]"))
	}
	pt, err := w.store.PointByCode(t.Context(), "SL-01-99")
	if err != nil || !pt.Hold || !pt.NearExam() || pt.CapPct != 55 {
		t.Fatalf("point = %+v, %v", pt, err)
	}
	path := pointPath(pt.ID)
	c.page(path).has("aside", "待安装")
	c.page("/points?state=bare&q=SL-01-99").has("#points, table", "松风苑东门")
	// It begins only after it was measured.
	if res := c.post(path+"/start", url.Values{"start": {"2026-12-01"}}); res.Code != http.StatusUnprocessableEntity || !strings.Contains(res.Body.String(), "先登记声级校准") {
		t.Errorf("begins unmeasured: %d", res.Code)
	}
	bad := c.measure(path, url.Values{"day": {"2026-11-23"}, "on": {"50"}, "off": {"54"}, "method": {"meter"}, "class": {"1"}, "who": {"张工"}}, nil)
	if bad.Code != http.StatusUnprocessableEntity || parse(t, bad).attr("#cb-on", "value") != "50" {
		t.Errorf("readings the wrong way round: %d", bad.Code)
	}
	good := url.Values{"day": {"2026-11-23"}, "on": {"62.5"}, "off": {"51"}, "method": {"phone"}, "class": {"2"}, "who": {"张工"}}
	if res := c.measure(path, good, []byte("GIF89a")); res.Code != http.StatusUnprocessableEntity {
		t.Errorf("a photo that is none: %d", res.Code)
	}
	if res := c.measure(path, good, testPhoto(t, 3000, 1500, 6)); res.Code != http.StatusSeeOther {
		t.Fatalf("measuring: %d %s", res.Code, parse(t, res).text("[role=alert]"))
	}
	d := c.page(path + "/calibration")
	d.has("main", "超过昼间限值")
	photo := c.get(d.attr("img.photo", "src"))
	conf, kind, err := image.DecodeConfig(bytes.NewReader(photo.Body.Bytes()))
	if err != nil || kind != "jpeg" || conf.Width != sidePhoto/2 || conf.Height != sidePhoto || bytes.Contains(photo.Body.Bytes(), []byte("Exif")) {
		t.Errorf("photo: %+v %s %v, want %d × %d upright without Exif", conf, kind, err, sidePhoto/2, sidePhoto)
	}
	for _, tt := range []struct {
		start string
		code  int
	}{{"morgen", 422}, {"2026-11-22", 422}, {"2026-12-01", 303}} {
		if res := c.post(path+"/start", url.Values{"start": {tt.start}}); res.Code != tt.code {
			t.Errorf("from %q: %d, want %d", tt.start, res.Code, tt.code)
		}
	}
	if res := c.post(path+"/edit", url.Values{"name": {"松风苑东大门"}, "kind": {"gate"}, "compound": {"松风苑"}, "cap": {"45"}, "class": {"2"}}); res.Code != http.StatusSeeOther {
		t.Fatalf("editing: %d %s", res.Code, parse(t, res).text("[role=alert]"))
	}
	if pt, err = w.store.Point(t.Context(), pt.ID); err != nil || pt.Name != "松风苑东大门" || pt.CapPct != 45 || pt.Start.IsZero() || pt.Unit == 0 {
		t.Errorf("point = %+v, %v", pt, err)
	}
	if res := c.post(path+"/retire", url.Values{"checked": {"yes"}}); res.Code != http.StatusSeeOther {
		t.Fatalf("retiring: %d", res.Code)
	}
	c.page("/points?state=retired").has("table", "松风苑东大门")
	c.page("/points?q=SL-01-99").has("main", "没有")
	if res := c.post(path+"/retire", url.Values{"back": {"1"}}); res.Code != http.StatusSeeOther {
		t.Errorf("back in use: %d", res.Code)
	}
	for _, what := range []fleet.AuditCode{fleet.AuditCalibrated, fleet.AuditPointStage} {
		if lines, err := w.store.FindAudits(t.Context(), fleet.AuditFilter{What: what}); err != nil || len(lines) == 0 || lines[0].After == "" {
			t.Errorf("audit of %s: %+v, %v", what, lines, err)
		}
	}
}

// measure sends the form of a calibration.
func (c *client) measure(path string, form url.Values, photo []byte) *httptest.ResponseRecorder {
	c.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for k, v := range form {
		if err := m.WriteField(k, v[0]); err != nil {
			c.t.Fatal(err)
		}
	}
	if photo != nil {
		part, err := m.CreateFormFile("photo", "IMG_0001.JPG")
		if err != nil {
			c.t.Fatal(err)
		}
		if _, err := part.Write(photo); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		c.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, path+"/calibration", &body)
	r.Header.Set("Content-Type", m.FormDataContentType())
	return c.do(r)
}

// testPhoto is a JPEG of that size whose Exif says how it was held.
func testPhoto(t testing.TB, w, h int, orientation byte) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for x := range w {
		img.SetRGBA(x, h/2, color.RGBA{200, 30, 30, 255})
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	exif := append([]byte("Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00"), orientation, 0, 0, 0, 0, 0, 0)
	segment := append([]byte{0xff, 0xe1, 0, byte(len(exif) + 2)}, exif...)
	return append(append([]byte{0xff, 0xd8}, segment...), b.Bytes()[2:]...)
}

func FuzzShrinkPhoto(f *testing.F) {
	small := testPhoto(f, 8, 4, 8)
	f.Add(small)
	f.Add(small[:40])
	f.Add([]byte{0xff, 0xd8, 0xff, 0xe1, 0, 4, 'E', 'x'})
	f.Fuzz(func(t *testing.T, data []byte) {
		if conf, _, err := image.DecodeConfig(bytes.NewReader(data)); err == nil && conf.Width*conf.Height > 1<<20 {
			t.Skip("large")
		}
		out, err := shrinkPhoto(bytes.NewReader(data))
		if err != nil {
			if fleet.CodeOf(err) != fleet.Invalid {
				t.Errorf("shrinkPhoto = %v", err)
			}
			return
		}
		if conf, _, err := image.DecodeConfig(bytes.NewReader(out)); err != nil || conf.Width > sidePhoto || conf.Height > sidePhoto {
			t.Errorf("kept a photo of %+v, %v", conf, err)
		}
	})
}
