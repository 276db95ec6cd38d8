package depot

import (
	"net/http"

	"gatecast/controller/fleet"
)

// revoked tells a revoked device so, in a document that the director signed:
// a refusal alone could come from anybody between, and must not silence a
// gate. For every other device there is none.
func (p *port) revoked(w http.ResponseWriter, r *http.Request) {
	cert := certificate(r)
	if cert == nil {
		refuse(w, http.StatusUnauthorized, needCertificate)
		return
	}
	id, ok := p.o.Trust.DeviceOf(cert)
	if !ok {
		refuse(w, http.StatusForbidden, notKnown)
		return
	}
	d, err := p.o.Store.Device(r.Context(), id)
	switch {
	case fleet.CodeOf(err) == fleet.NotFound:
		refuse(w, http.StatusForbidden, notKnown)
		return
	case err != nil:
		p.logger.Error("reading device", "device", id, "err", err)
		busy(w)
		return
	case d.State != fleet.DeviceRevoked || string(d.SPKI) != string(cert.RawSubjectPublicKeyInfo):
		http.NotFound(w, r)
		return
	}
	doc, err := p.o.Trust.SealRevocation(id, d.Retired)
	if err != nil {
		p.logger.Error("sealing revocation", "device", id, "err", err)
		busy(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(doc) // the device asks again
}
