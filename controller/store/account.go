package store

import (
	"context"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

// keptPasswords is how many passwords of an account are remembered, the
// present one among them.
const keptPasswords = 5

// knownFor is how long an address counts as one that somebody logs in from.
const knownFor = 90 * 24 * time.Hour

// ChangeUser has apply change the account with that id and returns it as it
// was and as it is. What apply returns as an error is returned and changes
// nothing, and so is a change after which nobody could administer the system
// (code Conflict). When role, scope, end or disabling changed, every login of
// the account ends in the same transaction. apply must not change Password or
// TOTP.
func (s *Store) ChangeUser(ctx context.Context, id fleet.UserID, apply func(*fleet.User) error) (was, is fleet.User, err error) {
	type pair struct{ was, is fleet.User }
	p, err := change(ctx, s, func(t *tx) (p pair, err error) {
		if p.was, err = scanUser(t.row(`SELECT `+userColumns+` FROM users WHERE id = ?`, id)); err != nil {
			return p, notFound(err, noUser)
		}
		p.is = p.was
		if err := apply(&p.is); err != nil {
			return p, err
		}
		p.is.ID, p.is.Password, p.is.TOTP = p.was.ID, p.was.Password, p.was.TOTP
		if _, err := saveUserTx(t, p.is); err != nil {
			return p, err
		}
		if err := lastingAdminTx(t, p.was, p.is); err != nil {
			return p, err
		}
		if p.was.Role != p.is.Role || p.was.Scope() != p.is.Scope() || p.was.Disabled != p.is.Disabled || !p.was.Expires.Equal(p.is.Expires) {
			_, err = t.exec(`DELETE FROM sessions WHERE user_id = ?`, id)
		}
		return p, err
	})
	return p.was, p.is, err
}

// lastingAdminTx refuses to take away the last administrator's account that is
// neither disabled nor has an end.
func lastingAdminTx(t *tx, was, is fleet.User) error {
	lasting := func(u fleet.User) bool { return u.Role == fleet.Admin && !u.Disabled && u.Expires.IsZero() }
	if !lasting(was) || lasting(is) {
		return nil
	}
	var n int
	if err := t.row(`SELECT count(*) FROM users WHERE role = ? AND disabled = 0 AND expires_us = 0 AND password != ''`, fleet.Admin).Scan(&n); err != nil || n > 0 {
		return err
	}
	return &fleet.Error{
		Code:   fleet.Conflict,
		Text:   "这是最后一个长期可用的系统管理员账号，不能停用、改角色或设到期日。请先再建一个系统管理员。",
		TextEN: "This is the last lasting administrator's account; it cannot be disabled, given another role or an end date. Create another administrator first.",
	}
}

// SetPassword gives an account a password, remembers it unless it was given
// out (must), and ends every login of the account.
func (s *Store) SetPassword(ctx context.Context, id fleet.UserID, password string, must bool, at time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		// One from before passwords were remembered.
		_, err := t.exec(`INSERT INTO old_passwords (user_id, password) SELECT id, password FROM users u WHERE id = ? AND must_set = 0 AND password != ''
AND NOT EXISTS (SELECT 1 FROM old_passwords o WHERE o.user_id = u.id AND o.password = u.password)`, id)
		if err != nil {
			return none{}, err
		}
		r, err := t.exec(`UPDATE users SET password = ?, must_set = ?, password_set_us = ? WHERE id = ?`, password, must, wire.US(at), id)
		if err := affected(r, err, noUser); err != nil {
			return none{}, err
		}
		if !must {
			if _, err := t.exec(`INSERT INTO old_passwords (user_id, password) VALUES (?, ?)`, id, password); err != nil {
				return none{}, err
			}
			if _, err := t.exec(`DELETE FROM old_passwords WHERE user_id = ? AND id NOT IN (SELECT id FROM old_passwords WHERE user_id = ? ORDER BY id DESC LIMIT ?)`,
				id, id, keptPasswords); err != nil {
				return none{}, err
			}
		}
		_, err = t.exec(`DELETE FROM sessions WHERE user_id = ?`, id)
		return none{}, err
	})
	return err
}

// OldPasswords returns the passwords that the account had last, the present
// one among them unless it was given out, the newest first.
func (s *Store) OldPasswords(ctx context.Context, id fleet.UserID) ([]string, error) {
	return list(ctx, s, "old passwords", func(r scanner) (p string, err error) { return p, r.Scan(&p) },
		`SELECT password FROM old_passwords WHERE user_id = ? ORDER BY id DESC`, id)
}

// NoteLogin says that somebody logged in, and from where.
func (s *Store) NoteLogin(ctx context.Context, id fleet.UserID, address string, at time.Time) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		if _, err := t.exec(`UPDATE users SET login_us = ? WHERE id = ?`, wire.US(at), id); err != nil {
			return none{}, err
		}
		if _, err := t.exec(`DELETE FROM login_addresses WHERE user_id = ? AND seen_us < ?`, id, wire.US(at.Add(-knownFor))); err != nil {
			return none{}, err
		}
		_, err := t.exec(`INSERT INTO login_addresses (user_id, address, seen_us) VALUES (?, ?, ?) ON CONFLICT (user_id, address) DO UPDATE SET seen_us = excluded.seen_us`,
			id, address, wire.US(at))
		return none{}, err
	})
	return err
}

// KnownAddress reports whether somebody logged in to that account from address
// in the 90 days before now.
func (s *Store) KnownAddress(ctx context.Context, login, address string, now time.Time) (bool, error) {
	var known bool
	err := s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM login_addresses a JOIN users u ON u.id = a.user_id WHERE u.login = ? AND a.address = ? AND a.seen_us >= ?)`,
		login, address, wire.US(now.Add(-knownFor))).Scan(&known)
	return known, explain(err)
}

// SetTOTP gives an account a second factor, sealed, and its recovery codes as
// hashes in place of those it had; nothing for both turns it off.
func (s *Store) SetTOTP(ctx context.Context, id fleet.UserID, sealed string, codes []string) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		r, err := t.exec(`UPDATE users SET totp = ?, totp_step = 0 WHERE id = ?`, sealed, id)
		if err := affected(r, err, noUser); err != nil {
			return none{}, err
		}
		return none{}, recoveryCodesTx(t, id, codes)
	})
	return err
}

// SetRecoveryCodes replaces the recovery codes of an account by these hashes.
func (s *Store) SetRecoveryCodes(ctx context.Context, id fleet.UserID, codes []string) error {
	_, err := change(ctx, s, func(t *tx) (none, error) { return none{}, recoveryCodesTx(t, id, codes) })
	return err
}

func recoveryCodesTx(t *tx, id fleet.UserID, codes []string) error {
	if _, err := t.exec(`DELETE FROM recovery_codes WHERE user_id = ?`, id); err != nil {
		return err
	}
	for _, hash := range codes {
		if _, err := t.exec(`INSERT INTO recovery_codes (user_id, hash) VALUES (?, ?)`, id, hash); err != nil {
			return err
		}
	}
	return nil
}

// UseTOTPStep takes a 30 s step whose code was right and reports whether it,
// and no later one, had been used before by that account.
func (s *Store) UseTOTPStep(ctx context.Context, id fleet.UserID, step int64) (bool, error) {
	return change(ctx, s, func(t *tx) (bool, error) {
		r, err := t.exec(`UPDATE users SET totp_step = ? WHERE id = ? AND totp_step < ?`, step, id, step)
		if err != nil {
			return false, err
		}
		n, err := r.RowsAffected()
		return n == 1, err
	})
}

// UseRecoveryCode takes a recovery code by its hash and reports whether it was
// good: it is not from then on.
func (s *Store) UseRecoveryCode(ctx context.Context, id fleet.UserID, hash string, at time.Time) (bool, error) {
	return change(ctx, s, func(t *tx) (bool, error) {
		r, err := t.exec(`UPDATE recovery_codes SET used_us = ? WHERE user_id = ? AND hash = ? AND used_us = 0`, wire.US(at), id, hash)
		if err != nil {
			return false, err
		}
		n, err := r.RowsAffected()
		return n == 1, err
	})
}

// RecoveryCodesLeft returns how many recovery codes of the account are good.
func (s *Store) RecoveryCodesLeft(ctx context.Context, id fleet.UserID) (n int, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT count(*) FROM recovery_codes WHERE user_id = ? AND used_us = 0`, id).Scan(&n)
	return n, explain(err)
}

// SessionsOf returns the logins of an account that have not run out at now,
// the last used first.
func (s *Store) SessionsOf(ctx context.Context, id fleet.UserID, now time.Time) ([]fleet.Session, error) {
	return list(ctx, s, "sessions", scanSession, `SELECT `+sessionColumns+` FROM sessions WHERE user_id = ? AND expires_us > ? ORDER BY seen_us DESC`, id, wire.US(now))
}

// DeleteOtherSessions ends every login of an account but the one whose token
// has that hash, and returns how many.
func (s *Store) DeleteOtherSessions(ctx context.Context, id fleet.UserID, keep string) (int, error) {
	return change(ctx, s, func(t *tx) (int, error) {
		r, err := t.exec(`DELETE FROM sessions WHERE user_id = ? AND hash != ?`, id, keep)
		if err != nil {
			return 0, err
		}
		n, err := r.RowsAffected()
		return int(n), err
	})
}
