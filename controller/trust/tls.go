package trust

import (
	"crypto/tls"
	"crypto/x509"
)

// ServerTLS returns the configuration of the device port: TLS 1.2 or newer; a
// client certificate is not demanded, but one that is shown must be of the
// CA, or of one before it. Own certificates near their end are reissued while
// running. A device certificate that has expired or is of a CA that was rotated
// away is not refused here, because renewal comes with it; MQTTServerTLS
// refuses both. Whose a certificate is, its key says and not who signed it.
func (a *Authority) ServerTLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: a.serverCertificate,
		ClientAuth:     tls.RequestClientCert,
		ClientCAs:      a.pool,
		// Verification is our own: the standard one has no way to let an
		// expired certificate of a known key in.
		VerifyConnection: a.verifyPeer,
		NextProtos:       []string{"h2", "http/1.1"},
	}
}

// verifyPeer checks the peer's certificate as of the last instant at which it
// was valid.
func (a *Authority) verifyPeer(cs tls.ConnectionState) error {
	if len(cs.PeerCertificates) == 0 {
		return nil
	}
	return a.verify(cs.PeerCertificates[0], true)
}

func (a *Authority) verify(cert *x509.Certificate, expired bool) error {
	at := a.now()
	if expired && at.After(cert.NotAfter) {
		at = cert.NotAfter
	}
	_, err := cert.Verify(x509.VerifyOptions{
		Roots: a.ever, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err
}

// Expired reports whether cert, which is of the CA, may be used for nothing
// but renewal any more.
func (a *Authority) Expired(cert *x509.Certificate) bool { return a.now().After(cert.NotAfter) }

// MQTTServerTLS returns the configuration of the broker: TLS 1.2 or newer,
// and a valid certificate of the CA is demanded.
func (a *Authority) MQTTServerTLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: a.serverCertificate,
		ClientAuth:     tls.RequireAndVerifyClientCert,
		ClientCAs:      a.pool,
		Time:           a.now,
		// Devices reconnect rarely and tickets would outlive a revocation.
		SessionTicketsDisabled: true,
	}
}

func (a *Authority) serverCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return a.current(&a.server, x509.ExtKeyUsageServerAuth), nil
}

// current returns l's certificate, reissued when it is near its end. Where
// that does not work the old one goes on being used until it does.
func (a *Authority) current(l *leaf, usage x509.ExtKeyUsage) *tls.Certificate {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now().AddDate(0, 0, renewLeftDays).After(l.cert.Leaf.NotAfter) {
		if err := a.load(l, usage); err != nil {
			a.logger.Warn("reissuing certificate", "name", l.name, "err", err)
		}
	}
	cert := l.cert
	return &cert
}

// ControllerClientTLS returns the identity of the controller's own MQTT link.
// It believes only servers of the CA; the name that is dialled does not count.
func (a *Authority) ControllerClientTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		RootCAs:    a.pool,
		ServerName: linkName,
		Time:       a.now,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return a.current(&a.link, x509.ExtKeyUsageClientAuth), nil
		},
	}
}

// PagesTLS returns the configuration of the office's pages with the
// controller's own certificate; browsers are asked for none.
func (a *Authority) PagesTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: a.serverCertificate, NextProtos: []string{"h2", "http/1.1"}}
}
