package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/inspection"
	"gatecast/controller/ledger"
)

// inspections is a desk on the world's store, with the real ledger.
func (w *world) inspections(t testing.TB) *inspection.Desk {
	t.Helper()
	l, err := ledger.New(ledger.Options{Store: w.store, Witnesses: w.store, Clock: w.now})
	if err != nil {
		t.Fatal(err)
	}
	desk, err := inspection.New(w.store, l, shanghai)
	if err != nil {
		t.Fatal(err)
	}
	return desk
}

// TestInspectionIsTakenOnceAndWithdrawn fills the form of a telephone as a
// supervisor does: refused forms keep what was typed, one that arrives twice is
// kept once, and a withdrawal stays on record.
func TestInspectionIsTakenOnceAndWithdrawn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.as(t, "inspector")
	pt := w.points["谷雨里南门"]
	page := c.get("/inspections/new?point=" + strings.TrimPrefix(pointPath(pt.ID), "/points/")).Body.String()
	_, key, _ := strings.Cut(page, `name="key" value="`)
	if key, _, _ = strings.Cut(key, `"`); key == "" {
		t.Fatalf("the form has no key:\n%s", page)
	}
	form := url.Values{
		"key": {key}, "point": {strings.TrimPrefix(pointPath(pt.ID), "/points/")}, "minutes": {"5"}, "note": {"南门岗亭旁"},
	}
	res := c.postFile(t, "/inspections", form, "photo", testPhoto(t, 64, 48, 1))
	if body := res.Body.String(); res.Code != http.StatusUnprocessableEntity || !strings.Contains(body, "南门岗亭旁") || !strings.Contains(body, key) {
		t.Fatalf("without a finding: %d\n%s", res.Code, body)
	}
	form.Set("finding", "unheard")
	res = c.postFile(t, "/inspections", form, "photo", testPhoto(t, 64, 48, 1))
	to := res.Header().Get("Location")
	if res.Code != http.StatusSeeOther || !strings.HasSuffix(to, "?done=inspection") {
		t.Fatalf("%d %q\n%s", res.Code, to, res.Body)
	}
	if again := c.postFile(t, "/inspections", form, "photo", testPhoto(t, 64, 48, 1)).Header().Get("Location"); again != to {
		t.Errorf("sent twice it went to %q, first to %q", again, to)
	}
	all, n, err := w.store.Inspections(t.Context(), fleet.InspectionFilter{By: "inspector"})
	if err != nil || n != 1 || all[0].Slot == "" || all[0].Photo == 0 {
		t.Fatalf("%d kept: %+v, %v", n, all, err)
	}
	path := strings.TrimSuffix(to, "?done=inspection")
	if res := c.get(path + "/photo"); res.Header().Get("Content-Type") != "image/jpeg" {
		t.Errorf("photo: %d", res.Code)
	}
	if body := c.get("/inspections?by=me").Body.String(); !strings.Contains(body, "南门岗亭旁") {
		t.Error("one's own list leaves it out")
	}
	if body := w.as(t, "clerk").get("/inspections?by=me").Body.String(); strings.Contains(body, "南门岗亭旁") {
		t.Error("somebody else's list has it")
	}
	if res := c.post(path+"/withdraw", url.Values{"reason": {""}}); res.Code != http.StatusUnprocessableEntity {
		t.Errorf("withdrawn without a reason: %d", res.Code)
	}
	if res := c.post(path+"/withdraw", url.Values{"reason": {"走错了门"}}); res.Code != http.StatusSeeOther {
		t.Fatalf("withdrawing: %d", res.Code)
	}
	if seen, err := w.store.ObservationsOfSlot(t.Context(), pt.ID, all[0].Slot); err != nil || len(seen) != 0 {
		t.Errorf("still evidence: %+v, %v", seen, err)
	}
	if body := c.get(path).Body.String(); !strings.Contains(body, "走错了门") {
		t.Error("the reason is not on record")
	}
}

// inspectionTour adds the pages of an inspection to the tour.
func (w *world) inspectionTour(t testing.TB, pages map[string]string) {
	t.Helper()
	pt := w.points["谷雨里南门"].ID
	by := fleet.User{Login: "inspector", Name: "王工", Role: fleet.Supervisor}
	i, err := w.inspections(t).Take(t.Context(), by, fleet.Inspection{
		Key: "0123456789abcdef", At: testNow, Listened: 5 * time.Minute, Point: pt, Finding: fleet.Unheard, Note: strings.Repeat("岗亭旁听不到，小区内也听不到，", 6),
	}, testPhoto(t, 64, 48, 1), fleet.Audit{At: testNow, Who: "inspector"}, testNow)
	if err != nil {
		t.Fatal(err)
	}
	pages["inspections"], pages["inspection"] = "/inspections", inspectionPath(i.ID)
	pages["inspection_find"], pages["inspection_new"] = "/inspections/new?q=%E8%B0%B7%E9%9B%A8", fmt.Sprintf("/inspections/new?point=%d", pt)
}
