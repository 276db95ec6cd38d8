package metrics

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// office10k is a city: what it has must not show in the number of lines.
type office10k struct {
	n    int
	fail error
}

func (o office10k) Points(context.Context, fleet.PointFilter) ([]fleet.Point, error) {
	return make([]fleet.Point, o.n), o.fail
}

func (o office10k) Devices(context.Context) ([]fleet.Device, error) {
	all := make([]fleet.Device, o.n)
	for i := range all {
		all[i] = fleet.Device{ID: wire.DeviceID(fmt.Sprint("d", i)), State: fleet.DeviceActive, Online: i%2 == 0, WantVersion: 1, PlanVersion: uint64(i % 4 / 3)}
		if i%10 == 0 {
			all[i].Conditions = []wire.Condition{{Code: fmt.Sprint("code", i), Severity: "warn"}, {Code: "x", Severity: "bad"}}
		}
	}
	return all, nil
}

func (o office10k) Incidents(context.Context, fleet.IncidentFilter) ([]fleet.Incident, error) {
	return make([]fleet.Incident, 3), nil
}

func (o office10k) Robots(context.Context) ([]fleet.Robot, error) {
	return []fleet.Robot{{Name: "值班群", Platform: fleet.WeCom, Waiting: 2, Dead: 1}, {Name: "督导群", Platform: fleet.WeCom, Waiting: 1}}, nil
}

func (o office10k) Trouble() error { return o.fail }

func newTestBoard(t *testing.T, o office10k) *Board {
	t.Helper()
	b, err := New(Options{Store: o, Version: "test", Ingest: func() Ingest { return Ingest{Messages: 7, Records: 5, Fresh: 4} }})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func scrape(t *testing.T, b *Board) string {
	t.Helper()
	res := httptest.NewRecorder()
	b.Handler().ServeHTTP(res, httptest.NewRequest("GET", "/metrics", nil))
	if res.Code != http.StatusOK {
		t.Fatalf("scrape = %d %s", res.Code, res.Body)
	}
	return res.Body.String()
}

func TestFiguresSayWhatIsThere(t *testing.T) {
	b := newTestBoard(t, office10k{n: 10_000})
	b.Settled(fleet.Obligation{Verdict: fleet.Missed})
	server := httptest.NewServer(b.Count("pages", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" {
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			return
		}
		http.NotFound(w, r)
	})))
	defer server.Close()
	for _, path := range []string{"/a", "/b", "/stream"} {
		res, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	body := scrape(t, b)
	for _, want := range []string{
		`gatecast_info{version="test"} 1`, "gatecast_fleet_points 10000", `gatecast_fleet_devices{state="active"} 10000`, `gatecast_fleet_devices{state="revoked"} 0`,
		"gatecast_fleet_devices_online 5000", "gatecast_fleet_devices_behind 7500", `gatecast_fleet_devices_faulty{severity="bad"} 1000`, `gatecast_fleet_devices_faulty{severity="warn"} 0`,
		"gatecast_incidents_open 3", `gatecast_robot_messages{platform="wecom",state="waiting"} 3`, `gatecast_robot_messages{platform="wecom",state="dead"} 1`,
		"gatecast_ingest_messages_total 7", "gatecast_ingest_records_new_total 4", `gatecast_ledger_verdicts_total{verdict="missed"} 1`, `gatecast_ledger_verdicts_total{verdict="played"} 0`,
		`gatecast_web_requests_total{server="pages",status="4xx"} 2`, `gatecast_web_request_seconds_count{server="pages"} 2`, "gatecast_store_trouble 0", "go_goroutines",
	} {
		if !strings.Contains(body, want+"\n") && !strings.Contains(body, want+" ") {
			t.Errorf("the figures lack %q", want)
		}
	}
	if n := strings.Count(body, "\ngatecast_"); n > 70 {
		t.Errorf("%d lines of 10,000 gates: some label has too many values", n)
	}
}

func TestABadDiskLeavesTheOtherFigures(t *testing.T) {
	body := scrape(t, newTestBoard(t, office10k{n: 2, fail: errors.New("disk full")}))
	if !strings.Contains(body, "gatecast_store_trouble 1") || !strings.Contains(body, "gatecast_incidents_open 3") || strings.Contains(body, "gatecast_fleet_points ") {
		t.Errorf("figures of an office in trouble:\n%s", body)
	}
}

// TestEveryFigureIsInTheReadme holds both readmes to the names that are served.
func TestEveryFigureIsInTheReadme(t *testing.T) {
	b := newTestBoard(t, office10k{n: 1})
	b.Count("pages", http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	names := regexp.MustCompile(`(?m)^# HELP (gatecast_\w+)`).FindAllStringSubmatch(scrape(t, b), -1)
	if len(names) < 15 {
		t.Fatalf("%d names", len(names))
	}
	for _, file := range []string{"README.md", "README.zh-CN.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if !strings.Contains(string(text), "`"+name[1]+"`") {
				t.Errorf("%s lacks %s", file, name[1])
			}
		}
	}
}
