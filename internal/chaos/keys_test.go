package chaos

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"regexp"
	"testing"
	"time"

	"llave/internal/bottest"
)

// unopened are lines of the log about a value that could not be opened, or a key that a process lacks.
var unopened = regexp.MustCompile(`(?m)^.*(cannot be opened|open (number|given|part|typed|complaint\w*|the second factor):|sealed value).*$`)

// TestKeys_changedUnderLoad shows P607, P732 and P733 with real processes: while people go to a new key, the setting is rotated there and
// back in rolling restarts, and between them the key that seals is changed and all is sealed anew by a command beside the processes.
// Everybody comes to the end, every invariant of TestChaos holds, no value fails to open.
func TestKeys_changedUnderLoad(t *testing.T) {
	onBoth(t, func(t *testing.T, k kind) {
		dep := newDeployment(t, k)
		dep.byWhatsApp(byTelegram, byWhatsApp)
		lasts := sized(75*time.Second, 4*time.Minute)
		people := dep.populate(int(lasts / *every) + 1)
		dep.start()
		began := time.Now()
		begin, stop := context.WithCancel(t.Context())
		defer stop()
		waiting, giveUp := context.WithTimeout(t.Context(), lasts+patience)
		defer giveUp()
		walked := make(chan struct{})
		go func() {
			defer close(walked)
			dep.walk(begin, waiting, people, *every, *together)
		}()
		other := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{9}, 32))
		settings := func(values ...string) {
			for _, value := range values {
				dep.fleet.env = append(dep.fleet.env, "LLAVE_SECRET_KEY="+value)
				for _, p := range dep.fleet.instances {
					if err := dep.fleet.terminate(p); err != nil {
						t.Fatal(err)
					}
					if err := dep.fleet.start(p); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		settings(secretKey+","+other, other+","+secretKey)
		for round := 0; round == 0 || time.Since(began) < lasts-35*time.Second; round++ {
			sealed, looked, took := dep.reseals()
			t.Logf("%6d  values sealed anew, of %d documents, in %v beside the load (half a minute of it until the new key seals)", sealed, looked, took.Round(100*time.Millisecond))
		}
		settings(other, secretKey+","+other, secretKey)
		stop()
		<-walked
		dep.settle(waiting)
		took := time.Since(began)
		dep.end()
		log, err := os.ReadFile(dep.logPath)
		if err != nil {
			t.Fatal(err)
		}
		lines := unopened.FindAll(log, -1)
		t.Logf("%6d  values that could not be opened, wanted 0", len(lines))
		if len(lines) > 0 {
			t.Errorf("VIOLATED: %d lines such as %s", len(lines), lines[0])
		}
		dep.reconcile(t, took)
	})
}

// reseals has a command make a new key and seal everything anew, and says what it came to.
func (dep *deployment) reseals() (sealed, looked int, took time.Duration) {
	dep.t.Helper()
	llave, err := binary()
	if err != nil {
		dep.t.Fatal(err)
	}
	began := time.Now()
	var out bytes.Buffer
	cmd := bottest.Command(dep.t.Context(), llave, dep.fleet.dir, dep.fleet.env, "store", "reseal", "--new-key", "--json")
	cmd.Stdout, cmd.Stderr = &out, dep.fleet.log
	if err := cmd.Run(); err != nil {
		dep.t.Fatalf("store reseal: %v", err)
	}
	var got struct{ Sealed, Broken, Looked int }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		dep.t.Fatal(err)
	}
	if got.Sealed == 0 || got.Broken > 0 {
		dep.t.Errorf("sealed anew: %+v, want some values, and none that nobody can open", got)
	}
	return got.Sealed, got.Looked, time.Since(began)
}
