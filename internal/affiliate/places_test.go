package affiliate

import "testing"

// A place is an answer wherever it lies in the country, and however it is said; a sentence that names one in passing is none.
func TestNamesPlace(t *testing.T) {
	for text, want := range map[string]bool{
		"Loja": true, "estoy en Loja": true, "Ambato": true, "ambato.": true, "Soy de Ambato, provincia de Tungurahua": true, "latacunga cotopaxi": true, "Santo Domingo": true,
		"santodomingo": true, "El Coca": true, "en la ciudad de Riobamba por favor": true, "Baños de Agua Santa": true, "tungurahua": true, "galapagos": true, "puerto ayora": true,
		"¿hay oficina en Zaruma?": true, "riobanba": true, "24 de mayo": true, "yo vivo en nueva loja": true, "I live in Quito": true, "Ibarra, Ecuador": true,

		"estoy en Madrid": false, "España": false, "estoy fuera del país": false, "aquí": false, "no sé": false, "la oficina": false, "mi clave": false, "": false, "gracias": false,
		"en Loja me atendieron mal": false, "¿dónde?": false, "quiero ir a Loja mañana": false, "Ecuador": false, "no me llega el correo": false,
	} {
		if got := NamesPlace(text); got != want {
			t.Errorf("%q: got %t, want %t", text, got, want)
		}
	}
	if got, least := len(places), 250; got < least {
		t.Errorf("places: got %d, want %d or more", got, least)
	}
}
