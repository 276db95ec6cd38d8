package media

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"gatecast/audio/decode"
	"gatecast/controller/fleet"
)

// Code says why an upload was not taken. The codes are stable.
type Code string

// The codes. The first group is that of decode, under the same names.
const (
	Empty       Code = "empty"
	Truncated   Code = "truncated"
	Corrupt     Code = "corrupt"
	RateChange  Code = "rate_change"
	TooLong     Code = "too_long"
	TooBig      Code = "too_big"
	NotAudio    Code = "not_audio"
	Unsupported Code = "unsupported" // by Kind
	NoSound     Code = "no_sound"    // a video, say, without a sound track

	TooShort     Code = "too_short"
	Silent       Code = "silent"        // hardly any sound at all
	MostlySilent Code = "mostly_silent" // sound with too many pauses
	UploadCut    Code = "upload_cut"    // the sender stopped half-way
	DiskFull     Code = "disk_full"
	OverReel     Code = "over_reel"   // too long even to be cut here
	NoOriginal   Code = "no_original" // to cut from: its time is over
	BadStretch   Code = "bad_stretch" // of a recording
)

// Error says why an upload was not taken. The fields that its code needs are
// set; Say puts them into a sentence. It is also a *fleet.Error to errors.As.
type Error struct {
	Code     Code
	Name     string        // the file's name as it was given
	Kind     decode.Kind   // what the file is
	Duration time.Duration // too_long, too_short
	Max      time.Duration // and the limit
	Bytes    int64         // upload_cut: what had arrived
	MaxBytes int64         // too_big
	From, To int           // rate_change: Hz
	DB       float64       // silent: mean level in dBFS
	Share    float64       // mostly_silent: of the time, 0–1
	Reel     *Reel         // too_long: the recording that was kept; nil if it was not
	Err      error         // detail for the log
}

// Error returns the text for the log.
func (e *Error) Error() string {
	s := fmt.Sprintf("upload %q: %s", e.Name, e.Code)
	if e.Kind != "" {
		s += " (" + string(e.Kind) + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause and the same thing as a *fleet.Error.
func (e *Error) Unwrap() []error {
	code := fleet.Invalid
	if e.Code == DiskFull {
		code = fleet.Full
	}
	zh, en := e.Say(ZH), e.Say(EN)
	topic := fleet.Topic("")
	if e.Code == Unsupported && e.Kind == decode.KindSILK {
		topic = fleet.TopicVoice
	}
	list := []error{&fleet.Error{Code: code, Text: zh.String(), TextEN: en.String(), Topic: topic, Err: e.Err}}
	if e.Err != nil {
		list = append(list, e.Err)
	}
	return list
}

// describe turns what went wrong with the upload name into a *Error where the
// sender can do something about it.
func describe(name string, err error) error {
	var mine *Error
	var theirs *decode.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &mine):
		mine.Name = name
		return err
	case errors.As(err, &theirs):
		return &Error{
			Code: Code(theirs.Code), Name: name, Kind: theirs.Kind,
			Duration: theirs.Duration, Max: theirs.MaxDuration, MaxBytes: theirs.MaxBytes,
			From: theirs.From, To: theirs.To, Err: err,
		}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &Error{Code: DiskFull, Name: name, Err: err}
	}
	return fmt.Errorf("upload %q: %w", name, err)
}

// WarningCode says what is to be known about an upload that was taken.
type WarningCode string

// The warnings.
const (
	WarnLong    WarningCode = "long"    // over a minute
	WarnTrimmed WarningCode = "trimmed" // silence at the ends was cut
	WarnQuiet   WarningCode = "quiet"   // does not reach the target loudness
	WarnClipped WarningCode = "clipped" // was recorded too loud
	WarnPhase   WarningCode = "phase"   // its two channels cancel each other
	WarnNamed   WarningCode = "named"   // its name says that it is something else
)

// Warning is something to know about an upload that was taken.
type Warning struct {
	Code     WarningCode
	Duration time.Duration // long: of the clip; trimmed: what was cut
	Max      time.Duration // long
	LUFS     float64       // quiet: how loud it will be
	Target   float64       // quiet
	Named    string        // named: the ending of its name
	Kind     decode.Kind   // and what it is
}
