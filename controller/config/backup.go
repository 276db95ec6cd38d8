package config

import (
	"path/filepath"
	"time"
)

// Backup configures what the controller saves by itself.
type Backup struct {
	At     string `yaml:"at" doc:"Hour of the nightly backup in sound.zone, such as 03:10. Empty: none.\nThe passphrase is printed by: gatecast-controller backup passphrase"`
	Folder string `yaml:"folder" doc:"Where backups are kept. Empty: the folder backups in data_dir."`
	Copy   string `yaml:"copy" doc:"Second place, such as the mount point of a USB disk or a NAS; it must exist. Empty: none."`
	Keep   int    `yaml:"keep" doc:"Backups kept in each place, 2 to 1000."`
}

// Since returns the time of day of the nightly backup; ok is false where none
// is wanted. At must have passed Validate.
func (b Backup) Since() (at time.Duration, ok bool) {
	t, err := time.Parse("15:04", b.At)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err == nil
}

// In returns where backups are kept for a data folder.
func (b Backup) In(dataDir string) string {
	if b.Folder == "" {
		return filepath.Join(dataDir, "backups")
	}
	return b.Folder
}

// check tells fail which rules the settings break.
func (b Backup) check(fail func(key, format string, args ...any)) {
	if _, ok := b.Since(); b.At != "" && !ok {
		fail("backup.at", "%q is no time of day such as 03:10", b.At)
	}
	if b.Keep < 2 || b.Keep > 1000 {
		fail("backup.keep", "%d is outside 2 to 1000", b.Keep)
	}
	for key, path := range map[string]string{"backup.folder": b.Folder, "backup.copy": b.Copy} {
		if path != "" && !filepath.IsAbs(path) {
			fail(key, "%q is no absolute path", path)
		}
	}
	if b.Copy != "" && filepath.Clean(b.Copy) == filepath.Clean(b.Folder) {
		fail("backup.copy", "is the same place as backup.folder")
	}
}
