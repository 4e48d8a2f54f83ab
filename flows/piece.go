package flows

import (
	"slices"

	"llave/bot"
)

// What may be a piece of something longer: the reply to it waits for a moment (bot.PieceWait).

// nationalDigits is how many a national number has.
const nationalDigits = 10

// pieceOfNumber says that a number may go on. What is said in between does not take its beginning away.
func pieceOfNumber(t *bot.Turn, digits int) {
	if digits < nationalDigits {
		t.Piece(slotPart)
	}
}

// pieceOfSentence says that a sentence may, which is not understood so far.
func pieceOfSentence(t *bot.Turn) {
	if t.Brief() {
		t.Piece()
	}
}

// mayBeHalf says that a few words which are answered by the way may be the first half of something: words that mean nothing before
// others are said with them, or of which it is not all but sure what they mean.
func mayBeHalf(t *bot.Turn, g guess) {
	if t.Brief() && !begins(g.answer) && !acting(g.answer) && !weighty(g.answer) && (bot.IsFunctional(t.Text()) || g.confidence < grave) {
		t.Piece()
	}
}

// manyAtOnce are the things that a telephone sends several of at once.
var manyAtOnce = []string{"photo", "video", "document"}

// hearAlbum hears what is sent at once with other things: what is said to one is said to all of them. Words under another, which may
// come behind it, are waited for where a telephone sends several at once. WhatsApp does not say what belongs together.
func (f *flow) hearAlbum(t *bot.Turn) bot.Event {
	u := t.Update
	if t.RestOfAlbum() {
		return bot.Ignored
	}
	if u.Kind != bot.Media || !slices.Contains(manyAtOnce, u.Media) {
		return ""
	}
	if (u.Album != "" || u.Channel == "whatsapp") && !t.Place().Is(bot.FreeText) { // there each is noted
		t.Piece()
	}
	return ""
}

// isWhole says of words that they are heard and answered by themselves, though others came just before: those that hold everywhere, and
// who is in danger, and a part of a number where one is asked for. Greetings and thanks come in pieces, and are met once.
func (f *flow) isWhole(t *bot.Turn) bool {
	said := t.Says(globalWords...)
	return f.asksPerson(t) || t.Place().Is(AsksNumber) && f.givesPart(t) || said != "" && said != "word_hello" && said != "word_thanks" ||
		thumb(t.Text()) != "" || yesOrNo(t.Text()) != "" || f.inDanger(t.Text(), t.Language())
}
