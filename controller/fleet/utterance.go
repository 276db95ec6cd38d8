package fleet

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Origin says how a clip was made here.
type Origin string

// The origins.
const (
	Synthetic Origin = "synthetic" // 合成语音: read by a program
	Recorded  Origin = "recorded"  // 现场录音: by somebody's browser
)

// Utterance says how a clip came to be that nobody uploaded as a file.
type Utterance struct {
	Clip   ClipID
	Origin Origin
	Spoken string // 朗读文本; empty for a recording
	Voice  string // program and voice; empty for a recording
	At     time.Time
	By     string // login
}

// UrgentTextID is the row id of an UrgentText; 0 means not stored yet.
type UrgentTextID int64

// UrgentText is a prepared text of urgent broadcasts.
type UrgentText struct {
	ID      UrgentTextID
	Title   string
	Spoken  string
	Example bool // shipped, and not changed since
	At      time.Time
	By      string // login of who changed it last; empty for one as it was shipped
}

// Bounds of an UrgentText, in characters.
const (
	MaxUrgentTitle  = 40
	MaxUrgentSpoken = 600
)

// Check returns t as it is kept, or a *Error that names the field.
func (t UrgentText) Check() (UrgentText, error) {
	t.Title, t.Spoken = strings.Join(strings.Fields(t.Title), " "), strings.TrimSpace(t.Spoken)
	switch n := utf8.RuneCountInString(t.Spoken); {
	case t.Title == "" || utf8.RuneCountInString(t.Title) > MaxUrgentTitle:
		return t, refuse(Invalid, "请填写标题，1 到 40 个字。", "Write a title of 1 to 40 characters.")
	case n == 0 || n > MaxUrgentSpoken:
		return t, refuse(Invalid, "请填写朗读文本，1 到 600 个字。", "Write a text of 1 to 600 characters.")
	}
	return t, nil
}
