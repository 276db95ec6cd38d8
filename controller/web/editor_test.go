package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
	"pgregory.net/rapid"

	"gatecast/schedules"
)

// formOf is what a browser would send of the form on a page.
func formOf(d doc, selector string) url.Values {
	d.t.Helper()
	form := url.Values{}
	for _, n := range d.all(selector + " input, " + selector + " textarea, " + selector + " select") {
		name := attrOf(n, "name")
		switch {
		case name == "":
		case n.Data == "textarea":
			form.Add(name, plain(n))
		case attrOf(n, "type") == "checkbox":
			if hasAttr(n, "checked") {
				form.Add(name, attrOf(n, "value"))
			}
		default:
			form.Add(name, attrOf(n, "value"))
		}
	}
	return form
}

func hasAttr(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// plain is the text of a node as it stands.
func plain(n *html.Node) string {
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		b.WriteString(c.Data)
	}
	return b.String()
}

// A programme opened in the form and saved as it is stays what it was, with
// its comments.
func TestEditorSavesWhatItShows(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	form := formOf(c.page("/programmes/1/edit"), "#ed")
	form.Set("do", "save")
	res := c.post("/programmes/edit", form)
	if res.Code != http.StatusSeeOther {
		t.Fatalf("saving: %d\n%s", res.Code, parse(t, res).text("#ed [role=alert], #ed .error"))
	}
	all, err := w.store.Programmes(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("%d versions, %v", len(all), err)
	}
	was, err := schedules.Parse("", all[1].YAML)
	if err != nil {
		t.Fatal(err)
	}
	is, err := schedules.Parse("", all[0].YAML)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := schedules.Marshal(was)
	b, _ := schedules.Marshal(is)
	if diff := cmp.Diff(string(a), string(b)); diff != "" {
		t.Errorf("the programme changed (-was +is):\n%s", diff)
	}
	for _, line := range strings.Split(string(all[1].YAML), "\n") {
		if i := strings.IndexByte(line, '#'); i >= 0 && strings.TrimSpace(line[i+1:]) != "" && !strings.Contains(string(all[0].YAML), strings.TrimSpace(line[i:])) {
			t.Errorf("the comment %q is lost", line[i:])
		}
	}
	d := c.page(strings.Split(res.Header().Get("Location"), "?")[0] + "/diff")
	d.has("main", "内容完全相同")

	form = formOf(c.page("/programmes/1/edit"), "#ed")
	form.Set("p.slots.0.until", "08:10")
	form.Set("do", "check")
	d = parse(t, c.post("/programmes/edit", form))
	d.has("#effect .diff li", "早：改时间")
	form.Set("do", "save")
	res = c.post("/programmes/edit", form)
	d = c.page(strings.Split(res.Header().Get("Location"), "?")[0] + "/diff?with=1")
	d.has("#diff li", "slots[morning] 到 08:00 08:10")
}

func TestEditorNamesTheFieldAndLosesNothing(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	form := formOf(c.page("/programmes/1/edit"), "#ed")
	form.Set("p.slots.1.start", "十一点")
	form.Set("p.name", "新名字")
	form.Set("do", "save")
	res := c.post("/programmes/edit", form)
	if res.Code != http.StatusUnprocessableEntity {
		t.Fatalf("saving: %d", res.Code)
	}
	d := parse(t, res)
	d.has(".field.invalid:has(input[name='p.slots.1.start']) .error", "十一点")
	d.count("#ed .field.invalid", 1)
	back := formOf(d, "#ed")
	form.Del("do")
	if diff := cmp.Diff(form, back); diff != "" {
		t.Errorf("the form changed (-sent +shown):\n%s", diff)
	}
	form.Set("do", "draft") // whatever is wrong with it
	res = c.post("/programmes/edit", form)
	draft := res.Header().Get("Location")
	if res.Code != http.StatusSeeOther {
		t.Fatalf("keeping a draft: %d", res.Code)
	}
	c.page("/programmes").has("#drafts", "新名字")
	again := formOf(c.page(draft), "#ed")
	if again.Get("p.slots.1.start") != "十一点" || again.Get("base") != form.Get("base") || again.Get("draft") == "" {
		t.Errorf("the draft lost something: %v", again)
	}
	if res := w.as(t, "admin").get(strings.Split(draft, "?")[0]); res.Code != http.StatusNotFound {
		t.Errorf("somebody else opens the draft: %d", res.Code)
	}
	again.Set("p.slots.1.start", "20 11 * * *")
	again.Set("do", "save")
	if res := c.post("/programmes/edit", again); res.Code != http.StatusSeeOther {
		t.Fatalf("saving the draft: %d", res.Code)
	}
	c.page("/programmes").count("#drafts", 0)
}

func TestEditorAddsAndRemovesRows(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	form := formOf(c.page("/programmes/1/edit"), "#ed")
	first := form.Get("p.slots.1.key")
	form.Set("do", "add:slots")
	d := parse(t, c.post("/programmes/edit", form))
	n := len(d.all("input[name^='p.slots.'][name$='.key']"))
	form = formOf(d, "#ed")
	form.Set("do", "drop:slots.0")
	form = formOf(parse(t, c.post("/programmes/edit", form)), "#ed")
	if form.Get("p.slots.0.key") != first || form.Get("n.slots") != itoa(n-1) {
		t.Errorf("after the first slot went: %q first of %s, want %q of %d", form.Get("p.slots.0.key"), form.Get("n.slots"), first, n-1)
	}
	form.Set("do", "add:slots.0.overrides")
	d = parse(t, c.post("/programmes/edit", form))
	d.count("input[name^='p.slots.0.overrides.'][name$='.start']", 1)
	c.page("/programmes/new").count("input[name='p.slots.0.start']", 1)
	form = formOf(c.page("/programmes/1/edit"), "#ed")
	form.Set("do", "yaml")
	parse(t, c.post("/programmes/edit", form)).has("#yaml pre", "key: morning")
}

// What is wrong only beside the other programmes and the registry is said at
// the field too.
func TestEditorChecksAgainstTheOffice(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "clerk")
	form := formOf(c.page("/programmes/1/edit"), "#ed")
	form.Set("p.slots.0.playlist", "kefu, meiyou")
	form.Set("p.slots.2.targets.tags", "没有这个标签")
	form.Set("do", "save")
	d := parse(t, c.post("/programmes/edit", form))
	d.has(".field.invalid", "没有这个标签")
}

func TestListsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.StringMatching(`[a-zA-Z0-9真,，、;"' -]{1,6}`), 1, 4).Draw(t, "list")
		if diff := cmp.Diff(list, splitList(joinList(list))); diff != "" {
			t.Fatalf("list (-want +got) of %q:\n%s", joinList(list), diff)
		}
	})
	if got := splitList("考点周边、南门,北门  x；"); !cmp.Equal(got, []string{"考点周边", "南门", "北门", "x"}) {
		t.Errorf("splitList = %q", got)
	}
}
