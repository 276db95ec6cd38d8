package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gatecast/controller/fleet"
	"gatecast/internal/wire"
)

const tokenColumns = `id, name, hash, hint, user_id, scopes, created_us, expires_us, used_us, used_from, revoked_us, revoked_by`

func scanToken(r scanner) (v fleet.Token, err error) {
	var scopes string
	var created, expires, used, revoked int64
	if err := r.Scan(&v.ID, &v.Name, &v.Hash, &v.Hint, &v.Owner, &scopes, &created, &expires, &used, &v.LastFrom, &revoked, &v.RevokedBy); err != nil {
		return v, err
	}
	v.Created, v.Expires, v.LastUsed, v.Revoked = wire.FromUS(created), wire.FromUS(expires), wire.FromUS(used), wire.FromUS(revoked)
	if err := json.Unmarshal([]byte(scopes), &v.Scopes); err != nil {
		return v, fmt.Errorf("scopes of token %d: %w", v.ID, err)
	}
	return v, nil
}

// Tokens returns every API token, the newest first, those that ended included.
func (s *Store) Tokens(ctx context.Context) ([]fleet.Token, error) {
	return list(ctx, s, "tokens", scanToken, `SELECT `+tokenColumns+` FROM tokens ORDER BY id DESC`)
}

// TokenByHash returns the token with that hash, usable or not, or a
// *fleet.Error of code NotFound.
func (s *Store) TokenByHash(ctx context.Context, hash string) (fleet.Token, error) {
	return one(ctx, s, noToken.Text, noToken.TextEN, scanToken, `SELECT `+tokenColumns+` FROM tokens WHERE hash = ?`, hash)
}

var noToken = &fleet.Error{Code: fleet.NotFound, Text: "没有这个令牌。", TextEN: "There is no such token."}

// AddToken keeps a token and returns its id. One that lives longer than
// fleet.TokenLongest, or does not live at all, is a *fleet.Error of code
// Invalid, whoever asks.
func (s *Store) AddToken(ctx context.Context, v fleet.Token) (fleet.TokenID, error) {
	if !v.Expires.After(v.Created) || v.Expires.Sub(v.Created) > fleet.TokenLongest || len(v.Scopes) == 0 {
		return 0, &fleet.Error{
			Code: fleet.Invalid, Text: "令牌要有权限，有效期要在一年之内。", TextEN: "A token needs a scope and ends within a year.",
		}
	}
	scopes, err := json.Marshal(v.Scopes)
	if err != nil {
		return 0, fmt.Errorf("encoding scopes: %w", err)
	}
	return change(ctx, s, func(t *tx) (id fleet.TokenID, err error) {
		err = t.row(`INSERT INTO tokens (name, hash, hint, user_id, scopes, created_us, expires_us) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			v.Name, v.Hash, v.Hint, v.Owner, string(scopes), wire.US(v.Created), wire.US(v.Expires)).Scan(&id)
		return id, err
	})
}

// TouchToken says that a token was used.
func (s *Store) TouchToken(ctx context.Context, id fleet.TokenID, at time.Time, from string) error {
	_, err := change(ctx, s, func(t *tx) (none, error) {
		_, err := t.exec(`UPDATE tokens SET used_us = ?, used_from = ? WHERE id = ?`, wire.US(at), from, id)
		return none{}, err
	})
	return err
}

// RevokeToken ends a token for good and returns it. One that was revoked
// before keeps who did it first; one that does not exist is a *fleet.Error of
// code NotFound.
func (s *Store) RevokeToken(ctx context.Context, id fleet.TokenID, by string, at time.Time) (fleet.Token, error) {
	return change(ctx, s, func(t *tx) (fleet.Token, error) {
		if _, err := t.exec(`UPDATE tokens SET revoked_us = ?, revoked_by = ? WHERE id = ? AND revoked_us = 0`, wire.US(at), by, id); err != nil {
			return fleet.Token{}, err
		}
		v, err := scanToken(t.row(`SELECT `+tokenColumns+` FROM tokens WHERE id = ?`, id))
		return v, found(err, noToken.Text, noToken.TextEN)
	})
}
