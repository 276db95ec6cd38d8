package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatecast/controller/fleet"
)

// TestPeriodIsPublishedAndCorrected walks through it as a supervisor does:
// from the compliance page over the confirmation to the sealed numbers, and,
// after a late report, to a correction.
func TestPeriodIsPublishedAndCorrected(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "inspector")
	const period = "/compliance?from=2026-11-16&to=2026-11-22"
	d := c.page(period)
	link := ""
	for _, a := range d.all("a.btn.primary") {
		link = attrOf(a, "href")
	}
	if !strings.HasPrefix(link, "/publications/new?") {
		t.Fatalf("no way to publish: %q", link)
	}
	if len(w.as(t, "clerk").page(period).all("a.btn.primary")) != 0 {
		t.Error("a clerk is offered to publish")
	}
	owed, _, _ := strings.Cut(d.text("#by-unit tfoot"), " ▼") // the ledger also compares it with the week before
	confirm := c.page(link)
	form := url.Values{"from": {"2026-11-16"}, "to": {"2026-11-22"}, "number": {confirm.attr("#p-n", "value")}}
	if res := c.post("/publications", form); !strings.HasPrefix(res.Header().Get("Location"), "/publications/new") {
		t.Errorf("without the tick: %d %q", res.Code, res.Header().Get("Location"))
	}
	form.Set("checked", "yes")
	res := c.post("/publications", form)
	at, _, _ := strings.Cut(res.Header().Get("Location"), "?")
	if res.Code != http.StatusSeeOther || at != "/publications/1" {
		t.Fatalf("publishing: %d %q\n%s", res.Code, at, res.Body)
	}
	sealed := c.page(at)
	if got := sealed.text("#by-unit tfoot"); got != owed {
		t.Errorf("sealed %q, the ledger said %q", got, owed)
	}
	if !strings.Contains(sealed.text("main"), "签发之后没有变化") {
		t.Error("a fresh publication says that something changed")
	}
	if live := c.page(period).text("main"); !strings.Contains(live, "2026 年第 1 号") || len(c.page(period).all("a.btn.primary")) != 0 {
		t.Errorf("the compliance page does not say that the period is published: %s", live)
	}

	rows, err := w.store.Obligations(t.Context(), fleet.ObligationFilter{From: "2026-11-22", To: "2026-11-22", Verdict: fleet.Pending})
	if err != nil || len(rows) == 0 {
		t.Fatalf("nothing is pending: %v", err)
	}
	o := rows[0]
	st := fleet.Settlement{Point: o.Point, Day: o.Day, Slot: o.Slot, Verdict: fleet.Played, Grade: fleet.GradeB, PlaysOK: o.Plays, SoundMS: o.PlannedMS}
	if _, err := w.store.Settle(t.Context(), []fleet.Settlement{st}, testNow); err != nil {
		t.Fatal(err)
	}
	changed := c.page(at)
	if changed.text("#by-unit tfoot") != owed {
		t.Error("the sealed numbers changed")
	}
	if said := changed.text("main"); !strings.Contains(said, "尚未更正") || !strings.Contains(said, "迟报") || !strings.Contains(said, "晴川府西门") {
		t.Errorf("the late report is not shown: %s", said)
	}
	if !strings.Contains(c.page("/publications").text("#publications"), "1 个时段有变化") {
		t.Error("the list does not say that something changed")
	}
	if len(w.as(t, "clerk").page(at).all("form[action='"+at+"/amend']")) != 0 {
		t.Error("a clerk is offered to sign a correction")
	}
	c.post(at+"/amend", url.Values{"checked": {"yes"}})
	amended := c.page(at)
	said := amended.text("main")
	if !strings.Contains(said, "2026 年更正第 1 号") || strings.Contains(said, "尚未更正") || amended.text("#by-unit tfoot") != owed {
		t.Errorf("after the correction: %s", said)
	}
	sum := amended.text(".amendment dl")
	if !strings.Contains(sum, "→") || !strings.Contains(sum, "待报") {
		t.Errorf("changed sums: %q", sum)
	}
	c.post(at+"/amend", url.Values{"checked": {"yes"}})
	if p, err := w.store.Published(t.Context(), 1); err != nil || len(p.Amendments) != 1 {
		t.Errorf("a second correction of nothing: %+v, %v", p.Amendments, err)
	}
	a, err := w.store.Audits(t.Context(), 10)
	if err != nil || !strings.Contains(auditWords(a), "publish amend") && !strings.Contains(auditWords(a), "amend publish") {
		t.Errorf("audit %q, %v", auditWords(a), err)
	}
}

func auditWords(all []fleet.Audit) string {
	var words []string
	for _, a := range all {
		if a.What == "publish" || a.What == "amend" {
			words = append(words, string(a.What))
		}
	}
	return strings.Join(words, " ")
}

func TestPublishIsRefusedInWords(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "admin")
	for path, want := range map[string]string{
		"/publications/new?from=2026-11-16&to=2026-11-23": "还没有过完",
		"/publications/new?from=2026-09-01&to=2026-09-07": "没有应播时段",
	} {
		d := c.page(path)
		if !strings.Contains(d.text(".notice[role=alert]"), want) || len(d.all("form[action='/publications']")) != 0 {
			t.Errorf("%s: %s", path, d.text("main"))
		}
	}
	form := url.Values{"from": {"2026-11-16"}, "to": {"2026-11-23"}, "checked": {"yes"}}
	if res := c.post("/publications", form); res.Code != http.StatusSeeOther || !strings.HasPrefix(res.Header().Get("Location"), "/publications/new") {
		t.Errorf("a running period: %d", res.Code)
	}
	if res := c.get("/publications/99"); res.Code != http.StatusNotFound {
		t.Errorf("a publication that is not there: %d", res.Code)
	}
}
