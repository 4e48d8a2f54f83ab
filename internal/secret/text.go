package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// Text is a value that must not be seen: a token, a password, an address that holds one. However it is printed, logged or
// marshalled, it reads [redacted].
type Text string

const redacted = "[redacted]"

// Reveal returns the value, for the one place that needs it.
func (t Text) Reveal() string { return string(t) }

// String keeps the value out of texts.
func (Text) String() string { return redacted }

// Format keeps the value out of every verb, %x and the wrong ones included.
func (Text) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue keeps the value out of logs.
func (Text) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText keeps the value out of JSON.
func (Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }
