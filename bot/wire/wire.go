// Package wire is how a channel speaks HTTP to its platform: a client with timeouts, errors that hold no secret, and a wait
// that ends with its context.
package wire

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// idlePerHost are the connections kept open to a platform; the standard library keeps two.
const idlePerHost = 100

// NewClient makes a client for one platform. It follows no redirect: a platform's API has none, and a token must not go
// where one leads. Each request still needs a time limit of its own. CloseIdleConnections is for after the last one.
func NewClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	t.TLSHandshakeTimeout = 5 * time.Second
	t.MaxIdleConns = 2 * idlePerHost
	t.MaxIdleConnsPerHost = idlePerHost
	// A connection that died silently is noticed by a ping rather than by every message's time limit.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second}
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Redact returns an error of the network whose words and whose whole chain are free of what [hide] knows. An *url.Error
// prints the URL, which may hold a token or an id; only its cause is kept.
func Redact(err error, hide *strings.Replacer) error {
	var inURL *url.Error
	for errors.As(err, &inURL) {
		err = inURL.Err
		inURL = nil
	}
	if clean := hide.Replace(err.Error()); clean != err.Error() {
		return errors.New(clean)
	}
	return err
}

// Sleep waits and says whether [ctx] still lives.
func Sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil // some contexts end only when they are asked
	case <-ctx.Done():
		return false
	}
}
