package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gatecast/controller/api"
	"gatecast/controller/auth"
	"gatecast/controller/chronicle"
	"gatecast/controller/fleet"
	"gatecast/controller/relay"
	"gatecast/controller/robot"
	"gatecast/controller/store"
	"gatecast/internal/wire"
)

// world is the real API on a real store, called over HTTP.
type world struct {
	*Client
	t      *testing.T
	store  *store.Store
	api    *api.Server
	desk   *chronicle.Desk
	doc    *openAPI
	mu     sync.Mutex
	called map[string]bool // method and pattern
}

// RoundTrip sends a request, notes what was called, and holds the answer to the
// document.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || w.doc == nil || strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		return res, err
	}
	path := strings.ReplaceAll(r.URL.Path, "/SL-01", "/{code}")
	o, ok := w.doc.Paths[path][strings.ToLower(r.Method)]
	w.mu.Lock()
	w.called[r.Method+" "+path] = true
	w.mu.Unlock()
	if !ok || strings.HasSuffix(path, ".yaml") {
		return res, nil
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		w.t.Errorf("%s %s: %v", r.Method, path, err)
	}
	for _, wrong := range w.doc.check(o.ID, w.doc.schema(o, strconv.Itoa(res.StatusCode)), v) {
		w.t.Errorf("%s %s: %s", r.Method, path, wrong)
	}
	return res, nil
}

type relays struct {
	*store.Store
	desk *relay.Desk
}

func (r relays) AddItem(ctx context.Context, item fleet.RelayItem) (fleet.RelayID, error) {
	return r.desk.Create(ctx, item, nil)
}

func newTestWorld(t *testing.T) *world {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatecast.db"), store.Options{StateDelay: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w := &world{t: t, store: db, called: map[string]bool{}}
	w.fill()
	desk, err := relay.New(relay.Options{Book: db, Places: db, Settings: db, Zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	if w.desk, err = chronicle.New(chronicle.Options{Book: db, World: db}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.desk.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	w.api, err = api.New(api.Options{
		Tokens: db, Fleet: db, Ledger: db, Audit: db, Logger: slog.New(slog.DiscardHandler), Zone: time.UTC, Version: "test",
		News: db, Library: db, Relay: relays{db, desk}, Subscribe: w.desk.Subscribe,
		JoinCode: func(context.Context, fleet.PointID, string) (string, error) { return "a line", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w.api)
	t.Cleanup(server.Close)
	t.Cleanup(func() { _ = w.api.Close() })
	w.Client = &Client{URL: server.URL, Token: w.issue(), HTTP: &http.Client{Transport: w}, strict: true}
	data, err := w.Document(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.doc = parseDocument(t, data)
	return w
}

func (w *world) issue() string {
	w.t.Helper()
	token, hash, hint := auth.NewToken()
	now := time.Now()
	owner, err := w.store.SaveUser(w.t.Context(), fleet.User{Login: hint, Name: "张工", Role: fleet.Admin, Password: "x", Created: now})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.store.AddToken(w.t.Context(), fleet.Token{Name: "test", Hash: hash, Hint: hint, Owner: owner, Scopes: fleet.TokenScopes, Created: now, Expires: now.Add(time.Hour)}); err != nil {
		w.t.Fatal(err)
	}
	return token
}

// fill puts one of everything into the store.
func (w *world) fill() {
	t, db, now := w.t, w.store, time.Now()
	t.Helper()
	if err := db.ImportRegistry(t.Context(), fleet.Registry{
		Units:  []fleet.UnitEntry{{Unit: fleet.Unit{Code: "SL", Name: "示例街道", Type: fleet.Subdistrict}}, {Unit: fleet.Unit{Code: "SF", Name: "松风社区", Type: fleet.Community}, Parent: "SL"}},
		Groups: []fleet.GroupEntry{{Group: fleet.Group{Tier: 1, Code: "SL-1-00-00-1", Name: "示例街道反电诈指挥群", Owner: "张工", Members: 40}, Unit: "SL"}},
		Points: []fleet.PointEntry{{Point: fleet.Point{Code: "SL-01", Name: "松风苑南门", Kind: fleet.Gate, DutyPhone: "13800000421"}, Unit: "SF"}},
	}); err != nil {
		t.Fatal(err)
	}
	points, err := db.Points(t.Context(), fleet.PointFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.AddJoinCode(t.Context(), fleet.JoinCode{Hash: "h", Point: points[0].ID, Issued: now, Expires: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Enrol(t.Context(), "h", fleet.Device{ID: "d1", SPKI: []byte("d1")}, now); err != nil {
		t.Fatal(err)
	}
	if _, err := db.AcceptDevice(t.Context(), "d1", "test", now); err != nil {
		t.Fatal(err)
	}
	today := fleet.Day(now.UTC().Format(time.DateOnly))
	owed := fleet.Obligation{Point: points[0].ID, Day: today, Slot: wire.SlotID(string(today) + ".x.noon"), Programme: "x", Version: 1, Name: "中", Start: now, End: now.Add(time.Minute), Plays: 2, Verdict: fleet.Due}
	if _, err := db.PutObligations(t.Context(), fleet.PlanWindow{Points: []fleet.PointID{points[0].ID}, From: now.Add(-time.Hour), To: now.Add(time.Hour)}, []fleet.Obligation{owed}, now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := db.AddIncident(t.Context(), fleet.Incident{Kind: fleet.IncidentStranger, From: "192.0.2.7", Last: now}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.AddClip(t.Context(), fleet.Clip{Name: "kefu", Title: "冒充客服", SHA256: strings.Repeat("ab", 32), Rate: 24000, Frames: 48000, LUFS: -18.1, Uploaded: now}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.AddProgramme(t.Context(), fleet.Programme{Code: "x", Name: "日常宣传", YAML: []byte("id: x"), Uploaded: now, By: "clerk"}); err != nil {
		t.Fatal(err)
	}
}

// TestTheDocumentIsTheServer holds the document to the routes, each with its
// scope, and the client to the document.
func TestTheDocumentIsTheServer(t *testing.T) {
	w := newTestWorld(t)
	described := map[string]string{}
	client := reflect.TypeFor[*Client]()
	for path, methods := range w.doc.Paths {
		for method, o := range methods {
			if o.Scope == nil || o.ID == "" {
				t.Fatalf("%s %s has no operationId or x-scope", method, path)
			}
			described[strings.ToUpper(method)+" "+path] = *o.Scope
			if _, ok := client.MethodByName(strings.ToUpper(o.ID[:1]) + o.ID[1:]); !ok {
				t.Errorf("the client has no method for operation %q", o.ID)
			}
		}
	}
	for _, r := range w.api.Routes() {
		scope, ok := described[r.Pattern]
		if !ok || scope != string(r.Action) {
			t.Errorf("the document says scope %q (known %v) of %s, the server %q", scope, ok, r.Pattern, r.Action)
		}
		delete(described, r.Pattern)
	}
	for pattern := range described {
		t.Errorf("the document has %s, the server does not", pattern)
	}
}

// TestEveryOperation calls everything that there is against the real server;
// each answer is held to the document, and to the client's own fields.
func TestEveryOperation(t *testing.T) {
	w := newTestWorld(t)
	ctx := t.Context()
	must := func(what string, ok bool, err error) {
		t.Helper()
		if err != nil || !ok {
			t.Errorf("%s: %v, %v", what, ok, err)
		}
	}
	info, err := w.TokenInfo(ctx)
	must("token", info.Name == "test" && len(info.Scopes) == 3, err)
	doc, err := w.Document(ctx)
	must("document", bytes.HasPrefix(doc, []byte("openapi: 3.1")), err)
	health, err := w.Health(ctx)
	must("health", health.Status == "ok" && health.Points == 1 && health.Devices == 1 && health.Incidents == 1, err)
	units, err := w.Units(ctx)
	must("units", len(units) == 2 && units[1].Parent == "SL", err)
	points, err := w.Points(ctx, "", Page{Limit: 10})
	must("points", len(points) == 1 && points[0].Device != nil, err)
	point, err := w.Point(ctx, "SL-01")
	must("point", point.Name == "松风苑南门", err)
	code, err := w.AddJoinCode(ctx, "SL-01")
	must("join code", code.Line == "a line", err)
	owed, err := w.Obligations(ctx, Period{}, "SL-01", "due", Page{})
	must("obligations", len(owed.Obligations) == 1 && owed.Next == nil, err)
	sum, err := w.Compliance(ctx, Period{}, "point", "day")
	must("compliance", sum.Total.Owed == 1 && len(sum.Rows) == 1 && sum.Total.Confirmed == nil, err)
	incidents, err := w.Incidents(ctx, true, Page{})
	must("incidents", len(incidents) == 1, err)
	clips, err := w.Clips(ctx, "draft")
	must("clips", len(clips) == 1 && clips[0].MS == 2000, err)
	programmes, err := w.Programmes(ctx)
	must("programmes", len(programmes) == 1 && programmes[0].State == "draft", err)
	groups, err := w.Groups(ctx)
	must("groups", len(groups) == 1 && groups[0].Members == 40, err)
	id, err := w.AddRelayItem(ctx, "警惕冒充客服，咨询 13800000421", "区总指挥群", true)
	must("add relay item", id == 1, err)
	items, err := w.RelayItems(ctx, "", Page{})
	must("relay items", len(items) == 1 && items[0].Urgent && items[0].Tasks == 1 && !strings.Contains(items[0].Text, "13800000421"), err)
	tasks, err := w.RelayTasks(ctx, id, true)
	must("relay tasks", len(tasks) == 1 && tasks[0].Group == "SL-1-00-00-1", err)
	w.happen(3)
	events, err := w.Events(ctx, 0, 2, "verdict")
	must("events", len(events.Events) == 2 && events.Next == events.Events[1].ID, err)
	more, err := w.Events(ctx, events.Next, 100)
	must("more events", len(more.Events) == 1 && more.Next == more.Events[0].ID, err)
	lines, err := w.store.Audits(ctx, 0)
	must("audit", len(lines) >= 2 && lines[0].What == fleet.AuditRelayAPI, err)
	for path, methods := range w.doc.Paths {
		for method := range methods {
			if !w.called[strings.ToUpper(method)+" "+path] {
				t.Errorf("%s %s was not called", method, path)
			}
		}
	}
	for what, call := range map[string]func() error{
		"no point":   func() error { _, err := w.Obligations(ctx, Period{}, "SL-99", "", Page{}); return err },
		"empty text": func() error { _, err := w.AddRelayItem(ctx, " ", "", false); return err },
		"bad day":    func() error { _, err := w.Compliance(ctx, Period{From: "x"}); return err },
		"bad kind":   func() error { _, err := w.Events(ctx, 0, 0, "gossip"); return err },
	} {
		var e *Error
		if err := call(); !errors.As(err, &e) || e.Text == "" || (e.Status != 404 && e.Status != 422) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func (w *world) happen(n int) {
	w.t.Helper()
	var all []fleet.Occurrence
	for i := range n {
		all = append(all, fleet.Occurrence{At: time.Now(), Kind: fleet.OccurredVerdict, Object: fmt.Sprint("门 ", i), Data: fleet.Fields("verdict", "missed")})
	}
	if _, err := w.store.AddOccurrences(w.t.Context(), all, nil); err != nil {
		w.t.Fatal(err)
	}
}

// TestFollowingGoesOn reads a stream, loses the connection again and again,
// and gets every event once and in order.
func TestFollowingGoesOn(t *testing.T) {
	w := newTestWorld(t)
	w.doc = nil
	w.happen(700) // more than is read at a time
	stop := errors.New("enough")
	var got []int64
	start, err := w.Events(t.Context(), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	err = w.Follow(t.Context(), start.First, func(e Event) error {
		got = append(got, e.ID)
		switch len(got) {
		case 650:
			w.desk.Settled(fleet.Obligation{Point: 1, Verdict: fleet.Played, Settled: time.Now()}) // comes by the wake-up
		case 300:
			http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		}
		if e.Kind == "verdict" && e.Data["verdict"] == "played" {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) {
		t.Fatalf("Follow = %v", err)
	}
	for i, id := range got {
		if id != start.First+1+int64(i) {
			t.Fatalf("event %d has number %d", i, id)
		}
	}
	if _, err := w.store.TrimOccurrences(t.Context(), time.Now().Add(time.Hour), 5); err != nil {
		t.Fatal(err)
	}
	first := Event{}
	_ = w.Follow(t.Context(), 1, func(e Event) error { first = e; return stop })
	if first.Kind != "gap" {
		t.Errorf("who was away too long first hears %+v", first)
	}
}

func TestStreamsEndWithTheToken(t *testing.T) {
	w := newTestWorld(t)
	w.doc = nil
	w.Token = "gcp_wrong"
	var e *Error
	if err := w.Follow(t.Context(), -1, func(Event) error { return nil }); !errors.As(err, &e) || e.Status != http.StatusUnauthorized {
		t.Errorf("a wrong token: %v", err)
	}
	w.Token = w.issue()
	var wg sync.WaitGroup
	for range 5 { // one more than a token may have
		wg.Go(func() { _ = w.Follow(t.Context(), -1, func(Event) error { return nil }) })
	}
	t.Cleanup(wg.Wait) // they end with the test's context
	var refused *Error
	for refused == nil {
		err := w.Follow(t.Context(), 0, func(Event) error { return errors.New("open") })
		_ = errors.As(err, &refused)
	}
	if refused.Status != http.StatusTooManyRequests {
		t.Errorf("a fifth stream = %v", refused)
	}
	if err := w.api.Close(); err != nil { // every stream ends; readers ask again, and are let go by the test's end
		t.Error(err)
	}
}

func TestWebhooksAreVerified(t *testing.T) {
	now := time.Unix(1700000000, 0)
	body := []byte(`{"events":[]}`)
	good := robot.Sign("whsec", now, body)
	if !VerifyWebhook("whsec", "1700000000", good, body, now.Add(time.Minute)) {
		t.Error("what the controller signed is refused")
	}
	for name, ok := range map[string]bool{
		"secret": VerifyWebhook("other", "1700000000", good, body, now), "body": VerifyWebhook("whsec", "1700000000", good, []byte("{}"), now),
		"time": VerifyWebhook("whsec", "1700000001", good, body, now), "old": VerifyWebhook("whsec", "1700000000", good, body, now.Add(time.Hour)), "none": VerifyWebhook("whsec", "", "", body, now),
	} {
		if ok {
			t.Errorf("another %s is believed", name)
		}
	}
}
