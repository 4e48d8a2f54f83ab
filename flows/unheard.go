package flows

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/unheard"
)

// Sentences that were not understood, or asked about ("¿Quiso decir …?"), are kept to learn from (P413): masked, never where
// people write in their own words or to an agent, and only of who has agreed to a notice that says so (flows/notice.go).

// slotTold is how many sentences of this visit were kept.
const slotTold = "told"

// mostTold bounds what one visit can fill the store with.
const mostTold = 50

// number is a slot that counts; an empty one is zero.
func number(t *bot.Turn, slot string) int {
	n, _ := strconv.Atoi(t.Slot(slot))
	return n
}

// unheardSaid is what a notice says of it, after a blank; nothing where nothing is kept.
func (f *flow) unheardSaid(t *bot.Turn) string {
	days := int((f.Unheard + 24*time.Hour - 1) / (24 * time.Hour))
	switch days {
	case 0:
		return ""
	case 1:
		return " " + t.Wording("unheard.day")
	}
	return " " + strings.ReplaceAll(t.Wording("unheard.days"), "{n}", fmt.Sprint(days))
}

// private are meanings of which nothing is kept.
var private = []string{"emergency", "stolen", "not_me"}

// keepUnheard promises that what the person wrote and was not understood is kept, with the likeliest of [guesses].
func (f *flow) keepUnheard(t *bot.Turn, guesses []guess) {
	place := t.Place()
	if f.Unheard == 0 || !saysUnheard(number(t, slotNotice)) || place.Name == "" || place.Is(BeforeTerms, bot.FreeText, AtDesk) {
		return
	}
	if len(guesses) == 0 || slices.ContainsFunc(guesses, func(g guess) bool {
		return slices.Contains(private, g.meaning) && (g == guesses[0] || g.confidence >= slight)
	}) {
		return
	}
	said, ok := tellable(t.Text())
	told := number(t, slotTold)
	if !ok || told >= mostTold || place.Is(InKey) && !sentence.MatchString(bot.Fold(said)) { // loose words there may be the key itself
		return
	}
	t.Remember(slotTold, strconv.Itoa(told+1))
	t.Promise(bot.Promise{
		Until: t.Now.Add(unheard.Known), // later it could not be told from one that was counted already
		What: bot.KeepUnheard{
			Conv: t.Conv.ID, Place: place.Name, Lang: t.Language(), Said: said, Meaning: guesses[0].meaning, Confidence: guesses[0].confidence,
		},
	})
}

// untold is what is hidden beside what the transcript hides: every word with a digit in it (small numbers, codes), addresses
// of pages (the link of a letter opens it), and what is too long for a word.
var untold = regexp.MustCompile(`\S*(?:\p{Nd}|://)\S*|\S{25,}`)

// sentence finds a word that loose words of a key have not: one that makes a sentence of others.
var sentence = regexp.MustCompile(`\b(no|que|el|la|lo|los|las|me|de|del|se|un|una|y|en|mi|es|por|para|the|it|my|is|i|to|not|and)\b`)

// tellable is a sentence as it is kept, masked and cut; not ok when there is nothing left of it, or a key was in it.
func tellable(said string) (string, bool) {
	if affiliate.HoldsKey(said) {
		return "", false
	}
	said = bot.Cut(strings.Join(strings.Fields(untold.ReplaceAllString(mask(said), "•••")), " "), unheard.Runes)
	return said, strings.ContainsFunc(said, unicode.IsLetter)
}
