package wire

import "encoding/json"

// LogID names one journal: 16 hex digits, drawn when the journal is created.
type LogID string

// Seq numbers the records of a journal from 1 without gaps.
type Seq uint64

// RecordKind says what the body of a record is.
type RecordKind string

// The kinds of record and their bodies.
const (
	RecordBoot    RecordKind = "boot"    // Boot: the agent started
	RecordIntent  RecordKind = "intent"  // Intent: durable before the sound
	RecordOutcome RecordKind = "outcome" // Outcome: after it, or instead of it
	RecordPlan    RecordKind = "plan"    // PlanTaken: a plan was accepted or refused
	RecordClock   RecordKind = "clock"   // ClockStep: the wall clock stepped or its level changed
	RecordGap     RecordKind = "gap"     // Gap: records were lost or dropped
	RecordStop    RecordKind = "stop"    // Stop: the agent stopped in good order

	// What package evidence is about.
	RecordCheckpoint RecordKind = "checkpoint" // Checkpoint: the device vouches for everything before it
	RecordReceipt    RecordKind = "receipt"    // ReceiptKept: the controller vouches for what it has
	RecordDrop       RecordKind = "drop"       // Drop: old records were removed from the device

	RecordIncident RecordKind = "incident" // Incident: somebody tried what is not allowed, and was refused
)

// Record is one entry of a device's journal. (device, Log, Seq) is unique for
// ever; the controller commits a record at most once.
type Record struct {
	Log    LogID           `json:"log"`
	Seq    Seq             `json:"seq"`
	Prev   string          `json:"prev"` // hex SHA-256 of the previous record's bytes; empty for Seq 1
	Kind   RecordKind      `json:"kind"`
	AtUS   int64           `json:"at_us"`   // the device's best wall time
	MonoUS int64           `json:"mono_us"` // since its boot
	BootID string          `json:"boot_id"`
	Level  TimeLevel       `json:"level"`
	ErrMS  int64           `json:"err_ms,omitempty"`
	Body   json.RawMessage `json:"body"`
}

// Boot is the body of RecordBoot.
type Boot struct {
	Agent     string `json:"agent"`
	Clean     bool   `json:"clean"`                 // the last run ended with a Stop record
	SameBoot  bool   `json:"same_boot,omitempty"`   // the machine did not restart, only the program
	LastSeen  int64  `json:"last_seen_us"`          // last time known from the run before, 0 if none
	Truncated int64  `json:"truncated_b,omitempty"` // torn bytes cut from the journal's tail
}

// Intent is the body of RecordIntent.
type Intent struct {
	Play      PlayID `json:"play"`
	Slot      SlotID `json:"slot"`
	Plan      uint64 `json:"plan"`
	Clip      string `json:"clip"`
	PlannedUS int64  `json:"planned_us"`
	Default   bool   `json:"default,omitempty"` // as Outcome.Default
	Before    bool   `json:"before,omitempty"`  // as Outcome.Before
}

// PlayResult says how a play went.
type PlayResult string

// The results of a play.
const (
	PlayPlayed  PlayResult = "played"  // sounded whole, grade B rule met
	PlayPartial PlayResult = "partial" // sounded in part
	PlayFailed  PlayResult = "failed"  // tried, nothing provably sounded
	PlaySkipped PlayResult = "skipped" // never tried
	PlayDoubt   PlayResult = "doubt"   // finished, but what it played was silence or the output was muted
)

// Outcome is the body of RecordOutcome. A skipped play has no intent.
type Outcome struct {
	Play          PlayID     `json:"play"`
	Slot          SlotID     `json:"slot"`
	Plan          uint64     `json:"plan"`
	Clip          string     `json:"clip"`
	PlannedUS     int64      `json:"planned_us"`
	IntentSeq     Seq        `json:"intent_seq,omitempty"`
	Result        PlayResult `json:"result"`
	Reason        Reason     `json:"reason,omitempty"` // empty when played
	Detail        string     `json:"detail,omitempty"` // operator text
	StartedUS     int64      `json:"started_us,omitempty"`
	ElapsedMS     int64      `json:"elapsed_ms,omitempty"`
	SoundMS       int64      `json:"sound_ms,omitempty"` // of the clip itself, known to have sounded
	ClipMS        int64      `json:"clip_ms,omitempty"`  // length of the clip
	Frames        int64      `json:"frames,omitempty"`
	FramesWritten int64      `json:"frames_written,omitempty"`
	FramesPlayed  int64      `json:"frames_played,omitempty"`
	Rate          int        `json:"rate,omitempty"`
	Underruns     int        `json:"underruns,omitempty"`
	Sink          string     `json:"sink,omitempty"`
	Device        string     `json:"device,omitempty"`
	Demo          bool       `json:"demo,omitempty"`
	Default       bool       `json:"default,omitempty"` // the plan was stale: Clip is its default clip, not the one planned
	Before        bool       `json:"before,omitempty"`  // Clip is the one that the planned clip replaced: that was not verified yet
	Mixer         string     `json:"mixer,omitempty"`
	End           string     `json:"end,omitempty"`
	Path          string     `json:"path,omitempty"` // WAV written, file sink only
}

// PlanTaken is the body of RecordPlan.
type PlanTaken struct {
	Version uint64 `json:"version"`
	SHA256  string `json:"sha256"`
	Refused string `json:"refused,omitempty"` // why; empty when accepted
}

// ClockStep is the body of RecordClock.
type ClockStep struct {
	StepUS int64     `json:"step_us,omitempty"` // forward positive
	From   TimeLevel `json:"from"`
	To     TimeLevel `json:"to"`
}

// Gap is the body of RecordGap: sequence numbers of this journal, or a whole
// journal before it, that nobody has any more.
type Gap struct {
	Log   LogID  `json:"log"`
	First Seq    `json:"first"`
	Last  Seq    `json:"last"`
	Why   string `json:"why"` // corrupt, full, aged, sync
}

// Checkpoint is the body of RecordCheckpoint. Sig is the last thing in the
// record: what is signed are the record's own bytes before it, and they hold
// the hash of the record in front.
type Checkpoint struct {
	After *LogEnd `json:"after,omitempty"` // end of the journal before, in the first record of one
	Key   string  `json:"key"`             // the device's public key: SPKI in DER, base64
	Sig   string  `json:"sig"`             // ECDSA P-256 over SHA-256, r and s of 32 bytes, base64
}

// LogEnd is the last record of a journal.
type LogEnd struct {
	Log  LogID  `json:"log"`
	Seq  Seq    `json:"seq"`  // 0 for a journal without records
	Hash string `json:"hash"` // hex SHA-256 of the record; empty when unknown
}

// ReceiptKept is the body of RecordReceipt: a receipt as it came, or why it
// was not believed.
type ReceiptKept struct {
	Number   uint64          `json:"number"` // the receipt's own
	Envelope json.RawMessage `json:"envelope"`
	Refused  string          `json:"refused,omitempty"` // the journal says something else
}

// Drop is the body of RecordDrop: records 1 to Last of Log are not on the
// device any more. What of them the controller has not is named by gaps.
type Drop struct {
	Log  LogID `json:"log"`
	Last Seq   `json:"last"`
}

// Stop is the body of RecordStop.
type Stop struct {
	Why string `json:"why,omitempty"`
}

// Reason says why a slot or play did not sound as owed.
type Reason string

// The reason codes; each has one Chinese word in the interface.
const (
	ReasonOffline      Reason = "offline"       // 离线
	ReasonPower        Reason = "power"         // 断电
	ReasonClock        Reason = "clock"         // 时钟不准
	ReasonClipMissing  Reason = "clip_missing"  // 素材缺失
	ReasonHash         Reason = "hash"          // 校验失败
	ReasonSilent       Reason = "silent"        // 功放无声
	ReasonStopped      Reason = "stopped"       // 手动停止
	ReasonPreempted    Reason = "preempted"     // 被紧急插播占用
	ReasonYielded      Reason = "yielded"       // 让位应急广播
	ReasonQuiet        Reason = "quiet"         // 静默时段
	ReasonDevice       Reason = "device"        // 设备故障
	ReasonNotInstalled Reason = "not_installed" // 未安装
	ReasonExit         Reason = "exit"          // 程序退出
	ReasonMuted        Reason = "muted"         // 全部静音
	ReasonLost         Reason = "lost"          // 记录缺失; the controller's own, no device says it
	ReasonReplanned    Reason = "replanned"     // 当时另有计划; likewise, after a restore
	ReasonOther        Reason = "other"         // 其他
)
