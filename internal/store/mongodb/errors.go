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
	cause  string
	causes []error
}

func (f *failure) Error() string { return f.text }

func (f *failure) Unwrap() []error { return f.causes }

// Cause is the reason in words for the operator (store.Cause).
func (f *failure) Cause() string { return f.cause }

// failed says what was being done and what came of it. An error that did not come from a server that answered wraps
// store.ErrUnavailable, and so does the answer of a server that is not the primary or is shutting down.
func failed(doing string, err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", doing, context.Canceled)
	}
	f := &failure{causes: []error{err}, cause: cause(err)}
	text, answered := describe(err)
	if !answered {
		if f.cause != "" {
			text = f.cause
		}
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

// rights is what to do about a user who may too little.
const rights = "give the user readWrite on the database"

// causes are what codes of the server mean for the operator. Not primary, and shutting down: notNow.
var causes = map[int]string{
	13: "the database's user lacks rights: " + rights, 18: "the database refuses user and password", 8000: "the database refuses user and password",
	91: "the server is shutting down", 11600: "the server is shutting down", 10107: "the server is not the primary", 10058: "the server is not the primary",
	13435: "the server is not the primary", 189: "the primary stepped down", 11602: "the primary stepped down", 13436: "the server is recovering",
	14031: "the server's disk is full", 239: "the server no longer has what it had when this began: raise minSnapshotHistoryWindowInSeconds, or do it while it is quiet", 64: "the write was not acknowledged by a majority in time", 50: "the server took too long",
}

// driverWords are parts of the driver's words, which go on for lines, and what they mean. The first that is found counts.
var driverWords = []struct{ part, cause string }{
	{"AuthenticationFailed", "the database refuses user and password"}, {"auth error", "the database refuses user and password"},
	{"no such host", "its host's name is not known"}, {"x509", "its certificate is not trusted"}, {"tls:", "it cannot be spoken to by TLS"},
	{"connection refused", "connection refused"}, {"no route to host", "no route to host"}, {"network is unreachable", "network is unreachable"},
	{"ReplicaSetNoPrimary", "no primary is elected"}, {"connection reset", "connection reset"}, {"EOF", "it closed the connection"},
	{"i/o timeout", "no answer in time"}, {"deadline exceeded", "no answer in time"}, {"server selection", "no server answers"},
}

// cause is why, in words for the operator; "" where they are not known.
func cause(err error) string {
	var server mongo.ServerError
	if errors.As(err, &server) {
		for _, code := range server.ErrorCodes() {
			if words := causes[code]; words != "" {
				return fmt.Sprintf("%s (%d)", words, code)
			}
		}
		if text, _ := describe(err); strings.HasPrefix(text, "server says") {
			return text
		}
	}
	for _, w := range driverWords {
		if strings.Contains(err.Error(), w.part) {
			return w.cause
		}
	}
	return ""
}

// uriError is what is wrong with the URI. The driver's words quote it, so they are kept only where it has no password.
func uriError(uri string, err error) error {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return &failure{
			text:   fmt.Sprintf("%v: cannot look up %s", store.ErrUnavailable, dns.Name),
			cause:  "its host's name is not known",
			causes: []error{store.ErrUnavailable},
		}
	case strings.Contains(uri, "@"):
		return errors.New("the MongoDB URI cannot be read (in user and password, % @ : / ? # and the like are written as %XX)")
	}
	return fmt.Errorf("the MongoDB URI cannot be read: %w", err)
}
