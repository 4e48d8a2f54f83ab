package doctor

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"llave/internal/config"
	"llave/internal/store"
	"llave/internal/store/bolt"
	"llave/internal/store/mongodb"
)

// store are checks of where everything is kept.
func (d *doctor) store(s *section) {
	if d.Config.Embedded() {
		d.embedded(s)
		return
	}
	var got atomic.Pointer[mongodb.Inspection]
	if !s.check("address", func(context.Context) result { // its name may be one that stands for others, in DNS
		i, err := mongodb.Inspect(mongodb.Options{
			URI: d.Config.MongoDBURI.Reveal(), Database: d.Config.MongoDBDatabase, AppName: "llave doctor", Select: d.Within / 2, Timeout: d.Within,
		})
		if err != nil {
			return bad("mend LLAVE_MONGODB_URI", "%v", err)
		}
		got.Store(i)
		return good("%s", i.Hosts())
	}) {
		return
	}
	i := got.Load()
	defer func() { _ = i.Close() }() // whatever it says, nothing was left half-done
	if !s.check("connection", func(ctx context.Context) result { return mongoConnection(ctx, i) }) {
		return
	}
	s.check("round trip", func(ctx context.Context) result {
		_, trip, err := i.Clock(ctx, d.Now)
		if err != nil {
			return asked(err)
		}
		return tripResult(trip)
	})
	s.check("version", func(ctx context.Context) result { return mongoVersion(ctx, i) })
	s.check("topology", func(ctx context.Context) result { return mongoTopology(ctx, i) })
	s.check("rights", func(ctx context.Context) result { return mongoRights(ctx, i) })
	s.check("write concern", func(ctx context.Context) result { return mongoWrite(ctx, i) })
	s.check("clock", func(ctx context.Context) result { return d.mongoClock(ctx, i) })
	s.check("indexes", func(ctx context.Context) result { return mongoIndexes(ctx, i) })
	s.check("data key", func(ctx context.Context) result { return d.mongoKey(ctx, i) })
}

// embedded looks at the store's file. A process that serves has it open, and is not disturbed.
func (d *doctor) embedded(s *section) {
	s.check("embedded", func(ctx context.Context) result {
		f, err := bolt.Inspect(ctx, d.Config.DataDir)
		switch {
		case errors.Is(err, store.ErrNewer):
			return bad("start the version that wrote it or a later one", "%v", err)
		case err != nil:
			return bad("put a backup back (docs/upgrade.md), or name another LLAVE_DATA_DIR", "%v", err)
		case !f.Exists:
			return good("it will be made at the start")
		case f.HeldBy != "":
			return good("%d KiB, held by %s", f.Size>>10, f.HeldBy)
		case f.Wrapped == "":
			return good("%d KiB, new", f.Size>>10)
		}
		return d.opens(f.Wrapped)
	})
}

// PutKeyBack is what to do where a store is there and its secret key is not.
const PutKeyBack = "put the secret key back, from a backup: without it nothing that is stored can be read"

// opens says whether the secret key opens the store's data key.
func (d *doctor) opens(wrapped string) result {
	keys, err := d.keys()
	if err != nil {
		return bad(PutKeyBack, "the store is there, and its secret key is not: %v", err)
	}
	_, stale, err := keys.Unwrap(wrapped)
	switch {
	case err != nil:
		return bad("give the key that the store was set up with too, after a comma (LLAVE_SECRET_KEY), or put back "+config.SecretKeyPath(d.Config.DataDir), "the secret key does not open this store")
	case stale:
		return warn("start llave serve once: it writes the store's key under the first", "an older secret key opens the store, and not the first")
	}
	return good("the secret key opens it")
}

func mongoConnection(ctx context.Context, i *mongodb.Inspection) result {
	err := i.Ping(ctx)
	switch {
	case mongodb.Unauthorized(err):
		return bad("mend user and password in LLAVE_MONGODB_URI, and its authSource", "MongoDB at %s refuses the sign-in", i.Hosts())
	case err != nil:
		why, do := away(err)
		return bad(do, "MongoDB at %s cannot be reached: %s", i.Hosts(), why)
	}
	return good("MongoDB at %s answers", i.Hosts())
}

// away says why a server cannot be reached, by the driver's words: it wraps no cause. And what to do.
func away(err error) (why, do string) {
	const there = "check that the server runs, that the address in LLAVE_MONGODB_URI is right, and the firewall between"
	const name = "have its certificate be for the host in LLAVE_MONGODB_URI"
	for _, known := range []struct{ words, means, do string }{
		{"connection refused", "nobody listens there", there}, {"no such host", "there is no such name in DNS", there},
		{"signed by unknown authority", "its certificate is signed by nobody we know", "for an authority of the institution's own name its file in SSL_CERT_FILE, or as tlsCAFile in LLAVE_MONGODB_URI, or add it to this machine's"},
		{"certificate is valid for", "its certificate is for another name", name}, {"doesn't contain any IP SANs", "its certificate is for another name", name},
		{"has expired or is not yet valid", "its certificate has ended, or has not begun", "renew it, and look at this machine's clock"},
		{"x509", "its certificate is not one we know", name}, {"tls:", "it speaks another TLS, or none", "see whether the server speaks TLS, and tls=… in LLAVE_MONGODB_URI"},
		{"ReplicaSetNoPrimary", "the replica set has no primary", "start its members again: without a majority none is elected"},
	} {
		if strings.Contains(err.Error(), known.words) {
			return known.means, known.do
		}
	}
	return "no answer in time", there
}

// tripSlow is from when on the way to MongoDB and back is slow: an answer to a person takes several.
const tripSlow = 20 * time.Millisecond

func tripResult(trip time.Duration) result {
	said := trip.Round(100 * time.Microsecond)
	if trip > tripSlow {
		return warn("have Llave and MongoDB stand in one place, or see what slows the way or the server: every answer takes several such trips", "%v there and back", said)
	}
	return good("%v there and back", said)
}

// Versions before oldest do not work; those before maintained get no more security fixes.
const (
	oldest     = 4.4
	maintained = 7.0
)

func mongoVersion(ctx context.Context, i *mongodb.Inspection) result {
	version, err := i.Version(ctx)
	if err != nil {
		return asked(err)
	}
	return versionResult(version)
}

func versionResult(version string) result {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return warn("see what the server is", "it says no version")
	}
	n, err := strconv.ParseFloat(parts[0]+"."+parts[1], 64)
	switch {
	case err != nil:
		return warn("see what the server is", "its version is %q", version)
	case n < oldest:
		return bad("upgrade it: 4.4 is the oldest that works", "%s is too old", version)
	case n < maintained:
		return warn("upgrade it to a version that is maintained", "%s gets no more security fixes", version)
	}
	return good("%s", version)
}

func asked(err error) result {
	if mongodb.Late(err) {
		return bad("see the server's load and the way to it (round trip), and run it again", "MongoDB did not answer in time")
	}
	return bad("run it again; if it stays, look at the server's log", "%v", err)
}

func mongoTopology(ctx context.Context, i *mongodb.Inspection) result {
	t, err := i.Topology(ctx)
	if err != nil {
		return asked(err)
	}
	return topologyResult(t)
}

func topologyResult(t mongodb.Topology) result {
	const three = "use a replica set of three: with one server, its disk is all there is, and its restart is a pause of the service"
	switch {
	case t.Sharded:
		return good("a sharded cluster")
	case t.Set == "":
		return warn(three, "a server alone")
	case len(t.Away) > 0 && 2*len(t.Away) >= t.Members:
		return bad("start them again: without a majority nothing can be written", "replica set %s: %d of %d members are away: %s", t.Set, len(t.Away), t.Members, strings.Join(t.Away, ", "))
	case len(t.Away) > 0:
		return warn("start them again", "replica set %s: %d of %d members are away: %s", t.Set, len(t.Away), t.Members, strings.Join(t.Away, ", "))
	case t.Members < 3:
		return warn(three, "replica set %s of %d", t.Set, t.Members)
	}
	return good("replica set %s of %d", t.Set, t.Members)
}

func mongoRights(ctx context.Context, i *mongodb.Inspection) result {
	r, err := i.Rights(ctx)
	if err != nil {
		return asked(err)
	}
	return rightsResult(r)
}

func rightsResult(r mongodb.Rights) result {
	switch {
	case !r.Known:
		return good("the server does not tell; writing is tried below")
	case !r.User:
		return warn("turn on the server's access control, make a user with the role readWrite on the database, and put it into LLAVE_MONGODB_URI", "whoever reaches the server may read and change everything: nobody signs in")
	case len(r.Lacking) > 0:
		return bad("give the user the role readWrite on LLAVE_MONGODB_DATABASE", "the user may not %s", strings.Join(r.Lacking, ", "))
	}
	return good("the user may do what is needed")
}

// mongoWrite writes as everything is written: acknowledged by a majority that has it in its journal.
func mongoWrite(ctx context.Context, i *mongodb.Inspection) result {
	b := make([]byte, 8)
	rand.Read(b)
	err := i.TryWrite(ctx, "doctor/"+hex.EncodeToString(b))
	switch {
	case mongodb.Unauthorized(err):
		return bad("give the user the role readWrite on LLAVE_MONGODB_DATABASE", "the user may not write")
	case mongodb.NotPrimary(err):
		return bad("name every member of the replica set in LLAVE_MONGODB_URI, without directConnection; where there is no primary, see why none is elected", "the server that answers is not the primary, and may not write")
	case mongodb.Late(err):
		return bad("see whether a majority of the members is there, their disks, and the way to them", "no majority has written it to its journal in time")
	case err != nil:
		return bad("see whether a majority of the members is there, and their disks", "no majority has written it to its journal: %v", err)
	}
	return good("a majority writes to its journal")
}

func (d *doctor) mongoClock(ctx context.Context, i *mongodb.Inspection) result {
	ahead, trip, err := i.Clock(ctx, d.Now)
	if err != nil {
		return asked(err)
	}
	return clockResult(ahead, trip/2+time.Millisecond)
}

func mongoIndexes(ctx context.Context, i *mongodb.Inspection) result {
	if newer, err := i.Newer(ctx); errors.Is(err, store.ErrUnfinished) {
		return bad("drop the database and restore again (llave restore), or name another", "%v", err)
	} else if err != nil {
		return asked(err)
	} else if newer {
		return bad("start the version that wrote it or a later one", "the database was written by a newer version")
	}
	missing, err := i.MissingIndexes(ctx)
	switch {
	case err != nil:
		return asked(err)
	case len(missing) == len(store.Indexes):
		return good("the start will make them: the database is new")
	case len(missing) > 0:
		return warn("start llave serve: it makes them. Until then what is due is found slowly", "%d are missing: %s", len(missing), strings.Join(missing, ", "))
	}
	return good("all %d are there", len(store.Indexes))
}

func (d *doctor) mongoKey(ctx context.Context, i *mongodb.Inspection) result {
	wrapped, found, err := i.DataKey(ctx)
	switch {
	case err != nil:
		return asked(err)
	case !found:
		return good("it will be made at the start")
	}
	return d.opens(wrapped)
}
