package controller

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"gatecast/controller/fleet"
)

// listen binds addr for the configuration key it comes from. A taken port, a
// port that needs rights and an address that is not this machine's are told
// apart for the operator.
func listen(key, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err == nil {
		return l, nil
	}
	return nil, portError(key, addr, err)
}

// portError says what is wrong with an address and the way out.
func portError(key, addr string, err error) error {
	zh, en := err.Error(), err.Error()
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		zh = "端口已被别的程序占用，请停掉那个程序，或换一个端口"
		en = "the port is taken by another program: stop that program or choose another port"
	case errors.Is(err, syscall.EACCES):
		zh = "没有权限使用 1024 以下的端口，请换一个端口"
		en = "ports below 1024 need more rights: choose another port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		zh = "本机没有这个地址，请改成本机地址或只写端口"
		en = "this machine does not have that address: write one it has, or the port alone"
	}
	return &fleet.Error{
		Code:   fleet.Conflict,
		Text:   fmt.Sprintf("%s: %s：%s", key, addr, zh),
		TextEN: fmt.Sprintf("%s: %s: %s", key, addr, en),
		Err:    fmt.Errorf("listening on %q: %w", addr, err),
	}
}

// addresses returns what gates can dial when the operator names nothing: the
// machine's own unicast addresses, loopback only if there is no other.
func addresses() []string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return []string{"127.0.0.1"}
	}
	var found []string
	for _, a := range all {
		ip, ok := a.(*net.IPNet)
		if ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() && !ip.IP.IsLinkLocalUnicast() {
			found = append(found, ip.IP.String())
		}
	}
	if len(found) == 0 {
		return []string{"127.0.0.1"}
	}
	return found
}
