package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"llave/bot/wire"
	"llave/internal/config"
	"llave/internal/doctor"
)

// How `llave health` asks.
const (
	healthWithin = 4 * time.Second        // for one answer
	healthAgain  = 250 * time.Millisecond // between two, while it waits
)

func (p *program) health() *cobra.Command {
	var asJSON bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "health", Short: "Ask a running service whether it is ready", Args: cobra.NoArgs,
		Long: `Asks the service that runs on this machine (LLAVE_ADMIN_ADDR) whether it is ready, and prints what it says. Exits with 0 when it is
ready, degraded included (what people write is answered, but letters or a channel are in trouble), and with 1 when it is not, or
nothing answers. With --wait it asks until the service is ready, or that time is over.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if wait < 0 {
				return fmt.Errorf("%w: --wait %v: expected a time such as 30s", errUsage, wait)
			}
			c, err := config.Only(p.environ, ".", "LLAVE_ADMIN_ADDR")
			if err != nil {
				return fmt.Errorf("settings:\n%w", err)
			}
			now, err := askUntil(cmd.Context(), readyURL(c.AdminAddr), wait)
			if err != nil {
				return err
			}
			if asJSON {
				err = json.NewEncoder(p.stdout).Encode(now)
			} else {
				_, err = fmt.Fprintln(p.stdout, now)
			}
			if err == nil && !now.OK() {
				err = errors.New("the service is not ready")
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	cmd.Flags().DurationVar(&wait, "wait", 0, "how long to wait for it to be ready, such as 30s")
	return cmd
}

// readyURL is where a process that listens on [addr] is asked from this machine.
func readyURL(addr string) string { return "http://" + doctor.Local(addr) + "/readyz" }

// askUntil asks until the service is ready or [wait] is over, once at least.
func askUntil(ctx context.Context, url string, wait time.Duration) (Readiness, error) {
	for end := time.Now().Add(wait); ; {
		now, err := askReady(ctx, url)
		if err == nil && now.OK() || !time.Now().Add(healthAgain).Before(end) || !wire.Sleep(ctx, healthAgain) {
			return now, err
		}
	}
}

func askReady(ctx context.Context, url string) (now Readiness, err error) {
	ctx, cancel := context.WithTimeout(ctx, healthWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return now, fmt.Errorf("ask the service: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	client := wire.NewClient()
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		return now, fmt.Errorf("nothing answers at %s (LLAVE_ADMIN_ADDR): is llave serve running?", url)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&now); err != nil || now.Status == "" {
		return now, fmt.Errorf("%s is answered by something that is not llave serve", url)
	}
	return now, nil
}
