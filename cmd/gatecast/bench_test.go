package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"gatecast/internal/simulate/fleetbench"
)

func TestBenchFleetPrintsFigures(t *testing.T) {
	var out, errs bytes.Buffer
	if status := run([]string{"bench", "fleet", "--devices", "5", "--records", "500", "--no-mosquitto"}, streams{out: &out, err: &errs}); status != exitOK {
		t.Fatalf("status %d: %s", status, errs.String())
	}
	for _, want := range []string{"5 devices", "goal ≤ 3s", "goal ≤ 1s", "500 records", "Go", "CPU"} {
		if !strings.Contains(strings.ToLower(out.String()), strings.ToLower(want)) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
	out.Reset()
	if status := run([]string{"bench", "fleet", "--devices", "5", "--records", "500", "--no-mosquitto", "--json"}, streams{out: &out, err: &errs}); status != exitOK {
		t.Fatalf("status %d: %s", status, errs.String())
	}
	var r fleetbench.Result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || r.Devices != 5 || r.Machine == "" || r.Date.IsZero() || r.PerSecond <= 0 {
		t.Errorf("JSON = %s, %v", out.String(), err)
	}
}

func TestBenchRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, args := range [][]string{{"bench"}, {"bench", "moon"}, {"bench", "fleet", "extra"}, {"bench", "fleet", "--records", "0"}, {"bench", "start", "extra"}, {"bench", "start", "--plays", "0"}} {
		var out, errs bytes.Buffer
		if status := run(args, streams{out: &out, err: &errs}); status != exitUsage {
			t.Errorf("run(%q) = %d, want %d", args, status, exitUsage)
		}
	}
	var out, errs bytes.Buffer
	if status := run([]string{"bench", "fleet", "--devices", "1"}, streams{out: &out, err: &errs}); status != exitBad || !strings.Contains(errs.String(), "two devices") {
		t.Errorf("status %d: %s", status, errs.String())
	}
}
