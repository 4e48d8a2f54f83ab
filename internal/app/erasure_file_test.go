package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// chatsLogged are the chats that a log of erasures has, in order.
func chatsLogged(t *testing.T, f *erasureFile) (convs []string) {
	t.Helper()
	err := f.Each(t.Context(), func(conv string, _ time.Time) bool { convs = append(convs, conv); return true })
	if err != nil {
		t.Fatal(err)
	}
	return convs
}

// What a command appends while the service writes the file anew is not lost (P723). Before, some hundred of the 400 lines were.
func TestErasureFile_appendedWhileWrittenAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "erasures")
	now := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	service := &erasureFile{path: path}
	var commands sync.WaitGroup
	const writers, each = 4, 100
	for w := range writers {
		commands.Go(func() {
			command := &erasureFile{path: path} // another process's
			for i := range each {
				if err := command.Append(t.Context(), fmt.Sprintf("telegram:~%d-%d", w, i), now); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { commands.Wait(); close(done) }()
	for alive := true; alive; {
		select {
		case <-done:
			alive = false
		default:
		}
		if err := service.Append(t.Context(), "telegram:~old", now.Add(-2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := service.Forget(t.Context(), now.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(chatsLogged(t, service)); got != writers*each {
		t.Errorf("%d erasures are logged, want %d", got, writers*each)
	}
}

// A line that a crash or a disk has spoilt costs nothing but itself: the service starts, and erases again what the others say.
func TestErasureFile_spoilt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "erasures")
	now := time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)
	f := &erasureFile{path: path}
	put := func(text string) {
		t.Helper()
		file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	add := func(conv string) {
		t.Helper()
		if err := f.Append(t.Context(), conv, now); err != nil {
			t.Fatal(err)
		}
	}
	add("telegram:~a")
	put(strings.Repeat("\x00", 300_000)) // blocks that were never written
	add("telegram:~b")
	put("17724636") // a line that was cut off
	add("telegram:~c")
	put("17724636x5 telegram:~d\n")
	add("telegram:~e")
	want := "[telegram:~a telegram:~b telegram:~c telegram:~e]"
	if got := fmt.Sprint(chatsLogged(t, f)); got != want {
		t.Errorf("logged are %s, want %s", got, want)
	}
	if err := f.Append(t.Context(), "telegram:~old", now.Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := f.Forget(t.Context(), now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(chatsLogged(t, f)); got != want {
		t.Errorf("once it was written anew logged are %s, want %s", got, want)
	}
	if all, err := os.ReadFile(path); err != nil || len(all) > 1000 {
		t.Errorf("the file has %d bytes (%v), want the lines alone", len(all), err)
	}
}
