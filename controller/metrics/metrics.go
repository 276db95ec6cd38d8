// Package metrics is the controller's figures in the form of Prometheus, for
// whoever watches the office's machines.
//
// What stands in tables is read when somebody scrapes, the rest is counted as
// it happens. No label has more values than the code has words for it: no
// point, device, account or address is ever one. Names begin with gatecast_
// and stand in the README; they only gain company.
//
// The figures say how an office works, so the handler belongs behind an address
// of its own that the world cannot reach. A Board is safe for concurrent use.
package metrics

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gatecast/controller/fleet"
)

// Store is what is read at a scrape.
type Store interface {
	Points(ctx context.Context, f fleet.PointFilter) ([]fleet.Point, error)
	Devices(ctx context.Context) ([]fleet.Device, error)
	Incidents(ctx context.Context, f fleet.IncidentFilter) ([]fleet.Incident, error)
	Robots(ctx context.Context) ([]fleet.Robot, error)
	Trouble() error
}

// Ingest is what devices sent since the start.
type Ingest struct {
	Messages, Refused, Records, Fresh, Acks int64
}

// Options of New. Store and Ingest are required.
type Options struct {
	Store   Store
	Ingest  func() Ingest
	Version string
	Logger  *slog.Logger // nil discards
}

// Board collects the figures.
type Board struct {
	o        Options // immutable after New
	registry *prometheus.Registry
	verdicts *prometheus.CounterVec
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// scrapeTime bounds what a scrape may read.
const scrapeTime = 10 * time.Second

// New returns a Board.
func New(o Options) (*Board, error) {
	if o.Store == nil || o.Ingest == nil {
		return nil, errors.New("metrics options: Store and Ingest are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Board{
		o: o, registry: prometheus.NewRegistry(),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gatecast_ledger_verdicts_total", Help: "Obligations settled since the start, by verdict; one that was settled anew counts again."}, []string{"verdict"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gatecast_web_requests_total", Help: "HTTP requests answered, by server and class of the status."}, []string{"server", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gatecast_web_request_seconds", Help: "Time until an answer was written, by server; event streams are not counted.", Buckets: []float64{.005, .02, .1, .5, 2, 10},
		}, []string{"server"}),
	}
	for _, v := range fleet.Verdicts {
		b.verdicts.WithLabelValues(string(v)) // a figure that is not there yet cannot be watched
	}
	for _, c := range []prometheus.Collector{b.verdicts, b.requests, b.seconds, office{b}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := b.registry.Register(c); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Settled counts a verdict. It never blocks.
func (b *Board) Settled(o fleet.Obligation) { b.verdicts.WithLabelValues(string(o.Verdict)).Inc() }

// Handler serves the figures at every path.
func (b *Board) Handler() http.Handler {
	return promhttp.HandlerFor(b.registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(b.o.Logger.Handler(), slog.LevelError), MaxRequestsInFlight: 2, Timeout: 2 * scrapeTime})
}

// Count counts the requests of a server: pages, api or devices.
func (b *Board) Count(server string, next http.Handler) http.Handler {
	seconds := b.seconds.WithLabelValues(server)
	for _, class := range []string{"2xx", "4xx", "5xx"} {
		b.requests.WithLabelValues(server, class)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun, out := time.Now(), &counted{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			b.requests.WithLabelValues(server, strconv.Itoa(out.status/100)+"xx").Inc()
			if !out.stream {
				seconds.Observe(time.Since(begun).Seconds())
			}
		}()
		next.ServeHTTP(out, r)
	})
}

// counted notes the status of an answer, and whether it is a stream.
type counted struct {
	http.ResponseWriter
	status int
	wrote  bool
	stream bool
}

// WriteHeader implements http.ResponseWriter.
func (c *counted) WriteHeader(status int) {
	if !c.wrote && status >= 200 {
		c.status, c.wrote = min(max(status, 200), 599), true
		c.stream = strings.HasPrefix(c.Header().Get("Content-Type"), "text/event-stream")
	}
	c.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (c *counted) Write(p []byte) (int, error) {
	if !c.wrote {
		c.WriteHeader(http.StatusOK)
	}
	return c.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// Flush implements http.Flusher.
func (c *counted) Flush() {
	if !c.wrote {
		c.WriteHeader(http.StatusOK)
	}
	_ = http.NewResponseController(c.ResponseWriter).Flush() // not every writer can
}

// Hijack implements http.Hijacker.
func (c *counted) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(c.ResponseWriter).Hijack()
}
