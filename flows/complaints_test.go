package flows_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
)

// Of a complaint that is written faster than the limit of messages every part is taken while there is room, though not each is answered;
// it is read back once the person goes on, and nothing of it is kept in clear until it is filed.
func TestComplaints_flood(t *testing.T) {
	k := at(t, flows.Complaining)
	answers, _ := k.flood(30, func(i int) bot.Update {
		return bot.Update{Kind: bot.Text, Text: fmt.Sprintf("parte %d de lo que pasó", i)}
	})
	if answers > 21 {
		t.Errorf("%d answers to 30 messages, want 21 at most", answers)
	}
	k.now = k.now.Add(2 * time.Minute)
	if k.says("y eso es lo que pasó"); !strings.Contains(k.reply.Text, "ya no cabe") {
		t.Errorf("a part too many is answered with %q", k.reply.Text)
	}
	if k.says("repetir"); !strings.Contains(k.reply.Text, "ya no cabe") {
		t.Errorf("repeated: %q", k.reply.Text)
	}
	stored, err := json.Marshal(k.c.Slots)
	if err != nil || strings.Contains(string(stored), "parte 3") {
		t.Errorf("the slots hold what was written in clear (%v): %s", err, stored)
	}
	k.says("registrar")
	body := ""
	for _, p := range k.c.Promises {
		if what, ok := p.What.(bot.KeepFile); ok {
			body = what.Body
		}
	}
	for i := range 20 {
		if !strings.Contains(body, fmt.Sprintf("parte %d de", i)) {
			t.Errorf("part %d is not filed: %q", i, body)
		}
	}
	if strings.Contains(body, "parte 20") || k.c.Slots["complaint"] != "" {
		t.Errorf("more was filed than there was room for, or something is left: %q, %q", body, k.c.Slots["complaint"])
	}
}

// However somebody comes to write a complaint, three are filed in an hour at most and five in a day, also by who has their chat
// erased in between. Who has written one that is not filed is told so, and when to write it again.
func TestComplaints_limits(t *testing.T) {
	k := at(t, flows.Menu)
	var filed []time.Time
	refused := 0
	within := func(d time.Duration) (n int) {
		for _, at := range filed {
			if k.now.Sub(at) < d {
				n++
			}
		}
		return n
	}
	files := func(text string) {
		t.Helper()
		if k.c.State != flows.Complaining {
			return
		}
		if k.says(text); k.c.State == flows.ComplaintRead {
			k.says("registrar")
		}
		for _, p := range k.c.Promises {
			if what, ok := p.What.(bot.KeepFile); ok && what.Topic == "complaint" {
				filed = append(filed, k.now)
				if hour, day := within(time.Hour), within(24*time.Hour); hour > 3 || day > 5 {
					t.Fatalf("%d complaints in an hour, %d in a day", hour, day)
				}
				return
			}
		}
		if refused++; !k.said || !strings.Contains(k.reply.Text, "no quedó registrada") || !strings.Contains(k.reply.Text, " en ") || len(k.reply.Buttons) == 0 {
			t.Fatalf("a complaint that is not filed is answered with %q", k.reply.Text)
		}
	}
	for k.now.Before(time.Date(2026, 1, 7, 9, 0, 0, 0, time.UTC)) {
		k.says("menú")
		k.says("presentar queja")
		files("nadie atiende en la ventanilla")
		k.c.State = flows.Complaining // as when an agent gives it back there
		files("y tampoco contestan el teléfono")
		k.says("menú")
		k.says("mis datos")
		k.says("borrar mis datos")
		k.says("sí")
		k.says("hola")
		k.says("sí")
		k.now = k.now.Add(17 * time.Minute)
	}
	if len(filed) < 10 || refused == 0 {
		t.Errorf("%d complaints were filed and %d refused, want all that may be, and some: this test sees nothing", len(filed), refused)
	}
}

// Once there is no room for more, that is said once, though it is too fast: what is written after that is lost.
func TestComplaints_fullAndFast(t *testing.T) {
	k := at(t, flows.Complaining)
	told := 0
	for i := range 40 {
		k.now = k.now.Add(300*time.Millisecond - 5*time.Second) // step moves it by 5 s
		if out := k.step(wrote(fmt.Sprintf("parte %d de lo que pasó", i))); out.Event == flows.ComplaintFull && k.said {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told %d times that there is no room for more, want once", told)
	}
}

// What a version wrote that knew no messages of parts is gone on with, and filed whole.
func TestComplaints_earlierVersion(t *testing.T) {
	k := at(t, flows.Complaining)
	k.says("fui el lunes")
	delete(k.c.Slots, "complaint_ids")
	k.says("y el martes")
	k.step(bot.Update{Kind: bot.Text, Text: "y el miércoles", MessageID: "3"})
	k.step(bot.Update{Kind: bot.Edited, Text: "y el jueves", MessageID: "3"})
	k.says("registrar")
	for _, p := range k.c.Promises {
		if what, ok := p.What.(bot.KeepFile); ok {
			if want := "fui el lunes\ny el martes\ny el jueves"; what.Body != want {
				t.Errorf("filed %q, want %q", what.Body, want)
			}
			return
		}
	}
	t.Error("nothing was filed")
}

// A complaint that is forgotten with a case that nobody answered was not filed, which is said to who comes back, however late.
func TestComplaints_forgottenWithCase(t *testing.T) {
	k := at(t, flows.Complaining)
	k.says("nadie atiende en la ventanilla")
	if k.says("persona"); !k.c.Handoff.Open() {
		t.Fatal("no case")
	}
	for range 40 { // days
		k.now = k.now.Add(25 * time.Hour)
		k.signal(bot.SignalForget)
	}
	if k.c.Handoff.Open() || k.c.Slots["complaint"] != "" {
		t.Fatalf("after 40 days: case %+v, slots %v", k.c.Handoff, k.c.Slots)
	}
	if k.says("hola"); !strings.Contains(k.reply.Text, "Su queja de antes no quedó registrada") {
		t.Errorf("who comes back is told %q", k.reply.Text)
	}
}

// What is said of filing is told from what is told: no word that tells something is taken for it, whatever stands around.
func TestComplaints_ofFiling(t *testing.T) {
	for said, want := range map[string]bot.Event{
		"sí, por favor regístrela": flows.Complained, "si registre nomas": flows.Complained, "ok": flows.Complained, "yes file it please": flows.Complained,
		"no, regístrela": flows.Complained, "no la registre": flows.AskedDrop, "no quiero registrarla": flows.AskedDrop, "olvídelo": flows.AskedDrop, "mejor no": flows.AskedDrop,
		"don't file it": flows.AskedDrop, "no, ninguna otra cosa": flows.AskedFile, "solo eso": flows.AskedFile, "nothing else": flows.AskedFile, "no la borre": flows.AskedFile,
		"todavía falta algo": flows.AskedMore, "espere un momentito por favor": flows.AskedMore, "no así no": flows.ComplaintAnew,
		"no me registraron la cita": flows.ComplaintGathered, "nada de lo que pedí": flows.ComplaintGathered, "no había nadie": flows.ComplaintGathered,
		"espere tres horas": flows.ComplaintGathered, "sí me atendieron pero mal": flows.ComplaintGathered, "falta el médico": flows.ComplaintGathered, "de nuevo": flows.ComplaintGathered,
	} {
		k := at(t, flows.ComplaintRead)
		if out := k.says(said); out.Event != want {
			t.Errorf("%q came to %s, want %s", said, out.Event, want)
		}
	}
}
