package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// Backups is what came of the backups that the controller makes by itself.
type Backups interface {
	BackupRuns(ctx context.Context, limit int) ([]fleet.BackupRun, error) // newest first
	// LastGoodBackup returns the newest one that was opened and is whole;
	// fleet.NotFound if there is none.
	LastGoodBackup(ctx context.Context) (fleet.BackupRun, error)
}

func (s *Server) backupRoutes(mux *http.ServeMux) {
	s.page(mux, fleet.ActRead, "/backups", "backups", s.backups)
}

// backupsView is the list of the nightly backups.
type backupsView struct {
	Last string // when the last good one was made
	Late bool
	Rows []backupRow
}

type backupRow struct {
	At, File, Copy, Size string
	State                deviceState
	Problem              string
}

// maxBackups is how many the page lists.
const maxBackups = 60

func (s *Server) backups(ctx context.Context, v *visit, r *http.Request) (frame, error) {
	f, err := s.frame(ctx, v, r, "backups.title", "")
	if err != nil {
		return f, err
	}
	view := &backupsView{Last: v.L.T("none")}
	last, late, err := s.lastBackup(ctx, v.Now)
	if err != nil {
		return f, err
	}
	if view.Late = late; last.ID != 0 {
		view.Last = v.L.Stamp(last.Begun, v.Now)
	}
	runs, err := s.o.Backups.BackupRuns(ctx, maxBackups)
	if err != nil {
		return f, fmt.Errorf("reading backups: %w", err)
	}
	for _, b := range runs {
		row := backupRow{
			At: v.L.Stamp(b.Begun, v.Now), File: b.File, Copy: b.Copy, Size: fmt.Sprintf("%.1f MB", float64(b.Size)/1e6), Problem: b.Problem,
			State: deviceState{Tone: "ok", Icon: "i-check", Text: v.L.T("backups.good")},
		}
		if !b.Good() {
			row.State = deviceState{Tone: "bad", Icon: "i-cross", Text: v.L.T("backups.bad." + string(b.Part))}
		}
		view.Rows = append(view.Rows, row)
	}
	f.V = view
	return f, nil
}

// lastBackup returns the last good backup, and whether it is older than it
// should be. An office that never had one counts from its first look.
func (s *Server) lastBackup(ctx context.Context, now time.Time) (fleet.BackupRun, bool, error) {
	text, err := s.o.Settings.Setting(ctx, fleet.SettingBackupSince)
	if err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return fleet.BackupRun{}, false, fmt.Errorf("reading since when there are backups: %w", err)
	}
	us, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fleet.BackupRun{}, false, nil // the operator wants none
	}
	last, err := s.o.Backups.LastGoodBackup(ctx)
	if err != nil && fleet.CodeOf(err) != fleet.NotFound {
		return last, false, fmt.Errorf("reading the last backup: %w", err)
	}
	from := wire.FromUS(us)
	if last.Begun.After(from) {
		from = last.Begun
	}
	return last, now.Sub(from) > fleet.BackupLate, nil
}

// backupNeed tells of a backup that is overdue, or of a night that went wrong.
func (s *Server) backupNeed(ctx context.Context, v *visit) (n need, has bool, err error) {
	last, late, err := s.lastBackup(ctx, v.Now)
	if err != nil {
		return n, false, err
	}
	runs, err := s.o.Backups.BackupRuns(ctx, 1)
	if err != nil {
		return n, false, fmt.Errorf("reading backups: %w", err)
	}
	failed := len(runs) > 0 && !runs[0].Good()
	if !late && !failed {
		return n, false, nil
	}
	n = need{Tone: "warn", Icon: "i-alert", Href: "/backups", Title: v.L.T("need.backup.failed"), rank: toneRank["warn"]}
	if late {
		n.Tone, n.Title, n.rank = "bad", v.L.T("need.backup.late"), toneRank["bad"]
	}
	n.Text = v.L.T("need.backup.never")
	if last.ID != 0 {
		n.Text = v.L.T("need.backup.text", v.L.Stamp(last.Begun, v.Now))
		n.since = last.Begun
	}
	if failed {
		n.Text += v.L.T("backups.bad." + string(runs[0].Part))
	}
	n.Copy = v.L.T("need.copy", s.o.Name, n.Title, n.Text)
	return n, true, nil
}
