package store

import (
	"context"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const userColumns = `id, login, name, role, coalesce(unit_id, 0), company, password, must_set, password_set_us, created_us, expires_us, disabled, login_us, totp`

func scanUser(r scanner) (u fleet.User, err error) {
	var set, created, expires, login int64
	err = r.Scan(&u.ID, &u.Login, &u.Name, &u.Role, &u.Unit, &u.Company, &u.Password, &u.MustSet, &set, &created, &expires, &u.Disabled, &login, &u.TOTP)
	u.PasswordSet, u.Created, u.Expires, u.LastLogin = wire.FromUS(set), wire.FromUS(created), wire.FromUS(expires), wire.FromUS(login)
	return u, err
}

// Users returns every account by login.
func (s *Store) Users(ctx context.Context) ([]fleet.User, error) {
	return list(ctx, s, "users", scanUser, `SELECT `+userColumns+` FROM users ORDER BY login`)
}

// UserByLogin returns the account with that login, or a *fleet.Error of code
// NotFound.
func (s *Store) UserByLogin(ctx context.Context, login string) (fleet.User, error) {
	return one(ctx, s, noUser.Text, noUser.TextEN, scanUser, `SELECT `+userColumns+` FROM users WHERE login = ?`, login)
}

// User returns the account with that id, or a *fleet.Error of code NotFound.
func (s *Store) User(ctx context.Context, id fleet.UserID) (fleet.User, error) {
	return one(ctx, s, noUser.Text, noUser.TextEN, scanUser, `SELECT `+userColumns+` FROM users WHERE id = ?`, id)
}

var noUser = &fleet.Error{Code: fleet.NotFound, Text: "没有这个账号。", TextEN: "There is no such account."}

// SaveUser adds u when its ID is 0 and changes the account with that ID
// otherwise; it returns the id. A login that another account has is a
// *fleet.Error of code Conflict, a unit that does not exist one of code Invalid.
func (s *Store) SaveUser(ctx context.Context, u fleet.User) (fleet.UserID, error) {
	return change(ctx, s, func(t *tx) (fleet.UserID, error) { return saveUserTx(t, u) })
}

func saveUserTx(t *tx, u fleet.User) (id fleet.UserID, err error) {
	if u.ID == 0 {
		err = t.row(`INSERT INTO users (login, name, role, unit_id, company, password, must_set, password_set_us, created_us, expires_us, disabled, login_us, totp)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			u.Login, u.Name, u.Role, null(u.Unit), u.Company, u.Password, u.MustSet, wire.US(u.PasswordSet), wire.US(u.Created), wire.US(u.Expires),
			u.Disabled, wire.US(u.LastLogin), u.TOTP).Scan(&id)
	} else {
		id = u.ID
		r, e := t.exec(`UPDATE users SET login = ?, name = ?, role = ?, unit_id = ?, company = ?, password = ?, must_set = ?, password_set_us = ?, expires_us = ?,
  disabled = ?, login_us = ?, totp = ? WHERE id = ?`,
			u.Login, u.Name, u.Role, null(u.Unit), u.Company, u.Password, u.MustSet, wire.US(u.PasswordSet), wire.US(u.Expires),
			u.Disabled, wire.US(u.LastLogin), u.TOTP, u.ID)
		err = affected(r, e, noUser)
	}
	switch {
	case isUnique(err):
		return 0, &fleet.Error{
			Code:   fleet.Conflict,
			Text:   fmt.Sprintf("登录名 %q 已有人使用，请换一个。", u.Login),
			TextEN: fmt.Sprintf("The login %q is taken. Choose another one.", u.Login),
			Err:    err,
		}
	case sqliteCode(err) == sqliteForeign:
		return 0, &fleet.Error{
			Code: fleet.Invalid, Text: "没有这个单位，请重新选择。", TextEN: "There is no such unit. Choose again.", Err: err,
		}
	}
	return id, err
}

const sessionColumns = `hash, user_id, created_us, seen_us, expires_us, address, agent`

func scanSession(r scanner) (v fleet.Session, err error) {
	var created, seen, expires int64
	err = r.Scan(&v.Hash, &v.User, &created, &seen, &expires, &v.From, &v.Agent)
	v.Created, v.Seen, v.Expires = wire.FromUS(created), wire.FromUS(seen), wire.FromUS(expires)
	return v, err
}

// AddSession keeps a login.
func (s *Store) AddSession(ctx context.Context, v fleet.Session) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`INSERT INTO sessions (hash, user_id, created_us, seen_us, expires_us, address, agent) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			v.Hash, v.User, wire.US(v.Created), wire.US(v.Seen), wire.US(v.Expires), v.From, v.Agent)
		return none{}, err
	})
	return err
}

// SessionByHash returns the login whose token has that hash, expired or not,
// or a *fleet.Error of code NotFound.
func (s *Store) SessionByHash(ctx context.Context, hash string) (fleet.Session, error) {
	return one(ctx, s, "登录已失效，请重新登录。", "Your login has ended. Please log in again.",
		scanSession, `SELECT `+sessionColumns+` FROM sessions WHERE hash = ?`, hash)
}

// TouchSession says that a login was used and when it ends now. A login that
// is gone stays so.
func (s *Store) TouchSession(ctx context.Context, hash string, seen, expires time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`UPDATE sessions SET seen_us = ?, expires_us = ? WHERE hash = ?`, wire.US(seen), wire.US(expires), hash)
		return none{}, err
	})
	return err
}

// DeleteSession ends a login. Twice is harmless.
func (s *Store) DeleteSession(ctx context.Context, hash string) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`DELETE FROM sessions WHERE hash = ?`, hash)
		return none{}, err
	})
	return err
}

// DeleteSessions ends every login of a user.
func (s *Store) DeleteSessions(ctx context.Context, user fleet.UserID) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`DELETE FROM sessions WHERE user_id = ?`, user)
		return none{}, err
	})
	return err
}

// DeleteExpiredSessions drops the logins that ended before now.
func (s *Store) DeleteExpiredSessions(ctx context.Context, now time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`DELETE FROM sessions WHERE expires_us <= ?`, wire.US(now))
		return none{}, err
	})
	return err
}
