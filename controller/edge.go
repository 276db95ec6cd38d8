package controller

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"gatecast/controller/doorway"
	"gatecast/controller/web"
)

// Connections at a time. An office of 200 people has some ten open each; a
// fleet that fetches a clip all at once is spread by the depot itself, and
// a whole estate may sit behind one router.
const (
	webTotal      = 4096
	webPerAddress = 128
)

// callTime bounds how long an API call and its answer may be on the way.
const callTime = time.Minute

var deviceLimits = doorway.Limits{Total: 8192, PerAddress: 512}

// openEdge reads the operator's own certificate and binds the port that sends
// plain HTTP on, where they are configured.
func (c *Controller) openEdge() (err error) {
	w := c.o.Config.Web
	if w.CertFile != "" {
		if c.certificate, err = doorway.OpenCertificate(w.CertFile, w.KeyFile, c.part("web")); err != nil {
			return err
		}
	}
	if w.Redirect == "" {
		return nil
	}
	if c.plainL, err = listen("web.redirect_listen", w.Redirect); err != nil {
		return err
	}
	c.stack.OnStop("redirect port", closer(c.plainL))
	return nil
}

// servePages serves the pages as the configuration says.
func (c *Controller) servePages() {
	limits := doorway.Limits{Total: webTotal, PerAddress: webPerAddress, Trusted: c.o.Config.Web.Proxies()}
	var secure *tls.Config
	switch {
	case c.o.Config.Web.Plain:
	case c.certificate != nil:
		secure = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.certificate.Get}
	default:
		secure = c.Trust.PagesTLS()
	}
	front := http.NewServeMux()
	front.Handle("/", c.board.Count("pages", c.pages))
	front.Handle("/api/", c.board.Count("api", doorway.Visitors(limits.Trusted, doorway.Patience(callTime, callTime, c.calls))))
	c.serve("web server", doorway.Listen(c.webL, limits), front, secure)
	if c.plainL != nil {
		_, port, _ := net.SplitHostPort(c.webL.Addr().String()) // an address of our own
		c.serve("redirect server", doorway.Listen(c.plainL, limits), doorway.ToHTTPS(port), nil)
	}
	if page, ca := c.Fingerprints(); page != "" {
		c.logger.Info("certificate of the pages", "sha256", page, "ca_sha256", ca)
	}
}

// Fingerprints returns the SHA-256 of the certificate that browsers see, and
// of the controller's own CA where that issued it; both are empty without TLS.
func (c *Controller) Fingerprints() (page, ca string) {
	switch {
	case c.o.Config.Web.Plain:
		return "", ""
	case c.certificate != nil:
		cert, _ := c.certificate.Get(nil) // never fails
		return doorway.Fingerprint(cert.Leaf), ""
	}
	return doorway.Fingerprint(c.Trust.Server()), doorway.Fingerprint(c.Trust.Authority())
}

// CA returns the certificate of the controller's own CA in DER.
func (c *Controller) CA() []byte { return c.Trust.CA() }

func (c *Controller) certificates() web.Certificates {
	if c.o.Config.Web.Plain {
		return nil
	}
	return c
}

// serve runs an HTTP server on l that Stop drains; secure is nil for plain
// HTTP.
func (c *Controller) serve(name string, l net.Listener, h http.Handler, secure *tls.Config) {
	s := &http.Server{
		Handler: h, TLSConfig: secure, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(c.part(name).Handler(), slog.LevelDebug), // strangers' broken handshakes
	}
	c.stack.OnStop(name, func(ctx context.Context) error {
		if err := s.Shutdown(ctx); err != nil {
			return errors.Join(err, s.Close())
		}
		return nil
	})
	go func() { // ends when the step above shuts s down
		var err error
		if secure == nil {
			err = s.Serve(l)
		} else {
			err = s.ServeTLS(l, "", "")
		}
		if !errors.Is(err, http.ErrServerClosed) {
			c.fail(name, err)
		}
	}()
}
