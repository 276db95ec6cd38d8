package auth

import (
	"errors"
	"sync"
	"testing"
	"time"

	"gatecast/controller/fleet"
)

// admins adds administrators and returns them.
func (o *office) admins(t *testing.T, logins ...string) []fleet.User {
	t.Helper()
	var all []fleet.User
	for _, login := range logins {
		u := fleet.User{Login: login, Name: login, Role: fleet.Admin, Password: "x", Created: o.now, PasswordSet: o.now}
		id, err := o.store.SaveUser(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		u.ID = id
		all = append(all, u)
	}
	return all
}

func changeOf(u fleet.User) Change {
	return Change{Name: u.Name, Role: u.Role, Unit: u.Unit, Company: u.Company, Expires: u.Expires, Disabled: u.Disabled}
}

func TestTheLastAdministratorStays(t *testing.T) {
	tests := map[string]func(o *office, c *Change){
		"disabled": func(_ *office, c *Change) { c.Disabled = true },
		"demoted":  func(_ *office, c *Change) { c.Role = fleet.Clerk },
		"expired":  func(o *office, c *Change) { c.Expires = o.now.AddDate(1, 0, 0) },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			two := o.admins(t, "first", "second")
			c := changeOf(two[0])
			spoil(o, &c)
			if _, _, err := o.Change(t.Context(), two[1], two[0].ID, c); err != nil {
				t.Fatalf("one of two: %v", err)
			}
			c = changeOf(two[1])
			spoil(o, &c)
			for _, by := range []fleet.User{two[0], {}} { // not at the console either
				if _, _, err := o.Change(t.Context(), by, two[1].ID, c); fleet.CodeOf(err) != fleet.Conflict {
					t.Errorf("the last one, by %q: %v", by.Login, err)
				}
			}
			if u, err := o.store.User(t.Context(), two[1].ID); err != nil || !u.Usable(o.now.AddDate(9, 0, 0)) || u.Role != fleet.Admin {
				t.Errorf("the last administrator is %+v, %v", u, err)
			}
		})
	}
}

// TestTwoAdministratorsCannotDemoteEachOther has both try at once: whoever is
// second finds that the own account is the last one.
func TestTwoAdministratorsCannotDemoteEachOther(t *testing.T) {
	o := newOffice(t)
	two := o.admins(t, "first", "second")
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i := range two {
		wg.Go(func() {
			c := changeOf(two[1-i])
			c.Role = fleet.Clerk
			_, _, errs[i] = o.Change(t.Context(), two[i], two[1-i].ID, c)
		})
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("both demotions ended alike: %v; %v", errs[0], errs[1])
	}
}

func TestNobodyChangesTheOwnRole(t *testing.T) {
	o := newOffice(t)
	two := o.admins(t, "first", "second")
	me := two[0]
	for name, c := range map[string]Change{
		"role": {Name: "first", Role: fleet.Approver}, "end": {Name: "first", Role: fleet.Admin, Expires: o.now.AddDate(0, 1, 0)},
		"disabling": {Name: "first", Role: fleet.Admin, Disabled: true},
	} {
		if _, _, err := o.Change(t.Context(), me, me.ID, c); fleet.CodeOf(err) != fleet.Forbidden {
			t.Errorf("own %s: %v", name, err)
		}
	}
	if _, is, err := o.Change(t.Context(), me, me.ID, Change{Name: "张工", Role: fleet.Admin}); err != nil || is.Name != "张工" {
		t.Errorf("own name: %+v, %v", is, err)
	}
	if _, _, err := o.ResetPassword(t.Context(), me, me.ID); fleet.CodeOf(err) != fleet.Forbidden {
		t.Errorf("own password without the old one: %v", err)
	}
	if _, err := o.ResetCode(t.Context(), me, me.ID); fleet.CodeOf(err) != fleet.Forbidden {
		t.Errorf("own second factor without the password: %v", err)
	}
}

func TestRightsThatChangeEndTheSession(t *testing.T) {
	base := fleet.User{Name: "张工", Role: fleet.Clerk}
	tests := map[string]struct {
		change func(c *Change, o *office)
		ends   bool
	}{
		"name":     {func(c *Change, _ *office) { c.Name = "张三" }, false},
		"role":     {func(c *Change, _ *office) { c.Role = fleet.Supervisor }, true},
		"disabled": {func(c *Change, _ *office) { c.Disabled = true }, true},
		"end":      {func(c *Change, o *office) { c.Expires = o.now.AddDate(0, 0, 1) }, true},
		"scope":    {func(c *Change, _ *office) { c.Role, c.Company = fleet.PropertyAccount, "安心物业" }, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			token, err := o.try(t, "zhanggong", testPassword, "a")
			if err != nil {
				t.Fatal(err)
			}
			user, err := o.Resume(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			c := changeOf(base)
			tt.change(&c, o)
			if _, _, err := o.Change(t.Context(), fleet.User{}, user.ID, c); err != nil {
				t.Fatal(err)
			}
			if _, err := o.Resume(t.Context(), token); (err != nil) != tt.ends {
				t.Errorf("session after the change: %v, should end: %v", err, tt.ends)
			}
		})
	}
}

func TestAnAccountThatEndedIsOut(t *testing.T) {
	o := newOffice(t)
	user, err := o.store.UserByLogin(t.Context(), "zhanggong")
	if err != nil {
		t.Fatal(err)
	}
	user.Expires = o.now.Add(10 * time.Minute)
	if _, err := o.store.SaveUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	token, err := o.try(t, "zhanggong", testPassword, "a")
	if err != nil {
		t.Fatal(err)
	}
	o.now = user.Expires
	if _, err := o.Resume(t.Context(), token); !errors.Is(err, ErrNoSession) {
		t.Errorf("a session outlived the account: %v", err)
	}
	var refused *Refused
	if _, err := o.try(t, "zhanggong", testPassword, "a"); !errors.As(err, &refused) {
		t.Errorf("login after the end: %v", err)
	}
	if _, unknown := o.try(t, "nobody", testPassword, "b"); unknown == nil || unknown.Error() != refused.Error() {
		t.Errorf("an account that ended reads %v, one that never was %v", refused, unknown)
	}
}

func TestCreateGivesAOneTimePassword(t *testing.T) {
	o := newOffice(t)
	for name, c := range map[string]Change{
		"no_name": {Role: fleet.Clerk}, "no_role": {Name: "李雷"}, "no_unit": {Name: "李雷", Role: fleet.UnitAccount},
		"no_company": {Name: "李雷", Role: fleet.PropertyAccount}, "other_role": {Name: "李雷", Role: "root"}, "no_such_unit": {Name: "李雷", Role: fleet.UnitAccount, Unit: 99},
	} {
		if _, _, err := o.Create(t.Context(), "lilei", c); fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, login := range []string{"", "a", "李雷", "li lei", "../x", "-x", "x'or'1", "admin\x00"} {
		if _, _, err := o.Create(t.Context(), login, Change{Name: "李雷", Role: fleet.Clerk}); fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("login %q: %v", login, err)
		}
	}
	u, once, err := o.Create(t.Context(), " LiLei", Change{Name: " 李雷 ", Role: fleet.Clerk, Unit: 7, Company: "x"})
	if err != nil || u.Login != "lilei" || u.Name != "李雷" || u.Unit != 0 || u.Company != "" {
		t.Fatalf("Create = %+v, %v", u, err)
	}
	if _, _, err := o.Create(t.Context(), "LILEI", Change{Name: "李雷", Role: fleet.Clerk}); fleet.CodeOf(err) != fleet.Conflict {
		t.Errorf("the same login again: %v", err)
	}
	if _, err := o.try(t, "lilei", once, "a"); err != nil {
		t.Fatal(err)
	}
	if got, err := o.store.User(t.Context(), u.ID); err != nil || o.Duty(got) != NewPassword || !got.LastLogin.Equal(o.now) {
		t.Errorf("after the first login: %+v, %v", got, err)
	}
}

func TestRules(t *testing.T) {
	o := newOffice(t)
	user, err := o.store.UserByLogin(t.Context(), "zhanggong")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []Rules{{PasswordDays: 29}, {PasswordDays: 366}, {PasswordDays: -1}, {CodeRoles: []fleet.Role{"boss"}}} {
		if err := o.SetRules(t.Context(), bad); fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("rules %+v: %v", bad, err)
		}
	}
	if o.Duty(user) != NoDuty {
		t.Error("a fresh password is too old")
	}
	o.now = o.now.AddDate(0, 0, 90)
	if o.Duty(user) != NewPassword {
		t.Error("after 90 days nothing is due")
	}
	if err := o.SetRules(t.Context(), Rules{CodeRoles: []fleet.Role{fleet.Clerk}}); err != nil {
		t.Fatal(err)
	}
	o.restart(t)
	if o.Duty(user) != SecondFactor {
		t.Errorf("without an age limit and with a demanded second factor, after a restart: %v", o.Duty(user))
	}
	user.TOTP = "sealed:1:x"
	if o.Duty(user) != NoDuty {
		t.Error("somebody with a second factor still has to set one up")
	}
}

func TestTheLastFivePasswordsAreNotChosenAgain(t *testing.T) {
	o := newOffice(t)
	user, err := o.store.UserByLogin(t.Context(), "zhanggong")
	if err != nil {
		t.Fatal(err)
	}
	old := testPassword
	set := func(new string) error {
		_, err := o.ChangePassword(t.Context(), user, old, new, Visitor{Address: "a"})
		if err == nil {
			old = new
			if user, err = o.store.User(t.Context(), user.ID); err != nil {
				t.Fatal(err)
			}
		}
		return err
	}
	words := []string{"Gulou-1-qiao", "Gulou-2-qiao", "Gulou-3-qiao", "Gulou-4-qiao", "Gulou-5-qiao"}
	for i, w := range words {
		if err := set(w); err != nil {
			t.Fatalf("%s: %v", w, err)
		}
		if i == 0 {
			if err := set(testPassword); fleet.CodeOf(err) != fleet.Invalid {
				t.Errorf("the first password again: %v", err)
			}
		}
	}
	for _, w := range words {
		if err := set(w); fleet.CodeOf(err) != fleet.Invalid {
			t.Errorf("%s again: %v", w, err)
		}
	}
	if err := set("Gulou-6-qiao"); err != nil {
		t.Fatal(err)
	}
	if err := set("Gulou-1-qiao"); err != nil {
		t.Errorf("one that is older than five: %v", err)
	}
}

func TestAdministratorsAreIdleForLess(t *testing.T) {
	o := newOffice(t)
	user, err := o.store.UserByLogin(t.Context(), "zhanggong")
	if err != nil {
		t.Fatal(err)
	}
	for role, want := range map[fleet.Role]time.Duration{
		fleet.Admin: DefaultAdminIdle, fleet.Clerk: DefaultIdle, fleet.Approver: DefaultIdle, fleet.Auditor: DefaultIdle, fleet.PropertyAccount: DefaultIdle,
	} {
		user.Role = role
		if _, err := o.store.SaveUser(t.Context(), user); err != nil {
			t.Fatal(err)
		}
		token, err := o.try(t, "zhanggong", testPassword, "a")
		if err != nil {
			t.Fatal(err)
		}
		o.now = o.now.Add(want - time.Second)
		if _, err := o.Resume(t.Context(), token); err != nil {
			t.Errorf("%s just before %s: %v", role, want, err)
		}
		o.now = o.now.Add(want)
		if _, err := o.Resume(t.Context(), token); !errors.Is(err, ErrNoSession) {
			t.Errorf("%s after %s: %v", role, want, err)
		}
	}
}

func TestEndingOtherLogins(t *testing.T) {
	o := newOffice(t)
	var tokens []string
	for _, from := range []string{"a", "b", "c"} {
		token, err := o.try(t, "zhanggong", testPassword, from)
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
	}
	user, err := o.Resume(t.Context(), tokens[1])
	if err != nil {
		t.Fatal(err)
	}
	all, err := o.Sessions(t.Context(), user, tokens[1])
	if err != nil || len(all) != 3 {
		t.Fatalf("Sessions = %+v, %v", all, err)
	}
	for _, s := range all {
		if s.Here != (s.From == "b") {
			t.Errorf("session from %s: here %v", s.From, s.Here)
		}
	}
	if n, err := o.EndOthers(t.Context(), user, tokens[1]); err != nil || n != 2 {
		t.Errorf("EndOthers = %d, %v", n, err)
	}
	for i, token := range tokens {
		if _, err := o.Resume(t.Context(), token); (err == nil) != (i == 1) {
			t.Errorf("session %d after it: %v", i, err)
		}
	}
}
