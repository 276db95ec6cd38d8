package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"
)

// client is a browser without a screen: it keeps cookies and does not follow
// redirects, so that tests see each answer.
type client struct {
	t       testing.TB
	server  http.Handler
	cookies map[string]*http.Cookie
	from    string // remote address
}

func (w *world) client(t testing.TB) *client {
	return &client{t: t, server: w.server, cookies: map[string]*http.Cookie{}, from: "192.0.2.7:4711"}
}

// as returns a client logged in as that account.
func (w *world) as(t testing.TB, login string) *client {
	t.Helper()
	c := w.client(t)
	res := c.post("/login", url.Values{"login": {login}, "password": {testPassword}})
	if res.Code != http.StatusSeeOther || c.cookies[sessionCookie] == nil {
		t.Fatalf("login as %q: %d\n%s", login, res.Code, res.Body)
	}
	return c
}

func (c *client) do(r *http.Request) *httptest.ResponseRecorder {
	c.t.Helper()
	r.RemoteAddr = c.from
	for _, k := range c.cookies {
		r.AddCookie(k)
	}
	res := httptest.NewRecorder()
	c.server.ServeHTTP(res, r)
	for _, k := range res.Result().Cookies() {
		if k.MaxAge < 0 {
			delete(c.cookies, k.Name)
		} else {
			c.cookies[k.Name] = k
		}
	}
	return res
}

func (c *client) get(path string) *httptest.ResponseRecorder {
	c.t.Helper()
	return c.do(httptest.NewRequest(http.MethodGet, path, nil))
}

func (c *client) post(path string, form url.Values) *httptest.ResponseRecorder {
	c.t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return c.do(r)
}

// page gets a page that must be there.
func (c *client) page(path string) doc {
	c.t.Helper()
	res := c.get(path)
	if res.Code != http.StatusOK {
		c.t.Fatalf("GET %s = %d, location %q\n%s", path, res.Code, res.Header().Get("Location"), res.Body)
	}
	return parse(c.t, res)
}

// doc is a page to ask with selectors.
type doc struct {
	t    testing.TB
	root *html.Node
}

func parse(t testing.TB, res *httptest.ResponseRecorder) doc {
	t.Helper()
	root, err := html.Parse(strings.NewReader(res.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	return doc{t, root}
}

func (d doc) all(selector string) []*html.Node {
	d.t.Helper()
	sel, err := cascadia.ParseGroup(selector)
	if err != nil {
		d.t.Fatalf("selector %q: %v", selector, err)
	}
	return cascadia.QueryAll(d.root, sel)
}

// text is the text of the first match with white space folded, "" if there is
// none.
func (d doc) text(selector string) string {
	d.t.Helper()
	nodes := d.all(selector)
	if len(nodes) == 0 {
		return ""
	}
	return textOf(nodes[0])
}

// texts are the texts of all matches.
func (d doc) texts(selector string) []string {
	d.t.Helper()
	var list []string
	for _, n := range d.all(selector) {
		list = append(list, textOf(n))
	}
	return list
}

// has fails the test unless the text of some match contains want.
func (d doc) has(selector, want string) {
	d.t.Helper()
	all := d.texts(selector)
	for _, text := range all {
		if strings.Contains(text, want) {
			return
		}
	}
	d.t.Errorf("no %q contains %q; they are %q", selector, want, all)
}

// count fails the test unless there are so many matches.
func (d doc) count(selector string, want int) {
	d.t.Helper()
	if got := len(d.all(selector)); got != want {
		d.t.Errorf("%d matches of %q, want %d", got, selector, want)
	}
}

// attr is an attribute of the first match, "" if there is none.
func (d doc) attr(selector, name string) string {
	d.t.Helper()
	for _, n := range d.all(selector) {
		return attrOf(n, name)
	}
	return ""
}

func attrOf(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
		switch n.Data {
		case "td", "th", "li", "dt", "dd", "p", "h1", "h2", "h3", "br", "option":
			b.WriteByte(' ')
		}
	}
	walk(n)
	return strings.Join(strings.Fields(b.String()), " ")
}
