package flows

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"llave/bot"
	"llave/internal/affiliate"
)

// A complaint is gathered from as many messages as people write it in, read back, and filed only once they say so (P125). Until
// then its parts lie in the conversation, masked and sealed, each under the channel's name for its message: an edit takes the
// place of what the message said. A question about it, a wish that is something else, what is said of filing it, and a number
// alone are no part of it. Nothing that is only typed destroys it at once.

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
	ComplaintAdded    bot.Event = "ComplaintAdded" // after it was left
	ComplaintFirst    bot.Event = "ComplaintFirst" // something else is wanted, and a complaint is not filed yet

	ComplaintTold      bot.Event = "ComplaintTold"      // the wish to complain told what happened
	ComplaintRewritten bot.Event = "ComplaintRewritten" // written anew, and the old one is kept until one is filed
	ComplaintMended    bot.Event = "ComplaintMended"    // by an edit, while something else is asked
	ComplaintThing     bot.Event = "ComplaintThing"     // a picture without words
	AskedDrop          bot.Event = "AskedDrop"          // it was said, not pressed, that it is not to be filed
	AskedFile          bot.Event = "AskedFile"          // nothing is missing
	AskedMore          bot.Event = "AskedMore"          // something is
	ComplainedThen     bot.Event = "ComplainedThen"     // filed, and what was wanted meanwhile, or became of the link, is asked next
	DroppedThen        bot.Event = "DroppedThen"
	AskedMenuUnfiled   bot.Event = "AskedMenuUnfiled"
)

// The slots of a complaint.
const (
	slotComplaint = "complaint"        // the one that is being written: its parts, masked, and sealed together
	slotOld       = "complaint_old"    // the one that it was before it was written anew
	slotAnew      = "complaint_anew"   // the next words take the place of the parts there were then: their number, and one
	slotFirst     = "complaint_first"  // sealed: what may have been the first part, while it is asked what was meant
	slotNext      = "complaint_next"   // label of what was wanted before the complaint was filed
	slotMeanwhile = "meanwhile"        // the state that leads on from what became of a link while a complaint was written
	slotUnfiled   = "unfiled"          // one was forgotten with the conversation, which is not said yet
	slotUnread    = "complaint_unread" // something of it was not read back yet
	slotGoingOn   = "complaint_on"     // it was left in the middle: until which question more may follow, and what took its place

	partIDs = "_ids" // after the name of a slot: the channel's names for the messages of its parts
)

// How much of a complaint is taken.
const (
	shortestComplaint = 4  // runes of a part that says anything
	complaintParts    = 20 // messages
	complaintRunes    = tooLong
	complaintShown    = 700 // runes that are read back: the beginning and the end of a longer one
	partEnd           = "\x1e"
)

// complains says whether a message is a part of a complaint and nothing else.
func (f *flow) complains(t *bot.Turn) bool {
	return t.Place().Has(ComplaintThing) && t.Choice() == "" && f.isComplaint(t) && t.Says(globalWords...) == "" && t.Says("slow") == "" &&
		f.ofFiling(t) == "" && f.reading(t).Verdict != affiliate.SecretGiven
}

// isComplaint says whether there is enough to be a part of one: where one is begun, any word, or a number that is on no button; in one
// breath with another part, anything.
func (f *flow) isComplaint(t *bot.Turn) bool {
	if t.Update.Kind != bot.Text {
		return false
	}
	said := strings.TrimSpace(t.Text())
	return utf8.RuneCountInString(said) >= shortestComplaint || f.begun(t) && (letter.MatchString(said) || amount.MatchString(said) || t.AfterPart())
}

// amount is more digits than a button is chosen by.
var amount = regexp.MustCompile(`\d\d`)

// begun says whether something is written of a complaint that is to go on.
func (f *flow) begun(t *bot.Turn) bool { return t.Slot(slotComplaint) != "" && t.Slot(slotAnew) == "" }

// complaintPart is what one message says of a complaint.
type complaintPart struct{ id, text string }

// parts are what was written of a complaint so far. A version that knew no ids kept none.
func (f *flow) parts(t *bot.Turn) (parts []complaintPart) {
	text, err := f.kept(t, slotComplaint)
	if err != nil || text == "" {
		return nil
	}
	texts, ids := strings.Split(text, partEnd), strings.Split(t.Slot(slotComplaint+partIDs), partEnd)
	for i, text := range texts {
		p := complaintPart{text: text}
		if len(ids) == len(texts) {
			p.id = ids[i]
		}
		parts = append(parts, p)
	}
	return parts
}

// keepParts keeps them, if there is room; none are no complaint.
func (f *flow) keepParts(t *bot.Turn, parts []complaintPart) bool {
	var texts, ids []string
	for _, p := range parts {
		texts, ids = append(texts, p.text), append(ids, p.id)
	}
	if !fits(parts) {
		return false
	}
	t.Forget(slotComplaint, slotComplaint+partIDs, slotUnread)
	if len(parts) > 0 {
		t.Remember(slotUnread, "1")
		f.keeps(t, slotComplaint, strings.Join(texts, partEnd))
		t.Remember(slotComplaint+partIDs, strings.Join(ids, partEnd))
	}
	return true
}

// fits says whether there is room for parts.
func fits(parts []complaintPart) bool {
	runes := len(parts) - 1
	for _, p := range parts {
		runes += utf8.RuneCountInString(p.text)
	}
	return len(parts) <= complaintParts && runes <= complaintRunes
}

// partOf is which part the message is that the update is, or changes; -1 for none.
func (f *flow) partOf(t *bot.Turn) int {
	id := t.Update.MessageID
	return slices.IndexFunc(f.parts(t), func(p complaintPart) bool { return p.id != "" && p.id == id })
}

// thingNamed is how a part begins that stood under something.
var thingNamed = regexp.MustCompile(`^\([\p{L} ]+\)(?: |$)`)

// complaint is what would be filed, or "". A number that was typed in two messages is masked here, under a picture too: for that a mark
// that no mask sees stands for what a part stood under.
func (f *flow) complaint(t *bot.Turn) string {
	const mark = '\ue000' // and those behind it, in the private use area
	var texts, marks []string
	for i, p := range f.parts(t) {
		name := thingNamed.FindString(p.text)
		texts = append(texts, string(mark+rune(i))+p.text[len(name):])
		marks = append(marks, string(mark+rune(i)), name)
	}
	return strings.NewReplacer(marks...).Replace(affiliate.MaskAll(strings.Join(texts, "\n")))
}

// gather takes a message as a part of the complaint, or in place of what it said before; false when there is no room for it. Of pieces
// that are heard as one sentence, each is a part by itself: an edit of one leaves the others.
func (f *flow) gather(t *bot.Turn) bool {
	text := strings.TrimSpace(t.Text())
	if earlier, own := t.Earlier(), strings.TrimSpace(t.Own()); len(earlier) > 0 && own != "" {
		if before, ok := strings.CutSuffix(text, own); ok && strings.TrimSpace(before) != "" {
			f.keepParts(t, slices.DeleteFunc(f.parts(t), func(p complaintPart) bool { return slices.Contains(earlier, p.id) })) // it holds those
			said := t.EarlierSaid()
			if len(said) != len(earlier) || strings.Join(said, " ") != strings.TrimSpace(before) {
				earlier, said = earlier[len(earlier)-1:], []string{before}
			}
			for i, id := range earlier {
				if !f.takes(t, complaintPart{id, affiliate.MaskAll(strings.TrimSpace(said[i]), f.codesIn(t, said[i])...)}) {
					return false
				}
			}
			text = own
		}
	}
	if thing := t.Thing(); thing != "" {
		text = strings.TrimSpace(noted(thing) + " " + text)
	}
	return f.takes(t, complaintPart{t.Update.MessageID, affiliate.MaskAll(text, f.codesIn(t, text)...)})
}

// takes is gather for a part. Where it was asked for anew, words take the place of what there was then; a picture without any waits
// for them, and an edit of what there was mends that.
func (f *flow) takes(t *bot.Turn, p complaintPart) bool {
	parts := f.parts(t)
	since := anewSince(t, parts)
	i := slices.IndexFunc(parts, func(was complaintPart) bool { return was.id != "" && was.id == p.id })
	if i < 0 {
		i, parts = len(parts), append(parts, p)
	}
	parts[i] = p
	anew := t.Slot(slotAnew) != "" && i >= since
	switch {
	case anew && isThing(p):
		return f.keepParts(t, parts)
	case anew && !fits(parts[since:]):
		return false
	case anew:
		f.keepParts(t, parts[:since])
		f.moveParts(t, slotComplaint, slotOld)
		parts = parts[since:]
	}
	if !f.keepParts(t, parts) {
		return false
	}
	t.Forget(slotAnew)
	return true
}

// noted is what a part says of a thing that came.
func noted(thing string) string { return "(" + thing + ")" }

// isThing says whether a part is one of the things that are noted without words.
func isThing(p complaintPart) bool {
	languages, err := readLanguages()
	return err == nil && slices.ContainsFunc(manyAtOnce, func(name string) bool { return p.text == noted(languages[0].Texts["thing."+name].Text) })
}

// tellsSomething says whether there are words in the complaint, so that somebody could read what it is about.
func (f *flow) tellsSomething(t *bot.Turn) bool {
	return slices.ContainsFunc(f.parts(t), func(p complaintPart) bool { return !isThing(p) })
}

// anewSince is how many parts there were when it was asked for anew. A version that noted no number took nothing since.
func anewSince(t *bot.Turn, parts []complaintPart) int {
	if n := number(t, slotAnew) - 1; n > 0 {
		return min(n, len(parts))
	}
	return len(parts)
}

// moveParts has the parts of one slot be those of another.
func (f *flow) moveParts(t *bot.Turn, from, to string) {
	f.moves(t, from, to)
	ids := t.Slot(from + partIDs)
	t.Forget(from+partIDs, to+partIDs)
	if ids != "" {
		t.Remember(to+partIDs, ids)
	}
}

// restores has the complaint that there was before this one be the one that is written. Who typed it finds this one in its place.
func (f *flow) restores(t *bot.Turn) {
	if t.Slot(slotOld) == "" {
		return
	}
	is, err := f.kept(t, slotComplaint)
	ids := t.Slot(slotComplaint + partIDs)
	f.moveParts(t, slotOld, slotComplaint)
	t.Forget(slotAnew)
	if err == nil && t.Update.Kind != bot.Press {
		f.keeps(t, slotOld, is)
		t.Remember(slotOld+partIDs, ids)
	}
}

// dropComplaint forgets what was written.
func dropComplaint(t *bot.Turn) {
	t.Forget(slotComplaint, slotComplaint+partIDs, slotOld, slotOld+partIDs, slotAnew, slotUnread, slotGoingOn)
}

// readComplaint is the complaint as it is read back.
func (f *flow) readComplaint(t *bot.Turn) string {
	t.Forget(slotUnread)
	text := f.complaint(t)
	runes := []rune(text)
	if len(runes) <= complaintShown {
		return text
	}
	half := complaintShown / 2
	return string(runes[:half]) + " […] " + string(runes[len(runes)-half:])
}

// readsComplaint reads the complaint back, after what was done to it.
func readsComplaint(t *bot.Turn) bot.Event {
	if t.Slot(slotOld) != "" {
		return ComplaintRewritten
	}
	return ComplaintGathered
}

// hearComplaint hears somebody who writes a complaint, or was read what they have written.
func (f *flow) hearComplaint(_ context.Context, t *bot.Turn) (bot.Event, error) {
	if t.Update.Changed && f.partOf(t) >= 0 {
		return f.mends(t), nil
	}
	said, choice := f.ofFiling(t), t.Choice()
	if t.Update.Kind != bot.Press && f.saidInBreath(t) {
		said, choice = "", ""
	}
	switch none := f.complaint(t) == ""; {
	case none && choice == "" && said == "drop":
		choice = "drop" // nothing is lost
	case said == "repeat" && choice == "":
		choice = said
	case none && choice == "" && said != "": // said of what is not there
		return "", nil
	case t.Update.Kind == bot.Press:
	case choice == "":
		choice = said
	case choice == "drop" && said != "":
		choice = said
	}
	if choice == "drop" && t.Update.Kind != bot.Press && f.complaint(t) != "" {
		choice = "ask_drop"
	}
	if said != "" {
		mayTellMore(t, choice)
	}
	switch choice {
	case "register", "register_it":
		return f.files(t), nil
	case "rewrite":
		t.Remember(slotAnew, strconv.Itoa(len(f.parts(t))+1))
		return ComplaintAnew, nil
	case "restore":
		f.restores(t)
		return readsComplaint(t), nil
	case "drop", "drop_yes":
		dropComplaint(t)
		return f.goesOn(t, ComplaintDropped, DroppedThen), nil
	case "drop_no":
		return readsComplaint(t), nil
	case "ask_drop":
		return AskedDrop, nil
	case "ask_file":
		if t.Slot(slotUnread) != "" {
			return readsComplaint(t), nil
		}
		return AskedFile, nil
	case "ask_more":
		return AskedMore, nil
	case "repeat":
		return AskedRepeat, nil
	}
	if !f.isComplaint(t) {
		return "", nil
	}
	if ev := f.noComplaint(t); ev != "" {
		return ev, nil
	}
	if at := f.complaintsRetryAt(t); !at.IsZero() && f.complaint(t) == "" {
		t.Say("when", waiting(t, at))
		return ComplaintNotFiled, nil
	}
	t.Part()
	unread := t.Slot(slotUnread)
	switch {
	case !f.gather(t):
		return ComplaintFull, nil
	case f.numberInParts(t):
		return f.tookNumber(t, unread), nil
	}
	return readsComplaint(t), nil
}

// saidInBreath says whether words that came in one breath with a part of the complaint belong to it, though elsewhere they would be
// an answer: nobody has read yet what they would answer. So do those that go on with some. Only who names the deed means it.
func (f *flow) saidInBreath(t *bot.Turn) bool {
	goesOn := len(t.Earlier()) > 0 && yesOrNo(t.Own()) == "" && t.Means(t.Own(), "word_thanks") == "" // "no", "me"
	if !t.AfterPart() && !goesOn || !f.begun(t) || t.Update.Kind != bot.Text {
		return false
	}
	_, named := filing(t.Text())
	return !named
}

// mayTellMore says that what was said of filing may be the beginning of what happened, where nothing is filed for it: "no", "me
// atendieron". Who thanks or names the deed means it.
func mayTellMore(t *bot.Turn, choice string) {
	if !slices.Contains([]string{"drop", "ask_drop", "drop_no", "ask_file", "ask_more", "repeat"}, choice) {
		return
	}
	words := strings.Fields(bot.Fold(t.Text()))
	if _, named := filing(t.Text()); !named && t.Means(words[len(words)-1], "word_thanks") == "" {
		t.Piece()
	}
}

// mends takes an edit in place of what its message said of the complaint; a number alone is taken out of it.
func (f *flow) mends(t *bot.Turn) bot.Event {
	unread := t.Slot(slotUnread)
	if f.numberAlone(t) {
		i := f.partOf(t)
		f.keepParts(t, slices.Delete(f.parts(t), i, i+1))
		return f.tookNumber(t, t.Slot(slotUnread)) // what is left may read otherwise
	}
	t.Part()
	switch {
	case !f.gather(t):
		return ComplaintFull
	case f.numberInParts(t):
		return f.tookNumber(t, unread)
	}
	return readsComplaint(t)
}

// tookNumber says that a number was taken out of the complaint, of which something else was not read back yet or was.
func (f *flow) tookNumber(t *bot.Turn, unread string) bot.Event {
	if unread == "" {
		t.Forget(slotUnread)
	}
	if !f.tellsSomething(t) { // there is nothing to file
		t.Enter(t.Leads(t.Conv.State, WantsComplaint))
		t.Ask(t.Place().Ask)
	}
	return NumberInComplaint
}

// numberInParts hears a number that nothing is told with in the last parts of a complaint, the newest of which the update is or changes:
// their messages are deleted, and they are not kept.
func (f *flow) numberInParts(t *bot.Turn) bool {
	parts := f.parts(t)
	texts := ""
	for i, p := range slices.Backward(parts) {
		text := p.text[len(thingNamed.FindString(p.text)):]
		if !digitsAlone(text) {
			return false
		}
		texts = strings.TrimSpace(text + " " + texts)
		if masked := affiliate.MaskAll(texts); masked == texts || len(parts)-i < 2 {
			continue
		}
		f.takesOut(t, parts, i)
		return true
	}
	return false
}

// digitsAlone says whether there are digits in a text and nothing else, but for what says that they are a number.
func digitsAlone(text string) bool {
	return digitsOrMask.MatchString(text) && !letter.MatchString(labelOfNumber.ReplaceAllString(bot.Fold(text), ""))
}

// takesOut takes the parts from the i-th on out of a complaint, and their messages out of the chat. What they stood under stays named.
func (f *flow) takesOut(t *bot.Turn, parts []complaintPart, i int) {
	kept := slices.Clone(parts[:i])
	for _, p := range parts[i:] {
		if name := thingNamed.FindString(p.text); name != "" {
			kept = append(kept, complaintPart{p.id, strings.TrimSpace(name)})
		}
		if p.id != "" && f.Erasing(t.Update.Channel) == Deleted {
			t.Promise(bot.Promise{ID: t.Key() + "/" + string(bot.PromiseDelete) + "/" + p.id, What: bot.Delete{MessageID: p.id}})
		}
	}
	f.keepParts(t, kept)
	t.Say("remains", when(f.Erasing(t.Update.Channel) == Remains, t.Wording("number.keep")))
}

// files files the complaint, under a number that the person is told.
func (f *flow) files(t *bot.Turn) bot.Event {
	text := f.complaint(t)
	switch _, named := filing(t.Text()); {
	case !f.tellsSomething(t):
		return WantsComplaint
	case t.Slot(slotUnread) != "" && !named: // they could not know what it says
		return readsComplaint(t)
	}
	if at := f.complaintsRetryAt(t); !at.IsZero() {
		t.Say("when", waiting(t, at))
		return ComplaintNotFiled
	}
	dropComplaint(t)
	t.Conv.Filed = append(t.Conv.Filed, t.Now)
	ref := t.Ref("Q")
	t.Say("ref", saidRef(t, ref))
	t.Promise(bot.Promise{What: bot.KeepFile{Topic: "complaint", Ref: ref, Conv: t.Conv.ID, Body: text}})
	f.announce(t, bot.ToldComplaint, ref)
	return f.goesOn(t, Complained, ComplainedThen)
}

// goesOn ends a complaint: with [rest], in the menu; or with [then], where what was wanted before it was filed is asked, or what to
// do about a link that ended meanwhile.
func (f *flow) goesOn(t *bot.Turn, rest, then bot.Event) bot.Event {
	var to bot.State
	next, ended := t.Slot(slotNext), linkOver(t)
	t.Forget(slotNext, slotMeanwhile)
	if next != "" {
		to = t.Leads(t.Conv.State, f.wish(t, next))
	} else if ended != "" {
		to = ended
	}
	if t.PlaceOf(to).Ask == "" {
		return rest
	}
	t.Enter(t.Leads(t.Conv.State, AskedMenu))
	t.Conv.Back = slices.DeleteFunc(slices.Clone(t.Conv.Back), func(s bot.State) bool { return t.PlaceOf(s).Is(bot.FreeText) })
	t.Enter(to)
	t.Ask(t.Place().Ask)
	return then
}

// endsMeanwhile notes what became of a link while a complaint is written, which is said afterwards: it leads to where [ev] does.
func endsMeanwhile(t *bot.Turn, ev bot.Event) {
	if t.Place().Is(bot.FreeText) && t.Slot(slotRecord) != "" {
		t.Remember(slotMeanwhile, string(t.Leads(t.Conv.State, ev)))
	}
}

// linkOver is the state that leads on from a link that ended while a complaint was written, which was not said yet; or "".
func linkOver(t *bot.Turn) bot.State {
	if _, lives := linkEnds(t); lives || t.Slot(slotRecord) == "" || t.Slot(slotUsed) != "" {
		return ""
	}
	return bot.State(t.Slot(slotMeanwhile))
}

// meanwhile says so to who leaves the complaint unfiled, after a blank.
func meanwhile(t *bot.Turn) string {
	return when(linkOver(t) != "", " "+t.Wording("complaint.link_over"))
}

// What is no part of a complaint is found by its words first, and the model is asked of few and short ones alone: it knows what people
// come for, and a complaint is about just that. Whatever is in doubt belongs to the complaint: it is read back.
var (
	// askingOfIt finds a question about the complaint itself.
	askingOfIt = regexp.MustCompile(`^(?:(?:y|pero|oiga|disculpe|perdon|senor\w*|and|but|sorry) )*(?:` +
		`(?:a |por |con )?quien(?:es)? (?:me |la |lo |va a |van a )*(?:le[ea]n?|leer\w*|v[ea]n?|ver\w*|revisa\w*|recib\w*|atiende\w*|contesta\w*|responde\w*|resuelve\w*) ?(?:esto|esta queja|la queja|mi queja|lo que escribo|aqui|este chat)?|` +
		`(?:cuando|en cuanto tiempo|en cuantos dias|(?:en )?cuanto(?:s dias| tiempo)? (?:se )?(?:tarda|demora)n?) (?:me |la |lo |en |van a |dar |una )*(?:respond\w*|contest\w*|resuelv\w*|resolver\w*|respuesta)|` +
		`(?:y )?(?:esto |la queja )?(?:queda|va|sale|aparece) (?:con )?mi nombre|(?:van a )?saben? quien (?:soy|la puso|se quejo)|me (?:pueden?|van a) (?:despedir|botar|echar|sancionar|hacer algo) por (?:esto|quejarme|la queja)|` +
		`me puede (?:pasar algo|traer problemas)(?: por (?:esto|la queja))?|(?:esto )?(?:tiene|trae) (?:consecuencias|problemas)|(?:will i|can they) (?:be fired|fire me)(?: for this)?|does (?:it|this) have my name|` +
		`(?:a |hacia )?(?:donde|adonde) (?:va|llega|se va|envian|mandan|pregunto|averiguo)(?: (?:esto|esta queja|la queja|mi queja|por la queja|por mi queja))?|` +
		`para que sirve(?: (?:esto|la queja))?|sirve de algo(?: (?:esto|la queja))?|que (?:pasa|hacen) con (?:esto|la queja|mi queja)|(?:esto )?es anonim[oa]|me (?:van a )?(?:responde\w*|contesta\w*)|` +
		`who (?:will )?(?:reads?|sees?|gets?|answers?) (?:this|it|my complaint|the complaint)|when (?:do|will) (?:i|you|they) (?:get an answer|answer|reply)|where does (?:this|it|my complaint) go|is (?:this|it) anonymous` +
		`)$`)
	// regretting finds that somebody no longer knows whether to file it.
	regretting = regexp.MustCompile(`\bno se si (?:vale|valga) la pena\b|\b(?:mejor|prefiero|ya) (?:que )?no (?:la |lo )?(?:mande|envie|registre|mandar|enviar|registrar|ponga|poner)(?:la|lo)?\b|` +
		`\bno (?:la|lo) (?:mande|envie|registre)\b|\bme arrepent\w*|\b(?:do not|dont|don't) (?:send|file) it\b|\bnot sure (?:if )?it is worth it\b|\bchanged my mind\b`)
	// askingHow finds that somebody does not know what to write.
	askingHow = regexp.MustCompile(`^(?:(?:y|pero|disculpe|perdon|and|but|sorry) )*(?:(?:que|como) (?:escribo|pongo|digo|hago|debo|tengo que|la escribo|lo escribo|la pongo|lo pongo)(?: \w+){0,3}|` +
		`no se (?:que|como) (?:escribir|poner|decir|hacer)\w*(?: \w+){0,2}|no (?:le |lo )?(?:entiendo|entendi|comprendo)(?: (?:que|como|nada|esto|bien|muy bien|lo que \w+|que \w+))*|` +
		`what (?:do|should) i (?:write|type|say)(?: \w+){0,2}|i (?:do not|dont|don't) (?:understand|know what to (?:write|say))(?: \w+){0,2})$`)
	// wanting finds the beginning of a wish.
	wanting = regexp.MustCompile(`^(?:(?:hola|mejor|ya|por favor|please) )*(?:(?:quiero|quisiera|deseo|necesito|vengo a|puedo|i want|i need|i would like|can i)\b|(?:desbloque\w*|generar|recuperar|unlock)\b)`)
	// telling finds that a wish goes on to tell what happened.
	telling = regexp.MustCompile(`\b(?:no|ni|nunca|pero|y|porque|que|desde|hace|but|not|never|and|because|since)\b`)
)

// mostRegret is how many words a message has in which somebody does not want it filed any more: a longer one tells of something.
const mostRegret = 10

// mostWish is how many words a wish has that is taken for one in the middle of a complaint.
const mostWish = 8

// wishesElse are the meanings of what is wanted instead of a complaint, and their labels.
var wishesElse = map[string]string{"unlock": "unlock", "generate": "generate", "forgot_again": "generate", "office": "in_person", "own_data": "my_data"}

// noComplaint hears what is no part of a complaint though it was written where one is: a number alone, a question about the
// complaint, not knowing what to write, and a wish for something else.
func (f *flow) noComplaint(t *bot.Turn) bot.Event {
	if f.numberAlone(t) {
		return NumberInComplaint
	}
	said := strings.Join(strings.FieldsFunc(bot.Fold(t.Text()), func(r rune) bool { return strings.ContainsRune(" \n\t¿?¡!.,;:", r) }), " ")
	switch {
	case askingOfIt.MatchString(said):
		return AskedOfComplaint
	case f.complaint(t) != "" && len(strings.Fields(said)) <= mostRegret && regretting.MatchString(said):
		return AskedDrop
	case askingHow.MatchString(said) && !f.saidInBreath(t):
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
		t.Remember(slotNext, label)
		return ComplaintFirst
	}
	return f.wish(t, label)
}

// numberAlone hears a number that nothing is told with: it is deleted, and not kept.
func (f *flow) numberAlone(t *bot.Turn) bool {
	if !f.triesNumber(t) {
		return false
	}
	r := f.reading(t)
	around := strings.Replace(bot.Fold(t.Text()), bot.Fold(r.Code), "", 1)
	if letter.MatchString(labelOfNumber.ReplaceAllString(around, "")) {
		return false
	}
	f.cleans(t, r)
	t.Say("remains", when(f.Erasing(t.Update.Channel) == Remains, t.Wording("number.keep")))
	return true
}

// questions are what is asked in the middle of a complaint without being a part of it: of the service, not of what happened.
var questions = []string{"cost", "hours", "contact", "law", "legit", "bot"}

// askedDrop is the question whether it is to be dropped.
const askedDrop = "complaint.sure"

// asking finds a question.
var asking = regexp.MustCompile(`^(?:y |pero )?(?:a |en |de )?(?:me (?:van a |va a )?(?:cobra\w*|cuesta|costar)|cobran|hay que pagar|tengo que pagar|cuanto|cual|que|quien|donde|como|cuando|es|son|usted es|tiene|hay|how|what|which|who|where|when|is|are|do|does)\b`)

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
