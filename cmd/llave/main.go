// Command llave unlocks the access key of members of IESS in a chat. `llave help` says how to run it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"llave/internal/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := app.Main(ctx, os.Args[1:], app.IO{Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
	stop()
	os.Exit(code)
}
