package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Ceilings returns what the library role signs for every device. c must have
// passed Validate.
func (c Config) Ceilings() (wire.Ceilings, error) {
	windows, err := c.Sound.windows()
	if err != nil {
		return wire.Ceilings{}, fmt.Errorf("sound.allowed_hours: %w", err)
	}
	return wire.Ceilings{
		Zone: c.Sound.Zone, Allowed: windows, MaxGainDB: c.Sound.MaxGainDB, MaxVolumePct: c.Sound.MaxVolumePct,
		MaxPlaysPerHour: c.Sound.MaxPerHour, MaxClipS: int64(c.Sound.MaxClip / time.Second),
	}, nil
}

// windows parses "06:00-22:00" entries; 24:00 is the end of the day.
func (s Sound) windows() ([]wire.DailyWindow, error) {
	if len(s.Hours) == 0 {
		return nil, errors.New("empty: nothing could ever sound; write hours such as 06:00-22:00")
	}
	var windows []wire.DailyWindow
	for _, text := range s.Hours {
		from, to, ok := strings.Cut(text, "-")
		first, err1 := minuteOfDay(from)
		last, err2 := minuteOfDay(to)
		if !ok || err1 != nil || err2 != nil || first >= last {
			return nil, fmt.Errorf("%q is no range such as 06:00-22:00", text)
		}
		windows = append(windows, wire.DailyWindow{FirstMin: first, LastMin: last})
	}
	return windows, nil
}

func minuteOfDay(s string) (int, error) {
	s = strings.TrimSpace(s)
	if s == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err
}

// Quiet returns the hours in which urgent broadcasts need more people. The night
// may be moved and not be left out.
func (s Sound) Quiet() (fleet.QuietHours, error) {
	night, err := fleet.ParseDayTimes(s.Night)
	if err == nil && night == (fleet.DayTimes{}) {
		err = errors.New("the night is empty: write hours such as 22:00-06:00")
	}
	if err != nil {
		return fleet.QuietHours{}, err
	}
	midday, err := fleet.ParseDayTimes(s.Midday)
	return fleet.QuietHours{Night: night, Midday: midday}, err
}
