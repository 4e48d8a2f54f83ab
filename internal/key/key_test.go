package key

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var owner = About{Number: "1710034065", Name: "Ana María Muñoz de la Torre", Email: "ana.munoz@example.com"}

// long is a key of 126 characters that is not easily guessed.
var long = "gato lluvia tambor verde" + strings.Repeat(" y otra vez", 9) + "..."

// TestCheck shows P208.
func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		key  string
		want []Problem
	}{
		{"gato lluvia tambor verde", nil},
		{"Tr0pez-Vikunja!94", nil},
		{"ñandú áéíóú zorro quemado", nil},
		{"qz7!Wp2xN", nil},
		{"qz7!Wp2x", []Problem{TooEasy}}, // see the package comment: eight are never enough
		{"🦙🌋🎺 volcán hornado 83", nil},
		{long + "ab", nil}, // 128
		{"", []Problem{TooShort}},
		{"qz7!Wp2", []Problem{TooShort}},
		{"ññññ", []Problem{TooShort}}, // counted in characters, not bytes
		{long + "abc", []Problem{TooLong}},
		{"1710034065", []Problem{HasNumber}},
		{"171 003 406-5 lluvia tambor", []Problem{HasNumber}},
		{"x1710034065tamborlluvia", []Problem{HasNumber}},
		{"１７１００３４０６５ lluvia", []Problem{HasNumber}},
		{"lluvia MARIA tambor verde", []Problem{HasName}},
		{"lluvia tambor múñöz verde", []Problem{HasName}},
		{"AnaMaríaMuñozDeLaTorre", []Problem{HasName}},
		{"ana.munoz@example.com", []Problem{HasName, HasMail}},
		{"banana lluvia tambor", nil}, // "Ana" alone is too short a name to forbid
		{"lluvia\x00tambor verde", []Problem{Unreadable}},
		{"lluvia\xfftambor verde", []Problem{Unreadable}},
	} {
		if got := Check(tc.key, owner); !slices.Equal(got, tc.want) {
			t.Errorf("%q: got %v, want %v", tc.key, got, tc.want)
		}
	}
}

func TestCheck_nobodyKnown(t *testing.T) {
	if got := Check("gato lluvia tambor verde", About{}); got != nil {
		t.Errorf("got %v, want none", got)
	}
}

func TestHash(t *testing.T) {
	ctx := t.Context()
	const key = "gato lluvia tambor verde"
	hash, err := Hash(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	if want := "$argon2id$v=19$m=19456,t=2,p=1$"; !strings.HasPrefix(hash, want) {
		t.Errorf("got %s, want prefix %s", hash, want)
	}
	if again, _ := Hash(ctx, key); again == hash {
		t.Error("two hashes of one key are equal: no salt")
	}
	for _, tc := range []struct {
		key  string
		want bool
	}{{key, true}, {key + " ", false}, {"", false}} {
		if got, err := Verify(ctx, hash, tc.key); err != nil || got != tc.want {
			t.Errorf("verify %q: got %v, %v, want %v", tc.key, got, err, tc.want)
		}
	}
	if _, err := Verify(ctx, "not a hash", key); err == nil {
		t.Error("a damaged hash verified without an error")
	}
}

func TestHash_manyAtOnceTakeTurns(t *testing.T) {
	most := 0
	var mu sync.Mutex
	stop, seen := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(seen)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				mu.Lock()
				most = max(most, len(turns))
				mu.Unlock()
			}
		}
	}()
	var wg sync.WaitGroup
	errs := make(chan error, 20)
	for range 20 {
		wg.Go(func() {
			_, err := Hash(context.Background(), "gato lluvia tambor verde")
			errs <- err
		})
	}
	wg.Wait()
	close(stop)
	<-seen
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if most > cap(turns) {
		t.Errorf("got %d at once, want at most %d", most, cap(turns))
	}
}

func TestHash_waitsNoLongerThanItsCaller(t *testing.T) {
	for range cap(turns) {
		turns <- struct{}{}
	}
	defer func() {
		for range cap(turns) {
			<-turns
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Hash(ctx, "gato lluvia tambor verde"); !errors.Is(err, context.Canceled) {
		t.Errorf("hash: got %v, want canceled", err)
	}
	if _, err := Verify(ctx, "", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("verify: got %v, want canceled", err)
	}
}

func TestAbout_printsNothing(t *testing.T) {
	if got := fmt.Sprintf("%v %+v %#v", owner, owner, owner); strings.Contains(got, "171") || strings.Contains(got, "Ana") {
		t.Errorf("got %s", got)
	}
}

func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"1710034065", "gato lluvia", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "p4$$w0rd p4$$w0rd p4$$w0rd p4$$w0rd"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if problems := Check(key, owner); len(problems) == 0 && strings.Contains(key, owner.Number) {
			t.Errorf("%q was taken", key)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	for _, key := range []string{"gato lluvia tambor verde", strings.Repeat("p4$$w0rd", 16), strings.Repeat("@4{({<(3", 16)} {
		b.Run("", func(b *testing.B) {
			for b.Loop() {
				Check(key, owner)
			}
		})
	}
}
