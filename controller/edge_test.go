package controller

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"strings"
	"testing"

	"gatecast/controller/doorway"
)

// TestPagesAreServedByTheOwnCA opens the pages as a browser does that has
// imported the CA, and as one that has not.
func TestPagesAreServedByTheOwnCA(t *testing.T) {
	o := testOptions(t, t.TempDir())
	o.Config.Web.Plain, o.Config.Web.Redirect = false, "127.0.0.1:0"
	o.Config.Hosts = []string{"127.0.0.1", "office.example"}
	c := start(t, o)
	ca, err := x509.ParseCertificate(c.CA())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	var seen tls.ConnectionState
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, VerifyConnection: func(cs tls.ConnectionState) error {
		seen = cs
		return nil
	}}}}
	res, err := client.Get("http://" + c.plainL.Addr().String() + "/login?x=1") // follows the redirect
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if res.Request.URL.Scheme != "https" || res.Request.URL.RequestURI() != "/login?x=1" || !strings.Contains(string(body), "门播") {
		t.Errorf("ended at %s: %d", res.Request.URL, res.StatusCode)
	}
	call, err := client.Get("https://" + c.webL.Addr().String() + "/api/v1/token")
	if err != nil {
		t.Fatal(err)
	}
	call.Body.Close()
	if call.StatusCode != http.StatusUnauthorized || call.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("the API without a token: %d %s", call.StatusCode, call.Header.Get("Content-Type"))
	}
	if page, own := c.Fingerprints(); page != doorway.Fingerprint(seen.PeerCertificates[0]) || own != doorway.Fingerprint(ca) {
		t.Error("the fingerprints are not those of what is shown")
	}
	leaf := seen.PeerCertificates[0]
	for _, name := range o.Config.Hosts {
		if err := leaf.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	if _, err := http.Get(c.WebURL()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a browser that does not know the CA: %v", err)
	}
	for name, version := range map[string]uint16{"1.1": tls.VersionTLS11, "1.0": tls.VersionTLS10} {
		for _, addr := range []string{c.webL.Addr().String(), c.deviceL.Addr().String()} {
			conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS10, MaxVersion: version})
			if err == nil {
				conn.Close()
				t.Errorf("TLS %s was accepted at %s", name, addr)
			}
		}
	}
}
