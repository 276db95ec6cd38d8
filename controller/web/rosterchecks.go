package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/roster"
)

// rosterChecks keeps checked files until somebody agrees to them: a while, in
// memory, for the user who sent them. Only one file is read at a time, since
// each may take what the limits allow.
type rosterChecks struct {
	turn chan struct{}

	mu   sync.Mutex
	kept map[string]keptCheck
}

type keptCheck struct {
	check *roster.Check // nil once it was carried out
	done  roster.Done
	name  string // of the file
	user  fleet.UserID
	at    time.Time
}

// Eight files of the greatest size are some hundred megabytes; real ones a few.
const (
	checksKept = 8
	checksFor  = time.Hour
)

func newRosterChecks() *rosterChecks {
	return &rosterChecks{turn: make(chan struct{}, 1), kept: map[string]keptCheck{}}
}

// enter waits for the turn to read a file; leave gives it on.
func (u *rosterChecks) enter(ctx context.Context) error {
	select {
	case u.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (u *rosterChecks) leave() { <-u.turn }

func (u *rosterChecks) put(c *roster.Check, name string, user fleet.UserID, now time.Time) string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	id := hex.EncodeToString(b[:])
	u.mu.Lock()
	defer u.mu.Unlock()
	oldest, at := "", now
	for k, r := range u.kept {
		if now.Sub(r.at) > checksFor {
			delete(u.kept, k)
		} else if !r.at.After(at) {
			oldest, at = k, r.at
		}
	}
	if len(u.kept) >= checksKept {
		delete(u.kept, oldest)
	}
	u.kept[id] = keptCheck{check: c, name: name, user: user, at: now}
	return id
}

// get returns a check that nobody has agreed to yet.
func (u *rosterChecks) get(id string, user fleet.UserID, now time.Time) (keptCheck, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	r, ok := u.kept[id]
	return r, ok && r.check != nil && r.user == user && now.Sub(r.at) <= checksFor
}

// finish notes what a check came to and forgets the file.
func (u *rosterChecks) finish(id string, done roster.Done) {
	u.mu.Lock()
	defer u.mu.Unlock()
	r := u.kept[id]
	r.check, r.done = nil, done
	u.kept[id] = r
}

// done returns what a check came to that was carried out.
func (u *rosterChecks) done(id string, user fleet.UserID, now time.Time) (roster.Done, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	r, ok := u.kept[id]
	return r.done, ok && r.check == nil && r.user == user && now.Sub(r.at) <= checksFor
}
