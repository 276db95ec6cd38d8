package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/durable"
	"gatecast/internal/evidence"
	"gatecast/internal/wire"
)

// Book keeps what came of backups.
type Book interface {
	AddBackupRun(ctx context.Context, r fleet.BackupRun) error
	BackupRuns(ctx context.Context, limit int) ([]fleet.BackupRun, error) // newest first
	Setting(ctx context.Context, key string) (string, error)
	SetSetting(ctx context.Context, key, value string) error
}

// NightOptions of NewNight. Dir, Folder, Keep, Zone and Book are required.
type NightOptions struct {
	Dir     string        // data folder
	Folder  string        // of the backups
	Copy    string        // second place, such as a USB disk; empty for none
	At      time.Duration // since midnight in Zone
	Zone    *time.Location
	Keep    int    // backups kept in each place
	Program string // version
	Book    Book
	Now     func() time.Time // nil means time.Now
	Logger  *slog.Logger     // nil discards
	// Written is told of a backup before it is opened again; nil for nobody.
	Written func(file string)
}

// Night makes a sealed backup once a day, opens what it wrote, copies it to the
// second place and reads that copy back. A night that went wrong is tried again
// every hour. A Night is used by one goroutine.
type Night struct{ o NightOptions }

// NewNight checks o.
func NewNight(o NightOptions) (*Night, error) {
	if o.Dir == "" || o.Folder == "" || o.Zone == nil || o.Book == nil || o.Keep < 1 {
		return nil, errors.New("night options: Dir, Folder, Zone, Keep and Book are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Night{o}, nil
}

const (
	look  = 5 * time.Minute // how often the clock is looked at
	again = time.Hour       // after a night that went wrong
)

// Run makes backups until ctx ends.
func (n *Night) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		timer.Reset(look)
		if _, err := n.Tick(ctx); err != nil && ctx.Err() == nil {
			n.o.Logger.Error("making the nightly backup", "err", err)
		}
	}
}

// Tick makes a backup if one is due and reports whether it was. What went wrong
// is kept in the Book, too.
func (n *Night) Tick(ctx context.Context) (bool, error) {
	now := n.o.Now()
	due, err := n.due(ctx, now)
	if err != nil || !due {
		return false, err
	}
	run := fleet.BackupRun{Begun: now}
	err = n.make(ctx, &run)
	if ctx.Err() != nil {
		return true, ctx.Err() // the controller ends: nothing is wrong with the backup
	}
	run.Ended = n.o.Now()
	if err != nil {
		run.Problem = err.Error()
	} else {
		n.o.Logger.Info("backup made and opened", "file", run.File, "copy", run.Copy, "bytes", run.Size)
	}
	return true, errors.Join(err, n.o.Book.AddBackupRun(ctx, run))
}

// due reports whether the last night has no good backup yet.
func (n *Night) due(ctx context.Context, now time.Time) (bool, error) {
	local := now.In(n.o.Zone)
	at := func(day int) time.Time {
		return time.Date(local.Year(), local.Month(), day, 0, int(n.o.At/time.Minute), 0, 0, n.o.Zone)
	}
	night := at(local.Day())
	if night.After(now) {
		night = at(local.Day() - 1)
	}
	text, err := n.o.Book.Setting(ctx, fleet.SettingBackupSince)
	if err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return false, fmt.Errorf("reading since when there are backups: %w", err)
	}
	us, err := strconv.ParseInt(text, 10, 64)
	if err != nil { // the first look of this office
		return false, n.o.Book.SetSetting(ctx, fleet.SettingBackupSince, strconv.FormatInt(wire.US(now), 10))
	}
	if wire.FromUS(us).After(night) {
		return false, nil
	}
	last, err := n.o.Book.BackupRuns(ctx, 1)
	if err != nil || len(last) == 0 {
		return err == nil, err
	}
	if r := last[0]; !r.Begun.Before(night) {
		return !r.Good() && now.Sub(r.Ended) >= again, nil
	}
	return true, nil
}

// make does one backup with all its steps and leaves in r how far it came.
func (n *Night) make(ctx context.Context, r *fleet.BackupRun) error {
	r.Part = fleet.BackupWrite
	passphrase, err := Passphrase(filepath.Join(n.o.Dir, "trust"))
	if err != nil {
		return err
	}
	if err := durable.MkdirAll(n.o.Folder, 0o700); err != nil {
		return err
	}
	name := prefix + r.Begun.In(n.o.Zone).Format("20060102-150405") + suffix
	r.File = filepath.Join(n.o.Folder, name)
	if _, err := MakeSealed(ctx, n.o.Dir, r.File, n.o.Program, passphrase, r.Begun); err != nil {
		return err
	}
	if n.o.Written != nil {
		n.o.Written(r.File)
	}
	r.Part = fleet.BackupCheck
	if _, err := Check(ctx, r.File, passphrase, n.o.Folder); err != nil {
		// Nobody must take it for one; the name keeps it for whoever looks why.
		return errors.Join(err, durable.Rename(r.File, r.File+bad), n.thin(n.o.Folder))
	}
	if r.SHA256, r.Size, err = sumOf(r.File); err != nil {
		return err
	}
	if n.o.Copy != "" {
		r.Part = fleet.BackupCopy
		r.Copy = filepath.Join(n.o.Copy, name)
		if err := n.second(r); err != nil {
			return err
		}
	}
	r.Part = ""
	return errors.Join(n.thin(n.o.Folder), n.thin(n.o.Copy))
}

// second copies the backup to the other place, which must be there: a folder
// made on the spot would lie under the mount point of a disk that is not
// plugged in. The copy is read back.
func (n *Night) second(r *fleet.BackupRun) error {
	if info, err := os.Stat(n.o.Copy); err != nil {
		return fmt.Errorf("second place of backups: %w", err)
	} else if !info.IsDir() {
		return fmt.Errorf("second place of backups %q is no folder", n.o.Copy)
	}
	part := r.Copy + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := copyFile(r.File, part); err != nil {
		return fmt.Errorf("copying backup to %q: %w", part, err)
	}
	sum, size, err := sumOf(part)
	if err != nil {
		return err
	}
	if sum != r.SHA256 || size != r.Size {
		return fmt.Errorf("copy of backup %q is not what was written", part)
	}
	return durable.Rename(part, r.Copy)
}

const prefix, suffix, bad = "gatecast-", ".gcb", ".bad"

// keptBad is how many backups that did not open are kept for whoever looks why.
const keptBad = 2

// thin removes the oldest backups of a place beyond those that are kept. What
// did not open never pushes out what did.
func (n *Night) thin(folder string) error {
	if folder == "" {
		return nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("looking for old backups: %w", err)
	}
	var good, broken []string
	for _, e := range entries { // by name, which is by time
		base, isBad := strings.CutSuffix(e.Name(), bad)
		switch {
		case !e.Type().IsRegular() || !strings.HasPrefix(base, prefix) || !strings.HasSuffix(base, suffix):
		case isBad:
			broken = append(broken, e.Name())
		default:
			good = append(good, e.Name())
		}
	}
	old := slices.Concat(good[:max(0, len(good)-n.o.Keep)], broken[:max(0, len(broken)-keptBad)])
	for _, name := range old {
		if err := os.Remove(filepath.Join(folder, name)); err != nil {
			return fmt.Errorf("removing an old backup: %w", err)
		}
	}
	return nil
}

func sumOf(file string) (sum string, size int64, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	return evidence.Sum(f)
}
