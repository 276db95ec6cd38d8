package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"gatecast/internal/simulate/fleetbench"
)

// runBenchFleet measures a controller with simulated devices on this machine.
func runBenchFleet(ctx context.Context, std streams, args []string) int {
	fs := newFlags(std, "gatecast bench fleet [--devices N] [--records N] [--data DIR] [--no-mosquitto] [--json]")
	o := fleetbench.Options{}
	fs.IntVar(&o.Devices, "devices", 1000, "模拟设备数 · simulated devices")
	fs.IntVar(&o.Records, "records", 200_000, "积压记录总数 · records of the backlog, all devices together")
	fs.StringVar(&o.Dir, "data", "", "主控数据文件夹，缺省用临时文件夹 · folder for the controller; empty means a temporary one")
	skip := fs.Bool("no-mosquitto", false, "不与 Mosquitto 比较 · do not measure Mosquitto beside it")
	asJSON := fs.Bool("json", false, "结果为 JSON · print the result as JSON")
	rest, status, done := parseFlags(fs, args)
	if done {
		return status
	}
	if len(rest) > 0 || o.Records < 1 {
		fs.Usage()
		return exitUsage
	}
	if _, err := exec.LookPath("mosquitto"); err == nil {
		o.Mosquitto = !*skip
	} else if !*skip {
		fmt.Fprintln(std.err, "本机没有 mosquitto，不作比较 · mosquitto is not installed: no comparison")
	}
	o.Progress = func(what string) { fmt.Fprintln(std.err, "…", what) }
	r, err := fleetbench.Run(ctx, o)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			fmt.Fprintln(std.err, "gatecast bench fleet:", err)
		}
		return exitBad
	}
	if *asJSON {
		enc := json.NewEncoder(std.out)
		enc.SetIndent("", " ")
		if err := enc.Encode(r); err != nil {
			fmt.Fprintln(std.err, "gatecast bench fleet:", err)
			return exitBad
		}
		return exitOK
	}
	printFleet(std, r)
	return exitOK
}

func printFleet(std streams, r fleetbench.Result) {
	fmt.Fprintf(std.out, "%s\n%s · %d devices, TLS 1.3 with a certificate each, SQLite on disk\n\n", r.Machine, r.Date.Format("2006-01-02 15:04 MST"), r.Devices)
	rows := [][]string{
		{"全部接入 connect all", seconds(r.Connect), fmt.Sprintf("%.0f/s", float64(r.Devices)/r.Connect.Seconds())},
		{"启用 → 最后一台收到计划 activation → last plan", seconds(r.Activate), goal(r.Activate, fleetbench.GoalActivation)},
		{"  其中下发 of it: first → last plan delivered", seconds(r.Deliver), fmt.Sprintf("%d bytes an offer", r.PlanBytes)},
		{"启用 → 60 天写完 activation → 60 days written", seconds(r.Planned), ""},
		{"每台同时一条 one record from each → last ack", seconds(r.OneEach), goal(r.OneEach, fleetbench.GoalOneEach)},
		{"  一半在此之前 half of them within", seconds(r.OneEachP50), ""},
		{"落盘记录 records committed, batches ≤ 50", fmt.Sprintf("%.0f/s", r.PerSecond), fmt.Sprintf("%d records of %d bytes", r.Records, r.RecordBytes)},
		{"落盘记录 records committed, one a message", fmt.Sprintf("%.0f/s", r.SinglePerS), ""},
		{"内存 memory a device (both ends)", fmt.Sprintf("%d KB", r.HeapPerDevice/1024), ""},
		{"丢弃后重发 messages dropped and sent again", fmt.Sprint(r.Dropped), ""},
	}
	if r.Mosquitto > 0 {
		rows = append(rows,
			[]string{"Mosquitto alone, TLS", fmt.Sprintf("%.0f/s", r.Mosquitto), compare(r.PerSecond, r.Mosquitto)},
			[]string{"Mosquitto alone, plain TCP", fmt.Sprintf("%.0f/s", r.MosquittoTCP), compare(r.PerSecond, r.MosquittoTCP)},
		)
	}
	for _, line := range align(rows) {
		fmt.Fprintln(std.out, line)
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }

// goal says whether a goal for 9,000 devices was met, and by how much not.
func goal(d, most time.Duration) string {
	if d <= most {
		return fmt.Sprintf("goal ≤ %s: met", most)
	}
	return fmt.Sprintf("goal ≤ %s: missed by %s", most, seconds(d-most))
}

func compare(ours, theirs float64) string {
	return fmt.Sprintf("records committed ÷ messages passed = %.2f", ours/theirs)
}
