package acceptance

import (
	"context"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"gatecast/controller/auth"
	"gatecast/controller/fleet"
	"gatecast/controller/store"
)

// person is somebody of the office with a browser of their own.
type person struct {
	o      *office
	login  string
	client *http.Client
}

// newStaffedOffice is newOffice with accounts for people of the given roles,
// who have logged in.
func newStaffedOffice(t *testing.T, staff map[string]fleet.Role) (*office, map[string]*person) {
	t.Helper()
	return newOfficeWithPast(t, staff, func(*office, *store.Store) {})
}

// newOfficeWithPast is newStaffedOffice whose books past writes into before the
// controller starts.
func newOfficeWithPast(t *testing.T, staff map[string]fleet.Role, past func(*office, *store.Store)) (*office, map[string]*person) {
	t.Helper()
	o := layOut(t, t.TempDir(), "")
	file := filepath.Join(o.dir, "registry.yaml")
	writeFile(t, file, registry)
	run(t, "gatecast-controller", "--config", o.config, "registry", "import", file)
	once := o.oncePassword()
	const password = "Wangjiang-2026-men"
	hash, err := auth.Hash(password)
	if err != nil {
		t.Fatal(err)
	}
	books, err := store.Open(context.Background(), filepath.Join(o.dir, "data", "gatecast.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for login, role := range staff {
		u := fleet.User{Login: login, Name: login, Role: role, Password: hash, PasswordSet: time.Now(), Created: time.Now()}
		if _, err := books.SaveUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	past(o, books)
	if err := books.Close(); err != nil {
		t.Fatal(err)
	}
	o.start()
	o.logIn(once)
	people := map[string]*person{}
	for login := range staff {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		p := &person{o: o, login: login, client: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
		p.post("/login", url.Values{"login": {login}, "password": {password}})
		people[login] = p
	}
	return o, people
}

func (p *person) get(path string) string {
	p.o.t.Helper()
	res, err := p.client.Get(p.o.web + path)
	return p.o.page(p.login+": GET "+path, res, err)
}

func (p *person) post(path string, form url.Values) string {
	p.o.t.Helper()
	res, err := p.client.PostForm(p.o.web+path, form)
	return p.o.page(p.login+": POST "+path, res, err)
}

// refused returns the status with which the office answers a form.
func (p *person) refused(path string, form url.Values) int {
	p.o.t.Helper()
	res, err := p.client.PostForm(p.o.web+path, form)
	if err != nil {
		p.o.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}
