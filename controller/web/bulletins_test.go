package web

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"golang.org/x/net/html"

	"gatecast/controller/fleet"
	"gatecast/controller/sheet"
)

// cellTexts are the texts of the cells of a row, in their order.
func cellTexts(tr *html.Node) (row []string) {
	for c := tr.FirstChild; c != nil; c = c.NextSibling {
		if c.Data == "td" || c.Data == "th" {
			row = append(row, textOf(c))
		}
	}
	return row
}

// rowsOf are the rows of the table on the paper whose caption holds caption.
func rowsOf(d doc, caption string) (rows [][]string) {
	d.t.Helper()
	for _, table := range d.all(".paper table") {
		if !strings.Contains(textOf(table), caption) {
			continue
		}
		for _, tr := range (doc{d.t, table}).all("tr") {
			rows = append(rows, cellTexts(tr))
		}
		return rows
	}
	return nil
}

// TestBulletinIsDraftedSignedAndCorrected walks a weekly bulletin through: its
// figures are the ledger's to the digit on the page, in the docx and in the
// xlsx; signed, it does not change with a late record, which a numbered
// correction tells of in the next issue.
func TestBulletinIsDraftedSignedAndCorrected(t *testing.T) {
	w := newWorld(t)
	if made, err := w.bulletins.Prepare(t.Context(), testNow); err != nil || !made {
		t.Fatalf("no draft of last week: %v, %v", made, err)
	}
	if made, err := w.bulletins.Prepare(t.Context(), testNow); err != nil || made {
		t.Fatalf("a second draft of the same week: %v, %v", made, err)
	}
	clerk, signer := w.as(t, "clerk"), w.as(t, "approver")
	list := clerk.page("/bulletins")
	if said := list.text("#bulletins"); !strings.Contains(said, "2026-11-16") || !strings.Contains(said, "自动起草") {
		t.Fatalf("the list says %q", said)
	}
	const at = "/bulletins/1"
	ledger := clerk.page("/compliance?from=2026-11-16&to=2026-11-22")
	draft := clerk.page(at)
	agree(t, ledger, draft)
	if said := draft.text(".paper"); !strings.Contains(said, "设备已输出（未验证发声）") && !strings.Contains(said, "A级实测有声") || strings.Contains(said, "B级听到") {
		t.Errorf("the note of the grades: %s", said)
	}
	form := url.Values{"edit": {"1"}, "version": {draft.attr("#texts input[name=version]", "value")}, "text.cases": {"本周发案9起。"}, "text.tasks": {"青禾社区 <24 日前> 修复谷雨里南门 & 复查。\n各单位按时反馈。"}}
	if res := clerk.post(at, form); res.Code != http.StatusSeeOther {
		t.Fatalf("saving the texts: %d\n%s", res.Code, res.Body)
	}
	// The same version again: somebody else saved meanwhile, and nothing typed is lost.
	form.Set("text.tasks", "另一个人写的")
	if res := clerk.post(at, form); res.Code != http.StatusConflict || !strings.Contains(res.Body.String(), "另一个人写的") {
		t.Errorf("an old version: %d", res.Code)
	}
	draft = clerk.page(at)
	if said := draft.text(".paper"); !strings.Contains(said, "青禾社区 <24 日前> 修复") || !strings.Contains(said, "一、本周发案情况 本周发案9起。") || !strings.Contains(said, "六、督导检查 本期没有填报。") {
		t.Errorf("the text is not on the paper: %s", said)
	}
	if res := signer.post(at+"/sign", url.Values{"version": {"2"}, "seen": {"x"}, "number": {"46"}, "total": {"98"}, "checked": {"yes"}}); res.Code != http.StatusConflict {
		t.Errorf("signing a draft: %d", res.Code)
	}
	clerk.post(at+"/submit", url.Values{"version": {draft.attr("#texts input[name=version]", "value")}})
	if len(clerk.page(at).all("#sign")) != 0 {
		t.Error("a clerk is offered to sign")
	}
	paper := signer.page(at)
	sign := url.Values{"version": {paper.attr("#sign input[name=version]", "value")}, "seen": {paper.attr("#sign input[name=seen]", "value")}, "number": {"46"}, "total": {"98"}}
	if res := signer.post(at+"/sign", sign); res.Code != http.StatusUnprocessableEntity && res.Code != http.StatusBadRequest {
		t.Errorf("without the tick: %d", res.Code)
	}
	sign.Set("checked", "yes")
	if res := signer.post(at+"/sign", sign); res.Code != http.StatusSeeOther {
		t.Fatalf("signing: %d\n%s", res.Code, res.Body)
	}
	issued := signer.page(at)
	agree(t, ledger, issued)
	if said := issued.text(".paper"); !strings.Contains(said, "第46期（总第98期）") || !strings.Contains(said, "2026年11月23日") || !strings.Contains(said, "签发人：陈工") {
		t.Errorf("the head: %s", said)
	}
	docx, xlsx := clerk.get(at+"/docx").Body.Bytes(), clerk.get(at+"/xlsx").Body.Bytes()
	filesAgree(t, issued, docx, xlsx)

	rows, err := w.store.Obligations(t.Context(), fleet.ObligationFilter{From: "2026-11-22", To: "2026-11-22", Verdict: fleet.Pending})
	if err != nil || len(rows) == 0 {
		t.Fatalf("nothing is pending: %v", err)
	}
	o := rows[0]
	if _, err := w.store.Settle(t.Context(), []fleet.Settlement{{Point: o.Point, Day: o.Day, Slot: o.Slot, Verdict: fleet.Played, Grade: fleet.GradeB, PlaysOK: o.Plays, SoundMS: o.PlannedMS}}, testNow); err != nil {
		t.Fatal(err)
	}
	late := signer.page(at)
	if late.text(".paper") != issued.text(".paper") || !bytes.Equal(clerk.get(at+"/docx").Body.Bytes(), docx) {
		t.Error("a late record changed what was signed")
	}
	offer := late.text("#offer")
	if !strings.Contains(offer, "待报") || !strings.Contains(offer, "已播") || !strings.Contains(offer, "晴川府西门") {
		t.Fatalf("the correction offered: %q", offer)
	}
	if res := clerk.post(at+"/correct", url.Values{"checked": {"yes"}, "seen": {late.attr("#offer input[name=seen]", "value")}}); res.Code != http.StatusForbidden {
		t.Errorf("a clerk corrects: %d", res.Code)
	}
	correct := url.Values{"checked": {"yes"}, "seen": {late.attr("#offer input[name=seen]", "value")}}
	if res := signer.post(at+"/correct", correct); res.Code != http.StatusSeeOther {
		t.Fatalf("correcting: %d\n%s", res.Code, res.Body)
	}
	if res := signer.post(at+"/correct", correct); res.Code != http.StatusConflict {
		t.Errorf("correcting twice: %d", res.Code)
	}
	after := signer.page(at)
	if len(after.all("#offer")) != 0 || !strings.Contains(after.text(".correction"), "更正 2026 年第 1 号") || after.text(".paper") != issued.text(".paper") {
		t.Errorf("after the correction: %s", after.text("main"))
	}
	// The next issue prints it.
	res := clerk.post("/bulletins", url.Values{"kind": {"weekly"}, "from": {"2026-11-09"}, "to": {"2026-11-15"}})
	next, _, _ := strings.Cut(res.Header().Get("Location"), "?")
	if said := clerk.page(next).text(".paper"); !strings.Contains(said, "更正2026年第1号：第46期（总第98期）") || !strings.Contains(said, "待报") {
		t.Errorf("the next issue: %s", said)
	}
}

// agree compares the table of the paper with that of the ledger, digit by digit.
func agree(t *testing.T, ledger, paper doc) {
	t.Helper()
	rows := rowsOf(paper, "广播播放情况")
	if len(rows) < 3 {
		t.Fatalf("the paper has no table of broadcasts: %s", paper.text("main"))
	}
	digits := regexp.MustCompile(`[0-9.]+%|[0-9]+|—`)
	var want [][]string
	for _, tr := range ledger.all("#by-unit tbody tr, #by-unit tfoot tr") {
		row := cellTexts(tr)
		for i := range row[1:] {
			row[i+1] = digits.FindString(row[i+1])
		}
		want = append(want, slices.Delete(row, 8, 9)) // 未到: nothing of a week that is over
	}
	for i, r := range rows[1:] {
		got := append([]string{r[0]}, r[2:]...) // the ledger has no column of points
		if i >= len(want) || !strings.HasPrefix(want[i][0], got[0]) || len(want[i]) < len(got) || !slices.Equal(want[i][1:len(got)], got[1:]) {
			t.Errorf("row %d: the paper says %v, the ledger %v", i, got, want)
		}
	}
	if len(rows)-1 != len(want) {
		t.Errorf("%d rows on the paper, %d in the ledger", len(rows)-1, len(want))
	}
}

var docxText = regexp.MustCompile(`<w:t [^>]*>([^<]*)</w:t>`)

// filesAgree looks for every row of every table of the page in both files.
func filesAgree(t *testing.T, page doc, docx, xlsx []byte) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(docx), int64(len(docx)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open("word/document.xml")
	if err != nil {
		t.Fatal(err)
	}
	xml, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for _, m := range docxText.FindAllSubmatch(xml, -1) {
		said.WriteString("|" + string(m[1]))
	}
	book, err := sheet.Read(xlsx, sheet.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	var annex strings.Builder
	for _, s := range book.Sheets {
		for _, r := range s.Rows {
			annex.WriteString("|" + strings.Join(r.Cells, "|"))
		}
	}
	n := 0
	for _, table := range page.all(".paper table") {
		for _, tr := range (doc{t, table}).all("tr") {
			line := "|" + strings.Join(cellTexts(tr), "|")
			for name, file := range map[string]string{"docx": said.String(), "xlsx": annex.String()} {
				if !strings.Contains(file, line) {
					t.Errorf("the %s lacks the row %q", name, line)
				}
			}
			n++
		}
	}
	if n < 8 {
		t.Errorf("only %d rows were compared", n)
	}
}

// TestReportsReachTheHeadsAlone has a supervisor write a report and an approver
// sign it; the office sees nothing of it, and every look is in the audit.
func TestReportsReachTheHeadsAlone(t *testing.T) {
	w := newWorld(t)
	team, head := w.as(t, "inspector"), w.as(t, "approver")
	form := url.Values{"subject": {"松风社区播放督查"}, "text": {"（一）发现的问题\n南门两次未听到。"}}
	if res := w.as(t, "clerk").post("/reports", form); res.Code != http.StatusForbidden {
		t.Errorf("a clerk writes a report: %d", res.Code)
	}
	bad := url.Values{"subject": {"松风社区播放督查"}, "text": {"联系 13812345678"}}
	if res := team.post("/reports", bad); res.Code == http.StatusSeeOther || !strings.Contains(res.Body.String(), "松风社区播放督查") {
		t.Errorf("a telephone number in a report: %d", res.Code)
	}
	res := team.post("/reports", form)
	at, _, _ := strings.Cut(res.Header().Get("Location"), "?")
	if res.Code != http.StatusSeeOther || !strings.HasPrefix(at, "/reports/") {
		t.Fatalf("writing a report: %d %s", res.Code, res.Body)
	}
	for _, who := range []string{"admin", "clerk", "auditor"} {
		c := w.as(t, who)
		for _, path := range []string{"/reports", at, at + "/docx", at + "/xlsx"} {
			if res := c.get(path); res.Code != http.StatusForbidden {
				t.Errorf("%s gets %s: %d", who, path, res.Code)
			}
		}
		if who == "auditor" {
			continue
		}
		if res := c.get("/bulletins/" + strings.TrimPrefix(at, "/reports/")); res.Code != http.StatusNotFound {
			t.Errorf("%s gets the report among the bulletins: %d", who, res.Code)
		}
		if said := c.page("/bulletins?q=" + url.QueryEscape("松风社区播放督查")).text("main"); strings.Contains(said, "#1") || strings.Contains(said, "督查专报（") {
			t.Errorf("%s finds the report: %s", who, said)
		}
	}
	page := team.page(at)
	team.post(at+"/submit", url.Values{"version": {page.attr("#texts input[name=version]", "value")}})
	paper := head.page(at)
	if len(paper.all("#texts")) != 0 {
		t.Error("the head is offered to edit the team's report")
	}
	sign := url.Values{"version": {paper.attr("#sign input[name=version]", "value")}, "seen": {paper.attr("#sign input[name=seen]", "value")}, "number": {"1"}, "total": {"1"}, "checked": {"yes"}}
	if res := head.post(at+"/sign", sign); res.Code != http.StatusSeeOther {
		t.Fatalf("signing: %d\n%s", res.Code, res.Body)
	}
	head.get(at + "/docx")
	lines, err := w.store.Audits(t.Context(), 50)
	if err != nil {
		t.Fatal(err)
	}
	looks := map[string]int{}
	for _, a := range lines {
		if a.What == fleet.AuditReportRead {
			looks[a.Who+" "+a.Detail]++
		}
		if strings.Contains(fmt.Sprint(a.Object, a.Detail, a.Before, a.After), "松风社区播放督查") || strings.Contains(a.After, "南门") {
			t.Errorf("the audit tells what the report says: %+v", a)
		}
	}
	if looks["inspector page"] < 1 || looks["approver page"] < 1 || looks["approver docx"] != 1 {
		t.Errorf("looks in the audit: %v", looks)
	}
}

func TestSpecialBulletinIsTyped(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	if res := c.post("/bulletins", url.Values{"kind": {"special"}, "subject": {"冒充燃气公司"}, "text": {""}}); !strings.Contains(res.Body.String(), "冒充燃气公司") || !strings.Contains(res.Body.String(), "请写正文") {
		t.Errorf("without a text: %d", res.Code)
	}
	res := c.post("/bulletins", url.Values{"kind": {"special"}, "subject": {"关于冒充燃气公司诈骗的通报"}, "text": {"近日发生多起。"}, "unit": {fmt.Sprint(w.points["谷雨里南门"].Unit)}})
	at, _, _ := strings.Cut(res.Header().Get("Location"), "?")
	if said := c.page(at).text(".paper"); !strings.Contains(said, "关于冒充燃气公司诈骗的通报") || !strings.Contains(said, "近日发生多起。") || !strings.Contains(said, "发：青禾社区") {
		t.Errorf("the paper: %s", said)
	}
	if res := c.post("/bulletins", url.Values{"kind": {"weekly"}, "from": {"2026-11-20"}, "to": {"2026-11-26"}}); res.Code == http.StatusSeeOther || !strings.Contains(res.Body.String(), "已经过完") {
		t.Errorf("a week that is not over: %d", res.Code)
	}
	style := url.Values{"masthead": {"反诈简报"}, "issuer": {"示例街道综治中心"}, "copies": {"很多"}, "week_start": {"1"}}
	if res := c.post("/bulletins/style", style); res.Code == http.StatusSeeOther || !strings.Contains(res.Body.String(), "很多") {
		t.Errorf("copies that are no number: %d", res.Code)
	}
	style.Set("copies", "30")
	c.post("/bulletins/style", style)
	if said := c.page(at).text(".paper"); !strings.Contains(said, "反诈简报") || !strings.Contains(said, "共印30份") {
		t.Errorf("after the style was set: %s", said)
	}
}

// sheets are the pages of a PDF as Chromium writes it.
var sheets = regexp.MustCompile(`/Type /Page\b`)

// prints fails the test when a page does not fit so many sheets of paper.
func (b *browser) prints(path string, most int) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.url + path))
	pdf, err := chromedp.Run(b.ctx, chromedp.PrintToPDF(chromedp.PDFPreferCSSPageSize()))
	if err != nil {
		b.t.Fatal(err)
	}
	if n := len(sheets.FindAll(pdf, -1)); n < 1 || n > most {
		b.t.Errorf("%s takes %d sheets, want at most %d", path, n, most)
	}
}

// bulletinFamilies are the keys that are put together.
func bulletinFamilies(f map[string][]string) {
	for _, h := range []shelf{officeShelf, teamShelf} {
		f[strings.TrimSuffix(h.title, "title")] = []string{"title", "lead"}
		for _, k := range h.kinds {
			f["bulletin.kind."], f["bulletin.lead."] = append(f["bulletin.kind."], string(k)), append(f["bulletin.lead."], string(k))
		}
	}
	for _, st := range bulletinStates {
		f["bulletin.state."] = append(f["bulletin.state."], string(st))
	}
	for _, k := range []fleet.BulletinKind{fleet.WeeklyBulletin, fleet.SpecialBulletin} {
		f["chapter."] = append(f["chapter."], fleet.BulletinTexts(k)...)
	}
	f["done.bulletin_"] = []string{"begun", "saved", "submitted", "returned", "issued", "corrected", "style"}
}

// bulletinTour adds a draft of last week to the pages.
func (w *world) bulletinTour(t testing.TB, pages map[string]string) {
	t.Helper()
	if _, err := w.bulletins.Prepare(t.Context(), testNow); err != nil {
		t.Fatal(err)
	}
	pages["bulletins"], pages["bulletin"], pages["bulletin_new"] = "/bulletins", "/bulletins/1", "/bulletins/new?kind=special"
}
