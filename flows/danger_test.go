package flows_test

import (
	"strings"
	"testing"

	"llave/bot"
	"llave/flows"
	"llave/flows/meaning"
)

// Whoever is in danger is told of 911 at once, in whatever words and language, from the first word on.
func TestDanger(t *testing.T) {
	t.Parallel()
	for _, said := range []string{
		"socorro", "¡SOCORRO!", "auxilio", "ausilio por favor", "sos", "S.O.S.", "ayuda, socorro", "sálvenme", "es una emergencia", "it's an emergency",
		"me están robando", "me estan robando el celular", "nos están asaltando", "me están pegando", "mi marido me está pegando", "me quieren matar", "me van a matar",
		"me están secuestrando", "me apuñalaron", "hay ladrones en mi casa", "mi vecino tiene un cuchillo", "están disparando en la esquina",
		"me estoy muriendo", "me muero", "mi papá se está muriendo", "se está ahogando mi hijo", "no puedo respirar", "mi mamá no respira", "tomé veneno", "quiero morirme", "me voy a matar",
		"me estoy desangrando", "me da un infarto", "hay un incendio", "se quema la casa", "llamen a la policía",
		"i am dying", "help me please i am dying", "I'm dying", "im dying", "we are dying", "my husband is dying", "i am being robbed", "they are robbing me", "he is killing me", "I was shot",
		"i got stabbed", "someone is trying to kill me", "i can't breathe", "my dad is having a heart attack", "the house is on fire", "call the police", "call 911", "i want to die",
	} {
		for _, state := range []bot.State{"", flows.Menu, flows.AskNumber, flows.LinkSent} {
			k := newTalk(t)
			if state != "" {
				k = at(t, state)
			}
			was := k.c.State
			if out := k.says(said); !strings.Contains(k.reply.Text, "911") || out.Event != flows.Emergency || was != "" && k.c.State != was {
				t.Errorf("%q in %q: %s, %s, %q", said, was, out.Event, k.c.State, k.reply.Text)
			}
		}
	}
}

// Nobody is sent to 911 for a manner of speaking, nor for whom they mourn.
func TestDanger_figurative(t *testing.T) {
	t.Parallel()
	for _, said := range []string{
		"me muero de vergüenza", "me estoy muriendo de risa", "i'm dying to get my pension", "me van a matar de iras", "auxilio de funerales", "me llamo María del Socorro",
		"socorro con esta cosa", "auxilio con esto que no le pego", "me están robando la plata del fondo", "mi papá murió de un infarto", "Aguánteme, que se me está quemando el arroz",
	} {
		k := at(t, flows.Menu)
		if out := k.says(said); out.Event == flows.Emergency {
			t.Errorf("%q: %q", said, k.reply.Text)
		}
	}
}

// Of all sentences that writers meant otherwise, words of danger are found in two: a jest, and a help that is only "sos".
func TestDanger_othersSentences(t *testing.T) {
	t.Parallel()
	all, err := meaning.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, s := range all.Said {
		if s.Meaning != "emergency" && flows.WordsOfDanger(s.Text) {
			found = append(found, s.Text)
		}
	}
	if len(found) > 2 {
		t.Errorf("taken for emergencies: %q", found)
	}
}
