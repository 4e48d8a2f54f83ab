package app_test

import (
	"fmt"
	"io"
	"net/http"
	"net/smtp"
	"strings"
	"testing"
	"time"

	"llave/internal/affiliate"
	"llave/internal/bottest/world"
)

// reporting are the settings of a world that takes delivery reports.
var reporting = []string{"LLAVE_MAIL_BOUNCE_DOMAIN=rebotes.example.org", "LLAVE_BOUNCE_ADDR=127.0.0.1:0"}

// said is what a delivery report says of its recipient (RFC 3464 2.3).
type said struct{ action, status, words string }

// deliveryReport mails a delivery report to an address, as a mail server does. It is about the letter's own mailbox, or another's.
func deliveryReport(t *testing.T, w *world.World, to string, what said, about ...string) {
	t.Helper()
	if about == nil {
		about = []string{"uno@correo.example"}
	}
	text := fmt.Sprintf("From: MAILER-DAEMON@mx.example.net\r\nTo: %s\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"+
		"Reporting-MTA: dns; mx.example.net\r\n\r\nFinal-Recipient: rfc822; %s\r\nAction: %s\r\nStatus: %s\r\n"+
		"Diagnostic-Code: smtp; %s\r\n\r\n--b--\r\n", to, about[0], what.action, what.status, what.words)
	if err := smtp.SendMail(w.App.ReportsAddr(), nil, "", []string{to}, []byte(text)); err != nil {
		t.Fatalf("the report: %v", err)
	}
	w.Settle()
}

// While reports are off there is nowhere to send them.
func TestReportsAddr_off(t *testing.T) {
	if got := world.New(t, onePerson).App.ReportsAddr(); got != "" {
		t.Errorf("delivery reports are taken at %s, want nowhere", got)
	}
}

// toTheLetter has the person ask for a link to the number, and returns what they heard last.
func toTheLetter(w *world.World) string {
	for _, text := range []string{"hola", "1", "1", theirs, "1"} {
		w.Say(text)
	}
	return w.Say("1")
}

// reportsCounted is a count of llave_mail_reports_total.
func reportsCounted(t *testing.T, w *world.World, domain, outcome string) string {
	t.Helper()
	res, err := http.Get("http://" + w.App.AdminAddr() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(body), fmt.Sprintf("llave_mail_reports_total{domain=%q,outcome=%q} ", domain, outcome))
	n, _, _ := strings.Cut(after, "\n")
	return n
}

// A letter to a mailbox that is taken and comes back a moment later: in `guided` the chat that waits hears of the in-person route within
// five seconds, once; asking for the same number leads there at once, until the record has another address. In `uniform` no chat
// hears anything and all goes on as before (P214).
func TestReports(t *testing.T) {
	for _, disclosure := range []string{"guided", "uniform"} {
		t.Run(disclosure, func(t *testing.T) {
			w := world.New(t, onePerson, append(reporting, "LLAVE_DISCLOSURE="+disclosure)...)
			toTheLetter(w)
			letters := w.SMTP.LettersTo("uno@correo.example")
			if len(letters) != 1 {
				t.Fatalf("%d letters, want one", len(letters))
			}
			l := letters[0]
			if !strings.HasSuffix(l.Sender, "@rebotes.example.org") || !strings.Contains(l.From, "no-responder@localhost") {
				t.Fatalf("the envelope's sender is %q and From %q", l.Sender, l.From)
			}
			before, asked := len(w.Phone.Messages(world.Chat)), time.Now()
			for range 3 {
				deliveryReport(t, w, strings.ToUpper(l.Sender), said{"failed", "5.1.1", "550 5.1.1 <uno@correo.example>: User unknown"})
			}
			t.Logf("three reports and what was said after them: %s", time.Since(asked).Round(time.Millisecond))
			heard := w.Phone.Messages(world.Chat)[before:]
			if n := reportsCounted(t, w, "other", "bad"); n == "" {
				t.Error("the report is not counted")
			}
			for _, secret := range []string{"uno@", l.Sender, strings.SplitN(l.Sender, "@", 2)[0], "User unknown"} {
				if strings.Contains(w.Log.String(), secret) {
					t.Errorf("the log has %q", secret)
				}
			}
			if disclosure == "uniform" {
				if len(heard) > 0 {
					t.Errorf("the chat hears %q, want nothing", heard[0].Text)
				}
				w.Later(4 * time.Minute)
				wantBubble(t, "in its time", w.Phone.Messages(world.Chat)[before:], "ya no sirve")
				if w.Say("1"); len(w.SMTP.LettersTo("uno@correo.example")) != 2 {
					t.Error("asking again brought no second letter")
				}
				return
			}
			if len(heard) != 1 {
				t.Fatalf("the chat hears %d messages, want one", len(heard))
			}
			wantBubble(t, "the report", heard, "Centro de Atención")
			if n := reportsCounted(t, w, "other", "repeated"); n != "2" {
				t.Errorf("%q reports are counted as repeated, want 2", n)
			}

			w.Say("menú")
			if heard := toTheNumber(w); !strings.Contains(heard, "Centro de Atención") {
				t.Errorf("asked again the same number leads to %q", heard)
			}
			rec, _, err := w.App.Store.Affiliates.Find(t.Context(), theirs)
			if err != nil {
				t.Fatal(err)
			}
			rec.Email = "nueva@correo.example"
			if err := w.App.Store.Affiliates.Import(t.Context(), []affiliate.Record{rec}); err != nil {
				t.Fatal(err)
			}
			w.Say("menú")
			toTheNumber(w)
			w.Say("1")
			if len(w.SMTP.LettersTo("nueva@correo.example")) != 1 {
				t.Error("no letter goes to the new address")
			}
		})
	}
}

// toTheNumber chooses the menu's first item, says the number and returns what was heard then.
func toTheNumber(w *world.World) string {
	w.Say("1")
	w.Say(theirs)
	return w.Say("1")
}

// A report that blames us, or says that the letter is still tried, sends nobody to an office; an answer of a machine is none.
func TestReports_notTheMailbox(t *testing.T) {
	for _, tc := range []struct {
		said
		outcome, heard string
	}{
		{said{"failed", "5.7.1", "550 5.7.1 Message blocked as spam"}, "unsent", "No se pudo enviar"},
		{said{"delayed", "4.4.1", "connect to mx.example.org: timed out"}, "delayed", "El correo va en camino"},
		{said{"relayed", "2.0.0", "250 2.0.0 ok"}, "arrived", ""},
	} {
		w := world.New(t, onePerson, reporting...)
		toTheLetter(w)
		before := len(w.Phone.Messages(world.Chat))
		for range 2 {
			deliveryReport(t, w, w.SMTP.LettersTo("uno@correo.example")[0].Sender, tc.said)
		}
		heard := w.Phone.Messages(world.Chat)[before:]
		if tc.heard == "" && len(heard) > 0 || tc.heard != "" && len(heard) != 1 {
			t.Errorf("%s: the chat hears %d messages", tc.outcome, len(heard))
		} else if tc.heard != "" {
			wantBubble(t, tc.outcome, heard, tc.heard)
		}
		want := "1"
		if tc.heard == "" { // it is not looked up
			want = "2"
		}
		if n := reportsCounted(t, w, "other", tc.outcome); n != want {
			t.Errorf("%q reports are counted as %s, want %s", n, tc.outcome, want)
		}
		if w.Say("menú"); strings.Contains(toTheNumber(w), "Centro de Atención") {
			t.Errorf("%s: the mailbox is remembered", tc.outcome)
		}
	}
}

// A report of a copy that the mailbox forwarded elsewhere is counted, and says nothing of the mailbox.
func TestReports_forwarded(t *testing.T) {
	w := world.New(t, onePerson, reporting...)
	toTheLetter(w)
	before := len(w.Phone.Messages(world.Chat))
	for _, what := range []said{{"failed", "5.1.1", "550 5.1.1 User unknown"}, {"failed", "5.7.1", "550 5.7.1 Blocked"}, {"delayed", "4.4.1", "timed out"}} {
		deliveryReport(t, w, w.SMTP.LettersTo("uno@correo.example")[0].Sender, what, "otra@example.com")
	}
	if heard := w.Phone.Messages(world.Chat)[before:]; len(heard) > 0 {
		t.Errorf("the chat hears %q, want nothing", heard[0].Text)
	}
	if n := reportsCounted(t, w, "other", "forwarded"); n != "3" {
		t.Errorf("%q reports are counted as forwarded, want 3", n)
	}
	if strings.Contains(w.Log.String(), "otra@") {
		t.Error("the log has the address")
	}
	if w.Say("menú"); strings.Contains(toTheNumber(w), "Centro de Atención") {
		t.Error("the mailbox is remembered")
	}
}

// Of two letters of a chat only the newer one's fate is told: the person may be reading it.
func TestReports_olderLetter(t *testing.T) {
	w := world.New(t, onePerson, reporting...)
	toTheLetter(w)
	w.Later(30 * time.Second)
	w.Say("reenviar enlace")
	letters := w.SMTP.LettersTo("uno@correo.example")
	if len(letters) != 2 {
		t.Fatalf("%d letters, want two", len(letters))
	}
	before := len(w.Phone.Messages(world.Chat))
	blocked := said{"failed", "5.7.1", "550 5.7.1 Message blocked as spam"}
	deliveryReport(t, w, letters[0].Sender, blocked)
	if heard := w.Phone.Messages(world.Chat)[before:]; len(heard) > 0 {
		t.Errorf("of the first letter the chat hears %q, want nothing", heard[0].Text)
	}
	deliveryReport(t, w, letters[1].Sender, blocked)
	wantBubble(t, "of the second", w.Phone.Messages(world.Chat)[before:], "No se pudo enviar")
}

// A report that comes when the link is over tells the chat nothing. Asking for another link then leads to the in-person route, not to a
// letter that comes back too; in `uniform` it brings one as ever.
func TestReports_askedAgain(t *testing.T) {
	for disclosure, want := range map[string]int{"guided": 1, "uniform": 2} {
		w := world.New(t, onePerson, append(reporting, "LLAVE_DISCLOSURE="+disclosure)...)
		toTheLetter(w)
		w.Later(4 * time.Minute)
		before := len(w.Phone.Messages(world.Chat))
		deliveryReport(t, w, w.SMTP.LettersTo("uno@correo.example")[0].Sender, said{"failed", "5.1.1", "550 5.1.1 User unknown"})
		if heard := w.Phone.Messages(world.Chat)[before:]; len(heard) > 0 {
			t.Fatalf("%s: of a link that is over the chat hears %q", disclosure, heard[0].Text)
		}
		heard := w.Say("1")
		if got := strings.Contains(heard, "Centro de Atención"); got != (disclosure == "guided") {
			t.Errorf("%s: asking for another link leads to %q", disclosure, heard)
		}
		w.Later(4 * time.Minute)
		if got := len(w.SMTP.LettersTo("uno@correo.example")); got != want {
			t.Errorf("%s: %d letters, want %d", disclosure, got, want)
		}
		all := w.Phone.Messages(world.Chat)
		if last := all[len(all)-1].Text; strings.Contains(last, "ya no sirve") != (disclosure == "uniform") {
			t.Errorf("%s: the last thing said is %q", disclosure, last)
		}
	}
}

// An address that was changed is refused when it is named; a report of long ago is taken and changes nothing (P214).
func TestReports_forgedAndLate(t *testing.T) {
	w := world.New(t, onePerson, reporting...)
	toTheLetter(w)
	to := w.SMTP.LettersTo("uno@correo.example")[0].Sender
	for _, forged := range []string{"a" + to, strings.Replace(to, "@", "a@", 1), to[:20] + "a" + to[21:], to[:20] + "b" + to[21:], "persona@rebotes.example.org", to + ".example.net"} {
		if err := smtp.SendMail(w.App.ReportsAddr(), nil, "", []string{forged}, []byte("x")); forged != to && (err == nil || !strings.HasPrefix(err.Error(), "550")) {
			t.Errorf("%s: got %v, want 550", forged, err)
		}
	}
	before := len(w.Phone.Messages(world.Chat))
	w.Later(4 * time.Minute)
	deliveryReport(t, w, to, said{"failed", "4.2.2", "452 4.2.2 Mailbox full"})
	w.Later(7 * 24 * time.Hour)
	deliveryReport(t, w, to, said{"failed", "5.1.1", "550 5.1.1 User unknown"})
	for outcome, want := range map[string]string{"full": "1", "late": "1", "bad": ""} {
		if got := reportsCounted(t, w, "other", outcome); got != want {
			t.Errorf("%s: %q are counted, want %q", outcome, got, want)
		}
	}
	for _, m := range w.Phone.Messages(world.Chat)[before:] {
		if strings.Contains(m.Text, "Centro de Atención") {
			t.Errorf("of a link that was over the chat hears %q", m.Text)
		}
	}
	if w.Say("hola"); strings.Contains(toTheNumber(w), "Centro de Atención") {
		t.Error("a report of long ago is remembered")
	}
}

// What waits for a number that nobody has shows the mail server a return address of the same shape.
func TestReports_decoy(t *testing.T) {
	w := world.New(t, onePerson, append(reporting, "LLAVE_DISCLOSURE=uniform")...)
	for _, text := range []string{"hola", "1", "1", "1790000010", "1", "1"} {
		w.Say(text)
	}
	toTheLetterFrom := func() (senders []string) {
		for _, a := range w.SMTP.Attempts() {
			if a.Stage == "mail" {
				senders = append(senders, a.Arg)
			}
		}
		return senders
	}
	senders := toTheLetterFrom()
	if len(senders) != 1 || len(w.SMTP.Letters()) > 0 {
		t.Fatalf("the mail server saw %d dialogues and %d letters, want one and none", len(senders), len(w.SMTP.Letters()))
	}
	local, domain, _ := strings.Cut(senders[0], "@")
	if len(local) != 62 || !strings.HasPrefix(local, "b-") || domain != "rebotes.example.org" {
		t.Errorf("the decoy's return address is %q", senders[0])
	}
}
