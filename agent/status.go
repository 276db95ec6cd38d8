package agent

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gatecast/agent/enrol"
	"gatecast/agent/journal"
	"gatecast/agent/plan"
	"gatecast/agent/walltime"
	"gatecast/internal/wire"
)

// Status is what the data folder of an agent tells.
type Status struct {
	DataDir string `json:"data_dir"`
	Running int    `json:"running_pid,omitempty"` // process that owns the folder; 0 for none

	Enrolled   bool          `json:"enrolled"`
	Device     wire.DeviceID `json:"device,omitempty"`
	Point      string        `json:"point,omitempty"`
	PointName  string        `json:"point_name,omitempty"`
	Controller string        `json:"controller,omitempty"`
	Broker     string        `json:"broker,omitempty"`
	CertUntil  *time.Time    `json:"certificate_until,omitempty"`

	PlanVersion  uint64     `json:"plan_version,omitempty"`
	PlanHorizon  *time.Time `json:"plan_horizon,omitempty"`
	NextPlay     *time.Time `json:"next_play,omitempty"` // by the plan and the time below
	ClipsReady   int        `json:"clips_ready"`         // by size; the agent checks their hashes
	ClipsMissing []string   `json:"clips_missing"`       // titles

	Log   wire.LogID `json:"log,omitempty"`
	Last  wire.Seq   `json:"last_seq"`
	Acked wire.Seq   `json:"acked_seq"`
	Bytes int64      `json:"journal_bytes"`

	Time      time.Time      `json:"time"`
	TimeLevel wire.TimeLevel `json:"time_level"`
	TimeErrMS int64          `json:"time_err_ms,omitempty"`

	Plays    []PlayedStatus `json:"last_plays"`         // newest last
	Problems []string       `json:"problems,omitempty"` // what could not be read
}

// PlayedStatus is one settled play.
type PlayedStatus struct {
	Play    wire.PlayID     `json:"play"`
	Planned time.Time       `json:"planned"`
	Started *time.Time      `json:"started,omitempty"`
	Result  wire.PlayResult `json:"result"`
	Reason  wire.Reason     `json:"reason,omitempty"`
	Device  string          `json:"device,omitempty"`
}

// lastPlays is how many plays a status lists.
const lastPlays = 10

// Inspect reads the data folder without changing anything, also while an
// agent runs on it. What cannot be read stands in Problems; an error means
// that the folder itself cannot be.
func Inspect(dataDir string) (Status, error) {
	s := Status{DataDir: dataDir, ClipsMissing: []string{}, Plays: []PlayedStatus{}}
	if _, err := os.ReadDir(dataDir); err != nil {
		return s, fmt.Errorf("reading data folder: %w", err)
	}
	dirs := DirsOf(dataDir)
	problem := func(err error) {
		if err != nil {
			s.Problems = append(s.Problems, err.Error())
		}
	}
	s.Running = owner(filepath.Join(dirs.Journal, "lock"))
	if clock, err := walltime.Open(dirs.Time, walltime.Options{}); err != nil {
		problem(err)
	} else {
		now := clock.Now()
		s.Time, s.TimeLevel, s.TimeErrMS = now.Wall, now.Level, now.Err.Milliseconds()
	}
	problem(s.readJournal(dirs.Journal))
	id, err := enrol.Inspect(dirs.Identity, nil)
	switch {
	case errors.Is(err, enrol.ErrNotEnrolled):
		return s, nil
	case err != nil:
		problem(err)
		return s, nil
	}
	s.Enrolled, s.Device, s.Point, s.PointName, s.Controller, s.Broker = true, id.Device, id.Point, id.PointName, id.URL, id.MQTT
	_, until := id.Validity()
	s.CertUntil = &until
	p, m, ok, err := plan.Inspect(dirs.Plan, id.Device, id.Root)
	problem(err)
	if ok {
		s.readPlan(p, m, dirs.Clips)
	}
	return s, nil
}

func (s *Status) readJournal(dir string) error {
	sum, err := journal.Inspect(dir, func(r wire.Record) {
		if r.Kind != wire.RecordOutcome {
			return
		}
		s.Plays = append(s.Plays, playedOf(r))
		s.Plays = s.Plays[max(0, len(s.Plays)-lastPlays):]
	})
	s.Log, s.Last, s.Acked, s.Bytes = sum.Log, sum.Last, sum.Acked, sum.Bytes
	return err
}

func (s *Status) readPlan(p *wire.Plan, m *wire.Manifest, clips string) {
	horizon := time.Unix(p.HorizonS, 0).UTC()
	s.PlanVersion, s.PlanHorizon = p.Version, &horizon
	s.Point, s.PointName = p.Point, p.PointName
	for _, sha := range p.Clips {
		c, _ := m.Clip(sha)
		if fi, err := os.Stat(filepath.Join(clips, sha)); err == nil && fi.Size() == c.Bytes {
			s.ClipsReady++
		} else {
			s.ClipsMissing = append(s.ClipsMissing, c.Title)
		}
	}
	for _, slot := range p.Slots {
		if s.NextPlay != nil && slot.StartS > s.NextPlay.Unix() {
			return
		}
		plays, err := p.Plays(slot)
		if err != nil {
			continue
		}
		for _, play := range plays {
			if play.At.After(s.Time) && (s.NextPlay == nil || play.At.Before(*s.NextPlay)) {
				at := play.At
				s.NextPlay = &at
			}
		}
	}
}

// owner returns the process that holds the lock on path, 0 for none or when
// the kernel does not tell.
func owner(path string) int {
	fi, err := os.Stat(path)
	if err != nil {
		return 0
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	f, err := os.Open("/proc/locks")
	if err != nil {
		return 0
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		// 1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF
		fields := strings.Fields(sc.Text())
		if len(fields) < 6 || fields[1] != "FLOCK" {
			continue
		}
		if parts := strings.Split(fields[5], ":"); len(parts) == 3 && parts[2] == strconv.FormatUint(st.Ino, 10) {
			pid, _ := strconv.Atoi(fields[4])
			return pid
		}
	}
	return 0
}

// playedOf reads an outcome; what does not parse leaves fields empty.
func playedOf(r wire.Record) PlayedStatus {
	var o wire.Outcome
	_ = json.Unmarshal(r.Body, &o)
	p := PlayedStatus{Play: o.Play, Planned: wire.FromUS(o.PlannedUS), Result: o.Result, Reason: o.Reason, Device: o.Device}
	if o.StartedUS != 0 {
		at := wire.FromUS(o.StartedUS)
		p.Started = &at
	}
	return p
}
