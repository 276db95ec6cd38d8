package web

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
	"gatecast/internal/audit"
)

func TestAuditPageShowsWhoDidWhat(t *testing.T) {
	w := newWorld(t)
	for i := range 150 {
		a := fleet.Audit{At: testNow.Add(-time.Duration(200-i) * time.Minute), Who: "clerk", Role: fleet.Clerk, From: "192.0.2.7", What: fleet.AuditActivate, Object: fmt.Sprint("计划", i), Before: fleet.Fields("版本", "1", "点位", "3"), After: fleet.Fields("版本", "2", "点位", "3")}
		if i == 77 {
			a.Object, a.From, a.Failed = `=1+2<script>alert(1)</script>`, "198.51.100.9", true
		}
		if err := w.store.AddAudit(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	c := w.as(t, "auditor")
	d := c.page("/audit")
	d.count("#audit tbody tr", auditsShown)
	d.has("#audit tbody tr:first-child", "查看了审计")
	d.has("#audit tbody tr:first-child", "auditor")
	d.has("#audit tbody tr:first-child", "审计员")
	d.has("#audit tbody tr:first-child", "192.0.2.")
	d.has("#audit tbody tr:nth-child(3)", "激活播放计划")
	d.has("#audit tbody tr:nth-child(3)", "版本")
	d.has("#audit tbody tr:nth-child(3)", "1")
	d.has("#audit tbody tr:nth-child(3)", "2")
	if strings.Contains(d.text("#audit tbody tr:nth-child(3) td:nth-child(4)"), "点位") {
		t.Error("a field that did not change is shown")
	}
	older := d.attr(`a[rel="next"]`, "href")
	c.page(older).has("#audit tbody", "计划20")
	one := c.page("/audit?" + url.Values{"address": {"198.51"}, "who": {"CLERK"}, "what": {"activate"}, "failed": {"yes"}, "from": {"2026-11-22"}, "to": {"2026-11-24"}}.Encode())
	one.count("#audit tbody tr", 1)
	one.has("#audit", "未成功")
	one.has("#audit", "<script>")
	one.count("#audit script", 0)
	c.page("/audit?from=bad&to=%00&below=x&what=nothing").count("#audit tbody tr", auditsShown)

	lines, err := w.store.FindAudits(t.Context(), fleet.AuditFilter{What: fleet.AuditViewed})
	if err != nil || len(lines) != 1 {
		t.Errorf("looking five times left %d lines, %v, want one a session", len(lines), err)
	}
	w.as(t, "auditor").page("/audit")
	if lines, err = w.store.FindAudits(t.Context(), fleet.AuditFilter{What: fleet.AuditViewed}); err != nil || len(lines) != 2 {
		t.Errorf("another session: %d lines, %v", len(lines), err)
	}
}

func TestAuditExports(t *testing.T) {
	w := newWorld(t)
	for _, object := range []string{"=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "plain"} {
		if err := w.store.AddAudit(t.Context(), fleet.Audit{At: testNow, Who: "clerk", What: fleet.AuditClip, Object: object}); err != nil {
			t.Fatal(err)
		}
	}
	c := w.as(t, "auditor")
	res := c.get("/audit/export.csv?what=clip")
	body := res.Body.Bytes()
	text, found := bytes.CutPrefix(body, []byte("\ufeff"))
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil || !found || res.Code != http.StatusOK || !strings.Contains(res.Header().Get("Content-Disposition"), "gatecast-audit-2026-11-23.csv") {
		t.Fatalf("export.csv: %d, %v, %v", res.Code, err, res.Header())
	}
	var objects []string
	for _, row := range rows[2:] {
		objects = append(objects, row[7])
	}
	want := []string{"plain", "' =1", "'@SUM(A1)", "'-1", "'+1", "'=cmd|' /C calc'!A0"}
	want[1] = " =1" // a tab is no part of a line
	if diff := cmp.Diff(want, objects[:6]); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if !strings.Contains(rows[0][0], "auditor") {
		t.Errorf("first row %q does not say who exported", rows[0])
	}
	for in, want := range map[string]string{"\t=1": "'\t=1", "＝1": "'＝1", "'x": "''x", "": "", "a=b": "a=b"} {
		if got := inert(in); got != want {
			t.Errorf("inert(%q) = %q, want %q", in, got, want)
		}
	}

	res = c.get("/audit/export.jsonl")
	file := res.Body.Bytes()
	report, err := audit.Verify(bytes.NewReader(file), "")
	if err != nil || len(report.Faults) > 0 || report.OtherRoot || report.Signed != report.Last || report.Last < 8 {
		t.Fatalf("Verify = %+v, %v", report, err)
	}
	edited := bytes.Replace(file, []byte(`"plain"`), []byte(`"plane"`), 1)
	if report, err = audit.Verify(bytes.NewReader(edited), ""); err != nil || len(report.Faults) == 0 || report.Faults[0].Code != audit.Changed {
		t.Errorf("an edited file: %+v, %v", report.Faults, err)
	}
	lines, err := w.store.FindAudits(t.Context(), fleet.AuditFilter{What: fleet.AuditExported})
	if err != nil || len(lines) != 2 || lines[1].Detail != "what=clip" {
		t.Errorf("exports left %+v, %v", lines, err)
	}
}

func TestRefusalsAreToldAndBounded(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "inspector")
	for range 40 {
		if res := c.get("/audit"); res.Code != http.StatusForbidden {
			t.Fatalf("GET /audit as inspector = %d", res.Code)
		}
	}
	lines, err := w.store.FindAudits(t.Context(), fleet.AuditFilter{What: fleet.AuditForbidden})
	if err != nil || len(lines) != plainRefusals+2 || !lines[0].Failed || lines[0].Who != "inspector" || lines[0].Object != "GET /audit" || lines[0].Detail != "audit ×32" {
		t.Errorf("40 refusals left %d lines, %v: %+v", len(lines), err, lines[:1])
	}
	r := newRefusals()
	for i := range 5000 { // addresses without end share what is left
		r.count(fmt.Sprint(i), testNow)
	}
	if len(r.seen) > maxRefusals+1 {
		t.Errorf("%d counts are kept", len(r.seen))
	}
	if n, tell := r.count("0", testNow.Add(2*refusalPause)); n != 1 || !tell {
		t.Errorf("after a pause: %d, %v", n, tell)
	}
}

func TestRevealTakesAReason(t *testing.T) {
	w := newWorld(t)
	p := w.points["谷雨里南门"]
	full := p.DutyPhone.Full()
	if len(full) != 11 {
		t.Fatalf("the sample's number is %q", full)
	}
	path := pointPath(p.ID) + "/phone"
	c := w.as(t, "clerk")
	for _, url := range []string{pointPath(p.ID), path} {
		if res := c.get(url); strings.Contains(res.Body.String(), full) || res.Code != http.StatusOK {
			t.Errorf("GET %s = %d, or shows the whole number", url, res.Code)
		}
	}
	if res := c.post(path, url.Values{"reason": {" x "}}); res.Code != http.StatusUnprocessableEntity || strings.Contains(res.Body.String(), full) {
		t.Errorf("without a reason: %d", res.Code)
	}
	res := c.post(path, url.Values{"reason": {"喇叭不响，打给13912345678"}})
	parse(t, res).has("#number", full)
	lines, err := w.store.Audits(t.Context(), 1)
	if err != nil || lines[0].What != fleet.AuditReveal || lines[0].Who != "clerk" || lines[0].From == "" || lines[0].Detail != "喇叭不响，打给139****5678" || strings.Contains(fmt.Sprint(lines[0]), full) {
		t.Errorf("line %+v, %v", lines[0], err)
	}
	if res := w.as(t, "inspector").post(path, url.Values{"reason": {"just looking"}}); res.Code != http.StatusForbidden {
		t.Errorf("as inspector: %d", res.Code)
	}
	notice := w.as(t, "clerk").page("/privacy")
	for _, want := range []string{"身份证号", "30", "400"} {
		notice.has("main", want)
	}
}
