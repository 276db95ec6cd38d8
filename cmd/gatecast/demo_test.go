package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"gatecast/schedules"
)

// The first slot starts at the instant asked for, at any hour, in any zone,
// and others follow every two minutes.
func TestDemoProgrammeStartsWhereItSays(t *testing.T) {
	for _, name := range []string{"Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC", "Asia/Kathmandu"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for minutes := 0; minutes < 24*60; minutes += 7 {
			first := time.Date(2026, 11, 23, 0, minutes, minutes%60, 0, time.UTC)
			prog, err := schedules.Parse("demo.yaml", []byte(demoProgramme(first, zone, livePoints)))
			if err != nil {
				t.Fatalf("%s %s: %v", name, first, err)
			}
			c, err := schedules.NewCompiler([]*schedules.Programme{prog}, nil)
			if err != nil {
				t.Fatal(err)
			}
			slots := c.Slots(schedules.Point{ID: livePoints[0], Kind: "gate"}, schedules.DateOf(first, zone), 2)
			var next []time.Time
			for _, s := range slots {
				if !s.Start.Before(first) && s.Silenced == nil {
					next = append(next, s.Start)
				}
			}
			if len(next) < 2 || !next[0].Equal(first) || !next[1].Equal(first.Add(2*time.Minute)) {
				t.Fatalf("%s: asked for %s, got %v", name, first, next[:min(2, len(next))])
			}
		}
	}
}

func TestDemoRefusesSomebodysFolder(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(dir, "thesis.txt")
	if err := os.WriteFile(mine, []byte("years of work"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errw bytes.Buffer
	status := runDemo(context.Background(), streams{nil, &out, &errw}, []string{"--data", dir, "--fresh"})
	if status != exitBad || !strings.Contains(errw.String(), dir) {
		t.Errorf("status %d, said %q", status, errw.String())
	}
	if b, err := os.ReadFile(mine); err != nil || string(b) != "years of work" {
		t.Errorf("the folder was touched: %q, %v", b, err)
	}
}

func TestDemoLeavesARunningDemoAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	first := &demo{dir: dir}
	release, err := first.folder(false)
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "ports")
	if err := os.WriteFile(data, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errw bytes.Buffer
	status := runDemo(context.Background(), streams{nil, &out, &errw}, []string{"--data", dir, "--fresh"})
	if status != exitBad || !strings.Contains(errw.String(), dir+" 里已有一个演示在运行") {
		t.Errorf("status %d, said %q", status, errw.String())
	}
	if _, err := os.Stat(data); err != nil {
		t.Errorf("the running demo's data: %v", err)
	}
	release()
	second := &demo{dir: dir}
	if release, err = second.folder(true); err != nil {
		t.Fatal(err)
	}
	release()
	if _, err := os.Stat(data); err == nil {
		t.Error("--fresh kept the data of an ended demo")
	}
}

func TestDemoInterruptedAtTheStartIsNoFault(t *testing.T) {
	hangs := errors.New("a point is not connected yet")
	interrupted, interrupt := context.WithCancel(t.Context())
	interrupt()
	if err := (&demo{once: true}).missing(interrupted, hangs); !errors.Is(err, context.Canceled) {
		t.Errorf("after Ctrl-C: %v", err)
	}
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	<-late.Done()
	if err := (&demo{once: true}).missing(late, hangs); !errors.Is(err, hangs) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the time of --once: %v", err)
	}
}

func TestDemoUsage(t *testing.T) {
	for _, args := range [][]string{{"--json"}, {"more"}, {"--lang", "fr"}, {"--frsh"}} {
		var out, errw bytes.Buffer
		if status := runDemo(context.Background(), streams{nil, &out, &errw}, args); status != exitUsage {
			t.Errorf("%v: status %d, %q", args, status, errw.String())
		}
	}
}
