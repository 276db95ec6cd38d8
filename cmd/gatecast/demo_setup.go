package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gatecast/audio/clips"
	"gatecast/controller"
	"gatecast/controller/fleet"
	"gatecast/controller/sample"
)

// marker is the file that tells a demo folder from somebody's own.
const marker = "GATECAST-DEMO"

// folder makes or empties the data folder and holds it until release. A folder
// that holds something else, or that another demo uses, is never touched.
func (d *demo) folder(fresh bool) (release func(), err error) {
	dir, err := filepath.Abs(d.dir)
	if err != nil {
		return nil, fmt.Errorf("finding data folder: %w", err)
	}
	d.dir = dir
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading data folder: %w", err)
	}
	_, err = os.Stat(filepath.Join(dir, marker))
	if ours := err == nil; !ours && len(entries) > 0 {
		return nil, &fleet.Error{Code: fleet.Conflict,
			Text:   fmt.Sprintf("%s 里有别的文件，不是演示文件夹；请用 --data 换一个文件夹", dir),
			TextEN: fmt.Sprintf("%s holds other files and is no demo folder: choose another one with --data", dir)}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating data folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, marker), []byte("gatecast demo\n"), 0o600); err != nil {
		return nil, fmt.Errorf("marking data folder: %w", err)
	}
	lock, err := holdFile(filepath.Join(dir, marker))
	if errors.Is(err, errHeld) {
		return nil, &fleet.Error{Code: fleet.Conflict, Err: err,
			Text:   fmt.Sprintf("%s 里已有一个演示在运行；请先按 Ctrl-C 停止它，或用 --data 换一个文件夹", dir),
			TextEN: fmt.Sprintf("a demo is running in %s already: stop that one with Ctrl-C, or choose another folder with --data", dir)}
	}
	if err != nil {
		return nil, fmt.Errorf("locking data folder: %w", err)
	}
	release = func() { _ = lock.Close() } // nothing was written
	if !fresh {
		return release, nil
	}
	for _, e := range entries {
		if e.Name() == marker {
			continue // it stays, so that an interrupted clean-up can be repeated
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			release()
			return nil, fmt.Errorf("emptying data folder: %w", err)
		}
	}
	return release, nil
}

// freeAddr returns addr if it can be bound, else one on the same host with a
// port that is free.
func freeAddr(addr string) string {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		host, _, _ := net.SplitHostPort(addr)
		if l, err = net.Listen("tcp", net.JoinHostPort(host, "0")); err != nil {
			return addr
		}
	}
	defer l.Close()
	return l.Addr().String()
}

// devicePorts returns the addresses that devices connect to: the usual ones or
// free ones, and those of the first run ever after, because enrolled devices
// know no other.
func (d *demo) devicePorts() (https, mqtt string, err error) {
	path := filepath.Join(d.dir, "ports")
	if b, err := os.ReadFile(path); err == nil {
		if n, _ := fmt.Sscan(string(b), &https, &mqtt); n == 2 {
			return https, mqtt, nil
		}
	}
	https, mqtt = freeAddr("127.0.0.1:8444"), freeAddr("127.0.0.1:8883")
	if err := os.WriteFile(path, []byte(https+" "+mqtt+"\n"), 0o600); err != nil {
		return "", "", fmt.Errorf("recording ports: %w", err)
	}
	return https, mqtt, nil
}

// addSampleClips uploads the shipped clips that are not there yet. They wait
// for a sign-off.
func addSampleClips(ctx context.Context, office *controller.Controller) error {
	for _, c := range clips.All() {
		if _, err := office.Store.ClipByName(ctx, c.Name); err == nil {
			continue
		}
		if _, _, err := office.AddClip(ctx, c.Name+".mp3", bytes.NewReader(c.Data()), fleet.Clip{
			Name: c.Name, Title: c.Title, ScamType: c.ScamType, Audience: strings.Join(c.Audience, "、"),
			Text: c.DisplayText, Example: true, By: sample.Clerk.Login,
		}); err != nil {
			return fmt.Errorf("adding clip %q: %w", c.Name, err)
		}
	}
	return nil
}

// demoHours is how long a demo programme goes on.
const demoHours = 6

// demoProgramme returns a programme whose first slot starts at first and whose
// next ones follow every two minutes, in zone. The key is new in every run, so
// that no slot of an earlier run is meant.
func demoProgramme(first time.Time, zone *time.Location, points []string) string {
	local := first.In(zone)
	hours := make([]string, demoHours)
	for i := range hours {
		hours[i] = fmt.Sprint((local.Hour() + i) % 24)
	}
	return fmt.Sprintf(`# 演示计划：每两分钟一段，不受静默规则限制（demo: true）。
# Demo programme: a slot every two minutes, exempt from quiet rules.
id: demo
name: 演示计划
zone: %s
demo: true
from: %s
to: %s
targets: {points: [%s]}
slots:
  - key: run-%s
    name: 演示
    start: "%d %d-59/2 %s * * *"
    duration: 90s
    every: 90s
    max_plays: 1
    playlist: [kefu, shuadan, laonian]
`, zone, local.Format(time.DateOnly), local.Add(demoHours*time.Hour).Format(time.DateOnly), strings.Join(points, ", "),
		local.Format("0102-150405"), local.Second(), local.Minute()%2, strings.Join(hours, ","))
}

// machineZone returns the machine's zone by its IANA name; UTC where the
// machine does not say: a slot is an instant, only its label differs.
func machineZone() *time.Location {
	names := []string{time.Local.String()}
	if path, err := filepath.EvalSymlinks("/etc/localtime"); err == nil {
		if _, name, ok := strings.Cut(path, "/zoneinfo/"); ok {
			names = append(names, strings.TrimPrefix(strings.TrimPrefix(name, "posix/"), "right/"))
		}
	}
	for _, name := range names {
		if name == "" || name == "Local" {
			continue
		}
		if zone, err := time.LoadLocation(name); err == nil {
			return zone
		}
	}
	return time.UTC
}
