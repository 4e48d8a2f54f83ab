package doctor

import (
	"strings"
	"testing"
	"time"

	"llave/internal/bottest"
)

func TestMail(t *testing.T) {
	const day = 24 * time.Hour
	refusal := bottest.SMTPFault{Code: 550, Enhanced: "5.7.1", Text: "sender not allowed"}
	secured := bottest.SMTPOptions{StartTLS: true, CertFor: 100 * day, User: "llave", Password: smtpPass}
	for name, tt := range map[string]struct {
		server bottest.SMTPOptions
		change func(*clinic, *bottest.SMTP)
		check  string
		want   Status
		words  string
	}{
		"server":       {secured, nil, "server", Green, "127.0.0.1"},
		"no such name": {secured, func(c *clinic, _ *bottest.SMTP) { c.set("LLAVE_SMTP_URL=smtps://mail.nowhere.example") }, "server", Red, "there is no mail.nowhere.example"},
		"DNS away": {secured, func(c *clinic, _ *bottest.SMTP) {
			c.set("LLAVE_SMTP_URL=smtps://mail.nowhere.example")
			c.dns.Break(true)
		}, "server", Red, "DNS does not answer"},
		"connection": {secured, nil, "connection", Green, "starttls"},
		"away":       {secured, func(_ *clinic, s *bottest.SMTP) { s.Down() }, "connection", Red, "connection refused"},
		"turned away": {bottest.SMTPOptions{}, func(_ *clinic, s *bottest.SMTP) {
			s.FailAlways(bottest.SMTPConnect, bottest.SMTPFault{Code: 554, Text: "no"})
		}, "connection", Red, "answering 554 to greeting"},
		"not by EHLO": {bottest.SMTPOptions{}, func(_ *clinic, s *bottest.SMTP) {
			s.FailAlways(bottest.SMTPHello, bottest.SMTPFault{Code: 550, Text: "no"})
		}, "connection", Red, "EHLO"},
		"encryption":            {secured, nil, "encryption", Green, "good for 99 days"},
		"none on this machine":  {bottest.SMTPOptions{}, nil, "encryption", Green, "does not leave this machine"},
		"from the first byte":   {bottest.SMTPOptions{Implicit: true, CertFor: 100 * day}, nil, "encryption", Green, "TLS 1.3"},
		"certificate ends soon": {bottest.SMTPOptions{StartTLS: true, CertFor: 10 * day}, nil, "encryption", Yellow, "ends in 9 days"},
		"certificate ends now":  {bottest.SMTPOptions{StartTLS: true, CertFor: 2 * day}, nil, "encryption", Red, "ends in 1 days"},
		"certificate unknown":   {secured, func(c *clinic, _ *bottest.SMTP) { c.opt.RootCAs = nil }, "encryption", Red, "signed by nobody we know"},
		"no STARTTLS":           {bottest.SMTPOptions{}, func(c *clinic, s *bottest.SMTP) { c.set("LLAVE_SMTP_URL=smtp://" + s.Addr()) }, "encryption", Red, "STARTTLS"},
		"sign-in":               {secured, nil, "sign-in", Green, "are taken"},
		"no sign-in":            {bottest.SMTPOptions{}, nil, "sign-in", Green, "none is asked for"},
		"wrong password": {secured, func(c *clinic, s *bottest.SMTP) {
			c.set("LLAVE_SMTP_URL=smtp://llave:wrong-" + smtpPass + "@" + s.Addr())
		}, "sign-in", Red, "refused user or password (check LLAVE_SMTP_URL), answering 535"},
		"no sign-in there": {bottest.SMTPOptions{StartTLS: true, CertFor: 100 * day}, func(c *clinic, s *bottest.SMTP) { c.set("LLAVE_SMTP_URL=smtp://llave:" + smtpPass + "@" + s.Addr()) }, "sign-in", Red, "does not ask for a sign-in"},
		"encrypted, wrong password": {secured, func(c *clinic, s *bottest.SMTP) {
			c.set("LLAVE_SMTP_URL=smtp://llave:wrong-" + smtpPass + "@" + s.Addr())
		}, "encryption", Green, "TLS 1.3; the certificate is good"},
		"sender":         {secured, nil, "sender", Green, "taken"},
		"sender refused": {secured, func(_ *clinic, s *bottest.SMTP) { s.FailAlways(bottest.SMTPMail, refusal) }, "sender", Red, "refused the sender (check LLAVE_MAIL_FROM), answering 550"},
		"letter":         {secured, func(c *clinic, _ *bottest.SMTP) { c.opt.Send = "ana@correo.example" }, "letter", Green, "took one"},
		"letter refused": {secured, func(c *clinic, s *bottest.SMTP) {
			c.opt.Send = "ana@correo.example"
			s.FailAlways(bottest.SMTPData, refusal)
		}, "letter", Red, "550 5.7.1 at handover"},
		"letter to nobody": {secured, func(c *clinic, _ *bottest.SMTP) { c.opt.Send = "no-responder@localhost" }, "letter", Red, "no address"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClinic(t)
			s := startSMTP(t, tt.server)
			c.opt.RootCAs = s.RootCAs()
			c.set("LLAVE_SMTP_URL=" + s.URL())
			if tt.change != nil {
				tt.change(c, s)
			}
			c.finds("mail", tt.check, tt.want, tt.words)
			if letters := len(s.LettersTo("ana@correo.example")); (letters == 1) != (tt.check == "letter" && tt.want == Green) {
				t.Errorf("%d letters", letters)
			}
		})
	}
	for name, tt := range map[string]struct {
		change func(*clinic, *bottest.SMTP)
		check  string
		do     string
	}{
		"no room": {func(_ *clinic, s *bottest.SMTP) {
			s.FailAlways(bottest.SMTPMail, bottest.SMTPFault{Code: 452, Enhanced: "4.3.1", Text: "no room"})
		}, "sender", "has no room"},
		"sender":            {func(_ *clinic, s *bottest.SMTP) { s.FailAlways(bottest.SMTPMail, refusal) }, "sender", "LLAVE_MAIL_FROM"},
		"unknown authority": {func(c *clinic, _ *bottest.SMTP) { c.opt.RootCAs = nil }, "encryption", "SSL_CERT_FILE"},
		"policy": {func(c *clinic, s *bottest.SMTP) {
			c.opt.Send = "ana@correo.example"
			s.FailAlways(bottest.SMTPRcpt, refusal)
		}, "letter", "relays for this machine"},
	} {
		t.Run("do: "+name, func(t *testing.T) {
			c := newClinic(t)
			s := startSMTP(t, secured)
			c.opt.RootCAs = s.RootCAs()
			c.set("LLAVE_SMTP_URL=" + s.URL())
			tt.change(c, s)
			if f := c.finds("mail", tt.check, Red, ""); !strings.Contains(f.Do, tt.do) {
				t.Errorf("to do is %q, want %q in it", f.Do, tt.do)
			}
		})
	}
	c := newClinic(t)
	c.smtp.Down()
	for _, below := range []string{"encryption", "sign-in", "sender"} { // what stands on the connection is not tried without
		c.lacks("mail", below)
	}
}

func TestMailDomain(t *testing.T) {
	const domain = "correo.example"
	txt := func(name string, texts ...string) func(*clinic) {
		return func(c *clinic) { c.dns.TXT(name, texts...) }
	}
	for name, tt := range map[string]struct {
		change func(*clinic)
		check  string
		want   Status
		words  string
	}{
		"no domain":            {func(c *clinic) { c.set("LLAVE_MAIL_FROM=IESS <no-responder@localhost>") }, "SPF", Yellow, "not looked up"},
		"SPF":                  {txt(domain, "some=other", "v=spf1 ip4:192.0.2.1 -all"), "SPF", Green, "-all"},
		"SPF soft":             {txt(domain, "V=SPF1 mx ~ALL"), "SPF", Green, "~all"},
		"SPF elsewhere":        {txt(domain, "v=spf1 redirect=_spf.example"), "SPF", Green, "_spf.example"},
		"SPF missing":          {func(*clinic) {}, "SPF", Yellow, "does not say who"},
		"SPF like others":      {txt(domain, "v=spf10 -all"), "SPF", Yellow, "does not say who"},
		"SPF undecided":        {txt(domain, "v=spf1 mx"), "SPF", Yellow, "does not say what"},
		"SPF open":             {txt(domain, "v=spf1 +all"), "SPF", Red, "lets everybody"},
		"SPF open, no sign":    {txt(domain, "v=spf1 all"), "SPF", Red, "lets everybody"},
		"SPF twice":            {txt(domain, "v=spf1 -all", "v=spf1 mx -all"), "SPF", Red, "2 SPF records"},
		"SPF not known":        {func(c *clinic) { c.dns.Break(true) }, "SPF", Yellow, "DNS does not answer"},
		"SPF of the envelope":  {func(c *clinic) { bounces(c); c.dns.TXT("rebotes.example", "v=spf1 -all") }, "SPF", Green, "rebotes.example"},
		"DKIM":                 {txt("mail._domainkey."+domain, "v=DKIM1; k=rsa; p=MIGf"), "DKIM", Green, `"mail"`},
		"DKIM long":            {txt("s1._domainkey."+domain, "k=rsa; p="+strings.Repeat("MIIB", 100)), "DKIM", Green, `"s1"`},
		"DKIM missing":         {func(*clinic) {}, "DKIM", Yellow, "no key under the usual names"},
		"DKIM for testing":     {txt("mail._domainkey."+domain, "v=DKIM1; t=y; p=MIGf"), "DKIM", Yellow, "for testing"},
		"DKIM taken back":      {txt("mail._domainkey."+domain, "v=DKIM1; p="), "DKIM", Red, "taken back"},
		"DKIM of another kind": {txt("mail._domainkey."+domain, "hello"), "DKIM", Yellow, "no key"},
		"DKIM not known":       {func(c *clinic) { c.dns.Break(true) }, "DKIM", Yellow, "DNS does not answer"},
		"DMARC":                {txt("_dmarc."+domain, "v=DMARC1; p=reject"), "DMARC", Green, "reject"},
		"DMARC missing":        {func(*clinic) {}, "DMARC", Yellow, "does not say"},
		"DMARC does nothing":   {txt("_dmarc."+domain, "v=DMARC1; p=none; rua=mailto:a@correo.example"), "DMARC", Yellow, "nothing"},
		"DMARC without policy": {txt("_dmarc."+domain, "v=DMARC1; rua=mailto:a@correo.example"), "DMARC", Red, "without a policy"},
		"DMARC twice":          {txt("_dmarc."+domain, "v=DMARC1; p=none", "v=DMARC1; p=reject"), "DMARC", Red, "2 DMARC records"},
		"DMARC from above": {func(c *clinic) {
			c.set("LLAVE_MAIL_FROM=IESS <a@clave.correo.example>")
			c.dns.TXT("_dmarc."+domain, "v=DMARC1; p=reject")
		}, "DMARC", Green, "reject"},
		"DMARC above, laxer": {func(c *clinic) {
			c.set("LLAVE_MAIL_FROM=IESS <a@clave.correo.example>")
			c.dns.TXT("_dmarc."+domain, "v=DMARC1; p=reject; sp=none")
		}, "DMARC", Yellow, "nothing"},
		"DMARC not known":      {func(c *clinic) { c.dns.Break(true) }, "DMARC", Yellow, "DNS does not answer"},
		"reports come":         {func(c *clinic) { bounces(c); c.dns.MX("rebotes.example", "mx.example") }, "reports come to", Green, "1 mail servers"},
		"reports come nowhere": {func(c *clinic) { bounces(c) }, "reports come to", Red, "no mail server"},
		"reports, not known":   {func(c *clinic) { bounces(c); c.dns.Break(true) }, "reports come to", Yellow, "DNS does not answer"},
		"report to": {func(c *clinic) {
			c.set("LLAVE_REPORT_TO=jefe@oficina.example")
			c.dns.Host("oficina.example", "192.0.2.9")
		}, "report to", Green, "takes mail itself"},
		"report to nobody":    {func(c *clinic) { c.set("LLAVE_REPORT_TO=jefe@oficina.example") }, "report to", Red, "no mail server"},
		"report to a null MX": {func(c *clinic) { c.set("LLAVE_REPORT_TO=jefe@oficina.example"); c.dns.MX("oficina.example", ".") }, "report to", Red, "takes no mail"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClinic(t)
			tt.change(c)
			c.finds("mail domain", tt.check, tt.want, tt.words)
		})
	}
}

// bounces turns signed return addresses on.
func bounces(c *clinic) {
	c.set("LLAVE_MAIL_BOUNCE_DOMAIN=rebotes.example", "LLAVE_BOUNCE_ADDR=127.0.0.1:0")
}
