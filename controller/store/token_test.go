package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatecast/controller/fleet"
)

func TestTokensAreKeptUntilTheyAreRevoked(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store) {
		owner, err := s.SaveUser(t.Context(), fleet.User{Login: "admin", Name: "张工", Role: fleet.Admin, Password: "x", Created: t0})
		if err != nil {
			t.Fatal(err)
		}
		want := fleet.Token{Name: "大屏", Hash: "aa", Hint: "gcp_abcdef", Owner: owner, Scopes: []fleet.Action{fleet.ActRead}, Created: t0, Expires: t0.Add(time.Hour)}
		for name, spoil := range map[string]func(*fleet.Token){
			"too_long": func(v *fleet.Token) { v.Expires = t0.Add(fleet.TokenLongest + time.Second) },
			"endless":  func(v *fleet.Token) { v.Expires = time.Time{} },
			"ended":    func(v *fleet.Token) { v.Expires = t0 },
			"useless":  func(v *fleet.Token) { v.Scopes = nil },
		} {
			v := want
			spoil(&v)
			if _, err := s.AddToken(t.Context(), v); fleet.CodeOf(err) != fleet.Invalid {
				t.Errorf("%s: AddToken = %v, want Invalid", name, err)
			}
		}
		if want.ID, err = s.AddToken(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		want.LastUsed, want.LastFrom = t0.Add(time.Minute), "192.0.2.7"
		if err := s.TouchToken(t.Context(), want.ID, want.LastUsed, want.LastFrom); err != nil {
			t.Fatal(err)
		}
		got, err := s.TokenByHash(t.Context(), "aa")
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("TokenByHash: %v (-want +got):\n%s", err, diff)
		}
		want.Revoked, want.RevokedBy = t0.Add(2*time.Minute), "admin"
		for _, by := range []string{"admin", "other"} {
			got, err := s.RevokeToken(t.Context(), want.ID, by, want.Revoked)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("RevokeToken by %s: %v (-want +got):\n%s", by, err, diff)
			}
		}
		if _, err := s.RevokeToken(t.Context(), 99, "admin", t0); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("revoking nothing: %v", err)
		}
		if _, err := s.TokenByHash(t.Context(), "bb"); fleet.CodeOf(err) != fleet.NotFound {
			t.Errorf("an unknown token: %v", err)
		}
		if all, err := s.Tokens(t.Context()); err != nil || len(all) != 1 {
			t.Errorf("Tokens = %v, %v", all, err)
		}
	})
}
