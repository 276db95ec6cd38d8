package auth

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"gatecast/controller/fleet"
)

// Bounds of what waits for a person.
const (
	halfFor  = 5 * time.Minute  // to type the code after the password
	setupFor = 15 * time.Minute // to set up an app
	// maxWaiting bounds memory: a half login needs a right password first.
	maxWaiting = 1000
	// recoveryCodes is how many are given out at once.
	recoveryCodes = 10
)

// CodeWanted is a login whose password was right and whose account has a
// second factor. Half goes to Confirm with the code.
type CodeWanted struct{ Half string }

// Error returns the operator's text.
func (*CodeWanted) Error() string { return "login awaits the code of the second factor" }

type half struct {
	user  fleet.UserID
	until time.Time
}

type setup struct {
	secret []byte
	until  time.Time
}

// halve remembers that the password of a user was right.
func (l *Logins) halve(id fleet.UserID, now time.Time) string {
	token := newToken()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.halves) >= maxWaiting {
		maps.DeleteFunc(l.halves, func(_ string, h half) bool { return !h.until.After(now) })
	}
	if len(l.halves) >= maxWaiting {
		clear(l.halves) // they log in again
	}
	l.halves[tokenHash(token)] = half{id, now.Add(halfFor)}
	return token
}

// Confirm ends a login that wanted a code: six digits of the app, or a
// recovery code, which is good once. A wrong code counts as a failed login and
// yields *Refused; a half that is unknown or too old ErrNoSession.
func (l *Logins) Confirm(ctx context.Context, token, code string, v Visitor) (string, fleet.User, error) {
	now := l.now()
	l.mu.Lock()
	h, ok := l.halves[tokenHash(token)]
	l.mu.Unlock()
	if !ok || !h.until.After(now) {
		return "", fleet.User{}, ErrNoSession
	}
	user, err := l.store.User(ctx, h.user)
	if err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return "", fleet.User{}, fmt.Errorf("looking up account: %w", err)
	}
	if err != nil || !user.Usable(now) {
		return "", fleet.User{}, ErrNoSession
	}
	if v, err = l.seated(ctx, user.Login, v, now); err != nil {
		return "", user, err
	}
	if err := l.open(ctx, user.Login, v, now); err != nil {
		return "", user, err
	}
	ok, err = l.checkCode(ctx, user, code, now)
	if err != nil {
		return "", user, err
	}
	if !ok {
		return "", user, l.refuse(ctx, user.Login, v, now)
	}
	l.mu.Lock()
	_, ok = l.halves[tokenHash(token)]
	delete(l.halves, tokenHash(token))
	l.mu.Unlock()
	if !ok {
		return "", user, ErrNoSession // somebody was faster with the same one
	}
	s, err := l.enter(ctx, user, v)
	return s, user, err
}

// checkCode reports whether code is good for user now, and uses it up.
func (l *Logins) checkCode(ctx context.Context, user fleet.User, code string, now time.Time) (bool, error) {
	code = strings.Map(func(r rune) rune {
		switch {
		case r >= '０' && r <= '９':
			return r - '０' + '0'
		case r == ' ' || r == '\t':
			return -1
		}
		return r
	}, strings.ToLower(code))
	if len(code) != totpDigits {
		if len(code) > 100 {
			return false, nil
		}
		ok, err := l.store.UseRecoveryCode(ctx, user.ID, recoveryHash(code), now)
		if err != nil {
			return false, fmt.Errorf("checking a recovery code: %w", err)
		}
		return ok, nil
	}
	secret, err := l.secretOf(user)
	if err != nil {
		return false, err
	}
	step, ok := totpStepOf(secret, code, now)
	if !ok {
		return false, nil
	}
	if ok, err = l.store.UseTOTPStep(ctx, user.ID, step); err != nil {
		return false, fmt.Errorf("using a code: %w", err)
	}
	return ok, nil
}

// secretOf opens the second factor of user.
func (l *Logins) secretOf(user fleet.User) ([]byte, error) {
	text, err := "", errors.New("there is no vault")
	if l.vault != nil {
		text, err = l.vault.Open(totpField(user.ID), user.TOTP)
	}
	var secret []byte
	if err == nil {
		secret, err = base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
	}
	if err != nil {
		return nil, &fleet.Error{
			Code:   fleet.Invalid,
			Text:   "这台服务器解不开您的两步验证（恢复数据时没有带上 vault.key）。请用备用码登录，或请管理员重置两步验证。",
			TextEN: "This server cannot open your second factor (vault.key was not restored with the data). Log in with a recovery code, or have an administrator reset it.",
			Err:    err,
		}
	}
	return secret, nil
}

// totpField binds a sealed secret to its row.
func totpField(id fleet.UserID) string { return fmt.Sprintf("users.totp/%d", id) }

// Setup is a second factor that is being set up.
type Setup struct {
	Text string // to type into an app
	URI  string // what the QR code says
}

// SetUpCode starts the set-up of a second factor, or goes on with the one that
// was started; nothing changes before TurnOnCode.
func (l *Logins) SetUpCode(user fleet.User) (Setup, error) {
	if l.vault == nil {
		return Setup{}, &fleet.Error{Code: fleet.Conflict, Text: "这台服务器没有两步验证的密钥文件。", TextEN: "This server has no key file for second factors."}
	}
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.setups[user.ID]
	if !ok || !s.until.After(now) {
		if len(l.setups) >= maxWaiting {
			maps.DeleteFunc(l.setups, func(_ fleet.UserID, s setup) bool { return !s.until.After(now) })
		}
		s = setup{secret: make([]byte, totpSecretLen)}
		_, _ = rand.Read(s.secret) // never fails
	}
	s.until = now.Add(setupFor)
	l.setups[user.ID] = s
	return Setup{Text: totpText(s.secret), URI: totpURI(l.issuer, user.Login, s.secret)}, nil
}

var errSetupOver = &fleet.Error{
	Code: fleet.Invalid, Text: "这次设置等得太久了，请重新扫码。", TextEN: "This set-up waited too long. Scan the code again.",
}

// TurnOnCode turns the second factor on that SetUpCode started, if password is
// the user's and code the app's, and returns fresh recovery codes, which are
// stored nowhere. A wrong password counts as a failed login and yields
// *Refused; a wrong code a *fleet.Error of code Invalid.
func (l *Logins) TurnOnCode(ctx context.Context, user fleet.User, password, code string, v Visitor) ([]string, error) {
	now := l.now()
	l.mu.Lock()
	s, ok := l.setups[user.ID]
	l.mu.Unlock()
	if !ok || !s.until.After(now) || l.vault == nil {
		return nil, errSetupOver
	}
	if err := l.prove(ctx, user, password, v); err != nil {
		return nil, err
	}
	step, ok := totpStepOf(s.secret, strings.ReplaceAll(code, " ", ""), now)
	if !ok {
		return nil, &fleet.Error{Code: fleet.Invalid,
			Text:   "动态码不对。请核对手机时间，输入应用里现在显示的 6 位数字。",
			TextEN: "The code is wrong. Check the phone's clock and type the six digits that the app shows now."}
	}
	sealed, err := l.vault.Seal(totpField(user.ID), totpText(s.secret))
	if err != nil {
		return nil, fmt.Errorf("sealing a second factor: %w", err)
	}
	codes, hashes := newRecoveryCodes()
	if err := l.store.SetTOTP(ctx, user.ID, sealed, hashes); err != nil {
		return nil, fmt.Errorf("saving a second factor: %w", err)
	}
	if _, err := l.store.UseTOTPStep(ctx, user.ID, step); err != nil {
		return nil, fmt.Errorf("using a code: %w", err)
	}
	l.mu.Lock()
	delete(l.setups, user.ID)
	l.mu.Unlock()
	return codes, nil
}

// TurnOffCode turns the user's second factor off if password is right; a wrong
// one counts as a failed login and yields *Refused. While the rules demand a
// second factor of the role, the next page asks to set one up again.
func (l *Logins) TurnOffCode(ctx context.Context, user fleet.User, password string, v Visitor) error {
	if err := l.prove(ctx, user, password, v); err != nil {
		return err
	}
	return l.store.SetTOTP(ctx, user.ID, "", nil)
}

// NewRecoveryCodes replaces the user's recovery codes if password is right; a
// wrong one counts as a failed login and yields *Refused.
func (l *Logins) NewRecoveryCodes(ctx context.Context, user fleet.User, password string, v Visitor) ([]string, error) {
	if err := l.prove(ctx, user, password, v); err != nil {
		return nil, err
	}
	codes, hashes := newRecoveryCodes()
	return codes, l.store.SetRecoveryCodes(ctx, user.ID, hashes)
}

// RecoveryCodesLeft returns how many of the user's recovery codes are good.
func (l *Logins) RecoveryCodesLeft(ctx context.Context, user fleet.User) (int, error) {
	return l.store.RecoveryCodesLeft(ctx, user.ID)
}

func newRecoveryCodes() (codes, hashes []string) {
	for range recoveryCodes {
		code := OneTime()
		codes, hashes = append(codes, code), append(hashes, recoveryHash(code))
	}
	return codes, hashes
}

// recoveryHash ignores dashes and space. A code has 79 random bits, so a plain
// hash tells a thief of the database nothing.
func recoveryHash(code string) string {
	return tokenHash(strings.NewReplacer("-", "", " ", "").Replace(strings.ToLower(code)))
}
