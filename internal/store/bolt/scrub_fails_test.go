package bolt

import (
	"os"
	"testing"
)

// A file that cannot be read is not taken for one that has ended: else what was erased would lie on in it, and nobody would hear of it.
func TestScrub_unread(t *testing.T) {
	e, err := Open(t.Context(), Options{Dir: t.TempDir(), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	whole := e.file
	defer func() { e.file = whole }()
	if e.file, err = os.Open(os.DevNull); err != nil {
		t.Fatal(err)
	}
	if err := e.file.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := e.Scrub(t.Context()); err == nil {
		t.Errorf("scrubbed a file that cannot be read: %d pages", n)
	}
}
