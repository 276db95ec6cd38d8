package config

import (
	"fmt"
	"os"

	"gatecast/schedules"
)

// Calendar returns the holiday tables that are built in with those of the
// configuration. The error names the file that cannot be read or is none.
func (c Config) Calendar() (*schedules.Calendar, error) {
	cal := schedules.DefaultCalendar()
	for _, name := range c.Tables {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading holiday table: %w", err)
		}
		if err := cal.Import(data); err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
	}
	return cal, nil
}
