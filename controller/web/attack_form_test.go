package web

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"gatecast/controller/fleet"
)

// marks are texts that would do something where a page does not write them as
// text. The first holds all that need not stand at the beginning.
var marks = []string{
	`gc1"><script>alert("gc1")</script>'><img src=x onerror=alert('gc1')></textarea></title></select><svg onload=alert("gc1")>` +
		"{{.User.Password}}&lt;script&gt;` onmouseover=alert(`gc1`)</script><script>gc1<!--",
	`<img src=x onerror=alert("gc1")>`, // short enough for every field
	`javascript:alert("gc1")//`, `data:text/html,<script>alert("gc1")</script>`,
}

// strictFields are refused by their letters, and the rest of the form with
// them: forms are sent with what they should not hold, and again without.
var strictFields = []string{"name", "from", "until", "to"}

// dangers are what no page of ours has, whatever somebody typed.
func dangers(page *html.Node) (found []string) {
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.ElementNode {
			src := attrOf(n, "src")
			switch n.Data {
			case "script":
				if !strings.HasPrefix(src, "/static/") || n.FirstChild != nil {
					found = append(found, "script "+src)
				}
			case "iframe", "object", "embed", "base", "style", "math":
				found = append(found, n.Data)
			case "svg":
				if attrOf(n, "onload") != "" {
					found = append(found, "svg onload")
				}
			}
			for _, a := range n.Attr {
				value := strings.ToLower(strings.TrimSpace(a.Val))
				leads := slices.Contains([]string{"href", "src", "action", "formaction", "xlink:href", "data", "poster", "ping"}, a.Key)
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc" ||
					leads && (strings.HasPrefix(value, "javascript:") || strings.HasPrefix(value, "data:") && n.Data != "img") {
					found = append(found, fmt.Sprintf("<%s %s=%q>", n.Data, a.Key, a.Val))
				}
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(page)
	return found
}

// crawl walks every page that links lead to, at most most of them, and calls
// look for each.
func (c *client) crawl(start []string, most int, look func(path string, res *httptest.ResponseRecorder, root *html.Node)) int {
	seen, queue := map[string]bool{}, append([]string{}, start...)
	shapes := map[string]int{} // so that 40 points do not keep it from the rest
	digits := regexp.MustCompile(`\d+`)
	n := 0
	for len(queue) > 0 && n < most {
		path := queue[0]
		queue = queue[1:]
		shape := digits.ReplaceAllString(strings.SplitN(path, "?", 2)[0], "#")
		if seen[path] || shapes[shape] >= 3 || strings.HasPrefix(path, "/static/") || strings.Contains(path, "export") || strings.HasSuffix(path, "/audio") {
			continue
		}
		seen[path] = true
		shapes[shape]++
		n++
		res := c.get(path)
		root, err := html.Parse(bytes.NewReader(res.Body.Bytes()))
		if err != nil {
			c.t.Fatal(err)
		}
		look(path, res, root)
		for _, a := range (doc{c.t, root}).all("a[href]") {
			if to, err := url.Parse(attrOf(a, "href")); err == nil && to.Host == "" && to.Scheme == "" && strings.HasPrefix(to.Path, "/") {
				to.Fragment = ""
				queue = append(queue, to.String())
			}
		}
	}
	return n
}

// TestRefusesScriptInEveryField fills every field of every form that the pages
// show, to each of the roles that have one, sends it, and then reads every page.
func TestRefusesScriptInEveryField(t *testing.T) {
	w := newWorld(t)
	n := &tally{t: t}
	for _, mark := range marks[:1] { // what is looked for would be found
		root, err := html.Parse(strings.NewReader("<p>" + mark + "<a href='" + marks[2] + "'>"))
		if err != nil || len(dangers(root)) < 4 {
			t.Fatalf("of a page that writes everything raw only %v is found, %v", dangers(root), err)
		}
	}
	start := []string{"/", "/points", "/clips", "/programmes", "/compliance", "/publications", "/publications/new", "/rejected", "/restored", "/enrol", "/tokens", "/password", "/incidents", "/users", "/account", "/audit", "/certificate", "/nowhere"}
	type form struct {
		action string
		method string
		fields map[string]string // name → its value; text fields have none
	}
	forms := map[string]form{}
	logins := []string{"clerk", "admin"}
	clients := map[string]*client{}
	for _, login := range logins {
		c := w.as(t, login)
		clients[login] = c
		c.crawl(start, 36, func(path string, _ *httptest.ResponseRecorder, root *html.Node) {
			for _, f := range (doc{t, root}).all("form") {
				got := form{action: attrOf(f, "action"), method: strings.ToUpper(attrOf(f, "method")), fields: map[string]string{}}
				if got.action == "" {
					got.action = path
				}
				for _, in := range (doc{t, f}).all("input[name],textarea[name],select[name]") {
					name, kind := attrOf(in, "name"), attrOf(in, "type")
					if v := attrOf(in, "value"); kind == "hidden" && v != "" {
						got.fields[name] = v
						continue
					}
					switch {
					case in.Data == "textarea", in.Data == "input" && (kind == "" || kind == "text" || kind == "search" || kind == "hidden" || kind == "password" || kind == "date" || kind == "number"):
						got.fields[name] = ""
					case in.Data == "select":
						for _, o := range (doc{t, in}).all("option") {
							got.fields[name] = attrOf(o, "value")
						}
					default:
						got.fields[name] = attrOf(in, "value")
					}
				}
				if got.action != "/logout" && got.action != "/password" && got.action != "/login" {
					forms[login+" "+got.method+" "+regexp.MustCompile(`\d+`).ReplaceAllString(got.action, "#")] = got
				}
			}
		})
	}
	if len(forms) < 6 {
		t.Fatalf("only %d forms found", len(forms))
	}
	for key, f := range forms {
		c := clients[strings.Fields(key)[0]]
		for _, mark := range marks {
			values, files := url.Values{}, false
			for name, value := range f.fields {
				if value == "" {
					value = mark
				}
				values.Set(name, value)
				files = files || name == "file"
			}
			var res *httptest.ResponseRecorder
			switch {
			case f.method != http.MethodPost:
				u, err := url.Parse(f.action)
				if err != nil {
					t.Fatal(err)
				}
				u.RawQuery = values.Encode()
				res = c.get(u.String())
			case files && f.action == "/clips":
				fields := map[string]string{}
				for k := range values {
					fields[k] = values.Get(k)
				}
				c.upload(fields, testFile{mark + ".wav", tone(t, 1.5, 8000, .2)})
				for _, strict := range strictFields {
					delete(fields, strict)
				}
				res = c.upload(fields, testFile{mark + ".wav", tone(t, 1.5, 8000, .2+float64(n.tried%40)/100)})
			default:
				c.post(f.action, values)
				for _, strict := range strictFields {
					if f.fields[strict] == "" && f.action != "/tokens" {
						values.Del(strict)
					}
				}
				if f.action == "/programmes" {
					values.Set("yaml", regexp.MustCompile(`(?m)^name:.*$`).ReplaceAllString(string(defaultProgramme()), "name: "+strconv.Quote(mark)))
				}
				res = c.post(f.action, values)
			}
			root, err := html.Parse(bytes.NewReader(res.Body.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			n.count(res.Code != http.StatusInternalServerError && len(dangers(root)) == 0, "%s with %q = %d %v", key, mark, res.Code, dangers(root))
		}
	}
	pages, shown := 0, 0
	for _, c := range clients {
		pages += c.crawl(start, 40, func(path string, res *httptest.ResponseRecorder, root *html.Node) {
			found := dangers(root)
			n.count(res.Code != http.StatusInternalServerError && len(found) == 0, "GET %s = %d with %v", path, res.Code, found)
			if strings.Contains(textOf(root), "gc1") {
				shown++
			}
		})
	}
	if shown < 5 {
		t.Errorf("what was typed stands on %d pages only: nothing was stored", shown)
	}
	n.report("script in every field of every form", "每个表单每个字段的存储型 XSS", fmt.Sprintf("%d forms, %d pages read afterwards", len(forms), pages), fmt.Sprintf("%d 个表单，随后检查 %d 个页面", len(forms), pages))
}

func TestRefusesSQLInEveryFilter(t *testing.T) {
	w := newWorld(t)
	n := &tally{t: t}
	c := w.as(t, "admin")
	names := map[string]map[string]bool{}
	c.crawl([]string{"/", "/points", "/clips", "/programmes", "/compliance", "/publications", "/enrol", "/rejected", "/incidents", "/users", "/audit"}, 30, func(path string, _ *httptest.ResponseRecorder, root *html.Node) {
		d := doc{t, root}
		note := func(target, name string) {
			if names[target] == nil {
				names[target] = map[string]bool{}
			}
			names[target][name] = true
		}
		for _, a := range d.all("a[href]") {
			if u, err := url.Parse(attrOf(a, "href")); err == nil && strings.HasPrefix(u.Path, "/") && !strings.HasPrefix(u.Path, "/static") {
				for name := range u.Query() {
					note(regexp.MustCompile(`\d+`).ReplaceAllString(u.Path, "1"), name)
				}
			}
		}
		here, _, _ := strings.Cut(path, "?")
		for _, f := range d.all("form") {
			if strings.EqualFold(attrOf(f, "method"), "get") || attrOf(f, "method") == "" {
				target := attrOf(f, "action")
				if target == "" {
					target = here
				}
				for _, in := range (doc{t, f}).all("input[name],select[name]") {
					note(target, attrOf(in, "name"))
				}
			}
		}
	})
	before, err := w.store.Points(t.Context(), fleet.PointFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for path, params := range names {
		for name := range params {
			for _, value := range []string{`'`, `"\`, `' OR '1'='1`, `'; DROP TABLE points; --`, `1 UNION SELECT password FROM users`, "%\x00", `NEAR(*)`, strings.Repeat("'", 3000), "1e999"} {
				res := c.get(path + "?" + url.Values{name: {value}}.Encode())
				n.count(res.Code != http.StatusInternalServerError && !strings.Contains(res.Body.String(), "argon2id"), "GET %s?%s=%q = %d", path, name, value, res.Code)
			}
		}
	}
	after, err := w.store.Points(t.Context(), fleet.PointFilter{})
	if err != nil || len(after) != len(before) || strings.Contains(w.log.String(), "level=ERROR") {
		t.Errorf("%d points of %d, %v, log:\n%s", len(after), len(before), err, w.log)
	}
	n.report("SQL in every filter", "每个筛选参数的 SQL 注入", fmt.Sprintf("%d pages with parameters", len(names)), fmt.Sprintf("%d 个带参数的页面", len(names)))
}
