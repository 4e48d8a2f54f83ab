package public

import (
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"llave/internal/store"
	"llave/internal/web"
)

// lawPoint finds what the page says of one of the points of LOPDP 12.
var lawPoint = regexp.MustCompile(`(?s)<(li|ul|p) data-law="(\d+)">(.*?)</(?:li|ul|p)>`)

// The page says something of each of the seventeen points that the law wants people to be told, once, whatever the settings say (P752).
func TestPrivacy_law(t *testing.T) {
	all, err := web.ParseLanguages(files, "templates", assets)
	if err != nil {
		t.Fatal(err)
	}
	full := samples["privacy"].(privacyData)
	bare := full
	bare.Address, bare.Officer, bare.KeepsUnheard = "", "", false
	for name, data := range map[string]privacyData{"all set": full, "nothing set": bare} {
		w := httptest.NewRecorder()
		if err := all.Show(w, "", web.View{Name: "privacy", Data: data}); err != nil {
			t.Fatal(err)
		}
		said := map[string]int{}
		for _, m := range lawPoint.FindAllStringSubmatch(w.Body.String(), -1) {
			if len(strings.TrimSpace(m[3])) > 20 {
				said[m[2]]++
			}
		}
		for n := 1; n <= 17; n++ {
			if got := said[fmt.Sprint(n)]; got != 1 {
				t.Errorf("%s: point %d is told of %d times", name, n, got)
			}
		}
		for _, words := range []string{data.Address, data.Officer, "Su caso, si pidió hablar", "Que un chat se borró", fmt.Sprint(int(store.ErasuresKept.Hours()/24), " días. Así no vuelve")} {
			if !strings.Contains(w.Body.String(), words) {
				t.Errorf("%s: no %q", name, words)
			}
		}
	}
}
