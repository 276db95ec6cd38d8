package fleet

import "time"

// Clip is an approved piece of audio, named by the hash of its delivery form.
type Clip struct {
	ID        ClipID
	SHA256    string // of the delivery FLAC
	Original  string // SHA-256 of the upload as it came
	Name      string // short name that programmes refer to, unique, [a-z0-9-] or Chinese
	Title     string
	ScamType  string
	Audience  string
	Text      string // 显示文本
	Example   bool   // 示例
	Bytes     int64
	Rate      int
	Frames    int64
	LUFS      float64
	TruePeak  float64
	GainDB    float64
	Silent    bool
	Peaks     []byte // waveform for the page: min/max pairs as int8
	Uploaded  time.Time
	By        string
	Withdrawn time.Time // zero while usable
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
