package bolt_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/bot"
	"llave/internal/affiliate"
	"llave/internal/store"
	"llave/internal/store/bolt"
)

// open opens a store that syncs, as it does in production: the figures are the disk's as much as ours.
func open(b *testing.B) *bolt.Engine {
	b.Helper()
	e, err := bolt.Open(context.Background(), bolt.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Close() })
	return e
}

// conversation is one in the middle of its road, some 4 kB.
func conversation(i int) bot.Conversation {
	now := time.Now()
	c := bot.Conversation{ID: fmt.Sprintf("telegram:%d", 1000000+i), State: "await_link", LastAt: now, Born: now,
		Slots: map[string]string{"number": "sealed-sealed-sealed-sealed-sealed", "mask": "17••••••65"}}
	for j := range 20 {
		c.Seen = append(c.Seen, bot.Seen{ID: fmt.Sprint(500000 + j), At: now})
		c.Tail = append(c.Tail, bot.Line{From: "bot", Text: "Abra primero su correo. Cuando lo tenga abierto, oprima el botón.", At: now})
	}
	c.Promises = []bot.Promise{{ID: "p", What: bot.Say{Reply: &bot.Reply{Text: "Listo."}}, Made: now}}
	c.Wake(now.Add(time.Minute))
	return c
}

// BenchmarkLoneCommit is a conversation saved by nobody else's side.
func BenchmarkLoneCommit(b *testing.B) {
	s := store.New(open(b))
	c := conversation(0)
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		c.WakeAt = start
		if err := s.Conversations.Save(context.Background(), &c); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkCommit64 is 64 conversations saved at once, each by its own goroutine: with what waits together in one commit,
// as it is, and with a commit for each.
func BenchmarkCommit64(b *testing.B) {
	b.Run("grouped", func(b *testing.B) { commit64(b, open(b)) })
	b.Run("alone", func(b *testing.B) {
		e := open(b)
		bolt.Ungroup(e)
		commit64(b, e)
	})
}

func commit64(b *testing.B, e *bolt.Engine) {
	const writers = 64
	s := store.New(e)
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for w := range writers {
		wg.Go(func() {
			c := conversation(w)
			for left.Add(-1) >= 0 {
				c.WakeAt = time.Now()
				if err := s.Conversations.Save(context.Background(), &c); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

// BenchmarkImport is 200,000 records, in the order of their numbers and in none.
func BenchmarkImport(b *testing.B) {
	const rows = 200_000
	records := make([]affiliate.Record, rows)
	for i := range records {
		records[i] = affiliate.Record{ID: fmt.Sprintf("%010d", i*7919), IDType: affiliate.Cedula, Category: affiliate.Affiliate,
			FullName: "Persona Inventada De Prueba", Email: fmt.Sprintf("persona%d@example.com", i),
			DataUpdatedAt: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC), Status: affiliate.Locked}
	}
	shuffled := slices.Clone(records)
	rand.New(rand.NewPCG(1, 2)).Shuffle(rows, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, c := range []struct {
		name    string
		records []affiliate.Record
		twice   bool
	}{{"sorted", records, false}, {"shuffled", shuffled, false}, {"again", records, true}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := store.New(open(b))
				if c.twice {
					if err := s.Affiliates.Import(context.Background(), c.records); err != nil {
						b.Fatal(err)
					}
				}
				b.StartTimer()
				if err := s.Affiliates.Import(context.Background(), c.records); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkOpen is what a start costs, with 20,000 records in the file.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	reopen := func() *bolt.Engine {
		e, err := bolt.Open(context.Background(), bolt.Options{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		return e
	}
	e := reopen()
	docs := make([]bson.Raw, 20_000)
	for i := range docs {
		docs[i], _ = bson.Marshal(bson.D{{Key: "_id", Value: fmt.Sprintf("%010d", i)}, {Key: "status", Value: "locked"}})
	}
	err := errors.Join(e.BulkUpsert(context.Background(), store.Affiliates, docs), e.Close())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := reopen().Close(); err != nil {
			b.Fatal(err)
		}
	}
}
