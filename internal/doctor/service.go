package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"

	"llave/bot/wire"
)

// Local is where somebody who listens on [addr] is reached from the same machine.
func Local(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if err == nil && ip.Is6() {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port)
}

// service are checks of the process that serves on this machine, if there is one.
func (d *doctor) service(s *section) {
	var running atomic.Bool
	s.check("serve", func(ctx context.Context) result {
		r, yes := d.running(ctx)
		running.Store(yes)
		return r
	})
	if !running.Load() || d.Config.BounceDomain == "" {
		return
	}
	s.check("delivery reports", func(ctx context.Context) result { return d.bounceListener(ctx) })
}

func (d *doctor) running(ctx context.Context) (r result, running bool) {
	at := Local(d.Config.AdminAddr)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at+"/readyz", nil)
	if err != nil {
		return bad("mend LLAVE_ADMIN_ADDR", "it is no address"), false
	}
	req.Header.Set("Accept", "application/json")
	client := wire.NewClient()
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return bad("see whether its process is stopped or has no processor (ps), and its log; kill it and start it again", "something listens at %s and does not answer: serve hangs", at), false
		}
		return d.stopped(ctx), false
	}
	defer res.Body.Close()
	var now struct {
		Status  string `json:"status"`
		Reasons []struct {
			Part   string `json:"part"`
			Reason string `json:"reason"`
			Do     string `json:"do"`
		} `json:"reasons"`
	}
	if err := json.NewDecoder(res.Body).Decode(&now); err != nil || now.Status == "" {
		return bad("stop it, or set another LLAVE_ADMIN_ADDR", "%s is held by something that is not llave serve", at), false
	}
	var why, do []string
	for _, one := range now.Reasons {
		why, do = append(why, one.Part+": "+one.Reason), append(do, remedy(one.Part, one.Reason, one.Do))
	}
	switch {
	case res.StatusCode != http.StatusOK:
		return bad(strings.Join(append(do, "see the log of serve"), "; "), "it answers, and cannot serve: %s", strings.Join(append([]string{now.Status}, why...), "; ")), true
	case len(why) > 0:
		return warn(strings.Join(do, "; "), "it serves; %s", strings.Join(why, "; ")), true
	}
	return good("it serves, and is well"), true
}

// stopped says whether a service that does not run could.
func (d *doctor) stopped(ctx context.Context) result {
	for _, one := range []struct{ setting, addr string }{{"LLAVE_HTTP_ADDR", d.Config.HTTPAddr}, {"LLAVE_ADMIN_ADDR", d.Config.AdminAddr}} {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", one.addr)
		if err != nil {
			return bad("stop what holds it, or set another "+one.setting, "nothing serves here, and %s cannot be listened on", one.addr)
		}
		_ = l.Close()
	}
	return warn("start it: llave serve", "nothing serves on this machine (LLAVE_ADMIN_ADDR %s)", d.Config.AdminAddr)
}

func (d *doctor) bounceListener(ctx context.Context) result {
	b := d.Config.BounceAddr
	addr := b.Addr
	if b.Network == "tcp" {
		addr = Local(addr)
	}
	conn, err := new(net.Dialer).DialContext(ctx, b.Network, addr)
	if err != nil {
		return bad("look into the log of serve for LLAVE_BOUNCE_ADDR", "nobody takes reports at %s", addr)
	}
	_ = conn.Close()
	return good("they are taken at %s", addr)
}
