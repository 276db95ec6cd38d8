package roster

import (
	"errors"
	"time"

	"gatecast/controller/sheet"
)

// Options is what a Desk works with; everything is required.
type Options struct {
	Places   Places
	People   People
	Register Register
	Zone     *time.Location
	Limits   sheet.Limits
}

// Desk takes rosters in and gives them out.
type Desk struct {
	places   Places
	people   People
	register Register
	zone     *time.Location
	limits   sheet.Limits
}

// New returns a Desk.
func New(o Options) (*Desk, error) {
	switch {
	case o.Places == nil, o.People == nil, o.Register == nil:
		return nil, errors.New("roster: Places, People and Register are required")
	case o.Zone == nil:
		return nil, errors.New("roster: Zone is required")
	case o.Limits.Bytes <= 0:
		return nil, errors.New("roster: Limits.Bytes should be above 0")
	}
	return &Desk{o.Places, o.People, o.Register, o.Zone, o.Limits}, nil
}

// MaxFile is the most bytes of a file that Check takes.
func (d *Desk) MaxFile() int { return d.limits.Bytes }
