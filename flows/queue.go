package flows

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"llave/bot"
	"llave/internal/affiliate"
)

// Who waits in the queue writes to an agent who is not there yet. Two things are not an agent's to answer: that they need nobody any
// more, which is asked about, and how much longer it takes, which is answered with the place in the queue. Both are known by what is
// said in whole clauses, so that what is asked of the agent is not taken for it.

// courtesy may stand before and behind what a clause says.
const courtesy = `hola|buen[oa]s?(?: dias?| tardes?| noches?)?|saludos|por favor|porfa(?:vor)?|(?:muchas |mil )?gracias|disculpen?|perdon|senor(?:a|ita)?|oigan?|bueno|ok|okay|pues|` +
	`entonces|mejor|aunque|y|pero|es que|hello|hi|hey|please|sorry|(?:many )?thanks?|thank you|so|well|and|but`

// clause is an expression that a whole clause matches.
func clause(alternatives ...string) *regexp.Regexp {
	return regexp.MustCompile(`^(?:(?:` + courtesy + `) )*(?:` + strings.Join(alternatives, "|") + `)(?: (?:` + courtesy + `))*$`)
}

const (
	myself = `(?: (?:yo|solo|sola|mismo|misma|por mi cuenta|mi clave|la clave|mi cuenta|todo|eso|en (?:la|una) oficina|myself|by myself|my key|now|already|nomas|no mas))*`
	noMore = `(?: (?:mas|nada|ayuda|su ayuda|esto|eso|a nadie|atencion|la ayuda|esperar|seguir(?: esperando)?|seguir aqui|que me (?:atiendan|ayuden|llamen)|` +
		`hablar(?: con (?:nadie|alguien|una persona|un agente|el agente|ustedes))?|it|this|help|your help|an agent|to wait|to talk|waiting|any ?more|any longer))*`
)

var (
	mannersAlone = clause(courtesy)

	needsNobody = clause(
		`ya no`, `no (?:muchas )?gracias`, `(?:ya )?no (?:lo |la |les |le |me )?(?:necesito|hace falta|requiero|preciso)`+noMore, `ya no (?:lo |la |me )?(?:quiero|deseo|importa|interesa|espero)`+noMore,
		`(?:ya )?no (?:quiero|puedo|deseo|voy a) (?:esperar|seguir esperando|hablar con nadie|seguir aqui)`+noMore, `(?:ya )?me (?:canse|aburri) de esperar`, `ya (?:mismo )?me voy`, `me voy(?: ya| nomas)?`, `me retiro`,
		`(?:quiero |quisiera |deseo )?(?:salir(?:me)?|irme|dejar)(?: (?:de )?(?:la (?:fila|cola|espera)|aqui))?`, `(?:quiero |deseo )?(?:volver|regresar|ir) al (?:menu|inicio)`, `(?:saqueme|sacame|quiteme) de la (?:fila|cola)`,
		`(?:quiero |deseo )?cancelar?(?: (?:mi |el |la )?(?:caso|fila|turno|espera|atencion|pedido))?`,
		`(?:ya )?olvid(?:e|a|elo|alo|ese|ate|emoslo)(?: de (?:eso|mi|todo))?`, `(?:ya )?(?:dej[ea](?:lo|la|nlo)?|lo dejo|lo dejamos|dejemoslo) (?:asi|ahi)(?: nomas| no mas)?`, `dejelo`,
		`ya (?:pude|quedo|funciono|sirvio|entre|sali|acabe|termine|lo logre|se (?:arreglo|soluciono|desbloqueo|resolvio))`+myself, `ya (?:esta|quedo) (?:listo|arreglado|solucionado|resuelto|desbloquead[oa])`+myself,
		`ya (?:lo|la|los|me|me lo|me la) (?:resolvi|solucione|arregle|desbloquee|hice|logre|pude|desbloqueo|desbloquearon|ayudaron|ayudo|resolvieron|solucionaron|atendieron|encontre|supe)`+myself,
		`adios`, `ch(?:ao|au)(?: chao)?`, `hasta (?:luego|manana|otro dia|pronto)`, `nos vemos`, `bye(?: bye)?`, `goodbye`,
		`never ?mind`, `forget (?:it|about it)`, `no (?:thanks|thank you)`, `not any ?more`, `i (?:do not|don't|dont|no longer) (?:need|want)`+noMore, `i(?: am|'m|m) (?:leaving|done|tired of waiting|off)`,
		`i(?: will|'ll|ll)? (?:leave|go)(?: now| then)?`, `(?:i (?:want|would like) to )?(?:leave|exit|quit)(?: the (?:queue|line|chat))?`, `i (?:can ?not|can't|cant) wait`+noMore,
		`i (?:already |just )?(?:unlocked|fixed|solved|did|sorted|got) it`+myself, `(?:it(?: is|'s)? )?(?:already )?(?:works|worked|fixed|solved|unlocked|working)`+myself,
	)

	someone = `(?:alguien|algun agente|una persona|un agente|(?:any|some)(?:body| ?one)|an agent|a person)`
	ahead   = `(?: (?:personas?|gente|turnos|mas|antes|delante|por delante|primero|de mi|mio|en la (?:fila|cola)|people|persons?|are|ahead|before|of|me|in|the|queue|line))*`
	longer  = `(?: (?:tiempo|mas|todavia|aun|a mi|para (?:mi turno|que me (?:atiendan|toque|ayuden|respondan|contesten))|en (?:atender(?:me)?|responder(?:me)?|contestar(?:me)?|la (?:fila|cola))|la (?:fila|espera)|esperar|aqui|aproximadamente))*`

	asksTheWait = clause(
		`(?:hay|queda|esta|sigue|habra|tienen) `+someone+`(?: (?:ahi|aqui|alli|en linea|conectado|disponible|atendiendo|que (?:me )?(?:atienda|ayude|conteste|responda|lea)))*`,
		someone+` (?:ahi|aqui|there|here|me (?:atiende|ayuda|responde|contesta|escucha|lee|puede (?:atender|ayudar|responder)|va a (?:atender|ayudar|responder|contestar)))`,
		`(?:ya )?me (?:van|va) a (?:atender|responder|contestar|ayudar)(?: o no)?`, `(?:siguen|sigue|estan|esta) (?:ahi|aqui)`, `sigo esperando`, `estoy esperando`,
		`(?:como )?cuanto(?: tiempo)?(?: mas)?(?: es lo que)? (?:me |nos |se )?(?:falta|faltara|demoran?|demorara|tardan?|tardara|toca|(?:hay|tengo|toca|tendre) que esperar|debo esperar|espero|dura|es la espera|voy a esperar)`+longer, `cuanto mas`, `que tiempo (?:falta|demora|tengo que esperar|hay que esperar)`+longer,
		`(?:en )?(?:que|cual es mi) (?:lugar|puesto|turno|numero|posicion)(?: (?:estoy|voy|quede|tengo|soy|me toca))?(?: en la (?:fila|cola))?`, `cuant[oa]s?(?: personas?| gente| turnos)? (?:hay|faltan?|estan|son|van|tengo)`+ahead,
		`(?:a que hora|cuando|ya cuando) (?:ya )?(?:me |nos )?(?:atienden|toca|atenderan|responden|contestan|van a (?:atender|responder|contestar))(?:me)?`, `(?:ya )?me toca`, `(?:ya )?es mi turno`,
		`por ?que (?:(?:se )?demoran?(?: tanto)?|tardan?(?: tanto)?|no (?:me |nos )?(?:responden?|contestan?|atienden?))`, `no (?:me |nos )?(?:responden?|contestan?|atienden?)`, `nadie (?:me |nos )?(?:responde|contesta|atiende|ayuda)`,
		`(?:como va|que paso con) (?:mi (?:caso|turno)|la fila)`, `(?:sigue|esta) (?:abierto )?mi caso`,
		`(?:is|are) (?:`+someone+`|you|they)(?: still)? (?:there|here|available|online)`, `how (?:long|much longer|much time)(?: more)?(?: (?:is|do|will|must|does|should|left|it|i|you|the|have|to|wait|take|until|be|still|my turn|go|for))*`,
		`(?:what|which)(?: is|'s)? (?:my )?(?:place|position|number|turn|spot)(?: (?:am i|do i have))?(?: in the (?:queue|line))?`, `how many`+ahead,
		`when (?:will|does|is|can) (?:i|you|my|`+someone+`)(?: (?:be|get|turn|answer|reply|help|helped|attended|answered|me))*`, `why (?:is it|does it take|are you) (?:taking )?so (?:slow|long)`, `(?:nobody|no one)(?: is)? (?:answers?|answering|helps?|replies|there|here)(?: me)?`, `i(?: am|'m|m) still waiting`,
	)
)

// clausesOf are the clauses of what was said, folded.
func clausesOf(said string) []string {
	folded := bot.Fold(strings.ReplaceAll(said, "’", "'"))
	var out []string
	for _, c := range clauses.Split(folded, -1) {
		if c = strings.Join(strings.Fields(strings.Trim(c, " ()\"-…*")), " "); c != "" {
			out = append(out, c)
		}
	}
	return out
}

// saysNeedsNobody says whether all that was said is that nobody is waited for any more.
func saysNeedsNobody(said string) bool {
	all := clausesOf(said)
	return slices.ContainsFunc(all, needsNobody.MatchString) &&
		!slices.ContainsFunc(all, func(c string) bool {
			return !needsNobody.MatchString(c) && !mannersAlone.MatchString(c) && !asksTheWait.MatchString(c)
		})
}

// saysAsksTheWait says whether what was said asks how much longer it takes, or whether anybody is there.
func saysAsksTheWait(said string) bool {
	return slices.ContainsFunc(clausesOf(said), asksTheWait.MatchString)
}

// hearsQueue hears what is not an agent's to answer of somebody who waits for one, or "".
func (f *flow) hearsQueue(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	if t.Update.Kind != bot.Text || t.Conv.Handoff.Held() {
		return "", nil
	}
	if r := f.reading(t); r.Digits > 0 || r.Code != "" || r.Verdict == affiliate.SecretGiven { // which the agent is to have
		return "", nil
	}
	switch {
	case saysNeedsNobody(t.Text()):
		return f.asksLeave(t), nil
	case saysAsksTheWait(t.Text()):
		return f.position(ctx, t)
	}
	return "", nil
}

// position says where in the queue somebody is, and what is left of a link that lives.
func (f *flow) position(ctx context.Context, t *bot.Turn) (bot.Event, error) {
	if left, lives := linkEnds(t); lives {
		t.Say("left", leaving(t, left))
		return AskedPositionAndLink, f.sayPosition(ctx, t)
	}
	return AskedPosition, f.sayPosition(ctx, t)
}
