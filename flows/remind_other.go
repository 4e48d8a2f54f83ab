package flows

import (
	"regexp"
	"slices"
	"strings"

	"llave/bot"
)

// A reminder says that one may go on here, and nothing else. Who wants to be reminded of something else, to take a pill, is told so: one
// that came and did not speak of it would be worse than none.

var (
	asksToRemind = regexp.MustCompile(`\b(?:recuerd[ea](?:me|nme|melo)?|recordar(?:me)?|acuerd[ea]me|acordar(?:me)?|avis[ea](?:me|nme)|remind me)\b(?: (?:por favor|porfa|porfavor|please|usted))*`)

	// What follows it and is a thing to do or to think of.
	toDo = regexp.MustCompile(`^(?:(?:de|que (?:debo|tengo que|hay que|me toca)|para|a) )?(\w*(?:ar|er|ir)(?:me|lo|la|le|les|los|las|se|nos)?|(?:to )\w+)\b(.*)`)
	that = regexp.MustCompile(`^(?:de )?(?:que (?:tengo|hay|es|me toca) (?:un|una|el|la|mi|cita|turno|reunion)\b|that i have\b|about (?:my|the)\b)`)
	what = regexp.MustCompile(`^(?:de )?(?:lo de |acerca de )?(?:la|el|los|las|mi|mis|un|una|my|the) (\w+)`)

	ofOurs = regexp.MustCompile(`\b(clave|contrasena|tramite|correo|enlace|link|iess|cedula|numero|esto|eso|paso|pasos|codigo|portal|key|password|mail|email|this|that|it|here|aqui)\b`)
	toGoOn = regexp.MustCompile(`^(?:to )?(?:seguir|continuar|terminar|acabar|desbloquear|generar|volver|regresar|entrar|retomar|completar|intentar|probar|empezar|comenzar|avanzar|responder|contestar|concluir|` +
		`continue|finish|go|unlock|come|try|start|return|resume|do)(?:me|lo|la|le|los|las|se)?$`)
	noDeed = strings.Fields("ayer anteayer mujer lugar ir primer tercer taller")
)

// ofOther says whether words ask to be reminded of something else than to go on here.
func ofOther(said string) bool {
	s := timeWords(said)
	at := asksToRemind.FindStringIndex(s)
	if at == nil || ofOurs.MatchString(s) || notAsked.MatchString(bot.Fold(said)) {
		return false
	}
	rest := strings.TrimSpace(strings.TrimLeft(s[at[1]:], " ,.:;"))
	if that.MatchString(rest) {
		return true
	}
	if m := what.FindStringSubmatch(rest); m != nil && !ofTimes(m[1]) {
		return true
	}
	for _, rest := range []string{rest, withoutTimes(rest)} {
		if m := toDo.FindStringSubmatch(rest); m != nil && (!slices.Contains(noDeed, m[1]) || strings.TrimSpace(m[2]) != "" && m[1] == "ir") {
			alone := strings.TrimSpace(withoutTimes(m[2])) == ""
			return !toGoOn.MatchString(m[1]) && !(alone && strings.HasSuffix(m[1], "lo"))
		}
	}
	return false
}

// inDays are words of a time that timeNamed does not name.
var inDays = regexp.MustCompile(`^(fin|finde|proxim[oa]|otr[oa]|siguiente|rato|ratito|poco|mediodia|medianoche|momento|vez|mism[oa]|hora|next|while|bit|moment|weekend|noon)$`)

func ofTimes(word string) bool {
	return timeNamed.MatchString(word) || slices.Contains(amidTimes, word) || countWords[word] > 0 || inDays.MatchString(word)
}

// withoutTimes is what begins words once a time before it is left out.
func withoutTimes(s string) string {
	words := strings.Fields(s)
	i := 0
	for i < len(words) && ofTimes(words[i]) {
		i++
	}
	return strings.Join(words[i:], " ")
}
