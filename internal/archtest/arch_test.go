// Package archtest holds the import map: which layer may know which, and who owns each outside module. A new edge is a
// line added here on purpose.
//
// Files are parsed, not built, so that every build tag counts. Test files may import any package of ours (they run real
// stores and real servers) and, of outside modules, what their own package owns and the tools listed for tests.
package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "llave"

// layers from the top. A package may import those of lower layers, and of its own only what beside allows.
var layers = [][]string{
	{"cmd/llave", "flows/meaning/learn"},
	{"internal/app"},
	{"internal/doctor"}, // it asks every part how it is
	{
		"flows",
		"bot/telegram", "bot/terminal", "bot/webchat", "bot/whatsapp",
		"internal/config", "internal/importer", "internal/jobs", "internal/metrics", "internal/runner",
		"internal/mail", "internal/mail/catcher", "internal/mail/conns", "internal/mail/letter", "internal/bounce", "internal/events",
		"internal/store", "internal/store/bolt", "internal/store/mongodb", "internal/store/socket", "internal/store/backup",
		"internal/web", "internal/web/console", "internal/web/console/alerts", "internal/web/console/counter", "internal/web/console/supervisor", "internal/web/console/talk", "internal/web/demo", "internal/web/public",
	},
	{"internal/affiliate", "internal/agent", "internal/alert", "internal/handoff", "internal/key", "internal/report", "internal/unheard", "internal/unlock", "flows/meaning"},
	{"bot", "bot/intro", "bot/pace", "bot/wire", "internal/address", "internal/secret", "internal/trace"},
}

// forTests are packages that only tests and each other import. They may import everything.
var forTests = []string{"internal/archtest", "internal/bottest", "internal/bottest/world", "internal/chaos", "internal/e2e", "internal/runner/runnertest", "internal/store/storetest", "internal/upgrade", "internal/web/console/consoletest"}

// beside are the edges within a layer, each with its reason.
var beside = []struct{ from, to, why string }{
	{"internal/store/bolt", "internal/store", "an engine implements the store's port"},
	{"internal/store/mongodb", "internal/store", "an engine implements the store's port"},
	{"internal/store/socket", "internal/store", "an engine implements the store's port"},
	{"internal/store/backup", "internal/store", "a backup is made of an engine's documents"},
	{"internal/web/demo", "internal/web", "pages stand on the kit"},
	{"internal/web/console", "internal/web", "pages stand on the kit"},
	{"internal/web/console/alerts", "internal/web", "pages stand on the kit"},
	{"internal/web/console/alerts", "internal/web/console", "a room stands in the frame"},
	{"internal/web/console/counter", "internal/web", "pages stand on the kit"},
	{"internal/web/console/counter", "internal/web/console", "a room stands in the frame"},
	{"internal/web/console/supervisor", "internal/web", "pages stand on the kit"},
	{"internal/web/console/supervisor", "internal/web/console", "a room stands in the frame"},
	{"internal/web/console/talk", "internal/web", "pages stand on the kit"},
	{"internal/web/console/talk", "internal/web/console", "a room stands in the frame"},
	{"internal/web/public", "internal/web", "pages stand on the kit"},
	{"bot/intro", "bot/wire", "what failed is waited for until the context ends"},
	{"bot/pace", "bot/wire", "a turn is waited for until the context ends"},
	{"internal/mail/catcher", "internal/mail/letter", "the mailbox shows what a letter holds"},
	{"internal/mail/catcher", "internal/mail/conns", "a mail server of ours cuts its connections when it stops"},
	{"internal/bounce", "internal/mail/conns", "a mail server of ours cuts its connections when it stops"},
	{"internal/bounce", "internal/mail", "a report is judged by the table by which the mailer judges answers"},
	{"internal/agent", "internal/key", "an agent's password is judged and kept as a key is"},
	{"internal/unlock", "internal/affiliate", "an unlock is of a record"},
	{"internal/unlock", "internal/key", "an unlock ends in a new key"},
}

// owners are the outside modules, the word the README has for each, and the packages that may import it. There is one
// owner; where there are more, they are one package and its engines, and bot, which knows the form of what it has stored; of
// mail, whose two ends have nothing else in common, the mailbox of demo and tests and what takes delivery reports; and of letters
// that are no UTF-8, the import's.
var owners = []struct {
	module, word string
	packages     []string
}{
	{"github.com/looplab/fsm", "looplab/fsm", []string{"bot"}},
	{"github.com/agnivade/levenshtein", "agnivade/levenshtein", []string{"bot"}},
	{"golang.org/x/text", "x/text", []string{"bot", "internal/importer"}},
	{"golang.org/x/net", "x/net", []string{"internal/address"}},
	{"github.com/go-telegram-bot-api/telegram-bot-api/v5", "go-telegram-bot-api", []string{"bot/telegram"}},
	{"github.com/BurntSushi/toml", "BurntSushi/toml", []string{"flows"}},
	{"go.mongodb.org/mongo-driver/v2", "mongo-driver", []string{"internal/store/mongodb", "internal/store", "internal/store/bolt", "internal/store/socket", "internal/store/backup", "internal/store/storetest", "bot"}},
	{"filippo.io/age", "filippo.io/age", []string{"internal/store/backup"}},
	{"go.etcd.io/bbolt", "bbolt", []string{"internal/store/bolt"}},
	{"github.com/robfig/cron/v3", "robfig/cron", []string{"internal/jobs"}},
	{"github.com/standard-webhooks/standard-webhooks/libraries", "Standard Webhooks", []string{"internal/events"}},
	{"github.com/wneessen/go-mail", "go-mail", []string{"internal/mail"}},
	{"github.com/emersion/go-smtp", "go-smtp", []string{"internal/mail/catcher", "internal/bounce"}},
	{"github.com/emersion/go-sasl", "go-sasl", []string{"internal/mail/catcher"}},
	{"github.com/emersion/go-message", "go-message", []string{"internal/mail/letter", "internal/bounce"}},
	{"github.com/SherClockHolmes/webpush-go", "webpush-go", []string{"internal/alert"}},
	{"github.com/trustelem/zxcvbn", "zxcvbn", []string{"internal/key"}},
	{"github.com/alexedwards/argon2id", "argon2id", []string{"internal/key"}},
	{"github.com/pquerna/otp", "pquerna/otp", []string{"internal/agent"}},
	{"golang.org/x/crypto", "x/crypto", []string{"internal/secret"}},
	{"github.com/schollz/progressbar/v3", "progressbar", []string{"internal/importer"}},
	{"github.com/prometheus/client_golang", "client_golang", []string{"internal/metrics"}},
	{"go.opentelemetry.io/otel", "OpenTelemetry", []string{"internal/trace"}},
	{"github.com/joho/godotenv", "godotenv", []string{"internal/config"}},
	{"github.com/spf13/cobra", "cobra", []string{"internal/app"}},
	{"golang.org/x/term", "x/term", []string{"internal/app"}},
}

// testTools are the outside modules that any test, and any package for tests, may import.
var testTools = []string{"github.com/chromedp/chromedp", "github.com/chromedp/cdproto", "go.uber.org/goleak", "pgregory.net/rapid", "github.com/anishathalye/porcupine", "golang.org/x/tools", "github.com/Shopify/toxiproxy/v2", "github.com/rs/zerolog",
	"go.mongodb.org/mongo-driver/v2/bson",                          // tests that stand between the store and its engine name the port's documents
	"golang.org/x/net/dns/dnsmessage",                              // the name server of the tests
	"go.opentelemetry.io/proto/otlp", "google.golang.org/protobuf", // the collector of the tests
	"github.com/pquerna/otp/totp", // tests that sign in play the telephone
}

// edge is one import of one file.
type edge struct {
	file, from, to string
	test           bool
}

// root is the repository.
const root = "../.."

// shipped is a module of its own: what others read of what we ship is not linked into Llave.
const shipped = "deploy/check"

// walk calls [do] with every file of the repository that has one of the endings, but test data.
func walk(t *testing.T, do func(name string) error, endings ...string) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git"):
			return filepath.SkipDir
		case d.IsDir() || !slices.Contains(endings, filepath.Ext(name)):
			return nil
		}
		return do(name)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func edges(t *testing.T) []edge {
	t.Helper()
	var list []edge
	walk(t, func(name string) error {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if path.Dir(rel) == shipped {
			return nil
		}
		for _, spec := range f.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if first, _, _ := strings.Cut(to, "/"); strings.Contains(first, ".") || first == module {
				list = append(list, edge{rel, path.Dir(rel), strings.TrimPrefix(to, module+"/"), strings.HasSuffix(rel, "_test.go")})
			}
		}
		return nil
	}, ".go")
	return list
}

func outside(to string) bool {
	first, _, _ := strings.Cut(to, "/")
	return strings.Contains(first, ".")
}

func within(to, module string) bool { return to == module || strings.HasPrefix(to, module+"/") }

func layer(pkg string) int {
	return slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, pkg) })
}

func TestImports_pointOneWay(t *testing.T) {
	seen := make([]bool, len(beside))
	for _, e := range edges(t) {
		if slices.Contains(forTests, e.from) || outside(e.to) {
			continue
		}
		from, to := layer(e.from), layer(e.to)
		switch {
		case from < 0:
			t.Errorf("%s: package %s is in no layer", e.file, e.from)
		case e.test:
		case slices.Contains(forTests, e.to):
			t.Errorf("%s imports %s, which is for tests", e.file, e.to)
		case to < 0:
			t.Errorf("%s: package %s is in no layer", e.file, e.to)
		case from > to:
			t.Errorf("%s: %s imports %s, which is above it", e.file, e.from, e.to)
		case from == to:
			i := slices.IndexFunc(beside, func(b struct{ from, to, why string }) bool { return b.from == e.from && b.to == e.to })
			if i < 0 {
				t.Errorf("%s: %s imports %s, which is beside it: say what is needed in an interface, or add the edge and its reason", e.file, e.from, e.to)
				continue
			}
			seen[i] = true
		}
	}
	for i, b := range beside {
		if !seen[i] {
			t.Errorf("nobody needs the edge from %s to %s any more (%s)", b.from, b.to, b.why)
		}
	}
}

func TestModules_haveOneOwner(t *testing.T) {
	used := make([]bool, len(owners))
	for _, e := range edges(t) {
		forTest := e.test || slices.Contains(forTests, e.from)
		if !outside(e.to) || forTest && slices.ContainsFunc(testTools, func(m string) bool { return within(e.to, m) }) {
			continue
		}
		i := -1
		for n, o := range owners {
			if within(e.to, o.module) {
				i = n
			}
		}
		switch {
		case i < 0:
			t.Errorf("%s imports %s, which nobody owns", e.file, e.to)
		case !slices.Contains(owners[i].packages, e.from):
			t.Errorf("%s: %s imports %s, which belongs to %s", e.file, e.from, e.to, owners[i].packages[0])
		default:
			used[i] = true
		}
	}
	for i, o := range owners {
		if !used[i] {
			t.Errorf("nobody imports %s any more", o.module)
		}
	}
}

// Every outside module has its row in the README, beside its owner.
func TestModules_inREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(readme), "\n")
	for _, o := range owners {
		if !slices.ContainsFunc(lines, func(l string) bool {
			return strings.HasPrefix(l, "|") && strings.Contains(l, "["+o.word+"]") && strings.Contains(l, "`"+o.packages[0]+"`")
		}) {
			t.Errorf("README.md has no row with [%s] and `%s`", o.word, o.packages[0])
		}
	}
}
