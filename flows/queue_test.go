package flows_test

import (
	"testing"

	"llave/flows"
)

// What is said by somebody who waits is the bot's to answer only where all of it is about the waiting.
func TestQueue_words(t *testing.T) {
	for said, want := range map[string]string{
		"ya no, gracias": "leave", "Ya no necesito": "leave", "ya no necesito ayuda": "leave", "ya no hace falta, gracias": "leave", "ya me desbloqueé solo, gracias": "leave",
		"ya lo resolví": "leave", "ya pude!!": "leave", "no gracias": "leave", "mejor me voy": "leave", "no quiero esperar más": "leave", "quiero salir de la fila": "leave",
		"olvídelo": "leave", "déjelo así nomás": "leave", "gracias, ya me atendieron en la oficina": "leave", "chao": "leave", "cancelar mi caso": "leave",
		"no thanks": "leave", "never mind": "leave", "I don't need it anymore": "leave", "I already unlocked it myself, thanks": "leave",

		"¿hay alguien?": "wait", "hola, ¿hay alguien ahí?": "wait", "alguien que me atienda? hay alguien?": "wait", "¿cuánto me falta?": "wait", "cuánto tiempo más me falta por favor": "wait",
		"¿cuántas personas hay antes de mí?": "wait", "¿en qué lugar estoy?": "wait", "¿a qué hora me atienden?": "wait", "¿por qué se demoran tanto?": "wait", "nadie me responde": "wait",
		"necesito ayuda con mi correo. ¿Hay alguien?": "wait", "is anybody there?": "wait", "how much longer do I have to wait?": "wait", "how many people are ahead of me?": "wait",

		"ya no puedo entrar a mi correo": "", "no": "", "ya no necesito la clave, necesito cambiar mi correo": "", "gracias": "", "hola": "", "ya no sé qué hacer": "", "no me llega": "",
		"quiero salir del país y necesito mi clave": "", "¿cuánto cuesta?": "", "¿cuánto tiempo dura el enlace?": "", "no pude": "", "ya envié la cédula": "", "quiero cancelar mi cita médica": "",
		"¿hay alguna oficina en Loja?": "", "ya me dijeron en la oficina que no": "", "I don't need the old mail, I need the key": "", "my key is unlocked but I cannot enter": "",
	} {
		got := ""
		switch {
		case flows.SaysNeedsNobody(said):
			got = "leave"
		case flows.SaysAsksTheWait(said):
			got = "wait"
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", said, got, want)
		}
	}
}
