package app

import (
	"os"
	"regexp"
	"strconv"
	"testing"
)

// What the program file takes of the memory becomes less, and the program goes on.
func TestFreeProgram(t *testing.T) {
	before := fileBytes(t)
	freeProgram()
	if after := fileBytes(t); after >= before {
		t.Errorf("the program's pages take %d kB, and took %d kB before", after, before)
	}
	if fileBytes(t) == 0 {
		t.Error("nothing was shown again")
	}
}

// fileBytes is how much memory shows files, in kB.
func fileBytes(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`RssFile:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Skip("this kernel does not say what files take")
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
