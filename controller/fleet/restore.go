package fleet

import "time"

// SettingIntent is the setting that holds the PlanIntent under way as JSON,
// empty if there is none.
const SettingIntent = "planner.intent"

// PlanIntent is a planning run that has begun to write.
type PlanIntent struct {
	AtUS       int64         `json:"at_us"`
	Programmes []ProgrammeID `json:"programmes"` // in force
	Restored   bool          `json:"restored,omitempty"`
}

// Awaiting says what has to happen before a device gets plans again. After a
// restore from a backup the devices may have newer plans than the backup.
type Awaiting string

// What a device may be awaiting.
const (
	AwaitNothing   Awaiting = ""
	AwaitReconnect Awaiting = "reconnect" // that it connects and says what it has
	AwaitConfirm   Awaiting = "confirm"   // that a person confirms: it has a newer plan than the backup
)

// Restore is a database that was put in place from a backup.
type Restore struct {
	At     time.Time
	Backup time.Time // when the backup was made; zero if nobody knows
	File   string    // name of the backup; empty if the database was put back by hand
	By     string
}
