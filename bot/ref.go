package bot

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"unicode"
)

// A case number is a letter that says what it is of, and eight signs: one word, which no line breaks. A person reads it to somebody on
// the telephone, so the signs are those that are neither looked at nor heard for others. Without vowels it spells nothing.
const (
	refSigns = "23456789CFHJKMPRTWXY"
	refSize  = 8 // 34 bits

	// oldRefSigns are those of the numbers that earlier versions gave out: C-XXXX-XXX, in Crockford's alphabet.
	oldRefSigns = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	oldRefSize  = 7
)

// What people read, or hear, for a sign that is in the number.
var (
	refAlike    = strings.NewReplacer("Z", "2", "S", "5", "G", "6", "B", "8", "N", "M")
	oldRefAlike = strings.NewReplacer("O", "0", "I", "1", "L", "1", "U", "V")
)

// Ref makes a number a person can read out, the same for every delivery of the turn.
func (t *Turn) Ref(letter string) string {
	return Ref(letter, t.engine.options.Hash("ref/"+letter, t.Key()))
}

// Ref turns a keyed hash into a case number: "C7KH4M9TX".
func Ref(letter, hash string) string {
	h := sha256.Sum256([]byte(hash))
	n, ref := binary.BigEndian.Uint64(h[:]), []byte(letter)
	for range refSize {
		ref = append(ref, refSigns[n%uint64(len(refSigns))])
		n /= uint64(len(refSigns))
	}
	return string(ref)
}

// SayRef is a case number for who reads it aloud or listens: in groups, "C7K H4M 9TX", with blanks that no line breaks at. One that an
// earlier version gave out stays as it was.
func SayRef(ref string) string {
	if len(ref) != 1+refSize {
		return ref
	}
	return strings.Join([]string{ref[:3], ref[3:6], ref[6:]}, "\u00a0")
}

// ParseRef reads a case number as people type it: in small letters, in groups or with dashes, with signs that look or sound like those
// that it has. It returns the number as it is stored. Not ok means that it is none; that there is such a case is not said.
func ParseRef(typed string) (ref string, ok bool) {
	signs := strings.ToUpper(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || r == '.' {
			return -1
		}
		return r
	}, typed))
	if signs == "" || signs[0] < 'A' || signs[0] > 'Z' {
		return "", false
	}
	letter, rest := signs[:1], signs[1:]
	switch len(rest) {
	case refSize:
		rest = refAlike.Replace(rest)
		return letter + rest, consists(rest, refSigns)
	case oldRefSize:
		rest = oldRefAlike.Replace(rest)
		return letter + "-" + rest[:4] + "-" + rest[4:], consists(rest, oldRefSigns)
	}
	return "", false
}

// consists says whether a text has no other signs than these.
func consists(text, signs string) bool { return strings.Trim(text, signs) == "" }
