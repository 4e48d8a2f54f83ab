package bounce

import (
	"bufio"
	"bytes"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/emersion/go-message"

	"llave/internal/mail"
)

// Kind is what a mail to a return address is.
type Kind string

// The kinds, of which only the first two are about a letter that has not arrived.
const (
	Failed  Kind = "failed"  // given up
	Delayed Kind = "delayed" // still tried
	Arrived Kind = "arrived" // delivered, relayed or expanded
	Reply   Kind = "reply"   // of a machine or a person: out of office, a challenge, an answer
)

// Report is what a mail says. It has addresses, and the words of the server that refused: they are to be judged and forgotten.
type Report struct {
	Kind Kind
	Code int    // of SMTP; the class alone, 400 or 500, where the report tells no more
	Text string // what followed it, the code of RFC 3463 first where there is one
	// To are the addresses that it is about, in small letters, 20 at most; none where none can be read.
	To []string
	// BeforeRecipient: it was refused before the mailbox was named, so for no fault of it.
	BeforeRecipient bool
}

// Bounds of what is read of one mail.
const (
	maxHeaders    = 64 << 10 // bytes of its header and those of its parts together; what follows is not read
	maxDepth      = 5        // parts within parts
	maxParts      = 40       // of one mail
	maxStatuses   = 2        // of them that are a message/delivery-status
	maxGroups     = 21       // of such a part: the message and 20 recipients
	maxRecipients = 20       // of a mail
	maxAddress    = 254      // bytes of an address (RFC 5321 4.5.3.1, and 254 by RFC 3696's erratum 1690)
	maxText       = 32 << 10 // bytes of a part
	maxWords      = 500      // bytes of what a server said
)

// Parse says what a mail is: a report by RFC 3464, one of the forms that servers had before it or have beside it, or none. A person's
// answer that has another's report in it is none. Whatever the bytes are, it comes to an end and takes no more than a few times as
// many.
func Parse(raw []byte) Report {
	e, err := message.Read(bytes.NewReader(headersBounded(raw)))
	if e == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
		return Report{Kind: Reply}
	}
	var m parts
	m.collect(e, 0)
	whole, _, _ := e.Header.ContentType()
	server := fromMailServer(e.Header)
	if whole == "multipart/report" || server {
		for _, status := range m.statuses {
			if r, ok := byStatus(status, m.text); ok {
				return r.about(failedRecipients(e.Header))
			}
		}
	}
	if server {
		if r, ok := byWords(m.text); ok {
			return r.about(failedRecipients(e.Header)).about(atLineStarts(m.text))
		}
	}
	return Report{Kind: Reply}
}

// headersBounded is a mail up to where its headers, those of its parts among them, are too many bytes: a field that is read takes many
// times its own. What follows a line that begins like a boundary is taken for a header until an empty line.
func headersBounded(raw []byte) []byte {
	header, headers, at := true, 0, 0
	for line := range bytes.Lines(raw) {
		switch {
		case bytes.HasPrefix(line, []byte("--")):
			header = true
		case len(bytes.TrimRight(line, "\r\n")) == 0:
			header = false
		}
		if header {
			headers += len(line)
		}
		if headers > maxHeaders {
			return raw[:at]
		}
		at += len(line)
	}
	return raw
}

// parts are those of a mail that say something of a delivery. Copies of letters are not among them.
type parts struct {
	statuses []string // message/delivery-status
	text     string   // the first text/plain
	seen     int
}

func (m *parts) collect(e *message.Entity, depth int) {
	if m.seen++; m.seen > maxParts {
		return
	}
	kind, _, err := e.Header.ContentType()
	if err != nil {
		kind = "text/plain" // some write charsets that are none
	}
	if r := e.MultipartReader(); r != nil {
		if depth == maxDepth {
			return
		}
		for m.seen <= maxParts {
			part, err := r.NextPart()
			if part == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
				return
			}
			m.collect(part, depth+1)
		}
		return
	}
	switch kind {
	case "message/delivery-status", "message/global-delivery-status":
		if len(m.statuses) < maxStatuses {
			m.statuses = append(m.statuses, read(e.Body))
		}
	case "text/plain", "text":
		if m.text == "" {
			m.text = read(e.Body)
		}
	}
}

// read is the beginning of a part; of one that is broken, as much as there is.
func read(r io.Reader) string {
	b, _ := io.ReadAll(io.LimitReader(r, maxText))
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

// byStatus reads a message/delivery-status (RFC 3464 2): the fields of the message, an empty line, those of a recipient. Our letters have
// one recipient; where it was forwarded to several the mildest counts, since somebody has the letter.
func byStatus(status, text string) (Report, bool) {
	groups := fieldGroups(status)
	if len(groups) == 0 {
		return Report{}, false
	}
	mildest, found := Report{}, false
	var to []string
	for _, g := range groups {
		if g["action"] == "" && g["status"] == "" {
			continue
		}
		if g["action"] == "" {
			g["action"] = groups[0]["action"] // some write it there
		}
		if g["final-recipient"] == "" && g["original-recipient"] == "" && len(groups) > 1 {
			continue
		}
		r, ok := recipient(g, text)
		if !ok {
			continue
		}
		if a := whom(g); a != "" {
			to = append(to, a)
		}
		if !found || severity(r.Kind) < severity(mildest.Kind) {
			mildest, found = r, true
		}
	}
	return mildest.about(to), found
}

// about is the report with whom it is about, where that was not known yet.
func (r Report) about(to []string) Report {
	if len(r.To) == 0 {
		r.To = to[:min(len(to), maxRecipients)]
	}
	return r
}

// whom is the address that a recipient's fields are about, or "": the final one, for a server that forwards names the original beside it
// too (Postfix src/local/forward.c), whose mailbox may be well. Where it only says the original's own mailbox in its own way, with a
// host's name in the domain, that is the original.
func whom(g map[string]string) string {
	final, original := address(g["final-recipient"]), address(g["original-recipient"])
	if final == "" || rewritten(original, final) {
		return original
	}
	return final
}

// rewritten says whether two addresses differ at most by names before the domain: persona@example.org, persona@mx.example.org.
func rewritten(a, b string) bool {
	alocal, adomain, _ := strings.Cut(a, "@")
	blocal, bdomain, _ := strings.Cut(b, "@")
	return alocal == blocal && (strings.HasSuffix("."+adomain, "."+bdomain) || strings.HasSuffix("."+bdomain, "."+adomain))
}

// address reads one out of a field, with its type before it or not: "rfc822; <Persona@example.org>". "" where there is none.
func address(field string) string {
	if _, typed, ok := strings.Cut(field, ";"); ok {
		field = typed
	}
	a := strings.ToLower(strings.Trim(field, " \t<>"))
	local, domain, _ := strings.Cut(a, "@")
	if local == "" || domain == "" || len(a) > maxAddress || strings.ContainsAny(domain, " \t@<>") {
		return ""
	}
	return a
}

// failedRecipients are those of the field that Exim and Google write.
func failedRecipients(h message.Header) (to []string) {
	for one := range strings.SplitSeq(h.Get("X-Failed-Recipients"), ",") {
		if a := address(one); a != "" && len(to) < maxRecipients {
			to = append(to, a)
		}
	}
	return to
}

// lineStart is an address that a line begins with, as reports for people name whom they are about. Whom a letter was forwarded from they
// name behind a word: "(generated from …)".
var lineStart = regexp.MustCompile(`(?m)^[ \t]*<?([^\s<>@:;,"()]+@[A-Za-z0-9.-]*[A-Za-z0-9])(?:[>\s:;,.]|$)`)

func atLineStarts(text string) (to []string) {
	for _, m := range lineStart.FindAllStringSubmatch(own(text), maxRecipients) {
		if a := address(m[1]); a != "" {
			to = append(to, a)
		}
	}
	return to
}

func severity(k Kind) int { return slices.Index([]Kind{Arrived, Delayed, Failed}, k) }

// fieldGroups are the header fields between empty lines, names in small letters, folded lines put together, the first of each.
func fieldGroups(s string) (groups []map[string]string) {
	var g map[string]string
	last := ""
	for line := range strings.Lines(s) {
		if len(groups) > maxGroups {
			return groups[:maxGroups]
		}
		line = strings.TrimRight(line, "\r\n")
		name, value, isField := strings.Cut(line, ":")
		switch {
		case strings.TrimSpace(line) == "":
			g = nil
		case line[0] == ' ' || line[0] == '\t':
			if g != nil && last != "" && len(g[last]) < maxWords {
				g[last] += " " + strings.TrimSpace(line)
			}
		case isField:
			if g == nil {
				g = map[string]string{}
				groups = append(groups, g)
			}
			if last = strings.ToLower(strings.TrimSpace(name)); g[last] == "" {
				g[last] = strings.TrimSpace(value)
			} else {
				last = ""
			}
		}
	}
	return groups
}

// recipient is what the fields of one recipient say.
func recipient(g map[string]string, text string) (Report, bool) {
	status := statusCode.FindString(g["status"])
	r := Report{}
	switch action := strings.ToLower(firstWord(g["action"])); {
	case action == "failed", action == "" && strings.HasPrefix(status, "5"):
		r.Kind, r.Code = Failed, 500
	case action == "delayed", action == "" && strings.HasPrefix(status, "4"):
		r.Kind, r.Code = Delayed, 400
	case action == "delivered", action == "relayed", action == "expanded":
		r.Kind = Arrived
		return r, true
	default:
		return r, false
	}
	if strings.HasPrefix(status, "4") {
		r.Code = 400
	}
	_, said, _ := strings.Cut(g["diagnostic-code"], ";") // "smtp; 550 5.1.1 …", "X-Postfix; …"
	r.BeforeRecipient = beforeRecipient(text)
	r.say(strings.TrimSpace(said), status, text)
	return r, true
}

// say keeps what the server said: [said] where that has words, else what the text for people says, where it is one that we know.
func (r *Report) say(said, status, text string) {
	if m := smtpReply.FindStringSubmatch(said); m != nil {
		r.Code, _ = strconv.Atoi(m[1]) // three digits, the expression says so
		said = m[2]
	}
	if said == "" {
		said = knownWords(text)
	}
	if !statusCode.MatchString(said) && status != "" && !strings.HasSuffix(status, ".0.0") {
		said = status + " " + said // the server's own code is the nearer one, but often there is none
	}
	r.Text = said[:min(len(said), maxWords)]
}

var (
	statusCode = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`)
	// smtpReply is an SMTP answer, its code said once or twice: "550-5.1.1 …", "554 554 5.7.0 …".
	smtpReply = regexp.MustCompile(`(?s)(?:^|[\s:;<#("'])([45]\d\d)[ -](?:[45]\d\d[ -])?((?:[245]\.\d|[<("'\[A-Za-zÀ-ÿ*#]).*)`)
	command   = regexp.MustCompile(`(?i)(?:>>>|in (?:reply|response) to|after(?: pipelined| initial)?) (?:end of )?(MAIL FROM|RCPT TO|DATA|EHLO|HELO|STARTTLS|AUTH)\b`)
)

// beforeRecipient says whether a text names the command that was refused, and that it was one before RCPT.
func beforeRecipient(text string) bool {
	m := command.FindStringSubmatch(text)
	return m != nil && !slices.Contains([]string{"RCPT TO", "DATA"}, strings.ToUpper(m[1]))
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(s), " ")
	return word
}

// fromMailServer says whether a mail without a status part may be a report all the same: an answer of a person may quote one.
func fromMailServer(h message.Header) bool {
	from := strings.ToLower(h.Get("From"))
	return h.Has("X-Failed-Recipients") || slices.ContainsFunc([]string{"mailer-daemon", "postmaster", "mail delivery", "system administrator"}, func(s string) bool {
		return strings.Contains(from, s)
	})
}

// openings are how reports begin that have no status part, in small letters. Those of a delay come first: Exim begins both alike.
var openings = []struct {
	kind  Kind
	words string
}{
	{Delayed, "has not yet been delivered"},                             // Exim
	{Delayed, "this is a warning message only"},                         // sendmail, mxlogic, Google
	{Delayed, "had transient non-fatal errors"},                         // sendmail
	{Delayed, "delivery to the following recipient has been delayed"},   // Google
	{Delayed, "delivery is delayed to these recipients"},                // Exchange
	{Failed, "this is the qmail-send program"},                          // qmail
	{Failed, "i wasn't able to deliver your message"},                   // qmail and what grew from it
	{Failed, "could not be delivered to one or more of its recipients"}, // Exim
	{Failed, "had permanent fatal errors"},                              // sendmail
	{Failed, "----- transcript of session follows"},                     // sendmail before 8
	{Failed, "your message could not be delivered"},                     // Postfix, without its parts
	{Failed, "did not reach the following recipient(s)"},                // Exchange 5.5, 2000, 2003
	{Failed, "delivery has failed to these recipients"},                 // Exchange 2007 and later
	{Failed, "delivery to the following recipient failed"},              // Google
	{Failed, "delivery to the following recipients failed"},             // IIS
	{Failed, "your message wasn't delivered to"},                        // Google
	{Failed, "was not delivered to:"},                                   // Domino
	{Failed, "we were unable to deliver your message"},                  // Yahoo
	{Failed, "your message cannot be delivered to the following"},       // Sun, Oracle
	{Failed, "the message that you sent was undeliverable"},             // GroupWise
}

// copies are how the copy of the letter begins that follows a report's own words, in small letters.
var copies = []string{
	"--- below this line is a copy of the message", "this is a copy of the message", "this is a copy of your message", "----- original message", "--- original message",
	"----- unsent message follows", "----- message header follows", "original message headers", "------ original message",
}

// known are words of reports that say no code, and what they mean by RFC 3463.
var known = []struct {
	words  *regexp.Regexp
	status string
}{
	{regexp.MustCompile(`address (?:not found|couldn't be found|could not be found)`), "5.1.1"},                 // Google
	{regexp.MustCompile(`recipient name is not recognized|unknown recipient`), "5.1.1"},                         // Exchange
	{regexp.MustCompile(`e-mail account does not exist|e-mail address you entered couldn`), "5.1.1"},            // Exchange
	{regexp.MustCompile(`not listed in (?:the )?(?:domino|public name & address) (?:book|directory)`), "5.1.1"}, // Domino
	{regexp.MustCompile(`domain (?:name )?(?:not found|couldn't be found)`), "5.1.2"},                           // Google
	{regexp.MustCompile(`(?:mailbox|inbox) is full|quota exceeded|over quota`), "5.2.2"},                        // Google, qmail, Exchange
	{regexp.MustCompile(`message blocked|was (?:blocked|rejected as spam)`), "5.7.1"},                           // Google
}

// knownWords is the code of words that we know, or "".
func knownWords(text string) string {
	text = strings.ToLower(strings.Join(strings.Fields(own(text)), " "))
	for _, k := range known {
		if k.words.MatchString(text) {
			return k.status
		}
	}
	return ""
}

// own is what a report says before it copies the letter.
func own(text string) string {
	low := strings.ToLower(text)
	end := len(text)
	for _, c := range copies {
		if i := strings.Index(low, c); i >= 0 {
			end = min(end, i)
		}
	}
	return text[:min(end, len(text))]
}

// byWords reads a report that has only words for people.
func byWords(text string) (Report, bool) {
	text = own(text)
	low := strings.ToLower(strings.Join(strings.Fields(text), " "))
	for _, o := range openings {
		if !strings.Contains(low, o.words) {
			continue
		}
		r := Report{Kind: o.kind, Code: 500, BeforeRecipient: beforeRecipient(text)}
		if o.kind == Delayed {
			r.Code = 400
		}
		r.say(reason(text), "", text)
		return r, true
	}
	return Report{}, false
}

// reason is the paragraph with an SMTP answer in it, from there on; else what a known sentence means; else the first paragraph with
// an address, which is what the report says of it.
func reason(text string) string {
	paragraphs := paragraphs(text)
	for _, p := range paragraphs {
		if at := smtpReply.FindStringIndex(p); at != nil {
			said, _, _ := strings.Cut(p[at[0]:], "Giving up on") // qmail's own words, behind the server's
			return strings.TrimLeft(said, " :;<#(\"'")
		}
	}
	if status := knownWords(text); status != "" {
		return status
	}
	for _, p := range paragraphs {
		if strings.Contains(p, "@") {
			return p
		}
	}
	return ""
}

// paragraphs are the text between empty lines, each on one line.
func paragraphs(text string) (all []string) {
	var p []string
	end := func() {
		if len(p) > 0 {
			all = append(all, strings.Join(p, " "))
		}
		p = nil
	}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, maxText+1)
	for lines.Scan() {
		if words := strings.Fields(lines.Text()); len(words) > 0 {
			p = append(p, strings.Join(words, " "))
		} else {
			end()
		}
	}
	end()
	return all
}

// Verdict is what a report means by the mailer's own table. A mailbox that was still full when its server gave the letter up is
// full, whatever class the code has.
func (r Report) Verdict() mail.Verdict {
	stage := mail.StageHandover
	if r.BeforeRecipient {
		stage = mail.StageFrom
	}
	v := mail.Judge(stage, r.Code, r.Text)
	if v == mail.Later && r.Kind == Failed {
		text := r.Text
		if strings.HasPrefix(text, "4.") {
			text = "5" + text[1:]
		}
		if mail.Judge(stage, 552, text) == mail.MailboxFull {
			return mail.MailboxFull
		}
	}
	return v
}
