package auth

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"gatecast/controller/fleet"
	"gatecast/controller/store"
)

const testPassword = "Wuyou-2026-xia"

// office is Logins on a real store with one account, at a time that the test
// moves.
type office struct {
	*Logins
	store *store.Store
	vault Vault
	now   time.Time
}

func newOffice(t *testing.T) *office {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatecast.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	phc, err := Hash(testPassword)
	if err != nil {
		t.Fatal(err)
	}
	o := &office{store: db, now: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
	if _, err := db.SaveUser(t.Context(), fleet.User{Login: "zhanggong", Name: "张工", Role: fleet.Clerk, Password: phc, Created: o.now}); err != nil {
		t.Fatal(err)
	}
	o.vault = db.Vault()
	o.restart(t)
	return o
}

// restart is the same office after its program was started again.
func (o *office) restart(t *testing.T) {
	t.Helper()
	var err error
	if o.Logins, err = New(t.Context(), Options{Store: o.store, Vault: o.vault, Issuer: "示例街道", Now: func() time.Time { return o.now }}); err != nil {
		t.Fatal(err)
	}
}

func (o *office) try(t *testing.T, login, password, address string) (string, error) {
	t.Helper()
	token, _, err := o.Login(t.Context(), login, password, Visitor{Address: address})
	return token, err
}

func TestLoginStartsASession(t *testing.T) {
	o := newOffice(t)
	token, user, err := o.Login(t.Context(), " ZhangGong ", testPassword, Visitor{Address: "192.0.2.7", Agent: "Firefox"})
	if err != nil || user.Name != "张工" || len(token) != 43 {
		t.Fatalf("Login = %q, %+v, %v", token, user, err)
	}
	if got, err := o.Resume(t.Context(), token); err != nil || got.ID != user.ID {
		t.Errorf("Resume = %+v, %v", got, err)
	}
	if _, err := o.store.SessionByHash(t.Context(), token); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("the token itself is in the store: %v", err)
	}
	s, err := o.store.SessionByHash(t.Context(), tokenHash(token))
	if err != nil || s.From != "192.0.2.7" || s.Agent != "Firefox" {
		t.Errorf("session %+v, %v", s, err)
	}
	if err := o.Logout(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Resume(t.Context(), token); !errors.Is(err, ErrNoSession) {
		t.Errorf("Resume after Logout = %v", err)
	}
}

func TestLoginRotatesTheToken(t *testing.T) {
	o := newOffice(t)
	old, err := o.try(t, "zhanggong", testPassword, "a")
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := o.Login(t.Context(), "zhanggong", testPassword, Visitor{Address: "a", Old: old})
	if err != nil || token == old {
		t.Fatalf("second login: %q, %v", token, err)
	}
	if _, err := o.Resume(t.Context(), old); !errors.Is(err, ErrNoSession) {
		t.Errorf("the token from before the login still works: %v", err)
	}
}

func TestSessionEnds(t *testing.T) {
	tests := []struct {
		name  string
		steps []time.Duration // Resume after each
		look  bool            // Look instead
		want  bool            // still there after the last
	}{
		{"in_use", []time.Duration{29 * time.Minute, 29 * time.Minute, 29 * time.Minute}, false, true},
		{"idle", []time.Duration{29 * time.Minute, 30 * time.Minute}, false, false},
		{"looking_is_not_use", []time.Duration{20 * time.Minute, 11 * time.Minute}, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			token, err := o.try(t, "zhanggong", testPassword, "a")
			if err != nil {
				t.Fatal(err)
			}
			for i, d := range tt.steps {
				o.now = o.now.Add(d)
				if tt.look {
					_, err = o.Look(t.Context(), token)
				} else {
					_, err = o.Resume(t.Context(), token)
				}
				if i < len(tt.steps)-1 && err != nil {
					t.Fatalf("step %d: %v", i, err)
				}
			}
			if (err == nil) != tt.want {
				t.Errorf("after %v: %v, want alive %v", tt.steps, err, tt.want)
			}
		})
	}
}

func TestIdleIsAnOption(t *testing.T) {
	o := newOffice(t)
	for _, bad := range []Options{
		{Store: o.store, Idle: time.Second}, {Store: o.store, Idle: -time.Hour}, {Store: o.store, Idle: Longest + time.Second},
		{Store: o.store, Admin: time.Second}, {Store: o.store, Idle: time.Minute, Admin: 2 * time.Minute}, {},
	} {
		if _, err := New(t.Context(), bad); err == nil {
			t.Errorf("Idle %s and Admin %s, store %v, were taken", bad.Idle, bad.Admin, bad.Store != nil)
		}
	}
	short, err := New(t.Context(), Options{Store: o.store, Idle: time.Minute, Now: func() time.Time { return o.now }})
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := short.Login(t.Context(), "zhanggong", testPassword, Visitor{Address: "a"})
	if err != nil {
		t.Fatal(err)
	}
	o.now = o.now.Add(59 * time.Second)
	if _, err := short.Resume(t.Context(), token); err != nil {
		t.Errorf("after 59 s: %v", err)
	}
	o.now = o.now.Add(time.Minute)
	if _, err := short.Resume(t.Context(), token); !errors.Is(err, ErrNoSession) {
		t.Errorf("a minute idle: %v", err)
	}
}

func TestSessionEndsAfterADayOfUse(t *testing.T) {
	o := newOffice(t)
	token, err := o.try(t, "zhanggong", testPassword, "a")
	if err != nil {
		t.Fatal(err)
	}
	for end := o.now.Add(Longest); o.now.Before(end.Add(-20 * time.Minute)); {
		o.now = o.now.Add(20 * time.Minute)
		if o.now.Before(end) {
			if _, err := o.Resume(t.Context(), token); err != nil {
				t.Fatalf("%v before the end: %v", end.Sub(o.now), err)
			}
		}
	}
	o.now = o.now.Add(20 * time.Minute)
	if _, err := o.Resume(t.Context(), token); !errors.Is(err, ErrNoSession) {
		t.Errorf("a session in use outlived %v: %v", Longest, err)
	}
	if _, err := o.try(t, "zhanggong", testPassword, "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := o.store.SessionByHash(t.Context(), tokenHash(token)); fleet.CodeOf(err) != fleet.NotFound {
		t.Errorf("the next login left the dead session in the store: %v", err)
	}
}

func TestFiveFailuresPauseTheAccountAtThatAddress(t *testing.T) {
	o := newOffice(t)
	for i, want := range []int{4, 3, 2, 1} {
		var refused *Refused
		if _, err := o.try(t, "zhanggong", "wrong", "a"); !errors.As(err, &refused) || refused.Left != want || refused.Wait != 0 {
			t.Fatalf("failure %d: %+v", i+1, err)
		}
	}
	var refused *Refused
	if _, err := o.try(t, "zhanggong", "wrong", "a"); !errors.As(err, &refused) || refused.Wait != PauseFor {
		t.Fatalf("fifth failure: %v", err)
	}
	if _, err := o.try(t, "zhanggong", testPassword, "a"); !errors.As(err, &refused) || refused.Wait <= 0 {
		t.Errorf("the right password during the pause: %v", err)
	}
	if _, err := o.try(t, "zhanggong", testPassword, "b"); err != nil {
		t.Errorf("the right password from another address: %v", err)
	}
	o.now = o.now.Add(PauseFor)
	if _, err := o.try(t, "zhanggong", testPassword, "a"); err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

func TestRefusalDoesNotTellAccountsApart(t *testing.T) {
	o := newOffice(t)
	_, known := o.try(t, "zhanggong", "wrong", "a")
	_, unknown := o.try(t, "nobody", "wrong", "a")
	if known == nil || unknown == nil || known.Error() != unknown.Error() {
		t.Errorf("known account: %v; unknown account: %v", known, unknown)
	}
}

func TestChangePassword(t *testing.T) {
	o := newOffice(t)
	token, err := o.try(t, "zhanggong", testPassword, "a")
	if err != nil {
		t.Fatal(err)
	}
	user, err := o.Resume(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	other, err := o.try(t, "zhanggong", testPassword, "b")
	if err != nil {
		t.Fatal(err)
	}
	v := Visitor{Address: "a"}
	var refused *Refused
	if _, err := o.ChangePassword(t.Context(), user, "wrong", "Songfeng-2026-bei", v); !errors.As(err, &refused) || refused.Left != 4 {
		t.Errorf("wrong old password: %v", err)
	}
	for _, bad := range []string{"short", testPassword} {
		if _, err := o.ChangePassword(t.Context(), user, testPassword, bad, v); fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("new password %q: %v", bad, err)
		}
	}
	fresh, err := o.ChangePassword(t.Context(), user, testPassword, "Songfeng-2026-bei", v)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Resume(t.Context(), fresh); err != nil {
		t.Errorf("the new session: %v", err)
	}
	for _, old := range []string{token, other} {
		if _, err := o.Resume(t.Context(), old); !errors.Is(err, ErrNoSession) {
			t.Errorf("a session from before the change: %v", err)
		}
	}
	if _, err := o.try(t, "zhanggong", testPassword, "c"); err == nil {
		t.Error("the old password still logs in")
	}
	if _, err := o.try(t, "zhanggong", "Songfeng-2026-bei", "c"); err != nil {
		t.Errorf("the new password: %v", err)
	}
}
