package playout

// Class is how far a sound goes before others. There are four, and one rule for
// going on: what is of a higher class ends what is of a lower one, at a pause of
// the speech or after two seconds at the latest; a play that was ended so is not
// taken up again and is told as pre-empted, and the rest of its slot goes on at
// its own times.
type Class int

// The classes, the lowest first.
const (
	Tone      Class = iota // 试音: only while playout needs nothing, see package agent
	Scheduled              // 时段播放
	Urgent                 // 紧急插播
	Silence                // 全部静音: ends at once and lets nothing begin
)

// Ends reports whether a sound of class c ends one of class other.
func (c Class) Ends(other Class) bool { return c > other }

// class is that of a play.
func (p *entry) class() Class {
	if p.Urgent {
		return Urgent
	}
	return Scheduled
}
