package auth

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"time"
)

// Time-based one-time codes as every authenticator app makes them: RFC 6238
// with SHA-1, steps of 30 seconds and six digits.
const (
	totpStep      = 30 * time.Second
	totpDigits    = 6
	totpModulus   = 1_000_000 // 10 to the power of totpDigits
	totpSecretLen = 20        // bytes; RFC 4226 §4 R6 recommends the length of the hash
	// totpSkew is how many steps before and after the present one are taken: a
	// phone may be half a minute off, and typing takes time.
	totpSkew = 1
)

// totpCode returns the code of a step since 1970 (RFC 4226 §5.3).
func totpCode(secret []byte, step int64) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	mac := hmac.New(sha1.New, secret)
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0x0f
	value := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", totpDigits, value%totpModulus)
}

// totpStepOf returns the step at now whose code that is; false if there is
// none within totpSkew. Every candidate is compared in full, in constant time.
func totpStepOf(secret []byte, code string, now time.Time) (int64, bool) {
	present := now.Unix() / int64(totpStep/time.Second)
	var found int64
	ok := false
	for step := present - totpSkew; step <= present+totpSkew; step++ {
		if hmac.Equal([]byte(totpCode(secret, step)), []byte(code)) {
			found, ok = step, true
		}
	}
	return found, ok
}

// totpText is a secret as people type it into an app.
func totpText(secret []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
}

// totpURI is what the QR code of a secret says (the key URI format of
// authenticator apps).
func totpURI(issuer, login string, secret []byte) string {
	q := url.Values{"secret": {totpText(secret)}, "issuer": {issuer}}
	return "otpauth://totp/" + url.PathEscape(issuer+":"+login) + "?" + q.Encode()
}
