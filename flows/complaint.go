package flows

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"llave/bot"
	"llave/internal/affiliate"
)

// A complaint is gathered from as many messages as people write it in, read back, and filed only once they say so (P125). Until
// then its parts lie in the conversation, masked and sealed. A question about it, a wish that is something else, and a number
// alone are no part of it.

// The events of a complaint.
const (
	WantsComplaint    bot.Event = "WantsComplaint"
	TooManyComplaints bot.Event = "TooManyComplaints" // before it was written
	ComplaintGathered bot.Event = "ComplaintGathered"
	ComplaintFull     bot.Event = "ComplaintFull" // the last message is no part of it any more
	ComplaintAnew     bot.Event = "ComplaintAnew"
	ComplaintDropped  bot.Event = "ComplaintDropped"
	Complained        bot.Event = "Complained"
	ComplaintNotFiled bot.Event = "ComplaintNotFiled" // this chat has filed too many
	AskedOfComplaint  bot.Event = "AskedOfComplaint"
	NumberInComplaint bot.Event = "NumberInComplaint"
	ComplaintFirst    bot.Event = "ComplaintFirst" // something else is wanted, and a complaint is not filed yet
)

// slotComplaint is the complaint that is being written: its parts, masked, and sealed together.
const slotComplaint = "complaint"

// How much of a complaint is taken.
const (
	shortestComplaint = 4  // runes of a part that says anything
	complaintParts    = 20 // messages
	complaintRunes    = tooLong
	complaintShown    = 700 // runes that are read back: the beginning and the end of a longer one
	partEnd           = "\x1e"
	complaintLabel    = "complaint" // of the vault; changing it orphans what is being written
)

// complains says whether a message is a part of a complaint and nothing else.
func (f *flow) complains(t *bot.Turn) bool {
	return t.Place().Is(bot.FreeText) && t.Choice() == "" && isComplaint(t) && t.Says(globalWords...) == "" && t.Says("slow") == "" &&
		affiliate.ParseNumber(t.Text(), f.parsing(t)).Verdict != affiliate.SecretGiven
}

// isComplaint says whether there is enough to be a part of one.
func isComplaint(t *bot.Turn) bool {
	return t.Update.Kind == bot.Text && utf8.RuneCountInString(strings.TrimSpace(t.Text())) >= shortestComplaint
}

// parts are what was written of a complaint so far.
func (f *flow) parts(t *bot.Turn) []string {
	text, err := f.Vault.Open(complaintLabel, t.Slot(slotComplaint))
	if err != nil || text == "" {
		return nil
	}
	return strings.Split(text, partEnd)
}

// complaint is what would be filed, or "". A number that was typed in two messages is masked here.
func (f *flow) complaint(t *bot.Turn) string {
	return affiliate.MaskAll(strings.Join(f.parts(t), "\n"))
}

// gather takes a message as a part of the complaint; false when there is no room for it.
func (f *flow) gather(t *bot.Turn) bool {
	parts := append(f.parts(t), affiliate.MaskAll(strings.TrimSpace(t.Text())))
	all := strings.Join(parts, partEnd)
	if len(parts) > complaintParts || utf8.RuneCountInString(all) > complaintRunes {
		return false
	}
	t.Remember(slotComplaint, f.Vault.Seal(complaintLabel, all))
	return true
}

// readComplaint is the complaint as it is read back.
func (f *flow) readComplaint(t *bot.Turn) string {
	text := f.complaint(t)
	runes := []rune(text)
	if len(runes) <= complaintShown {
		return text
	}
	half := complaintShown / 2
	return string(runes[:half]) + " […] " + string(runes[len(runes)-half:])
}

// hearComplaint hears somebody who writes a complaint, or was read what they have written.
func (f *flow) hearComplaint(_ context.Context, t *bot.Turn) (bot.Event, error) {
	switch t.Choice() {
	case "register":
		return f.files(t), nil
	case "rewrite":
		t.Forget(slotComplaint)
		return ComplaintAnew, nil
	case "drop":
		t.Forget(slotComplaint)
		return ComplaintDropped, nil
	}
	if !isComplaint(t) {
		return "", nil
	}
	if ev := f.noComplaint(t); ev != "" {
		return ev, nil
	}
	if at := f.complaintsRetryAt(t); !at.IsZero() && f.complaint(t) == "" {
		t.Say("when", waiting(t, at))
		return ComplaintNotFiled, nil
	}
	if !f.gather(t) {
		return ComplaintFull, nil
	}
	return ComplaintGathered, nil
}

// files files the complaint, under a number that the person is told.
func (f *flow) files(t *bot.Turn) bot.Event {
	text := f.complaint(t)
	if text == "" {
		return ComplaintAnew
	}
	if at := f.complaintsRetryAt(t); !at.IsZero() {
		t.Say("when", waiting(t, at))
		return ComplaintNotFiled
	}
	t.Forget(slotComplaint)
	t.Conv.Filed = append(t.Conv.Filed, t.Now)
	ref := t.Ref("Q")
	t.Say("ref", saidRef(t, ref))
	t.Promise(bot.Promise{What: bot.KeepFile{Topic: "complaint", Ref: ref, Conv: t.Conv.ID, Body: text}})
	f.announce(t, bot.ToldComplaint, ref)
	return Complained
}

// What is no part of a complaint is found by its words first, and the model is asked of few and short ones alone: it knows what people
// come for, and a complaint is about just that. Whatever is in doubt belongs to the complaint: it is read back.
var (
	// askingOfIt finds a question about the complaint itself.
	askingOfIt = regexp.MustCompile(`^(?:(?:y|pero|oiga|disculpe|perdon|senor\w*|and|but|sorry) )*(?:` +
		`(?:a |por |con )?quien(?:es)? (?:me |la |lo |va a |van a )*(?:le[ea]n?|leer\w*|v[ea]n?|ver\w*|revisa\w*|recib\w*|atiende\w*|contesta\w*|responde\w*|resuelve\w*) ?(?:esto|esta queja|la queja|mi queja|lo que escribo|aqui|este chat)?|` +
		`(?:cuando|en cuanto tiempo|en cuantos dias|cuanto (?:se )?(?:tarda|demora)n?) (?:me |la |lo |en |van a )*(?:respond\w*|contest\w*|resuelv\w*|resolver\w*|respuesta)|` +
		`(?:a |hacia )?(?:donde|adonde) (?:va|llega|se va|envian|mandan|pregunto|averiguo)(?: (?:esto|esta queja|la queja|mi queja|por la queja|por mi queja))?|` +
		`para que sirve(?: (?:esto|la queja))?|sirve de algo(?: (?:esto|la queja))?|que (?:pasa|hacen) con (?:esto|la queja|mi queja)|(?:esto )?es anonim[oa]|me (?:van a )?(?:responde\w*|contesta\w*)|` +
		`who (?:will )?(?:reads?|sees?|gets?|answers?) (?:this|it|my complaint|the complaint)|when (?:do|will) (?:i|you|they) (?:get an answer|answer|reply)|where does (?:this|it|my complaint) go|is (?:this|it) anonymous` +
		`)$`)
	// askingHow finds that somebody does not know what to write.
	askingHow = regexp.MustCompile(`^(?:(?:y|pero|disculpe|perdon|and|but|sorry) )*(?:(?:que|como) (?:escribo|pongo|digo|hago|debo|tengo que|la escribo|lo escribo|la pongo|lo pongo)(?: \w+){0,3}|` +
		`no se (?:que|como) (?:escribir|poner|decir|hacer)\w*(?: \w+){0,2}|no (?:le |lo )?(?:entiendo|entendi|comprendo)(?: (?:que|como|nada|esto|bien|muy bien|lo que \w+|que \w+))*|` +
		`what (?:do|should) i (?:write|type|say)(?: \w+){0,2}|i (?:do not|dont|don't) (?:understand|know what to (?:write|say))(?: \w+){0,2})$`)
	// wanting finds the beginning of a wish.
	wanting = regexp.MustCompile(`^(?:(?:hola|mejor|ya|por favor|please) )*(?:(?:quiero|quisiera|deseo|necesito|vengo a|puedo|i want|i need|i would like|can i)\b|(?:desbloque\w*|generar|recuperar|unlock)\b)`)
	// telling finds that a wish goes on to tell what happened.
	telling = regexp.MustCompile(`\b(?:no|ni|nunca|pero|y|porque|que|desde|hace|but|not|never|and|because|since)\b`)
)

// mostWish is how many words a wish has that is taken for one in the middle of a complaint.
const mostWish = 8

// wishesElse are the meanings of what is wanted instead of a complaint, and their labels.
var wishesElse = map[string]string{"unlock": "unlock", "generate": "generate", "forgot_again": "generate", "office": "in_person", "own_data": "my_data"}

// noComplaint hears what is no part of a complaint though it was written where one is: a number alone, a question about the
// complaint, not knowing what to write, and a wish for something else.
func (f *flow) noComplaint(t *bot.Turn) bot.Event {
	if f.triesNumber(t) {
		r := affiliate.ParseNumber(t.Text(), f.parsing(t))
		around := strings.Replace(bot.Fold(t.Text()), bot.Fold(r.Code), "", 1)
		if !letter.MatchString(labelOfNumber.ReplaceAllString(around, "")) {
			f.cleans(t, r)
			return NumberInComplaint
		}
	}
	said := strings.Join(strings.FieldsFunc(bot.Fold(t.Text()), func(r rune) bool { return strings.ContainsRune(" \n\t¿?¡!.,;:", r) }), " ")
	switch {
	case askingOfIt.MatchString(said):
		return AskedOfComplaint
	case askingHow.MatchString(said):
		return f.rewords(t)
	}
	if answer := f.asksElse(t, said); answer != "" {
		return bot.Event(answer)
	}
	label := f.wantsElse(t, said)
	switch {
	case label == "":
		return ""
	case f.complaint(t) != "":
		return ComplaintFirst
	}
	return f.wish(t, label)
}

// questions are what is asked in the middle of a complaint without being a part of it: of the service, not of what happened.
var questions = []string{"cost", "hours", "contact", "law", "legit", "bot"}

// asking finds a question.
var asking = regexp.MustCompile(`^(?:a |en |de )?(?:cuanto|cual|que|quien|donde|como|cuando|es|son|usted es|tiene|hay|how|what|which|who|where|when|is|are|do|does)\b`)

// asksElse is the text that answers a short question about the service, or "".
func (f *flow) asksElse(t *bot.Turn, said string) string {
	if len(strings.Fields(said)) > mostWish || !strings.ContainsAny(t.Text(), "?¿") || !asking.MatchString(said) {
		return ""
	}
	guesses := f.read(t)
	if len(guesses) == 0 || guesses[0].confidence < grave || !slices.Contains(questions, guesses[0].meaning) || !isText(guesses[0].answer) {
		return ""
	}
	return guesses[0].answer
}

// wantsElse is the label of what is wanted instead of a complaint, or "".
func (f *flow) wantsElse(t *bot.Turn, said string) string {
	if len(strings.Fields(said)) > mostWish || !wanting.MatchString(said) || telling.MatchString(said) {
		return ""
	}
	if label := t.Says("unlock", "generate", "in_person", "my_data"); label != "" {
		return label
	}
	guesses := f.read(t)
	if len(guesses) == 0 || guesses[0].confidence < surely {
		return ""
	}
	return wishesElse[guesses[0].meaning]
}

var (
	letter        = regexp.MustCompile(`\p{L}`)
	labelOfNumber = regexp.MustCompile(`\b(?:mi|el|la|es|de|soy|con|c|i|ci|cc|id|cedula|numero|nro|num|no|ruc|codigo|extranjer[oa]|code|identidad|my|number|is)\b`)
)

// complaintsRetryAt keeps the limits of complaints of a chat; zero means that one may be filed now.
func (f *flow) complaintsRetryAt(t *bot.Turn) (at time.Time) {
	c := t.Conv
	c.Filed = slices.DeleteFunc(c.Filed, func(filed time.Time) bool { return t.Now.Sub(filed) >= 24*time.Hour })
	later := func(most int, in time.Duration) {
		if most <= 0 || len(c.Filed) < most {
			return
		}
		if free := c.Filed[len(c.Filed)-most].Add(in); free.After(t.Now) && free.After(at) {
			at = free
		}
	}
	later(f.Limits.ComplaintsHour, time.Hour)
	later(f.Limits.ComplaintsDay, 24*time.Hour)
	return at
}
