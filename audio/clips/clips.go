// Package clips holds the sample clips that ship with Gatecast: original
// anti-fraud texts in Mandarin, read by espeak-ng.
//
// They are samples (示例) to try the system with and to fall back on. A human
// voice carries further and is believed more; Advice says so to the office, and
// local police must approve the texts before they sound in public. make.sh made
// the files from texts.tsv. The package is read-only and safe for concurrent use.
package clips

import (
	"embed"
	"slices"
	"time"
)

// ExampleMark is shown beside every shipped clip.
const ExampleMark = "示例"

// Advice is shown where sample clips are listed.
const Advice = "示例素材为合成语音，建议由派出所民警或社区干部重录。"

//go:embed *.mp3
var files embed.FS

// Clip describes one shipped clip.
type Clip struct {
	Name        string        // stable, ASCII: shuadan
	Title       string        // as lists show it
	ScamType    string        // one of the kinds of fraud the domain knows
	Audience    []string      // whom it addresses, most important first
	DisplayText string        // as people write it
	SpokenText  string        // as it is read: no digits, no Latin letters
	Duration    time.Duration // of the sound, to the millisecond
	LUFS        float64       // integrated loudness, to one decimal
}

// Data returns the clip as a mono MP3 file. The caller owns the slice.
func (c Clip) Data() []byte {
	b, err := files.ReadFile(c.FileName())
	if err != nil {
		return nil // not one of All
	}
	return b
}

// FileName returns the name under which the clip would be uploaded.
func (c Clip) FileName() string { return c.Name + ".mp3" }

// All returns the shipped clips in the order in which lists show them. The
// caller owns the result.
func All() []Clip {
	out := slices.Clone(table[:])
	for i := range out {
		out[i].Audience = slices.Clone(out[i].Audience)
	}
	return out
}

// ByName returns the clip called name; ok is false where there is none.
func ByName(name string) (c Clip, ok bool) {
	for _, c := range All() {
		if c.Name == name {
			return c, true
		}
	}
	return Clip{}, false
}
