package fleet

import "time"

// Clip is a piece of audio, named by the hash of its delivery form. It sounds
// once somebody else than who submitted it has signed it off: see Decide.
type Clip struct {
	ID       ClipID
	SHA256   string // of the delivery FLAC
	Original string // SHA-256 of the upload as it came
	Name     string // short name that programmes refer to, unique, [a-z0-9-] or Chinese
	Title    string
	ScamType string
	Audience string
	Text     string // 显示文本
	Spoken   string // 朗读文本; empty where it is what is shown
	Source   ClipSource
	Long     string // why it may be longer than others; empty where it is not
	First    ClipID // the first version; 0 in the first one itself
	Version  int    // from 1
	Example  bool   // 示例
	Bytes    int64
	Rate     int
	Frames   int64
	LUFS     float64
	TruePeak float64
	GainDB   float64
	Silent   bool
	Peaks    []byte // waveform for the page: min/max pairs as int8
	Uploaded time.Time
	By       string

	// Approval.
	State      ClipState
	Since      time.Time  // in State
	Reason     string     // of State: why it was returned, recalled or submitted again
	Submitter  string     // login of who submitted what waits, or what was decided last
	Submitted  time.Time  // zero if nobody did
	Signer     string     // login of who signed last; empty if nobody did
	Signed     time.Time  // likewise
	ValidFrom  Day        // first day on which it may sound, in the office's zone; empty for no bound
	ValidUntil Day        // last day; likewise
	Change     *ClipTerms // of an approved clip: other terms that wait for a sign-off
	Hands      []string   // logins of all who ever uploaded, changed or submitted it
	Revision   int        // grows with every step
}

// Duration returns how long the clip sounds.
func (c Clip) Duration() time.Duration {
	if c.Rate < 1 {
		return 0
	}
	return time.Duration(c.Frames) * time.Second / time.Duration(c.Rate)
}

// ProgrammeState is where one version of a programme stands.
type ProgrammeState string

// The states of a programme version; at most one version of a code is active.
const (
	Draft      ProgrammeState = "draft"
	Active     ProgrammeState = "active"
	Superseded ProgrammeState = "superseded"
)

// Programme is one version of what the office wrote.
type Programme struct {
	ID        ProgrammeID
	Code      string // id in the YAML; versions share it
	Version   int
	Name      string
	YAML      []byte
	State     ProgrammeState
	Uploaded  time.Time
	By        string
	Activated time.Time
}
