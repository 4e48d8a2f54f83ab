package key

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// dump is a file of stolen keys as the public one is: upper case, a count behind, sorted.
func dump(keys ...string) string {
	var list []string
	for i, k := range keys {
		list = append(list, fmt.Sprintf("%X:%d", sha1.Sum([]byte(k)), i*i+1))
	}
	slices.Sort(list)
	return strings.Join(list, "\r\n") + "\r\n"
}

func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stolen.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var regexpCounts = regexp.MustCompile(`:\d+`)

const stolenKey = "cuatro barcos azules duermen"

func TestRules_stolen(t *testing.T) {
	bare := regexpCounts.ReplaceAllString(dump(stolenKey, "otra", "más"), "")
	for name, text := range map[string]string{
		"as published": dump(stolenKey, "otra", "más"), "without counts": bare, "lower case": strings.ToLower(bare),
		"no end of line": strings.TrimSpace(bare), "alone": dump(stolenKey),
	} {
		f, err := OpenStolen(written(t, text), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r := Rules{Stolen: f}
		for _, tc := range []struct {
			key  string
			want []Problem
		}{{stolenKey, []Problem{Stolen}}, {stolenKey + "s", nil}, {"otra", []Problem{TooShort}}} {
			if got := r.Check(tc.key, owner); !slices.Equal(got, tc.want) {
				t.Errorf("%s: %q: got %v, want %v", name, tc.key, got, tc.want)
			}
		}
	}
	if got := (Rules{}).Check(stolenKey, owner); got != nil {
		t.Errorf("without a file: got %v", got)
	}
}

func TestOpenStolen_refused(t *testing.T) {
	good := dump("a", "b", "c", "d")
	long := dump(strings.Split(strings.Repeat("x,", 999)+"y", ",")...) // the same hash often: still in order
	for name, tc := range map[string]struct {
		path string
		want error
	}{
		"not there":      {filepath.Join(t.TempDir(), "none"), os.ErrNotExist},
		"empty":          {written(t, ""), errEmpty},
		"blank":          {written(t, "\r\n"), errEmpty},
		"not hashes":     {written(t, "password\n123456\n"), errNoHash},
		"other hashes":   {written(t, strings.Repeat("0CB6948805F797BF2A82807973B89537:5\n", 40)), errNoHash},
		"not hex":        {written(t, strings.Repeat("G", 40)+"\n"), errNoHash},
		"not a count":    {written(t, good[:40]+":many\n"), errNoHash},
		"one long line":  {written(t, strings.Repeat("0", 9999)), errNoHash},
		"by count":       {written(t, good[43:]+good[:43]), errUnsorted},
		"end is no hash": {written(t, long+"the end\n"), errNoHash},
		"halves swapped": {written(t, long+good), errUnsorted},
	} {
		if _, err := OpenStolen(tc.path, nil); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
	if _, err := OpenStolen(t.TempDir(), nil); err == nil {
		t.Error("a directory was taken")
	}
	if _, err := OpenStolen(written(t, long), nil); err != nil {
		t.Errorf("a good one: %v", err)
	}
}

// A file that goes away while we run keeps nobody from a key; the log says so once, until it is back.
func TestRules_stolenFileGone(t *testing.T) {
	var log bytes.Buffer
	path := written(t, dump(stolenKey))
	f, err := OpenStolen(path, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	r := Rules{Stolen: f}
	for round := 1; round <= 2; round++ {
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if got := r.Check(stolenKey, owner); got != nil {
				t.Errorf("without the file: got %v, want none", got)
			}
		}
		if n := strings.Count(log.String(), "level=ERROR"); n != round || !strings.Contains(log.String(), "LLAVE_BREACHED_FILE") {
			t.Errorf("round %d: %d lines in the log:\n%s", round, n, log.String())
		}
		if err := os.Rename(path+".away", path); err != nil {
			t.Fatal(err)
		}
		if got := r.Check(stolenKey, owner); !slices.Equal(got, []Problem{Stolen}) {
			t.Errorf("with the file again: got %v", got)
		}
	}
	if strings.Contains(log.String(), "barcos") {
		t.Error("the log holds the key")
	}
}

// million is a dump of a million lines that is never written down: line n is the hash that begins with n in eight digits.
type million struct {
	mu    sync.Mutex
	reads int
	bytes int
}

const (
	millionLines = 1_000_000
	lineLength   = int64(hashLength) + 4 // ":7\r\n"
)

func (m *million) line(n int64) string {
	return fmt.Sprintf("%08X%032X:7\r\n", n*4000, n)
}

func (m *million) ReadAt(p []byte, at int64) (int, error) {
	m.mu.Lock()
	m.reads++
	m.bytes += len(p)
	m.mu.Unlock()
	var text strings.Builder
	n := at / lineLength
	for ; n < millionLines && text.Len() < len(p)+int(lineLength); n++ {
		text.WriteString(m.line(n))
	}
	got := copy(p, text.String()[at%lineLength:])
	if got < len(p) {
		return got, io.EOF
	}
	return got, nil
}

// A key is looked for with few reads of a file of a million lines, and nothing of it is kept.
func TestHashes_readsLittle(t *testing.T) {
	m := &million{}
	h := hashes{m, millionLines * lineLength}
	if err := h.sound(); err != nil || m.reads > looks+1 {
		t.Errorf("looked at with %d reads: %v", m.reads, err)
	}
	most := 0
	for n := int64(0); n < millionLines; n += 9973 {
		for _, there := range []bool{true, false} {
			m.reads, m.bytes = 0, 0
			hash := []byte(strings.ToLower(m.line(n)[:hashLength]))
			if !there {
				hash[7]++ // between this line and the next
			}
			if found, err := h.find(hash); found != there || err != nil {
				t.Fatalf("line %d: got %v, %v, want %v", n, found, err, there)
			}
			most = max(most, m.reads)
			if m.reads > 20 || m.bytes > 20*(blockSize+1) {
				t.Fatalf("line %d: %d reads of %d bytes", n, m.reads, m.bytes)
			}
		}
	}
	for _, end := range []int64{0, millionLines - 1} {
		if found, err := h.find([]byte(strings.ToLower(m.line(end)[:hashLength]))); !found || err != nil {
			t.Errorf("line %d: got %v, %v", end, found, err)
		}
	}
	for _, out := range []string{strings.Repeat("0", 39) + "1", strings.Repeat("f", 40)} {
		if found, err := h.find([]byte(out)); found || err != nil {
			t.Errorf("%s: got %v, %v", out, found, err)
		}
	}
	t.Logf("%d reads at most", most)
}

// Whatever a file holds, looking into it comes to an end.
func FuzzHashes(f *testing.F) {
	f.Add([]byte(dump("a", "b", "c")))
	f.Add(bytes.Repeat([]byte("\n"), 2000))
	f.Add(bytes.Repeat([]byte("0"), 2000))
	hash := []byte(hex.EncodeToString(make([]byte, sha1.Size)))
	f.Fuzz(func(t *testing.T, text []byte) {
		h := hashes{bytes.NewReader(text), int64(len(text))}
		if found, err := h.find(hash); found && (err != nil || !bytes.Contains(text, hash)) {
			t.Errorf("found in %q: %v", text, err)
		}
		_ = h.sound() // must not panic
	})
}
