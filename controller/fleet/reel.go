package fleet

import (
	"strconv"
	"strings"
	"time"
)

// ReelID is the row of a recording.
type ReelID int64

// ReelKept is how long the file of a recording stays after it came.
const ReelKept = 30 * 24 * time.Hour

// Reel is a recording that is too long for a clip. Clips are cut from it while
// its file is there; the row stays.
type Reel struct {
	ID       ReelID
	Original string // SHA-256 of the file
	File     string // its name
	Kind     string // what it is, such as m4a
	Bytes    int64
	Duration time.Duration
	Peaks    []byte // waveform, min, max pairs of int8
	By       string // login
	Uploaded time.Time
	Expires  time.Time
	Gone     time.Time // its file was deleted; zero while it is there
	Cuts     []ReelCut // in the order of their beginnings
}

// ReelCut is a clip that was cut from a recording.
type ReelCut struct {
	Clip     ClipID
	Title    string // of the clip, as it is now
	From, To time.Duration
}

// Stretch is a part of a recording.
type Stretch struct{ From, To time.Duration }

// reelTopic comes before the number of the recording that an error is about.
const reelTopic = "reel/"

// ReelTopic is the topic of an upload that was kept to be cut.
func ReelTopic(id ReelID) Topic { return Topic(reelTopic + strconv.FormatInt(int64(id), 10)) }

// Reel returns the recording that t names.
func (t Topic) Reel() (ReelID, bool) {
	rest, ok := strings.CutPrefix(string(t), reelTopic)
	n, err := strconv.ParseInt(rest, 10, 64)
	return ReelID(n), ok && err == nil && n > 0
}

// Split divides a recording into the fewest equal parts of at most most, each
// within what is left of a second of the others. A length of 0 or below, or such
// a limit, yields nothing.
func Split(length, most time.Duration) []Stretch {
	if length <= 0 || most < time.Second {
		return nil
	}
	n := int((length + most - 1) / most)
	parts := make([]Stretch, n)
	for i := range parts {
		parts[i] = Stretch{cutAt(length, i, n), cutAt(length, i+1, n)}
	}
	return parts
}

// cutAt is the i-th of n equal cuts, on a whole second but for the end.
func cutAt(length time.Duration, i, n int) time.Duration {
	if i == n {
		return length
	}
	return (length * time.Duration(i) / time.Duration(n)).Truncate(time.Second)
}
