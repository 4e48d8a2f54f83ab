package affiliate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"llave/bot"
)

// slugMax is how long a code may be.
const slugMax = 40

var isSlug = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// ByCode finds the office whose sheet has that code, in capitals or small letters.
func (o Offices) ByCode(code string) (Office, bool) {
	code = strings.ToLower(code)
	i := slices.IndexFunc(o, func(office Office) bool { return office.Code == code })
	if i < 0 {
		return Office{}, false
	}
	return o[i], true
}

// name gives a code to each office that has none: made of its name; of name and city where several are called alike; and
// counted where that is not enough.
func (o Offices) name() {
	taken, alike := map[string]bool{}, map[string]int{}
	for _, office := range o {
		taken[office.Code] = true
		alike[slug(office.Name)]++
	}
	for i := range o {
		if o[i].Code != "" {
			continue
		}
		code := slug(o[i].Name)
		if alike[code] > 1 || taken[code] {
			code = slug(o[i].Name + " " + o[i].City)
		}
		for n, base := 2, code; taken[code]; n++ {
			code = fmt.Sprintf("%s-%d", base, n)
		}
		o[i].Code, taken[code] = code, true
	}
}

// slug is a name as it may stand in an address.
func slug(name string) string {
	s := strings.Join(strings.FieldsFunc(bot.Fold(name), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }), "-")
	if len(s) > slugMax {
		s = strings.TrimRight(s[:slugMax], "-")
	}
	if s == "" {
		return "oficina"
	}
	return s
}
