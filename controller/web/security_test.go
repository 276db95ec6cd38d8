package web

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

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
		if !strings.Contains(csp, "default-src 'none'; script-src 'self'; style-src 'self'") || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "frame-ancestors 'none'") {
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
