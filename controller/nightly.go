package controller

import (
	"fmt"
	"path/filepath"
	"time"

	"gatecast/controller/backup"
)

// openBackups prepares the nightly backup, unless the operator wants none. The
// passphrase is drawn now, so that it can be written down before the first
// night.
func (c *Controller) openBackups(zone *time.Location) (err error) {
	at, ok := c.o.Config.Backup.Since()
	if !ok {
		return nil
	}
	dir := c.o.Config.DataDir
	if _, err := backup.Passphrase(filepath.Join(dir, "trust")); err != nil {
		return err
	}
	c.night, err = backup.NewNight(backup.NightOptions{
		Dir: dir, Folder: c.o.Config.Backup.In(dir), Copy: c.o.Config.Backup.Copy, At: at, Zone: zone, Keep: c.o.Config.Backup.Keep,
		Program: c.o.Version, Book: c.Store, Logger: c.part("backup"),
	})
	if err != nil {
		return fmt.Errorf("preparing the nightly backup: %w", err)
	}
	return nil
}
