package chaos

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"llave/internal/bottest"
)

// fleet is the processes that are broken and started again.
type fleet struct {
	t    testing.TB
	env  []string
	log  io.Writer
	dir  string
	ends []time.Duration // how long each took to end after SIGTERM

	kills []time.Time // when a process was killed

	mu        sync.Mutex
	instances []*instance
}

// instance is one process of the fleet and those that come after it: each listens where the one before did.
type instance struct {
	addr, admin string
	build       func() (string, error) // another llave than the shipped one
	env         []string               // settings of its own
	under       []string               // a command that runs it, such as one that sets limits
	process     *bottest.Process       // nil while down
}

// binary is built once for the package.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "llave-chaos-")
	if err != nil {
		return "", err
	}
	return bottest.Build(context.Background(), dir, false)
})

func freeAddr(t testing.TB) string {
	t.Helper()
	addr, err := bottest.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// running returns the addresses of the processes that have not been ended.
func (f *fleet) running() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var addrs []string
	for _, p := range f.instances {
		if p.process != nil {
			addrs = append(addrs, p.addr)
		}
	}
	return addrs
}

// run starts a llave that writes into the fleet's log.
func (f *fleet) run(llave string, env []string, args ...string) (*bottest.Process, error) {
	cmd := bottest.Command(context.Background(), llave, f.dir, env, args...)
	cmd.Stdout, cmd.Stderr = f.log, f.log
	return bottest.StartProcess(cmd)
}

// start starts the process of an instance and waits until it is ready.
func (f *fleet) start(p *instance) error {
	if err := f.launch(p); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return p.process.WaitReady(ctx, "http://"+p.admin+"/readyz")
}

// launch starts the process of an instance.
func (f *fleet) launch(p *instance) error {
	build := binary
	if p.build != nil {
		build = p.build
	}
	llave, err := build()
	if err != nil {
		return err
	}
	env := slices.Concat([]string{"LLAVE_HTTP_ADDR=" + p.addr, "LLAVE_ADMIN_ADDR=" + p.admin}, f.env, p.env)
	command := append(slices.Clone(p.under), llave, "serve")
	process, err := f.run(command[0], env, command[1:]...)
	if err != nil {
		return err
	}
	f.mu.Lock()
	p.process = process
	f.mu.Unlock()
	return nil
}

// take returns the process of an instance, which has none from now on.
func (f *fleet) take(p *instance) *bottest.Process {
	f.mu.Lock()
	defer f.mu.Unlock()
	process := p.process
	p.process = nil
	return process
}

// terminate asks the process of an instance to end. While it ends it is still sent updates, as by a load balancer that has
// not noticed.
func (f *fleet) terminate(p *instance) error {
	f.mu.Lock()
	process := p.process
	f.mu.Unlock()
	if process == nil {
		return nil // it could not be started again, which was told
	}
	code, took, err := process.Terminate(30 * time.Second)
	f.take(p)
	f.ends = append(f.ends, took)
	if err == nil && code != 0 {
		err = fmt.Errorf("after SIGTERM: exit %d", code)
	}
	return err
}

// torment breaks a random process every three to five seconds until ctx ends, and starts it again.
func (f *fleet) torment(ctx context.Context, gently bool) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(3*time.Second + time.Duration(rand.Int64N(int64(2*time.Second)))):
		}
		p := f.instances[rand.IntN(len(f.instances))]
		if gently {
			if err := f.terminate(p); err != nil {
				return err
			}
		} else {
			f.mu.Lock()
			process := p.process
			f.mu.Unlock()
			f.kills = append(f.kills, time.Now())
			process.Kill() // the front learns of it as slowly as it can
			f.take(p)
		}
		if err := f.start(p); err != nil {
			return fmt.Errorf("start again: %w", err)
		}
	}
}

// end kills whatever still runs.
func (f *fleet) end() {
	for _, p := range f.instances {
		if process := f.take(p); process != nil {
			process.Kill()
		}
	}
}
