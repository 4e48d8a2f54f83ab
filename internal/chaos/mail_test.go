package chaos

import (
	"context"
	"net/smtp"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/bottest"
	"llave/internal/mail/letter"
)

const (
	goInPerson = "hay que hacerlo en persona"
	linkEnded  = "ya no sirve"
	tellWithin = 5 * time.Second // from a mailbox's refusal to the chat that says so
)

// outage is a mail server that takes nobody's letters for a time.
type outage struct {
	name  string
	begin func(s *bottest.SMTP)
	end   func(s *bottest.SMTP) error
}

var outages = []outage{
	{"down", (*bottest.SMTP).Down, (*bottest.SMTP).Up},
	{"refusing by policy", func(s *bottest.SMTP) {
		s.FailAlways(bottest.SMTPRcpt, bottest.SMTPFault{Code: 554, Enhanced: "5.7.1", Text: "Relay access denied"})
	}, func(s *bottest.SMTP) error { s.Heal(); return nil }},
	{"not answering", func(s *bottest.SMTP) { s.Slow(bottest.SMTPMail, time.Minute) }, func(s *bottest.SMTP) error { s.Heal(); return nil }},
}

// TestMail_away has the mail server take nobody's letters while people ask for their links. Five minutes are longer than a link
// lives: it lives from its acceptance, so that the one that comes at last still unlocks. In `uniform` the chat's own clock ends
// before: it says that the link could not be sent, and who asks again has it.
func TestMail_away(t *testing.T) {
	alongside(t)
	for _, disclosure := range []string{"guided", "uniform"} {
		for i, o := range outages {
			if !*full && (i == 0) != (disclosure == "guided") {
				continue // a short run has each outage once
			}
			for _, length := range sized([]time.Duration{26 * time.Second}, []time.Duration{30 * time.Second, 5 * time.Minute}) {
				t.Run(disclosure+"/"+o.name+" for "+length.String(), func(t *testing.T) {
					t.Parallel() // mostly they wait
					onBoth(t, func(t *testing.T, k kind) {
						t.Parallel()
						away(t, k, disclosure, o, length)
					})
				})
			}
		}
	}
}

func away(t *testing.T, k kind, disclosure string, o outage, length time.Duration) {
	dep := newDeployment(t, k, "LLAVE_LINK_TTL=3m", "LLAVE_DISCLOSURE="+disclosure)
	people := dep.populate(sized(12, 100))
	dep.start()
	var from, till time.Time
	var faults sync.WaitGroup
	faults.Go(func() {
		time.Sleep(3 * time.Second) // the first have asked, and some are being answered now
		from = time.Now()
		dep.lost = append(dep.lost, from)
		o.begin(dep.smtp)
		time.Sleep(length)
		if err := o.end(dep.smtp); err != nil {
			t.Error(err)
		}
		till = time.Now()
	})
	insisting, enough := context.WithCancel(t.Context())
	var insist sync.WaitGroup
	insist.Go(func() { dep.insist(insisting) })
	took := dep.walkMail(t, people, min(length/2, time.Minute)/time.Duration(len(people)), length)
	faults.Wait()
	enough()
	insist.Wait()
	failures := dep.count("llave_promises_total", `kind="link"`, `result="temporary"`)
	dep.end()
	waited, last := dep.askedBefore(till)
	t.Logf("%s for %v: %d links were waiting when the server came back, the last letter came %v later; %.0f failed tries", o.name, length, waited, last.Round(10*time.Millisecond), failures)
	if waited == 0 {
		t.Error("nothing was proved: nobody waited")
	}
	dep.letterFigures(t)
	if dep.toldOfLetters(t, disclosure == "uniform", from, till) == 0 {
		t.Error("nothing was proved: nobody was told")
	}
	dep.reconcile(t, took)
}

// What is said of letters that are late.
const (
	mailLate     = "El correo demora en salir. No es culpa suya. Espere"
	mailSent     = "el correo ya salió"
	mailRestored = "El correo ya funciona"
	mailUnsent   = "No se pudo enviar el enlace"
)

// isOfMail says whether a message tells of a letter that is late.
func isOfMail(text string) bool {
	return slices.ContainsFunc([]string{mailLate, mailSent, mailRestored, mailUnsent}, func(what string) bool { return strings.Contains(text, what) })
}

// withoutMail is a chat without what tells of a letter that is late, and what answers who asks for another since that one could not
// be sent.
func withoutMail(said []bottest.ChatMessage) (rest []bottest.ChatMessage) {
	unsent := false
	for _, m := range said {
		switch {
		case isOfMail(m.Text):
			unsent = unsent || strings.Contains(m.Text, mailUnsent)
		case unsent && strings.Contains(m.Text, linkSubject):
			unsent = false
		default:
			rest = append(rest, m)
		}
	}
	return rest
}

// insist has whoever reads that the link could not be sent ask for it again.
func (dep *deployment) insist(ctx context.Context) {
	pressed := map[int64]int{}
	for ctx.Err() == nil {
		for _, p := range dep.people {
			said := dep.api.Messages(p.chat)
			if n := len(said); n > 0 && strings.Contains(said[n-1].Text, mailUnsent) && pressed[p.chat] != said[n-1].ID {
				pressed[p.chat] = said[n-1].ID
				_, _ = dep.api.Press(p.chat, "Reenviar enlace") // the walk waits for what comes of it
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// slack is how much later than it is somebody may be told on a busy machine.
const slack = time.Minute

// toldOfLetters fails the test where somebody was told twice, or wrongly, that the letter is late, went out or could not be sent. In
// `guided` that is so by their own letter; in `uniform` by whether the mail server was away between two moments. It says how many were
// told that it is late.
func (dep *deployment) toldOfLetters(t *testing.T, uniform bool, from, till time.Time) (late int) {
	t.Helper()
	again, unsent, wrongly := 0, 0, 0
	waits := []time.Duration{0}
	wrong := func(p *person, m bottest.ChatMessage, why string) {
		wrongly++
		t.Errorf("person %d was told %q at %s: %s", p.index, begin(m.Text), m.At.Format("15:04:05.000"), why)
	}
	for _, p := range dep.people {
		var asked, arrived time.Time
		for _, l := range dep.smtp.LettersTo(p.address) {
			if l.Subject == linkSubject && arrived.IsZero() {
				arrived = l.Received
			}
		}
		said := map[string]int{}
		order, _ := unfold(dep.api.Messages(p.chat), false) // what a lost answer repeats is judged by reconcile
		for _, m := range order {
			away := m.At.After(from) && m.At.Before(till.Add(30*time.Second+slack)) // a long row of refusals is told of for so long
			switch {
			case strings.Contains(m.Text, mailLate):
				late++
				said[mailLate]++
				waits = append(waits, m.At.Sub(asked))
				switch {
				case asked.IsZero():
					wrong(p, m, "nothing was asked for")
				case uniform && !away, !uniform && arrived.Before(m.At.Add(-slack)):
					wrong(p, m, "nothing was late")
				}
			case strings.Contains(m.Text, mailSent), strings.Contains(m.Text, mailRestored):
				again++
				said[mailSent]++
				if said[mailLate] == 0 || uniform != strings.Contains(m.Text, mailRestored) || uniform && m.At.Before(till) || !uniform && m.At.Before(arrived.Add(-time.Second)) {
					wrong(p, m, "it was not so")
				}
			case strings.Contains(m.Text, mailUnsent):
				unsent++
				said = map[string]int{} // what is asked for again may be late again
				if uniform && !away || !uniform && arrived.Before(m.At) {
					wrong(p, m, "it was sent, or the server was there")
				}
			case strings.Contains(m.Text, linkSubject):
				asked = m.At
			}
			if said[mailLate] > 1 || said[mailSent] > 1 {
				wrong(p, m, "it was said before")
			}
		}
	}
	t.Logf("%d were told that the letter is late, %d that it went out or that letters go out again, %d that it could not be sent; %d wrongly; late at most %v after the bubble that sends to the mailbox", late, again, unsent, wrongly, slices.Max(waits).Round(100*time.Millisecond))
	return late
}

// TestMail_greylisting has the mail server turn each recipient away until so long after it was named first. In `uniform` nobody is
// told a word of that.
func TestMail_greylisting(t *testing.T) {
	alongside(t)
	onBothDisclosures(t, func(t *testing.T, k kind, disclosure string) {
		dep := newDeployment(t, k, "LLAVE_LINK_TTL=3m", "LLAVE_DISCLOSURE="+disclosure)
		people := dep.populate(sized(20, 100))
		dep.start()
		grey := sized(10*time.Second, time.Minute)
		dep.smtp.Greylist(grey)
		took := dep.walkMail(t, people, 100*time.Millisecond, grey)
		turnedAway, failures := 0, dep.count("llave_promises_total", `kind="link"`, `result="temporary"`)
		first, delays := map[string]time.Time{}, []time.Duration{}
		for _, a := range dep.smtp.Attempts() {
			if a.Stage != bottest.SMTPRcpt {
				continue
			}
			if a.Code == 450 {
				turnedAway++
			}
			if _, again := first[a.Arg]; !again {
				first[a.Arg] = a.At
			} else if a.Code == 250 && !slices.ContainsFunc(dep.smtp.LettersTo(a.Arg), func(l letter.Letter) bool { return l.Received.Before(a.At) }) {
				delays = append(delays, a.At.Sub(first[a.Arg]))
			}
		}
		dep.end()
		slices.Sort(delays)
		if len(delays) == 0 {
			t.Fatal("nothing was proved: nobody was turned away")
		}
		t.Logf("greylisting of %v: the letters came between %v and %v after the first try, after %.1f refusals each; %.0f failed tries counted", grey,
			delays[0].Round(100*time.Millisecond), delays[len(delays)-1].Round(100*time.Millisecond), float64(turnedAway)/float64(len(delays)), failures)
		if failures != float64(turnedAway) {
			t.Errorf("the server turned away %d times, the metrics know of %.0f", turnedAway, failures)
		}
		dep.letterFigures(t)
		if told := dep.toldOfLetters(t, disclosure == "uniform", time.Time{}, time.Time{}); disclosure == "uniform" && told > 0 {
			t.Errorf("%d were told of letters that one mailbox puts off", told)
		}
		dep.reconcile(t, took)
	})
}

// TestMail_slow has a mail server that takes its time over each letter, and takes them all.
func TestMail_slow(t *testing.T) {
	alongside(t)
	onBothDisclosures(t, func(t *testing.T, k kind, disclosure string) {
		dep := newDeployment(t, k, "LLAVE_LINK_TTL=3m", "LLAVE_DISCLOSURE="+disclosure)
		people := dep.populate(sized(12, 60))
		dep.start()
		const each = 6 * time.Second
		dep.smtp.Slow(bottest.SMTPData, each)
		took := dep.walkMail(t, people, time.Second, time.Duration(len(people))*each)
		dep.end()
		dep.letterFigures(t)
		if told := dep.toldOfLetters(t, disclosure == "uniform", time.Time{}, time.Time{}); disclosure == "uniform" && told > 0 {
			t.Errorf("%d were told of a service that takes letters", told)
		}
		dep.reconcile(t, took)
	})
}

// onBothDisclosures runs a test with each disclosure on each sort of store.
func onBothDisclosures(t *testing.T, test func(t *testing.T, k kind, disclosure string)) {
	t.Helper()
	for _, disclosure := range []string{"guided", "uniform"} {
		t.Run(disclosure, func(t *testing.T) {
			t.Parallel() // mostly they wait
			onBoth(t, func(t *testing.T, k kind) {
				t.Parallel()
				test(t, k, disclosure)
			})
		})
	}
}

// TestMail_cut has the connection break off while a letter is handed over. Where the server has kept the letter nobody
// knows: it is sent again, and the mailbox holds the same letter twice.
func TestMail_cut(t *testing.T) {
	alongside(t)
	cut := bottest.SMTPFault{Drop: true}
	for _, tt := range []struct {
		name     string
		rudeness func(s *bottest.SMTP, n int)
		copies   bool
	}{
		{"kept", func(s *bottest.SMTP, _ int) { s.FailEach(bottest.SMTPFault{KeepDrop: true}) }, true},
		{"not kept", func(s *bottest.SMTP, n int) {
			s.FailEach(cut)
			for _, stage := range []bottest.SMTPStage{bottest.SMTPConnect, bottest.SMTPHello, bottest.SMTPMail, bottest.SMTPRcpt} {
				s.Fail(stage, slices.Repeat([]bottest.SMTPFault{cut, {}}, n/4)...)
			}
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, k kind) {
				t.Parallel()
				dep := newDeployment(t, k, "LLAVE_LINK_TTL=3m")
				people := dep.populate(sized(30, 200))
				dep.start()
				tt.rudeness(dep.smtp, len(people))
				took := dep.walkMail(t, people, 100*time.Millisecond, 0)
				dep.end()
				for _, a := range dep.smtp.Attempts() {
					if a.Kept && a.Code == 0 {
						dep.lost = append(dep.lost, a.At)
					}
				}
				copies := dep.letterFigures(t)
				switch {
				case !tt.copies && copies > 0:
					t.Errorf("%d copies of letters that were not kept", copies)
				case tt.copies && copies < len(people): // the notices; a link that was used before its next try is not sent again
					t.Errorf("%d copies, want at least %d", copies, len(people))
				}
				dep.reconcile(t, took)
			})
		})
	}
}

// TestMail_refused has some mailboxes refuse for good. A guided chat says at once that this needs the in-person route; a
// uniform one must be the chat of a mailbox that accepts, and of a number that nobody has, to the letter (P212).
func TestMail_refused(t *testing.T) {
	alongside(t)
	for _, disclosure := range []string{"guided", "uniform"} {
		t.Run(disclosure, func(t *testing.T) {
			onBoth(t, func(t *testing.T, k kind) {
				t.Parallel()
				refusal(t, k, disclosure == "uniform")
			})
		})
	}
}

// strangersAfter are [n] people of whom nobody has imported a record; only `uniform` has them on the road.
func strangersAfter(first, n int, uniform bool) (unknown []*person) {
	for i := range n {
		if uniform {
			unknown = append(unknown, &person{index: first + i, chat: 5553000000 + int64(i), number: bottest.Cedula(first + i)})
		}
	}
	return unknown
}

func refusal(t *testing.T, k kind, uniform bool) {
	disclosure, life := "guided", 3*time.Minute
	if uniform {
		disclosure, life = "uniform", sized(6*time.Second, 3*time.Minute)
	}
	// By chance many of the refused are asked for one after another, and here each is its mailbox's fault.
	dep := newDeployment(t, k, "LLAVE_LINK_TTL="+life.String(), "LLAVE_DISCLOSURE="+disclosure, "LLAVE_MAIL_REFUSED_ROW=0")
	n := sized(8, 50)
	all := dep.populate(2 * n)
	refused, accepted := all[:n], all[n:]
	unknown := strangersAfter(2*n, n, uniform)
	for _, p := range refused {
		dep.smtp.RefuseRcpt(p.address, bottest.SMTPFault{Code: 550, Enhanced: "5.1.1", Text: "<" + p.address + ">: no such user here"})
	}
	dep.start()

	ctx, cancel := context.WithTimeout(t.Context(), life+time.Minute)
	defer cancel()
	var walking sync.WaitGroup
	for _, p := range slices.Concat(refused, accepted, unknown) {
		answer := linkSubject
		if !uniform && slices.Contains(refused, p) {
			answer = goInPerson // at once: "look in your mail" may have been taken back before it was sent
		}
		walking.Go(func() {
			last, err := p.asks(ctx, dep.api, answer)
			if err == nil && uniform {
				err = p.reads(ctx, dep.api, last, linkEnded)
			}
			p.failed = err
		})
	}
	walking.Wait()
	for _, p := range slices.Concat(refused, accepted, unknown) {
		if p.failed != nil {
			t.Errorf("person %d: %v", p.index, p.failed)
		}
	}
	time.Sleep(2 * time.Second) // for what should not come any more
	counted, failures := dep.count("llave_letters_total", `result="refused"`), dep.count("llave_promises_total", `kind="link"`, `result="temporary"`)+dep.count("llave_promises_total", `kind="link"`, `result="permanent"`)
	dep.end()

	at := map[string][]time.Time{} // when the server was asked for a mailbox
	for _, a := range dep.smtp.Attempts() {
		if a.Stage == bottest.SMTPRcpt {
			at[a.Arg] = append(at[a.Arg], a.At)
		}
	}
	tries := 0
	for _, p := range refused {
		tries += len(at[p.address])
		if len(at[p.address]) != 1 {
			t.Errorf("person %d: %d tries at a mailbox that refuses for good", p.index, len(at[p.address]))
		}
	}
	t.Logf("%s: %d mailboxes refused, %d tries; letters refused: counted %.0f, failed tries %.0f", disclosure, n, tries, counted, failures)
	if counted != float64(n) {
		t.Errorf("letters refused: counted %.0f, want %d", counted, n)
	}
	if warned := dep.logged(t, `msg="mailbox refused for good"`); warned != n {
		t.Errorf("%d warnings in the log for %d refusals", warned, n)
	}
	dep.logIsClean(t)

	state := bot.State("AtOffice")
	if uniform {
		state = "LinkEnded"
		dep.alike(t, accepted, refused, unknown)
	} else {
		dep.toldInTime(t, refused, at)
	}
	s, vault := dep.openStore(t)
	for _, p := range refused {
		c, err := s.Conversations.Load(t.Context(), s.Book.Conv(p.conv))
		if err != nil {
			t.Fatal(err)
		}
		record, err := s.Unlocks.Load(t.Context(), affiliate.Hash(vault, p.number))
		if err != nil {
			t.Fatal(err)
		}
		if owed := owes(c) + len(record.Promises); c.State != state || owed > 0 || record.Live == nil || record.Live.Refused.IsZero() {
			t.Errorf("person %d: state %s, want %s; %d promises not kept; live attempt refused: %v", p.index, c.State, state, owed, record.Live != nil && !record.Live.Refused.IsZero())
		}
	}
}

// TestMail_returned has letters taken and sent back a moment later, by a delivery report to one of the processes. A guided chat says
// within five seconds that this needs the in-person route; a uniform one is that of a mailbox that keeps its letters, and of a number
// that nobody has, to the letter (P214).
func TestMail_returned(t *testing.T) {
	alongside(t)
	for _, disclosure := range []string{"guided", "uniform"} {
		t.Run(disclosure, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, k kind) {
				t.Parallel()
				returned(t, k, disclosure == "uniform")
			})
		})
	}
}

const returnDomain = "devuelve.example.org"

func returned(t *testing.T, k kind, uniform bool) {
	disclosure, life := "guided", 3*time.Minute
	if uniform {
		disclosure, life = "uniform", sized(6*time.Second, 3*time.Minute)
	}
	dep := newDeployment(t, k, "LLAVE_LINK_TTL="+life.String(), "LLAVE_DISCLOSURE="+disclosure, "LLAVE_MAIL_BOUNCE_DOMAIN="+returnDomain, "LLAVE_BOUNCE_ADDR=127.0.0.1:0")
	n := sized(6, 50)
	all := dep.populate(2 * n)
	bad, good := all[:n], all[n:]
	unknown := strangersAfter(2*n, n, uniform)
	dep.start()
	carrying, enough := context.WithCancel(t.Context())
	at := map[string][]time.Time{} // when a report was taken
	var carry sync.WaitGroup
	carry.Go(func() { dep.sendBack(carrying, bad, at) })

	ctx, cancel := context.WithTimeout(t.Context(), life+time.Minute)
	defer cancel()
	var walking sync.WaitGroup
	for _, p := range slices.Concat(bad, good, unknown) {
		walking.Go(func() {
			last, err := p.asks(ctx, dep.api, linkSubject)
			switch {
			case err == nil && uniform:
				err = p.reads(ctx, dep.api, last, linkEnded)
			case err == nil && slices.Contains(bad, p):
				err = p.reads(ctx, dep.api, last, goInPerson)
			}
			p.failed = err
		})
	}
	walking.Wait()
	for _, p := range slices.Concat(bad, good, unknown) {
		if p.failed != nil {
			t.Errorf("person %d: %v", p.index, p.failed)
		}
	}
	time.Sleep(2 * time.Second) // for what should not come any more
	enough()
	carry.Wait()
	dep.end()
	dep.logIsClean(t)
	if len(at) != n {
		t.Errorf("nothing was proved: %d reports for %d letters", len(at), n)
	}
	if uniform {
		dep.alike(t, good, bad, unknown)
		return
	}
	dep.toldInTime(t, bad, at)
	for _, p := range good {
		if said := dep.api.Messages(p.chat); strings.Contains(said[len(said)-1].Text, goInPerson) {
			t.Errorf("person %d was told that their mailbox takes nothing, and it took the letter", p.index)
		}
	}
}

// sendBack returns the letters to [people] a second after they came, to each process in turn, and notes when the report was taken.
func (dep *deployment) sendBack(ctx context.Context, people []*person, at map[string][]time.Time) {
	sent := map[string]bool{}
	for turn := 0; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		for _, l := range dep.smtp.Letters() {
			theirs := slices.ContainsFunc(people, func(p *person) bool { return p.address == l.To })
			if !theirs || sent[l.MessageID] || time.Since(l.Received) < time.Second {
				continue
			}
			listeners := dep.listeners()
			report := "From: MAILER-DAEMON@mx.example.net\r\nTo: " + l.Sender + "\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n" +
				"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" +
				"Reporting-MTA: dns; mx.example.net\r\n\r\nFinal-Recipient: rfc822; " + l.To + "\r\nAction: failed\r\nStatus: 5.1.1\r\n" +
				"Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n--b--\r\n"
			if err := smtp.SendMail(listeners[turn%len(listeners)], nil, "", []string{l.Sender}, []byte(report)); err != nil {
				dep.t.Logf("a report is sent again: %v", err)
				continue
			}
			turn++
			sent[l.MessageID] = true
			at[l.To] = append(at[l.To], time.Now())
		}
	}
}

var listening = regexp.MustCompile(`msg="delivery reports are taken" addr=(\S+)`)

// listeners are where the processes take delivery reports, as they say in the log.
func (dep *deployment) listeners() (addrs []string) {
	raw, err := os.ReadFile(dep.logPath)
	if err != nil {
		dep.t.Error(err)
	}
	for _, m := range listening.FindAllStringSubmatch(string(raw), -1) {
		addrs = append(addrs, m[1])
	}
	return addrs
}

// toldInTime fails the test where a chat was told late, or anything after.
func (dep *deployment) toldInTime(t *testing.T, refused []*person, at map[string][]time.Time) {
	t.Helper()
	slowest, takenBack := time.Duration(0), 0
	for _, p := range refused {
		said := dep.api.Messages(p.chat)
		last := said[len(said)-1]
		if !strings.Contains(last.Text, goInPerson) || len(at[p.address]) == 0 {
			t.Errorf("person %d: the chat ends with %q", p.index, begin(last.Text))
			continue
		}
		if !strings.Contains(said[len(said)-2].Text, linkSubject) {
			takenBack++
		}
		took := last.At.Sub(at[p.address][0])
		slowest = max(slowest, took)
		if took > tellWithin {
			t.Errorf("person %d: told %v after the refusal", p.index, took)
		}
	}
	t.Logf("the chat had the in-person wording at most %v after the refusal; %d times \"look in your mail\" was taken back before it was sent", slowest.Round(time.Millisecond), takenBack)
}

// alike fails the test where a chat differs from that of somebody whose mailbox took the letter. Only digits may differ:
// each has a number of their own.
func (dep *deployment) alike(t *testing.T, accepted []*person, others ...[]*person) {
	t.Helper()
	read := func(p *person) (lines []string, wait time.Duration) {
		said := dep.api.Messages(p.chat)
		for _, m := range said {
			text := strings.Map(func(r rune) rune {
				if unicode.IsDigit(r) {
					return '0'
				}
				return r
			}, m.Text)
			lines = append(lines, strings.Join(append([]string{text}, m.Labels()...), " | "))
		}
		if len(said) < 2 {
			return lines, 0
		}
		return lines, said[len(said)-1].At.Sub(said[len(said)-2].At)
	}
	pattern, _ := read(accepted[0])
	for i, group := range append([][]*person{accepted}, others...) {
		var waits []time.Duration
		different := 0
		for _, p := range group {
			lines, wait := read(p)
			waits = append(waits, wait)
			if !slices.Equal(lines, pattern) {
				different++
				t.Errorf("person %d: the chat differs:\n%s\ninstead of\n%s", p.index, strings.Join(lines, "\n"), strings.Join(pattern, "\n"))
			}
		}
		t.Logf("%s: %d chats of %d bubbles, %d not the same to the letter; %q came between %v and %v after the bubble before it", [...]string{"accepted", "refused", "unknown number"}[i],
			len(group), len(pattern), different, linkEnded, slices.Min(waits).Round(10*time.Millisecond), slices.Max(waits).Round(10*time.Millisecond))
	}
}

// walkMail has people walk, waits until the last has all letters, and checks that the log holds nothing of theirs.
func (dep *deployment) walkMail(t *testing.T, people []*person, every, outage time.Duration) (took time.Duration) {
	t.Helper()
	began := time.Now()
	waiting, giveUp := context.WithTimeout(t.Context(), outage+patience)
	defer giveUp()
	dep.walk(t.Context(), waiting, people, every, *together)
	dep.noticed(waiting, people)
	dep.logIsClean(t)
	return time.Since(began)
}

// noticed waits until each has the notice that follows the unlocking, and a moment longer for what should not come.
func (dep *deployment) noticed(ctx context.Context, people []*person) {
	for ctx.Err() == nil {
		all := map[string]bool{}
		for _, l := range dep.smtp.Letters() {
			if l.Subject != linkSubject {
				all[l.To] = true
			}
		}
		if !slices.ContainsFunc(people, func(p *person) bool { return !all[p.address] }) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(time.Second)
}

// askedBefore says how many links had been asked for before a moment and came after it, and how long after it the last.
func (dep *deployment) askedBefore(back time.Time) (waited int, last time.Duration) {
	for _, p := range dep.people {
		asked := slices.ContainsFunc(dep.api.Messages(p.chat), func(m bottest.ChatMessage) bool {
			return strings.Contains(m.Text, linkSubject) && m.At.Before(back)
		})
		letters := dep.smtp.LettersTo(p.address)
		if asked && len(letters) > 0 && letters[0].Received.After(back) {
			waited++
			last = max(last, letters[0].Received.Sub(back))
		}
	}
	return waited, last
}

// letterFigures prints what came of the requests and returns how many letters were copies. There are never more than two
// of one, and each link belongs to one request.
func (dep *deployment) letterFigures(t *testing.T) (copies int) {
	t.Helper()
	ids, owner := map[string]int{}, map[string]string{} // Message-ID → copies; link → mailbox
	without := 0
	for _, p := range dep.people {
		links := map[string]bool{}
		for _, l := range dep.smtp.LettersTo(p.address) {
			ids[l.MessageID]++
			if l.Subject != linkSubject {
				continue
			}
			link := l.Link(linkText)
			links[link] = true
			if other, taken := owner[link]; taken && other != p.address {
				t.Errorf("person %d has the link of another", p.index)
			}
			owner[link] = p.address
		}
		if len(links) != 1 {
			without++
			t.Errorf("person %d: %d distinct links", p.index, len(links))
		}
	}
	most := 0
	for _, n := range ids {
		copies += n - 1
		most = max(most, n)
	}
	t.Logf("%d requests: %d without exactly one link, %d distinct links, %d distinct Message-IDs, %d copies, at most %d of one letter",
		len(dep.people), without, len(owner), len(ids), copies, most)
	if most > 2 {
		t.Errorf("%d copies of one letter", most)
	}
	return copies
}

// logged counts the lines of the log with a message.
func (dep *deployment) logged(t *testing.T, message string) int {
	t.Helper()
	raw, err := os.ReadFile(dep.logPath)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(raw), message)
}

// logIsClean fails the test where the log holds an address, a number or a link.
func (dep *deployment) logIsClean(t *testing.T) {
	t.Helper()
	raw, err := os.ReadFile(dep.logPath)
	if err != nil {
		t.Fatal(err)
	}
	log := string(raw)
	for _, p := range dep.people {
		for _, secret := range []string{p.address, p.number} {
			if strings.Contains(log, secret) {
				t.Error("the log holds an address or a number")
			}
		}
	}
	for _, l := range dep.smtp.Letters() {
		link := l.Link(linkText)
		if token := link[strings.LastIndex(link, "/")+1:]; token != "" && strings.Contains(log, token) {
			t.Error("the log holds the secret of a link")
		}
	}
}
