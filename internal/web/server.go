package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Server is a listener's server, with time limits on everything, stopped without losing what is under way.
type Server struct {
	http *http.Server
	done chan error
}

// NewServer makes a server. Handlers that stream lift their own deadlines with http.ResponseController, and must end
// when a function given to OnStop is called.
func NewServer(h http.Handler, log *slog.Logger) *Server {
	return &Server{
		http: &http.Server{
			Handler:           h,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       15 * time.Second, // a request with its body
			WriteTimeout:      40 * time.Second,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    32 << 10,
			ErrorLog:          slog.NewLogLogger(quiet{log.Handler()}, slog.LevelDebug),
		},
		done: make(chan error, 1),
	}
}

// quiet drops what net/http says of its clients but the fact: its lines hold addresses.
type quiet struct{ slog.Handler }

func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	return q.Handler.Handle(ctx, slog.NewRecord(r.Time, r.Level, "connection trouble", r.PC))
}

// OnStop calls [f] when stopping begins: end your streams.
func (s *Server) OnStop(f func()) { s.http.RegisterOnShutdown(f) }

// Start serves the listener until Stop.
func (s *Server) Start(l net.Listener) {
	go func() { s.done <- s.http.Serve(l) }()
}

// Stop takes no new requests, waits for those under way until [ctx] ends, then ends them.
func (s *Server) Stop(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("stop http server: %w", err), s.http.Close())
	}
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
