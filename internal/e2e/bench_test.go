package e2e

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"llave/bot"
	"llave/flows"
	"llave/internal/app"
	"llave/internal/bottest"
	"llave/internal/config"
	"llave/internal/runner"
	"llave/internal/runner/runnertest"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/store/bolt"
)

// The figures of docs/performance.md. None of them fails: they are read by people.

// middle is the median.
func middle(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// BenchmarkColdStart is from the start of the process to a ready /readyz, with 500 records in the embedded store and
// Telegram on; then what the process holds in memory when it has been left alone for a second.
func BenchmarkColdStart(b *testing.B) {
	e := newEnvironment(b, byPolling)
	if code, _, errs := outcome(b, e.env, "", "import", writePeople(b, people)); code != 0 {
		b.Fatal(errs)
	}
	var starts []time.Duration
	var resident []int
	for b.Loop() {
		begun := time.Now()
		p := start(b, e.env, "serve")
		for get(b.Context(), "http://"+e.admin+"/readyz") != http.StatusOK {
			time.Sleep(time.Millisecond)
		}
		starts = append(starts, time.Since(begun))
		time.Sleep(time.Second)
		resident = append(resident, residentKB(p.Pid()))
		p.stop(b)
	}
	slices.Sort(resident)
	b.ReportMetric(float64(middle(starts).Microseconds())/1000, "ms-to-ready")
	b.ReportMetric(float64(resident[len(resident)/2])/1024, "MB-RSS")
	b.ReportMetric(0, "ns/op") // most of it was waiting
}

// residentKB is a process's memory as Linux counts it; 0 elsewhere.
func residentKB(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}

// BenchmarkImport is `llave import` of 200,000 rows into a new embedded store, from the start of the process to its end,
// in the order of their numbers and in none.
func BenchmarkImport(b *testing.B) {
	const rows = 200_000
	sorted := make([]int, rows)
	for i := range sorted {
		sorted[i] = i
	}
	slices.SortFunc(sorted, func(i, j int) int { return strings.Compare(bottest.Cedula(i), bottest.Cedula(j)) })
	shuffled := rand.New(rand.NewPCG(1, 2)).Perm(rows)
	for _, c := range []struct {
		name  string
		order []int
	}{{"sorted", sorted}, {"shuffled", shuffled}} {
		b.Run(c.name, func(b *testing.B) {
			file := writeOrdered(b, c.order)
			var took []time.Duration
			for b.Loop() {
				env := []string{"LLAVE_DATA_DIR=" + b.TempDir()}
				begun := time.Now()
				code, out, errs := outcome(b, env, "", "import", file)
				took = append(took, time.Since(begun))
				if code != 0 || !strings.Contains(out, "200000 imported") {
					b.Fatalf("exit %d: %s%s", code, out, errs)
				}
			}
			b.ReportMetric(middle(took).Seconds(), "s/import")
			b.ReportMetric(rows/middle(took).Seconds(), "rows/s")
		})
	}
}

// discard is a channel to nowhere.
type discard struct{}

func (discard) Send(context.Context, string, bot.Reply) error { return nil }
func (discard) Delete(context.Context, string, string) error  { return nil }

// BenchmarkTurn is committed turns on the embedded store: 64 conversations at once, each of five turns, from "hola" to
// "Sí, es correcto", and then a new one. turns/s counts what was answered, settled/s the same until every reply was
// sent (nowhere) and written off, which is a second commit for most turns.
func BenchmarkTurn(b *testing.B) {
	const atOnce = 64
	c, err := config.Load(nil, b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	engine, err := bolt.Open(b.Context(), bolt.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = engine.Close() })
	s := store.New(engine)
	vault, err := secret.New(secret.NewDataKey())
	if err != nil {
		b.Fatal(err)
	}
	flow, err := app.NewFlow(c, app.FlowOptions{Records: s.Affiliates, Vault: vault, PublicURL: c.PublicURL})
	if err != nil {
		b.Fatal(err)
	}
	r, err := runner.New(runner.Options{
		Name: "bench", Conversations: s.Conversations, Unlocks: s.Unlocks, Processes: s.Processes, Engine: flow, Now: s.Now,
		Open:    func(conv, sealed string) (string, error) { return flows.OpenReply(vault, conv, sealed) },
		Keepers: runnertest.Keepers(), Log: slog.New(slog.NewJSONHandler(io.Discard, nil)),
	})
	if err != nil {
		b.Fatal(err)
	}
	r.Bind("telegram", discard{})
	lines := []string{"hola", "continuar", "desbloquear clave", "", "sí"}
	var next atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	var took []time.Duration
	b.ResetTimer()
	for range atOnce {
		wg.Go(func() {
			var mine []time.Duration
			for {
				first := next.Add(int64(len(lines))) - int64(len(lines))
				for i, text := range lines {
					if first+int64(i) >= int64(b.N) {
						mu.Lock()
						took = append(took, mine...)
						mu.Unlock()
						return
					}
					if text == "" {
						text = bottest.Cedula(int(first) % 1_000_000)
					}
					id := strconv.FormatInt(first+int64(i), 10)
					u := bot.Update{ID: id, MessageID: id, Channel: "telegram", Chat: strconv.FormatInt(1_000_000+first, 10), Kind: bot.Text, Text: text, At: time.Now()}
					begun := time.Now()
					if err := r.Handle(b.Context(), u); err != nil {
						b.Error(err)
						return
					}
					mine = append(mine, time.Since(begun))
				}
			}
		})
	}
	wg.Wait()
	answered := b.Elapsed()
	if err := r.Idle(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/answered.Seconds(), "turns/s")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "settled/s")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.Stop(ctx); err != nil {
		b.Error(err)
	}
}

// botAPI answers every call with success and keeps nothing, so that it takes little of the machine.
func botAPI(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	result := "true"
	switch r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:] {
	case "getMe":
		result = `{"id":7000000001,"is_bot":true,"first_name":"Bot","username":"example_bot"}`
	case "sendMessage":
		result = `{"message_id":102,"date":1,"chat":{"id":1,"type":"private"}}`
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"ok":true,"result":%s}`, result)
}

// BenchmarkWebhook is updates that the built binary answers over HTTP, each the first of a chat, 64 connections at
// once. Whoever posts them, and the Bot API that takes the replies, share the machine.
func BenchmarkWebhook(b *testing.B) {
	const atOnce = 64
	api := httptest.NewServer(http.HandlerFunc(botAPI))
	b.Cleanup(api.Close)
	e := newEnvironment(b, byWebhook, "LLAVE_TELEGRAM_API_URL="+api.URL, "LLAVE_TELEGRAM_RATE=100000", "LLAVE_LOG_FORMAT=json")
	p := start(b, e.env, "serve")
	p.waitOK(b, "http://"+e.admin+"/readyz", 10*time.Second)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: atOnce}, Timeout: time.Minute}
	b.Cleanup(client.CloseIdleConnections)
	var next atomic.Int64
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	b.ResetTimer()
	for range atOnce {
		wg.Go(func() {
			var mine []time.Duration
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				body := fmt.Sprintf(`{"update_id":%d,"message":{"message_id":101,"from":{"id":%d,"is_bot":false,"first_name":"Persona","language_code":"es"},"chat":{"id":%d,"first_name":"Persona","type":"private"},"date":%d,"text":"hola"}}`,
					700000000+n, 5551000000+n, 5551000000+n, time.Now().Unix())
				req, err := http.NewRequest(http.MethodPost, "http://"+e.addr+"/webhooks/telegram", strings.NewReader(body))
				if err != nil {
					b.Error(err)
					return
				}
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("X-Telegram-Bot-Api-Secret-Token", hookSecret)
				begun := time.Now()
				res, err := client.Do(req)
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body) // so that the connection is used again
				res.Body.Close()
				if res.StatusCode != http.StatusOK {
					b.Errorf("got %d", res.StatusCode)
					return
				}
				mine = append(mine, time.Since(begun))
			}
			mu.Lock()
			took = append(took, mine...)
			mu.Unlock()
		})
	}
	wg.Wait()
	b.StopTimer()
	if b.Failed() {
		return
	}
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(residentKB(p.Pid()))/1024, "MB-RSS")
}
