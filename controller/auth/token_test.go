package auth

import (
	"regexp"
	"strings"
	"testing"
)

func TestTokensAreRecognisedAndChecked(t *testing.T) {
	token, hash, hint := NewToken()
	other, _, _ := NewToken()
	if !regexp.MustCompile(`^gcp_[a-z2-7]{59}$`).MatchString(token) || token == other || len(hash) != 64 || !strings.HasPrefix(token, hint) || len(hint) != 10 {
		t.Fatalf("NewToken = %q, %q, %q", token, hash, hint)
	}
	if got, ok := TokenHash(token); !ok || got != hash {
		t.Errorf("TokenHash = %q, %v", got, ok)
	}
	last := "a"
	if strings.HasSuffix(token, "a") {
		last = "b"
	}
	for name, bad := range map[string]string{
		"empty": "", "prefix": TokenPrefix, "mistyped": token[:len(token)-1] + last, "cut": token[:40], "longer": token + "a",
		"upper": strings.ToUpper(token), "other_prefix": "ghp_" + token[4:], "space": " " + token,
	} {
		if _, ok := TokenHash(bad); ok {
			t.Errorf("%s: %q is taken for a token", name, bad)
		}
	}
}

func FuzzTokenHash(f *testing.F) {
	token, _, _ := NewToken()
	f.Add(token)
	f.Add(TokenPrefix)
	f.Fuzz(func(t *testing.T, s string) {
		if hash, ok := TokenHash(s); ok != (len(hash) == 64) {
			t.Errorf("TokenHash(%q) = %q, %v", s, hash, ok)
		}
	})
}
