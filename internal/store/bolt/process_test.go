//go:build unix

package bolt_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
	"llave/internal/store/bolt"
)

// Some things need a process of their own: the test binary runs itself again with one of these jobs.
const (
	jobVar = "BOLT_TEST_JOB"
	dirVar = "BOLT_TEST_DIR"
)

// helper does the job this process was started for, and says whether there was one.
func helper() bool {
	job, ok := map[string]func(*bolt.Engine) error{"write": writeForever, "fill": fillTheDisk}[os.Getenv(jobVar)]
	if !ok {
		return false
	}
	e, err := bolt.Open(context.Background(), bolt.Options{Dir: os.Getenv(dirVar)})
	if err == nil {
		err = errors.Join(job(e), e.Close())
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	return true
}

func command(t *testing.T, job, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), jobVar+"="+job, dirVar+"="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// writeForever inserts documents and prints the id of each once it is told that it is stored.
func writeForever(e *bolt.Engine) error {
	for i := 0; ; i++ {
		id := fmt.Sprintf("%08d", i)
		raw, err := bson.Marshal(bson.D{{Key: "_id", Value: id}, {Key: "made", Value: bson.DateTime(i)}})
		if err != nil {
			return err
		}
		if err := e.Insert(context.Background(), store.Cases, raw); err != nil {
			return err
		}
		fmt.Println(id)
	}
}

// TestOpen_heldByAnotherProcess shows P411.
func TestOpen_heldByAnotherProcess(t *testing.T) {
	dir := t.TempDir()
	cmd := command(t, "write", dir)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for range 50 {
		if !lines.Scan() || strings.HasPrefix(lines.Text(), "error") {
			t.Fatalf("the other process ended: %s", lines.Text())
		}
	}
	_, err = bolt.Open(t.Context(), bolt.Options{Dir: dir})
	if !errors.Is(err, store.ErrLocked) {
		t.Fatalf("got %v, want %v", err, store.ErrLocked)
	}
	host, _ := os.Hostname()
	for _, want := range []string{fmt.Sprintf("process %d on %s", cmd.Process.Pid, host), ", since 2", dir} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}

	// The process dies while it writes. All that it was told is stored is stored, and its index with it.
	must(t, cmd.Process.Kill())
	stored := 50
	for lines.Scan() {
		stored++
	}
	cmd.Wait()
	e := openIn(t, dir)
	for _, field := range []string{"", "made"} {
		n, err := e.Count(t.Context(), store.Query{Collection: store.Cases, Field: field})
		must(t, err)
		if n < int64(stored) || n > int64(stored)+1 {
			t.Errorf("by %q: %d documents, %d were acknowledged", field, n, stored)
		}
	}
}

// fillTheDisk writes until the file may not grow any more, and then goes on with more room.
func fillTheDisk(e *bolt.Engine) error {
	signal.Ignore(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	small := was
	small.Cur = 1 << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		return err
	}
	insert := func(id string) error {
		raw, err := bson.Marshal(bson.D{{Key: "_id", Value: id}, {Key: "fill", Value: strings.Repeat("x", 50_000)}})
		if err != nil {
			return err
		}
		return e.Insert(context.Background(), store.Cases, raw)
	}
	beat, err := bson.Marshal(bson.D{{Key: "_id", Value: "beat"}})
	if err == nil {
		err = e.Insert(context.Background(), store.Leases, beat)
	}
	if err != nil {
		return err
	}
	stored, full := 0, error(nil)
	for full == nil {
		if full = insert(fmt.Sprint(stored)); full == nil {
			stored++
		}
		if stored > 1000 {
			return errors.New("the disk does not get full")
		}
	}
	again := insert("again")
	for version := range int64(3) { // what fits into pages that were freed is written on, and says nothing of the rest
		beat, err := bson.Marshal(bson.D{{Key: "_id", Value: "beat"}})
		if err == nil {
			err = e.Replace(context.Background(), store.Leases, "beat", version+1, beat)
		}
		if err != nil {
			return fmt.Errorf("a small write on a full disk: %w", err)
		}
		if e.Ping(context.Background()) == nil {
			return errors.New("a disk that is full passes for well, since small writes succeed")
		}
	}
	small.Cur = 8 << 10 // now not even a page that was freed can be written
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
		return err
	}
	if insert("not one page") == nil || e.Ping(context.Background()) == nil {
		return errors.New("with no room at all: a write succeeds, or ping does not know")
	}
	n, err := e.Count(context.Background(), store.Query{Collection: store.Cases})
	if err != nil {
		return err
	}
	if again == nil || n != int64(stored) {
		return fmt.Errorf("with a full disk: %d documents of %d, second error %w", n, stored, again)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	if err := e.Ping(context.Background()); err != nil {
		return fmt.Errorf("after room was made: ping: %w", err)
	}
	for i := range 100 {
		if err := insert(fmt.Sprint("more", i)); err != nil {
			return fmt.Errorf("after room was made: %w", err)
		}
	}
	fmt.Println("first:", full)
	return nil
}

func TestEngine_diskFull(t *testing.T) {
	dir := t.TempDir()
	out, err := command(t, "fill", dir).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !strings.Contains(string(out), "write store file") {
		t.Errorf("the error of a full disk: got %s", out)
	}
	n, err := openIn(t, dir).Count(t.Context(), store.Query{Collection: store.Cases})
	must(t, err)
	if n < 100 {
		t.Errorf("%d documents after opening again, want more than 100", n)
	}
}
