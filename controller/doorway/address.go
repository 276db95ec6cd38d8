package doorway

import (
	"fmt"
	"net/netip"
	"strings"
)

// ParsePrefixes reads networks as people write them: 10.1.0.0/16, 192.0.2.7 or
// 2001:db8::/32. IPv4 networks in IPv6 form are those networks. One with
// bits behind its length is refused, because one of the two is mistyped.
func ParsePrefixes(list []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range list {
		p, err := parsePrefix(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%q is no address or network such as 192.168.1.0/24 · 不是地址或网段，写法如 192.168.1.0/24", text)
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return p, fmt.Errorf("%q covers all of IPv4: write the network itself, such as 192.168.1.0/24 · 范围包含全部 IPv4，请直接写网段", text)
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	if p != p.Masked() {
		return p, fmt.Errorf("%q is an address with a length: write %s for the network, or the address alone · 请写网段 %s，或只写地址", text, p.Masked(), p.Masked())
	}
	return p, nil
}

// Contains reports whether address, with or without a port, is in one of the
// networks. IPv4 in IPv6 form and zones make no difference; what is no address
// is in none.
func Contains(list []netip.Prefix, address string) bool {
	a, ok := parseAddress(address)
	if !ok {
		return false
	}
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// parseAddress reads 192.0.2.7, 192.0.2.7:4711, 2001:db8::7, [2001:db8::7] and
// [2001:db8::7]:4711.
func parseAddress(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		text = text[1 : len(text)-1]
	}
	a, err := netip.ParseAddr(text)
	return a.Unmap().WithZone(""), err == nil
}
