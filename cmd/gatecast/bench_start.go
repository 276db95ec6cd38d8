package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gatecast/internal/simulate/fleetbench"
	"gatecast/internal/soundcheck/startbench"
)

// startReport is what bench start prints as JSON.
type startReport struct {
	Machine string    `json:"machine"`
	Date    time.Time `json:"date"`
	startbench.Result
}

// runBenchStart measures how exactly a play begins, beside mpg123 and aplay.
func runBenchStart(ctx context.Context, std streams, args []string) int {
	fs := newFlags(std, "gatecast bench start [--plays N] [--load] [--json]")
	o := startbench.Options{}
	fs.IntVar(&o.Plays, "plays", 200, "每种播放器每轮的次数 · plays of each player in each phase")
	fs.BoolVar(&o.Load, "load", false, "再在所有核心满载下测一遍 · measure again with every core loaded")
	asJSON := fs.Bool("json", false, "结果为 JSON · print the result as JSON")
	rest, status, done := parseFlags(fs, args)
	if done {
		return status
	}
	if len(rest) > 0 || o.Plays < 1 {
		fs.Usage()
		return exitUsage
	}
	o.Progress = func(what string) { fmt.Fprintln(std.err, "…", what) }
	r := startReport{Machine: fleetbench.Machine(), Date: time.Now()}
	var err error
	if r.Result, err = startbench.Run(ctx, o); err != nil {
		if !errors.Is(err, context.Canceled) {
			fmt.Fprintln(std.err, "gatecast bench start:", err)
		}
		return exitBad
	}
	if *asJSON {
		enc := json.NewEncoder(std.out)
		enc.SetIndent("", " ")
		if err := enc.Encode(r); err != nil {
			fmt.Fprintln(std.err, "gatecast bench start:", err)
			return exitBad
		}
		return exitOK
	}
	printStarts(std, r)
	return exitOK
}

// printStarts prints one table: a line a player and phase, ours first.
func printStarts(std streams, r startReport) {
	fmt.Fprintf(std.out, "%s\n%s · 到同一声音服务器的同一输出，按它自己的时钟 · one sink of one sound server, by its own clock\n\n",
		r.Machine, r.Date.Format("2006-01-02 15:04 MST"))
	rows := [][]string{{"起播误差 start error", "p50", "p99", "max", "次 plays", ""}}
	for _, phase := range r.Phases {
		name, limit := "空闲 idle", startbench.GoalIdle
		if phase.Name == "loaded" {
			name, limit = "满载 loaded", startbench.GoalLoaded
		}
		ours := phase.Starts[0]
		for i, s := range phase.Starts {
			count := fmt.Sprint(s.Plays)
			if s.Missing > 0 {
				count = fmt.Sprintf("%d (%d missing)", s.Plays, s.Missing)
			}
			note := goal(s.P99, limit)
			if i > 0 && ours.P50 > 0 && ours.P99 > 0 {
				note = fmt.Sprintf("%.0f× p50, %.0f× p99", float64(s.P50)/float64(ours.P50), float64(s.P99)/float64(ours.P99))
			}
			rows = append(rows, []string{name + " " + s.Player, millis(s.P50), millis(s.P99), millis(s.Max), count, note})
		}
	}
	for _, line := range align(rows) {
		fmt.Fprintln(std.out, line)
	}
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}
