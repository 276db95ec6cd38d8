package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Hello is the first message of a connection.
type Hello struct {
	Protocol int    `json:"protocol"`
	Session  uint64 `json:"session"` // grows with every connection of the device, over restarts too
	Nonce    string `json:"nonce"`   // 32 hex digits, fresh a connection; binds time answers and commands to it
	Agent    string `json:"agent"`   // version of the program
	Platform string `json:"platform,omitempty"`
	BootID   string `json:"boot_id"`
	Run      string `json:"run,omitempty"` // drawn at every start of the program; empty from one that does not
	State    State  `json:"state"`
}

// State is what a device has and does now. The controller compares it with
// what the device should have and sends what is missing.
type State struct {
	Session      uint64      `json:"session"`
	Online       bool        `json:"online"` // false only in the last will, where only Session and Online count
	AtUS         int64       `json:"at_us,omitempty"`
	RootVersion  uint64      `json:"root_version,omitempty"` // of the trust root in force; 0 from a device that cannot follow it
	PlanVersion  uint64      `json:"plan_version,omitempty"`
	PlanSHA256   string      `json:"plan_sha256,omitempty"`
	HorizonS     int64       `json:"horizon_s,omitempty"` // unix seconds up to which the plan is materialised
	ClipsReady   []string    `json:"clips_ready,omitempty"`
	ClipsMissing []string    `json:"clips_missing,omitempty"`
	Held         *Held       `json:"held,omitempty"` // nil: the device does not say
	Log          LogID       `json:"log,omitempty"`
	LastSeq      Seq         `json:"last_seq,omitempty"`
	AckedSeq     Seq         `json:"acked_seq,omitempty"`
	Receipt      uint64      `json:"receipt,omitempty"` // number of the newest receipt in the journal; 0 for none
	Older        []LogState  `json:"older,omitempty"`   // journals before Log that the device still keeps; absent means none
	Time         TimeState   `json:"time"`
	Output       Output      `json:"output"`
	Playing      PlayID      `json:"playing,omitempty"`
	Mute         MuteState   `json:"mute,omitzero"` // absent: the device was never muted, or knows no mutes
	Conditions   []Condition `json:"conditions,omitempty"`
}

// Held is what lies on the disk of a device besides the clips of its plan,
// whole or in part. A recalled clip that is in none of the three lists, with
// More 0, is not on the device.
type Held struct {
	Clips []string `json:"clips,omitempty"` // SHA-256, at most MaxHeld
	More  int      `json:"more,omitempty"`  // how many there are besides
}

// MaxHeld bounds Held.Clips: what a state says must fit a message.
const MaxHeld = 64

// MuteState is the Mute that a device obeys.
type MuteState struct {
	Number uint64 `json:"number,omitempty"` // of the newest one that it has; 0 for none that it knows
	On     bool   `json:"on,omitempty"`     // silent now
	AtUS   int64  `json:"at_us,omitempty"`  // when the device took it, by its own clock
	Lost   bool   `json:"lost,omitempty"`   // the card lost what was said; silent until it is said again
}

// LogState is how far a journal goes and is acked.
type LogState struct {
	Log   LogID `json:"log"`
	Last  Seq   `json:"last"`
	Acked Seq   `json:"acked"`
}

// TimeState is what the device knows of the time. The last three are of its
// last comparison with the controller that found trusted time to compare.
type TimeState struct {
	Level TimeLevel `json:"level"`
	ErrMS int64     `json:"err_ms,omitempty"` // error bound; 0 with level 0 means unknown
	// OffMS is the device's clock minus the controller's; ComparedUS is when,
	// 0 for never. SpanS is for how long the device's clock had run on its own
	// then; 0 while a time service sets it.
	OffMS      int64 `json:"off_ms,omitempty"`
	ComparedUS int64 `json:"compared_us,omitempty"`
	SpanS      int64 `json:"span_s,omitempty"`
}

// driftSpan is the shortest span that says anything about a clock's rate: over
// less, the way of a message is more than the drift.
const driftSpan = 10 * 60 // seconds

// DriftPPM returns by how many millionths the device's clock runs fast,
// negative for slow. ok is false where that is not known.
func (t TimeState) DriftPPM() (ppm float64, ok bool) {
	if t.ComparedUS == 0 || t.SpanS < driftSpan {
		return 0, false
	}
	return float64(t.OffMS) * 1000 / float64(t.SpanS), true
}

// TimeLevel says how far a device's time is trusted. Public sound needs T1.
type TimeLevel int

// The levels of DESIGN "Time".
const (
	T0 TimeLevel = 0 // nothing trusted
	T1 TimeLevel = 1 // the controller's signed answer to our nonce, or an RTC above the floor
	T2 TimeLevel = 2 // the kernel is synchronised
)

// Output is the sink a device plays to.
type Output struct {
	Sink   string `json:"sink"` // alsa, aplay, pulse, file
	Device string `json:"device,omitempty"`
	Demo   bool   `json:"demo,omitempty"` // plays into a file, never a loudspeaker
	Mixer  string `json:"mixer,omitempty"`
	Muted  bool   `json:"muted,omitempty"`
}

// Condition is a fault in words people can act on, by code.
type Condition struct {
	Code     string `json:"code"`
	Severity string `json:"severity"` // bad, warn, info
	SinceUS  int64  `json:"since_us"`
	Detail   string `json:"detail,omitempty"` // operands, e.g. a device's name; shown as is
}

// Batch carries records in the order of their sequence, as the exact bytes
// that the journal hashed.
type Batch struct {
	Log     LogID             `json:"log"`
	Records []json.RawMessage `json:"records"` // each a Record
}

// Ack says what is committed: every record of Log up to and including Upto
// except those in Missing. It is sent only after the commit.
type Ack struct {
	Log     LogID      `json:"log"`
	Upto    Seq        `json:"upto"`
	Missing []SeqRange `json:"missing,omitempty"`
	// Receipt is the counter-signature that the device should keep next: the
	// envelope of a Receipt, of this journal or another one. Absent means none.
	Receipt json.RawMessage `json:"receipt,omitempty"`
}

// SeqRange is First to Last, both included.
type SeqRange struct {
	First Seq `json:"first"`
	Last  Seq `json:"last"`
}

// PlanOffer tells a device which plan it should have. The documents are
// inline when the message stays within MaxMessage; otherwise the device gets
// them at /docs/<sha256>.
type PlanOffer struct {
	Version  uint64          `json:"version"`
	Plan     DocRef          `json:"plan"`
	Manifest DocRef          `json:"manifest"`
	PlanDoc  json.RawMessage `json:"plan_doc,omitempty"`     // DSSE envelope
	ManDoc   json.RawMessage `json:"manifest_doc,omitempty"` // DSSE envelope
	// Root is the version of the trust root by which both documents hold. A
	// device with a lower one gets the roots between from PathRoots first. It
	// is a hint, not signed; 0 says nothing.
	Root uint64 `json:"root,omitempty"`
}

// RootOffer tells a device that has no plan which version of the trust root
// there is. It is a hint, not signed.
type RootOffer struct {
	Version uint64 `json:"version"`
}

// DocRef names a sealed document by the SHA-256 of its envelope's bytes.
type DocRef struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// TimeAnswer is the controller's signed time, bound to the nonce of a hello.
type TimeAnswer struct {
	Header
	Nonce string `json:"nonce"`
	NowUS int64  `json:"now_us"`
}

// Command is an order to one device. It is refused unless Nonce is that of
// the device's present connection, Counter is above every one seen, and it
// has not expired; it is executed at most once.
type Command struct {
	Header
	ID      string `json:"id"`
	Counter uint64 `json:"counter"`
	Nonce   string `json:"nonce"`
	Do      string `json:"do"` // DoStop, DoTestTone
}

// What a Command may order.
const (
	DoStop     = "stop"      // end the play that is on
	DoTestTone = "test_tone" // five seconds, quiet; OK once it sounded to its end
)

// Why a device did not sound a test tone: Result.Text in a word. Any other text
// is for operators.
const (
	ToneBusy       = "busy"        // a broadcast is on, or about to be
	ToneNoTime     = "no_time"     // the time is not trusted yet
	ToneNoCeilings = "no_ceilings" // no signed volume has come yet
	ToneHours      = "hours"       // nothing may sound at this hour
	ToneMuted      = "muted"       // the output is muted
	ToneOffice     = "silenced"    // the office has silenced the device
	ToneOften      = "too_often"   // too many within an hour
)

// Result reports a command's outcome.
type Result struct {
	ID   string `json:"id"`
	OK   bool   `json:"ok"`
	Text string `json:"text,omitempty"`
}

// Errors of Decode.
var (
	ErrTooLong    = errors.New("message is too long")
	ErrUnreadable = errors.New("message cannot be read")
)

// Decode parses one message strictly by size: data over MaxMessage bytes is
// refused before it is parsed. The errors are ErrTooLong and ErrUnreadable,
// wrapped.
func Decode[T any](data []byte) (T, error) {
	var v T
	if len(data) > MaxMessage {
		return v, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLong, len(data), MaxMessage)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("%w: parsing %T: %w", ErrUnreadable, v, err)
	}
	return v, nil
}

// US returns t as microseconds since 1970 UTC; the zero time yields 0.
func US(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// FromUS is the inverse of US, in UTC.
func FromUS(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
