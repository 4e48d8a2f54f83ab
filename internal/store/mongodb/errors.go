package mongodb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"llave/internal/store"
)

// failure is an error of the driver or the server, with a text that quotes no document.
type failure struct {
	text   string
	causes []error
}

func (f *failure) Error() string { return f.text }

func (f *failure) Unwrap() []error { return f.causes }

// failed says what was being done and what came of it. An error that did not come from a server that answered wraps
// store.ErrUnavailable, and so does the answer of a server that is not the primary or is shutting down.
func failed(doing string, err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", doing, context.Canceled)
	}
	f := &failure{causes: []error{err}}
	text, answered := describe(err)
	if !answered {
		f.causes = append(f.causes, store.ErrUnavailable)
		text = store.ErrUnavailable.Error() + ": " + text
	}
	f.text = doing + ": " + text
	return f
}

// notNow are the codes of a server that could answer but may not: not primary, stepping down, shutting down.
var notNow = []int{91, 189, 10058, 10107, 11600, 11602, 13435, 13436}

// describe says in a few words what [err] is, and whether it is a server's answer about this operation.
func describe(err error) (text string, answered bool) {
	var server mongo.ServerError
	if !errors.As(err, &server) {
		return err.Error(), false
	}
	codes := server.ErrorCodes()
	var command mongo.CommandError
	if errors.As(err, &command) {
		if command.HasErrorLabel("NetworkError") { // no answer: the driver's own words about a broken connection
			return command.Message, false
		}
		text = fmt.Sprintf("server says %s (%d)", command.Name, command.Code)
	} else {
		text = fmt.Sprintf("server says error %v", codes)
	}
	for _, code := range notNow {
		if server.HasErrorCode(code) {
			return text, false
		}
	}
	return text, true
}

// uriError is what is wrong with the URI. The driver's words quote it, so they are kept only where it has no password.
func uriError(uri string, err error) error {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return &failure{
			text:   fmt.Sprintf("%v: cannot look up %s", store.ErrUnavailable, dns.Name),
			causes: []error{store.ErrUnavailable},
		}
	case strings.Contains(uri, "@"):
		return errors.New("the MongoDB URI cannot be read (in user and password, % @ : / ? # and the like are written as %XX)")
	}
	return fmt.Errorf("the MongoDB URI cannot be read: %w", err)
}
