package bottest

import "testing"

// A recorder that finds nothing would prove nothing: each form of a canary, and each shape, is found; what only looks like one is not.
func TestLeaks(t *testing.T) {
	for _, form := range append(formsOf("secreta-clave-7"), formsOf("1710034065")...) {
		if len(Leaks("before "+form+" after", "secreta-clave-7", "1710034065")) == 0 {
			t.Errorf("%q is not found", form)
		}
	}
	for _, text := range []string{
		`{"msg":"x","n":"1710034065"}`, "number=1710034065,", "to ana@example.com: refused", "GET /bot7000000001:AAtesttesttesttesttesttesttesttest01/getMe",
		"open /desbloqueo/" + "abcdefghijklmnopqrstuv",
	} {
		if len(Leaks(text)) != 1 {
			t.Errorf("%q: %q", text, Leaks(text))
		}
	}
	for _, text := range []string{
		`{"time":"2026-03-02T15:00:00.123456789Z","took":"1.710034065s","bytes":1710034066}`, "telegram:1710034065ab", "IESS <no-responder@localhost>",
		"route=GET /desbloqueo/{token}", "0.1710034065", "conv=telegram:AbC-17_x",
	} {
		if found := Leaks(text); len(found) > 0 {
			t.Errorf("%q: %q", text, found)
		}
	}
}
