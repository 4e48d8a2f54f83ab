// Package doctor tries every setting against the real thing, and says what to do where it does not work: `llave doctor`. What
// needs nobody else (settings, files, rights, the catalogue) is `llave serve --check`.
//
// A section is a file here, and has one check for each thing that can be wrong by itself. A check is green, yellow (it works, and
// somebody should look) or red (it does not work), says what was found, and in yellow and red what to do. Sections run beside each
// other; within one a check that the next ones stand on ends it when it is red. Each check has a limit of time, and none waits for
// another section, so that a doctor is done in little more than its slowest section, whatever is away.
//
// Nothing is changed: no index, no key, no webhook. Two things are done for real and leave nothing: a counter is written to MongoDB
// and deleted, and a file made in the data directory and removed. A letter goes out only when that was asked for. No finding holds
// a secret: the parts' own errors have none, and what is found is cleaned of every secret setting once more.
package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"llave/internal/config"
	"llave/internal/secret"
)

// Status is how one thing is, or all of them.
type Status string

// The three.
const (
	Green  Status = "green"
	Yellow Status = "yellow"
	Red    Status = "red"
)

// worse is the worse of two.
func worse(a, b Status) Status {
	rank := map[Status]int{Green: 0, Yellow: 1, Red: 2}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

// Finding is what one check found.
type Finding struct {
	Section string `json:"section"`
	Check   string `json:"check"`
	Status  Status `json:"status"`
	Found   string `json:"found"`
	Do      string `json:"do,omitempty"` // yellow and red
}

// Report is what all checks found. Its status is the worst of them.
type Report struct {
	Status   Status    `json:"status"`
	Findings []Finding `json:"findings"`
}

// within is how long one check may take, unless the options say otherwise.
const within = 10 * time.Second

// Options are what there is to try. Config and Flow are required.
type Options struct {
	Config config.Config
	Flow   func() error // builds the conversation from the settings
	Send   string       // whom a letter goes to; empty: none is sent

	EnvFile  string           // empty: ".env"
	Resolver *net.Resolver    // nil: the system's
	RootCAs  *x509.CertPool   // nil: the system's
	Now      func() time.Time // nil: time.Now
	Within   time.Duration    // 0: ten seconds for each check
	Disk     DiskSpace        // nil: the system's
}

// DiskSpace says how much room there is where a folder lies, in bytes.
type DiskSpace func(dir string) (free, total uint64, err error)

// doctor is one examination.
type doctor struct {
	Options
	hide secrets
}

// part is a section: its name, and what it checks.
type part struct {
	name  string
	check func(d *doctor, s *section)
}

// The sections, in the order of the report. Those of offline need nobody else.
var (
	offline = []part{{"settings", (*doctor).settings}, {"files", (*doctor).files}}
	online  = []part{
		{"service", (*doctor).service}, {"clock", (*doctor).clock}, {"store", (*doctor).store}, {"mail", (*doctor).mail},
		{"mail domain", (*doctor).mailDomain}, {"telegram", (*doctor).telegram}, {"whatsapp", (*doctor).whatsapp},
		{"public address", (*doctor).public}, {"events", (*doctor).events},
	}
)

// Check tries everything.
func Check(ctx context.Context, o Options) Report {
	return newDoctor(o).run(ctx, append(offline[:2:2], online...))
}

// CheckFiles tries what needs nobody else: settings, files, rights, and the catalogue.
func CheckFiles(ctx context.Context, o Options) Report { return newDoctor(o).run(ctx, offline) }

// Unreadable is the report of settings that cannot be read, a finding for each mistake: nothing else can be tried then.
func Unreadable(err error) Report {
	r := Report{Status: Red, Findings: []Finding{}}
	for line := range strings.Lines(err.Error()) {
		name, what, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			name, what = "settings", name
		}
		do := "mend it: llave help config"
		if strings.HasPrefix(what, "the file it names") {
			do = "put the file there, for the user that runs Llave to read (Docker, Kubernetes: see that the secret is mounted), or name another"
		}
		r.Findings = append(r.Findings, Finding{"settings", name, Red, what, do})
	}
	return r
}

// Elsewhere adds to a report that no .env was found: who examines may stand elsewhere than the service does.
func (r Report) Elsewhere(dir string) Report {
	r.Findings = append(r.Findings, Finding{"settings", ".env", Yellow, "there is none in " + dir,
		"where the service has its settings elsewhere, run it there: cd to its folder; systemd: systemd-run --pty with the unit's EnvironmentFile and User; Docker: docker exec CONTAINER llave doctor"})
	return r
}

func newDoctor(o Options) *doctor {
	if o.EnvFile == "" {
		o.EnvFile = ".env"
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Within == 0 {
		o.Within = within
	}
	if o.Disk == nil {
		o.Disk = diskSpace
	}
	return &doctor{o, newSecrets(o.Config)}
}

func (d *doctor) run(ctx context.Context, parts []part) Report {
	sections := make([]*section, len(parts))
	var all sync.WaitGroup
	for i, p := range parts {
		s := &section{ctx: ctx, name: p.name, within: d.Within, hide: d.hide}
		sections[i] = s
		all.Go(func() { p.check(d, s) })
	}
	all.Wait()
	r := Report{Status: Green, Findings: []Finding{}}
	for _, s := range sections {
		for _, f := range s.findings {
			r.Status = worse(r.Status, f.Status)
			r.Findings = append(r.Findings, f)
		}
	}
	return r
}

// keys are those of the settings, or of the embedded store's file. It makes none.
func (d *doctor) keys() (secret.Keys, error) {
	if d.Config.SecretKey != nil {
		return d.Config.SecretKey, nil
	}
	return config.FindSecretKey(d.Config.DataDir)
}

// result is what a check found, before it has a name.
type result struct {
	status    Status
	found, do string
}

// good is a green result.
func good(format string, args ...any) result { return result{Green, fmt.Sprintf(format, args...), ""} }

// warn is a yellow one, with what to do.
func warn(do, format string, args ...any) result {
	return result{Yellow, fmt.Sprintf(format, args...), do}
}

// bad is a red one, with what to do.
func bad(do, format string, args ...any) result { return result{Red, fmt.Sprintf(format, args...), do} }

// section collects what its checks find. One goroutine uses it.
type section struct {
	ctx      context.Context // of the whole examination
	name     string
	within   time.Duration
	hide     secrets
	findings []Finding
}

// check runs one, and says whether what stands on it can be tried: it was not red. One that takes too long is red, and left to
// itself; so what it would have told must not be used then.
func (s *section) check(name string, try func(ctx context.Context) result) bool {
	ctx, cancel := context.WithTimeout(s.ctx, s.within)
	defer cancel()
	done := make(chan result, 1)
	go func() { done <- try(ctx) }()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		r = late(ctx, done, s.within)
	}
	return s.add(name, r)
}

// late gives a check whose context has ended a moment to say so itself, in better words.
func late(ctx context.Context, done <-chan result, limit time.Duration) result {
	select {
	case r := <-done:
		return r
	case <-time.After(time.Second):
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return bad("run it again", "it was ended before it was done")
	}
	return bad("see why it takes so long: a file server that is away, a firewall that answers nothing", "no answer within %v", limit)
}

// add notes a result.
func (s *section) add(name string, r result) bool {
	s.findings = append(s.findings, Finding{s.name, name, r.status, s.hide.clean(r.found), s.hide.clean(r.do)})
	return r.status != Red
}
