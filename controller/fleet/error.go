package fleet

import "errors"

// Code is a class of error that people are told about.
type Code string

// The codes.
const (
	NotFound  Code = "not_found"
	Invalid   Code = "invalid"
	Conflict  Code = "conflict"
	Forbidden Code = "forbidden"
	Full      Code = "full" // disk full
	Internal  Code = "internal"
)

// Error is an error with a sentence for the user. Text is Chinese, TextEN
// English; Err is for the log and may be nil.
type Error struct {
	Code   Code
	Text   string
	TextEN string
	Topic  Topic // what there is to do or to read about it; empty for nothing
	Err    error
}

// Topic names what belongs to an error besides its sentence. Pages know where
// it is.
type Topic string

// TopicVoice is the guide for those who have a WeChat voice message.
const TopicVoice Topic = "voice"

// Error returns the operator's text.
func (e *Error) Error() string {
	if e.Err != nil {
		return string(e.Code) + ": " + e.Err.Error()
	}
	return string(e.Code) + ": " + e.TextEN
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first *Error in err's chain, Internal if
// there is none, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
