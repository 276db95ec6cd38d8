package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// routeTable is every route and who may use it: a for admin, c for clerk, i
// for inspector (supervisor), * for nobody in particular.
var routeTable = []struct{ method, path, who string }{
	{"GET", "/login", "*"}, {"GET", "/j/XXXXX-XXXXX", "*"}, {"GET", "/j/XXXXX-XXXXX/join.txt", "*"},
	{"GET", "/", "aci"}, {"GET", "/points", "aci"}, {"GET", "/points/1", "aci"}, {"POST", "/points/1/clock", "ac"}, {"GET", "/points/1/slots/2026-11-23.default.noon", "aci"},
	{"GET", "/password", "aci"}, {"POST", "/password", "aci"},
	{"GET", "/enrol", "ac"}, {"POST", "/enrol", "ac"}, {"GET", "/enrol/XXXXX-XXXXX", "ac"},
	{"GET", "/clips", "aci"}, {"GET", "/clips/1", "aci"}, {"GET", "/clips/1/audio", "aci"}, {"POST", "/clips", "ac"},
	{"GET", "/programmes", "aci"}, {"GET", "/programmes/1", "aci"}, {"GET", "/programmes/1/yaml", "aci"}, {"POST", "/programmes", "ac"},
	{"GET", "/programmes/1/activate", "ac"}, {"POST", "/programmes/1/activate", "ac"},
	{"GET", "/compliance", "aci"},
	{"GET", "/publications", "aci"}, {"GET", "/publications/1", "aci"}, {"GET", "/publications/new", "ai"},
	{"POST", "/publications", "ai"}, {"POST", "/publications/1/amend", "ai"},
	{"GET", "/rejected", "aci"}, {"GET", "/restored", "aci"}, {"POST", "/restored/confirm", "ac"},
	{"GET", "/compliance/export", "aci"},
	{"GET", "/nowhere", "aci"}, {"POST", "/login", "*"},
	{"POST", "/logout", "aci"}, // last: it ends the session that the others need
}

func TestPermissions(t *testing.T) {
	w := newWorld(t)
	accounts := map[string]string{"a": "admin", "c": "clerk", "i": "inspector"}
	for letter, login := range accounts {
		c := w.as(t, login)
		for _, rt := range routeTable {
			t.Run(fmt.Sprintf("%s_%s_%s", login, rt.method, strings.ReplaceAll(rt.path, "/", "_")), func(t *testing.T) {
				var res *httptest.ResponseRecorder
				if rt.method == "GET" {
					res = c.get(rt.path)
				} else {
					res = c.post(rt.path, nil)
				}
				allowed := rt.who == "*" || strings.Contains(rt.who, letter)
				if got := res.Code != http.StatusForbidden; got != allowed {
					t.Errorf("%s %s as %s: %d, allowed should be %v", rt.method, rt.path, login, res.Code, allowed)
				}
				if res.Code == http.StatusInternalServerError {
					t.Errorf("%s %s broke:\n%s", rt.method, rt.path, w.log)
				}
			})
		}
	}
	for _, rt := range routeTable {
		c := w.client(t)
		r := httptest.NewRequest(rt.method, rt.path, nil)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		res := c.do(r)
		if toLogin := strings.HasPrefix(res.Header().Get("Location"), "/login"); toLogin == (rt.who == "*") {
			t.Errorf("%s %s without login: %d to %q", rt.method, rt.path, res.Code, res.Header().Get("Location"))
		}
	}
	for _, path := range []string{"/events/", "/events/points", "/events/enrol"} {
		if body := w.client(t).get(path).Body.String(); !strings.Contains(body, "event: gone") || strings.Contains(body, "event: card") {
			t.Errorf("GET %s without login: %q", path, body)
		}
	}
}

// TestRouteTableIsComplete finds routes that the matrix above forgets.
func TestRouteTableIsComplete(t *testing.T) {
	source, err := os.ReadFile("routes.go")
	if err != nil {
		t.Fatal(err)
	}
	routes := regexp.MustCompile(`s\.(?:public|may)\(mux,.*"(GET|POST) (/[^"]*)"|s\.page\(mux, [^"]*"(/[^"]*)"`).FindAllStringSubmatch(string(source), -1)
	if len(routes) < 20 {
		t.Fatalf("only %d routes found", len(routes))
	}
	variable := regexp.MustCompile(`\\\{\w+\\\}`)
	for _, r := range routes {
		method, path := r[1], r[2]
		if r[3] != "" {
			method, path = "GET", strings.TrimSuffix(r[3], "{$}")
		}
		pattern := regexp.MustCompile("^" + variable.ReplaceAllString(regexp.QuoteMeta(path), "[^/]+") + "$")
		if !slices.ContainsFunc(routeTable, func(rt struct{ method, path, who string }) bool {
			return rt.method == method && pattern.MatchString(rt.path)
		}) {
			t.Errorf("the matrix lacks %s %s", method, path)
		}
	}
}

func TestOtherSitesCannotPost(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "admin")
	for _, headers := range []map[string]string{
		{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"},
	} {
		r := httptest.NewRequest(http.MethodPost, "/logout", nil)
		for k, v := range headers {
			r.Header.Set(k, v)
		}
		if res := c.do(r); res.Code != http.StatusForbidden {
			t.Errorf("POST with %v: %d", headers, res.Code)
		}
	}
	c.page("/")
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	w := newEmptyWorld(t)
	c := w.as(t, "admin")
	for _, path := range []string{"/", "/login", "/nowhere", w.server.assets.url("ui.css"), "/j/XXXXX-XXXXX"} {
		h := c.get(path).Header()
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'self'") || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: policy %q", path, csp)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: headers %v", path, h)
		}
	}
	if got := c.get("/").Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("a page behind the login may be cached: %q", got)
	}
	res := c.get(w.server.assets.url("ui.css"))
	if !strings.Contains(res.Header().Get("Cache-Control"), "immutable") || !strings.HasPrefix(res.Header().Get("Content-Type"), "text/css") {
		t.Errorf("stylesheet: %v", res.Header())
	}
}

// hostile is what somebody could have typed as a name.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>{{.}}'`

func TestHostileNamesStayText(t *testing.T) {
	w := newEmptyWorld(t)
	err := w.store.ImportRegistry(t.Context(), fleet.Registry{
		Units: []fleet.UnitEntry{
			{Unit: fleet.Unit{Code: "R", Type: fleet.Subdistrict, Name: hostile, Order: 1}},
			{Parent: "R", Unit: fleet.Unit{Code: "U", Type: fleet.Community, Name: hostile, Order: 2}},
		},
		Points: []fleet.PointEntry{{Unit: "U", Point: fleet.Point{
			Code: "P-1", Name: hostile, Kind: fleet.Gate, DutyName: hostile, DutyPhone: hostile,
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	points, err := w.store.Points(t.Context(), fleet.PointFilter{})
	if err != nil || len(points) != 1 {
		t.Fatalf("points %v, %v", points, err)
	}
	p := points[0]
	w.enrol(t, p, "d-hostile", testNow.Add(-time.Hour))
	state := wire.State{
		Session: 1, Online: true, PlanVersion: 1, Output: wire.Output{Sink: hostile, Device: hostile, Mixer: hostile}, Playing: wire.PlayID(hostile),
		Conditions: []wire.Condition{{Code: "output_fault", Severity: "bad", Detail: hostile}, {Code: hostile, Severity: "warn", Detail: hostile}},
	}
	if _, err := w.store.SaveHello(t.Context(), "d-hostile", wire.Hello{Session: 1, Agent: hostile, Platform: hostile, State: state}, testNow); err != nil {
		t.Fatal(err)
	}
	start := testNow.Add(-10 * time.Minute)
	slot := wire.SlotID("2026-11-23.x.evening")
	_, err = w.store.PutObligations(t.Context(), fleet.PlanWindow{Points: []fleet.PointID{p.ID}, From: start.Add(-time.Hour), To: start.Add(time.Hour)}, []fleet.Obligation{{
		Point: p.ID, Day: "2026-11-23", Slot: slot, Programme: "x", Version: 1, Name: hostile, DayType: hostile, Start: start, End: start.Add(time.Minute), Plays: 1,
		Verdict: fleet.Exempt, Reason: wire.Reason(hostile), Note: hostile,
	}}, start.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(wire.Outcome{Play: wire.PlayID(slot + "#1"), Slot: slot, Clip: hostile, Result: wire.PlayResult(hostile), Reason: wire.Reason(hostile), Detail: hostile, Sink: hostile, Device: hostile, Path: hostile})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(wire.Record{Log: "00112233445566aa", Seq: 1, Kind: wire.RecordOutcome, AtUS: wire.US(testNow), Body: body})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.store.AppendRecords(t.Context(), "d-hostile", "00112233445566aa", []json.RawMessage{raw}, testNow); err != nil || n != 1 {
		t.Fatalf("AppendRecords = %d, %v", n, err)
	}
	if _, err := w.store.AddClip(t.Context(), fleet.Clip{SHA256: strings.Repeat("ab", 32), Name: hostile, Title: hostile, ScamType: hostile, Audience: hostile, Text: hostile, By: hostile, Rate: 24000, Frames: 24000, Uploaded: testNow}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.AddProgramme(t.Context(), fleet.Programme{Code: hostile, Name: hostile, YAML: []byte(hostile), State: fleet.Draft, Uploaded: testNow, By: hostile}); err != nil {
		t.Fatal(err)
	}
	if err := w.store.AddAudit(t.Context(), fleet.Audit{At: testNow, Who: hostile, What: hostile, Object: hostile}); err != nil {
		t.Fatal(err)
	}
	c := w.as(t, "admin")
	for _, path := range []string{"/clips/1", "/programmes/1", slotPath(p.ID, slot), "/compliance?result=all", "/", "/points", "/points?q=" + "%22%3E%3Cscript%3E", pointPath(p.ID), "/enrol", "/clips?q=%22%3E%3Cscript%3E", "/programmes", "/compliance?from=%22%3E%3Cscript%3E&slot=%22%3E%3Cscript%3E", "/login?to=%22%3E%3Cscript%3E", "/?done=%3Cscript%3E"} {
		res := c.get(path)
		if res.Code >= 400 {
			t.Errorf("GET %s = %d", path, res.Code)
		}
		d := parse(t, res)
		d.count("script:not([src])", 0)
		d.count("img[onerror]", 0)
		if strings.Contains(res.Body.String(), "<script>") {
			t.Errorf("GET %s writes a name as markup", path)
		}
	}
}

func TestLongNamesAndPhonesOfAnyLength(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "12": "****", "123456": "****", "13800000421": "138****0421", " 13800000421 ": "138****0421", "0557-1234567": "055****4567",
	} {
		if got := mask(in); got != want {
			t.Errorf("mask(%q) = %q, want %q", in, got, want)
		}
	}
}
