package doctor

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/address"
	"llave/internal/mail"
)

// mail are checks of the way that a letter goes, up to where a recipient would be named; and, if that was asked for, a letter.
func (d *doctor) mail(s *section) {
	if d.Config.SMTPURL == "" {
		s.add("server", bad("set LLAVE_SMTP_URL", "no mail server is set: letters are all this service is about"))
		return
	}
	server, err := mail.ParseURL(d.Config.SMTPURL.Reveal())
	if err != nil {
		s.add("server", bad("mend LLAVE_SMTP_URL", "%v", err))
		return
	}
	if !s.check("server", func(ctx context.Context) result { return d.name(ctx, server.Host) }) {
		return
	}
	sender, err := mail.New(mail.Options{Server: server, From: d.Config.MailFrom, RootCAs: d.RootCAs, DialTimeout: d.Within, SendTimeout: d.Within})
	if err != nil {
		s.add("sender", bad("mend LLAVE_MAIL_FROM", "%v", err))
		return
	}
	defer func() { _ = sender.Close() }()
	var e mail.Examination
	done := s.check("connection", func(ctx context.Context) result {
		e = sender.Examine(ctx, d.returnPath())
		return mailStage(e, mail.StageDial, mail.StageGreeting, mail.StageHello).or(good("%s answers", server))
	})
	if !done ||
		!s.add("encryption", mailStage(e, mail.StageTLS).or(d.encryption(e))) ||
		!s.add("sign-in", mailStage(e, mail.StageAuth).or(signIn(e))) ||
		!s.add("sender", mailStage(e, mail.StageFrom).or(good("it is taken"))) {
		return
	}
	if d.Send != "" {
		s.check("letter", func(ctx context.Context) result { return d.letter(ctx, sender) })
	}
}

// or is another result where this one is none.
func (r result) or(other result) result {
	if r.status == "" {
		return other
	}
	return r
}

// name says whether a host's name leads anywhere.
func (d *doctor) name(ctx context.Context, host string) result {
	if net.ParseIP(host) != nil || host == "localhost" {
		return good("%s", host)
	}
	addresses, err := d.Resolver.LookupHost(ctx, host)
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return bad("mend the name, or its DNS", "there is no %s in DNS", host)
	case err != nil:
		return bad("look at this machine's DNS (/etc/resolv.conf)", "%s cannot be looked up: DNS does not answer", host)
	}
	return good("%s is %s", host, strings.Join(addresses, ", "))
}

// returnPath is one of the shape that letters have; empty where they have the sender's own.
func (d *doctor) returnPath() string {
	if d.Config.BounceDomain == "" {
		return ""
	}
	return "doctor@" + d.Config.BounceDomain
}

// mailStage is red where the dialogue ended at one of the stages, else no result.
func mailStage(e mail.Examination, stages ...mail.Stage) result {
	for _, stage := range stages {
		switch {
		case e.Failed != stage:
		case e.Answer != 0:
			return bad(mail.Advice(stage, e.Answer), "%s, answering %d to %s", e.Reason, e.Answer, stage)
		default:
			return bad(mail.Advice(stage, 0), "%s", e.Reason)
		}
	}
	return result{}
}

// Days that a certificate is still good for: from which on somebody should look, and from which on it is an emergency.
const (
	daysLook = 21
	daysRed  = 3
)

// certificate judges how long one is still good.
func (d *doctor) certificate(end time.Time, renew string) result {
	days := int(end.Sub(d.Now()).Hours() / 24)
	switch {
	case days <= daysRed:
		return bad(renew, "the certificate ends in %d days", days)
	case days <= daysLook:
		return warn(renew, "the certificate ends in %d days", days)
	}
	return good("the certificate is good for %d days", days)
}

func (d *doctor) encryption(e mail.Examination) result {
	if e.TLS == "" {
		return good("none, and the way does not leave this machine")
	}
	r := d.certificate(e.CertEnd, "renew the mail server's certificate, or tell whoever runs it")
	r.found = e.TLS + "; " + r.found
	return r
}

func signIn(e mail.Examination) result {
	if !e.Signed {
		return good("none is set, and none is asked for")
	}
	return good("user and password are taken")
}

// letter sends one for real.
func (d *doctor) letter(ctx context.Context, sender *mail.Sender) result {
	if !address.Valid(d.Send) {
		return bad("name a mailbox: llave doctor --send=mailbox@host", "there is no address to send to")
	}
	b := make([]byte, 16)
	rand.Read(b)
	err := sender.Send(ctx, mail.Letter{
		To: d.Send, ReturnPath: d.returnPath(), Subject: "Test letter of Llave", Lang: "en", MessageID: "doctor-" + hex.EncodeToString(b), AutoSubmitted: true,
		Text: "`llave doctor --send` sent this letter. If it lies in the inbox, letters arrive. Its source says under " +
			"Authentication-Results whether SPF, DKIM and DMARC pass.\n",
	})
	if err == nil {
		return good("the mail server took one; see that it arrives, and under Authentication-Results whether spf, dkim and dmarc pass")
	}
	reason, do := "it was not sent", "see the mail server's log; try another mailbox too"
	if se := (*bot.SendError)(nil); errors.As(err, &se) {
		reason = se.Reason
	}
	if r := (*mail.Refusal)(nil); errors.As(err, &r) {
		reason += ": " + r.Answer()
		if r.Verdict.Failure() != bot.Permanent {
			do = mail.Advice(r.Stage, r.Code)
		}
	}
	return bad(do, "%s", reason)
}
