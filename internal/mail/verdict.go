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
	Verdict  Verdict
}

// Error says at which step the server refused, and how.
func (r *Refusal) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s answered %d %s", r.Stage, r.Code, r.Enhanced))
}

// Answer is the server's answer and where it came: "550 5.7.1 at RCPT TO".
func (r *Refusal) Answer() string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", r.Code, r.Enhanced)) + " at " + string(r.Stage)
}

// policy says whether a letter was refused for what we are, once its recipient was named.
func (r *Refusal) policy() bool { return afterRcpt(r.Stage) && r.Verdict == Ours }

// Advice is what an operator can do where a dialogue ended at a stage, by the server's answer there; 0: it gave none. The stage that
// is not known is empty.
func Advice(stage Stage, code int) string {
	if code/100 == 4 {
		return "see the mail server's log and disk: it is busy, has no room, or lets us wait"
	}
	switch stage {
	case StageDial:
		return "check host and port in LLAVE_SMTP_URL, that the server runs, and the firewall between"
	case StageGreeting:
		return "check that what listens there is a mail server, and whether it turns this machine away"
	case StageHello:
		return "see the mail server's log: it turns this machine away"
	case StageTLS:
		return "smtp:// is for STARTTLS and smtps:// for TLS from the first byte; the certificate must be valid for the host in LLAVE_SMTP_URL" +
			" and signed by an authority that this machine knows: for one of the institution's own name its file in SSL_CERT_FILE, or add it to the system's"
	case StageAuth:
		return "mend user and password in LLAVE_SMTP_URL (special characters as %XX)"
	case StageFrom:
		return "let the mail server take LLAVE_MAIL_FROM (and LLAVE_MAIL_BOUNCE_DOMAIN) as sender for this user"
	case StageRcpt, StageData, StageHandover:
		return "see whether the mail server relays for this machine and user, and lets LLAVE_MAIL_FROM send; then SPF, DKIM, DMARC, block lists, and its log"
	}
	return "check LLAVE_SMTP_URL and the server"
}

// Verdict is what a refusal means for the letter, and for whom.
type Verdict string

// The verdicts. A refusal that is nobody's for certain is Ours: nobody is sent to an office by a guess.
const (
	Later       Verdict = "later"        // the server, or the mailbox, is busy: the same letter may get through in a while
	Ours        Verdict = "ours"         // policy, reputation, sign-in, the letter's form: no fault of this mailbox
	MailboxFull Verdict = "mailbox full" // refused for good because it is over its quota
	MailboxBad  Verdict = "mailbox bad"  // does not exist, is disabled, or cannot be reached by anybody
)

// Failure is what the verdict means for who sends. A full mailbox is Permanent, since a link lives minutes and nobody
// makes room by then; what a server refuses for now is Later, whatever its reason.
func (v Verdict) Failure() bot.Failure {
	if v == MailboxBad || v == MailboxFull {
		return bot.Permanent
	}
	return bot.Temporary
}

// failed says what an error at a stage means for the letter.
func failed(stage Stage, err error) *bot.SendError {
	var said *textproto.Error
	if errors.As(err, &said) {
		r := &Refusal{Stage: stage, Code: said.Code, Enhanced: enhancedCode(said.Msg), Verdict: Judge(stage, said.Code, said.Msg)}
		return &bot.SendError{Failure: r.Verdict.Failure(), Reason: r.reason(), Err: r}
	}
	return &bot.SendError{Failure: bot.Temporary, Reason: string(stage) + ": " + network(err), Err: quiet(err)}
}

// reason is the verdict in the operator's words.
func (r *Refusal) reason() string {
	switch {
	case r.Verdict == MailboxFull:
		return "mailbox refused for good: it is full"
	case r.Verdict == MailboxBad:
		return "mailbox refused for good"
	case r.Verdict == Later:
		return "mail server asks to try later"
	case r.Stage == StageAuth:
		return "mail server refused user or password (check LLAVE_SMTP_URL)"
	case r.Stage == StageFrom:
		return "mail server refused the sender (check LLAVE_MAIL_FROM)"
	case afterRcpt(r.Stage):
		return "mail server refused, not for the mailbox's sake"
	}
	return "mail server turned us away"
}

func afterRcpt(s Stage) bool { return s == StageRcpt || s == StageData || s == StageHandover }

// Judge says what a server's answer means: that of a dialogue of ours, or of one that a delivery report (RFC 3464) tells.
// [text] is what follows the code, an RFC 3463 code first where it has one, and may have several lines; it is read and not
// kept. [code] is 0 where only a report's status is known, at the start of the text: its class stands for the code. The
// stage of a report that does not tell is StageHandover.
//
// A mailbox is bad only when the server says so of the mailbox; whatever may be the fault of the server, of its operator
// or of ours is not, so that a mistake in the settings sends nobody to an office. In order:
//
//  1. any 4yz, and any RFC 3463 code of class 4     Later  RFC 5321 4.2.1; where the two disagree the milder counts
//  2. greeting, EHLO, STARTTLS, AUTH, MAIL FROM     Ours   nothing was said of a mailbox yet
//  3. 53z: sign in first                            Ours   RFC 4954
//     5.1.7, 5.1.8, 5.6.z but 5.6.7                 Ours   RFC 3463: the sender's address, the letter's form, whatever the words
//  4. the words, wherever they say something        wordRules: many servers give 5.7.1 or 5.1.1 to everything
//  5. the RFC 3463 code, at the start or (#5.1.1)   codeRules
//  6. 556: the domain takes no mail                 MailboxBad  RFC 7504
//  7. all else, a bare 550 or 554 too               Ours   RFC 5321 4.2.3 has 550 for policy as well
func Judge(stage Stage, code int, text string) Verdict {
	enhanced := enhancedCode(text)
	if code == 0 && enhanced != "" {
		code = 100 * int(enhanced[0]-'0')
	}
	switch {
	case code < 500 || strings.HasPrefix(enhanced, "4"):
		return Later
	case !afterRcpt(stage), code/10 == 53, oursByCode.MatchString(enhanced):
		return Ours
	}
	if v, ok := judgeWords(text); ok {
		return v
	}
	if v, ok := codeRules[enhanced]; ok {
		return v
	}
	if code == 556 {
		return MailboxBad
	}
	return Ours
}

// oursByCode are codes that speak of the sender or the letter, not of the recipient.
var oursByCode = regexp.MustCompile(`^5\.(?:1\.[78]|6\.(?:[0-689]|\d{2,}))$`)

// codeExpression finds an RFC 3463 code at the start of the text, or marked as one: (#5.1.1), [5.7.1], #5.1.1. Elsewhere
// such figures may be a version, or a part of an address.
var codeExpression = regexp.MustCompile(`(?:^|[#(\[])([245]\.\d{1,3}\.\d{1,3})(?:[\s)\]:;,-]|$)`)

// enhancedCode is the first RFC 3463 code of the text, or empty.
func enhancedCode(text string) string {
	if m := codeExpression.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
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
		return "the mail server's certificate is signed by nobody we know (an authority of the institution's own: name its file in SSL_CERT_FILE)"
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
