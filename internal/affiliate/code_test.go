package affiliate

import "testing"

// A code is read whatever its owner calls it, and nothing else is taken for one.
func TestParseNumber_calledCode(t *testing.T) {
	for text, want := range map[string]string{
		"mi número es EXT-0001": "EXT-0001", "Mi numero es: ext-0001.": "EXT-0001", "my id number is EXT-0001": "EXT-0001", "my code is EXT-0001": "EXT-0001",
		"my number is EXT-0001": "EXT-0001", "my ID: EXT-0001": "EXT-0001", "el número de identificación es EXT0001": "EXT0001", "mi documento es EXT-0001 gracias": "EXT-0001",
		"mi número de extranjero es EXT-0001, quiero desbloquear": "EXT-0001", "soy EXT-0001": "EXT-0001", "hola, soy EXT-0001": "EXT-0001", "es EXT-0001": "EXT-0001",
		"EXT-0001 es mi código": "EXT-0001", "EXT-0001 is my id number": "EXT-0001", "hola EXT-0001 por favor": "EXT-0001", "I am a foreigner, EXT-0001": "EXT-0001",
		"mi cédula es EXT-0001": "EXT-0001", "número EXT-0001": "EXT-0001", "it's EXT-0001": "EXT-0001",

		"mi número de placa es PBA-1234": "", "la placa PBA-1234 es del carro": "", "vivo en la manzana B-1234": "", "mi número es el 5": "", "mi numero es dos": "",
		"es Perro2024": "", "soy Luis2024": "", "mi número no lo sé": "", "EXT-0001 no sirve": "", "me atendieron en la ventanilla A-1234": "",
	} {
		if got := ParseNumber(text, ParseOptions{}).Code; got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]Verdict{
		"mi número es 1710034065": Accept, "my number is 17l0O34065": Accept, "my id number is 1710034065": Accept, "mi número es 17100340": AskLength,
	} {
		if got := ParseNumber(text, ParseOptions{}).Verdict; got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}
