package agent

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"time"

	"gatecast/agent/enrol"
)

// lookEvery is how often a device without identity looks for a join line, or
// for the identity that somebody else has made.
const lookEvery = 5 * time.Second

// Pauses between tries to enrol.
const (
	tryFirst = time.Second
	tryMost  = time.Minute
)

// Enrol returns nil once the device is a member. Without a join line it waits
// for one in Options.JoinFiles, or for an identity to appear. Faults of the
// network are tried again for as long as ctx lives; a refusal ends it with an
// *enrol.Error, and so does a line that is none.
func Enrol(ctx context.Context, o Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	log := o.Logger.With("component", "agent")
	dir := DirsOf(o.DataDir).Identity
	waiting, pause := false, tryFirst
	for {
		if _, err := enrol.Inspect(dir, o.FS); !errors.Is(err, enrol.ErrNotEnrolled) {
			if err == nil {
				dropLines(o, log)
			}
			return err
		}
		text, from := findLine(o, log)
		wait := lookEvery
		switch {
		case text != "":
			line, err := enrol.ParseJoinLine(text)
			if err != nil {
				return err
			}
			id, err := enrol.Join(ctx, enrol.Request{Line: line, Dir: dir, FS: o.FS, Hardware: Hardware(), HTTP: o.HTTP})
			if err == nil {
				log.Info("device enrolled", "device", id.Device, "point", id.Point, "controller", id.URL, "line_from", from)
				dropLines(o, log)
				return nil
			}
			if e, ok := errors.AsType[*enrol.Error](err); !ok || !e.Retry() {
				return err
			}
			log.Warn("enrolling, will try again", "err", err, "say", enrol.TextOf(err, "zh"), "retry_in", pause)
			wait, pause = pause, min(2*pause, tryMost)
		case !waiting:
			waiting = true
			log.Warn("device is not enrolled: waiting for a join line", "say", "本机尚未入网：请在后台的点位页面复制入网命令，在本机上执行一次。", "files", o.JoinFiles)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// findLine returns the join line and where it stands, empty for none.
func findLine(o Options, log *slog.Logger) (text, from string) {
	if o.JoinLine != "" {
		return o.JoinLine, "configuration"
	}
	for _, path := range o.JoinFiles {
		f, err := os.Open(path)
		if err != nil {
			continue // most devices have none
		}
		data, err := io.ReadAll(io.LimitReader(f, enrol.MaxLine+1))
		_ = f.Close()
		if err != nil {
			log.Warn("reading join file", "path", path, "err", err)
			continue
		}
		if strings.TrimSpace(string(data)) != "" {
			return string(data), path
		}
	}
	return "", ""
}

// Tidy removes the join files of a device that is a member, for whoever may
// write where the daemon may not: the boot partition belongs to root.
func Tidy(o Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	_, err := enrol.Inspect(DirsOf(o.DataDir).Identity, o.FS)
	if errors.Is(err, enrol.ErrNotEnrolled) {
		return nil
	}
	if err == nil {
		dropLines(o, o.Logger.With("component", "agent"))
	}
	return err
}

// dropLines removes the join files of a device that is a member, or empties
// those that it may not remove: a line that was used is worth nothing to
// anybody, and still nobody needs to find it on the card. A file that cannot be
// written is told and left alone.
func dropLines(o Options, log *slog.Logger) {
	for _, path := range o.JoinFiles {
		fi, err := os.Lstat(path)
		if err != nil || !fi.Mode().IsRegular() || fi.Size() == 0 {
			continue // most devices have none
		}
		err = os.Remove(path)
		if err != nil {
			err = os.Truncate(path, 0)
		}
		if err != nil {
			log.Warn("removing the used join file", "path", path, "err", err)
			continue
		}
		log.Info("used join file removed", "path", path)
	}
}

// Hardware says what machine this is, for people.
func Hardware() string {
	for _, path := range []string{"/proc/device-tree/model", "/sys/class/dmi/id/product_name"} {
		if data, err := os.ReadFile(path); err == nil {
			if s := strings.Trim(string(data), "\x00 \n\t"); s != "" && len(s) < 200 {
				return s
			}
		}
	}
	return runtime.GOOS + "/" + runtime.GOARCH
}
