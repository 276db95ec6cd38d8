package fleet

import "time"

// HandedOut is a file that the office gave away with its signature under it.
type HandedOut struct {
	ID     int64
	Code   string // as it stands in the file's first line
	Made   time.Time
	By     string // login
	Title  string
	File   string // its name
	Size   int64
	SHA256 string // hex
	Slip   []byte // the file that lies beside it: see evidence.Slip
}

// BackupPart is a step of making a backup.
type BackupPart string

// The steps that can go wrong.
const (
	BackupWrite BackupPart = "write" // making the file
	BackupCheck BackupPart = "check" // opening what was written
	BackupCopy  BackupPart = "copy"  // the second place
)

// BackupRun is one backup that the controller made by itself, or tried to.
type BackupRun struct {
	ID           int64
	Begun, Ended time.Time
	File         string // path
	Copy         string // path of the second one; empty where none is wanted
	Size         int64
	SHA256       string
	Part         BackupPart // that went wrong; empty for none
	Problem      string     // for operators
}

// Good reports whether the backup was opened after it was written and is whole,
// in the second place too where there is one.
func (r BackupRun) Good() bool { return r.Part == "" && r.Problem == "" }

// BackupLate is the age of the last good backup from which the office is told.
const BackupLate = 36 * time.Hour

// SettingBackupSince is the key of when the controller began to make backups, in
// microseconds: before the first one it counts as the last good one.
const SettingBackupSince = "backup.since"
