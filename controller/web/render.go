package web

import (
	"bytes"
	"embed"
	"fmt"
	"hash/fnv"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"gatecast/controller/fleet"
)

//go:embed templates/*.html
var templateFiles embed.FS

// frame is what every page shows around its own content.
type frame struct {
	L       *lang
	Title   string
	Nav     string // key of the current entry of the navigation, empty if none
	Wide    bool   // prints on A4 landscape
	Paper   bool   // prints with the margins of an official paper
	User    fleet.User
	Site    string // name of the subdistrict
	Here    string // path and query, for the language switch
	Live    string // path of the event stream, empty if the page has none
	Now     time.Time
	Waiting int    // clips that wait for the user's sign-off
	Done    string // what the last action did, from the redirect after it
	Demo    bool
	Version string
	Muted   []mutedBanner // orders of silence that hold
	V       any           // the page's own view
}

// Home is the page that the user starts on.
func (f frame) Home() string {
	if f.User.ID == 0 {
		return "/"
	}
	return home(f.User.Role)
}

// Can reports whether the user may do what.
func (f frame) Can(what string) bool { return fleet.May(f.User.Role, fleet.Action(what)) }

// Legend lists the verdicts of a legend after the two kinds of 已播.
func (frame) Legend() []string {
	return []string{"partial", "missed", "doubt", "exempt", "pending", "now"}
}

// Other is this page in the language of that code.
func (f frame) Other(code string) string {
	sep := "?"
	if strings.Contains(f.Here, "?") {
		sep = "&"
	}
	return f.Here + sep + "lang=" + code
}

// pages are the templates of every page in every language. Each is parsed when
// it is first shown: a server starts in an instant, and keeps what is looked at.
// It is safe for concurrent use.
type pages struct {
	langs  map[string]*lang
	assets *assets

	mu     sync.Mutex
	parsed map[string]*template.Template // by language and name
}

// shared are the files that every page is parsed with.
var shared = []string{"templates/layout.html", "templates/parts.html", "templates/spoken.html"}

func newPages(langs map[string]*lang, a *assets) *pages {
	return &pages{langs: langs, assets: a, parsed: map[string]*template.Template{}}
}

// page returns the template of a page in the language of that code.
func (p *pages) page(code, name string) (*template.Template, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := code + "/" + name
	if t := p.parsed[key]; t != nil {
		return t, nil
	}
	l := p.langs[code]
	if l == nil {
		return nil, fmt.Errorf("language %q does not exist", code)
	}
	t := template.New("layout.html")
	t.Funcs(functions(l, p.assets, t))
	if _, err := t.ParseFS(templateFiles, append(slices.Clone(shared), "templates/"+name+".html")...); err != nil {
		return nil, fmt.Errorf("parsing page %q: %w", name, err)
	}
	p.parsed[key] = t
	return t, nil
}

// functions are what templates call, bound to one language and one page.
func functions(l *lang, a *assets, t *template.Template) template.FuncMap {
	return template.FuncMap{
		"t": l.T, "asset": a.url,
		"date": l.Date, "weekday": l.Weekday, "clock": l.Clock, "clocksec": l.ClockSec, "stamp": l.Stamp,
		"span": l.Span, "length": l.Length,
		"verdict":      func(v fleet.Verdict) string { return l.T("verdict." + string(v)) },
		"grade":        func(g fleet.Grade) string { return l.T("grade." + string(g)) },
		"kind":         func(k fleet.PointKind) string { return l.T("kind." + string(k)) },
		"short":        short,
		"editorbasics": func() []editorField { return editorBasics }, "editorrule": func() []editorField { return editorRule },
		"weekdays": func() []string {
			return []string{l.T("weekday.short.mon"), l.T("weekday.short.tue"), l.T("weekday.short.wed"), l.T("weekday.short.thu"), l.T("weekday.short.fri"), l.T("weekday.short.sat"), l.T("weekday.short.sun")}
		},
		"live": func(name string, data any) (template.HTML, error) {
			body, err := card(t, name, data)
			if err != nil {
				return "", err
			}
			return template.HTML(fmt.Sprintf(`<div data-live="%s" data-hash="%s">%s</div>`,
				template.HTMLEscapeString(name), digest(body), body)), nil
		},
	}
}

// card renders the template name alone, as the page and the event stream do.
func card(t *template.Template, name string, data any) ([]byte, error) {
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, data); err != nil {
		return nil, fmt.Errorf("rendering card %q: %w", name, err)
	}
	return b.Bytes(), nil
}

// digest tells whether a card changed.
func digest(b []byte) string {
	h := fnv.New64a()
	_, _ = h.Write(b) // never fails
	return fmt.Sprintf("%016x", h.Sum64())
}

// render executes a page into a buffer.
func (p *pages) render(name string, f frame) (*bytes.Buffer, error) {
	t, err := p.page(f.L.code, name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, f); err != nil {
		return nil, fmt.Errorf("rendering page %q: %w", name, err)
	}
	return &b, nil
}

// show renders a page and sends it with that status.
func (s *Server) show(w http.ResponseWriter, status int, name string, f frame) error {
	b, err := s.pages.render(name, f)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store") // pages behind a login do not belong into caches
	h.Set("Vary", "Cookie")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w) // the reader may have gone
	return nil
}

// short is the first 8 digits of a hash, enough to compare by eye.
func short(hash string) string {
	if len(hash) > 8 {
		return hash[:8]
	}
	return hash
}
