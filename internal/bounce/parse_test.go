package bounce_test

import (
	"bytes"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"llave/internal/bounce"
	"llave/internal/mail"
)

// reports are the mails of testdata/reports.txtar, by name, as they come over the wire.
func reports(t testing.TB) map[string][]byte {
	t.Helper()
	file, err := os.ReadFile("testdata/reports.txtar")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, f := range txtar.Parse(file).Files {
		all[f.Name] = bytes.ReplaceAll(f.Data, []byte("\n"), []byte("\r\n"))
	}
	return all
}

// What servers write after they had taken a letter, and what it means by the mailer's own table. The source is where the form, the
// fields and the words are from: a repository's corpus of real mails, or a server's source.
func TestParse(t *testing.T) {
	const rjbs, rb, p5, g = "rjbs/Mail-DeliveryStatus-BounceParser t/corpus/", "sisimai/rb-sisimai set-of-emails/maildir/bsd/",
		"sisimai/p5-sisimai eg/maildir-as-a-sample/new/", "sisimai/go-sisimai set-of-emails/maildir/bsd/"
	all := reports(t)
	whom := map[string]string{ // it is about, where that is not persona@example.org
		"relayed": "una@example.org otra@example.org", "postfix_forwarded": "otra@example.com", "exim_forwarded": "otra@example.com",
		"no_address": "", "vacation": "", "answer": "", "answer_with_report": "",
	}
	for _, tc := range []struct {
		name    string
		kind    bounce.Kind
		verdict mail.Verdict
		source  string
	}{
		{"postfix", bounce.Failed, mail.MailboxBad, g + "lhost-postfix-30.eml"},
		{"postfix_full", bounce.Failed, mail.MailboxFull, rjbs + "quota-2.msg"},
		{"postfix_delayed", bounce.Delayed, mail.Later, "Postfix src/bounce/bounce_template.c"},
		{"postfix_sender", bounce.Failed, mail.Ours, "Postfix's \"in reply to MAIL FROM command\", as sisimai/go-sisimai's tests of commands have it"},
		{"sendmail", bounce.Failed, mail.MailboxBad, rjbs + "aol.unknown.msg"},
		{"sendmail_size", bounce.Failed, mail.Ours, p5 + "sendmail-05.eml"},
		{"sendmail_old", bounce.Failed, mail.MailboxBad, "the text part of " + rjbs + "aol.unknown.msg; sendmail src/savemail.c"},
		{"sendmail_warning", bounce.Delayed, mail.Later, "sendmail src/savemail.c errbody"},
		{"qmail", bounce.Failed, mail.MailboxBad, rjbs + "qmail.unknown.msg"},
		{"qmail_full", bounce.Failed, mail.MailboxFull, p5 + "qmail-06.eml"},
		{"qmail_policy", bounce.Failed, mail.Ours, "a bounce quoted on oss-security, 2 July 2015"},
		{"exim", bounce.Failed, mail.MailboxBad, rb + "email-exim-02.eml"},
		{"exim_full", bounce.Failed, mail.MailboxFull, "Exim src/deliver.c; \"mailbox is full\" as sisimai has it"},
		{"exim_warning", bounce.Delayed, mail.Later, "Exim src/deliver.c, the warning message"},
		{"gmail_2010", bounce.Failed, mail.Ours, rb + "email-google-03.eml"},
		{"gmail_2017", bounce.Failed, mail.MailboxBad, rb + "email-gsuite-02.eml"},
		{"exchange_55", bounce.Failed, mail.MailboxBad, rjbs + "exchange.unknown.msg"},
		{"exchange_2007", bounce.Failed, mail.Ours, rb + "email-exchange2007-02.eml"},
		{"domino", bounce.Failed, mail.MailboxBad, rjbs + "domino.unknown.msg"},
		{"courier", bounce.Failed, mail.MailboxBad, rb + "courier-02.eml"},
		{"challenge", bounce.Failed, mail.Later, rjbs + "boxbe-cr.msg"},
		{"relayed", bounce.Arrived, "", "RFC 3464 2.3.3"},
		{"vacation", bounce.Reply, "", "RFC 3834"},
		{"answer", bounce.Reply, "", "made up"},
		{"postfix_forwarded", bounce.Failed, mail.MailboxBad, "Postfix src/local/forward.c, which keeps the original recipient"},
		{"postfix_rewritten", bounce.Failed, mail.MailboxBad, "the same for virtual_alias_maps"},
		{"exim_forwarded", bounce.Failed, mail.MailboxBad, "Exim src/deliver.c, the child of an address"},
		{"no_address", bounce.Failed, mail.MailboxBad, "made up; RFC 3464 2.3.2 allows other types"},
		{"answer_with_report", bounce.Reply, "", "made up"},
		{"mixed_from_server", bounce.Failed, mail.MailboxBad, "made up"},
	} {
		raw, found := all[tc.name]
		if !found {
			t.Fatalf("%s: there is no such mail", tc.name)
		}
		delete(all, tc.name)
		r := bounce.Parse(raw)
		if r.Kind != tc.kind {
			t.Errorf("%s: got %s, want %s (%s)", tc.name, r.Kind, tc.kind, tc.source)
			continue
		}
		to, listed := whom[tc.name]
		if !listed {
			to = "persona@example.org"
		}
		if got := strings.Join(r.To, " "); got != to {
			t.Errorf("%s: is about %q, want %q", tc.name, got, to)
		}
		if tc.verdict == "" {
			continue
		}
		if got := r.Verdict(); got != tc.verdict {
			t.Errorf("%s: %d %q is judged %s, want %s (%s)", tc.name, r.Code, r.Text, got, tc.verdict, tc.source)
		}
	}
	for name := range all {
		t.Errorf("%s stands in no row", name)
	}
}

// A mail of the largest size that is all small pieces of one kind takes a few times its size to read, in all.
func TestParse_memory(t *testing.T) {
	const mixed = "From: mailer-daemon\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
	for name, m := range map[string]struct{ begin, again string }{
		"fields":            {"", "X: y\r\n"},
		"fields of a part":  {mixed + "--b\r\n", "X: y\r\n"},
		"folded fields":     {"X: y\r\n", " y\r\n"},
		"parts":             {mixed, "--b\r\n\r\n\r\n"},
		"parts with fields": {mixed, "--b\r\n" + strings.Repeat("X: y\r\n", 3000) + "\r\n\r\n"},
		"nested":            {"", "Content-Type: multipart/mixed; boundary=b\r\n" + strings.Repeat("X: y\r\n", 3000) + "\r\n--b\r\n"},
		"recipients":        {mixed + "--b\r\nContent-Type: message/delivery-status\r\n\r\n", "Final-Recipient:x;a@b\r\nAction:failed\r\n\r\n"},
		"groups":            {mixed + "--b\r\nContent-Type: message/delivery-status\r\n\r\n", "a:b\r\n\r\n"},
		"statuses":          {mixed, "--b\r\nContent-Type: message/delivery-status\r\n\r\n" + strings.Repeat("a:b\r\n\r\n", 3000)},
		"failed recipients": {"From: mailer-daemon\r\n", "X-Failed-Recipients: a@b, a@b\r\n"},
		"addresses":         {"From: mailer-daemon\r\n\r\nhad permanent fatal errors\r\n", "a@b\r\n"},
	} {
		raw := []byte(m.begin + strings.Repeat(m.again, (1<<20-len(m.begin))/len(m.again)))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		bounce.Parse(raw)
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > 12 {
			t.Errorf("%s: %d MiB are taken for 1 MiB, want 12 at most", name, got)
		}
	}
}

// Whatever comes is read to an end, and no more of it is kept than a server's sentence.
func FuzzParse(f *testing.F) {
	for _, raw := range reports(f) {
		f.Add(raw)
		f.Add(raw[:len(raw)/2])
		f.Add(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")))
		f.Add(bytes.ReplaceAll(raw, []byte("boundary"), []byte("boundarx")))
	}
	nested := "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	f.Add([]byte(strings.Repeat(nested, 300)))
	f.Add([]byte(nested + strings.Repeat("\r\n--b\r\n", 5000)))
	f.Add([]byte("Content-Type: message/delivery-status\r\n\r\nAction: failed\r\n" + strings.Repeat(" x\r\n", 5000)))
	f.Add([]byte("From: mailer-daemon\r\n\r\ndid not reach the following recipient(s): İ@" + strings.Repeat("İ", 2000) + "--- original message"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := bounce.Parse(raw)
		if len(r.Text) > 500 {
			t.Errorf("%d bytes are kept", len(r.Text))
		}
		if len(r.To) > 20 || len(strings.Join(r.To, "")) > 20*254 {
			t.Errorf("%d addresses are kept", len(r.To))
		}
		switch r.Kind {
		case bounce.Failed, bounce.Delayed:
			if r.Code < 400 || r.Code > 599 {
				t.Errorf("%s with the code %d", r.Kind, r.Code)
			}
		case bounce.Arrived, bounce.Reply:
		default:
			t.Errorf("got the kind %q", r.Kind)
		}
	})
}
