package auth

import (
	"errors"
	"strings"
	"testing"

	"gatecast/controller/fleet"
)

func TestHashVerifies(t *testing.T) {
	phc, err := Hash("Wuyou-2026-xia")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(phc, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %q is not in the form we mean", phc)
	}
	for _, tt := range []struct {
		password string
		want     bool
	}{{"Wuyou-2026-xia", true}, {"wuyou-2026-xia", false}, {"", false}, {"Wuyou-2026-xia ", false}, {strings.Repeat("x", MaxPassword+1), false}} {
		if ok, err := Verify(phc, tt.password); ok != tt.want || err != nil {
			t.Errorf("Verify(%q) = %v, %v, want %v", tt.password, ok, err, tt.want)
		}
	}
	again, err := Hash("Wuyou-2026-xia")
	if err != nil || again == phc {
		t.Errorf("two hashes of one password are equal (%v): no salt", err)
	}
	if _, err := Hash(""); err == nil {
		t.Error("an empty password was hashed")
	}
}

func TestVerifyOtherParameters(t *testing.T) {
	// From the reference implementation: argon2 with -id -t 2 -m 8 -p 1 over "password", salt "somesalt".
	const phc = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	if ok, err := Verify(phc, "password"); !ok || err != nil {
		t.Errorf("Verify(reference hash) = %v, %v", ok, err)
	}
}

func TestVerifyRefusesForeignHashes(t *testing.T) {
	good, err := Hash("x")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		"empty":          "",
		"bcrypt":         "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
		"argon2i":        strings.Replace(good, "argon2id", "argon2i", 1),
		"other_version":  strings.Replace(good, "v=19", "v=16", 1),
		"huge_memory":    strings.Replace(good, "m=19456", "m=99999999", 1),
		"no_passes":      strings.Replace(good, "t=2", "t=0", 1),
		"many_lanes":     strings.Replace(good, "p=1", "p=200", 1),
		"bad_salt":       "$argon2id$v=19$m=19456,t=2,p=1$***$AAAA",
		"short_key":      "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$AAAA",
		"missing_fields": "$argon2id$v=19",
	}
	for name, phc := range tests {
		t.Run(name, func(t *testing.T) {
			if ok, err := Verify(phc, "x"); ok || !errors.Is(err, ErrHash) {
				t.Errorf("Verify = %v, %v, want ErrHash", ok, err)
			}
		})
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add("$argon2id$v=19$m=99999999999999999999,t=2,p=1$$")
	f.Fuzz(func(t *testing.T, phc string) {
		h, err := parse(phc)
		if err == nil && (h.memory > maxMemoryKiB || h.passes > maxPasses || h.lanes > maxLanes || len(h.key) > 64) {
			t.Errorf("parse(%q) let through %+v", phc, h)
		}
	})
}

func TestCheckPassword(t *testing.T) {
	tests := []struct {
		name, password string
		want           string // part of the English sentence, empty if it is good
	}{
		{"good", "Wuyou-2026-xia", ""},
		{"good_phrase", "correct Horse 9 battery", ""},
		{"good_chinese", "松风吹解带-Abc1", ""},
		{"short", "Ab1!", "at least 10"},
		{"two_classes", "abcdefgh12345", "three of"},
		{"has_login", "Zhanggong-2026", "account"},
		{"has_name", "张工的密码Abc12345", "account"},
		{"common", "Password2026!", "common"},
		{"common_in_disguise", "Dr@g0n-2026", "common"},
		{"common_in_the_middle", "2026#Sunshine!", "common"},
		{"common_chinese", "Woaini1314!", "common"},
		{"no_letters_to_speak_of", "Aa12345678!", "common"},
		{"common_keyboard", "Qwertyuiop-2026", "common"},
		{"repeats", "Aa1Aa1Aa1Aa1", "common"},
		{"too_long", strings.Repeat("Aa1-bcdefg", 60), "512"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := CheckPassword(tt.password, "zhanggong", "张工")
			if tt.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			var fe *fleet.Error
			if !errors.As(err, &fe) || fe.Code != fleet.Invalid || !strings.Contains(fe.TextEN, tt.want) || fe.Text == "" {
				t.Errorf("CheckPassword = %v, want Invalid with %q", err, tt.want)
			}
		})
	}
}

func TestOneTimePasswords(t *testing.T) {
	seen := map[string]bool{}
	for range 2000 {
		p := OneTime()
		if len(p) != 19 || strings.Count(p, "-") != 3 || strings.ContainsAny(p, "01lio") || seen[p] {
			t.Fatalf("OneTime = %q (seen before: %v)", p, seen[p])
		}
		seen[p] = true
	}
}
