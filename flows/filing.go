package flows

import (
	"regexp"
	"slices"
	"strings"

	"llave/bot"
	"llave/internal/affiliate"
)

// What is said of filing a complaint, between its parts: "sí, regístrela", "no falta nada", "espere, falta algo". It is no part of
// it. Such a message holds nothing but the words below: any other word is told.

// wordsOfFiling are what they say, each under the kind of word that it is.
var wordsOfFiling = map[string]*regexp.Regexp{
	"files":   regexp.MustCompile(`^(?:registr(?:e|a|ar|en)(?:me)?(?:l[ao])?|(?:envi|mand|ingres|present)(?:[ea](?:me)?l[ao]|arl[ao])|file|register|submit)$`),
	"leaves":  regexp.MustCompile(`^(?:(?:borr|dej|elimin|cancel|olvid|anul)(?:[ea](?:l[ao])?|emosl[ao]|arl[ao])|delete|erase|drop|forget)$`),
	"waits":   regexp.MustCompile(`^(?:esper[ea](?:me|se)?|esperate|momento|momentito|ratito|wait|moment)$`),
	"nothing": regexp.MustCompile(`^(?:nada|ningun[ao]|nothing|none)$`),
	"lacks":   regexp.MustCompile(`^(?:falta|faltan|falto|missing|add)$`),
	"enough":  regexp.MustCompile(`^(?:nomas|todo|solo|all|everything)$`),
	"no":      regexp.MustCompile(`^(?:no|nop|nope|nel|nah|not|dont)$`),
	"so":      regexp.MustCompile(`^(?:asi)$`),
	"yes":     regexp.MustCompile(`^(?:si|sip|claro|dale|correcto|perfecto|listo|bien|yes|yeah|yep|sure|fine|okay|ok|okey|vale)$`),
	"manners": regexp.MustCompile(`^(?:por|favor|porfa|porfavor|gracias|muchas|senorita|senora|senor|disculpe|perdon|oiga|bueno|ok|pues|entonces|ya|aun|todavia|y|un|una|` +
		`me|mi|la|lo|el|esta|este|esto|eso|esa|es|era|seria|queja|reclamo|cosa|algo|otra|mas|quiero|que|puede|mejor|tal|cual|como|ahora|nomas|asi|` +
		`please|thanks|thank|you|it|this|that|thats|is|the|my|complaint|now|then|well|just|so|more|else|anything|something|i|want|to|do|a)$`),
}

// mostOfFiling is how many words such a message has.
const mostOfFiling = 8

// clauses are apart by these signs: a "no" before one denies nothing behind it.
var clauses = regexp.MustCompile(`[,.;:!?¡¿\n]+`)

// ofFiling is what a message says of filing the complaint: "register", "rewrite", "drop", "ask_file" where nothing is missing,
// "ask_more" where something is, "drop_yes" or "drop_no" where it is asked whether to delete it; "" when it says something else, or there is no complaint. What is only agreed to is filed where that is asked.
func (f *flow) ofFiling(t *bot.Turn) string {
	if t.Update.Kind != bot.Text {
		return ""
	}
	said, named := filing(t.Text())
	switch {
	case said == "", named:
		return said
	case t.Slot(slotAnew) != "": // asked to send it again
		return "repeat"
	case t.Conv.Text == askedDrop && said == "register" && t.Says("word_nod") == "": // agrees, but to what? It is kept, and read again
		return "drop_no"
	case t.Conv.Text == askedDrop && said == "register":
		return "drop_yes"
	}
	return said
}

// filing is ofFiling of the words alone; named says that they name the deed.
func filing(text string) (said string, named bool) {
	text = strings.NewReplacer("no mas", "nomas", "'", "", "’", "").Replace(bot.Fold(text))
	has := map[string]bool{}
	denied := map[string]bool{} // kinds that a "no" stands before
	n := 0
	for _, clause := range clauses.Split(text, -1) {
		no := false
		for _, word := range strings.Fields(clause) {
			kinds := kindsOf(word)
			if n++; len(kinds) == 0 || n > mostOfFiling {
				return "", false
			}
			for _, kind := range kinds {
				has[kind] = true
				denied[kind] = denied[kind] || no
			}
			switch {
			case slices.Contains(kinds, "no"):
				no = true
			case !slices.Contains(kinds, "manners") || word == "eso" || word == "asi":
				no = false
			}
		}
	}
	switch {
	case has["files"] && denied["files"]:
		return "drop", true
	case has["files"]:
		return "register", true
	case has["leaves"] && denied["leaves"]:
		return "ask_file", true
	case has["leaves"]:
		return "drop", true
	case has["waits"]:
		return "ask_more", false
	case has["nothing"], has["lacks"] && denied["lacks"]:
		return "ask_file", false
	case has["lacks"]:
		return "ask_more", false
	case has["enough"]:
		return "ask_file", false
	case has["no"] && has["so"]:
		return "rewrite", false
	case has["no"]:
		return "drop", false
	case has["yes"]:
		return "register", false
	}
	return "", false
}

// kindsOf are the kinds of a word; none for a word that tells something.
func kindsOf(word string) (kinds []string) {
	for kind, re := range wordsOfFiling {
		if re.MatchString(word) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// What is only the wish to complain, told with no word of what happened.
var (
	wordsOfWish = regexp.MustCompile(`^(?:hola|buen[oa]s?|dias|tardes|noches|oiga|disculpe|senorit[ao]|senora?|por|favor|porfa|gracias|quiero|quisiera|queria|deseo|deseaba|necesito|` +
		`vengo|voy|puedo|podria|puede|ayud\w*|gustaria|me|a|al|de|del|la|el|las|los|lo|un|una|mi|en|con|para|que|como|donde|cuando|cual|quien|es|se|le|y|o|si|no|aqui|ahora|hoy|ya|` +
		`hacer|hago|hace|poner|pongo|pone|presentar|presento|presenta|presentarle|dejar|dejo|meter|meto|ingresar|ingreso|registrar|formular|interponer|enviar|escribir|` +
		`queja\w*|quej\w+|reclam\w*|denunci\w*|inconform\w*|formal|urgente|otra|libro|buzon|iess|` +
		`hi|hello|please|i|want|would|like|need|can|could|to|how|do|where|the|make|file|put|in|submit|complain\w*|your|you|about|of|it|here|now|sir|madam)$`)
	fewToTell = 1 // words besides those
)

// tellsMore says whether a wish to complain tells what happened too.
func tellsMore(said string) bool {
	more := 0
	for _, word := range strings.FieldsFunc(bot.Fold(said), func(r rune) bool { return strings.ContainsRune(" \n\t¿?¡!.,;:()\"'", r) }) {
		if !wordsOfWish.MatchString(word) {
			more++
		}
	}
	return more >= fewToTell
}

// tells takes a wish to complain that tells what happened for the first part of the complaint.
func (f *flow) tells(t *bot.Turn) {
	if t.Update.Kind == bot.Text && t.Choice() == "" && tellsMore(t.Text()) && t.Says("complaint") == "" {
		f.gather(t)
	}
}

// keepsTold keeps what may be the first part of a complaint while it is asked what was meant.
func (f *flow) keepsTold(t *bot.Turn) {
	if t.Update.Kind == bot.Text && tellsMore(t.Text()) {
		f.keeps(t, slotFirst, t.Update.MessageID+partEnd+affiliate.MaskAll(strings.TrimSpace(t.Text()), f.codesIn(t, t.Text())...))
	}
}

// takesTold takes it, once a complaint was meant, unless its message says just that now.
func (f *flow) takesTold(t *bot.Turn, told string) {
	if id, text, ok := strings.Cut(told, partEnd); ok && (id == "" || id != t.Update.MessageID) {
		f.takes(t, complaintPart{id, text})
	}
}
