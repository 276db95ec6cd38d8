// Package depot is the device port: HTTPS for everything that does not fit a
// message. Devices get the trust root here, enrol, renew their certificate,
// and fetch clips and documents.
//
// It owns what may be asked without being known (root document, enrolment)
// and what only a device of the registry may have: clips while it is active, its
// own plans and manifests as long as it is not revoked. Who is what is asked of the registry on each request; the TLS layer has
// verified whatever certificate was shown. Refusals carry one sentence for
// the person at the gate. The handler is safe for concurrent use.
package depot

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Store is what the port reads and writes of the registry.
type Store interface {
	// Enrol binds d to the point of the join code. Its refusals are
	// *fleet.Error: NotFound for an unknown code, Conflict for a used one,
	// Invalid for an expired one, Forbidden for a revoked device.
	Enrol(ctx context.Context, codeHash string, d fleet.Device, now time.Time) (fleet.Point, error)
	Device(ctx context.Context, id wire.DeviceID) (fleet.Device, error)
	Point(ctx context.Context, id fleet.PointID) (fleet.Point, error)
	// Doc returns a sealed document by its hash; fleet.NotFound if there is none.
	Doc(ctx context.Context, sha256 string) ([]byte, error)
}

// Trust is what the port needs of the controller's keys.
type Trust interface {
	RootEnvelope() []byte
	// RootOf returns a version of the root document; ok is false for none.
	RootOf(version uint64) (envelope []byte, ok bool)
	CA() []byte
	IssueDevice(csrDER []byte, now time.Time) (cert []byte, id wire.DeviceID, spki []byte, err error)
	DeviceOf(cert *x509.Certificate) (wire.DeviceID, bool)
	Expired(cert *x509.Certificate) bool
	SealRevocation(device wire.DeviceID, at time.Time) ([]byte, error)
}

// Clips opens clips by their hash.
type Clips interface {
	Open(sha256 string) (*os.File, error)
}

// Options of Handler. Store, Trust, Clips and MQTTAddr are required.
type Options struct {
	Store      Store
	Trust      Trust
	Clips      Clips
	MQTTAddr   string                // host:port of the broker; an empty host means the one enrolled at
	OnEnrolled func(d wire.DeviceID) // called after an enrolment was committed; may be nil
	OnRefused  func(fleet.Incident)  // told of attempts that no honest device makes; must not block; may be nil
	Logger     *slog.Logger          // nil discards
	Now        func() time.Time      // nil means time.Now

	Transfers int   // clips and documents at a time; 0 means DefaultTransfers
	Tries     Tries // wrong enrolments per address; the zero value means DefaultTries
}

// DefaultTransfers bounds what is sent at a time: 64 transfers share 100
// Mbit/s at 190 KB/s each, so that a 30 s clip takes 3 s.
const DefaultTransfers = 64

// perDevice is how many transfers one device may have at a time.
const perDevice = 4

type port struct {
	o         Options
	logger    *slog.Logger
	transfers *turnstile
	tries     *limiter
}

// Handler returns the device port. It belongs behind TLS that asks for client
// certificates and verifies those that are shown.
func Handler(o Options) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Transfers <= 0 {
		o.Transfers = DefaultTransfers
	}
	if o.Tries == (Tries{}) {
		o.Tries = DefaultTries
	}
	if o.OnEnrolled == nil {
		o.OnEnrolled = func(wire.DeviceID) {}
	}
	if o.OnRefused == nil {
		o.OnRefused = func(fleet.Incident) {}
	}
	p := &port{o: o, logger: o.Logger, transfers: newTurnstile(o.Transfers, perDevice), tries: newLimiter(o.Tries)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+wire.PathRoot, p.root)
	mux.HandleFunc("GET "+wire.PathRoots+"{version}", p.rootOf)
	mux.HandleFunc("POST "+wire.PathEnrol, p.enrol)
	mux.HandleFunc("POST "+wire.PathRenew, p.renew)
	mux.HandleFunc("GET "+wire.PathRevoked, p.revoked)
	mux.HandleFunc("GET "+wire.PathClips+"{sha256}", p.clip)
	mux.HandleFunc("GET "+wire.PathDocs+"{sha256}", p.doc)
	return guard(mux)
}

// guard sets what every answer carries and bounds how long a request may take
// to arrive.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		// Not every writer knows deadlines; the server's own then hold.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(requestTime))
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime))
		next.ServeHTTP(w, r)
	})
}

const (
	requestTime = 20 * time.Second
	answerTime  = 30 * time.Second
	// slowest is the speed below which a transfer is cut: a modem of 1995.
	slowest = 4 << 10 // bytes a second
)

func (p *port) root(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(p.o.Trust.RootEnvelope()) // the device checks the hash
}

// rootOf serves one link of the chain of root documents. They are public, and
// each is signed by the one before.
func (p *port) rootOf(w http.ResponseWriter, r *http.Request) {
	version, err := strconv.ParseUint(r.PathValue("version"), 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	doc, ok := p.o.Trust.RootOf(version)
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(doc) // the device asks again
}

// certificate returns the certificate that the peer showed, or nil.
func certificate(r *http.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	return r.TLS.PeerCertificates[0]
}

// Who may have what.
var (
	mayFetchClips = []fleet.DeviceState{fleet.DeviceActive}
	// Whoever must not sound gets a plan that says so, and the manifest.
	mayFetchDocs = []fleet.DeviceState{fleet.DeviceActive, fleet.DeviceQuarantine, fleet.DeviceRetired}
	mayRenew     = []fleet.DeviceState{fleet.DeviceActive, fleet.DeviceQuarantine}
)

// known returns the device that asks, if its state is one of states. Where
// there is none it has answered already.
func (p *port) known(w http.ResponseWriter, r *http.Request, states []fleet.DeviceState, mayBeExpired bool) (fleet.Device, bool) {
	cert := certificate(r)
	if cert == nil {
		refuse(w, http.StatusUnauthorized, needCertificate)
		return fleet.Device{}, false
	}
	id, ok := p.o.Trust.DeviceOf(cert)
	if !ok {
		refuse(w, http.StatusForbidden, notKnown)
		return fleet.Device{}, false
	}
	if !mayBeExpired && p.o.Trust.Expired(cert) {
		refuse(w, http.StatusForbidden, certExpired)
		return fleet.Device{}, false
	}
	d, err := p.o.Store.Device(r.Context(), id)
	switch {
	case fleet.CodeOf(err) == fleet.NotFound:
		refuse(w, http.StatusForbidden, notKnown)
	case err != nil:
		p.logger.Error("reading device", "device", id, "err", err)
		busy(w)
	case !slices.Contains(states, d.State) || string(d.SPKI) != string(cert.RawSubjectPublicKeyInfo):
		if d.State == fleet.DeviceRevoked {
			p.o.OnRefused(fleet.Incident{Kind: fleet.IncidentRevoked, Device: id, From: address(r), Detail: r.URL.Path})
		}
		refuse(w, http.StatusForbidden, notActive)
	default:
		return d, true
	}
	return fleet.Device{}, false
}
