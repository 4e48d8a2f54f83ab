package web

import (
	"net/http"
	"time"
)

// SetCookie gives the browser a cookie that only this site's servers see: HttpOnly, SameSite=Lax (a link in a letter
// comes from another site, and must bring it along), Secure and under "__Host-" unless we are http on loopback.
func (k *Kit) SetCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever the address is https: see Kit
		Name: k.cookieName(name), Value: value, Path: "/", MaxAge: max(int(life/time.Second), 1),
		HttpOnly: true, Secure: k.secure, SameSite: http.SameSiteLaxMode,
	})
}

// SetStrictCookie is SetCookie for what no other site needs to bring along, not even with a link: SameSite=Strict.
func (k *Kit) SetStrictCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever the address is https: see Kit
		Name: k.cookieName(name), Value: value, Path: "/", MaxAge: max(int(life/time.Second), 1),
		HttpOnly: true, Secure: k.secure, SameSite: http.SameSiteStrictMode,
	})
}

// DropCookie takes a cookie from the browser.
func (k *Kit) DropCookie(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{Name: k.cookieName(name), Path: "/", MaxAge: -1, HttpOnly: true, Secure: k.secure, SameSite: http.SameSiteStrictMode}) //nolint:gosec // Secure wherever the address is https: see Kit
}

// Cookie is the value of a cookie, or "".
func (k *Kit) Cookie(r *http.Request, name string) string {
	c, err := r.Cookie(k.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// cookieName puts the prefix on with which a browser lets nobody but this very host set the cookie.
func (k *Kit) cookieName(name string) string {
	if k.secure {
		return "__Host-" + name
	}
	return name
}
