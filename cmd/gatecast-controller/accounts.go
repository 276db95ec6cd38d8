package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"gatecast/controller/auth"
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

// password gives an account a one-time password, and makes it an
// administrator's account if it is the first there is.
func (p *program) password(ctx context.Context, login string) error {
	s, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	user, err := s.UserByLogin(ctx, login)
	if fleet.CodeOf(err) == fleet.NotFound {
		all, err := s.Users(ctx)
		if err != nil {
			return err
		}
		if p.role != "" && !p.role.Valid() {
			return &fleet.Error{Code: fleet.Invalid,
				Text:   fmt.Sprintf("没有“%s”这个角色；可用的有 %v", p.role, fleet.Roles),
				TextEN: fmt.Sprintf("there is no role %q; the roles are %v", p.role, fleet.Roles)}
		}
		if len(all) > 0 && p.role == "" {
			return &fleet.Error{Code: fleet.NotFound,
				Text:   fmt.Sprintf("没有“%s”这个账号；已有的账号请管理员在网页上新建", login),
				TextEN: fmt.Sprintf("there is no account %q", login)}
		}
		user = fleet.User{Login: login, Name: login, Role: cmp.Or(p.role, fleet.Admin), Created: time.Now()}
	} else if err != nil {
		return err
	}
	if p.role != "" && user.Role != p.role {
		return &fleet.Error{Code: fleet.Conflict,
			Text:   fmt.Sprintf("“%s”已是 %s 账号；角色由管理员在网页上改", login, user.Role),
			TextEN: fmt.Sprintf("%q is an account of role %s; an administrator changes roles on the pages", login, user.Role)}
	}
	once := auth.OneTime()
	if user.Password, err = auth.Hash(once); err != nil {
		return err
	}
	user.MustSet, user.PasswordSet = true, time.Now()
	ctx, _ = fleet.WithAudit(ctx, p.audit(fleet.Audit{What: fleet.AuditConsole, Object: login, After: fleet.Fields("role", string(user.Role))}))
	if _, err := s.SaveUser(ctx, user); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "账号 %s 的一次性口令：%s\nOne-time password of %s: %s\n", login, once, login, once)
	return nil
}

// audit fills in who works at the console: whoever may write the data folder.
func (p *program) audit(a fleet.Audit) fleet.Audit {
	a.At, a.Who = time.Now(), "[console]"
	return a
}
