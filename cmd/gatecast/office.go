package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"gatecast/controller/client"
)

// officeOptions are the flags that every call of the office has.
type officeOptions struct {
	url, token, tokenFile, ca string
	lang, zone                string
	json                      bool
}

// office is one run of a call: where it asks and how it answers.
type office struct {
	*client.Client
	verifyWords
	std  streams
	o    officeOptions
	zone *time.Location
}

// officeCall is one subcommand of office.
type officeCall struct {
	usage string
	flags func(*officeFlags)
	rest  func(args []string) bool // whether the positional arguments will do; nil means none
	do    func(ctx context.Context, a *office, f *officeFlags) (status int, err error)
}

// officeCommands lists what an office asks its controller every day.
func officeCommands() []command {
	return []command{
		{"status", "主控是否正常，今天播了多少 · the controller, and today so far", officeStatus.run},
		{"points", "点位和设备 · points and their devices", officePoints.run},
		{"missed", "一段日子里的未播 · what was not broadcast in a period", officeMissed.run},
		{"clips", "素材库 · the library", officeClips.run},
		{"groups", "三级宣传群 · groups of the three tiers", officeGroups.run},
		{"relay", "未完成的转发；add 发起一条 · open relay tasks; add starts one", officeRelay.run},
	}
}

// runOffice asks a controller by its API.
func runOffice(ctx context.Context, std streams, args []string) int {
	return dispatch(ctx, std, "gatecast office", officeCommands(), args)
}

// run reads the flags, calls the controller and says in one sentence why not.
func (c *officeCall) run(ctx context.Context, std streams, args []string) int {
	var f officeFlags
	fs := newFlags(std, "gatecast office "+c.usage+" [-url URL] [-token-file FILE] [-ca FILE] [-json]",
		"GATECAST_URL=https://HOST:8443 GATECAST_TOKEN=… gatecast office …")
	fs.StringVar(&f.o.url, "url", "", "主控地址，默认取 GATECAST_URL · address of the controller; GATECAST_URL by default")
	fs.StringVar(&f.o.tokenFile, "token-file", "", "首行是令牌的文件 · file whose first line is the token")
	fs.StringVar(&f.o.token, "token", "", "令牌，默认取 GATECAST_TOKEN；写在命令行上别人看得见 · the token; GATECAST_TOKEN by default, as others can see a command line")
	fs.StringVar(&f.o.ca, "ca", "", "主控的 CA 证书（PEM），默认取 GATECAST_CA · the controller's CA certificate (PEM); GATECAST_CA by default")
	fs.StringVar(&f.o.lang, "lang", "zh", "语言 zh 或 en · `language`, zh or en")
	fs.StringVar(&f.o.zone, "zone", "Asia/Shanghai", "显示时间用的时区 · time `zone` of what is printed")
	fs.BoolVar(&f.o.json, "json", false, "按 JSON 输出 · print JSON")
	f.FlagSet = fs
	if c.flags != nil {
		c.flags(&f)
	}
	rest, status, done := parseFlags(fs, args)
	if done {
		return status
	}
	f.args = rest
	if c.rest == nil && len(rest) > 0 || c.rest != nil && !c.rest(rest) || f.o.lang != "zh" && f.o.lang != "en" {
		fs.Usage()
		return exitUsage
	}
	a := &office{std: std, o: f.o, verifyWords: verifyWords{out: std.out, en: f.o.lang == "en"}}
	if problem := a.connect(); problem != "" {
		fmt.Fprintln(std.err, "gatecast office:", problem)
		return exitUsage
	}
	status, err := c.do(ctx, a, &f)
	if err != nil {
		fmt.Fprintln(std.err, "gatecast office:", a.why(err))
		return exitBad
	}
	return status
}

// connect makes the client of the flags and the environment; problem is why it
// cannot, in a sentence, or empty.
func (a *office) connect() (problem string) {
	var err error
	if a.zone, err = time.LoadLocation(a.o.zone); err != nil {
		return fmt.Sprintf(a.pick("没有 %q 这个时区，请写成 Asia/Shanghai 这样。", "There is no time zone %q: write it like Asia/Shanghai."), a.o.zone)
	}
	address := cmp.Or(a.o.url, os.Getenv("GATECAST_URL"))
	if problem = a.badAddress(address); problem != "" {
		return problem
	}
	token := a.o.token
	if token == "" && a.o.tokenFile != "" {
		data, err := os.ReadFile(a.o.tokenFile)
		if err != nil {
			return fmt.Sprintf(a.pick("令牌文件读不了，请核对 -token-file：%v", "The file of the token cannot be read, check -token-file: %v"), err)
		}
		token, _, _ = strings.Cut(strings.TrimSpace(string(data)), "\n")
	}
	if token = strings.TrimSpace(cmp.Or(token, os.Getenv("GATECAST_TOKEN"))); token == "" {
		return a.pick("没有令牌：请把它放进环境变量 GATECAST_TOKEN 或 -token-file 的文件；令牌由管理员在“API 令牌”页面发。",
			"No token: put it into the environment as GATECAST_TOKEN or into a file for -token-file; the administrator makes one on the page of API tokens.")
	}
	h, problem := a.transport(cmp.Or(a.o.ca, os.Getenv("GATECAST_CA")))
	a.Client = &client.Client{URL: address, Token: token, HTTP: h}
	return problem
}

// print writes v as JSON or, if that was not asked for, the rows below their
// head; none is the sentence when there is no row.
func (a *office) print(v any, head []string, rows [][]string, none string) (int, error) {
	if a.o.json {
		enc := json.NewEncoder(a.std.out)
		enc.SetIndent("", "  ")
		return exitOK, enc.Encode(v)
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(a.std.out, none)
		return exitOK, err
	}
	for _, row := range rows {
		for i := range row {
			row[i] = cell(row[i])
		}
	}
	for _, line := range align(slices.Insert(rows, 0, head)) {
		if _, err := fmt.Fprintln(a.std.out, line); err != nil {
			return exitBad, err
		}
	}
	return exitOK, nil
}
