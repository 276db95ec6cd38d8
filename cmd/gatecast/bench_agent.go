package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gatecast/audio/output"
	"gatecast/controller/fleet"
	"gatecast/controller/sample"
	"gatecast/internal/simulate/fleetbench"
)

// agentFigures is what `bench agent` measures.
type agentFigures struct {
	Machine      string  `json:"machine"`
	IdleSeconds  float64 `json:"idle_s"`
	RSSKiB       int64   `json:"rss_kib"`           // resident after the idle time, connected over TLS
	RSSAnonKiB   int64   `json:"rss_anon_kib"`      // without the program's own pages
	CPUPercent   float64 `json:"cpu_percent"`       // of one core while idle
	Plays        int     `json:"plays"`             //
	PeakKiB      int64   `json:"peak_kib"`          // highest resident size, plays included
	WrittenKiB   float64 `json:"kib_per_play"`      // dirtied on disk per play
	IdleKiBPerHr float64 `json:"kib_per_hour_idle"` // dirtied on disk while idle

	// Of a day with dayPlays plays: those, 24 idle hours, and what signing adds.
	DayKiB      float64 `json:"kib_per_day"`
	SignedKiB   float64 `json:"kib_per_day_signing"` // checkpoints and the day's receipt
	Checkpoints int     `json:"checkpoints_per_day"`
}

// runBenchAgent runs one agent against a controller of its own and reads what
// the kernel accounts to it. The sound goes into a file in memory, so that
// only what the agent writes to its card counts; so does its log, which a gate
// keeps in memory too.
func runBenchAgent(ctx context.Context, std streams, args []string) int {
	fs := newFlags(std, "gatecast bench agent [--agent bin/gatecast-agent] [--idle 60s] [--plays 10] [--json]")
	idle := fs.Duration("idle", time.Minute, "空闲观察时间 · how long to watch it idle")
	plays := fs.Int("plays", 10, "播放次数 · how many plays to measure")
	program := fs.String("agent", "", "要测的 gatecast-agent；不写则测本程序里的 · gatecast-agent to measure; empty measures the agent inside this larger program")
	asJSON := fs.Bool("json", false, "JSON")
	if rest, status, done := parseFlags(fs, args); done || len(rest) > 0 || *plays < 1 || *idle < time.Second {
		if !done {
			fs.Usage()
			status = exitUsage
		}
		return status
	}
	f, err := benchAgent(ctx, std, *program, *idle, *plays)
	if err != nil {
		fmt.Fprintln(std.err, "gatecast bench agent:", err)
		return exitBad
	}
	if *asJSON {
		enc := json.NewEncoder(std.out)
		enc.SetIndent("", "  ")
		_ = enc.Encode(f)
		return exitOK
	}
	fmt.Fprintf(std.out, "%s\nidle %.0f s, connected over TLS: RSS %.1f MiB (anonymous %.1f), CPU %.2f %% of a core, %.1f KiB/h written\n%d plays: peak RSS %.1f MiB, %.1f KiB written per play\n",
		f.Machine, f.IdleSeconds, float64(f.RSSKiB)/1024, float64(f.RSSAnonKiB)/1024, f.CPUPercent, f.IdleKiBPerHr,
		f.Plays, float64(f.PeakKiB)/1024, f.WrittenKiB)
	fmt.Fprintf(std.out, "a day of %d plays: %.2f MiB written to the card (plays %.2f, idle %.2f, %d checkpoints and a receipt %.2f)\n",
		dayPlays, f.DayKiB/1024, dayPlays*f.WrittenKiB/1024, 24*f.IdleKiBPerHr/1024, f.Checkpoints, f.SignedKiB/1024)
	return exitOK
}

func benchAgent(ctx context.Context, std streams, program string, idle time.Duration, plays int) (f agentFigures, err error) {
	dir, err := os.MkdirTemp("", "gatecast-bench-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	sound, err := os.MkdirTemp("/dev/shm", "gatecast-bench-")
	if err != nil {
		return f, fmt.Errorf("a folder in memory is needed for the sound: %w", err)
	}
	defer os.RemoveAll(sound)
	d := &demo{std: std, dir: dir, program: program, logs: sound, json: true, english: true, settled: make(chan fleet.Obligation, 1024)}
	if d.office, err = d.openOffice(ctx, slog.New(slog.DiscardHandler)); err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, d.stop(ctx)) }()
	if err := d.office.Start(); err != nil {
		return f, err
	}
	if err := d.office.Store.ImportRegistry(ctx, sample.Registry(time.Now())); err != nil {
		return f, err
	}
	if err := addSampleClips(ctx, d.office); err != nil {
		return f, err
	}
	if err := d.startAgent(ctx, livePoints[0], output.File, sound); err != nil {
		return f, err
	}
	if err := d.awaitAgents(ctx); err != nil {
		return f, err
	}
	pid := d.live[0].agent.cmd.Process.Pid
	fmt.Fprintf(std.err, "idle for %s …\n", idle)
	before, err := accountOf(pid)
	if err != nil {
		return f, err
	}
	if err := sleep(ctx, idle); err != nil {
		return f, err
	}
	after, err := accountOf(pid)
	if err != nil {
		return f, err
	}
	f = agentFigures{
		Machine: fleetbench.Machine(), IdleSeconds: idle.Seconds(), RSSKiB: after.rss, RSSAnonKiB: after.anon,
		CPUPercent: 100 * (after.cpu - before.cpu).Seconds() / idle.Seconds(), Plays: plays,
		IdleKiBPerHr: float64(after.written-before.written) / 1024 / idle.Hours(),
	}
	first := time.Now().Add(leadTime).Truncate(time.Second)
	if err := d.benchProgramme(ctx, first, plays); err != nil {
		return f, err
	}
	if err := sleep(ctx, time.Until(first)-time.Second); err != nil {
		return f, err
	}
	if before, err = accountOf(pid); err != nil {
		return f, err
	}
	fmt.Fprintf(std.err, "%d plays …\n", plays)
	for n := 0; n < plays; {
		select {
		case o := <-d.settled:
			if o.Verdict != fleet.Played {
				return f, fmt.Errorf("slot %s was settled %s %s", o.Slot, o.Verdict, o.Reason)
			}
			n++
		case <-ctx.Done():
			return f, ctx.Err()
		}
	}
	if err := sleep(ctx, 2*time.Second); err != nil { // the last ack
		return f, err
	}
	if after, err = accountOf(pid); err != nil {
		return f, err
	}
	f.PeakKiB = after.peak
	f.WrittenKiB = float64(after.written-before.written) / 1024 / float64(plays)
	if f.SignedKiB, f.Checkpoints, err = vouchKiB(dir); err != nil {
		return f, fmt.Errorf("measuring signatures: %w", err)
	}
	f.DayKiB = dayPlays*f.WrittenKiB + 24*f.IdleKiBPerHr + f.SignedKiB
	return f, nil
}

// benchProgramme puts slots of one play each in force, 30 s apart.
func (d *demo) benchProgramme(ctx context.Context, first time.Time, plays int) error {
	zone := machineZone()
	var b strings.Builder
	fmt.Fprintf(&b, "id: bench\nname: bench\nzone: %s\ndemo: true\ntargets: {points: [%s]}\nslots:\n", zone, livePoints[0])
	for i := range plays {
		at := first.Add(time.Duration(i) * 30 * time.Second).In(zone)
		fmt.Fprintf(&b, "  - {key: p%d, name: b, start: \"%d %d %d %d %d *\", duration: 20s, max_plays: 1, playlist: [kefu]}\n",
			i, at.Second(), at.Minute(), at.Hour(), at.Day(), at.Month())
	}
	prog, problems, err := d.office.Planner.Upload(ctx, "bench.yaml", []byte(b.String()), "bench", time.Now())
	if err != nil {
		return err
	}
	if prog.ID == 0 {
		return fmt.Errorf("the programme was refused: %+v", problems)
	}
	_, err = d.office.Planner.Activate(ctx, prog.ID, time.Now())
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// account is what Linux accounts to a process (proc(5)).
type account struct {
	rss, anon, peak int64 // KiB
	cpu             time.Duration
	written         int64 // bytes that had to go to a disk
}

func accountOf(pid int) (u account, err error) {
	read := func(name string) string {
		b, e := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), name))
		err = errors.Join(err, e)
		return string(b)
	}
	status, stat, io := read("status"), read("stat"), read("io")
	if err != nil {
		return u, fmt.Errorf("reading usage of process %d: %w", pid, err)
	}
	u.rss, u.anon, u.peak = field(status, "VmRSS:"), field(status, "RssAnon:"), field(status, "VmHWM:")
	u.written = field(io, "write_bytes:")
	// After the command name in parentheses: utime and stime are fields 14, 15.
	if _, rest, ok := strings.Cut(stat, ") "); ok {
		if f := strings.Fields(rest); len(f) > 12 {
			utime, _ := strconv.ParseInt(f[11], 10, 64)
			stime, _ := strconv.ParseInt(f[12], 10, 64)
			u.cpu = time.Duration(utime+stime) * 10 * time.Millisecond // USER_HZ is 100
		}
	}
	return u, nil
}

// field returns the number after key in a file of "key: number" lines.
func field(text, key string) int64 {
	for _, line := range strings.Split(text, "\n") {
		if rest, ok := strings.CutPrefix(line, key); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				n, _ := strconv.ParseInt(f[0], 10, 64)
				return n
			}
		}
	}
	return 0
}
