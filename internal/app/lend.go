package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"llave/internal/config"
	"llave/internal/store"
	"llave/internal/store/socket"
)

// OpenStore opens the store the settings name, for a command. An embedded one that a running service holds is used through it.
func OpenStore(ctx context.Context, c config.Config) (*store.Store, error) {
	if !c.Embedded() {
		return holdStore(ctx, c, nil)
	}
	const tries, pause = 5, 100 * time.Millisecond // a service that is starting has the store a moment before it lends it
	for left := tries; ; left-- {
		lent, err := socket.Dial(ctx, c.DataDir, version())
		switch {
		case err == nil:
			return store.New(lent), nil
		case !errors.Is(err, socket.ErrNobody):
			return nil, fmt.Errorf("open the embedded store (LLAVE_DATA_DIR): %w", err)
		}
		s, err := holdStore(ctx, c, nil)
		switch {
		case err == nil:
			_ = socket.Clean(c.DataDir) // a dead process's; the next service removes it too
			return s, nil
		case !errors.Is(err, store.ErrLocked):
			return nil, err
		case left == 0:
			return nil, fmt.Errorf("%w (if it is another command, wait until that is done)", err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// lendStore has commands use the store that this process holds. Where the file system knows no sockets the service is none the worse.
func (a *App) lendStore() {
	h, err := socket.Listen(a.options.Config.DataDir, version(), a.Store.Engine())
	if err != nil {
		a.options.Log.Warn("commands cannot use the store while this process runs", "error", err)
		return
	}
	a.onStop("socket", func(context.Context) error { return h.Close() })
}
