package auth

import (
	"encoding/base32"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/vault"
)

// TestTOTPVectors are those of RFC 6238, appendix B, for SHA-1; its codes have
// eight digits, of which ours are the last six.
func TestTOTPVectors(t *testing.T) {
	secret := []byte("12345678901234567890")
	for at, want := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
	} {
		if got := totpCode(secret, at/30); got != want[2:] {
			t.Errorf("code at %d = %s, want %s", at, got, want[2:])
		}
		step, ok := totpStepOf(secret, want[2:], time.Unix(at, 0))
		if !ok || step != at/30 {
			t.Errorf("step at %d = %d, %v", at, step, ok)
		}
	}
}

func TestTOTPWindow(t *testing.T) {
	secret := []byte("12345678901234567890")
	now := time.Unix(1_800_000_000, 0)
	for steps, want := range map[int64]bool{-2: false, -1: true, 0: true, 1: true, 2: false} {
		if _, ok := totpStepOf(secret, totpCode(secret, now.Unix()/30+steps), now); ok != want {
			t.Errorf("a code %d steps off: %v, want %v", steps, ok, want)
		}
	}
	for _, bad := range []string{"", "12345", "1234567", "abcdef"} {
		if _, ok := totpStepOf(secret, bad, now); ok {
			t.Errorf("code %q was taken", bad)
		}
	}
}

// enable turns the second factor of the office's one account on.
func (o *office) enable(t *testing.T) (fleet.User, []byte, []string) {
	t.Helper()
	user, err := o.store.UserByLogin(t.Context(), "zhanggong")
	if err != nil {
		t.Fatal(err)
	}
	s, err := o.SetUpCode(user)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.URI, "otpauth://totp/") || !strings.Contains(s.URI, "secret="+s.Text) {
		t.Errorf("URI %q", s.URI)
	}
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(s.Text)
	if err != nil {
		t.Fatal(err)
	}
	codes, err := o.TurnOnCode(t.Context(), user, testPassword, o.code(secret), Visitor{Address: "a"})
	if err != nil || len(codes) != recoveryCodes {
		t.Fatalf("TurnOnCode = %v, %v", codes, err)
	}
	if user, err = o.store.User(t.Context(), user.ID); err != nil || !vault.Sealed(user.TOTP) {
		t.Fatalf("the store has %q, %v", user.TOTP, err)
	}
	return user, secret, codes
}

func (o *office) code(secret []byte) string { return totpCode(secret, o.now.Unix()/30) }

// half logs in as far as the password goes.
func (o *office) half(t *testing.T, address string) string {
	t.Helper()
	token, err := o.try(t, "zhanggong", testPassword, address)
	var wanted *CodeWanted
	if !errors.As(err, &wanted) || token != "" || wanted.Half == "" {
		t.Fatalf("password alone: token %q, %v", token, err)
	}
	return wanted.Half
}

func TestSecondFactor(t *testing.T) {
	o := newOffice(t)
	user, secret, codes := o.enable(t)
	v := Visitor{Address: "a"}
	if _, _, err := o.Confirm(t.Context(), o.half(t, "a"), o.code(secret), v); err == nil {
		t.Error("the code that turned it on was taken again")
	}
	o.now = o.now.Add(30 * time.Second)
	half := o.half(t, "a")
	if _, err := o.Resume(t.Context(), half); !errors.Is(err, ErrNoSession) {
		t.Errorf("half a login is a session: %v", err)
	}
	if _, _, err := o.Confirm(t.Context(), "made up", o.code(secret), v); !errors.Is(err, ErrNoSession) {
		t.Errorf("a code without a password: %v", err)
	}
	code := o.code(secret)
	token, got, err := o.Confirm(t.Context(), half, code[:3]+" "+code[3:], v)
	if err != nil || got.ID != user.ID {
		t.Fatalf("Confirm = %+v, %v", got, err)
	}
	if _, err := o.Resume(t.Context(), token); err != nil {
		t.Error(err)
	}
	if _, _, err := o.Confirm(t.Context(), half, o.code(secret), v); !errors.Is(err, ErrNoSession) {
		t.Errorf("the same half again: %v", err)
	}
	var refused *Refused
	if _, _, err := o.Confirm(t.Context(), o.half(t, "a"), code, v); !errors.As(err, &refused) {
		t.Errorf("the same code again: %v", err)
	}
	if _, _, err := o.Confirm(t.Context(), o.half(t, "a"), strings.ToUpper(codes[0]), v); err != nil {
		t.Errorf("a recovery code: %v", err)
	}
	if _, _, err := o.Confirm(t.Context(), o.half(t, "a"), codes[0], v); !errors.As(err, &refused) {
		t.Errorf("the same recovery code again: %v", err)
	}
	if left, err := o.RecoveryCodesLeft(t.Context(), user); err != nil || left != recoveryCodes-1 {
		t.Errorf("%d recovery codes left, %v", left, err)
	}
	late := o.half(t, "a")
	o.now = o.now.Add(halfFor)
	if _, _, err := o.Confirm(t.Context(), late, o.code(secret), v); !errors.Is(err, ErrNoSession) {
		t.Errorf("a code after %s: %v", halfFor, err)
	}
}

func TestWrongCodesPause(t *testing.T) {
	o := newOffice(t)
	_, secret, _ := o.enable(t)
	o.now = o.now.Add(time.Minute)
	half := o.half(t, "a")
	wrong := "000000"
	if o.code(secret) == wrong {
		wrong = "000001"
	}
	var refused *Refused
	for i := range MaxFailures {
		if _, _, err := o.Confirm(t.Context(), half, wrong, Visitor{Address: "a"}); !errors.As(err, &refused) || refused.Left != MaxFailures-1-i {
			t.Fatalf("wrong code %d: %v", i, err)
		}
		if i < MaxFailures-1 {
			o.half(t, "a") // a right password in between does not start the count anew
		}
	}
	if _, _, err := o.Confirm(t.Context(), half, o.code(secret), Visitor{Address: "a"}); !errors.As(err, &refused) || refused.Wait == 0 {
		t.Errorf("the right code in the pause: %v", err)
	}
	if _, err := o.try(t, "zhanggong", testPassword, "a"); !errors.As(err, &refused) || refused.Wait == 0 {
		t.Errorf("the right password in the pause: %v", err)
	}
}

func TestTurningTheSecondFactorOffNeedsThePassword(t *testing.T) {
	o := newOffice(t)
	user, secret, _ := o.enable(t)
	v := Visitor{Address: "a"}
	var refused *Refused
	if err := o.TurnOffCode(t.Context(), user, "wrong", v); !errors.As(err, &refused) {
		t.Errorf("with a wrong password: %v", err)
	}
	if _, err := o.NewRecoveryCodes(t.Context(), user, "wrong", v); !errors.As(err, &refused) {
		t.Errorf("new recovery codes with a wrong password: %v", err)
	}
	if err := o.TurnOffCode(t.Context(), user, testPassword, v); err != nil {
		t.Fatal(err)
	}
	if _, err := o.try(t, "zhanggong", testPassword, "a"); err != nil {
		t.Errorf("the password alone after turning it off: %v", err)
	}
	if left, err := o.RecoveryCodesLeft(t.Context(), user); err != nil || left != 0 {
		t.Errorf("%d recovery codes outlived it, %v", left, err)
	}
	if _, err := o.TurnOnCode(t.Context(), user, testPassword, o.code(secret), v); fleet.CodeOf(err) != fleet.Invalid {
		t.Errorf("turning on what was not set up: %v", err)
	}
}

func TestAStolenDatabaseDoesNotGiveTheSecondFactor(t *testing.T) {
	o := newOffice(t)
	user, secret, codes := o.enable(t)
	other := vault.New(filepath.Join(t.TempDir(), "other.key"))
	if _, err := other.Open(totpField(user.ID), user.TOTP); err == nil {
		t.Error("another key opens it")
	}
	if _, err := o.vault.Open(totpField(user.ID+1), user.TOTP); err == nil {
		t.Error("it opens as somebody else's")
	}
	// Restored without the key file: the codes of the app are of no use, a
	// recovery code is.
	o.vault = other
	o.restart(t)
	half := o.half(t, "a")
	o.now = o.now.Add(time.Minute)
	if _, _, err := o.Confirm(t.Context(), half, o.code(secret), Visitor{Address: "a"}); fleet.CodeOf(err) != fleet.Invalid {
		t.Errorf("without the key: %v", err)
	}
	if _, _, err := o.Confirm(t.Context(), half, codes[3], Visitor{Address: "a"}); err != nil {
		t.Errorf("a recovery code without the key: %v", err)
	}
}
