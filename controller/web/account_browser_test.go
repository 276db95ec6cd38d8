package web

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"

	"gatecast/controller/auth"
	"gatecast/controller/fleet"
)

// TestAccountPagesInTheBrowser looks at the pages about accounts, as an
// administrator and as a property company sees them.
func TestAccountPagesInTheBrowser(t *testing.T) {
	w := newWorld(t)
	compounds, err := w.store.Compounds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	password, err := auth.Hash(testPassword)
	if err != nil {
		t.Fatal(err)
	}
	guard := fleet.User{Login: "anxin", Name: "孙师傅", Role: fleet.PropertyAccount, Password: password, Created: testNow, PasswordSet: testNow, Expires: testNow.AddDate(0, 3, 0)}
	for _, c := range compounds {
		if c.ID == w.points["谷雨里南门"].Compound {
			guard.Company = c.Property
		}
	}
	if guard.ID, err = w.store.SaveUser(t.Context(), guard); err != nil {
		t.Fatal(err)
	}
	wrong := w.client(t)
	wrong.from = "203.0.113.9:1"
	for range 5 {
		wrong.post("/login", url.Values{"login": {"anxin"}, "password": {"wrong"}})
	}
	w.as(t, "admin") // one more login to list
	b := newBrowser(t, w)
	look := func(pages map[string]string) {
		for _, lang := range languages {
			for _, px := range []int{1440, 390} {
				b.width(px)
				for name, path := range pages {
					where := fmt.Sprintf("%s-%s-%d", name, lang, px)
					b.run(chromedp.Navigate(b.url+path+"?lang="+lang), chromedp.WaitReady(chromedp.CSS("#main")))
					if at, err := chromedp.Run(b.ctx, chromedp.Location()); err != nil || at != b.url+path+"?lang="+lang {
						t.Fatalf("%s: the browser shows %q (%v), want %s", where, at, err, path)
					}
					b.fits(where)
					b.shot(where)
					b.quiet(where)
				}
			}
		}
	}
	b.login("admin")
	look(map[string]string{"users": "/users", "user": pathOf(guard), "account": "/account", "code_setup": "/account/code"})
	b.run(chromedp.Navigate(b.url+"/users?lang=zh"), chromedp.SetValue(chromedp.CSS("#n-l"), "lilei"), chromedp.SetValue(chromedp.CSS("#u-n"), "李雷"),
		chromedp.SetValue(chromedp.CSS("#u-r"), "approver"), chromedp.Click(chromedp.CSS("#new [type=submit]")), chromedp.WaitVisible(chromedp.CSS("#once")))
	b.shot("onetime-zh-390")
	b.fits("onetime")
	b.run(chromedp.Submit(chromedp.CSS("form[action='/logout']")), chromedp.WaitVisible(chromedp.CSS("#u")))
	b.login("anxin")
	look(map[string]string{"my": "/my"})
}
