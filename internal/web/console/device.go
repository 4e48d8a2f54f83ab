package console

import (
	"net/http"
	"slices"
	"strings"

	"llave/internal/agent"
)

// maxDevices is how many people who share a browser it is known for.
const maxDevices = 4

// from is where a request comes from.
func (d *Door) from(r *http.Request) agent.From {
	return agent.From{Source: d.Kit.Site(r), Devices: d.devices(r), Browser: browserOf(r.UserAgent()), Network: d.Kit.Network(r)}
}

// devices are the tokens that this browser is known by, the latest first.
func (d *Door) devices(r *http.Request) []string {
	tokens := strings.Split(d.Kit.Cookie(r, deviceCookie), ".")
	tokens = slices.DeleteFunc(tokens, func(t string) bool { return len(t) < 20 || len(t) > 64 })
	return tokens[:min(len(tokens), maxDevices)]
}

// setDevice has the browser known by a token from now on, beside those it is known by.
func (d *Door) setDevice(w http.ResponseWriter, r *http.Request, token string) {
	tokens := []string{token}
	for _, t := range d.devices(r) {
		if t != token && len(tokens) < maxDevices {
			tokens = append(tokens, t)
		}
	}
	d.Kit.SetStrictCookie(w, deviceCookie, strings.Join(tokens, "."), agent.DeviceLife)
}

// The browsers and systems that a list of sessions tells apart, by what stands in a User-Agent: the first that fits.
var (
	browsers = [][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"Chrome/", "Chrome"}, {"CriOS/", "Chrome"}, {"Safari/", "Safari"}}
	systems  = [][2]string{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"Mac OS", "Mac"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"}}
)

// BrowserOf is what the browser of a request is called in a list.
func BrowserOf(r *http.Request) string { return browserOf(r.UserAgent()) }

// browserOf is what a User-Agent is called in a list, "" when it is none that we know. Nothing else of it is kept.
func browserOf(userAgent string) string {
	first := func(of [][2]string) []string {
		for _, o := range of {
			if strings.Contains(userAgent, o[0]) {
				return []string{o[1]}
			}
		}
		return nil
	}
	return strings.Join(append(first(browsers), first(systems)...), ", ")
}
