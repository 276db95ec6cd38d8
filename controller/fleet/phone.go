package fleet

import "strings"

// Phone is a telephone number. Wherever it is printed, logged or encoded it
// shows as 138****1234: the whole number takes Full, which only the reveal of
// a page, and whoever stores it, may call.
type Phone string

// UnreadablePhone stands for a number that is stored and cannot be opened, as
// its key is missing. Storing it changes nothing.
const UnreadablePhone Phone = "?"

// String masks the number. Numbers too short to mask are hidden whole.
func (p Phone) String() string {
	r := []rune(strings.TrimSpace(string(p)))
	switch {
	case len(r) == 0:
		return ""
	case len(r) < 7:
		return "****"
	}
	return string(r[:3]) + "****" + string(r[len(r)-4:])
}

// MarshalText masks the number in JSON, YAML and logs.
func (p Phone) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Full returns the whole number.
func (p Phone) Full() string { return string(p) }
