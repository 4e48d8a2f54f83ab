package web

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Addr is the client's address. X-Forwarded-For counts only as far as trusted proxies wrote it: read from the right,
// the first address that is no trusted proxy's. Whatever stands left of it anybody may have written.
func (k *Kit) Addr(r *http.Request) netip.Addr {
	at := k.peer(r)
	if !k.trusted(at) {
		return at
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		next, ok := parseHop(hop)
		if !ok {
			return at
		}
		at = next
		if !k.trusted(at) {
			return at
		}
	}
	return at
}

// forwarded says whether a request comes from no trusted proxy and says all the same that it was passed on.
func (k *Kit) forwarded(r *http.Request) bool {
	return (r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "") && !k.trusted(k.peer(r))
}

// peer is who connected to us.
func (k *Kit) peer(r *http.Request) (at netip.Addr) {
	if p, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		at = p.Addr().Unmap().WithZone("")
	}
	return at
}

// Source is what limits per address count by: the address, or the /64 it is in, since one IPv6 customer has as many
// addresses as they like.
func (k *Kit) Source(r *http.Request) string { return k.within(r, 64) }

// Site is Source for the desk's door: of IPv6 the /48, which is what anybody gets who asks. In it there are 65,536 networks to guess
// passwords from, and in those there are no agents to keep out but such of the same site.
func (k *Kit) Site(r *http.Request) string { return k.within(r, 48) }

// within is the address, or of IPv6 so many bits of it.
func (k *Kit) within(r *http.Request, bits int) string {
	a := k.Addr(r)
	if a.Is6() {
		if p, err := a.Prefix(bits); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// Network is a client's address for people to recognise, with its last part left out: enough to tell one's home from elsewhere.
func (k *Kit) Network(r *http.Request) string {
	a := k.Addr(r)
	switch {
	case a.IsLoopback():
		return "de este equipo"
	case a.Is4():
		b := a.As4()
		return fmt.Sprintf("%d.%d.x.x", b[0], b[1])
	case a.Is6():
		b := a.As16()
		return fmt.Sprintf("%x:%x:…", uint16(b[0])<<8|uint16(b[1]), uint16(b[2])<<8|uint16(b[3]))
	}
	return ""
}

func (k *Kit) trusted(a netip.Addr) bool {
	return a.IsValid() && slices.ContainsFunc(k.options.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// parseHop reads one entry of X-Forwarded-For; some proxies add the port.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if p, err := netip.ParseAddrPort(s); err == nil {
		return p.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return a.Unmap().WithZone(""), err == nil
}
