package web

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"gatecast/controller/auth"
	"gatecast/controller/fleet"
)

// liveStream is an open event stream.
type liveStream struct {
	t    *testing.T
	scan *bufio.Scanner
	stop context.CancelFunc
}

// stream opens the event stream of a page as its browser would.
func (w *world) stream(t *testing.T, login, path string) (*liveStream, doc) {
	t.Helper()
	srv := httptest.NewServer(w.server)
	t.Cleanup(srv.Close)
	t.Cleanup(func() { _ = w.server.Close() })
	c := w.as(t, login)
	page := c.page(path)
	var have []string
	for _, n := range page.all("[data-live]") {
		have = append(have, attrOf(n, "data-live")+"."+attrOf(n, "data-hash"))
	}
	url := page.attr("body", "data-events")
	if url == "" || len(have) == 0 {
		t.Fatalf("GET %s is not live", path)
	}
	sep := "?"
	if strings.Contains(url, "?") {
		sep = "&"
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+url+sep+"have="+strings.Join(have, ","), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range c.cookies {
		r.AddCookie(k)
	}
	res, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("stream: %d %v", res.StatusCode, res.Header)
	}
	scan := bufio.NewScanner(res.Body)
	scan.Buffer(nil, 1<<20)
	return &liveStream{t, scan, cancel}, page
}

// next reads up to the end of one refresh: the cards in it, and whether the
// stream said that the session is gone.
func (s *liveStream) next() (cards map[string]string, gone bool) {
	s.t.Helper()
	cards = map[string]string{}
	event := ""
	for s.scan.Scan() {
		line := s.scan.Text()
		switch {
		case strings.HasPrefix(line, "event: "):
			event = strings.TrimPrefix(line, "event: ")
			gone = gone || event == "gone"
		case strings.HasPrefix(line, "data: ") && event == "card":
			var c liveCard
			if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "data: ")), &c); err != nil {
				s.t.Fatal(err)
			}
			cards[c.ID] = c.HTML
		case line == ": up to date":
			return cards, gone
		}
	}
	return cards, gone
}

func TestLivePageSendsWhatChanged(t *testing.T) {
	w := newWorld(t)
	path := pointPath(w.points["松风苑南门"].ID)
	s, _ := w.stream(t, "inspector", path)
	if cards, gone := s.next(); len(cards) != 0 || gone {
		t.Fatalf("nothing changed since the page, but %d cards came", len(cards))
	}
	p := w.points["松风苑南门"]
	d, err := w.store.DeviceOfPoint(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.SetOffline(t.Context(), d.ID, 7, testNow); err != nil {
		t.Fatal(err)
	}
	for range 50 { // a burst is one refresh
		w.hub.Publish(fleet.Event{Kind: fleet.EventDevice, Point: p.ID})
	}
	cards, _ := s.next()
	if !strings.Contains(cards["live-state"], "离线") || !strings.Contains(cards["live-needs"], "离线") {
		t.Errorf("cards after the device went: %v", keysOf(cards))
	}
	if _, ok := cards["live-strip"]; ok && !strings.Contains(cards["live-strip"], "离线") {
		t.Error("a card came that did not change")
	}
	if _, ok := cards["live-records"]; ok {
		t.Error("the records came though none is new")
	}
}

func keysOf(m map[string]string) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	return list
}

func TestLivePageCatchesUpWithWhatItMissed(t *testing.T) {
	w := newWorld(t)
	c := w.as(t, "inspector")
	c.page("/")
	body := c.getFor(t, "/events/?have=live-wall.0000000000000000,live-evil.1,layout.html.2,../x.3")
	if !strings.Contains(body, `"id":"live-wall"`) || strings.Contains(body, "layout") || strings.Contains(body, "live-evil") {
		t.Errorf("stream %.300q", body)
	}
}

// getFor reads a stream until its first refresh is over.
func (c *client) getFor(t *testing.T, path string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequest(http.MethodGet, path, nil).WithContext(ctx)
	for _, k := range c.cookies {
		r.AddCookie(k)
	}
	res := &stopAfter{ResponseRecorder: httptest.NewRecorder(), stop: cancel}
	c.server.ServeHTTP(res, r)
	return res.Body.String()
}

// stopAfter ends the request at its first flush.
type stopAfter struct {
	*httptest.ResponseRecorder
	stop context.CancelFunc
}

func (s *stopAfter) Flush() { s.ResponseRecorder.Flush(); s.stop() }

func TestLivePageEndsWithTheSession(t *testing.T) {
	w := newWorld(t)
	s, _ := w.stream(t, "inspector", "/")
	s.next()
	w.setNow(testNow.Add(auth.DefaultIdle)) // looking is not using: the session has run out
	w.hub.Publish(fleet.Event{Kind: fleet.EventRecord})
	if _, gone := s.next(); !gone {
		t.Error("the stream outlived its session")
	}
	if s.scan.Scan() {
		t.Errorf("after the end came %q", s.scan.Text())
	}
}

func TestLivePageEndsWithTheServer(t *testing.T) {
	w := newWorld(t)
	s, _ := w.stream(t, "inspector", "/points")
	s.next()
	if err := w.server.Close(); err != nil {
		t.Fatal(err)
	}
	for s.scan.Scan() {
	}
	if err := s.scan.Err(); err != nil {
		t.Errorf("the stream broke off: %v", err)
	}
}

// still are the pages of the tour that show nothing that changes by itself:
// forms, and what is read once.
var still = []string{
	"reel", "reels", "voice", "mute_sheet", "rosters", "rostercheck",
	"complaint_new", "replace", // forms of what is ordered
	"entry_new", "entry", "holidays", "editor", "month", "programme_diff", // forms, and what is read once
	"figures", "feedback", "feedback_sheet", // what is typed once a week
	"backups", "papers",
	"speak", "record", "urgent_texts", "urgent_drill",
	"unit", "units", "units_lacks", "unit_new", "unit_missing", "compounds", "properties", "property", "point_new", "point_edit", "calibration", // the registry
	"activate", "certificate", "join", "join_wrong", "lost", "mute", "password", "phone", "privacy", "tokens", "urgent_new",
	"deductions", "deduction", "deduction_rules", "deduction_new", "deduction_notice", // what a person wrote
	"group", "group_names", "group_new", "group_register", "group_rule", "relay_overdue", "relay_rules",
	"bulletin", "bulletin_new", // a paper and its form
	"inspection_find", "inspection_new", // forms of what was heard
}

func TestEveryPageRendersItsCardsAlone(t *testing.T) {
	w := newWorld(t)
	tour := w.tour(t)
	c := w.as(t, "admin") // what happened on the tour ended every login
	for name, path := range tour {
		if slices.Contains(still, name) && name != "activate" {
			continue
		}
		page := c.page(path)
		ids := page.all("[data-live]")
		if len(ids) == 0 && !slices.Contains(still, name) {
			t.Errorf("%s has no live card", name)
			continue
		}
		have := ""
		for _, n := range ids {
			have += attrOf(n, "data-live") + ".0,"
		}
		sep := "?"
		events := page.attr("body", "data-events")
		if strings.Contains(events, "?") {
			sep = "&"
		}
		body := c.getFor(t, events+sep+"have="+have)
		if got := strings.Count(body, "event: card"); got != len(ids) {
			t.Errorf("%s: %d of %d cards came", name, got, len(ids))
		}
	}
}

func TestHubNeverBlocks(t *testing.T) {
	h := &Hub{}
	events, cancel := h.subscribe()
	for range 10 * hubBuffer {
		h.Publish(fleet.Event{Kind: fleet.EventClip})
	}
	if len(events) != hubBuffer {
		t.Errorf("%d events wait, want %d", len(events), hubBuffer)
	}
	cancel()
	h.Publish(fleet.Event{Kind: fleet.EventClip})
	if len(events) != hubBuffer || len(h.subs) != 0 {
		t.Error("a page that went still gets events")
	}
}
