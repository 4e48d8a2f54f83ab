package alert

import (
	"errors"
	"net/http"
	"net/netip"
	"testing"
)

// We connect to public addresses alone and to the usual port, whatever the name says of itself when it is dialled.
func TestPublicOnly(t *testing.T) {
	for _, address := range []string{
		"https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://10.0.0.1/", "https://192.168.0.1/", "https://169.254.169.254/", "https://100.64.0.1/",
		"https://[64:ff9b::7f00:1]/", "https://[fd00::1]/", "https://0.0.0.0/", "https://203.0.113.1:8443/", "http://203.0.113.1/",
	} {
		res, err := publicOnly().Get(address)
		if err == nil {
			res.Body.Close()
		}
		if !errors.Is(err, errPrivate) {
			t.Errorf("%s: got %v", address, err)
		}
	}
	for _, ip := range []string{"142.250.78.10", "2607:f8b0:4008::1"} {
		if !public(netip.MustParseAddr(ip)) {
			t.Errorf("%s is no address of the internet", ip)
		}
	}
}

// hop answers the first request with a redirect, and counts them.
type hop struct{ asked int }

func (h *hop) RoundTrip(r *http.Request) (*http.Response, error) {
	if h.asked++; h.asked > 1 {
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
	}
	return &http.Response{StatusCode: http.StatusTemporaryRedirect, Header: http.Header{"Location": {"https://elsewhere.example/"}}, Body: http.NoBody, Request: r}, nil
}

// A push service that sends us elsewhere is not followed.
func TestPublicOnly_follows(t *testing.T) {
	client, h := publicOnly(), &hop{}
	client.Transport = h
	res, err := client.Get("https://push.example/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusTemporaryRedirect || h.asked != 1 {
		t.Errorf("answered %d after %d requests", res.StatusCode, h.asked)
	}
}
