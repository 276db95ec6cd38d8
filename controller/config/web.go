package config

import (
	"net"
	"net/netip"
	"time"

	"gatecast/controller/doorway"
)

// check tells fail which rules the pages' settings break.
func (w Web) check(fail func(key, format string, args ...any)) {
	if (w.CertFile == "") != (w.KeyFile == "") {
		fail("web.cert_file", "cert_file and key_file go together · 两项要同时填写")
	} else if w.CertFile != "" {
		if _, err := doorway.LoadPair(w.CertFile, w.KeyFile, time.Now()); err != nil {
			fail("web.cert_file", "%v", err)
		}
	}
	if w.CertFile != "" && w.Plain {
		fail("web.plain_http", "a certificate is given: drop one of the two · 已配置证书，请去掉其中一项")
	}
	if _, _, err := net.SplitHostPort(w.Redirect); w.Redirect != "" && err != nil {
		fail("web.redirect_listen", "%q is no address such as :80", w.Redirect)
	}
	if w.Redirect != "" && w.Plain {
		fail("web.redirect_listen", "there is no HTTPS to send to with plain_http · 已开启 plain_http，没有 HTTPS 可转")
	}
	proxies, err := doorway.ParsePrefixes(w.TrustedProxies)
	if err != nil {
		fail("web.trusted_proxies", "%v", err)
	}
	for _, p := range proxies {
		if p.Bits() == 0 {
			fail("web.trusted_proxies", "%s is everybody: name the proxies · 不能信任所有地址，请写出代理的地址", p)
		}
	}
	if _, err := doorway.ParsePrefixes(w.AdminAddresses); err != nil {
		fail("web.admin_addresses", "%v", err)
	}
	if w.hidden() && len(w.AdminAddresses) > 0 && len(proxies) == 0 {
		fail("web.admin_addresses", "behind a proxy on this machine everybody has its address: name it in web.trusted_proxies · 前面有代理时所有人都显示为代理的地址，请把代理写进 web.trusted_proxies")
	}
}

// hidden reports whether only something on this machine can reach the pages.
func (w Web) hidden() bool {
	host, _, err := net.SplitHostPort(w.Listen)
	ip := net.ParseIP(host)
	return w.Plain && err == nil && (host == "localhost" || (ip != nil && ip.IsLoopback()))
}

// Admins and Proxies return the networks of admin_addresses and
// trusted_proxies, which must have passed Validate.
func (w Web) Admins() []netip.Prefix { return prefixes(w.AdminAddresses) }

// Proxies is described at Admins.
func (w Web) Proxies() []netip.Prefix { return prefixes(w.TrustedProxies) }

func prefixes(list []string) []netip.Prefix {
	all, err := doorway.ParsePrefixes(list)
	if err != nil {
		return nil
	}
	return all
}
