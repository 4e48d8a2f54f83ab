package flows

import (
	"slices"
	"strings"

	"llave/bot"
	"llave/flows/meaning"
)

// Who chose no language is answered in the one they write, as far as it is one of those that were taught. What was so guessed
// is guessed anew as they go on; what was chosen stays.

// slotTongue is set while the language that is spoken was guessed.
const slotTongue = "tongue"

// AskedSpanish is somebody who wants Spanish back, after English was guessed.
const AskedSpanish bot.Event = "AskedSpanish"

// greetedIn is said under an English welcome to who has only greeted so far.
const greetedIn = "welcome.in_spanish"

// notices has the conversation go on in the language of what was written, unless one was chosen. Loose words at the steps of
// the key may be the key.
func (f *flow) notices(t *bot.Turn) {
	place, guessed := t.Place(), t.Slot(slotTongue) != ""
	if t.Update.Kind != bot.Text || t.Conv.Lang != "" && !guessed || place.Is(InKey, AtDesk, InGroup) {
		return
	}
	language := writes(t.Text())
	if place.Is(FirstWord) && greetsInEnglish(t.Text()) {
		language = english
		t.Add(greetedIn)
	}
	if language == "" || language == t.Language() || guessed && asksSpanish(t) {
		return
	}
	t.Speak(language)
	t.Remember(slotTongue, "1")
	if t.Choice() == "" {
		t.Choose(t.Shows(t.Text()))
	}
}

// speak has the conversation go on in a language that was chosen.
func speak(t *bot.Turn, language string) {
	t.Speak(language)
	t.Forget(slotTongue)
}

// sureTongue is how sure it must be in which language something is written.
const sureTongue = 0.7

// writes is the language that something is plainly written in, or "". One word alone says nothing, nor does what people say in
// any language: "ok, thank you".
func writes(said string) string {
	words := strings.Fields(plainWords(said))
	words = slices.DeleteFunc(words, func(w string) bool { return slices.Contains(anybodys, w) })
	if len(words) < 2 {
		return ""
	}
	language, confidence := meaning.Language(said)
	if confidence >= sureTongue {
		return language
	}
	var en, es int
	for i, w := range words {
		switch {
		case slices.Contains(words[:i], w):
		case slices.Contains(plainEnglish, w):
			en++
		case slices.Contains(plainSpanish, w):
			es++
		}
	}
	if en >= 2 && es == 0 {
		return english
	}
	return ""
}

// plainWords is what was said, folded, without signs. An apostrophe leaves no gap: "can't" is "cant".
func plainWords(said string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r == '\'', r == '’', r == '‘', r == '`':
			return -1
		}
		return ' '
	}, bot.Fold(said))
}

// Words of one language only; and those that people of any language say now and then.
var (
	plainEnglish = strings.Fields("i im ive id my mine the you your is are was am it its this that these those to of and for with from at on " +
		"cant cannot dont doesnt didnt wont isnt not need needs want wants help get got have had log login sign in into account locked blocked " +
		"how what why who where when which please morning afternoon evening good hello know work works working password number office " +
		"can could would should will do does did we they he she his her our their there here someone somebody person")
	plainSpanish = strings.Fields("el la los las un una unos unas de del al y o que en mi mis tu su sus se es esta este esto por para con sin lo le les " +
		"pero porque como cuando donde quien no ya si muy mas aqui ayuda favor clave correo")
	anybodys = strings.Fields("ok okay thank thanks you very much so please hello hi hey bye sorry yes no nice good morning afternoon evening night day love super cool perfect great happy new year")
)

// greetsInEnglish says whether a message is nothing but an English greeting.
func greetsInEnglish(said string) bool {
	return slices.Contains([]string{"hello", "hello there", "hi", "hi there", "hey", "hey there", "good morning", "good afternoon", "good evening", "good day"},
		strings.Join(strings.Fields(plainWords(said)), " "))
}

// yesOrNo is which text a yes or a no in English stands for, or "".
func yesOrNo(said string) string {
	switch strings.Join(strings.Fields(plainWords(said)), " ") {
	case "yes", "yes please", "yeah", "yep", "yup":
		return "said.yes"
	case "nope", "nah", "no thanks", "no thank you":
		return "said.no"
	}
	return ""
}

// hearYes takes a yes or a no in English for one in the language that is spoken: one word does not change that.
func (f *flow) hearYes(t *bot.Turn) {
	if t.Update.Kind != bot.Text || t.Choice() != "" || t.Language() == english || t.Place().Is(AtDesk, InGroup) {
		return
	}
	if said := yesOrNo(t.Text()); said != "" {
		label := t.Shows(t.Wording(said))
		if label == "" && t.Place().Is(bot.FreeText) {
			return
		}
		t.Update.Text = t.Wording(said)
		t.Choose(label)
	}
}

// asksSpanish says whether Spanish is asked for by its name.
func asksSpanish(t *bot.Turn) bool {
	return slices.Contains([]string{"espanol", "en espanol", "castellano", "en castellano", "spanish", "in spanish", "spanish please", "en espanol por favor"},
		strings.Join(strings.Fields(plainWords(t.Text())), " "))
}
