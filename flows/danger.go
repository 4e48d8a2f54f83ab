package flows

import (
	"slices"
	"strings"

	"llave/bot"
)

// Words of danger are looked for before the model is asked, so that the plainest cries for help rest on nothing that was learned.

// alarm joins the ways to say one thing.
func alarm(ways ...string) pattern { return newPattern(`\b(?:` + strings.Join(ways, "|") + `)\b`) }

// danger are words that are said of nothing else.
var danger = alarm(
	// life and breath
	`ambulancias?`, `infarto`, `paro cardiaco`, `derrame cerebral`, `convulsion\w*`, `desangr\w+`,
	`(?:me|nos|se me) (?:estoy |estamos |esta |voy a |vamos a )?(?:muero|muere|morimos|morir|muriendo|ahogo|ahoga|ahogando|asfixio|asfixia|asfixiando|desmayo|desmaya|desmayando)`,
	`(?:me|nos|se) (?:estoy|estamos|esta|estan) (?:muriendo|ahogando|asfixiando|desmayando|quemando|incendiando)`,
	`(?:estoy|estamos|esta|estan) (?:muriendose?|muriendome|ahogandose|ahogandome|asfixiandose|desmayad[oa])`,
	`(?:no|ya no|casi no) (?:puedo|puede|podemos) respirar(?: bien)?`, `no (?:me )?respira`, `se desmayo`, `quede inconsciente`, `esta inconsciente`,
	`ambulances?`, `heart attack`, `(?:is|having|had) a stroke`, `(?:can not|cannot|cant|can't|cn't) breathe?`, `not breathing`,
	`isn'?t breathing`, `bleeding(?: out)?`, `unconscious`, `choking`, `drowning`,
	`(?:i am|i'?m|we are|we're|(?:he|she|mom|mum|dad|father|mother|husband|wife|baby|son|daughter)(?: is|'?s)|they are|they're) (?:dying|(?:gonna|going to|about to) die)`,
	`i dying`, `overdose\w*`,
	// who would not live
	`suicid\w*`, `quitarme la vida`, `matarme`, `(?:me|lo|la) (?:quiero matar|voy a matar)`, `no quiero (?:seguir viviendo|vivir mas)`,
	`quiero morir(?:me)?`, `me quiero morir`, `kill (?:myself|me|us|him|her)`, `end my life`, `want to die`,
	// violence, while it happens
	`(?:me|nos|lo|la|le) (?:quieren?|van?|intentan?|tratan) (?:a |de )?(?:matar|asesinar|secuestrar|violar|apunalar|disparar)`,
	`(?:me|nos|lo|la|le) (?:esta|estan) (?:robando|asaltando|atracando|pegando|golpeando|matando|secuestrando|violando|apunalando|disparando|amenazando de muerte|siguiendo|persiguiendo|ahorcando|atacando)`,
	`(?:estan|esta) (?:robando|asaltando|disparando|matando|pegando|golpeando)(?:me|nos|lo|la)?`, `(?:asalto|robo) en curso`,
	`me (?:dispararon|apunalaron|secuestraron|violaron|envenenaron|balearon|persiguen)`, `ladron(?:es)? en (?:mi|la) casa`,
	`(?:tome|tomo|bebi|bebio) veneno`, `me tienen? secuestrad[oa]`, `(?:tiene|tienen) (?:una? )?(?:pistola|arma|cuchillo)`,
	`(?:being|getting) (?:robbed|mugged|attacked|beaten|kidnapped|raped|stabbed|shot|held up|followed)`,
	`(?:robbing|mugging|attacking|beating|stabbing|raping|kidnapping|shooting|strangling) (?:me|us|him|her|my \w+)`,
	`(?:he|she|they|man|men|husband|somebody|someone)(?: is| are|'s|'re) killing (?:me|us|him|her)`,
	`(?:going|trying|wants?) to (?:kill|hurt|rape|stab|shoot) (?:me|us|him|her)`,
	`(?:got|was|been|am) (?:stabbed|shot|raped|kidnapped|poisoned)`, `has a (?:gun|knife)`, `there'?s? (?:is )?a (?:fire|robbery|robber)`,
	// fire, and those who are called
	`hay (?:un )?incendio`, `incendio en (?:la|el|mi|una?)`,
	`se (?:esta )?(?:quema|quemando) (?:la|mi|el|una?) (?:casa|edificio|cocina|tienda)`, `fuga de gas`,
	`(?:llamen?|llame) (?:a )?(?:la policia|al 911|los bomberos|bomberos)`,
	`(?:house|building|kitchen)(?: is|'s)? on fire`, `gas leak`, `call (?:the police|the cops|911|nine one one)`,
)

// cry is a message that is nothing but a cry for help. With more words it may be a sigh ("socorro con esta cosa") or a name: the
// model reads those.
var cry = newPattern(`^[\W_]*(?:(?:ay+|por favor|porfa(?:vor)?|ayuda|ayuden?me|ayudenos|alguien|me|nos|que|ya|pronto|rapido|urgente|dios mio|senorita|es una|tengo una|please|help|help me|now|it is an|it'?s an|this is an)[\W_]+)*` +
	`(?:socor+o+s?|s\.?o\.?s|au[xs]s?ilio+s?|mayday|salven?me|fuego|incendio|ladrones|emergenc(?:ia|y))` +
	`(?:[\W_]+(?:socor+o+s?|s\.?o\.?s|au[xs]s?ilio+s?|mayday|emergenc(?:ia|y)|por favor|porfa(?:vor)?|ayuden?me|ayudenos|alguien|me|nos|que|ya|pronto|rapido|urgente|dios mio|senorita|please|help|help me|now))*[\W_]*$`)

// figurative is what has such words in it and is no danger.
var figurative = alarm(
	`me (?:va|van) a matar (?:usted(?:es)?|de (?:las )?iras?)`,
	`(?:muriendo|quemando|quemo) (?:la|el) (?:bateria|pila|celular|telefono|internet|senal|carga|compu\w*|arroz|comida|almuerzo|cena|pan)`,
	`(?:sale|salir|ir|va|voy|lleva\w*) (?:solo )?(?:con|en) ambulancia`, `would take an ambulance`,
	`(?:me )?(?:estoy |quiero )?(?:muero|muriendo|morir|morirme) (?:de|del|por) (?:la )?(?:risa|verguenza|ganas|hambre|sueno|calor|frio|pena|iras?|nervios|aburrimiento|las ganas|curiosidad|cansancio)`,
	`(?:i'?m|i am|im) dying (?:to|of (?:laughter|boredom|shame|hunger|heat|embarrassment|curiosity))`,
	`(?:want|going) to die of (?:shame|embarrassment)`,
	`(?:robando|estafando) (?:el |la |los |las |mi |mis |con |de )*(?:plata|platita|dinero|fondos?|pension|sueldo|aportes?|clave|cuenta|datos|tiempo|anos|iess|seguro|impuestos)`,
	`(?:me|nos) (?:estan|esta) (?:robando|matando) (?:en el|el|con el|con la|con los) (?:iess|seguro|banco|intereses|tramite|espera|cola)`,
)

// mourned finds that what was dangerous is over: "murió de un infarto".
var mourned = alarm(`murio`, `fallec\w*`, `difunt\w*`, `funera\w*`, `mortuori\w*`, `died`, `passed away`, `late (?:husband|wife|father|mother)`)

// literally is what was said, folded, without what is only a manner of speaking.
func literally(folded string) string { return figurative.ReplaceAllString(folded, " ") }

// cries says whether words of danger are found in what was said.
func cries(plainly string) bool {
	return (danger.MatchString(plainly) || cry.MatchString(plainly)) && !mourned.MatchString(plainly)
}

// inDanger says whether somebody's life is in danger.
func (f *flow) inDanger(said, language string) bool {
	folded := bot.Fold(said)
	plainly := literally(folded)
	switch {
	case cries(plainly):
		return true
	case mourned.MatchString(plainly) && danger.MatchString(plainly), !slices.Contains(taught, language): // not taught to the model
		return false
	case plainly != folded:
		said = plainly
	}
	may := f.model.Read(said, "")
	return len(may) > 0 && may[0].Meaning == "emergency" && may[0].Confidence >= alarming
}
