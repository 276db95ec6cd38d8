package doorway

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestParsePrefixes(t *testing.T) {
	tests := []struct{ name, in, want, err string }{
		{"network", "192.168.1.0/24", "192.168.1.0/24", ""},
		{"address", " 192.0.2.7 ", "192.0.2.7/32", ""},
		{"six", "2001:db8::/32", "2001:db8::/32", ""},
		{"six_address", "::1", "::1/128", ""},
		{"mapped_address", "::ffff:10.0.0.7", "10.0.0.7/32", ""},
		{"mapped_network", "::ffff:10.0.0.0/104", "10.0.0.0/8", ""},
		{"mapped_wide", "::ffff:0:0/95", "", "covers all of IPv4"},
		{"bits_behind", "10.0.0.5/8", "", "write 10.0.0.0/8"},
		{"zone", "fe80::1%eth0", "", "is no address or network"},
		{"range", "10.0.0.1-9", "", "is no address or network"},
		{"name", "office.example", "", "is no address or network"},
		{"empty", "", "", "is no address or network"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParsePrefixes([]string{tt.in})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("ParsePrefixes(%q) = %v, %v, want an error with %q", tt.in, got, err, tt.err)
				}
				return
			}
			if err != nil || got[0].String() != tt.want {
				t.Errorf("ParsePrefixes(%q) = %v, %v, want %s", tt.in, got, err, tt.want)
			}
		})
	}
}

func networks(t testing.TB, list ...string) []netip.Prefix {
	t.Helper()
	p, err := ParsePrefixes(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestContains(t *testing.T) {
	list := networks(t, "192.168.1.0/24", "2001:db8::/32")
	for in, want := range map[string]bool{
		"192.168.1.9": true, "192.168.1.9:4711": true, "::ffff:192.168.1.9": true, "[::ffff:192.168.1.9]:1": true,
		"192.168.2.9": false, "2001:db8::9": true, "[2001:db8::9]:80": true, "[2001:db8::9]": true, "2001:db8::9%eth0": true,
		"2001:db9::9": false, "": false, "192.168.1": false, "pipe": false, "192.168.1.9.evil.example": false,
	} {
		if got := Contains(list, in); got != want {
			t.Errorf("Contains(%q) = %v, want %v", in, got, want)
		}
	}
}

func TestVisitorIsTheRightmostWhoIsNoProxy(t *testing.T) {
	tests := []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no_proxy", "203.0.113.5:1", nil, "203.0.113.5:1"},
		{"no_proxy_claims", "203.0.113.5:1", []string{"192.168.1.2"}, "203.0.113.5:1"},
		{"proxy", "10.0.0.1:1", []string{"203.0.113.5"}, "203.0.113.5:0"},
		{"proxy_without_field", "10.0.0.1:1", nil, "10.0.0.1:1"},
		{"visitor_claims", "10.0.0.1:1", []string{"192.168.1.2, 203.0.113.5"}, "203.0.113.5:0"},
		{"visitor_claims_in_a_field_of_its_own", "10.0.0.1:1", []string{"192.168.1.2", "203.0.113.5"}, "203.0.113.5:0"},
		{"visitor_claims_to_be_a_proxy", "10.0.0.1:1", []string{"192.168.1.2, 10.0.0.9, 203.0.113.5"}, "203.0.113.5:0"},
		{"two_proxies", "10.0.0.1:1", []string{"203.0.113.5, 10.0.0.2"}, "203.0.113.5:0"},
		{"mapped_proxy", "[::ffff:10.0.0.1]:1", []string{"203.0.113.5"}, "203.0.113.5:0"},
		{"six", "10.0.0.1:1", []string{"2001:db8::7"}, "[2001:db8::7]:0"},
		{"with_port", "10.0.0.1:1", []string{"203.0.113.5:999"}, "203.0.113.5:0"},
		{"garbage", "10.0.0.1:1", []string{"192.168.1.2, unknown"}, "10.0.0.1:1"},
		{"garbage_behind_a_proxy", "10.0.0.1:1", []string{"192.168.1.2, <x>, 10.0.0.2"}, "10.0.0.2:0"},
		{"only_proxies", "10.0.0.1:1", []string{"10.0.0.2, 10.0.0.3"}, "10.0.0.2:0"},
		{"empty_field", "10.0.0.1:1", []string{""}, "10.0.0.1:1"},
	}
	trusted := networks(t, "10.0.0.0/24")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = tt.peer
			r.Header["X-Forwarded-For"] = tt.forwarded
			var got string
			Visitors(trusted, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr })).ServeHTTP(httptest.NewRecorder(), r)
			if got != tt.want {
				t.Errorf("the visitor is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSecureIsBelievedOfProxiesOnly(t *testing.T) {
	for peer, want := range map[string]bool{"10.0.0.1:1": true, "127.0.0.1:1": true, "[::1]:1": true, "203.0.113.5:1": false, "@": false} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-Proto", "http, https")
		var got bool
		Visitors(networks(t, "10.0.0.0/24"), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = Secure(r) })).ServeHTTP(httptest.NewRecorder(), r)
		if got != want {
			t.Errorf("Secure for %s = %v, want %v", peer, got, want)
		}
	}
}

func FuzzVisitor(f *testing.F) {
	f.Add("10.0.0.1:1", "203.0.113.5, 10.0.0.2")
	f.Add("[::ffff:10.0.0.1]:1", ",,[")
	trusted := networks(f, "10.0.0.0/24")
	f.Fuzz(func(t *testing.T, peer, field string) {
		got := visitor(trusted, peer, []string{field})
		if !strings.Contains(field, ",") && field == "" && got != peer {
			t.Errorf("visitor(%q, %q) = %q", peer, field, got)
		}
		// Whoever is put behind a client of our own proxy changes nothing.
		if a, b := visitor(trusted, "10.0.0.1:1", []string{field + ", 203.0.113.5"}), "203.0.113.5:0"; a != b {
			t.Errorf("with %q in front the visitor is %q, want %q", field, a, b)
		}
	})
}
