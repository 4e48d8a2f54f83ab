package alert

import (
	"context"
	"crypto/ecdh"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	webpush "github.com/SherClockHolmes/webpush-go"

	"llave/internal/secret"
)

// ErrGone means that a device is subscribed no more, or a chat is closed to us.
var ErrGone = errors.New("nobody is there any more")

// ErrSubscription means that what a browser gave is no subscription that we would send to.
var ErrSubscription = errors.New("no subscription of a push service")

// Doer asks a push service.
type Doer interface {
	Do(r *http.Request) (*http.Response, error)
}

// PushKey is what push services know us by: a key of the store's own. Private is sealed where it is stored.
type PushKey struct {
	ID      string `bson:"_id"`
	Version int64  `bson:"v"`
	Public  string `bson:"public"`
	Private string `bson:"private"`
}

// Message is what a device is told. It names no person.
type Message struct {
	Text string `json:"text"`
	Ref  string `json:"ref,omitempty"` // of the case, where it is one
}

// subscription is what a browser gives: where its push service takes messages for it, and how they are encrypted for it.
type subscription = webpush.Subscription

// pushKey is the key that browsers are subscribed with, open. The first process that asks makes it.
func (s *Service) pushKey(ctx context.Context) (PushKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key != nil {
		return *s.key, nil
	}
	stored, err := s.Bells.PushKey(ctx, func() (k PushKey, err error) {
		if k.Private, k.Public, err = webpush.GenerateVAPIDKeys(); err != nil {
			return k, fmt.Errorf("make a key for push services: %w", err)
		}
		k.Private = s.Vault.Seal(secret.PushKey.Of(PushKeyID), k.Private)
		return k, nil
	})
	if err != nil {
		return PushKey{}, fmt.Errorf("key for push services: %w", err)
	}
	if stored.Private, err = s.Vault.Open(secret.PushKey.Of(PushKeyID), stored.Private); err != nil {
		return PushKey{}, fmt.Errorf("open the key for push services: %w", err)
	}
	s.key = &stored
	return stored, nil
}

// PushKeyID is the id of the key's document.
const PushKeyID = "vapid"

// PublicKey is what a browser subscribes with.
func (s *Service) PublicKey(ctx context.Context) (string, error) {
	k, err := s.pushKey(ctx)
	return k.Public, err
}

// Subscribe has an agent told on the device whose browser gave that subscription, as JSON. [name] is what the agent will know it by. The
// oldest of many devices gives way. ErrSubscription when it is none.
func (s *Service) Subscribe(ctx context.Context, login, name string, given []byte) error {
	var sub subscription
	if err := json.Unmarshal(given, &sub); err != nil {
		return ErrSubscription
	}
	if err := check(sub); err != nil {
		return err
	}
	plain, err := json.Marshal(sub)
	if err != nil {
		return fmt.Errorf("keep a subscription: %w", err)
	}
	id := s.deviceID(login, sub.Endpoint)
	sealed := s.Vault.Seal(secret.PushDevice.Of(login), string(plain))
	return s.set(ctx, login, func(b *Bell, now time.Time) error {
		b.Devices = slices.DeleteFunc(b.Devices, func(d Device) bool { return d.ID == id })
		b.Devices = last(append(b.Devices, Device{ID: id, Sealed: sealed, Name: name, Made: now}), deviceMost)
		return nil
	})
}

func (s *Service) deviceID(login, endpoint string) string {
	return s.Vault.Hash("push-device", login+" "+endpoint)[:16]
}

// Unsubscribe has an agent told no more on a device: by its id, or by the address its push service gave it.
func (s *Service) Unsubscribe(ctx context.Context, login, id, endpoint string) error {
	if endpoint != "" {
		id = s.deviceID(login, endpoint)
	}
	return s.change(ctx, login, func(b *Bell) bool {
		n := len(b.Devices)
		b.Devices = slices.DeleteFunc(b.Devices, func(d Device) bool { return d.ID == id })
		return len(b.Devices) != n
	})
}

// check says whether a subscription is one that we would send to: https, at a name on the usual port, with a key on the curve. Where the
// name leads is looked at when it is dialled (publicOnly).
func check(sub subscription) error {
	u, err := url.Parse(sub.Endpoint)
	if err != nil || len(sub.Endpoint) > 1024 || u.Scheme != "https" || u.User != nil || u.Fragment != "" || u.Port() != "" && u.Port() != "443" {
		return ErrSubscription
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if _, err := netip.ParseAddr(host); err == nil || !strings.Contains(host, ".") || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal") {
		return ErrSubscription
	}
	key, err := decode(sub.Keys.P256dh)
	if err != nil {
		return ErrSubscription
	}
	if _, err := ecdh.P256().NewPublicKey(key); err != nil {
		return ErrSubscription
	}
	if auth, err := decode(sub.Keys.Auth); err != nil || len(auth) != 16 {
		return ErrSubscription
	}
	return nil
}

func decode(s string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
}

// How a message is sent. What waits longer at the push service is no news; of several that wait there the last one is delivered.
const (
	pushTTL   = 10 * time.Minute
	pushTopic = "llave"
)

// push sends to one device.
func (s *Service) push(ctx context.Context, login string, d Device, m Message) error {
	plain, err := s.Vault.Open(secret.PushDevice.Of(login), d.Sealed)
	if err != nil {
		return ErrGone // its key was destroyed: it has to be subscribed anew
	}
	var sub subscription
	if err := json.Unmarshal([]byte(plain), &sub); err != nil || check(sub) != nil {
		return ErrGone
	}
	key, err := s.pushKey(ctx)
	if err != nil {
		return err
	}
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write a push message: %w", err)
	}
	res, err := webpush.SendNotificationWithContext(ctx, body, &sub, &webpush.Options{
		HTTPClient: s.client, TTL: int(pushTTL.Seconds()), Topic: pushTopic, Urgency: webpush.UrgencyHigh,
		Subscriber: s.subscriber(), VAPIDPublicKey: key.Public, VAPIDPrivateKey: key.Private,
	})
	switch {
	case errors.Is(err, errPrivate):
		return ErrGone
	case err != nil:
		return errors.New("ask the push service: no answer") // the cause names the device's address
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 4<<10))
	switch {
	case res.StatusCode/100 == 2:
		return nil
	case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone: // the subscription has ended (RFC 8030, 7.3)
		return fmt.Errorf("the push service answered %d: %w", res.StatusCode, ErrGone)
	}
	// Whatever else it refuses may be this machine's clock, or its key (RFC 8292, 4.2): the device stays.
	return fmt.Errorf("the push service answered %d", res.StatusCode)
}

// subscriber is whom push services turn to.
func (s *Service) subscriber() string {
	if u, err := url.Parse(s.Site); err == nil && u.Scheme == "https" {
		return "https://" + u.Host
	}
	return "https://localhost" // a demo: they want an address, and there is none
}

var errPrivate = errors.New("a push service at an address that is not public")

// shared are networks that no push service is in and netip does not count as private.
var shared = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"),
}

// public says whether an address is one of the internet.
func public(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !slices.ContainsFunc(shared, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// publicOnly is a client that connects to public addresses alone, whatever a name says of itself at that moment, and follows nobody
// elsewhere.
func publicOnly() *http.Client {
	dial := &net.Dialer{Timeout: sendWithin, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || to.Port() != 443 || !public(to.Addr()) {
			return errPrivate
		}
		return nil
	}}
	return &http.Client{
		Timeout:       sendWithin,
		Transport:     &http.Transport{DialContext: dial.DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: sendWithin, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
