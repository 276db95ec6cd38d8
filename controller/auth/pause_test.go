package auth

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gatecast/controller/fleet"
)

func newTestPauses(t *testing.T) (*pauses, *office) {
	t.Helper()
	o := newOffice(t)
	return o.pauses, o
}

// count fails once, which the store takes.
func (o *office) fail(t *testing.T, login, address string) int {
	t.Helper()
	left, err := o.pauses.failed(t.Context(), login, address, o.now)
	if err != nil {
		t.Fatal(err)
	}
	return left
}

func (o *office) waits(t *testing.T, login, address string) time.Duration {
	t.Helper()
	wait, err := o.pauses.paused(t.Context(), login, address, o.now)
	if err != nil {
		t.Fatal(err)
	}
	return wait
}

func TestManyAccountsFromOneAddressPauseTheAddress(t *testing.T) {
	_, o := newTestPauses(t)
	for i := range maxFromAddress {
		o.fail(t, fmt.Sprintf("user%d", i), "a")
	}
	if o.waits(t, "fresh", "a") == 0 || o.waits(t, "fresh", "b") != 0 {
		t.Error("the flooding address is not paused, or another one is")
	}
}

func TestPausesAreBounded(t *testing.T) {
	p, o := newTestPauses(t)
	p.mu.Lock()
	for i := range maxTracked + 50 {
		p.count(pauseKey{"x", fmt.Sprint(i)}, o.now)
	}
	p.mu.Unlock()
	if n := len(p.seen); n > maxTracked+1 {
		t.Errorf("%d entries, want at most %d", n, maxTracked)
	}
}

// TestManyMachinesDoNotLockTheAdministratorOut is the attack from everywhere:
// guessing goes no faster for more machines, and whoever logged in from an
// address before still gets in from there.
func TestManyMachinesDoNotLockTheAdministratorOut(t *testing.T) {
	o := newOffice(t)
	if _, err := o.try(t, "zhanggong", testPassword, "office"); err != nil {
		t.Fatal(err)
	}
	guesses := 0
	for i := range 100 {
		address := fmt.Sprintf("bot%d", i)
		if o.waits(t, "zhanggong", address) == 0 {
			o.fail(t, "zhanggong", address)
			guesses++
		}
	}
	if guesses != maxOfAccount {
		t.Errorf("100 machines made %d guesses before the pause, want %d", guesses, maxOfAccount)
	}
	var refused *Refused
	if _, err := o.try(t, "zhanggong", testPassword, "new-machine"); !errors.As(err, &refused) || refused.Wait == 0 {
		t.Errorf("from a new address during the attack: %v", err)
	}
	if _, err := o.try(t, "zhanggong", testPassword, "office"); err != nil {
		t.Errorf("from the address that is known: %v", err)
	}
	if o.waits(t, "somebody-else", "new-machine") != 0 {
		t.Error("another account is paused")
	}
	if freed, err := o.Unlock(t.Context(), " ZhangGong"); err != nil || !freed {
		t.Errorf("Unlock = %v, %v", freed, err)
	}
	if _, err := o.try(t, "zhanggong", testPassword, "new-machine"); err != nil {
		t.Errorf("from a new address after the pause was lifted: %v", err)
	}
}

// TestWrongPasswordsAllDay is scenario C19 with the clock moved: one address
// types wrong passwords for 24 hours, every minute.
func TestWrongPasswordsAllDay(t *testing.T) {
	o := newOffice(t)
	var looked, paused, admitted int
	for minute := range 24 * 60 {
		o.now = o.now.Add(time.Minute)
		if wait := o.waits(t, "zhanggong", "lobby"); wait > 0 {
			paused++
			if wait > PauseFor {
				t.Fatalf("minute %d: a pause of %s", minute, wait)
			}
		} else {
			o.fail(t, "zhanggong", "lobby")
			looked++
		}
		if minute%60 == 30 { // the owner, at the usual desk
			if _, err := o.try(t, "zhanggong", testPassword, "desk"); err != nil {
				t.Fatalf("minute %d: the owner at the desk: %v", minute, err)
			}
			admitted++
		}
	}
	if admitted != 24 || looked > 24*60/15*MaxFailures || paused < looked {
		t.Errorf("%d passwords were looked at, %d times paused, owner admitted %d times", looked, paused, admitted)
	}
	// Even there the pause ends by itself.
	o.now = o.now.Add(PauseFor)
	if _, err := o.try(t, "zhanggong", testPassword, "lobby"); err != nil {
		t.Errorf("after the last pause: %v", err)
	}
}

func TestPausesOutliveARestart(t *testing.T) {
	o := newOffice(t)
	for range MaxFailures {
		o.fail(t, "zhanggong", "a")
	}
	o.restart(t)
	if o.waits(t, "zhanggong", "a") == 0 || o.waits(t, "zhanggong", "b") != 0 {
		t.Error("a restart forgave the failures, or spread them")
	}
	if list := o.Pauses("zhanggong"); len(list) != 1 || list[0].Address != "a" || list[0].Count != MaxFailures {
		t.Errorf("Pauses = %+v", list)
	}
	if _, err := o.Unlock(t.Context(), "zhanggong"); err != nil {
		t.Fatal(err)
	}
	o.restart(t)
	if o.waits(t, "zhanggong", "a") != 0 {
		t.Error("the pause that was lifted came back with a restart")
	}
	o.fail(t, "zhanggong", "a")
	o.now = o.now.Add(PauseFor + time.Second)
	o.restart(t)
	if all, err := o.store.LoginFailures(t.Context(), time.Time{}); err != nil || len(all) != 0 {
		t.Errorf("counts that ended are still in the store: %+v, %v", all, err)
	}
}

func TestLoginNamesAreNormal(t *testing.T) {
	for in, want := range map[string]string{" LiLei ": "lilei", "ｌｉｌｅｉ＿０１": "lilei_01", "": "", "李雷": "李雷"} {
		if got := fleet.NormalLogin(in); got != want {
			t.Errorf("NormalLogin(%q) = %q, want %q", in, got, want)
		}
	}
	o := newOffice(t)
	if _, err := o.try(t, "ＺｈａｎｇＧｏｎｇ", testPassword, "a"); err != nil {
		t.Errorf("a login typed with a full-width keyboard: %v", err)
	}
}

// TestAKnownBrowserIsNotKeptOutByItsNeighbour is C19 behind one router: whoever
// types wrong passwords has the administrator's own address.
func TestAKnownBrowserIsNotKeptOutByItsNeighbour(t *testing.T) {
	o := newOffice(t)
	desk := Visitor{Address: "router", Browser: NewBrowser()}
	if _, _, err := o.Login(t.Context(), "zhanggong", testPassword, desk); err != nil {
		t.Fatal(err)
	}
	for range maxFromAddress {
		o.fail(t, "zhanggong", "router")
	}
	var refused *Refused
	for name, v := range map[string]Visitor{
		"no_browser": {Address: "router"}, "new_browser": {Address: "router", Browser: NewBrowser()}, "endless": {Address: "router", Browser: strings.Repeat("x", 500)},
	} {
		if _, _, err := o.Login(t.Context(), "zhanggong", testPassword, v); !errors.As(err, &refused) || refused.Wait == 0 {
			t.Errorf("%s behind the router in the pause: %v", name, err)
		}
	}
	if _, _, err := o.Login(t.Context(), "zhanggong", testPassword, desk); err != nil {
		t.Errorf("the known browser: %v", err)
	}
	// A browser that is known may not guess for ever either, and is known for
	// its own account only.
	for i := range MaxFailures {
		if _, _, err := o.Login(t.Context(), "zhanggong", "wrong", desk); !errors.As(err, &refused) || refused.Left != MaxFailures-1-i {
			t.Fatalf("failure %d in the known browser: %v", i, err)
		}
	}
	if _, _, err := o.Login(t.Context(), "zhanggong", testPassword, desk); !errors.As(err, &refused) || refused.Wait == 0 {
		t.Errorf("the known browser after %d failures: %v", MaxFailures, err)
	}
	if _, _, err := o.Login(t.Context(), "somebody", testPassword, desk); !errors.As(err, &refused) || refused.Wait == 0 {
		t.Errorf("another account in that browser, behind the paused router: %v", err)
	}
	list := o.Pauses("zhanggong")
	if len(list) != 2 || !ByBrowser(list[0]) && !ByBrowser(list[1]) {
		t.Errorf("Pauses = %+v", list)
	}
}
