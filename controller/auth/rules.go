package auth

import (
	"crypto/rand"
	_ "embed"
	"strings"
	"sync"
	"unicode"

	"gatecast/controller/fleet"
)

// minLength counts characters, not bytes.
const minLength = 10

//go:embed common.txt
var commonFile string

// common are the stems that guessing starts with: see the head of common.txt.
var common = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(commonFile) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			all[line] = true
		}
	}
	return all
})

// plain undoes the usual disguises of letters.
var plain = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s", "!", "i")

// isCommon reports whether low, in small letters, is a common password with
// digits and signs around it, as "Password2026!" is.
func isCommon(low string) bool {
	stem := strings.TrimFunc(low, func(r rune) bool { return !unicode.IsLetter(r) })
	return len([]rune(stem)) < 3 || common()[stem] || common()[plain.Replace(stem)]
}

// CheckPassword returns nil when password may become the password of the
// account, otherwise a *fleet.Error of code Invalid that names the first rule
// it breaks: 10 characters, three of four classes (a Chinese character counts
// as a letter of its own class), not the login or name, not a common one.
func CheckPassword(password, login, name string) error {
	refuse := func(zh, en string) error {
		return &fleet.Error{Code: fleet.Invalid, Text: zh, TextEN: en}
	}
	if n := len([]rune(password)); n < minLength {
		return refuse("密码至少 10 个字符，请再长一些。", "The password needs at least 10 characters; make it longer.")
	}
	if len(password) > MaxPassword {
		return refuse("密码太长，最多 512 字节，请改短一些。", "The password is over 512 bytes; make it shorter.")
	}
	if classes(password) < 3 {
		return refuse("密码要含大写字母、小写字母、数字、符号中的三种。",
			"The password needs three of: capital letters, small letters, digits, signs.")
	}
	low := strings.ToLower(password)
	for _, part := range []string{login, name} {
		if part = strings.ToLower(strings.TrimSpace(part)); len([]rune(part)) >= 2 && strings.Contains(low, part) {
			return refuse("密码里不要有账号或姓名，请换一个。", "The password must not contain the account or the name; choose another.")
		}
	}
	if isCommon(low) || repeats(low) {
		return refuse("这个密码太常见，容易被猜到，请换一个。", "This password is a common one and easily guessed; choose another.")
	}
	return nil
}

func classes(s string) int {
	var upper, lower, digit, sign, other int
	for _, r := range s {
		switch {
		case unicode.IsUpper(r):
			upper = 1
		case unicode.IsLower(r):
			lower = 1
		case unicode.IsDigit(r):
			digit = 1
		case unicode.IsLetter(r):
			other = 1
		default:
			sign = 1
		}
	}
	return upper + lower + digit + sign + other
}

// repeats reports whether s is made of fewer than four different characters.
func repeats(s string) bool {
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	return len(seen) < 4
}

// alphabet of one-time passwords: nothing that looks like something else on
// paper. 31 symbols, 16 of them are 79 bits.
const alphabet = "abcdefghjkmnpqrstuvwxyz23456789"

// OneTime returns a random password to be given out once: four groups of four
// characters joined by dashes, easy to read aloud and to type.
func OneTime() string {
	var b strings.Builder
	for i := 0; i < 16; {
		var one [1]byte
		_, _ = rand.Read(one[:]) // never fails
		// 248 = 8 × 31: dropping the rest keeps every symbol equally likely.
		if one[0] >= 248 {
			continue
		}
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(alphabet[int(one[0])%len(alphabet)])
		i++
	}
	return b.String()
}
