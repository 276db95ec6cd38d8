package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"gatecast/internal/simulate"
)

// runSimulate runs simulated offices, a seed each, and says which of them
// broke a promise. It exits the process: virtual time is to be had in no other
// way (see simulate.Virtually).
func runSimulate(ctx context.Context, std streams, args []string) int {
	fs := newFlags(std, "gatecast simulate [--seed N] [--seeds K] [--devices D] [--days T] [--faults LIST] [--trace]")
	seed := fs.Uint64("seed", 0, "种子，缺省取自时钟 · seed; 0 takes one from the clock")
	seeds := fs.Int("seeds", 1, "依次运行的种子数 · how many seeds, one after the other")
	o := simulate.Options{}
	fs.IntVar(&o.Devices, "devices", 3, "大门数，每个一台设备 · gates, each with a device")
	fs.IntVar(&o.Days, "days", 3, "有故障的天数，之后再运行一天无故障 · days with faults; a day without follows")
	faults := fs.String("faults", "all", "故障种类，逗号分隔 · kinds of faults: "+simulate.JoinFaults(simulate.AllFaults)+", all or none")
	trace := fs.Bool("trace", false, "打印每个事件 · print every event")
	rest, status, done := parseFlags(fs, args)
	if done {
		return status
	}
	var err error
	if o.Faults, err = simulate.ParseFaults(*faults); err == nil {
		err = o.Validate()
	}
	switch {
	case err != nil:
	case len(rest) > 0:
		err = fmt.Errorf("%q is not understood; everything is said by flags", rest[0])
	case *seeds < 1 || *seeds > 1_000_000:
		err = fmt.Errorf("%d seeds: must be 1 to 1,000,000", *seeds)
	}
	if err != nil {
		fmt.Fprintln(std.err, "gatecast simulate:", err)
		return exitUsage
	}
	o.Seed = *seed
	if o.Seed == 0 {
		o.Seed = uint64(time.Now().UnixMicro())
	}
	if *trace {
		o.Trace = std.err
	}
	simulate.Virtually(func(bubble simulate.Bubble) {
		os.Exit(simulateAll(ctx, std.out, std.err, o, *seeds, bubble))
	})
	return exitBad // not reached
}

// simulateAll runs the seeds and prints a line for each.
func simulateAll(ctx context.Context, out, errs io.Writer, o simulate.Options, seeds int, bubble simulate.Bubble) int {
	status := exitOK
	var lived time.Duration
	cpu := processTime()
	for range seeds {
		if ctx.Err() != nil {
			break
		}
		var r simulate.Result
		var err error
		bubble(func() { r, err = simulate.Run(o) })
		if err != nil {
			fmt.Fprintln(errs, "gatecast simulate:", err)
			return exitBad
		}
		lived += r.Lived
		if r.Violation == nil {
			fmt.Fprintf(out, "seed %d ok %s · %d events, %d faults, %d restarts, %d sounds, %d of %d slots played\n",
				r.Seed, r.Hash, r.Stats.Events, r.Stats.Faults, r.Stats.Restarts, r.Stats.Sounds, r.Stats.Played, r.Stats.Owed)
		} else {
			status = exitBad
			fmt.Fprintf(out, "seed %d VIOLATED %v · %s\n", r.Seed, r.Violation, r.Hash)
			for _, line := range r.Violation.Story {
				fmt.Fprintln(out, "    "+line)
			}
			fmt.Fprintln(out, "  重放 · replay:", o.Replay())
		}
		o.Seed++
	}
	years := lived.Hours() / 24 / 365
	minutes := (processTime() - cpu).Minutes()
	fmt.Fprintf(out, "%.3f 设备年 device-years in %.2f CPU minutes: %.2f 设备年/CPU 分钟 device-years per CPU-minute\n", years, minutes, years/minutes)
	return status
}

// processTime is the processor time that this process has taken.
func processTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
