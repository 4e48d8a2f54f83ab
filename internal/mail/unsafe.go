package mail

import (
	"errors"
	"strings"

	"llave/bot"
)

// Unsafe says of an error of Send whether it is that the way to the mail server is not as safe as it must be: no TLS, or a certificate
// that is not the server's. The words are those of network, which is all that is kept of such an error.
func Unsafe(err error) bool {
	var said *bot.SendError
	return errors.As(err, &said) && (strings.Contains(said.Reason, "certificate") || strings.Contains(said.Reason, "TLS"))
}
