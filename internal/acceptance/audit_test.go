package acceptance

import (
	"bytes"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
)

const (
	guardNumber   = "13955551234"
	liaisonNumber = "13866664321"
)

// TestAuditHoldsWhatWasDone has a clerk work on a running office; the auditor
// sees it, takes it away, and a third party verifies it and finds a change.
// No telephone number stands in any file of the data folder or in the log.
func TestAuditHoldsWhatWasDone(t *testing.T) {
	t.Parallel()
	o := layOut(t, t.TempDir(), "")
	file := filepath.Join(o.dir, "registry.yaml")
	writeFile(t, file, strings.Replace(registry, "name: 松风苑南门,", `name: 松风苑南门, duty: 门岗, phone: "`+guardNumber+`",`, 1)+
		`  - {unit: SL-01, name: 林予安, post: 联络员, phone: "`+liaisonNumber+`"}`+"\n") // behind the last liaison
	run(t, "gatecast-controller", "--config", o.config, "registry", "import", file)
	admin := o.oncePassword()
	clerkOnce := o.oncePasswordOf("clerk", "--role", string(fleet.Clerk))
	auditorOnce := o.oncePasswordOf("auditor", "--role", string(fleet.Auditor))
	o.start()
	o.logIn(admin)
	o.clerk = o.browser("clerk", clerkOnce)
	line := o.joinLine("SL-01-01")
	root := line[strings.LastIndexAny(line, " :")+1:]
	o.post("/points/1/clock", url.Values{"need": {"sync"}})
	if page := o.get("/points/1"); strings.Contains(page, guardNumber) || !strings.Contains(page, "139****1234") {
		t.Errorf("the page of the point does not mask the number\n%s", text(page))
	}
	if page := o.post("/points/1/phone", url.Values{"reason": {"喇叭不响，联系门岗"}}); !strings.Contains(page, guardNumber) {
		t.Errorf("the number is not revealed\n%s", text(page))
	}
	if res, err := o.clerk.Get(o.web + "/audit"); err != nil || res.StatusCode != http.StatusForbidden {
		t.Errorf("the clerk's look at the audit: %v, %v", res.Status, err)
	}

	o.clerk = o.browser("auditor", auditorOnce)
	page := text(o.get("/audit?who=clerk"))
	for _, want := range []string{"松风苑南门 须与时间服务器同步才出声", "须时间同步 false → true", "喇叭不响，联系门岗", "为 松风苑南门 生成接入码", "GET /audit", "127.0.0.1", "内容管理员"} {
		if !strings.Contains(page, want) {
			t.Errorf("the audit does not say %q\n%s", want, page)
		}
	}
	table, exported := o.get("/audit/export.csv"), o.get("/audit/export.jsonl")
	if !strings.HasPrefix(table, "\ufeff") || !strings.Contains(table, "登录") {
		t.Errorf("the table: %.300s", table)
	}
	taken := filepath.Join(t.TempDir(), "audit.jsonl")
	writeFile(t, taken, exported)
	if status, said := verify(t, "--root", root, taken); status != 0 || !strings.Contains(said, "通过：") {
		t.Errorf("the exported audit: status %d\n%s", status, said)
	}
	spoil(t, taken, "喇叭不响", "随便看看")
	if status, said := verify(t, "--root", root, taken); status != 1 || !strings.Contains(said, "第一处问题：第 ") || !strings.Contains(said, "这一条被改过") {
		t.Errorf("a changed audit: status %d\n%s", status, said)
	}
	if said := run(t, "gatecast-controller", "--config", o.config, "audit", "verify"); !strings.Contains(said, "PASSED") {
		t.Errorf("audit verify: %s", said)
	}

	look := func(when string) {
		t.Helper()
		err := filepath.WalkDir(filepath.Join(o.dir, "data"), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(p)
			for _, number := range []string{guardNumber, liaisonNumber} {
				if bytes.Contains(b, []byte(number)) {
					t.Errorf("%s: %s stands in %s", when, number, p)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	look("running")
	o.process.stop(t, 5*time.Second)
	look("stopped")
	for _, number := range []string{guardNumber, liaisonNumber, "喇叭不响"} {
		if strings.Contains(o.log.String(), number) {
			t.Errorf("%s stands in the log", number)
		}
	}
}
