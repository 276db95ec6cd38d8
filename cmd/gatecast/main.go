// Command gatecast is the tool beside the two daemons: it previews plans, runs
// the demo, verifies, signs and measures, and asks a controller by its API.
//
// Each subcommand is one file with one function of type runFunc and one line in
// commands. Results go to standard output, everything else to standard error;
// the exit status is 0, 1 when what was asked for did not succeed, and 2 when it
// was not understood.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	_ "time/tzdata" // programmes name zones; not every machine has the database
)

// Exit statuses.
const (
	exitOK    = 0
	exitBad   = 1 // a bad file, a failed check
	exitUsage = 2
)

// streams are the standard streams of a run; tests use buffers.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// runFunc runs a subcommand with what follows its name and returns the exit
// status. ctx ends with SIGINT or SIGTERM.
type runFunc func(ctx context.Context, std streams, args []string) int

type command struct {
	name     string
	synopsis string // one line, Chinese first
	run      runFunc
}

// commands lists the subcommands in the order of the usage text.
func commands() []command {
	return []command{
		{"demo", "一分钟试用：主控、三个设备、一段广播 · controller, three agents, a broadcast in a minute", runDemo},
		{"verify", "离线核验设备日志、证据包或带核验单的表格 · verify a journal, an export, or a table with its slip, offline", runVerify},
		{"sign", "严格模式：审听并签署素材清单 · strict mode: review a manifest, hear it, sign it", runSign},
		{"bench", "测量 · measure on this machine", runBench},
		{"simulate", "在虚拟时间里考验全系统 · the whole system in virtual time, with faults", runSimulate},
		{"plan", "预览播放计划 · what a programme sounds, and what stays silent", runPlan},
		{"office", "日常查询和转发 · what an office asks its controller every day", runOffice},
	}
}

func main() {
	os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// run is main with its inputs named.
func run(args []string, std streams) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(args) > 0 && args[0] == "demo-agent" {
		return runDemoAgent(ctx, std, args[1:])
	}
	return dispatch(ctx, std, "gatecast", commands(), args)
}

// dispatch runs the command that args begin with. path is what was typed before.
func dispatch(ctx context.Context, std streams, path string, table []command, args []string) int {
	if len(args) == 0 {
		usage(std.err, path, table)
		return exitUsage
	}
	if slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		usage(std.out, path, table)
		return exitOK
	}
	for _, c := range table {
		if c.name == args[0] {
			return c.run(ctx, std, args[1:])
		}
	}
	fmt.Fprintf(std.err, "%s: 没有 %q 这个子命令 · unknown subcommand %q\n\n", path, args[0], args[0])
	usage(std.err, path, table)
	return exitUsage
}

func usage(w io.Writer, path string, table []command) {
	fmt.Fprintf(w, "用法 · usage: %s SUBCOMMAND [ARGUMENTS]\n\n", path)
	for _, c := range table {
		fmt.Fprintf(w, "  %-10s %s\n", c.name, c.synopsis)
	}
}

// parseFlags parses args with fs, flags before, between or after the
// positional arguments, which it returns. What follows "--" is positional. A
// mistake is reported on fs.Output, with the flags' help. done is true when
// there is nothing left to do but return status.
func parseFlags(fs *flag.FlagSet, args []string) (positional []string, status int, done bool) {
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, exitOK, true
			}
			return nil, exitUsage, true
		}
		rest := fs.Args()
		if used := len(args) - len(rest); used > 0 && args[used-1] == "--" {
			return append(positional, rest...), exitOK, false
		}
		if len(rest) == 0 {
			return positional, exitOK, false
		}
		positional, args = append(positional, rest[0]), rest[1:]
	}
}

// newFlags returns an empty flag set whose help begins with a usage line.
func newFlags(std streams, usage ...string) *flag.FlagSet {
	fs := flag.NewFlagSet(usage[0], flag.ContinueOnError)
	fs.SetOutput(std.err)
	fs.Usage = func() {
		fmt.Fprintf(std.err, "用法 · usage: %s\n\n", strings.Join(usage, "\n              "))
		fs.PrintDefaults()
	}
	return fs
}
