package affiliate_test

import (
	"slices"
	"strings"
	"testing"

	"llave/internal/affiliate"
)

// TestMaskSpread holds what may be read of messages that were written one after the other: each was masked alone before.
func TestMaskSpread(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ said, kept string }{
		{"1710 / 034065", "•••• / ••••••"},
		{"171 / 003 / 4065", "••• / ••• / ••••"},
		{"mi cédula es 17100 / 34065 por si acaso", "mi cédula es ••••• / ••••• por si acaso"},
		{"1710 / [Ver aviso] / gracias / es 034065", "•••• / [Ver aviso] / gracias / es ••••••"},
		{"diecisiete diez / cero tres cuarenta sesenta y cinco", "•• •• / • • •• ••"},
		{"mi clave es / Perro2024!", "mi clave es / •••!"},
		{"mi clave es / 482913", "mi clave es / •••"},
		{"quiero desbloquear mi clave / 171003", "quiero desbloquear mi clave / 171003"},
		{"hola / mi clave / es Perro2024", "hola / mi clave / es •••"},
		{"mi cédula es 17100 / (foto) 34065", "mi cédula es ••••• / (foto) •••••"},
		{"1710 / (foto) (editado) 034065", "•••• / (foto) (editado) ••••••"},
		// beside a number that was given
		{"17100340 / 171•••••65", "•••••••• / 171•••••65"},
		{"171003 / no sé / 171•••••65", "•••••• / no sé / 171•••••65"},
		{"171•••••65 / 1710", "171•••••65 / ••••"},
		{"171•••••65 / 17 / 10", "171•••••65 / •• / ••"},
		{"17 / gracias / 171•••••65 / 100", "•• / gracias / 171•••••65 / •••"},
		{"empieza así 71003 y sigue / 171•••••65", "empieza así ••••• y sigue / 171•••••65"},
		{"17100340 / •••• / ••••••", "•••••••• / •••• / ••••••"},
		{"171•••••65 / (editado) 003406", "171•••••65 / (editado) ••••••"},
		{"•••• / 034065 persona por favor", "•••• / •••••• persona por favor"},
		// what stays
		{"171•••••65 / 17", "171•••••65 / 17"},
		{"171•••••65 / fui en 2024 a las 14:30", "171•••••65 / fui en 2024 a las 14:30"},
		{"171•••••65 / el 12/03/2024", "171•••••65 / el 12/03/2024"},
		{"171•••••65 / llamé al 2345678 ayer", "171•••••65 / llamé al 2345678 ayer"},
		{"17100340 / 171•••••65 / gracias", "17100340 / 171•••••65 / gracias"}, // hidden when the second came
		{"17100340 / (•••)", "17100340 / (•••)"},
		{"1710", "1710"},
		{"1710 / 0340", "1710 / 0340"},
		{"fui a las 3 de la tarde / 17100340", "fui a las 3 de la tarde / 17100340"},
		{"el 12/03/2024 / 17100340", "el 12/03/2024 / 17100340"},
		{"olvidé mi clave / 171•••••65", "olvidé mi clave / 171•••••65"},
		{"1710 / 034065 / hola", "1710 / 034065 / hola"}, // hidden when the second came
	} {
		said := strings.Split(c.said, " / ")
		before := slices.Clone(said)
		if kept := strings.Join(affiliate.MaskSpread(said), " / "); kept != c.kept {
			t.Errorf("%q is kept as %q, not as %q", c.said, kept, c.kept)
		}
		if !slices.Equal(said, before) {
			t.Errorf("%q: what was handed over is changed", c.said)
		}
	}
}

// TestMaskSpreadEverywhere cuts a number, in each way of writing it, at every place into two and into three messages, and finds at most
// the digits that a mask shows, and one more: a mask of nine shows five of them.
func TestMaskSpreadEverywhere(t *testing.T) {
	t.Parallel()
	const mostShown = 6
	for _, written := range []string{"1710034065", "171 003 406 5", "171003406-5", "cédula 1710034065"} {
		for i := 1; i < len(written); i++ {
			for j := i; j < len(written); j++ {
				parts := []string{written[:i], written[i:j], written[j:]}
				parts = slices.DeleteFunc(parts, func(s string) bool { return strings.TrimSpace(s) == "" })
				for k := range parts { // as they come, one after the other
					parts[k] = affiliate.MaskAll(parts[k])
					copy(parts, affiliate.MaskSpread(parts[:k+1]))
				}
				kept := strings.Join(parts, "")
				if n := len(kept) - len(strings.Map(notDigit, kept)); n > mostShown {
					t.Errorf("%q in parts at %d and %d is kept as %q", written, i, j, parts)
				}
			}
		}
	}
}

func notDigit(r rune) rune {
	if r >= '0' && r <= '9' {
		return -1
	}
	return r
}
