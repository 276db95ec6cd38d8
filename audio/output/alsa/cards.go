package alsa

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Card is a sound card that can play.
type Card struct {
	Index   int    // may change at each boot
	ID      string // stays with the card, e.g. "Headphones"
	Driver  string
	Name    string // in the maker's words
	Devices []int  // its playback devices
}

// Virtual reports whether the card is a kernel module without hardware.
func (c Card) Virtual() bool { return c.Driver == "Dummy" || c.Driver == "Loopback" }

// HDMI reports whether the card is a monitor's.
func (c Card) HDMI() bool { return strings.Contains(strings.ToLower(c.ID+c.Driver+c.Name), "hdmi") }

// Address returns the stable name of one of the card's devices.
func (c Card) Address(device int) string { return fmt.Sprintf("hw:CARD=%s,DEV=%d", c.ID, device) }

// address matches "hw:CARD=id,DEV=0", "plughw:id,0", "sysdefault:CARD=0".
var address = regexp.MustCompile(`^([a-z]*hw|(?:sys)?default|front|hdmi|iec958):(?:CARD=)?([A-Za-z0-9_-]+)(?:,(?:DEV=)?([0-9]{1,2}))?$`)

// ParseAddress splits a device name into the card, an id or an index, and the
// device, 0 where it is not given. plugin is "hw" for the card itself.
func ParseAddress(name string) (plugin, card string, device int, err error) {
	m := address.FindStringSubmatch(name)
	if m == nil {
		return "", "", 0, fmt.Errorf(`sound card %q is not of the form "hw:CARD=Device,DEV=0" or "hw:0"`, name)
	}
	if m[3] != "" {
		if device, err = strconv.Atoi(m[3]); err != nil {
			return "", "", 0, err
		}
	}
	return m[1], m[2], device, nil
}

// Find returns the card with the given id, or with the given index where no id
// matches. A missing card wraps ENODEV.
func Find(card string) (Card, error) {
	cards, err := Cards()
	if err != nil {
		return Card{}, err
	}
	for _, c := range cards {
		if c.ID == card {
			return c, nil
		}
	}
	for _, c := range cards {
		if strconv.Itoa(c.Index) == card {
			return c, nil
		}
	}
	return Card{}, fmt.Errorf("no sound card %q that can play: %w", card, errNoCard)
}
