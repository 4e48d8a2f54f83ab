package mail

import (
	_ "embed"
	"strconv"
	"strings"
	"testing"
)

//go:embed testdata/replies.tsv
var realReplies string

// reply is one line of testdata/replies.tsv; its head says what is in it.
type reply struct {
	server, verdict, source, words string
	stage                          Stage
	code                           int
}

func loadReplies(t *testing.T) (list []reply) {
	t.Helper()
	stages := map[string]Stage{"mail": StageFrom, "rcpt": StageRcpt, "data": StageHandover}
	for line := range strings.Lines(realReplies) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 5 || stages[f[1]] == "" || len(f[2]) < 4 || f[4] == "" {
			t.Fatalf("not a reply: %q", line)
		}
		code, err := strconv.Atoi(f[2][:3])
		if err != nil {
			t.Fatalf("not a reply: %q", line)
		}
		list = append(list, reply{server: f[0], stage: stages[f[1]], code: code, words: f[2][4:], verdict: f[3], source: f[4]})
	}
	return list
}

// TestJudge_realReplies holds the rules against what servers are known to say. Each verdict makes a difference: a mailbox is
// told to its owner, a refusal of ours counts in the row of refusals, one for now does not.
func TestJudge_realReplies(t *testing.T) {
	want := map[string]Verdict{"mailbox-bad": MailboxBad, "mailbox-full": MailboxFull, "ours": Ours, "temporary": Later}
	list := loadReplies(t)
	servers := map[string]bool{}
	for _, r := range list {
		servers[r.server] = true
		if got := Judge(r.stage, r.code, r.words); got != want[r.verdict] {
			t.Errorf("%s, %s: %q, want %s:\n\t%d %s", r.server, r.stage, got, r.verdict, r.code, r.words)
		}
	}
	if len(list) != 283 || len(servers) != 42 {
		t.Errorf("%d replies of %d servers, want 283 of 42 (as docs/testing.md says)", len(list), len(servers))
	}
}

// TestJudge_report: what a delivery report tells is judged as well.
func TestJudge_report(t *testing.T) {
	for _, tt := range []struct {
		code int
		text string
		want Verdict
	}{
		{0, "5.1.1", MailboxBad},
		{0, "5.2.2", MailboxFull},
		{0, "5.7.1", Ours},
		{0, "4.4.7", Later},
		{0, "", Later},
		{0, "5.0.0 user unknown", MailboxBad},
		{550, "5.1.1 The account\n5.1.1 that you tried to reach\n5.1.1 does not exist", MailboxBad},
		{550, "5.2.0", Ours},
		{556, "", MailboxBad},
		{550, "4.1.1 user unknown", Later},
	} {
		if got := Judge(StageHandover, tt.code, tt.text); got != tt.want {
			t.Errorf("%d %q is %q, want %q", tt.code, tt.text, got, tt.want)
		}
	}
}

// TestJudge_othersWords: addresses and links in an answer are chosen by others, and decide nothing.
func TestJudge_othersWords(t *testing.T) {
	for words, want := range map[string]Verdict{
		"<spam-policy@relay-denied.example>: user unknown":                      MailboxBad,
		"no such user quota@blocked.example. See https://help.example/spam?rbl": MailboxBad,
		"<no-such-user@user-unknown.example>: go away":                          Ours,
		"go away, see https://help.example/?p=user-unknown":                     Ours,
		"host 10.5.1.1 said no":                                                 Ours,
		"mailer 5.1.1 said no":                                                  Ours,
	} {
		if got := Judge(StageRcpt, 550, words); got != want {
			t.Errorf("%q is %q, want %q", words, got, want)
		}
	}
}
