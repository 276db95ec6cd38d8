package playout

import (
	"errors"
	"time"

	"gatecast/audio"
	"gatecast/audio/output"
	"gatecast/internal/wire"
)

// sounded is what a performance knows when the sink has returned.
type sounded struct {
	report output.Report
	err    error         // of the sink
	cause  error         // why it was cancelled; nil when it was not
	heard  time.Duration // how much there was before it was faded out; 0 when it was not
	clip   time.Duration // length of the clip
	lead   time.Duration // silence in front of it
	silent bool          // the clip itself is digital silence
	rate   int
}

// judge fills o with the result and the evidence of a play.
func judge(o *wire.Outcome, s sounded) {
	r := s.report
	o.ClipMS, o.ElapsedMS = s.clip.Milliseconds(), r.Elapsed.Milliseconds()
	o.Frames, o.FramesWritten, o.FramesPlayed = int64(r.Frames), int64(r.FramesWritten), int64(r.FramesPlayed)
	o.Rate, o.Underruns, o.Sink, o.Device = s.rate, r.Underruns, r.Sink, r.Device
	o.Mixer, o.End, o.Path = r.Mixer, string(r.End), r.Path
	o.SoundMS = max(0, min(s.clip, s.sounded()-s.lead)).Milliseconds()
	played, why := output.Played(r, r.Frames.Duration(s.rate))
	if s.heard > 0 {
		played, why = false, "faded out"
	}
	o.Result, o.Reason, o.Detail = verdict(s, played, why)
	switch o.Result {
	case wire.PlayFailed:
		o.SoundMS = 0
	case wire.PlayPlayed:
		o.SoundMS = s.clip.Milliseconds()
	}
}

// sounded is how much the device consumed before silence took over.
func (s sounded) sounded() time.Duration {
	d := s.report.FramesPlayed.Duration(s.rate)
	if s.heard > 0 {
		d = min(d, s.heard)
	}
	return d
}

// reasonOf names why a play was cut off.
func reasonOf(cause error) wire.Reason {
	switch {
	case errors.Is(cause, errMuted):
		return wire.ReasonMuted
	case errors.Is(cause, errPreempted):
		return wire.ReasonPreempted
	}
	return wire.ReasonStopped
}

// verdict names result and reason; why is the first thing that speaks against
// "played".
func verdict(s sounded, played bool, why string) (wire.PlayResult, wire.Reason, string) {
	r := s.report
	if s.err != nil {
		why = s.err.Error()
	}
	heard := !r.StartedAt.IsZero() && s.sounded() > s.lead
	switch {
	case played && s.silent:
		return wire.PlayDoubt, wire.ReasonSilent, "the clip is digital silence"
	case played:
		return wire.PlayPlayed, "", ""
	case s.cause != nil && (r.End != output.Drained || s.heard > 0):
		if heard {
			return wire.PlayPartial, reasonOf(s.cause), s.cause.Error()
		}
		return wire.PlayFailed, reasonOf(s.cause), s.cause.Error()
	case r.Muted && r.End == output.Drained:
		return wire.PlayDoubt, wire.ReasonSilent, why
	case !heard || r.MovedTo != "" || tooFast(r, s.rate):
		// Nothing sounded, or nobody knows where: a device that swallows sound
		// faster than it can sound is none.
		return wire.PlayFailed, wire.ReasonDevice, why
	default:
		return wire.PlayPartial, wire.ReasonDevice, why
	}
}

// tooFast reports whether r consumed its frames faster than they can sound.
func tooFast(r output.Report, rate int) bool {
	sound := audio.Frames(r.FramesPlayed).Duration(rate)
	return r.End == output.Drained && r.Elapsed < sound*98/100
}

// deviceDetail returns the sentence for a person in err, in Chinese, or its
// text.
func deviceDetail(err error) string {
	if text := output.TextOf(err, "zh"); text != "" {
		return text
	}
	if err == nil {
		return ""
	}
	return err.Error()
}
