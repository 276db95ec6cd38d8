package web

import (
	"bytes"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"gatecast/internal/evidence"
)

// TestTableHandedOutWithItsSlip exports the list of slots, finds its slip by
// the code in the first line, and compares the two.
func TestTableHandedOutWithItsSlip(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	res := c.get("/compliance/slots.csv")
	if res.Code != http.StatusOK {
		t.Fatalf("export: %d", res.Code)
	}
	table := res.Body.Bytes()
	line, _, _ := bytes.Cut(table, []byte("\r\n"))
	code := regexp.MustCompile(`[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{4}`).FindString(string(line))
	if code == "" || !strings.Contains(string(line), "核验编号") {
		t.Fatalf("first line %q has no code", line)
	}
	if got := c.page("/papers?q=" + strings.ToLower(code)).text("#papers"); !strings.Contains(got, code) || !strings.Contains(got, "clerk") {
		t.Errorf("list of what was handed out: %q", got)
	}
	if got := c.page("/papers?q=nothing-like-it").text("main"); !strings.Contains(got, "没有导出记录") {
		t.Errorf("a search for nothing: %q", got)
	}
	slip := c.get("/papers/slips/" + code)
	if slip.Code != http.StatusOK || !strings.Contains(slip.Header().Get("Content-Disposition"), evidence.SlipSuffix) {
		t.Fatalf("slip: %d, %v", slip.Code, slip.Header())
	}
	o, err := evidence.OpenSlip(slip.Body.Bytes(), "")
	if err != nil || o.Code != code || o.By != "clerk" {
		t.Fatalf("OpenSlip = %+v, %v", o, err)
	}
	if err := o.Check(bytes.NewReader(table)); err != nil {
		t.Errorf("the table as it was sent: %v", err)
	}
	if err := o.Check(bytes.NewReader(bytes.Replace(table, []byte("0"), []byte("1"), 1))); !errors.Is(err, evidence.ErrSlipChanged) {
		t.Errorf("the table with a digit changed: %v, want ErrSlipChanged", err)
	}
	if res := c.get("/papers/slips/AAAA-AAAA-AAAA"); res.Code != http.StatusNotFound {
		t.Errorf("a code that was never given: %d", res.Code)
	}
}
