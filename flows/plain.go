package flows

import (
	"regexp"
	"strings"

	"llave/bot"
)

// What people write in plain words that the model was found not to know. It is looked for before the model is asked.
var (
	// complaining finds that somebody was treated badly.
	complaining = regexp.MustCompile(`\b(?:` +
		`(?:no|nadie) (?:me |nos |le |les |la |lo )?(?:quier[eo]n?|quiso|quisieron|quisieran) (?:atender(?:me|nos|le|la)?|recibir(?:me|nos|le|la))|(?:se niegan?|se nego|se negaron) a atender\w*|` +
		`(?:me|nos|la|lo|le) (?:trato|trataron|atendio|atendieron) (?:muy |bien |super |re)?(?:mal|feo|pesimo|como (?:a )?(?:un )?perros?|con groseria)|` +
		`(?:guardia|senorita|senora|senor|funcionari[oa]|licenciad[oa]|empleado|doctora?|medic[oa]) (?:me|nos) (?:grito|insulto|humillo|empujo)|` +
		`(?:guard|clerk|woman|man|lady|officer|employee|doctor) (?:shouted|yelled|screamed|swore) at (?:me|us)|(?:treated|spoke to) (?:me|us) (?:so |very )?(?:badly|rudely|like a dog)|` +
		`(?:nobody|no one) (?:wanted to|would) (?:serve|attend to|see|receive) (?:me|us)|(?:refused|did not want|didn't want) to (?:serve|attend to|see|receive) (?:me|us))\b`)
	// loggingIn finds that somebody cannot get in to their account, and says no more.
	loggingIn = regexp.MustCompile(`^(?:(?:hi|hello|hey|good (?:morning|afternoon|evening)|please|sorry|so|help|help me)[ ,.!]+)*` +
		`(?:i (?:can ?not|can't|cant|could not|couldn't|am not able to|am unable to)|i'm (?:not able|unable) to|(?:the (?:page|site|website|portal)|it|iess|my account) (?:does not|doesn't|doesnt|won't|wont|will not) let me|can't|cant|cannot|unable to) ` +
		`(?:log|sign|get) ?(?:in|on|into)(?:(?: to| into)? (?:my|the|my iess|the iess) ?(?:account|portal|site|website|page|user|iess)?)?(?: any ?more| please| at all| today)*[ .!]*$`)
)

// pressing finds that somebody has pressed the page's button, whatever they call that.
var pressing = clause(
	`(?:(?:ya|recien|yo|ahora) )*(?:le |lo |la )?(?:puse|di|toque|aplaste|presione|pulse|aprete|clique|clickee|marque|hundi|espiche|hice (?:clic|click)|di (?:clic|click))`+
		`(?: (?:en|a|al|el|la|sobre|donde dice|que|clic|click|boton|de))* (?:desbloque(?:ar|o)|unlock)(?: (?:de |la |mi |clave |iess ?|en la pagina ?)*)?`,
	`(?:i )?(?:have |already |just )*(?:put|pressed|hit|clicked|tapped|touched|pushed)(?: (?:on|the|button|it says))* (?:unlock|desbloquear)(?: (?:button|my key|on the page))*`,
)

// plainly is the meaning of a sentence that is plain, or "". Once a number was given, who cannot get in may mean their mail, or the
// portal with the new key.
func plainly(said string, p bot.Place) string {
	folded := bot.Fold(strings.ReplaceAll(said, "’", "'"))
	switch {
	case strings.ContainsAny(said, "?¿"):
	case complaining.MatchString(folded):
		return "complaint"
	case p.Is(LinkLives) && pressing.MatchString(strings.TrimRight(strings.ReplaceAll(folded, ",", ""), " .!")):
		return "pressed"
	case loggingIn.MatchString(folded) && !p.Is(NeedsNumber, InKey, AfterKey):
		return "unlock"
	}
	return ""
}
