package mongodb

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"llave/internal/store"
)

func TestFailed(t *testing.T) {
	const quoted = `E11000 dup key: { _id: "1710034065" }`
	network := mongo.CommandError{Message: "connection(127.0.0.1:1[-3]) socket was unexpectedly closed: EOF", Labels: []string{"NetworkError"}}
	for _, c := range []struct {
		name        string
		err         error
		want        string
		unavailable bool
	}{
		{"command", mongo.CommandError{Code: 13, Name: "Unauthorized", Message: quoted}, "get: server says Unauthorized (13)", false},
		{"write", mongo.WriteException{WriteErrors: mongo.WriteErrors{{Code: 121, Message: quoted}}}, "get: server says error [121]", false},
		{"bulk", mongo.BulkWriteException{WriteErrors: []mongo.BulkWriteError{{WriteError: mongo.WriteError{Code: 121, Message: quoted}}}},
			"get: server says error [121]", false},
		{"not primary", mongo.CommandError{Code: 10107, Name: "NotWritablePrimary", Message: quoted},
			"get: store cannot be reached: the server is not the primary (10107)", true},
		{"connection", network, "get: store cannot be reached: it closed the connection", true},
		{"too slow", context.DeadlineExceeded, "get: store cannot be reached: no answer in time", true},
		{"given up", context.Canceled, "get: context canceled", false},
	} {
		got := failed("get", c.err)
		if got.Error() != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if errors.Is(got, store.ErrUnavailable) != c.unavailable {
			t.Errorf("%s: unavailable is %v, want %v", c.name, !c.unavailable, c.unavailable)
		}
		if strings.Contains(got.Error(), "1710034065") {
			t.Errorf("%s: the error quotes a document", c.name)
		}
	}
	for want, err := range map[string]error{
		"the database's user lacks rights: give the user readWrite on the database (13)": mongo.CommandError{Code: 13, Name: "Unauthorized", Message: quoted},
		"server says Odd (121)": mongo.CommandError{Code: 121, Name: "Odd", Message: quoted},
		"connection refused":    errors.New("server selection error: server selection timeout, current topology: { Type: Single, Servers: [{ Last error: dial tcp 127.0.0.1:1: connect: connection refused }, ] }"),
		"":                      errors.New("something"),
	} {
		if got := store.Cause(failed("get", err)); got != want {
			t.Errorf("the cause of %v: got %q, want %q", err, got, want)
		}
	}
	if err := failed("get", context.DeadlineExceeded); !errors.Is(err, context.DeadlineExceeded) {
		t.Error("the cause is lost")
	}
}
