package alsa

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unsafe"
)

// Mixer is what stands between a card's samples and its socket, as read back
// from the card.
type Mixer struct {
	Controls []Control
}

// Control is one level or switch, or both under one name.
type Control struct {
	Name    string
	Percent int  // of the control's range; -1 without a level
	Off     bool // the switch is off
	Switch  bool // there is a switch

	series  bool // all sound passes it
	digital bool // an optical or HDMI output
}

// silent reports whether nothing passes.
func (c Control) silent() bool { return c.Off || c.Percent == 0 }

// String returns e.g. "Master 60% on".
func (c Control) String() string {
	s := c.Name
	if c.Percent >= 0 {
		s += fmt.Sprintf(" %d%%", c.Percent)
	}
	switch {
	case c.Off:
		s += " off"
	case c.Switch:
		s += " on"
	}
	return s
}

// String returns every control, separated by commas; empty without any.
func (m Mixer) String() string {
	parts := make([]string, len(m.Controls))
	for i, c := range m.Controls {
		parts[i] = c.String()
	}
	return strings.Join(parts, ", ")
}

// Percent returns the highest level of all controls, 0 where there is none.
func (m Mixer) Percent() (most int) {
	for _, c := range m.Controls {
		most = max(most, c.Percent)
	}
	return most
}

// Muted reports whether no sound can pass: one control of those in series
// (Master, PCM …) is off or at zero, or all outputs beside each other
// (Speaker, Headphone …) are. A digital output counts where the card has
// nothing else: no amplifier hangs on the optical socket of a codec.
func (m Mixer) Muted() bool {
	analogue := slices.ContainsFunc(m.Controls, func(c Control) bool { return !c.digital })
	outputs, silent := 0, 0
	for _, c := range m.Controls {
		switch {
		case c.digital && analogue:
		case c.series && c.silent():
			return true
		case !c.series:
			outputs++
			if c.silent() {
				silent++
			}
		}
	}
	return outputs > 0 && silent == outputs
}

// inputs are words of controls that carry a microphone's or a line's sound
// past the samples, or are no level at all; they are left alone.
var inputs = []string{"mic", "capture", "beep", "loopback", "sidetone", "input", "boost", "video", "phone", "cd", "aux", "synth", "auto-mute"}

// seriesNames are controls that all sound passes.
var seriesNames = []string{"Master", "PCM", "Digital", "Wave", "DAC"}

// classify returns the base name of a playback control. level and toggle say
// what it is; ok is false for what does not shape playback.
func classify(name string) (base string, level, toggle, ok bool) {
	base, level = strings.CutSuffix(name, " Volume")
	if !level {
		if base, toggle = strings.CutSuffix(name, " Switch"); !toggle {
			return "", false, false, false
		}
	}
	rest, playback := strings.CutSuffix(base, " Playback")
	if base == "Playback" {
		rest, playback = "Playback", true
	}
	low := strings.ToLower(rest)
	if low == "line" { // the line input; "Line Out" is an output
		return "", false, false, false
	}
	for _, word := range strings.Fields(low) {
		if slices.Contains(inputs, word) {
			return "", false, false, false
		}
	}
	return rest, level, toggle, playback || inSeries(rest)
}

func inSeries(base string) bool { return slices.Contains(seriesNames, base) }

func isDigital(base string) bool { return base == "IEC958" || base == "HDMI" }

// ReadMixer returns the card's playback controls; none is no error, some cards
// have no mixer.
func ReadMixer(card int) (Mixer, error) { return mixer(card, nil) }

// SetMixer switches every playback control on, sets each level to percent
// (1–100; 0 leaves levels alone), and returns what the card then reads back,
// which may be something else. What the card refuses is not an error: the
// reading tells.
func SetMixer(card, percent int) (Mixer, error) {
	return mixer(card, func(c control, e *element) {
		want := e.value
		for i := range e.info.count {
			switch {
			case e.info.kind == elemBoolean:
				want.value[i] = 1
			case percent > 0:
				want.value[i] = e.raw(percent)
			}
		}
		if want.value == e.value.value {
			return
		}
		if ioctl(c.fd, reqElemWrite, unsafe.Pointer(&want)) == nil {
			e.read(c)
		}
	})
}

// MuteMixer switches every playback control off and returns what the card then
// reads back.
func MuteMixer(card int) (Mixer, error) {
	return mixer(card, func(c control, e *element) {
		if e.info.kind == elemBoolean {
			want := elemValue{id: e.info.id}
			if ioctl(c.fd, reqElemWrite, unsafe.Pointer(&want)) == nil {
				e.read(c)
			}
		}
	})
}

// element is one control element with its last reading.
type element struct {
	info  elemInfo
	value elemValue
}

func (e *element) read(c control) error {
	e.value = elemValue{id: e.info.id}
	return ioctl(c.fd, reqElemRead, unsafe.Pointer(&e.value))
}

// raw returns the card's number for percent of the range; 1 % is never zero.
func (e *element) raw(percent int) long {
	low, high := e.info.bounds()
	step := float64(high-low) * float64(percent) / 100
	return low + max(1, long(math.Round(step)))
}

// percent returns the loudest channel in percent of the range. Only the very
// bottom is 0.
func (e *element) percent() int {
	low, high := e.info.bounds()
	top := low
	for i := range e.info.count {
		top = max(top, e.value.value[i])
	}
	if high <= low || top <= low {
		return 0
	}
	return max(1, int(math.Round(float64(top-low)*100/float64(high-low))))
}

// off reports whether the switch is off on every channel.
func (e *element) off() bool {
	for i := range e.info.count {
		if e.value.value[i] != 0 {
			return false
		}
	}
	return true
}

func mixer(card int, change func(control, *element)) (Mixer, error) {
	c, err := openControl(card)
	if err != nil {
		return Mixer{}, err
	}
	defer c.close()
	ids, err := c.elements()
	if err != nil {
		return Mixer{}, err
	}
	var m Mixer
	at := map[string]int{}
	for _, id := range ids {
		base, level, toggle, ok := classify(text(id.name[:]))
		if !ok {
			continue
		}
		e := element{info: elemInfo{id: id}}
		if ioctl(c.fd, reqElemInfo, unsafe.Pointer(&e.info)) != nil || !e.usable(level, toggle) || e.read(c) != nil {
			continue
		}
		if change != nil {
			change(c, &e)
		}
		if id.index > 0 {
			base = fmt.Sprintf("%s %d", base, id.index)
		}
		i, seen := at[base]
		if !seen {
			i = len(m.Controls)
			at[base] = i
			m.Controls = append(m.Controls, Control{Name: base, Percent: -1, series: inSeries(base), digital: isDigital(base)})
		}
		if level {
			m.Controls[i].Percent = e.percent()
		} else {
			m.Controls[i].Switch, m.Controls[i].Off = true, e.off()
		}
	}
	return m, nil
}

// usable reports whether the element is what its name says and in force.
func (e *element) usable(level, toggle bool) bool {
	if e.info.access&accessRead == 0 || e.info.access&accessInactive != 0 || e.info.count == 0 || e.info.count > 128 {
		return false
	}
	return level && e.info.kind == elemInteger || toggle && e.info.kind == elemBoolean
}
