package simulate

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Fault is a kind of trouble.
type Fault string

// The kinds of trouble.
const (
	Clock      Fault = "clock"      // 1970 boots, steps, drift, leaps of hours, RTC or not, synchronised or not
	Network    Fault = "network"    // drop, duplicate, reorder, delay, partition, transfers cut
	Broker     Fault = "broker"     // stale, forged and replayed messages
	Disk       Fault = "disk"       // full, errors, bit rot
	Power      Fault = "power"      // cut anywhere, and programs killed
	Card       Fault = "card"       // sound card absent, lost mid-clip, stalled, muted
	Controller Fault = "controller" // killed, restored from an old backup
	People     Fault = "people"     // activate, stop, revoke, rebind
)

// AllFaults lists every kind.
var AllFaults = []Fault{Clock, Network, Broker, Disk, Power, Card, Controller, People}

// ParseFaults reads a list such as "clock,power". "all" and the empty text
// mean every kind, "none" means none.
func ParseFaults(text string) ([]Fault, error) {
	switch strings.TrimSpace(text) {
	case "", "all":
		return AllFaults, nil
	case "none":
		return nil, nil
	}
	var list []Fault
	for word := range strings.SplitSeq(text, ",") {
		f := Fault(strings.TrimSpace(word))
		if !slices.Contains(AllFaults, f) {
			return nil, fmt.Errorf("fault %q is not known; the kinds are %s, and all or none", f, JoinFaults(AllFaults))
		}
		if !slices.Contains(list, f) {
			list = append(list, f)
		}
	}
	return list, nil
}

// JoinFaults is the inverse of ParseFaults.
func JoinFaults(list []Fault) string {
	if len(list) == 0 {
		return "none"
	}
	words := make([]string, len(list))
	for i, f := range list {
		words[i] = string(f)
	}
	return strings.Join(words, ",")
}

// Limits of a run: a controller has its full 60 days of slots for each gate.
const (
	maxDevices = 200
	maxDays    = 60
)

// Options of a run.
type Options struct {
	Seed    uint64
	Devices int       // gates, each with a device; 0 means 3
	Days    int       // with faults; one more day without follows; 0 means 3
	Faults  []Fault   // kinds of trouble; nil means none
	Start   time.Time // of the simulation; zero draws a day of 2026
	Scratch string    // folder for the controller's files; empty means memory or the temporary folder
	Trace   io.Writer // every event as a line; nil for nobody
}

// Validate says in one sentence what is wrong with o.
func (o *Options) Validate() error {
	if o.Devices == 0 {
		o.Devices = 3
	}
	if o.Days == 0 {
		o.Days = 3
	}
	switch {
	case o.Devices < 1 || o.Devices > maxDevices:
		return fmt.Errorf("%d devices: must be 1 to %d", o.Devices, maxDevices)
	case o.Days < 1 || o.Days > maxDays:
		return fmt.Errorf("%d days: must be 1 to %d", o.Days, maxDays)
	}
	return nil
}

// Replay returns the command that repeats the run.
func (o Options) Replay() string {
	s := fmt.Sprintf("gatecast simulate --seed %d --devices %d --days %d --faults %s", o.Seed, o.Devices, o.Days, JoinFaults(o.Faults))
	return s
}
