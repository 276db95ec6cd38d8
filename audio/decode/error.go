package decode

import (
	"fmt"
	"strings"
	"time"
)

// Code says why a file is not taken. Codes are stable: texts for users hang on
// them.
type Code string

// The codes.
const (
	Empty       Code = "empty"       // no bytes, or no sound behind the header
	Truncated   Code = "truncated"   // the end is missing
	Corrupt     Code = "corrupt"     // damaged inside
	RateChange  Code = "rate_change" // pieces of different rates in one file
	TooLong     Code = "too_long"    // over Limits.Duration or Limits.Samples
	TooBig      Code = "too_big"     // over Limits.Bytes
	NotAudio    Code = "not_audio"   // text, or nothing known
	Unsupported Code = "unsupported" // sound, but in a form not decoded here; see Kind
)

// Error says what is wrong with a file. Fields that the code does not need are
// zero.
type Error struct {
	Code        Code
	Kind        Kind          // what the file is
	Duration    time.Duration // too_long: at least this long
	MaxDuration time.Duration
	Bytes       int64 // too_big
	MaxBytes    int64
	From, To    int   // rate_change: rates in Hz
	Err         error // detail for the log
}

// Error returns the text for the log; users get one by Code and Kind.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("decoding")
	if e.Kind != "" {
		b.WriteString(" " + string(e.Kind))
	}
	b.WriteString(": " + strings.ReplaceAll(string(e.Code), "_", " "))
	switch e.Code {
	case TooLong:
		fmt.Fprintf(&b, ": %v, at most %v", e.Duration.Round(time.Millisecond), e.MaxDuration)
	case TooBig:
		fmt.Fprintf(&b, ": %d bytes, at most %d", e.Bytes, e.MaxBytes)
	case RateChange:
		fmt.Fprintf(&b, ": %d Hz, then %d Hz", e.From, e.To)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the detail.
func (e *Error) Unwrap() error { return e.Err }

func corrupt(format string, args ...any) error {
	return &Error{Code: Corrupt, Err: fmt.Errorf(format, args...)}
}

func truncated(format string, args ...any) error {
	return &Error{Code: Truncated, Err: fmt.Errorf(format, args...)}
}

func unsupported(format string, args ...any) error {
	return &Error{Code: Unsupported, Err: fmt.Errorf(format, args...)}
}
