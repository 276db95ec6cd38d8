package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatecast/controller/auth"
	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/internal/wire"
)

var testNow = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// world is the API on a real store.
type world struct {
	*Server
	t     *testing.T
	store *store.Store
	now   time.Time
}

func newTestWorld(t *testing.T) *world {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatecast.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	err = db.ImportRegistry(t.Context(), fleet.Registry{
		Units: []fleet.UnitEntry{{Unit: fleet.Unit{Code: "SL", Name: "示例街道", Type: fleet.Subdistrict}}},
		Points: []fleet.PointEntry{
			{Point: fleet.Point{Code: "SL-01", Name: "松风苑南门", Kind: fleet.Gate, DutyName: "张工", DutyPhone: "13800000421"}, Unit: "SL"},
			{Point: fleet.Point{Code: "SL-02", Name: `<script>alert(1)</script>`, Kind: fleet.Gate}, Unit: "SL"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: db, now: testNow}
	w.Server, err = New(Options{
		Tokens: db, Fleet: db, Ledger: db, Audit: db, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Zone: time.UTC, Version: "test",
		Now: func() time.Time { return w.now }, News: db, Library: db, Relay: testRelay{db}, Subscribe: func() (<-chan struct{}, func()) { return nil, func() {} },
		JoinCode: func(_ context.Context, p fleet.PointID, by string) (string, error) {
			return fmt.Sprint("line of ", p, " by ", by), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// testRelay takes no item: that needs the relay's desk.
type testRelay struct{ *store.Store }

func (testRelay) AddItem(context.Context, fleet.RelayItem) (fleet.RelayID, error) { return 1, nil }

// issue makes a token of an account of that role.
func (w *world) issue(role fleet.Role, scopes ...fleet.Action) (string, fleet.Token) {
	w.t.Helper()
	token, hash, hint := auth.NewToken()
	owner, err := w.store.SaveUser(w.t.Context(), fleet.User{Login: hint, Name: "张工", Role: role, Password: "x", Created: testNow})
	if err != nil {
		w.t.Fatal(err)
	}
	v := fleet.Token{Name: "test", Hash: hash, Hint: hint, Owner: owner, Scopes: scopes, Created: testNow, Expires: testNow.Add(24 * time.Hour)}
	if v.ID, err = w.store.AddToken(w.t.Context(), v); err != nil {
		w.t.Fatal(err)
	}
	return token, v
}

func (w *world) ask(method, path, authorization string) (int, map[string]any) {
	w.t.Helper()
	var body io.Reader
	if method+" "+path == "POST /api/v1/relay/items" {
		body = strings.NewReader(`{"text":"警惕冒充客服"}`)
	}
	r := httptest.NewRequest(method, path, body)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return w.send(r)
}

func (w *world) send(r *http.Request) (int, map[string]any) {
	w.t.Helper()
	res := httptest.NewRecorder()
	w.ServeHTTP(res, r)
	if strings.HasSuffix(r.URL.Path, ".yaml") && res.Code == http.StatusOK {
		if !strings.HasPrefix(res.Body.String(), "openapi: ") || res.Header().Get("Content-Type") != "application/yaml; charset=utf-8" {
			w.t.Errorf("the document: %v %.40s", res.Header(), res.Body)
		}
		return res.Code, nil
	}
	var v map[string]any
	if err := json.Unmarshal(res.Body.Bytes(), &v); err != nil {
		w.t.Fatalf("%s %s = %d, no JSON: %q", r.Method, r.URL, res.Code, res.Body)
	}
	h := res.Header()
	if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Access-Control-Allow-Origin") != "" ||
		h.Get("Content-Type") != "application/json; charset=utf-8" || strings.Contains(res.Body.String(), "<") {
		w.t.Errorf("%s %s: headers %v, body %q", r.Method, r.URL, h, res.Body)
	}
	if res.Code >= 400 && (v["code"] == "" || v["text"] == "" || v["text_en"] == "") {
		w.t.Errorf("%s %s = %d without words: %v", r.Method, r.URL, res.Code, v)
	}
	return res.Code, v
}

func concrete(pattern string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	return method, strings.ReplaceAll(path, "{code}", "SL-01")
}

// TestEveryCallAsEveryRole asks every call with every single scope as every
// role: what the scope and the role allow is answered, all else is forbidden.
func TestEveryCallAsEveryRole(t *testing.T) {
	w := newTestWorld(t)
	tried := 0
	for _, role := range fleet.Roles {
		for _, scope := range append([]fleet.Action{"nothing"}, fleet.TokenScopes...) {
			token, _ := w.issue(role, scope)
			for _, rt := range w.Routes() {
				method, path := concrete(rt.Pattern)
				allowed := rt.Action == "" || (rt.Action == scope && fleet.May(role, rt.Action))
				code, v := w.ask(method, path, "Bearer "+token)
				if want := map[bool]int{true: http.StatusOK, false: http.StatusForbidden}[allowed]; code != want {
					t.Errorf("%s as %s with %s = %d %v, want %d", rt.Pattern, role, scope, code, v, want)
				}
				tried++
			}
		}
	}
	for _, rt := range w.Routes() {
		method, path := concrete(rt.Pattern)
		if code, _ := w.ask(method, path, ""); code != http.StatusUnauthorized {
			t.Errorf("%s without a token = %d", rt.Pattern, code)
		}
	}
	t.Logf("%d calls", tried)
}

func TestTokensThatOpenNothing(t *testing.T) {
	w := newTestWorld(t)
	token, v := w.issue(fleet.Admin, fleet.ActRead)
	stranger, _, _ := auth.NewToken()
	ask := func(authorization string) int { code, _ := w.ask("GET", "/api/v1/points", authorization); return code }
	if got := ask("Bearer " + token); got != http.StatusOK {
		t.Fatalf("the good token = %d", got)
	}
	for name, authorization := range map[string]string{
		"unknown": "Bearer " + stranger, "basic": "Basic " + token, "bare": token, "empty": "Bearer ", "two_words": "Bearer " + token + " x",
		"sql": "Bearer ' OR 1=1 --", "long": "Bearer gcp_" + strings.Repeat("a", 60000),
	} {
		if got := ask(authorization); got != http.StatusUnauthorized {
			t.Errorf("%s = %d, want 401", name, got)
		}
		w.now = w.now.Add(missEvery) // the limiter is another test's
	}
	r := httptest.NewRequest("GET", "/api/v1/points?token="+token+"&access_token="+token, nil)
	r.AddCookie(&http.Cookie{Name: "gatecast_session", Value: token})
	r.AddCookie(&http.Cookie{Name: "__Host-gatecast_session", Value: token})
	if code, _ := w.send(r); code != http.StatusUnauthorized {
		t.Errorf("a token in the address and in cookies = %d", code)
	}
	r = httptest.NewRequest("GET", "/api/v1/points", nil)
	r.Header["Authorization"] = []string{"Bearer " + token, "Bearer " + token}
	if code, _ := w.send(r); code != http.StatusUnauthorized {
		t.Errorf("two fields = %d", code)
	}
	owner, err := w.store.User(t.Context(), v.Owner)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(*fleet.User)
		want   int
	}{
		"disabled": {func(u *fleet.User) { u.Disabled = true }, 403}, "expired": {func(u *fleet.User) { u.Expires = testNow }, 403},
		"demoted": {func(u *fleet.User) { u.Role = fleet.Auditor }, 403}, "again": {func(*fleet.User) {}, 200},
	} {
		u := owner
		tt.change(&u)
		if _, err := w.store.SaveUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		if got := ask("Bearer " + token); got != tt.want {
			t.Errorf("owner %s: %d, want %d", name, got, tt.want)
		}
	}
	if _, err := w.store.SaveUser(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.RevokeToken(t.Context(), v.ID, "admin", testNow); err != nil {
		t.Fatal(err)
	}
	if got := ask("Bearer " + token); got != http.StatusUnauthorized {
		t.Errorf("revoked = %d", got)
	}
	second, _ := w.issue(fleet.Admin, fleet.ActRead)
	w.now = testNow.Add(24 * time.Hour)
	if got := ask("Bearer " + second); got != http.StatusUnauthorized {
		t.Errorf("ended = %d", got)
	}
}

func TestRatesAreBounded(t *testing.T) {
	w := newTestWorld(t)
	token, _ := w.issue(fleet.Admin, fleet.ActRead)
	codes := map[int]int{}
	for range callBurst + 10 {
		code, _ := w.ask("GET", "/api/v1/token", "Bearer "+token)
		codes[code]++
	}
	if codes[200] != callBurst || codes[429] != 10 {
		t.Errorf("%v, want %d answered", codes, callBurst)
	}
	w.now = w.now.Add(callEvery)
	if code, _ := w.ask("GET", "/api/v1/token", "Bearer "+token); code != 200 {
		t.Errorf("a step later: %d", code)
	}
	clear(codes)
	for range missBurst + 10 {
		code, _ := w.ask("GET", "/api/v1/token", "Bearer gcp_wrong")
		codes[code]++
	}
	if codes[401] != missBurst || codes[429] != 10 {
		t.Errorf("guessing: %v, want %d looked at", codes, missBurst)
	}
	r := httptest.NewRequest("GET", "/api/v1/token", nil)
	r.RemoteAddr = "198.51.100.9:1"
	r.Header.Set("Authorization", "Bearer "+token)
	w.now = w.now.Add(callEvery)
	if code, _ := w.send(r); code != 200 {
		t.Errorf("from another address while one guesses: %d", code)
	}
}

func TestAnswersSayWhatIsThere(t *testing.T) {
	w := newTestWorld(t)
	token, v := w.issue(fleet.Admin, fleet.ActRead, fleet.ActEnrol)
	points, err := w.store.Points(t.Context(), fleet.PointFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var due []fleet.Obligation
	for day := 20; day < 23; day++ {
		at := time.Date(2026, 11, day, 10, 0, 0, 0, time.UTC)
		due = append(due, fleet.Obligation{
			Point: points[0].ID, Day: fleet.Day(at.Format(time.DateOnly)), Slot: wire.SlotID(at.Format(time.DateOnly) + ".x.noon"), Programme: "x", Version: 1,
			Name: "中", Start: at, End: at.Add(time.Minute), Plays: 2, Verdict: fleet.Due,
		})
	}
	if _, err := w.store.PutObligations(t.Context(), fleet.PlanWindow{Points: []fleet.PointID{points[0].ID}, From: testNow.AddDate(0, 0, -4), To: testNow}, due, testNow.AddDate(0, 0, -5)); err != nil {
		t.Fatal(err)
	}
	get := func(path string, want int) map[string]any {
		t.Helper()
		code, v := w.ask("GET", path, "Bearer "+token)
		if code != want {
			t.Errorf("GET %s = %d %v, want %d", path, code, v, want)
		}
		w.now = w.now.Add(callEvery)
		return v
	}
	if p := get("/api/v1/points/SL-01", 200); p["name"] != "松风苑南门" || p["unit"] != "SL" || p["device"] != nil {
		t.Errorf("point: %v", p)
	}
	if all, _ := json.Marshal(get("/api/v1/points", 200)); strings.Contains(string(all), "1380000") || strings.Contains(string(all), "张工") {
		t.Errorf("personal data are served: %s", all)
	}
	page := get("/api/v1/obligations?from=2026-11-01&to=2026-11-23&point=SL-01&limit=2", 200)
	if rows := page["obligations"].([]any); len(rows) != 2 || page["next"] != float64(2) || rows[0].(map[string]any)["point"] != "SL-01" {
		t.Errorf("first page: %v", page)
	}
	page = get("/api/v1/obligations?from=2026-11-01&to=2026-11-23&limit=2&offset=2", 200)
	if len(page["obligations"].([]any)) != 1 || page["next"] != nil {
		t.Errorf("last page: %v", page)
	}
	sum := get("/api/v1/compliance?from=2026-11-01&to=2026-11-23&by=point,day", 200)
	if sum["total"].(map[string]any)["owed"] != float64(3) || len(sum["rows"].([]any)) != 3 {
		t.Errorf("compliance: %v", sum)
	}
	if h := get("/api/v1/health", 200); h["status"] != "ok" || h["points"] != float64(2) {
		t.Errorf("health: %v", h)
	}
	if err := w.store.AddIncident(t.Context(), fleet.Incident{Kind: fleet.IncidentStranger, From: "192.0.2.7", Last: testNow}); err != nil {
		t.Fatal(err)
	}
	if n := get("/api/v1/incidents?open=1", 200); len(n["incidents"].([]any)) != 1 {
		t.Errorf("incidents: %v", n)
	}
	for _, path := range []string{
		"points/SL-99", "points/" + "%27%20OR%201=1--", "nowhere", "points/SL-01/nowhere", "",
	} {
		get("/api/v1/"+path, 404)
	}
	for _, query := range []string{
		"obligations?form=2026-11-01", "obligations?from=x", "obligations?from=2026-11-24&to=2026-11-23", "obligations?from=2026-01-01&to=2026-11-23",
		"obligations?limit=0", "obligations?limit=1001", "obligations?limit=-1", "obligations?offset=x", "obligations?verdict=%27", "obligations?from=2026-11-01&from=2026-11-02",
		"compliance?by=name", "compliance?by=day,day,day,day,day", "points?limit=1;drop", "incidents?open=yes", "health?x=1", "points?limit=%zz",
	} {
		get("/api/v1/"+query, 422)
	}
	get("/api/v1/obligations?point=%27%20OR%201=1--", 404)
	code, line := w.ask("POST", "/api/v1/points/SL-02/join-codes", "Bearer "+token)
	if code != 200 || !strings.HasPrefix(line["line"].(string), "line of") {
		t.Errorf("join code: %d %v", code, line)
	}
	audits, err := w.store.Audits(t.Context(), 1)
	if err != nil || len(audits) != 1 || audits[0].What != fleet.AuditJoinCode || audits[0].Who != v.Hint {
		t.Errorf("audit: %v, %v", audits, err)
	}
	if kept, err := w.store.TokenByHash(t.Context(), v.Hash); err != nil || kept.LastUsed.IsZero() || kept.LastFrom != "192.0.2.1" {
		t.Errorf("the use of the token is kept as %v, %v", kept, err)
	}
}

func FuzzQuery(f *testing.F) {
	f.Add("from=2026-11-01&to=2026-11-23&limit=5&by=day,unit")
	f.Add("limit=&offset=%00&verdict=missed")
	f.Fuzz(func(t *testing.T, raw string) {
		r := httptest.NewRequest("GET", "/api/v1/obligations", nil)
		r.URL.RawQuery = raw
		q := (&call{Request: r}).read("from", "to", "limit", "offset", "verdict", "by")
		from, to := q.period(testNow)
		limit, offset := q.limit(200), q.number("offset", 0, 1<<30)
		if q.err == nil && (to < from || limit < 1 || limit > 1000 || offset < 0) {
			t.Errorf("%q is read as %s to %s, %d from %d", raw, from, to, limit, offset)
		}
	})
}
