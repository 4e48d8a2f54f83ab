package bot_test

import (
	"fmt"
	"regexp"
	"testing"

	"llave/bot"
)

// A case number is one word without look-alikes, the same for the same hash, and another for another.
func TestRef(t *testing.T) {
	form := regexp.MustCompile(`^C[23456789CFHJKMPRTWXY]{8}$`)
	seen, signs := map[string]bool{}, map[rune]bool{}
	for i := range 5000 {
		ref := bot.Ref("C", fmt.Sprint(i))
		if !form.MatchString(ref) {
			t.Fatalf("%q is no case number", ref)
		}
		if seen[ref] {
			t.Errorf("%s was given out twice", ref)
		}
		seen[ref] = true
		for _, r := range ref[1:] {
			signs[r] = true
		}
	}
	if len(signs) != 20 {
		t.Errorf("%d signs are used, want 20", len(signs))
	}
	if a, b := bot.Ref("C", "one"), bot.Ref("C", "one"); a != b {
		t.Errorf("the same is called %s and %s", a, b)
	}
}

func TestSayRef(t *testing.T) {
	for ref, want := range map[string]string{"C7KH4M9TX": "C7K\u00a0H4M\u00a09TX", "C-7KH4-M9T": "C-7KH4-M9T", "": ""} {
		if got := bot.SayRef(ref); got != want {
			t.Errorf("%q is said %q, want %q", ref, got, want)
		}
	}
}

// A number is found however it was typed: as it was told, as it was read out, or as it was heard; and one of an earlier version.
func TestParseRef(t *testing.T) {
	for typed, want := range map[string]string{
		"C7KH4M9TX": "C7KH4M9TX", "c7kh4m9tx": "C7KH4M9TX", "C7K H4M 9TX": "C7KH4M9TX", " c7k-h4m-9tx. ": "C7KH4M9TX",
		"C7K\u00a0H4M\u00a09TX": "C7KH4M9TX", "C 7 K H 4 M 9 T X": "C7KH4M9TX", "C—7KH4M9TX": "C7KH4M9TX",
		"C7KH4N9TX": "C7KH4M9TX", "n2582625x": "N2582625X", "NZSBZGZSX": "N2582625X", "Q23456789": "Q23456789",
		"C-7KH4-M9T": "C-7KH4-M9T", "c7kh4m9t": "C-7KH4-M9T", "C 7KH4 M9T": "C-7KH4-M9T", "N-OI0L-UUA": "N-0101-VVA",
		"": "", "C": "", "7KH4M9TXC": "", "C7KH4M9T0": "", "C7KH4M9TA": "", "C7KH4M9TXX": "", "correo": "", "clave nueva": "", "¿C7KH4M9TX?": "",
	} {
		got, ok := bot.ParseRef(typed)
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", typed, got, want)
		}
	}
}

// What is told is what is found.
func TestParseRef_said(t *testing.T) {
	for i := range 1000 {
		ref := bot.Ref("CNQ"[i%3:i%3+1], fmt.Sprint(i))
		if got, ok := bot.ParseRef(bot.SayRef(ref)); !ok || got != ref {
			t.Errorf("%s said is %q, %v", ref, got, ok)
		}
	}
}
