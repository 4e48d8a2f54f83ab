package mail

import (
	"regexp"
	"strings"
)

// wordRule is what some words of a refusal for good mean.
type wordRule struct {
	about   string
	verdict Verdict
	words   *regexp.Regexp
}

// What a person's mailbox is called, and what is said of one that is no good. Between the two there is room for a name.
const (
	mailboxNoun  = `(?:user|recipient|addressee|mail ?box|account|address|customer|person|member)(?:s|es)?`
	mailboxState = `(?:unknown|invalid|inactive|disabled|deactivated|deleted|suspended|expired|closed|locked|terminated|unavailable|unallocated|` +
		`(?:not|could not be) (?:found|known|valid|active|available|accepted|listed|present|local)|no(?:t|n)[ -]?exist\w*|does ?(?:n.?t|not) exist|no existe|no longer)`
	mailboxKind = `(?:no such|unknown|invalid|inactive|disabled|deactivated|archived|bad|non-?existent|not our|not an? (?:active|valid|known))[ -]`
)

// wordRules are asked in order, and the first that fits decides. Policy stands before the mailbox, so that "mailbox
// unavailable, your address is blacklisted" sends nobody to an office, and a full mailbox before one that is refused. They
// go by what RFC 5321 4.2, RFC 3463 3 and the servers of testdata/replies.tsv write; where none fits, the code decides.
// They see small letters, "address" for every address and no links, since others could have chosen the words in those.
var wordRules = []wordRule{
	{"who we are, or what we are taken for", Ours, anyOf(
		`spam`, `junk ?mail`, `virus`, `spoof`, `black ?-?list`, `block`, `\bbanned\b`, `\brbl\b`, `dnsbl`, `\bsorbs\b`, `reputation`,
		`polic(?:y|ies)`, `prohibit`, `\bspf\b`, `\bdkim\b`, `\bdmarc\b`, `\bip\b`, `\bptr\b`, `\bhelo\b`, `reverse dns`, `hostname`, `client host`,
		`\byour (?:host|server|mail ?server|domain|account|access|network|client)\b`)},
	{"our sign-in", Ours, anyOf(`authenticat`, `\bauth\b`, `starttls`, `permission`, `not authori[sz]ed`)},
	{"our sender address", Ours, anyOf(
		`sender.?s\b`, `sender (?:address|domain)`, `\bfrom (?:header|address|field)`, `header from`, `return-?path`, `allowed to send`, `sending address`, `envelope from`,
		`(?:sender|return|from):? <?(?:address|domain|verif|reject|denied|not|is not|unknown|invalid)`, `envelope sender`, `\bverif(?:y|ication) (?:the )?(?:sender|failed)`,
		`not verified`, `sending domain`, `accept mail from`)},
	{"relaying", Ours, anyOf(
		`rcpthosts`, `(?:unable to|not|cannot|can.t|won.t|do not|no|as an?|open) relay`, `relay(?:ing)? (?:access |temporarily )?(?:is )?(?:denied|disallowed|not|prohibited|forbidden|refused|rejected)`)},
	{"how much we send", Ours, anyOf(`too many`, `(?:sending|relay|outbound|daily|hourly) (?:\w+ )?(?:quota|limit)`)},
	{"not now", Later, anyOf(
		`gr[ea]y ?-?list`, `try (?:again|later)`, `temporar`, `throttl`, `rate limit`, `at a rate`, `too (?:quickly|fast|often)`,
		`(?:messages|mails?) .*per (?:minute|hour|day)`)},
	{"a mailbox without room (RFC 3463 X.2.2)", MailboxFull, anyOf(
		`quota`, `(?:buz[oó]n|casilla|cuota|cuenta) (?:del usuario )?(?:est[aá] )?(?:llen[oa]|excedida|superada)`, `full mailbox`, `(?:mailbox|inbox|account|user|folder)\b.{0,20} full\b`,
		`(?:mailbox|recipient|user)\b.{0,40}(?:exceed\w*|over) .{0,20}(?:limit|space|storage)`, `mailbox (?:size|storage)(?: limit)? (?:is )?exceeded`)},
	{"no such mailbox, or none that takes letters (RFC 3463 X.1.z, X.2.1)", MailboxBad, anyOf(
		`\b`+mailboxNoun+`\b[^.;]{0,40}\b`+mailboxState,
		`\b`+mailboxKind+`(?:local |e-?mail |virtual )?`+mailboxNoun+`\b`, `unknown local[ -]part`, `recip(?:ient)?notfound`, `badrcptto`,
		`no (?:mail ?box|account)\b`, `no one at this address`, `no existe (?:el|la|es[ea]|dich[oa])\b`, `does ?(?:n.?t|not) have an? .{0,40}account`,
		`unrout(?:e)?able address`, `does ?(?:n.?t|not) accept mail`, `(?:usuario|buz[oó]n|destinatario|cuenta|direcci[oó]n)\b[^.;]{0,40}\b(?:no existe|desconocid[oa]|inexistente|inv[aá]lid[oa]|inactiv[oa]|deshabilitad[oa])`, `(?:mail|messages) to (?:that|this) recipient`)},
	{"an address nobody can have (RFC 3463 X.1.3)", MailboxBad, anyOf(
		`(?:syntax error|malformed|illegal|bad) .{0,10}recipient address`, `recipient address (?:syntax|must)`, `user address required`,
		`restricted characters in address`)},
}

// codeRules are the RFC 3463 codes of a refusal for good that speak of the mailbox; any other is Ours, since a server, a
// network, a dialogue, a letter or a policy is to blame for it.
var codeRules = map[string]Verdict{
	"5.1.0":  MailboxBad,  // an address, after RCPT the recipient's (our own is told by words)
	"5.1.1":  MailboxBad,  // no such mailbox
	"5.1.2":  MailboxBad,  // no such domain
	"5.1.3":  MailboxBad,  // syntax
	"5.1.4":  MailboxBad,  // ambiguous
	"5.1.6":  MailboxBad,  // moved, nobody knows where
	"5.1.10": MailboxBad,  // the domain takes no mail (RFC 7505); Exchange: no such recipient
	"5.2.1":  MailboxBad,  // disabled
	"5.2.2":  MailboxFull, // over its quota
	"5.2.4":  MailboxBad,  // a list that cannot be written to
	"5.4.1":  MailboxBad,  // nobody answers there; Exchange Online: no such recipient
	"5.4.4":  MailboxBad,  // no way to that domain
	"5.6.7":  MailboxBad,  // the address needs SMTPUTF8 further on (RFC 6531)
	"5.7.17": MailboxBad,  // it has another owner by now (RFC 7293)
	"5.7.18": MailboxBad,  // so has its domain
}

// anyOf matches any of the expressions.
func anyOf(expressions ...string) *regexp.Regexp {
	return regexp.MustCompile(strings.Join(expressions, "|"))
}

var (
	link    = regexp.MustCompile(`[a-z][a-z0-9+.-]*://\S*`)
	mention = regexp.MustCompile(`[^\s<>()\[\]:;,"]*@[^\s<>()\[\]:;,"]*`)
)

// judgeWords is the verdict of the words of a refusal for good; false when they say nothing that we know.
func judgeWords(text string) (Verdict, bool) {
	text = mention.ReplaceAllLiteralString(link.ReplaceAllLiteralString(strings.ToLower(text), ""), "address")
	for _, r := range wordRules {
		if r.words.MatchString(text) {
			return r.verdict, true
		}
	}
	return "", false
}
