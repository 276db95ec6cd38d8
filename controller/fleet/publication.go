package fleet

import (
	"time"

	"gatecast/internal/wire"
)

// PublicationID is the row id of a publication.
type PublicationID int64

// Publication is a period whose numbers were signed and sealed (签发). They
// never change; what turns out differently later goes into amendments.
type Publication struct {
	ID       PublicationID
	Year     int // local year of signing
	Number   int // within the year, from 1
	From, To Day // both included
	At       time.Time
	By       string // login
	Name     string // of who signed, as it was then
}

// PublishedSum is one line of what a publication says: a day of a unit and a
// slot name.
type PublishedSum struct {
	Day    Day
	Unit   UnitID
	Name   string // of the unit, as it was then
	Slot   string // slot name
	Demo   bool
	Counts Counts
}

// ChangeCause says why a published slot changed.
type ChangeCause string

// The causes.
const (
	CauseLate     ChangeCause = "late"     // 迟报: it was pending when it was published
	CauseEvidence ChangeCause = "evidence" // 补充证据: other evidence came in
)

// PublishedChange is a slot of a published period that changed after it was
// signed.
type PublishedChange struct {
	Amendment AmendmentID // 0 while no amendment has it
	At        time.Time   // of the last change
	Point     PointID
	Unit      UnitID
	Slot      wire.SlotID
	Name      string // slot name
	Cause     ChangeCause
	Was, Now  Settlement
}

// AmendmentID is the row id of an amendment.
type AmendmentID int64

// Amendment is a numbered correction (更正) of a publication.
type Amendment struct {
	ID          AmendmentID
	Publication PublicationID
	Year        int // local year of signing
	Number      int // within the year, from 1
	At          time.Time
	By          string // login
	Name        string // of who signed, as it was then
}

// PublishedPeriod is a publication with all that belongs to it. Changes are
// one for each slot and amendment, what the amendment before said → what this
// one says; those without an amendment are still to be signed.
type PublishedPeriod struct {
	Publication
	Sums       []PublishedSum
	Amendments []Amendment // by number
	Changes    []PublishedChange
}
