package web

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"gatecast/controller/auth"
	"gatecast/controller/fleet"
)

func TestTokensAreMadeShownOnceAndRevoked(t *testing.T) {
	w := newEmptyWorld(t)
	w.serve(t, func(o *Options) { o.Tokens = w.store })
	c := w.as(t, "admin")
	c.page("/tokens").has(".empty", "还没有令牌")
	good := url.Values{"name": {`大屏 <b>"x"</b>`}, "scope": {"read"}, "days": {"90"}}
	for name, tt := range map[string]struct {
		field string
		value []string
		want  string
	}{
		"no_name":        {"name", []string{" "}, "请写明用途"},
		"long_name":      {"name", []string{strings.Repeat("长", 61)}, "请写明用途"},
		"no_scope":       {"scope", nil, "请至少选一项权限"},
		"scope_of_other": {"scope", []string{"read", "approve"}, "不能发放这项权限"},
		"audit_of_admin": {"scope", []string{"audit"}, "不能发放这项权限"},
		"twice":          {"scope", []string{"read", "read"}, "不能发放这项权限"},
		"endless":        {"days", []string{"36500"}, "请从列表里选有效期"},
		"no_days":        {"days", nil, "请从列表里选有效期"},
	} {
		t.Run(name, func(t *testing.T) {
			form := url.Values{}
			for k, v := range good {
				form[k] = v
			}
			form[tt.field] = tt.value
			res := c.post("/tokens", form)
			if res.Code != http.StatusUnprocessableEntity {
				t.Fatalf("%d", res.Code)
			}
			parse(t, res).has("[role=alert]", tt.want)
		})
	}
	res := c.post("/tokens", good)
	d := parse(t, res)
	token := d.text("#fresh")
	if !regexp.MustCompile(`^gcp_[a-z2-7]{59}$`).MatchString(token) || res.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("token %q, cache %q", token, res.Header().Get("Cache-Control"))
	}
	hash, _ := auth.TokenHash(token)
	kept, err := w.store.TokenByHash(t.Context(), hash)
	if err != nil || kept.Expires.Sub(kept.Created) > fleet.TokenLongest || len(kept.Scopes) != 1 {
		t.Fatalf("kept %+v, %v", kept, err)
	}
	again := c.get("/tokens")
	if strings.Contains(again.Body.String(), token) || strings.Contains(again.Body.String(), "<b>\"x\"") {
		t.Error("the secret is shown again, or a name is written as markup")
	}
	parse(t, again).has("td", "有效")
	// On the pages a token is worth nothing.
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "/points", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	r.URL.Scheme, r.URL.Host = "", ""
	if res := w.client(t).do(r); res.Code != http.StatusSeeOther {
		t.Errorf("a page with a token: %d", res.Code)
	}
	if res := c.post("/tokens/1/revoke", nil); res.Code != http.StatusSeeOther {
		t.Fatalf("revoke: %d", res.Code)
	}
	c.page("/tokens?done=token_revoked").has("[role=status]", "令牌已吊销")
	for _, path := range []string{"/tokens/99/revoke", "/tokens/x/revoke"} {
		if res := c.post(path, nil); res.Code != http.StatusNotFound {
			t.Errorf("POST %s = %d", path, res.Code)
		}
	}
	audits, err := w.store.Audits(t.Context(), 2)
	if err != nil || len(audits) != 2 || audits[0].What != fleet.AuditTokenRevoked || audits[1].What != fleet.AuditToken || strings.Contains(audits[1].Detail+audits[1].Object, token) {
		t.Errorf("audit %+v, %v", audits, err)
	}
}
