// Package console lets whoever may write the data folder look after accounts
// at the machine itself, whether the controller runs or not: one-time
// passwords, pauses, roles. It is the way back in when no page is.
//
// One process at a time holds the database, so a command to a controller that
// runs is a file in the folder console/ of the data folder:
//
//	<id>.ask     a Request as JSON, written by the command
//	<id>.answer  its Reply, written by the controller, removed by the command
//
// Both are readable by their owner only, and what was left by a command that
// was killed is removed after a minute. The right to ask is the right to write
// there, which is the right to change the database itself.
package console

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/durable"
)

// Folder is the name of the folder in the data folder.
const Folder = "console"

// Times of the exchange. A person waits, so the controller looks often; a file
// that nobody asked for again within staleAfter is not answered any more.
const (
	lookEvery  = 500 * time.Millisecond
	staleAfter = time.Minute
	maxRequest = 64 << 10 // bytes
)

// Request is one command. Fields that it has no use for are empty.
type Request struct {
	What    string       `json:"what"` // see Desk.Do
	Login   string       `json:"login,omitempty"`
	Name    string       `json:"name,omitempty"`
	Role    fleet.Role   `json:"role,omitempty"`
	Unit    fleet.UnitID `json:"unit,omitempty"`
	Company string       `json:"company,omitempty"`
}

// Reply is what the command prints.
type Reply struct {
	Text   string     `json:"text"`
	TextEN string     `json:"text_en"`
	Code   fleet.Code `json:"code,omitempty"` // of a refusal; empty when it was done
}

// Err returns the refusal as a *fleet.Error, nil when the command was done.
func (r Reply) Err() error {
	if r.Code == "" {
		return nil
	}
	return &fleet.Error{Code: r.Code, Text: r.Text, TextEN: r.TextEN}
}

// Ask has the controller that runs on the data folder dir do what q says and
// returns its reply, at the latest when ctx ends.
func Ask(ctx context.Context, dir string, q Request) (Reply, error) {
	folder := filepath.Join(dir, Folder)
	if err := durable.MkdirAll(folder, 0o700); err != nil {
		return Reply{}, err
	}
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	base := filepath.Join(folder, hex.EncodeToString(id[:]))
	body, err := json.Marshal(q)
	if err != nil {
		return Reply{}, fmt.Errorf("encoding a request: %w", err)
	}
	if err := write(dir, base+".ask", body); err != nil {
		return Reply{}, fmt.Errorf("asking the controller: %w", err)
	}
	defer os.Remove(base + ".ask")
	tick := time.NewTicker(lookEvery / 5)
	defer tick.Stop()
	for {
		body, err := os.ReadFile(base + ".answer")
		if err == nil {
			var r Reply
			if err := errors.Join(json.Unmarshal(body, &r), os.Remove(base+".answer")); err != nil {
				return r, fmt.Errorf("reading the controller's answer: %w", err)
			}
			return r, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return Reply{}, fmt.Errorf("reading the controller's answer: %w", err)
		}
		select {
		case <-ctx.Done():
			return Reply{}, fmt.Errorf("waiting for the controller's answer: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// Serve answers requests in the data folder dir until ctx ends.
func Serve(ctx context.Context, dir string, do func(context.Context, Request) Reply, logger *slog.Logger) error {
	folder := filepath.Join(dir, Folder)
	if err := durable.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := look(ctx, dir, do); err != nil {
			logger.Warn("looking for requests of the console", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look answers every request that is there, and removes what was left.
func look(ctx context.Context, dir string, do func(context.Context, Request) Reply) error {
	folder := filepath.Join(dir, Folder)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("listing %q: %w", folder, err)
	}
	var errs []error
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		info, err := e.Info()
		if err != nil {
			continue // taken back meanwhile
		}
		old := time.Since(info.ModTime()) > staleAfter
		if strings.HasSuffix(e.Name(), ".ask") && !old && info.Mode().IsRegular() {
			errs = append(errs, answer(ctx, dir, path, info.Size(), do))
		} else if old {
			errs = append(errs, os.Remove(path))
		}
	}
	return errors.Join(errs...)
}

// answer does what one file asks for. The request goes before it is done: a
// crash may leave it undone, but never does it twice.
func answer(ctx context.Context, dir, path string, size int64, do func(context.Context, Request) Reply) error {
	if size > maxRequest {
		return errors.Join(fmt.Errorf("request %q of %d bytes", path, size), os.Remove(path))
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	q, err := parse(body)
	r := Reply{Code: fleet.Invalid, Text: "这个请求读不懂。", TextEN: "The request cannot be read."}
	if err == nil {
		r = do(ctx, q)
	}
	out, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encoding an answer: %w", err)
	}
	return write(dir, strings.TrimSuffix(path, ".ask")+".answer", out)
}

func parse(body []byte) (Request, error) {
	var q Request
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&q); err != nil {
		return q, fmt.Errorf("parsing a request: %w", err)
	}
	return q, nil
}

// write makes a file that the owner of the data folder may read, also when the
// command is root's and the controller somebody else's.
func write(dir, path string, body []byte) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, body, 0o600); err != nil {
		return err
	}
	if err := handOver(dir, tmp); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return os.Rename(tmp, path)
}
