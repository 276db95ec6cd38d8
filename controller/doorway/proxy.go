package doorway

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

type secureKey struct{}

// Visitors gives each request the address of who asks before next sees it: in
// RemoteAddr, for requests that one of the trusted proxies passed on, stands
// the rightmost address of X-Forwarded-For that is no trusted proxy. What is
// left of it was written by the visitor and is worth nothing. With a field that
// cannot be read the nearest proxy that can be named is the visitor. Requests
// of others keep their address, whatever they claim.
//
// Secure tells afterwards whether the visitor came over TLS.
func Visitors(trusted []netip.Prefix, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		passed := Contains(trusted, r.RemoteAddr)
		// A proxy on this machine may say that it adds TLS even where it is
		// not named: the visitor gains a stricter cookie and nothing else.
		if peer, ok := parseAddress(r.RemoteAddr); passed || (ok && peer.IsLoopback()) {
			proto := last(r.Header.Values("X-Forwarded-Proto"))
			r = r.WithContext(context.WithValue(r.Context(), secureKey{}, strings.EqualFold(proto, "https")))
		}
		if passed {
			r.RemoteAddr = visitor(trusted, r.RemoteAddr, r.Header.Values("X-Forwarded-For"))
		}
		next.ServeHTTP(w, r)
	})
}

// visitor follows the chain of proxies from the nearest one.
func visitor(trusted []netip.Prefix, peer string, forwarded []string) string {
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		a, ok := parseAddress(hops[i])
		if !ok {
			break
		}
		peer = net.JoinHostPort(a.String(), "0")
		if !Contains(trusted, peer) {
			break
		}
	}
	return peer
}

// last returns the last element of a field that may be a list.
func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	v := values[len(values)-1]
	return strings.TrimSpace(v[strings.LastIndexByte(v, ',')+1:])
}

// Secure reports whether the visitor's connection is encrypted, here or at a
// proxy that says so.
func Secure(r *http.Request) bool {
	said, _ := r.Context().Value(secureKey{}).(bool)
	return r.TLS != nil || said
}
