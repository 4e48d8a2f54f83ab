package mongodb_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/store"
	"llave/internal/store/mongodb"
	"llave/internal/store/storetest"
)

// moments stands before a server, and says of each read that asks for a snapshot at which moment it was, as a replica set does, where the
// server does not.
type moments struct {
	to string

	mu    sync.Mutex
	asked map[int32]bool // requests for a snapshot that are not answered yet
	reads []bson.Raw     // the read concern of each
}

const opMsg = 2013

// frozen is the moment.
var frozen = bson.Timestamp{T: 1000, I: 7}

func newMoments(t *testing.T, to string) (m *moments, addr string) {
	t.Helper()
	m = &moments{to: to, asked: map[int32]bool{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			pass := func(from, to net.Conn, change func(id, of int32, doc bson.Raw) bson.Raw) {
				all.Go(func() {
					defer to.Close()
					defer from.Close()
					forward(from, to, change)
				})
			}
			pass(client, server, m.request)
			pass(server, client, m.reply)
		}
	})
	return m, l.Addr().String()
}

// forward passes messages on, those of one document through [change].
func forward(from io.Reader, to io.Writer, change func(id, of int32, doc bson.Raw) bson.Raw) {
	for {
		head := make([]byte, 16)
		if _, err := io.ReadFull(from, head); err != nil {
			return
		}
		body := make([]byte, binary.LittleEndian.Uint32(head)-16)
		if _, err := io.ReadFull(from, body); err != nil {
			return
		}
		field := func(at int) int32 { return int32(binary.LittleEndian.Uint32(head[at:])) } //nolint:gosec // the bits are what is wanted
		if field(12) == opMsg && body[4] == 0 && int(binary.LittleEndian.Uint32(body[5:])) == len(body)-5 {
			body = append(body[:5:5], change(field(4), field(8), bson.Raw(body[5:]))...)
			binary.LittleEndian.PutUint32(head, uint32(16+len(body))) //nolint:gosec // it is short
		}
		if _, err := to.Write(append(head, body...)); err != nil {
			return
		}
	}
}

func (m *moments) request(id, _ int32, doc bson.Raw) bson.Raw {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := doc.LookupErr("find"); err != nil {
		return doc
	}
	concern, ok := doc.Lookup("readConcern").DocumentOK()
	if level, _ := concern.Lookup("level").StringValueOK(); ok && level == "snapshot" {
		m.asked[id] = true
		m.reads = append(m.reads, append(bson.Raw(nil), concern...))
	} else {
		m.reads = append(m.reads, nil)
	}
	return doc
}

func (m *moments) reply(_, of int32, doc bson.Raw) bson.Raw {
	m.mu.Lock()
	defer m.mu.Unlock()
	cursor, ok := doc.Lookup("cursor").DocumentOK()
	if !m.asked[of] || !ok {
		return doc
	}
	delete(m.asked, of)
	if _, err := cursor.LookupErr("atClusterTime"); err == nil {
		return doc // a server that knows snapshots
	}
	typ, data, err := bson.MarshalValue(frozen)
	if err == nil {
		cursor, err = store.WithField(cursor, "atClusterTime", bson.RawValue{Type: typ, Value: data})
	}
	if err == nil {
		doc, err = store.WithField(doc, "cursor", bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: cursor})
	}
	if err != nil {
		panic(err)
	}
	return doc
}

// Where the server says at which moment a read was, every collection is read as it was at that (P805).
func TestSnapshot_oneMoment(t *testing.T) {
	uri := storetest.MongoURI(t)
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	m, addr := newMoments(t, u.Host)
	e, err := mongodb.Open(t.Context(), mongodb.Options{URI: "mongodb://" + addr + "/?directConnection=true", Database: storetest.NewDatabase(t, uri), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var docs []bson.Raw
	for _, id := range []string{"a", "b", "c"} {
		docs = append(docs, buildDoc(t, id))
	}
	for _, c := range []string{store.Cases, store.Complaints, store.Unheard} {
		if err := e.BulkUpsert(t.Context(), c, docs); err != nil {
			t.Fatal(err)
		}
	}
	m.mu.Lock()
	m.reads = nil
	m.mu.Unlock()
	n, exact := 0, false
	err = e.Snapshot(t.Context(), func(at store.Moment) error { exact = at.Exact; return nil }, func(string, bson.Raw) error { n++; return nil })
	if err != nil || n != 9 || !exact {
		t.Errorf("%d documents, of one moment: %t (%v); want 9, and that they are", n, exact, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.reads) < 5 {
		t.Errorf("only %d reads", len(m.reads))
	}
	var first bson.RawValue
	for i, concern := range m.reads {
		at := concern.Lookup("atClusterTime")
		if i == 1 {
			first = at
		}
		if concern == nil || i > 0 && (at.IsZero() || !at.Equal(first)) {
			t.Errorf("read %d asks for %v, want the moment of the first", i, concern)
		}
	}
}
