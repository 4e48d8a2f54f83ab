package app

import (
	"context"
	"fmt"
	"time"

	"llave/bot/wire"
	"llave/internal/trace"
)

// handOverFor is how long the last traces may take when the process stops: a collector that is away holds nothing up.
const handOverFor = 2 * time.Second

// openTrace makes what exports turns, where OpenTelemetry's variables ask for that.
func (a *App) openTrace(ctx context.Context) (err error) {
	if !trace.On(a.options.Config.Telemetry) {
		return nil
	}
	var seldom wire.Seldom
	log := a.options.Log
	a.trace, err = trace.Open(ctx, trace.Options{
		Env: a.options.Config.Telemetry, Version: version(), Instance: a.name,
		Failed: func(err error) {
			seldom.Warn(log, "traces are lost: does the collector listen at OTEL_EXPORTER_OTLP_ENDPOINT, and speak http/protobuf?", "err", err)
		},
	})
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	a.onStop("traces", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, handOverFor)
		defer cancel()
		if err := a.trace.Close(ctx); err != nil {
			log.Warn("the last traces are lost", "err", err)
		}
		return nil
	})
	return nil
}
