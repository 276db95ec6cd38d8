package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"gatecast/controller/auth"
	"gatecast/controller/console"
	"gatecast/controller/fleet"
	"gatecast/controller/store"
	"gatecast/controller/vault"
	"gatecast/internal/durable"
)

// open opens the store of the configured data folder, which it creates where
// it is missing: accounts and registry may come before the first start.
func (p *program) open(ctx context.Context) (*store.Store, error) {
	if err := durable.MkdirAll(p.cfg.DataDir, 0o700); err != nil {
		return nil, err
	}
	return store.Open(ctx, filepath.Join(p.cfg.DataDir, "gatecast.db"), store.Options{Logger: slog.New(slog.DiscardHandler)})
}

// keyFile is the key of sealed fields, for a copy of the database elsewhere.
func (p *program) keyFile() string { return filepath.Join(p.cfg.DataDir, "trust", vault.KeyFile) }

// accountCommand finds what words ask for about accounts.
func (p *program) accountCommand(words []string) (console.Request, bool) {
	q := console.Request{Name: p.name, Role: p.role, Company: p.company}
	switch {
	case len(words) == 1 && words[0] == "users":
		q.What = "users"
	case len(words) == 2 && (words[0] == "password" || words[0] == "unlock"):
		q.What, q.Login = words[0], words[1]
	case len(words) == 3 && words[0] == "user" && slices.Contains([]string{"add", "disable", "enable"}, words[1]):
		q.What, q.Login = words[1], words[2]
	case len(words) == 3 && words[0] == "user" && words[1] == "code-off":
		q.What, q.Login = "code_off", words[2]
	case len(words) == 4 && words[0] == "user" && words[1] == "role":
		q.What, q.Login, q.Role = "role", words[2], fleet.Role(words[3])
	default:
		return q, false
	}
	return q, true
}

// answerWithin is how long a controller that runs may take for an answer.
const answerWithin = 15 * time.Second

// accounts does what q asks for: on the database, or through the controller
// that holds it.
func (p *program) accounts(ctx context.Context, q console.Request) error {
	reply, err := p.ask(ctx, q)
	if err != nil {
		return err
	}
	if err := reply.Err(); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "%s\n%s\n", reply.Text, reply.TextEN)
	return nil
}

func (p *program) ask(ctx context.Context, q console.Request) (console.Reply, error) {
	s, held := p.open(ctx)
	if fleet.CodeOf(held) == fleet.Conflict {
		ctx, cancel := context.WithTimeout(ctx, answerWithin)
		defer cancel()
		reply, err := console.Ask(ctx, p.cfg.DataDir, q)
		if errors.Is(err, context.DeadlineExceeded) {
			return reply, held // nobody answers: the reason why it could not be done here
		}
		return reply, err
	}
	if held != nil {
		return console.Reply{}, held
	}
	defer s.Close()
	logins, err := auth.New(ctx, auth.Options{Store: s, Vault: s.Vault()})
	if err != nil {
		return console.Reply{}, err
	}
	return console.Desk{Logins: logins, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}.Do(ctx, q), nil
}

// audit fills in who works at the console: whoever may write the data folder.
func (p *program) audit(a fleet.Audit) fleet.Audit {
	a.At, a.Who = time.Now(), console.Who
	return a
}
