package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"gatecast/controller/auth"
	"gatecast/controller/fleet"
)

// Who is what the audit calls somebody at the console.
const Who = "[console]"

// Desk does what requests ask for.
type Desk struct {
	Logins *auth.Logins
	Now    func() time.Time
	Logger *slog.Logger
}

// Do does what q asks for and keeps it in the audit:
//
//	users     lists the accounts
//	password  gives Login a one-time password and lifts its pauses; makes the
//	          account if Role is given, or an administrator's if it is the first
//	unlock    lifts the pauses of Login
//	add       makes an account with Name, Role and the scope of the role
//	role      gives Login another role and scope
//	disable   keeps Login out, enable lets it in again and takes its end away
//	code_off  turns off the second factor of Login
func (d Desk) Do(ctx context.Context, q Request) Reply {
	text, textEN, err := d.do(ctx, q)
	if err == nil {
		return Reply{Text: text, TextEN: textEN}
	}
	var fe *fleet.Error
	if !errors.As(err, &fe) || fe.Text == "" {
		d.Logger.Error("answering the console", "what", q.What, "login", q.Login, "err", err)
		fe = &fleet.Error{Code: fleet.Internal, Text: fmt.Sprintf("没有办成：%v", err), TextEN: err.Error()}
	}
	return Reply{Code: fe.Code, Text: fe.Text, TextEN: fe.TextEN}
}

// noted returns a context in which the change carries its line of the audit.
func (d Desk) noted(ctx context.Context, what fleet.AuditCode, login string) (context.Context, *fleet.PendingLine) {
	return fleet.WithAudit(ctx, fleet.Audit{At: d.Now(), Who: Who, What: what, Object: login})
}

func (d Desk) do(ctx context.Context, q Request) (zh, en string, err error) {
	if q.What == "users" {
		return d.list(ctx)
	}
	login := fleet.NormalLogin(q.Login)
	if q.What == "add" {
		return d.add(ctx, login, q)
	}
	u, err := d.Logins.ByLogin(ctx, login)
	if fleet.CodeOf(err) == fleet.NotFound {
		all, err := d.Logins.Users(ctx)
		if err != nil {
			return "", "", err
		}
		if q.What == "password" && (len(all) == 0 || q.Role != "") {
			q.Name, q.Role = login, cmp.Or(q.Role, fleet.Admin)
			return d.add(ctx, login, q)
		}
		return "", "", &fleet.Error{Code: fleet.NotFound,
			Text: fmt.Sprintf("没有“%s”这个账号；看看有哪些：gatecast-controller users", q.Login), TextEN: fmt.Sprintf("there is no account %q", q.Login)}
	}
	if err != nil {
		return "", "", err
	}
	switch q.What {
	case "password":
		if q.Role != "" && q.Role != u.Role {
			return "", "", &fleet.Error{Code: fleet.Conflict,
				Text:   fmt.Sprintf("“%s”已是 %s 账号；改角色用 gatecast-controller user role %s %s", u.Login, u.Role, u.Login, q.Role),
				TextEN: fmt.Sprintf("%q is an account of role %s; to change it: gatecast-controller user role %s %s", u.Login, u.Role, u.Login, q.Role)}
		}
		ctx, line := d.noted(ctx, fleet.AuditConsole, u.Login)
		line.Line.After = fleet.Fields("role", string(u.Role))
		_, once, err := d.Logins.ResetPassword(ctx, fleet.User{}, u.ID)
		return oneTime(u.Login, once, err)
	case "unlock":
		ctx, _ := d.noted(ctx, fleet.AuditUserUnlock, u.Login)
		freed, err := d.Logins.Unlock(ctx, u.Login)
		if err == nil && !freed {
			return fmt.Sprintf("账号 %s 没有被暂停。", u.Login), fmt.Sprintf("Account %s was not paused.", u.Login), nil
		}
		return fmt.Sprintf("账号 %s 可以重新登录了。", u.Login), fmt.Sprintf("Account %s may log in again.", u.Login), err
	case "code_off":
		ctx, _ := d.noted(ctx, fleet.AuditUserCode, u.Login)
		_, err := d.Logins.ResetCode(ctx, fleet.User{}, u.ID)
		return fmt.Sprintf("账号 %s 的两步验证已关闭。", u.Login), fmt.Sprintf("The second factor of %s is off.", u.Login), err
	case "role", "disable", "enable":
		return d.change(ctx, u, q)
	}
	return "", "", &fleet.Error{Code: fleet.Invalid, Text: fmt.Sprintf("不认识的操作“%s”。", q.What), TextEN: fmt.Sprintf("unknown command %q", q.What)}
}

func oneTime(login, once string, err error) (zh, en string, _ error) {
	return fmt.Sprintf("账号 %s 的一次性口令：%s", login, once), fmt.Sprintf("One-time password of %s: %s", login, once), err
}

func (d Desk) add(ctx context.Context, login string, q Request) (zh, en string, err error) {
	code := fleet.AuditUserAdd
	if q.What == "password" {
		code = fleet.AuditConsole
	}
	ctx, line := d.noted(ctx, code, login)
	_, once, err := d.Logins.Create(ctx, login, auth.Change{
		Name: q.Name, Role: q.Role, Unit: q.Unit, Company: q.Company,
		Told: func(was, is fleet.User) { _, line.Line.After = auth.Differences(was, is) },
	})
	return oneTime(login, once, err)
}

func (d Desk) change(ctx context.Context, u fleet.User, q Request) (zh, en string, err error) {
	c := auth.Change{Name: u.Name, Role: u.Role, Unit: u.Unit, Company: u.Company, Expires: u.Expires, Disabled: u.Disabled}
	switch q.What {
	case "role":
		c.Role, c.Unit, c.Company = q.Role, q.Unit, q.Company
	case "disable":
		c.Disabled = true
	case "enable":
		c.Disabled, c.Expires = false, time.Time{}
	}
	ctx, line := d.noted(ctx, fleet.AuditUserChange, u.Login)
	c.Told = func(was, is fleet.User) { line.Line.Before, line.Line.After = auth.Differences(was, is) }
	_, is, err := d.Logins.Change(ctx, fleet.User{}, u.ID, c)
	state, stateEN := "可用", "enabled"
	if is.Disabled {
		state, stateEN = "已停用", "disabled"
	}
	return fmt.Sprintf("账号 %s：%s，%s。", u.Login, is.Role, state), fmt.Sprintf("Account %s: %s, %s.", u.Login, is.Role, stateEN), err
}

func (d Desk) list(ctx context.Context) (zh, en string, err error) {
	all, err := d.Logins.Users(ctx)
	var b strings.Builder
	for _, u := range all {
		state := "ok"
		switch {
		case u.Disabled:
			state = "disabled"
		case !u.Usable(d.Now()):
			state = "ended"
		case len(d.Logins.Pauses(u.Login)) > 0:
			state = "paused"
		}
		code := "-"
		if u.TOTP != "" {
			code = "totp"
		}
		fmt.Fprintf(&b, "\n%-20s %-10s %-8s %-4s %s", u.Login, u.Role, state, code, u.Name)
	}
	return fmt.Sprintf("%d 个账号", len(all)), fmt.Sprintf("%d accounts%s", len(all), b.String()), err
}
