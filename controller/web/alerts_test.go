package web

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatecast/controller/alert"
	"gatecast/controller/fleet"
)

// alerted runs the desk of alerts over what the world settled last: everything
// that went wrong in its two weeks is past its deadline by now.
func (w *world) alerted(t testing.TB) []fleet.Alert {
	t.Helper()
	d, err := alert.New(alert.Options{Book: w.store, Places: w.store, Settings: w.store, Zone: shanghai, Now: func() time.Time { return testNow.Add(time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	open, _, err := w.store.Alerts(t.Context(), fleet.AlertFilter{Show: fleet.ShowOpen})
	if err != nil || len(open) == 0 {
		t.Fatalf("%d open alerts in the world: %v", len(open), err)
	}
	return open
}

func TestAlertsAreListedByUnit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	open := w.alerted(t)
	c := w.as(t, "inspector")
	d := c.page("/alerts")
	if rows := len(d.all("#alerts tbody tr:not(.sub)")); rows != len(open) {
		t.Errorf("%d rows, want %d", rows, len(open))
	}
	units := map[fleet.UnitID]int{}
	for _, a := range open {
		units[a.Unit]++
	}
	if groups := len(d.all("#alerts tr.sub")); groups != len(units) {
		t.Errorf("%d units, want %d", groups, len(units))
	}
	text := d.text("#alerts")
	for _, want := range []string{"个时段", "联络员", "****", "待处理", "请电话通知物业"} {
		if !strings.Contains(text, want) {
			t.Errorf("the list does not say %q:\n%s", want, text)
		}
	}
	if regexp.MustCompile(`1[3-9]\d{9}`).MatchString(text) {
		t.Error("a whole number is shown")
	}
	for unit, n := range units {
		if got := len(c.page(fmt.Sprintf("/alerts?unit=%d", unit)).all("#alerts tbody tr:not(.sub)")); got != n {
			t.Errorf("unit %d: %d rows, want %d", unit, got, n)
		}
	}
	if d := c.page("/alerts?q=" + url.QueryEscape("没有这样的点位")); len(d.all("#alerts")) != 0 || !strings.Contains(d.text("main"), "没有符合条件的预警") {
		t.Error("a search without result is not said to be one")
	}
	book := c.get("/alerts/list.csv?show=open")
	if lines := strings.Count(strings.TrimSpace(book.Body.String()), "\n"); book.Code != http.StatusOK || lines < len(open) || !strings.Contains(book.Body.String(), "可能原因") || !strings.Contains(book.Body.String(), "****") {
		t.Errorf("the list as CSV: %d, %d lines\n%s", book.Code, lines, book.Body)
	}
	if res := c.get("/alerts/list.xlsx"); res.Code != http.StatusOK || !strings.HasPrefix(res.Body.String(), "PK") {
		t.Errorf("the list as a workbook: %d", res.Code)
	}
	if d := c.page("/alerts?show=nonsense&trouble=x&unit=-1&page=0"); len(d.all("#alerts tbody tr:not(.sub)")) != len(open) {
		t.Error("what the address says wrong is not left out")
	}
}

// TestAlertIsAcknowledgedWithANote opens an alert, refuses an empty note and
// one that is too long without losing it, keeps the right one with a line of
// the audit, and leaves the alert open.
func TestAlertIsAcknowledgedWithANote(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.alerted(t)[0]
	path := alertPath(a.ID)
	c := w.as(t, "clerk")
	d := c.page(path)
	for _, want := range []string{"可能原因", "先做什么", "找谁", "联络员", "物业", "涉及时段", "经过"} {
		if !strings.Contains(d.text("main"), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if n := len(d.all("#affected tbody tr")); n != a.Slots {
		t.Errorf("%d slots, want %d", n, a.Slots)
	}
	long := strings.Repeat("长", 150)
	res := c.post(path, url.Values{"note": {long}})
	if body := parse(t, res); res.Code != http.StatusUnprocessableEntity || body.attr("#ak-n", "value") != long {
		t.Errorf("a note that is too long: %d, kept %q", res.Code, body.attr("#ak-n", "value"))
	}
	if res := c.post(path, url.Values{"note": {" "}}); res.Code != http.StatusUnprocessableEntity {
		t.Errorf("an empty note: %d", res.Code)
	}
	if res := c.post(path, url.Values{"note": {"已电话物业 13800001234，下午去看"}}); res.Code != http.StatusSeeOther {
		t.Fatalf("a note: %d\n%s", res.Code, res.Body)
	}
	f, err := w.store.AlertFile(t.Context(), a.ID)
	if err != nil || f.AckedBy != "clerk" || !f.Open() {
		t.Errorf("afterwards: %+v, %v", f.Alert, err)
	}
	if last := f.Lines[len(f.Lines)-1]; last.Kind != fleet.AlertAcked || last.Note != "已电话物业 138****1234，下午去看" || last.Name != "李工" {
		t.Errorf("line %+v", last)
	}
	lines, err := w.store.Audits(t.Context(), 1)
	if err != nil || lines[0].What != fleet.AuditAlert || lines[0].Who != "clerk" || !strings.Contains(lines[0].Detail, "已电话物业") {
		t.Errorf("audit %+v, %v", lines, err)
	}
	if text := c.page("/alerts").text("#alerts"); !strings.Contains(text, "李工") {
		t.Error("the list does not say who took note")
	}
	if text := c.page("/alerts?show=new").text("#alerts"); strings.Contains(text, "李工") {
		t.Error("it is still to be dealt with")
	}
	if res := c.get("/alerts/99999"); res.Code != http.StatusNotFound {
		t.Errorf("an alert that does not exist: %d", res.Code)
	}
	if res := w.as(t, "inspector").post(path, url.Values{"note": {"已到现场"}}); res.Code != http.StatusSeeOther {
		t.Errorf("an inspector: %d", res.Code)
	}
	if res := w.as(t, "auditor").get(path); res.Code != http.StatusForbidden {
		t.Errorf("an auditor: %d", res.Code)
	}
}

// TestPropertySeesItsOwnAlert shows a property company the alert of its gate,
// with what to do, and no other one.
func TestPropertySeesItsOwnAlert(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.alerted(t)
	pt := w.points["谷雨里南门"] // doubtful again and again
	compounds, err := w.store.Compounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	company := ""
	for _, k := range compounds {
		if k.ID == pt.Compound {
			company = k.Property
		}
	}
	user, err := w.store.UserByLogin(t.Context(), "clerk")
	if err != nil {
		t.Fatal(err)
	}
	user.ID, user.Login, user.Name, user.Role, user.Company = 0, "wuye", "物业值班", fleet.PropertyAccount, company
	if _, err := w.store.SaveUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	c := w.as(t, "wuye")
	text := c.page("/my").text("main")
	for _, want := range []string{"谷雨里南门", "漏播预警：无声存疑", "个时段测不到声音", "请物业看功放电源"} {
		if !strings.Contains(text, want) {
			t.Errorf("/my does not say %q: %s", want, text)
		}
	}
	if strings.Contains(text, "漏播预警：离线待报") {
		t.Error("/my shows the alert of somebody else")
	}
	if res := c.get("/alerts"); res.Code != http.StatusForbidden {
		t.Errorf("the list of all alerts: %d", res.Code)
	}
}
