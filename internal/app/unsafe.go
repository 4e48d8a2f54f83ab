package app

import (
	"net/netip"

	"llave/bot/wire"
)

// warnUnsafe says at start which settings are less safe than they could be.
func (a *App) warnUnsafe() {
	for _, w := range a.options.Config.Unsafe() {
		a.options.Log.Warn("unsafe setting", "setting", w.Setting, "what", w.What, "do", w.Do)
	}
}

// forwardedBy warns, while it runs, that a peer that is no trusted proxy says for whom it asks: either it is our proxy, and all people count
// as one address, or anybody who tries. The peer is named only where it stands inside the institution's own network, as
// proxies do: nobody else's address is logged.
func (a *App) forwardedBy() func(peer netip.Addr) {
	var seldom wire.Seldom
	return func(peer netip.Addr) {
		by := "somebody outside"
		if peer.IsPrivate() || peer.IsLoopback() || peer.IsLinkLocalUnicast() {
			by = peer.String()
		}
		a.Metrics.Limit(untrustedProxy)
		seldom.Warn(a.options.Log, "a request says that it is passed on (X-Forwarded-For or Forwarded), and comes from no trusted proxy: if it is yours, add it to LLAVE_TRUSTED_PROXIES; else all people behind it count as one address", "peer", by)
	}
}

// untrustedProxy is what metrics call such a request.
const untrustedProxy = "untrusted_proxy"
