package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"gatecast/controller/client"
)

// badAddress says what is wrong with the address of a controller. A token goes
// over plain HTTP to this machine only.
func (a *office) badAddress(address string) string {
	if address == "" {
		return a.pick("没有主控地址：请用 -url 或环境变量 GATECAST_URL 给出，例如 https://主机:8443。",
			"No address: give it with -url or in the environment as GATECAST_URL, such as https://HOST:8443.")
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "https" && u.Scheme != "http" {
		return a.pick("主控地址应写成 https://主机:8443，请核对 -url 或 GATECAST_URL。", "The address must be like https://HOST:8443: check -url or GATECAST_URL.")
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return a.pick("令牌不能明文传到别的机器，请用 https:// 开头的地址。", "A token does not go to another machine in the clear: use an address with https://.")
	}
	return ""
}

// transport returns an HTTP client that trusts the system and, unless ca is
// empty, what is in that file. It follows no redirect: the token stays with the
// address that was named.
func (a *office) transport(ca string) (*http.Client, string) {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if ca != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		data, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Sprintf(a.pick("CA 证书读不了，请核对 -ca：%v", "The CA certificate cannot be read, check -ca: %v"), err)
		}
		if !pool.AppendCertsFromPEM(data) {
			return nil, fmt.Sprintf(a.pick("%s 里没有 PEM 格式的证书，请在主控的 /ca.crt 下载。", "%s holds no PEM certificate: get it from /ca.crt of the controller."), ca)
		}
		t.TLSClientConfig.RootCAs = pool
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: t, Timeout: time.Minute, CheckRedirect: stay}, ""
}

// why says in a sentence why a call did not succeed, and what to do.
func (a *office) why(err error) string {
	var refused *client.Error
	var unknown x509.UnknownAuthorityError
	var other x509.HostnameError
	var invalid x509.CertificateInvalidError
	var network *net.OpError
	switch {
	case errors.As(err, &refused):
		return a.refusal(refused)
	case errors.Is(err, context.Canceled):
		return a.pick("已中断。", "Interrupted.")
	case errors.As(err, &unknown):
		return fmt.Sprintf(a.pick("%s 的证书不是本机信任的 CA 签的：请从管理员处取得主控的 CA 证书（/ca.crt），核对指纹后用 -ca 给出。",
			"The certificate of %s is signed by no CA that this machine trusts: get the controller's CA certificate (/ca.crt), compare its fingerprint with the administrator, and name it with -ca."), a.URL)
	case errors.As(err, &other):
		return fmt.Sprintf(a.pick("证书不是给 %s 这个地址的，请用主控证书里的主机名。", "The certificate is not for %s: use a host name that it has."), a.URL)
	case errors.As(err, &invalid):
		return fmt.Sprintf(a.pick("%s 的证书无效，请核对本机时钟，或请管理员更换证书：%v", "The certificate of %s does not hold: check this machine's clock or ask the administrator to renew it: %v"), a.URL, invalid)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network):
		return fmt.Sprintf(a.pick("连不上 %s：请核对地址、网络，以及主控是否在运行。", "%s cannot be reached: check the address, the network and whether the controller runs."), a.URL)
	}
	return fmt.Sprintf(a.pick("没有得到主控的答复，请核对地址后重试：%v", "The controller gave no answer, check the address and try again: %v"), err)
}

// refusal is the controller's own sentence, with the way out where it is here.
func (a *office) refusal(e *client.Error) string {
	if e.Status == http.StatusUnauthorized {
		return a.pick("主控不认这个令牌：请核对是否抄全，或请管理员在“API 令牌”页面另发一个。",
			"The controller does not accept this token: check that it is whole, or ask the administrator for another on the page of API tokens.")
	}
	text := cell(a.pick(e.Text, e.TextEN))
	if e.Status == http.StatusForbidden {
		text += a.pick("请管理员发一个有这项权限的令牌。", " Ask the administrator for a token with this right.")
	}
	if e.Ref != "" {
		text += fmt.Sprintf(a.pick("（编号 %s）", " (ref %s)"), e.Ref)
	}
	return text
}

// allPoints reads page after page.
func (a *office) allPoints(ctx context.Context, tag string) ([]client.Point, error) {
	all := []client.Point{}
	for {
		page, err := a.Points(ctx, tag, client.Page{Limit: officePage, Offset: len(all)})
		if err != nil {
			return nil, err
		}
		if all = append(all, page...); len(page) < officePage {
			return all, nil
		}
	}
}
