package depot

import (
	"net/http"
	"testing"

	"gatecast/internal/seal"
	"gatecast/internal/wire"
)

func TestOnlyTheRevokedHearThatTheyAre(t *testing.T) {
	w := newTestWorld(t, nil)
	active, revoked, replaced := w.newBox(), w.newBox(), w.newBox()
	active.join(w.code(0))
	revoked.join(w.code(1))
	replaced.join(w.code(2))
	w.newBox().join(w.code(2))
	if err := w.store.RevokeDevice(t.Context(), revoked.id, w.time()); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		box    *box
		status int
	}{
		"active": {active, http.StatusNotFound}, "replaced": {replaced, http.StatusNotFound},
		"none": {w.newBox(), http.StatusUnauthorized}, "revoked": {revoked, http.StatusOK},
	} {
		resp, body := tt.box.do(http.MethodGet, wire.PathRevoked, nil)
		if resp.StatusCode != tt.status {
			t.Errorf("%s: GET %s = %d %q, want %d", name, wire.PathRevoked, resp.StatusCode, body, tt.status)
		}
		if tt.status != http.StatusOK {
			continue
		}
		var r wire.Revocation
		if _, err := seal.Open(body, w.trust.DirectorKeys(), seal.Expect{Type: wire.DocRevoked, Device: revoked.id}, &r); err != nil || r.Device != revoked.id || r.AtUS == 0 {
			t.Errorf("revocation %+v: %v", r, err)
		}
	}
}
