package doorway

import (
	"net"
	"net/http"
)

// ToHTTPS sends whoever asks over plain HTTP to the same path at port over
// TLS. Only looking is redirected: what a form held has crossed the network
// in the clear already, so that is refused.
func ToHTTPS(port string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		} else if n := len(host); n > 1 && host[0] == '[' && host[n-1] == ']' {
			host = host[1 : n-1]
		}
		if host == "" || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
			http.Error(w, "HTTPS only · 请使用 https 访问", http.StatusForbidden)
			return
		}
		if port != "443" {
			host = net.JoinHostPort(host, port)
		} else if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
			host = "[" + host + "]"
		}
		w.Header().Set("Cache-Control", "no-store") // the port may change
		http.Redirect(w, r, "https://"+host+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	})
}
