package whatsapp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"llave/bot"
)

// TestSend_refused sends into every error of the fixtures, each with every HTTP status: only the code decides.
func TestSend_refused(t *testing.T) {
	want := map[string]bot.Failure{
		"error_100_missing_object.json":  bot.Temporary, // the phone number id, not the message
		"error_130429_throughput.json":   bot.Throttled,
		"error_131009_button_title.json": bot.Permanent,
		"error_131047_window.json":       bot.Closed,
		"error_131056_pair.json":         bot.Throttled,
		"error_190_token.json":           bot.Temporary,
	}
	files, err := filepath.Glob(filepath.Join(fixtures, "error_*.json"))
	if err != nil || len(files) != len(want) {
		t.Fatalf("found %d fixtures (%v), the table has %d", len(files), err, len(want))
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, status := range []int{200, 400, 401, 403, 404, 429, 500, 503} {
			t.Run(fmt.Sprint(filepath.Base(file), "/", status), func(t *testing.T) {
				o := outboundTo(t, func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(status)
					_, _ = w.Write(raw)
				})
				if got, want := o.refused(somebody), want[filepath.Base(file)]; got.Failure != want {
					t.Errorf("got %v, want %v", got, want)
				}
			})
		}
	}
}

// TestSend_meanings goes through every code that we know, as the Graph API says them.
func TestSend_meanings(t *testing.T) {
	type row struct {
		failure bot.Failure
		after   time.Duration
		whole   bool
	}
	tests := map[int]row{
		131026: {bot.Gone, 0, false},
		131047: {bot.Closed, 0, false},
		131056: {bot.Throttled, 6 * time.Second, false},
	}
	for want, codes := range map[row][]int{
		{bot.Throttled, time.Second, true}: {4, 80007, 130429, 131048},
		{bot.Temporary, 0, false}:          {0, 3, 10, 190, 200, 250, 299, 131005, 1, 2, 131000, 131016, 131057, 133004, 368, 131031, 131042, 131045, 133010, 999999},
		{bot.Permanent, 0, false}:          {100, 131008, 131009, 131021, 131051, 132000, 132001, 132015, 132999},
	} {
		for _, code := range codes {
			tests[code] = want
		}
	}
	for code, want := range tests {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			o := outboundTo(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusBadRequest)
				_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": code, "message": "no"}})
			})
			got := o.refused(somebody)
			if got.Failure != want.failure || got.After != want.after || got.Whole != want.whole {
				t.Errorf("got %v after %v, whole %v; want %v", got, got.After, got.Whole, want)
			}
			if f := failureOf(code); f != want.failure {
				t.Errorf("failureOf: got %v, want %v", f, want.failure)
			}
		})
	}
}

// TestSend_withoutCode: what something in between says is judged by its HTTP status.
func TestSend_withoutCode(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   bot.Failure
	}{
		{"502 of a proxy", 502, "<html>Bad Gateway</html>", bot.Temporary},
		{"403 of a proxy", 403, "<html>Forbidden</html>", bot.Temporary},
		{"404 of another server", 404, "not found", bot.Temporary},
		{"429 of a proxy", 429, "slow down", bot.Throttled},
		{"500 without words", 500, "", bot.Temporary},
		{"an envelope without a code", 400, `{"error":{"message":"no"}}`, bot.Temporary},
		{"a code that is no number", 400, `{"error":{"code":"131026","message":"no"}}`, bot.Temporary},
		{"an error that is no object", 400, `{"error":"invalid_request"}`, bot.Temporary},
		{"200 that is no JSON", 200, "hello", bot.Temporary},
		{"200 that is empty", 200, "", bot.Temporary},
		{"200 that names no message", 200, `{"messages":[]}`, bot.Temporary},
		{"200 of another shape", 200, `{"messages":{"id":5}}`, bot.Temporary},
		{"a redirect", 302, "", bot.Temporary},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := outboundTo(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", "http://127.0.0.1:1"+r.URL.Path)
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			})
			if got := o.refused(somebody); got.Failure != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                              0,
		"7":                             7 * time.Second,
		" 7 ":                           7 * time.Second,
		"-7":                            0,
		"soon":                          0,
		"99999999999999999999":          0,
		"86400":                         time.Hour,
		"Tue, 24 Nov 2026 12:00:42 GMT": 42 * time.Second,
		"Tue, 24 Nov 2026 11:00:00 GMT": 0,
		"Tue, 24 Nov 2099 11:00:00 GMT": time.Hour,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: got %v, want %v", header, got, want)
		}
	}
}
