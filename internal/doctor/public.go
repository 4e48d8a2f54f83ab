package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"llave/internal/web"
)

// public are checks of the address that people and platforms reach, asked as they ask: through whatever stands in front.
func (d *doctor) public(s *section) {
	u := d.Config.PublicURL
	if !s.check("name", func(ctx context.Context) result { return d.name(ctx, u.Hostname()) }) {
		return
	}
	var got atomic.Pointer[answer]
	ours := s.check("answer", func(ctx context.Context) result {
		a, r := d.askPublic(ctx)
		got.Store(&a)
		return r
	})
	a := got.Load()
	if a == nil {
		return
	}
	if !a.certEnd.IsZero() {
		s.add("certificate", d.certificate(a.certEnd, renewPublic))
	}
	if ours {
		s.add("proxy", proxyResult(a.seen, u.Scheme == "https"))
	}
}

const renewPublic = "renew the certificate of what ends TLS in front of Llave, and see why it was not renewed by itself"

// answer is what the public address answered.
type answer struct {
	seen    web.Seen
	certEnd time.Time
}

// forged is an address that nobody has: who believes that we come from there believes whatever is written.
const forged = "198.51.100.77"

func (d *doctor) askPublic(ctx context.Context) (a answer, r result) {
	keys, err := d.keys()
	if err != nil {
		return a, bad("start llave serve once: it makes the secret key", "the answer could not be known from another's: there is no secret key yet")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.Config.PublicURL.String()+"/privacidad", nil)
	if err != nil {
		return a, bad("mend LLAVE_PUBLIC_URL", "it is no address")
	}
	probe := web.NewProbe(keys, d.Now())
	probe.Ask(req)
	req.Header.Set("X-Forwarded-For", forged)
	client := d.browser()
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		return a, unreached(err)
	}
	_ = res.Body.Close()
	if res.TLS != nil && len(res.TLS.PeerCertificates) > 0 {
		a.certEnd = res.TLS.PeerCertificates[0].NotAfter
	}
	a.seen, err = probe.Read(keys, res.Header)
	return a, answerResult(res.StatusCode, res.Header.Get("Location") != "", err)
}

// browser asks as one does, and follows no redirect.
func (d *doctor) browser() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Resolver: d.Resolver}).DialContext
	t.TLSClientConfig = &tls.Config{RootCAs: d.RootCAs, MinVersion: tls.VersionTLS12}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// unreached says why there was no answer. The error itself holds the address alone, and is not repeated.
func unreached(err error) result {
	var (
		cert    *tls.CertificateVerificationError
		invalid x509.CertificateInvalidError
		name    x509.HostnameError
		record  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return bad(renewPublic, "the certificate has ended, or has not begun")
	case errors.As(err, &name):
		return bad("get a certificate for the host of LLAVE_PUBLIC_URL", "the certificate is for another name")
	case errors.As(err, &cert):
		return bad("get a certificate that browsers and platforms know, with its whole chain", "the certificate is signed by nobody we know")
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return bad("have the proxy speak TLS there", "what answers does not speak https")
	case errors.Is(err, syscall.ECONNREFUSED):
		return bad("start what ends TLS in front of Llave, and let it listen at LLAVE_PUBLIC_URL", "nobody listens there")
	case errors.Is(err, context.DeadlineExceeded):
		return bad("open the firewall; where the institution's network does not let its own addresses be reached from inside, ask from outside", "no answer in time")
	}
	return bad("see the proxy's log", "the connection was lost")
}

// answerResult judges an answer by its status, and by whether it is ours.
func answerResult(status int, moved bool, foreign error) result {
	switch {
	case foreign == nil && status == http.StatusOK:
		return good("this service answers")
	case foreign == nil:
		return bad("see the log of serve", "this service answers, with status %d", status)
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return bad("start llave serve, and lead the proxy to LLAVE_HTTP_ADDR", "the proxy answers %d: it reaches nothing behind it", status)
	case moved:
		return bad("set LLAVE_PUBLIC_URL to where it leads: forms and webhooks are lost on the way", "it leads elsewhere (status %d)", status)
	}
	return bad("lead LLAVE_PUBLIC_URL to this service; every process has the same LLAVE_SECRET_KEY, and the proxy lets the header "+web.ProbeHeader+" through", "something answers (status %d) that is not this service with this secret key", status)
}

// proxyResult judges through which hands a request of ours came. We wrote a forged X-Forwarded-For into it.
func proxyResult(s web.Seen, proxied bool) result {
	direct := s.Forwarded == forged // nobody added to it
	const write = "have the proxy put the address of who asks into X-Forwarded-For (nginx: proxy_set_header X-Forwarded-For $remote_addr)"
	switch {
	case direct && !proxied:
		return good("none stands between")
	case s.Forwarded == "":
		return bad(write, "%s asks for everybody, and does not say for whom: all people count as one address", s.Peer)
	case direct:
		return bad(write, "%s passes on the X-Forwarded-For that anybody writes: no limit per address holds", s.Peer)
	case !s.Trusted:
		return bad("add "+s.Peer+" to LLAVE_TRUSTED_PROXIES", "%s says for whom it asks, and is not trusted: all people count as one address", s.Peer)
	case s.Client == forged:
		return warn("ask from a machine that is no trusted proxy", "we ask from an address that is trusted itself, so this cannot be told")
	}
	return good("people are known by the address that they come from; we, by %s", s.Client)
}
