package address

import (
	"strings"
	"testing"
)

func TestWire(t *testing.T) {
	label := strings.Repeat("a", 63)
	for s, want := range map[string]string{
		"ana@example.org":                      "ana@example.org",
		"Ana.Maria+iess-1_x@Example.ORG":       "Ana.Maria+iess-1_x@Example.ORG",
		"o'hara!#$%&*/=?^`{|}~@example.org":    "o'hara!#$%&*/=?^`{|}~@example.org",
		`"ana maria"@example.org`:              `"ana maria"@example.org`,
		`"ana..maria."@example.org`:            `"ana..maria."@example.org`,
		`"ana"@example.org`:                    `"ana"@example.org`,
		"ana@ñandu.ec":                         "ana@xn--andu-fqa.ec",
		"Ana@Ñandu.EC":                         "Ana@xn--andu-fqa.ec",
		"ana@correo.ñandu.ec":                  "ana@correo.xn--andu-fqa.ec",
		"ana@xn--andu-fqa.ec":                  "ana@xn--andu-fqa.ec",
		"ana@straße.example":                   "ana@xn--strae-oqa.example",
		"ana@例え。example":                       "ana@xn--r8jz45g.example",
		"muñoz@example.org":                    "muñoz@example.org",
		"muñoz@ñandu.ec":                       "muñoz@xn--andu-fqa.ec",
		"ana@localhost":                        "ana@localhost",
		"ana@r3---x.example.org":               "ana@r3---x.example.org",
		"ana@" + label + ".example.org":        "ana@" + label + ".example.org",
		strings.Repeat("a", 64) + "@a.example": strings.Repeat("a", 64) + "@a.example",

		"":                                             "",
		"ana":                                          "",
		"@example.org":                                 "",
		"ana@":                                         "",
		"ana@.org":                                     "",
		"ana@example..org":                             "",
		"ana@example.org.":                             "",
		"ana@-example.org":                             "",
		"ana@example-.org":                             "",
		"ana@under_score.example.org":                  "",
		"ana@[192.0.2.1]":                              "",
		"ana@192.0.2.1":                                "",
		"ana@example.org:25":                           "",
		"ana@exam ple.org":                             "",
		"ana@xn--zzzz\u00f1.org":                       "",
		".ana@example.org":                             "",
		"ana.@example.org":                             "",
		"ana..maria@example.org":                       "",
		"ana maria@example.org":                        "",
		"Ana <ana@example.org>":                        "",
		"<ana@example.org>":                            "",
		"ana@example.org (Ana)":                        "",
		"ana(x)@example.org":                           "",
		"ana@example.org,otra@example.org":             "",
		"ana@example.org;otra@example.org":             "",
		"lista:ana@example.org;":                       "",
		"ana@otra@example.org":                         "",
		`"ana@otra"@example.org`:                       "",
		`"ana,otra"@example.org`:                       "",
		`"ana\"otra"@example.org`:                      "",
		`"ana>"@example.org`:                           "",
		`""@example.org`:                               "",
		`"@example.org`:                                "",
		`"ana@example.org`:                             "",
		`ana"x"@example.org`:                           "",
		"ana@example.org\r\nDATA":                      "",
		"ana\r@example.org":                            "",
		"ana@example.org\n":                            "",
		"\tana@example.org":                            "",
		"ana\x00@example.org":                          "",
		"ana\x7f@example.org":                          "",
		"ana\u0085@example.org":                        "",
		"ana\u202e@example.org":                        "",
		"ana@exam\u202eple.org":                        "",
		"ana\u200b@example.org":                        "",
		"ana@exam\u200bple.org":                        "",
		"ana@exam\u00adple.org":                        "",
		"ana@exam\u200dple.org":                        "",
		"\ufeffana@example.org":                        "",
		"ana\u2028@example.org":                        "",
		"ana\u00a0@example.org":                        "",
		"ana\uff0cotra@example.org":                    "",
		"ana\uff20example.org":                         "",
		"ana@example\uff0corg":                         "",
		"ana@example.org\uff0cotra":                    "",
		"ana\xff@example.org":                          "",
		"ana\ufffd@example.org":                        "",
		"ana@" + label + "a.example.org":               "",
		strings.Repeat("a", 65) + "@a.example":         "",
		"ana@" + strings.Repeat("a.", 125) + "example": "",
	} {
		got, err := Wire(s)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q is %q, %v; want %q", s, got, err, want)
		}
		if dotted := want != "" && s != "ana@localhost"; Valid(s) != dotted {
			t.Errorf("%q: valid is %v, want %v", s, !dotted, dotted)
		}
	}
}

func FuzzWire(f *testing.F) {
	for _, s := range []string{"ana@example.org", `"ana maria"@ñandu.ec`, "muñoz@ñandu.ec", "a@b,c@d", "a\r\n@b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		wire, err := Wire(s)
		if err != nil {
			return
		}
		if again, err := Wire(wire); err != nil || again != wire {
			t.Errorf("%q is said %q, and that %q, %v", s, wire, again, err)
		}
		if strings.ContainsAny(wire, "\r\n,;:<>()[]\\") || strings.Count(wire, "@") != 1 || len(wire) > 254 {
			t.Errorf("%q is said %q", s, wire)
		}
	})
}
