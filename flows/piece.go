package flows

import (
	"slices"

	"llave/bot"
)

// What may be a piece of something longer: the reply to it waits for a moment (bot.PieceWait).

// nationalDigits is how many a national number has.
const nationalDigits = 10

// pieceOfNumber says that a number may go on.
func pieceOfNumber(t *bot.Turn, digits int) {
	if digits < nationalDigits {
		t.Piece()
	}
}

// pieceOfSentence says that a sentence may, which is not understood so far.
func pieceOfSentence(t *bot.Turn) {
	if t.Brief() {
		t.Piece()
	}
}

// manyAtOnce are the things that a telephone sends several of at once.
var manyAtOnce = []string{"photo", "video", "document"}

// hearAlbum hears what is sent at once with other things. Telegram says what belongs together: what is said to one is said to
// all of them, and only words under another, which may come behind it, are waited for. WhatsApp does not say.
func (f *flow) hearAlbum(t *bot.Turn) bot.Event {
	u := t.Update
	if u.Kind != bot.Media || !slices.Contains(manyAtOnce, u.Media) {
		return ""
	}
	if t.RestOfAlbum() {
		return bot.Ignored
	}
	if u.Album != "" || u.Channel == "whatsapp" {
		t.Piece()
	}
	return ""
}

// isWhole says of words that they are heard by themselves, though others came just before: those that hold everywhere, and who
// is in danger.
func (f *flow) isWhole(t *bot.Turn) bool {
	return f.asksPerson(t) || t.Says(globalWords...) != "" || t.Says("word_nod", "word_shake") != "" || thumb(t.Text()) != "" || yesOrNo(t.Text()) != "" ||
		f.inDanger(t.Text(), t.Language())
}
