package flows_test

import (
	"strings"
	"testing"
	"time"

	"llave/flows"
)

// What somebody agreed to and when is kept with the conversation, and goes with it (P752).
func TestNotice_kept(t *testing.T) {
	k := newTalk(t)
	k.says("hola")
	if _, ok := k.c.Slots["notice"]; ok {
		t.Fatal("agreed to before it was")
	}
	k.says("continuar")
	if got, at := k.c.Slots["notice"], k.c.Slots["notice_at"]; got != "4" || at != k.now.UTC().Format(time.RFC3339) {
		t.Errorf("agreed to notice %q at %q, want 4 at %s", got, at, k.now.UTC().Format(time.RFC3339))
	}
	k.now = k.now.Add(time.Hour)
	k.c.Slots["notice"] = "2"
	if out := k.says("menú"); out.Event != flows.NoticeChanged {
		t.Fatalf("who agreed to the one of the version before: %s", out.Event)
	}
	k.says("continuar")
	if got, at := k.c.Slots["notice"], k.c.Slots["notice_at"]; got != "4" || at != k.now.UTC().Format(time.RFC3339) {
		t.Errorf("agreed again to %q at %q", got, at)
	}
	k.says("mis datos")
	k.says("borrar mis datos")
	k.says("sí, borrar")
	if k.c.Slots["notice_at"] != "" {
		t.Errorf("after erasing it is still there: %v", k.c.Slots)
	}
}

// Of each point that the law wants to be told (LOPDP 12) the notice in the chat says something before the number is asked for, in both
// languages and in either way of speaking, and whole in one bubble: WhatsApp shows 1024 characters above buttons.
func TestNotice_law(t *testing.T) {
	points := map[string][2]string{
		"1 purposes":                   {"Para qué: con su número busco su registro", "What for: with your number I find your record"},
		"2 legal basis":                {"Lo permiten la ley y usted", "The law allows it, and you do"},
		"3 kinds of processing":        {"Qué guardo: este chat", "What I keep: this chat"},
		"4 how long":                   {"Se borra a las 24 horas", "It is deleted after 24 hours"},
		"5 a database":                 {"en una base de datos", "in a database"},
		"6 where data come from":       {"Su correo ya está en el IESS", "IESS already has your email"},
		"7 other purposes":             {"Nada más", "Nothing else"},
		"8 who answers":                {"Responde el IESS: atencionalusuario@iess.gob.ec, 02 394 5666", "IESS answers: atencionalusuario@iess.gob.ec, 02 394 5666"},
		"9 the delegate":               {"El aviso completo: ", "The full notice, in Spanish: "},
		"10 transfers":                 {"está fuera del país", "is outside the country"},
		"11 what refusing leads to":    {"Si no acepta, vaya a una oficina", "If you do not agree, go to an office"},
		"12 wrong data":                {"Si su número está mal", "If your number is wrong"},
		"13 revoking":                  {"dejar de aceptar", "stop agreeing"},
		"14 rights and how":            {`ver, corregir, llevarse o borrar sus datos, y dejar de aceptar. Escriba "mis datos"`, `see, correct, take along or delete your data, and stop agreeing. Type "my data"`},
		"15 taking along":              {"llevarse", "take along"},
		"16 where to complain":         {"Superintendencia de Protección de Datos", "Superintendencia de Protección de Datos"},
		"17 decisions by a program":    {"Un programa ve si puede seguir", "A program sees if you can go on"},
		"the way to a person about it": {"pedir que lo vea una persona", "ask for a person"},
	}
	for lang, hello := range []string{"hola", "hello"} {
		for _, slow := range []bool{false, true} {
			k := newTalk(t)
			k.says(hello)
			if slow {
				k.says([]string{"paso a paso", "step by step"}[lang])
			}
			k.says([]string{"ver aviso", "see the notice"}[lang])
			for point, says := range points {
				if !strings.Contains(k.reply.Text, says[lang]) {
					t.Errorf("%s, slow %t: nothing of %s in %q", hello, slow, point, k.reply.Text)
				}
			}
			if n := len([]rune(k.reply.Text)); n > 1024 {
				t.Errorf("%s: %d characters", hello, n)
			}
		}
	}
}
