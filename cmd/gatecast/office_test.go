package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
)

var update = flag.Bool("update", false, "write testdata/office.txt anew")

// TestOffice calls one controller with everything that there is; opening its
// store takes longer than all the calls.
func TestOffice(t *testing.T) {
	w := newOfficeWorld(t)
	for _, tt := range []struct {
		name string
		run  func(*testing.T, *officeWorld)
	}{
		{"json", testOfficeJSON}, {"tables", testOfficeTables}, {"standard_input", testOfficeStandardInput},
		{"trouble", testOfficeTrouble}, {"environment", testOfficeEnvironment}, {"refusals", testOfficeRefusals},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, w) })
	}
}

func testOfficeTables(t *testing.T, w *officeWorld) {
	if status, out, errs := w.call(t, w.all, "relay", "add", "警惕冒充客服", "-source", "区总指挥群"); status != exitOK || out != "已发起转发，编号\n1\n" {
		t.Fatalf("relay add = %d, %q, %q", status, out, errs)
	}
	var got strings.Builder
	for _, args := range [][]string{{"status"}, {"points"}, {"missed"}, {"missed", "-from", "2026-11-01", "-to", "2026-11-02"}, {"clips"}, {"clips", "-state", "approved"}, {"groups"}, {"relay"}, {"missed", "-lang", "en"}} {
		status, out, errs := w.call(t, w.read, args...)
		if status != exitOK || errs != "" {
			t.Errorf("%q = %d, %q", args, status, errs)
		}
		got.WriteString("$ " + strings.Join(args, " ") + "\n" + strings.ReplaceAll(out, w.url, "https://HOST") + "\n")
	}
	golden := filepath.Join("testdata", "office.txt")
	if *update {
		writeText(t, golden, got.String())
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("tables differ (-want +got):\n%s", diff)
	}
}

func testOfficeJSON(t *testing.T, w *officeWorld) {
	for name, want := range map[string]string{"status": `"points": 2`, "points": `"code": "SL-01"`, "missed": `"reason": "power"`, "clips": `"name": "kefu"`, "groups": `"members": 40`, "relay": `"tasks": []`} {
		status, out, errs := w.call(t, w.read, name, "-json")
		if status != exitOK || !json.Valid([]byte(out)) || !strings.Contains(out, want) {
			t.Errorf("%s -json = %d, want %s in\n%s%s", name, status, want, out, errs)
		}
	}
}

// testOfficeStandardInput starts a text that is not on the command line.
func testOfficeStandardInput(t *testing.T, w *officeWorld) {
	var out, errs bytes.Buffer
	args := []string{"office", "relay", "add", "-", "-urgent", "-json", "-url", w.url, "-ca", w.ca, "-token-file", w.all}
	if status := run(args, streams{strings.NewReader("今晚停电\n"), &out, &errs}); status != exitOK || out.String() != "{\n  \"id\": 2\n}\n" {
		t.Errorf("relay add - = %d, %q, %q", status, &out, &errs)
	}
	items, err := w.store.RelayItems(t.Context(), "", 10, 0, officeNow)
	if err != nil || len(items) != 2 || items[0].Text != "今晚停电" || !items[0].Urgent {
		t.Errorf("the controller has %+v, %v", items, err)
	}
}

// testOfficeTrouble has a controller that cannot store: whoever asks
// from a timer sees it by the exit status.
func testOfficeTrouble(t *testing.T, w *officeWorld) {
	defer func() { w.trouble = nil }()
	w.trouble = &fleet.Error{Code: fleet.Full, Text: "磁盘已满。", TextEN: "The disk is full."}
	if status, out, errs := w.call(t, w.read, "status"); status != exitBad || !strings.Contains(out, "有故障：磁盘已满。") || errs != "" {
		t.Errorf("status = %d, %q, %q", status, out, errs)
	}
	if status, out, _ := w.call(t, w.read, "status", "-json"); status != exitBad || !strings.Contains(out, `"status": "trouble"`) {
		t.Errorf("status -json = %d, %q", status, out)
	}
}

// testOfficeEnvironment takes address, token and trust from the environment.
func testOfficeEnvironment(t *testing.T, w *officeWorld) {
	token, err := os.ReadFile(w.read)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GATECAST_URL", w.url)
	t.Setenv("GATECAST_TOKEN", string(token))
	t.Setenv("GATECAST_CA", w.ca)
	if status, out, errs := runTool(t, "office", "points"); status != exitOK || !strings.Contains(out, "松风苑南门") {
		t.Errorf("points = %d, %q, %q", status, out, errs)
	}
}

func testOfficeRefusals(t *testing.T, w *officeWorld) {
	for _, name := range []string{"GATECAST_URL", "GATECAST_TOKEN", "GATECAST_CA"} {
		t.Setenv(name, "")
	}
	wrong := filepath.Join(t.TempDir(), "wrong")
	writeText(t, wrong, "gcp_wrong")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	_ = l.Close()
	reach := []string{"-url", w.url, "-ca", w.ca}
	tests := []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"refused_token", append([]string{"status", "-token-file", wrong}, reach...), exitBad, "主控不认这个令牌"},
		{"refused_token_in_english", append([]string{"status", "-lang", "en", "-token-file", wrong}, reach...), exitBad, "does not accept this token"},
		{"missing_scope", append([]string{"relay", "add", "x", "-token-file", w.read}, reach...), exitBad, "请管理员发一个有这项权限的令牌"},
		{"empty_text", append([]string{"relay", "add", "", "-token-file", w.all}, reach...), exitBad, "gatecast office: "},
		{"bad_day", append([]string{"missed", "-from", "x", "-token-file", w.all}, reach...), exitBad, "2026-11-23 这样的日期"},
		{"unknown_certificate", []string{"status", "-url", w.url, "-token-file", w.all}, exitBad, "不是本机信任的 CA"},
		{"unreachable", []string{"status", "-url", closed, "-token-file", w.all}, exitBad, "连不上 " + closed},
		{"no_token", append([]string{"status"}, reach...), exitUsage, "GATECAST_TOKEN"},
		{"no_address", []string{"status", "-token-file", w.all}, exitUsage, "GATECAST_URL"},
		{"token_in_the_clear", []string{"status", "-url", "http://192.0.2.1:8080", "-token-file", w.all}, exitUsage, "https://"},
		{"no_certificate_in_file", []string{"status", "-url", w.url, "-ca", wrong, "-token-file", w.all}, exitUsage, "没有 PEM 格式的证书"},
		{"too_many_arguments", append([]string{"points", "x", "-token-file", w.all}, reach...), exitUsage, "usage"},
		{"unknown_call", []string{"gossip"}, exitUsage, "unknown subcommand"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, out, errs := runTool(t, append([]string{"office"}, tt.args...)...)
			if status != tt.status || out != "" || !strings.Contains(errs, tt.want) {
				t.Errorf("%d, %q, %q; want %d and %q", status, out, errs, tt.status, tt.want)
			}
			if tt.want != "usage" && tt.want != "unknown subcommand" && strings.Count(errs, "\n") != 1 {
				t.Errorf("more than a sentence: %q", errs)
			}
		})
	}
}
