package web

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/netip"

	"gatecast/controller/doorway"
	"gatecast/controller/fleet"
)

// edgeRoutes are the pages about the way in: which certificate this server
// shows, and which programs have a token.
func (s *Server) edgeRoutes(mux *http.ServeMux) {
	s.may(mux, fleet.ActAccount, "GET /certificate", s.certificate)
	s.public(mux, "GET /ca.crt", s.authority)
	s.may(mux, fleet.ActUsers, "GET /tokens", s.tokens)
	s.may(mux, fleet.ActUsers, "POST /tokens", s.addToken)
	s.may(mux, fleet.ActUsers, "POST /tokens/{id}/revoke", s.revokeToken)
}

// administrative are the actions that admin_addresses confines.
var administrative = map[fleet.Action]bool{fleet.ActUsers: true, fleet.ActSettings: true, fleet.ActAudit: true}

// openFrom reports whether pages of that action are open to the address that
// asks. Somebody at the controller's own machine is always let in, so that a
// wrong list can lock nobody out for good: behind a proxy that is not the
// machine but the proxy, so there it takes TLS that ends here.
func (s *Server) openFrom(r *http.Request, what fleet.Action) bool {
	if len(s.o.AdminAddresses) == 0 || !administrative[what] || doorway.Contains(s.o.AdminAddresses, r.RemoteAddr) {
		return true
	}
	ip, err := netip.ParseAddr(address(r))
	return err == nil && ip.Unmap().IsLoopback() && r.TLS != nil
}

// elsewhere says why a page of the administration does not open, and the way
// out.
func elsewhere(r *http.Request) error {
	return &fleet.Error{
		Code: fleet.Forbidden,
		Text: fmt.Sprintf("管理页面只对名单内的地址开放，您的地址 %s 不在名单里。请换到名单内的电脑，或在主控那台机器上修改配置里的 web.admin_addresses。", address(r)),
		TextEN: fmt.Sprintf("The pages of the administration open from listed addresses only, and yours, %s, is not listed. "+
			"Use a listed computer, or change web.admin_addresses in the configuration on the controller's own machine.", address(r)),
	}
}

// certificateView is what a reader compares with what the browser shows.
type certificateView struct {
	Page, CA string // fingerprints; empty without TLS or for a certificate of somebody else
}

func (s *Server) certificate(w http.ResponseWriter, r *http.Request, v *visit) error {
	f, err := s.frame(r.Context(), v, r, "certificate.title", "")
	if err != nil {
		return err
	}
	view := certificateView{}
	if s.o.Certificates != nil {
		view.Page, view.CA = s.o.Certificates.Fingerprints()
	}
	f.V = view
	return s.show(w, http.StatusOK, "certificate", f)
}

// authority hands out the certificate of the controller's own CA, for browsers
// to import. It is public by nature; what makes it worth anything is comparing
// its fingerprint.
func (s *Server) authority(w http.ResponseWriter, _ *http.Request, _ *visit) error {
	if s.o.Certificates == nil {
		return errNoPage
	}
	if _, ca := s.o.Certificates.Fingerprints(); ca == "" {
		return errNoPage
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-x509-ca-cert")
	h.Set("Content-Disposition", `attachment; filename="gatecast-ca.crt"`)
	// As text: browsers import either form, and curl reads this one only.
	_ = pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: s.o.Certificates.CA()}) // the reader may have gone
	return nil
}
