package playout

import (
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
	o.SoundMS = max(0, min(s.clip, r.FramesPlayed.Duration(s.rate)-s.lead)).Milliseconds()
	played, why := output.Played(r, r.Frames.Duration(s.rate))
	o.Result, o.Reason, o.Detail = verdict(s, played, why)
	switch o.Result {
	case wire.PlayFailed:
		o.SoundMS = 0
	case wire.PlayPlayed:
		o.SoundMS = s.clip.Milliseconds()
	}
}

// verdict names result and reason; why is the first thing that speaks against
// "played".
func verdict(s sounded, played bool, why string) (wire.PlayResult, wire.Reason, string) {
	r := s.report
	if s.err != nil {
		why = s.err.Error()
	}
	heard := !r.StartedAt.IsZero() && r.FramesPlayed.Duration(s.rate) > s.lead
	switch {
	case played && s.silent:
		return wire.PlayDoubt, wire.ReasonSilent, "the clip is digital silence"
	case played:
		return wire.PlayPlayed, "", ""
	case s.cause != nil && r.End != output.Drained:
		if heard {
			return wire.PlayPartial, wire.ReasonStopped, s.cause.Error()
		}
		return wire.PlayFailed, wire.ReasonStopped, s.cause.Error()
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
