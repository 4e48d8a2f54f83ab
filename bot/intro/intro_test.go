package intro_test

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"llave/bot/intro"
	"llave/internal/bottest"
)

// board is what a channel shows. Where a part is empty, the one that it says is shown, or not.
type board struct {
	shows  map[string]string
	under  map[string]string
	falls  bool // tells what is shown, not what stands there
	writes []string
	broken map[string]error
	kept   map[string][]string
}

func (b *board) Wrote(_ context.Context, _, part string) ([]string, error) { return b.kept[part], nil }

func (b *board) Keep(_ context.Context, _, part, hash string) error {
	b.kept[part] = append([]string{hash}, b.kept[part]...)
	return nil
}

func (b *board) part(name, want string) intro.Part {
	return intro.Part{
		Name: name, Want: want, Under: b.under[name],
		Read: func(context.Context) (string, error) {
			if b.shows[name] == "" && b.falls {
				return b.shows[b.under[name]], b.broken[name]
			}
			return b.shows[name], b.broken[name]
		},
		Write: func(context.Context) error {
			if err := b.broken["write "+name]; err != nil {
				return err
			}
			b.shows[name] = want
			b.writes = append(b.writes, name)
			return nil
		},
	}
}

func newBoard(falls bool) *board {
	return &board{shows: map[string]string{}, under: map[string]string{"text/en": "text"}, falls: falls, broken: map[string]error{}, kept: map[string][]string{}}
}

func TestOnce(t *testing.T) {
	died := errors.New("the process died")
	parts := func(b *board, version string) []intro.Part {
		return []intro.Part{b.part("text", "texto"+version), b.part("text/en", "text"+version), b.part("commands", "menú"+version)}
	}
	for _, c := range []struct {
		name   string
		before func(b *board)
		writes string // at this start, by names
		shows  map[string]string
	}{
		{"nothing there", func(*board) {}, "text text/en commands", map[string]string{"text": "texto2", "text/en": "text2", "commands": "menú2"}},
		{"died while it wrote", func(b *board) {
			b.broken["write text"] = died // after the platform took it
			start(b, parts(b, "1"))
			b.shows["text"] = "texto1"
			delete(b.broken, "write text")
		}, "text text/en commands", map[string]string{"text": "texto2", "text/en": "text2", "commands": "menú2"}},
		{"ours already", func(b *board) { start(b, parts(b, "2")) }, "", map[string]string{"text": "texto2", "text/en": "text2", "commands": "menú2"}},
		{"an earlier version's", func(b *board) { start(b, parts(b, "1")) }, "text text/en commands", map[string]string{"text": "texto2", "text/en": "text2", "commands": "menú2"}},
		{"somebody else's commands", func(b *board) { b.shows["commands"] = "suyos" }, "text text/en", map[string]string{"text": "texto2", "text/en": "text2", "commands": "suyos"}},
		{"somebody else's over ours", func(b *board) { start(b, parts(b, "1")); b.shows["commands"] = "suyos" }, "text text/en",
			map[string]string{"text": "texto2", "text/en": "text2", "commands": "suyos"}},
		{"somebody else's for everybody", func(b *board) { b.shows["text"] = "suyo" }, "commands", map[string]string{"text": "suyo", "commands": "menú2"}},
		{"somebody else's for one language", func(b *board) { b.shows["text/en"] = "theirs" }, "text commands",
			map[string]string{"text": "texto2", "text/en": "theirs", "commands": "menú2"}},
		{"ours, and nothing is remembered", func(b *board) { start(b, parts(b, "2")); clear(b.kept) }, "",
			map[string]string{"text": "texto2", "text/en": "text2", "commands": "menú2"}},
		{"taken away by hand", func(b *board) { start(b, parts(b, "2")); delete(b.shows, "text/en") }, "text/en",
			map[string]string{"text": "texto2", "text/en": "text2", "commands": "menú2"}},
		{"what cannot be read", func(b *board) { b.broken["text"] = errors.New("no") }, "commands", map[string]string{"commands": "menú2"}},
		{"what cannot be written", func(b *board) { b.broken["write text"] = errors.New("no") }, "text/en commands",
			map[string]string{"text/en": "text2", "commands": "menú2"}},
	} {
		for _, falls := range []bool{false, true} {
			b := newBoard(falls)
			c.before(b)
			r, err := start(b, parts(b, "2"))
			if (err != nil) != (len(b.broken) > 0) || !slices.Equal(r.Written, strings.Fields(c.writes)) || !slices.Equal(b.writes, r.Written) {
				t.Errorf("%s (%t): it wrote %q, said %+v and %v, want %q", c.name, falls, b.writes, r, err, c.writes)
			}
			if !reflect.DeepEqual(b.shows, c.shows) {
				t.Errorf("%s (%t): shown is %q, want %q", c.name, falls, b.shows, c.shows)
			}
			if r, _ := start(b, parts(b, "2")); len(r.Written) > 0 {
				t.Errorf("%s (%t): another start wrote %q", c.name, falls, r.Written)
			}
		}
	}
}

// start is one start; what was written before is forgotten.
func start(b *board, parts []intro.Part) (intro.Result, error) {
	b.writes = nil
	return intro.Once(context.Background(), "telegram", parts, b)
}

// A platform that is away is asked again, seldom, and told of once.
func TestRun_away(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(false)
		away := errors.New("away")
		b.broken["text"] = away
		var mu sync.Mutex // between the test and the goroutine below, which never run at once
		asked, log := 0, &bottest.Buffer{}
		p := b.part("text", "texto")
		read, write := p.Read, p.Write
		p.Read = func(ctx context.Context) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			asked++
			return read(ctx)
		}
		p.Write = func(ctx context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			return write(ctx)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			intro.Introducer{
				Channel: "telegram", Parts: []intro.Part{p}, Memory: b, Log: slog.New(slog.NewTextHandler(log, nil)),
				After: func(error) time.Duration { return time.Minute }, Over: func(error) bool { return false },
			}.Run(ctx)
		}()
		time.Sleep(24 * time.Hour)
		mu.Lock()
		if asked < 20 || asked > 40 || strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "level=WARN") {
			t.Errorf("asked %d times in a day, and said %s; want one warning", asked, log)
		}
		delete(b.broken, "text")
		mu.Unlock()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		select {
		case <-done:
		default:
			t.Error("it goes on")
		}
		if b.shows["text"] != "texto" {
			t.Errorf("shown is %q once it is back", b.shows["text"])
		}
	})
}
