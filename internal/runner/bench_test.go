package runner_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"llave/bot"
	"llave/internal/runner"
	"llave/internal/store/storetest"
)

// What 1,000 letters that wait behind a mail server that hangs cost the store, by its calls; one iteration is ten seconds of that.
func BenchmarkBacklog(b *testing.B) {
	var calls tally
	cl := newKeeperCluster(b, storetest.Around(storetest.Bolt(b, nil), calls.around))
	backlog(b, cl, 1000)
	reads, writes, start := calls.reads.Load(), calls.writes.Load(), time.Now()
	for b.Loop() {
		time.Sleep(10 * time.Second)
	}
	seconds := time.Since(start).Seconds()
	b.ReportMetric(float64(calls.reads.Load()-reads)/seconds, "reads/s")
	b.ReportMetric(float64(calls.writes.Load()-writes)/seconds, "writes/s")
	b.ReportMetric(0, "ns/op") // it is the wait
}

// How long a process that starts on the embedded store takes until it has sent the 1,000 letters that one killed before it held.
func BenchmarkRestart(b *testing.B) {
	const letters = 1000
	var took time.Duration
	for b.Loop() {
		var dead atomic.Bool
		engine := storetest.Bolt(b, nil)
		backlog(b, newKeeperCluster(b, cutOff(engine, &dead)), letters)
		dead.Store(true)
		next := newKeeperCluster(b, engine)
		next.alone = true
		var sent atomic.Int64
		all := make(chan struct{})
		next.letter = func(context.Context, bot.Promise) (runner.Effects, error) {
			if sent.Add(1) == letters {
				close(all)
			}
			return runner.Effects{}, nil
		}
		r := next.runner("b")
		start := time.Now()
		r.Start(b.Context())
		<-all
		took += time.Since(start)
	}
	b.ReportMetric(float64(took.Milliseconds())/float64(b.N), "ms/restart")
	b.ReportMetric(0, "ns/op") // mostly the first process's time
}
