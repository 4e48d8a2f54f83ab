//go:build linux

package chaos

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"llave/internal/bottest"
)

// limitFiles bounds the size of the files that a running process may write, from outside and as anybody may do to a
// process of their own. A write that would go beyond fails (EFBIG) as on a full disk (ENOSPC), and what is written in
// place succeeds. A small file system would be closer to it, but takes privileges.
func limitFiles(t *testing.T, pid int, size uint64) {
	t.Helper()
	var was syscall.Rlimit
	limit := func(to, from *syscall.Rlimit) {
		t.Helper()
		_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), syscall.RLIMIT_FSIZE,
			uintptr(unsafe.Pointer(to)), uintptr(unsafe.Pointer(from)), 0, 0)
		if errno != 0 {
			t.Fatalf("limit the files of process %d: %v", pid, errno)
		}
	}
	limit(nil, &was)
	limit(&syscall.Rlimit{Cur: min(size, was.Max), Max: was.Max}, nil)
}

// The disk of the embedded store is full while people walk the road. Nothing is acknowledged that is not kept, what can
// be read still is, the process can even be started anew, and with room again everything goes on without another start.
func TestMachine_diskFull(t *testing.T) {
	needChaos(t)
	lasts := sized(6*time.Second, 30*time.Second)
	dep := newDeployment(t, onBolt, "LLAVE_TELEGRAM_WEBHOOK_SECRET="+hookSecret)
	people := dep.populate(sized(40, 400))
	reader, walkers := people[0], people[1:]
	dep.start()
	ctx, cancel := context.WithTimeout(t.Context(), lasts+patience)
	defer cancel()
	if _, err := reader.asks(ctx, dep.api, linkSubject); err != nil {
		t.Fatal(err)
	}
	l, err := dep.smtp.WaitLetter(ctx, reader.address, 0)
	if err != nil {
		t.Fatal(err)
	}
	q := dep.probe(nil)
	began := time.Now()
	breaking, stop := context.WithTimeout(ctx, lasts+3*time.Second)
	defer stop()
	walked := make(chan struct{})
	go func() {
		defer close(walked)
		dep.walk(breaking, ctx, walkers, 100*time.Millisecond, 40)
	}()
	time.Sleep(2 * time.Second)

	const twoPages = 8 << 10 // room for bbolt's two meta pages alone, so that no commit can be written
	at := dep.fleet.instances[0]
	full := time.Now()
	limitFiles(t, at.process.Pid(), twoPages)
	reads, failed := 0, 0
	read := func(until time.Time) {
		for time.Now().Before(until) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.Link(linkText), nil)
			if err != nil {
				t.Fatal(err)
			}
			reads++
			if a := ask(http.DefaultClient, req); a.status != http.StatusOK || !strings.Contains(a.text, "Desbloquear") {
				failed++
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
	read(full.Add(lasts / 2))
	// A supervisor may start it again meanwhile: that must work too, and not end at once because nothing can be written.
	killed := time.Now()
	dep.fleet.kills = append(dep.fleet.kills, killed)
	dep.fleet.take(at).Kill()
	at.under = []string{"sh", "-c", `ulimit -S -f 16 && exec "$@"`, "sh"}
	if err := dep.fleet.launch(at); err != nil {
		t.Fatal(err)
	}
	process := at.process
	limitFiles(t, process.Pid(), twoPages)
	if err := process.WaitReady(ctx, "http://"+at.admin+"/healthz"); err != nil {
		t.Fatal(err)
	}
	again := time.Now()
	t.Logf("disk full: started again within %v", again.Sub(killed).Round(time.Millisecond))
	read(full.Add(lasts))
	room := time.Now()
	limitFiles(t, process.Pid(), ^uint64(0))
	q.recovered(t, "disk full", room)
	q.refused(t, "disk full", full, killed.Add(-time.Second))
	q.refused(t, "disk full and started again", again, room)
	t.Logf("disk full: the page of a living link was read %d times, %d failed", reads, failed)
	if failed > 0 {
		t.Error("a page that only reads needs no room")
	}
	<-walked
	q.stop()
	dep.settle(ctx)
	took := time.Since(began)
	dep.alive(t, process)
	dep.end()
	dep.reconcile(t, took)
	q.kept(t, dep)
}

// Slow clients hold every file descriptor that the process may have. It must not end, must lose nothing, and must
// answer again once they go.
func TestMachine_descriptors(t *testing.T) {
	const descriptors = 128 // what the process needs for itself, two stores of connections, stays well below
	onBoth(t, func(t *testing.T, k kind) {
		lasts := sized(8*time.Second, 30*time.Second)
		dep := newDeployment(t, k, "LLAVE_TELEGRAM_WEBHOOK_SECRET="+hookSecret)
		for _, p := range dep.fleet.instances {
			p.under = []string{"sh", "-c", fmt.Sprintf(`ulimit -n %d && exec "$@"`, descriptors), "sh"}
		}
		people := dep.populate(sized(40, 300))
		dep.start()
		ctx, cancel := context.WithTimeout(t.Context(), lasts+patience)
		defer cancel()
		q := dep.probe(&http.Transport{DisableKeepAlives: true})
		began := time.Now()
		breaking, stop := context.WithTimeout(ctx, lasts+3*time.Second)
		defer stop()
		walked := make(chan struct{})
		go func() {
			defer close(walked)
			dep.walk(breaking, ctx, people, 100*time.Millisecond, 40)
		}()
		time.Sleep(2 * time.Second)
		from := time.Now()
		held := dep.crowd(ctx, 2*descriptors, lasts)
		gone := time.Now()
		q.recovered(t, "descriptors gone", gone)
		for i, p := range q.at {
			for _, x := range []*probe{p.hook, p.ready, p.page} {
				t.Logf("descriptors gone, process %d, %s: %s", i, x.name, summary(x.between(from, gone)))
			}
		}
		t.Logf("%d descriptors each; slow clients connected %d times", descriptors, held)
		<-walked
		q.stop()
		dep.settle(ctx)
		took := time.Since(began)
		for _, p := range dep.fleet.instances {
			dep.alive(t, p.process)
		}
		t.Logf("the log complains %d times of too many open files", dep.logged(t, "too many open files"))
		dep.end()
		dep.reconcile(t, took)
		q.kept(t, dep)
	})
}

// crowd is so many clients before each process that begin a request and never end it; who is turned away comes again. It
// returns when their time is over and all are gone, and says how often they were let in.
func (dep *deployment) crowd(ctx context.Context, clients int, lasts time.Duration) int {
	ctx, cancel := context.WithTimeout(ctx, lasts)
	defer cancel()
	var all sync.WaitGroup
	var times atomic.Int64
	for _, p := range dep.fleet.instances {
		for range clients {
			all.Go(func() {
				for ctx.Err() == nil {
					c, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", p.addr)
					if err != nil {
						time.Sleep(50 * time.Millisecond)
						continue
					}
					times.Add(1)
					stop := context.AfterFunc(ctx, func() { c.Close() })
					_, _ = c.Write([]byte("POST /webhooks/telegram HTTP/1.1\r\nHost: localhost\r\n")) // it may be gone by now
					_, _ = c.Read(make([]byte, 1))                                                    // until either side has had enough
					stop()
					c.Close()
				}
			})
		}
	}
	all.Wait()
	return int(times.Load())
}

// alive fails the test when a process has ended.
func (dep *deployment) alive(t *testing.T, p *bottest.Process) {
	t.Helper()
	select {
	case <-p.Done():
		t.Errorf("the process has ended, with %d", p.ExitCode())
	default:
	}
}
