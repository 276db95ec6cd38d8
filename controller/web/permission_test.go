package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/auth"
	"gatecast/controller/fleet"
)

var update = flag.Bool("update", false, "write testdata/permissions.txt anew")

// permissionTable is the file in which a change of anybody's rights is seen.
const permissionTable = "testdata/permissions.txt"

// TestPermissionTable compares who may do what with the table that was
// reviewed, route by route.
func TestPermissionTable(t *testing.T) {
	w := newEmptyWorld(t)
	var b strings.Builder
	b.WriteString("# Who may do what. Written by: go test ./controller/web -run TestPermissionTable -update\n")
	var lines []string
	for _, rt := range w.server.table {
		method, path := split(rt.Pattern)
		who := []string{"everybody"}
		if rt.Action != "" {
			who = nil
			for _, role := range fleet.Roles {
				if fleet.May(role, rt.Action) {
					who = append(who, string(role))
				}
			}
		}
		lines = append(lines, fmt.Sprintf("%-4s %-36s %-12s %s\n", method, path, cmpOr(string(rt.Action), "-"), strings.Join(who, " ")))
	}
	slices.SortFunc(lines, func(a, c string) int { return strings.Compare(a[5:]+a[:5], c[5:]+c[:5]) })
	b.WriteString(strings.Join(lines, ""))
	if *update {
		if err := os.WriteFile(permissionTable, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(permissionTable)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); diff != "" {
		t.Errorf("rights changed; if they are meant to, run the command in the first line of %s (-reviewed +now):\n%s", permissionTable, diff)
	}
}

func cmpOr(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func split(pattern string) (method, path string) {
	method, path, ok := strings.Cut(pattern, " ")
	if !ok {
		return "*", pattern
	}
	return method, path
}

// TestEveryRouteIsInTheTable finds ways into a mux beside Server.handle.
func TestEveryRouteIsInTheTable(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var ways []string
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if ok && (sel.Sel.Name == "Handle" || sel.Sel.Name == "HandleFunc") {
				ways = append(ways, fset.Position(n.Pos()).String())
			}
			return true
		})
	}
	if len(ways) != 1 || !strings.HasPrefix(ways[0], "routes.go:") {
		t.Errorf("routes are registered at %v, want only Server.handle in routes.go", ways)
	}
}

// variables are what stands for the parts of a pattern that vary.
var variables = map[string]string{
	"{$}": "", "{id}": "1", "{slot}": "2026-11-23.default.noon", "{code}": "XXXXX-XXXXX", "{file}": "ui.css",
}

var variable = regexp.MustCompile(`\{[^}]*\}`)

// visitor asks the server as an account, each time with a session of its own:
// some routes end it.
type visitor struct {
	t    *testing.T
	w    *world
	user fleet.User // zero: nobody
	n    int
}

// ask sends one request and returns the answer; a stream is left at its first
// flush.
func (v *visitor) ask(method, path string, header http.Header) *httptest.ResponseRecorder {
	v.t.Helper()
	ctx, cancel := context.WithCancel(v.t.Context())
	defer cancel()
	r := httptest.NewRequest(method, path, nil).WithContext(ctx)
	r.RemoteAddr = "192.0.2.7:4711"
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, values := range header {
		r.Header[k] = values
	}
	if v.user.ID != 0 {
		v.n++
		secret := fmt.Sprintf("%s-%d", v.user.Login, v.n)
		sum := sha256.Sum256([]byte(secret))
		now := v.w.now()
		err := v.w.store.AddSession(v.t.Context(), fleet.Session{
			Hash: hex.EncodeToString(sum[:]), User: v.user.ID, Created: now, Seen: now, Expires: now.Add(time.Hour), From: "192.0.2.7",
		})
		if err != nil {
			v.t.Fatal(err)
		}
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: secret})
	}
	res := httptest.NewRecorder()
	v.w.server.ServeHTTP(&leaver{ResponseRecorder: res, leave: cancel}, r)
	return res
}

// leaver goes away when it has seen something.
type leaver struct {
	*httptest.ResponseRecorder
	leave context.CancelFunc
}

func (l *leaver) Flush() {
	l.ResponseRecorder.Flush()
	l.leave()
}

// everybody returns an account of each role, and nobody.
func everybody(t *testing.T, w *world) []*visitor {
	t.Helper()
	all := []*visitor{{t: t, w: w}}
	password, err := auth.Hash(testPassword)
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range fleet.Roles {
		u := fleet.User{Login: "as-" + string(role), Name: string(role), Role: role, Password: password, Created: testNow, PasswordSet: testNow}
		switch role {
		case fleet.UnitAccount:
			u.Unit = w.points["谷雨里南门"].Unit
		case fleet.PropertyAccount:
			u.Company = "没有这家物业"
		}
		id, err := w.store.SaveUser(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		u.ID = id
		all = append(all, &visitor{t: t, w: w, user: u})
	}
	return all
}

// TestEveryRoleAtEveryRoute asks for every route that there is as every role
// and as nobody, and takes exactly what fleet.May says for an answer.
func TestEveryRoleAtEveryRoute(t *testing.T) {
	w := newWorld(t)
	var asked, refused int
	for _, v := range everybody(t, w) {
		for _, rt := range w.server.table {
			method, path := split(rt.Pattern)
			if method == "*" {
				method, path = http.MethodGet, "/nowhere"
			}
			path = variable.ReplaceAllStringFunc(path, func(name string) string {
				if value, ok := variables[name]; ok {
					return value
				}
				return "1"
			})
			res := v.ask(method, path, nil)
			asked++
			what := fmt.Sprintf("%s %s as %q: %d to %q", method, path, v.user.Role, res.Code, res.Header().Get("Location"))
			body := res.Body.String()
			if res.Code == http.StatusInternalServerError {
				t.Errorf("%s broke:\n%s", what, w.log)
			}
			stream := strings.HasPrefix(path, "/events/")
			toLogin := strings.HasPrefix(res.Header().Get("Location"), "/login") && rt.Pattern != "POST /logout"
			gone := strings.Contains(body, "event: gone")
			switch {
			case rt.Action == "":
				if res.Code == http.StatusForbidden || toLogin {
					t.Errorf("%s, but it is public", what)
				}
			case v.user.ID == 0 && stream, stream && !fleet.May(v.user.Role, rt.Action):
				refused++
				if !gone || strings.Contains(body, "event: card") {
					t.Errorf("%s streams %q", what, body)
				}
			case v.user.ID == 0:
				refused++
				if res.Code != http.StatusSeeOther || !strings.HasPrefix(res.Header().Get("Location"), "/login") {
					t.Errorf("%s, want to the login", what)
				}
			case fleet.May(v.user.Role, rt.Action):
				if res.Code == http.StatusForbidden || toLogin || gone {
					t.Errorf("%s, but the role may", what)
				}
			case path == "/":
				refused++
				if to := res.Header().Get("Location"); res.Code != http.StatusSeeOther || to != home(v.user.Role) || to == "/" {
					t.Errorf("%s, want to the role's own page", what)
				}
			default:
				refused++
				if res.Code != http.StatusForbidden {
					t.Errorf("%s, want 403", what)
				}
			}
		}
	}
	t.Logf("%d routes, %d requests as 7 roles and nobody, %d of them refused", len(w.server.table), asked, refused)
	if refused < asked/4 || len(w.server.table) < 40 {
		t.Errorf("of %d requests only %d were refused, over %d routes: the test asks for too little", asked, refused, len(w.server.table))
	}
}

// TestNoRouteTakesAPostFromAnotherSite sends every POST there is as every role
// from where a hostile page would.
func TestNoRouteTakesAPostFromAnotherSite(t *testing.T) {
	w := newEmptyWorld(t)
	asked := 0
	for _, v := range everybody(t, w) {
		for _, rt := range w.server.table {
			method, path := split(rt.Pattern)
			if method != http.MethodPost {
				continue
			}
			path = variable.ReplaceAllString(path, "1")
			for _, header := range []http.Header{
				{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Sec-Fetch-Site": {""}, "Origin": {"https://evil.example"}},
			} {
				asked++
				if res := v.ask(method, path, header); res.Code != http.StatusForbidden || res.Header().Get("Set-Cookie") != "" {
					t.Errorf("%s %s as %q with %v: %d", method, path, v.user.Role, header, res.Code)
				}
			}
		}
	}
	t.Logf("%d posts from other sites, all refused", asked)
}

// TestScopedAccountsReachOnlyTheirOwn walks every page by guessed ids as the
// account of a unit and of a property company.
func TestScopedAccountsReachOnlyTheirOwn(t *testing.T) {
	w := newWorld(t)
	all, err := w.store.Points(t.Context(), fleet.PointFilter{})
	if err != nil {
		t.Fatal(err)
	}
	compounds, err := w.store.Compounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var company string
	for _, c := range compounds {
		if c.ID == w.points["谷雨里南门"].Compound {
			company = c.Property
		}
	}
	if company == "" {
		t.Fatal("the compound of the test has no property company")
	}
	for _, u := range []fleet.User{
		{Login: "unit", Role: fleet.UnitAccount, Unit: w.points["谷雨里南门"].Unit}, {Login: "property", Role: fleet.PropertyAccount, Company: company},
	} {
		t.Run(string(u.Role), func(t *testing.T) {
			u.Name, u.Created, u.PasswordSet = u.Login, testNow, testNow
			if u.ID, err = w.store.SaveUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			own, err := w.store.PointsIn(t.Context(), u.Scope())
			if err != nil || len(own) == 0 || len(own) == len(all) {
				t.Fatalf("%d own points of %d, %v", len(own), len(all), err)
			}
			v := &visitor{t: t, w: w, user: u}
			res := v.ask(http.MethodGet, "/my", nil)
			d := parse(t, res)
			d.count("#my-h ~ .count", 1)
			body := res.Body.String()
			for _, p := range all {
				mine := slices.ContainsFunc(own, func(o fleet.Point) bool { return o.ID == p.ID })
				if got := strings.Contains(body, ">"+p.Code+"<"); got != mine {
					t.Errorf("/my shows %s: %v, own: %v", p.Code, got, mine)
				}
				for _, rt := range w.server.table {
					method, path := split(rt.Pattern)
					if !strings.HasPrefix(path, "/points/{id}") || mine && fleet.May(u.Role, rt.Action) {
						continue // the rest is what the role may not do, and other people's points
					}
					path = strings.ReplaceAll(strings.ReplaceAll(path, "{id}", fmt.Sprint(p.ID)), "{slot}", variables["{slot}"])
					if res := v.ask(method, path, nil); res.Code != http.StatusForbidden && res.Code != http.StatusNotFound {
						t.Errorf("%s %s: %d", method, path, res.Code)
					}
				}
			}
			for _, a := range d.all("a[href^='/']") {
				if href := attrOf(a, "href"); v.ask(http.MethodGet, href, nil).Code >= 400 {
					t.Errorf("/my links to %s, which it may not see", href)
				}
			}
			live := v.ask(http.MethodGet, "/events/my?have=live-my.0", nil).Body.String()
			if !strings.Contains(live, own[0].Code) {
				t.Error("the stream of /my shows nothing")
			}
			for _, p := range all {
				if !slices.ContainsFunc(own, func(o fleet.Point) bool { return o.ID == p.ID }) && strings.Contains(live, p.Code+"\\u003c") {
					t.Errorf("the stream of /my shows %s", p.Code)
				}
			}
		})
	}
}
