package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"llave/bot"
)

// Stage is how far a dialogue with the mail server had come.
type Stage string

// The stages, in order.
const (
	StageDial     Stage = "connect"
	StageGreeting Stage = "greeting"
	StageHello    Stage = "EHLO"
	StageTLS      Stage = "TLS"
	StageAuth     Stage = "AUTH"
	StageFrom     Stage = "MAIL FROM"
	StageRcpt     Stage = "RCPT TO"
	StageData     Stage = "DATA"     // asking for leave to send the letter
	StageHandover Stage = "handover" // the letter itself
	StageReset    Stage = "RSET"
)

// Refusal is the server's answer that ended a dialogue. The server's own words are left out: they like to repeat the
// address.
type Refusal struct {
	Stage    Stage
	Code     int
	Enhanced string // RFC 3463, such as "5.1.1"; empty when the server gave none
}

// Error says at which step the server refused, and how.
func (r *Refusal) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s answered %d %s", r.Stage, r.Code, r.Enhanced))
}

var enhancedCode = regexp.MustCompile(`^([245])\.(\d{1,3})\.(\d{1,3})\b`)

// Verdict is what a refusal means for the letter, and for whom.
type Verdict string

// The verdicts. A refusal that is nobody's for certain is Ours: nobody is sent to an office by a guess.
const (
	Later       Verdict = "later"        // the server, or the mailbox, is busy: the same letter may get through in a while
	Ours        Verdict = "ours"         // policy, reputation, sign-in, the letter's form: no fault of this mailbox
	MailboxFull Verdict = "mailbox full" // refused for good because it is over its quota
	MailboxBad  Verdict = "mailbox bad"  // does not exist, is disabled, or cannot be reached by anybody
)

// Failure is what the verdict means for who sends. A full mailbox is Permanent, since a link lives minutes and a quota is
// not made room in by then; what a server refuses for now is Later, whatever its reason.
func (v Verdict) Failure() bot.Failure {
	if v == MailboxBad || v == MailboxFull {
		return bot.Permanent
	}
	return bot.Temporary
}

// Judge says what a server's answer means. [text] is what follows the code, its RFC 3463 code first where it has one;
// it is read and not kept. [code] may be 0 where only a delivery report's status (RFC 3464) is known: then the class of
// the status, at the start of the text, stands for it. The stage of a delivery report that does not tell is StageHandover.
func Judge(stage Stage, code int, text string) Verdict {
	enhanced := enhancedCode.FindString(text)
	if code == 0 && enhanced != "" {
		code = 100 * int(enhanced[0]-'0')
	}
	failure, _ := judge(&Refusal{Stage: stage, Code: code, Enhanced: enhanced})
	switch {
	case code < 500 || strings.HasPrefix(enhanced, "4"):
		return Later
	case failure == bot.Temporary:
		return Ours
	case enhanced == "5.2.2":
		return MailboxFull
	}
	return MailboxBad
}

// failed says what an error at a stage means for the letter.
func failed(stage Stage, err error) *bot.SendError {
	var said *textproto.Error
	if errors.As(err, &said) {
		r := &Refusal{Stage: stage, Code: said.Code, Enhanced: enhancedCode.FindString(said.Msg)}
		failure, reason := judge(r)
		return &bot.SendError{Failure: failure, Reason: reason, Err: r}
	}
	return &bot.SendError{Failure: bot.Temporary, Reason: string(stage) + ": " + network(err), Err: quiet(err)}
}

// judge decides what the refusal [r] means. Permanent: this mailbox will not take the letter, and the person is sent to the
// in-person route. Whatever may be the fault of the server, of its operator or of ours is Temporary, so that a mistake in
// the settings sends nobody there.
//
//	any 4yz                         Temporary  RFC 5321 4.2.1; greylisting, 421 closing, 450/451/452 busy
//	5yz before RCPT TO              Temporary  greeting 554/521, EHLO, STARTTLS, AUTH 535, MAIL FROM: not about the mailbox
//	5yz to RCPT TO or the letter, by the subject of its enhanced code (RFC 3463 3):
//	  5.1.7, 5.1.8                  Temporary  our own sender address is refused
//	  5.1.z, 5.2.z                  Permanent  no such mailbox or domain, disabled; full (5.2.2): a link lives minutes
//	  5.3.z                         Temporary  the mail system: full, not accepting, letter too big for it
//	  5.4.z                         Permanent  no way to that domain (and Exchange Online's word for "no such recipient")
//	  5.5.z                         Temporary  the dialogue went wrong, or 530 5.5.1: sign in first
//	  5.6.7                         Permanent  the address needs SMTPUTF8 further on (RFC 6531)
//	  5.6.z                         Temporary  the letter's form: the same for everybody, so not this mailbox
//	  5.7.z                         Temporary  policy: relaying denied, SPF, blocked sender: mostly ours, never surely theirs
//	  none, or 5.0.z, by the code (RFC 5321 4.2.3, RFC 7504, RFC 4954):
//	    550 551 552 553 554 556     Permanent  no mailbox, not local, full, name not allowed, failed, domain takes no mail
//	    the rest (50z 521 530 …)    Temporary  syntax, order, sign-in
//	an enhanced code of class 4     Temporary  the two codes disagree: the milder counts
func judge(r *Refusal) (bot.Failure, string) {
	if r.Code < 500 || strings.HasPrefix(r.Enhanced, "4") {
		return bot.Temporary, "mail server asks to try later"
	}
	switch r.Stage {
	case StageRcpt, StageData, StageHandover:
	case StageAuth:
		return bot.Temporary, "mail server refused user or password (check LLAVE_SMTP_URL)"
	case StageFrom:
		return bot.Temporary, "mail server refused the sender (check LLAVE_MAIL_FROM)"
	default:
		return bot.Temporary, "mail server turned us away"
	}
	const mailbox, ours = "mailbox refused for good", "mail server refused, not for the mailbox's sake"
	switch subject, detail := splitEnhanced(r.Enhanced); {
	case subject == 1 && (detail == 7 || detail == 8), subject == 3, subject == 5, subject == 6 && detail != 7, subject == 7:
		return bot.Temporary, ours
	case subject > 0:
		return bot.Permanent, mailbox
	}
	switch r.Code {
	case 550, 551, 552, 553, 554, 556:
		return bot.Permanent, mailbox
	}
	return bot.Temporary, ours
}

func splitEnhanced(s string) (subject, detail int) {
	m := enhancedCode.FindStringSubmatch(s)
	if m == nil {
		return 0, 0
	}
	subject, _ = strconv.Atoi(m[2]) // digits, the expression says so
	detail, _ = strconv.Atoi(m[3])
	return subject, detail
}

// network says in the operator's words what kind of trouble [err] is.
func network(err error) string {
	var (
		dns     *net.DNSError
		cert    *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		timeout net.Error
	)
	switch {
	case errors.Is(err, errNoStartTLS), errors.Is(err, errNoAuth), errors.Is(err, errNoMechanism), errors.Is(err, errClosed):
		return err.Error()
	case errors.As(err, &dns):
		return "the mail server's name cannot be resolved"
	case errors.As(err, &unknown):
		return "the mail server's certificate is signed by nobody we know"
	case errors.As(err, &name):
		return "the mail server's certificate is for another name"
	case errors.As(err, &cert):
		return "the mail server's certificate is not valid"
	case errors.As(err, &record):
		return "the mail server does not speak TLS there (smtps:// and smtp:// mixed up?)"
	case errors.As(err, &alert):
		return "the TLS handshake failed"
	case errors.Is(err, context.Canceled):
		return "given up: we are stopping"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection was lost"
	}
	return "the connection failed"
}

// quiet keeps of an error what has no words of the other side in it: context's own, for errors.Is, and network errors,
// which name nothing but the server. Anything else (a line that is not SMTP, say) is left out.
func quiet(err error) error {
	var op *net.OpError
	var dns *net.DNSError
	for _, known := range []error{context.Canceled, context.DeadlineExceeded, errNoStartTLS, errNoAuth, errNoMechanism, errClosed} {
		if errors.Is(err, known) {
			return known
		}
	}
	switch {
	case errors.As(err, &op):
		return op
	case errors.As(err, &dns):
		return dns
	}
	return nil
}
