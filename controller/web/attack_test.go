package web

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatecast/internal/acceptance/outcome"
)

// tally counts attacks of one kind.
type tally struct {
	t              *testing.T
	tried, refused int
}

// count says whether one more was refused, and what it was where not.
func (n *tally) count(refused bool, format string, args ...any) {
	n.t.Helper()
	n.tried++
	if refused {
		n.refused++
		return
	}
	n.t.Errorf(format, args...)
}

func (n *tally) report(attack, zh, note, noteZH string) {
	n.t.Helper()
	outcome.ReportAttack(n.t, outcome.Attack{Side: "web", Attack: attack, AttackZH: zh, Tried: n.tried, Refused: n.refused, Note: note, NoteZH: noteZH})
}

// posts are the paths of every route that changes something.
func (w *world) posts() []string {
	var all []string
	for _, rt := range w.server.table {
		if method, path := split(rt.Pattern); method == http.MethodPost {
			all = append(all, fill(path, "1"))
		}
	}
	return all
}

// fill puts value where a path varies.
func fill(path, value string) string {
	return variable.ReplaceAllStringFunc(path, func(name string) string {
		if name == "{$}" {
			return ""
		}
		return value
	})
}

func TestRefusesForgedRequests(t *testing.T) {
	w := newEmptyWorld(t)
	n := &tally{t: t}
	for _, v := range everybody(t, w) {
		for _, path := range w.posts() {
			for _, header := range []http.Header{
				{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Sec-Fetch-Site": {}, "Origin": {"https://evil.example"}},
				{"Sec-Fetch-Site": {}, "Origin": {"null"}}, {"Sec-Fetch-Site": {}, "Origin": {"http://example.com.evil.example"}},
				{"Sec-Fetch-Site": {"cross-site"}, "Content-Type": {"text/plain"}}, {"Sec-Fetch-Site": {"cross-site"}, "X-Http-Method-Override": {"GET"}},
			} {
				res := v.ask(http.MethodPost, path, header)
				n.count(res.Code == http.StatusForbidden && !strings.Contains(res.Body.String(), "<main"), "POST %s as %q with %v = %d", path, v.user.Role, header, res.Code)
			}
		}
	}
	n.report("forms sent by other sites", "其他网站代发的表单（CSRF）", "every POST route as every role", "每个 POST 路由、每种角色")
}

func TestRefusesFixedSessions(t *testing.T) {
	w := newEmptyWorld(t)
	n := &tally{t: t}
	attacker := w.as(t, "inspector")
	for name, value := range map[string]string{"of_another": attacker.cookies[sessionCookie].Value, "invented": strings.Repeat("A", 43), "empty": "", "long": strings.Repeat("A", 5000)} {
		victim := w.client(t)
		victim.cookies[sessionCookie] = &http.Cookie{Name: sessionCookie, Value: value}
		res := victim.post("/login", url.Values{"login": {"admin"}, "password": {testPassword}})
		if res.Code != http.StatusSeeOther || victim.cookies[sessionCookie].Value == value {
			t.Fatalf("%s: the planted token is the session (%d)", name, res.Code)
		}
		thief := w.client(t)
		thief.cookies[sessionCookie] = &http.Cookie{Name: sessionCookie, Value: value}
		n.count(thief.get("/points").Code != http.StatusOK, "%s: the planted token opens a page after the login", name)
		c := w.client(t) // in the address instead of a cookie
		n.count(c.get("/points?"+sessionCookie+"="+url.QueryEscape(value)).Code != http.StatusOK, "%s: a token in the address opens a page", name)
	}
	n.report("session planted before the login", "登录前植入会话（会话固定）", "", "")
}

// below lists every file below dir with its size.
func below(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	all := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		fi, err := d.Info()
		if err == nil {
			all[path] = fi.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestRefusesPathTraversal(t *testing.T) {
	outer := t.TempDir()
	dir := filepath.Join(outer, "a", "b", "c", "data")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(outer, "a", "secret.txt")
	if err := os.WriteFile(secret, []byte("geheim-4711"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := openWorld(t, dir)
	w.accounts(t)
	n := &tally{t: t}
	c := w.as(t, "clerk")
	names := []string{
		"../../../secret.txt", "../../../../../../../../etc/passwd", `..\..\..\secret.txt`, secret, "/etc/passwd", `C:\Windows\win.ini`, "....//....//secret.txt",
		"%2e%2e%2fsecret.txt", "a\x00.wav", ".", "..", "", "con", "-rf", strings.Repeat("../", 200) + "x", "file:///etc/passwd", "~/.ssh/id_ed25519", "a/../../b.wav", "正常\u202e3pm.exe",
	}
	for i, name := range names {
		data := tone(t, 1.2+float64(i)/10, 8000, .2)
		res := c.upload(map[string]string{"title": fmt.Sprint("标题", i)}, testFile{name, data})
		n.count(res.Code < 500, "upload as %q = %d", name, res.Code)
		res = c.post("/programmes", url.Values{"yaml": {"id: x"}, "file": {name}})
		n.count(res.Code < 500, "programme as %q = %d", name, res.Code)
	}
	for path := range below(t, outer) {
		n.count(path == secret || strings.HasPrefix(path, dir+string(filepath.Separator)), "an upload wrote %s", path)
	}
	admin := w.as(t, "admin")
	values := []string{
		"..%2f..%2f..%2fsecret.txt", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%5c..%5csecret.txt", "..", "1%00", "1%2f..%2f2", "-1", "0", "99999999999999999999", "1e3", "0x1",
		"1%27--", "1%20OR%201=1", "%ff%fe", "{{.}}", "%3Cscript%3E", "1;ls", "$(id)", "%252e%252e%252f",
	}
	for _, rt := range w.server.table {
		method, path := split(rt.Pattern)
		if !strings.Contains(path, "{") || strings.Contains(path, "{$}") || method != http.MethodGet || strings.HasPrefix(path, "/events") {
			continue
		}
		for _, value := range values {
			res := admin.get(fill(path, value))
			n.count(res.Code != http.StatusInternalServerError && !strings.Contains(res.Body.String(), "geheim-4711") && !strings.Contains(res.Body.String(), "root:"),
				"GET %s = %d", fill(path, value), res.Code)
		}
	}
	if strings.Contains(w.log.String(), "level=ERROR") {
		t.Errorf("the log has an error:\n%s", w.log)
	}
	n.report("path traversal in names and paths", "文件名与路径穿越", "upload names, every path parameter", "上传文件名、每个路径参数")
}
