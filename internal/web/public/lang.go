package public

import (
	"net/http"
	"slices"
	"strings"
)

// letterPaths are where letters lead, and what comes after the button.
var letterPaths = []string{"/desbloqueo/", "/generar/", "/no-fui-yo/", "/clave", "/listo"}

// Lang is the language of a page that no letter tells it of, such as that of an error: what this browser's last letter spoke; where there
// was none, English for a browser that asks for English first and for no Spanish at all. "" is Spanish, and so is every page that no letter
// leads to.
func Lang(r *http.Request) string {
	if !slices.ContainsFunc(letterPaths, func(p string) bool { return strings.HasPrefix(r.URL.Path, p) }) {
		return ""
	}
	if m := rememberedBy(r); m.nonce != "" {
		return m.Lang
	}
	var asks []string
	for tag := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, _, _ = strings.Cut(tag, ";")
		primary, _, _ := strings.Cut(strings.TrimSpace(tag), "-")
		asks = append(asks, strings.ToLower(primary))
	}
	if asks[0] == "en" && !slices.Contains(asks, "es") {
		return "en"
	}
	return ""
}
