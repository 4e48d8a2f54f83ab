package public

import (
	"net/http"
	"time"

	"llave/internal/affiliate"
	"llave/internal/web"
)

// sheetAge is how long a browser may show a sheet again without asking. Offices change seldom.
const sheetAge = 5 * time.Minute

// sheetData are an office and the chats that its sheet leads back to: all that there are, since the sheet is the same for everybody.
type sheetData struct {
	affiliate.Office
	anyChat
}

// office is the sheet that people take along to an office: where, when, what to bring. It knows nobody: it has a blank for
// the number of a case, to be filled in by hand.
func (s *Site) office(w http.ResponseWriter, r *http.Request) error {
	o, found := s.Offices().ByCode(r.PathValue("code"))
	if !found {
		return &web.Error{Status: http.StatusNotFound}
	}
	return s.pages.Show(w, "", web.View{Name: "office", MaxAge: sheetAge, Data: sheetData{o, s.anywhere()}})
}
