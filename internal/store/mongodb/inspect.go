package mongodb

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"llave/internal/store"
)

// Inspection asks a server how it is, for whoever looks after it. It makes nothing: no index, no collection, no key; only TryWrite
// writes, and takes it away again. Close it.
type Inspection struct {
	engine *Engine
	hosts  string
}

// Inspect prepares to ask the server that [opt] names. It connects when it is first asked something.
func Inspect(opt Options) (*Inspection, error) {
	client, hosts, err := connect(opt)
	if err != nil {
		return nil, err
	}
	return &Inspection{&Engine{client: client, db: client.Database(opt.Database)}, hosts}, nil
}

// Close lets go.
func (i *Inspection) Close() error { return i.engine.disconnect() }

// Hosts are the addresses that the URI names or its name stands for.
func (i *Inspection) Hosts() string { return i.hosts }

// Ping says whether a server answers, and lets us in.
func (i *Inspection) Ping(ctx context.Context) error { return i.engine.Ping(ctx) }

// Unauthorized says whether it was the sign-in, or a right, that was refused.
func Unauthorized(err error) bool {
	var server mongo.ServerError
	if errors.As(err, &server) && (server.HasErrorCode(13) || server.HasErrorCode(18)) {
		return true
	}
	return err != nil && strings.Contains(err.Error(), "auth error") // the driver's own word for a handshake that the server ended
}

// NotPrimary says whether a server answered that may not write: it is not the primary, or is about to be it no more.
func NotPrimary(err error) bool {
	var server mongo.ServerError
	return errors.As(err, &server) && slices.ContainsFunc(notNow, server.HasErrorCode)
}

// Late says whether there was no answer by the deadline. The driver tells that without asking where the server has been slow before.
func Late(err error) bool {
	return err != nil && mongo.IsTimeout(err)
}

// Version is the server's, as it says it.
func (i *Inspection) Version(ctx context.Context) (string, error) {
	raw, err := i.command(ctx, "ask for the version", "buildInfo")
	if err != nil {
		return "", err
	}
	version, _ := raw.Lookup("version").StringValueOK()
	return version, nil
}

// Topology is how servers stand together.
type Topology struct {
	Sharded bool
	Set     string   // the replica set's name; empty: a server alone, or sharded
	Members int      // that hold data
	Away    []string // members that are not well, where we may ask
}

// Topology asks what stands behind the address.
func (i *Inspection) Topology(ctx context.Context) (t Topology, err error) {
	raw, err := i.command(ctx, "ask for the topology", "hello")
	if err != nil {
		return t, err
	}
	kind, _ := raw.Lookup("msg").StringValueOK()
	t.Sharded = kind == "isdbgrid"
	t.Set, _ = raw.Lookup("setName").StringValueOK()
	if hosts, ok := raw.Lookup("hosts").ArrayOK(); ok {
		values, _ := hosts.Values() // what cannot be read is none
		t.Members = len(values)
	}
	if t.Set != "" {
		t.Away = i.away(ctx)
	}
	return t, nil
}

// away are the members that are neither primary nor secondary. Who may not ask hears of none.
func (i *Inspection) away(ctx context.Context) (names []string) {
	raw, err := i.command(ctx, "ask for the members", "replSetGetStatus")
	if err != nil {
		return nil
	}
	var status struct {
		Members []struct {
			Name  string `bson:"name"`
			State int    `bson:"state"`
		} `bson:"members"`
	}
	if bson.Unmarshal(raw, &status) != nil {
		return nil
	}
	const primary, secondary, arbiter = 1, 2, 7
	for _, m := range status.Members {
		if !slices.Contains([]int{primary, secondary, arbiter}, m.State) {
			names = append(names, m.Name)
		}
	}
	return names
}

// Clock is how far the server's clock is ahead of [now], give or take half of [trip].
func (i *Inspection) Clock(ctx context.Context, now func() time.Time) (ahead, trip time.Duration, err error) {
	r, err := sample(ctx, i.engine.hello, clockSamples)
	if err != nil {
		return 0, 0, err
	}
	return r.server.Sub(now().Add(-time.Since(r.here))), r.trip, nil
}

// MissingIndexes are those that the start has still to make, as "collection.field".
func (i *Inspection) MissingIndexes(ctx context.Context) (missing []string, err error) {
	there := map[string]bool{}
	for _, ix := range store.Indexes {
		if _, asked := there[ix.Collection]; asked {
			continue
		}
		there[ix.Collection] = true
		cursor, err := i.engine.db.Collection(ix.Collection).Indexes().List(ctx)
		if err != nil {
			if server := mongo.ServerError(nil); errors.As(err, &server) && server.HasErrorCode(namespaceMissing) {
				continue
			}
			return nil, failed("list the indexes of "+ix.Collection, err)
		}
		var list []struct {
			Key bson.D `bson:"key"`
		}
		if err := cursor.All(ctx, &list); err != nil {
			return nil, failed("list the indexes of "+ix.Collection, err)
		}
		for _, one := range list {
			if len(one.Key) > 0 {
				there[ix.Collection+"."+one.Key[0].Key] = true
			}
		}
	}
	for _, ix := range store.Indexes {
		if name := ix.Collection + "." + ix.Field; !there[name] {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

// namespaceMissing is the code of a collection that is not there.
const namespaceMissing = 26

// Newer says whether a later version than this one has written the database.
func (i *Inspection) Newer(ctx context.Context) (bool, error) {
	raw, err := i.engine.Get(ctx, store.Settings, schemaID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if unfinished(raw) {
		return false, store.ErrUnfinished
	}
	found, _ := raw.Lookup("schema").AsInt64OK()
	return found > schema, nil
}

// DataKey is the store's wrapped data key; found is false before the first start.
func (i *Inspection) DataKey(ctx context.Context) (wrapped string, found bool, err error) {
	return store.WrappedDataKey(ctx, i.engine.Get)
}

// TryWrite adds a counter with the write concern that everything is written with, changes it, and takes it away. Should that be
// interrupted the periodic cleaning takes it: it has expired by then.
func (i *Inspection) TryWrite(ctx context.Context, id string) error {
	counter := func(n int64) bson.Raw {
		return bson.Raw(bsoncore.NewDocumentBuilder().AppendString("_id", id).AppendInt64("n", n).
			AppendDateTime("expires", time.Now().Add(time.Minute).UnixMilli()).Build())
	}
	if err := i.engine.Insert(ctx, store.Counters, counter(1)); err != nil {
		return err
	}
	if err := i.engine.Replace(ctx, store.Counters, id, 1, counter(2)); err != nil {
		return err
	}
	return i.engine.Delete(ctx, store.Counters, id, 2)
}

// needed are the rights without which the service cannot work.
var needed = []string{"find", "insert", "update", "remove", "createCollection", "createIndex", "listIndexes"}

// Rights are what the signed-in user may do.
type Rights struct {
	Known   bool // the server told
	User    bool // somebody signed in; else everybody may do everything
	Lacking []string
}

// Rights asks what we may do in the database.
func (i *Inspection) Rights(ctx context.Context) (r Rights, err error) {
	raw, err := i.engine.client.Database("admin").RunCommand(ctx, bson.D{{Key: "connectionStatus", Value: 1}, {Key: "showPrivileges", Value: true}}).Raw()
	if err != nil {
		err = failed("ask for our rights", err)
		if errors.Is(err, store.ErrUnavailable) {
			return r, err
		}
		return r, nil // a server that cannot be asked
	}
	var status struct {
		Auth struct {
			Users      []bson.Raw  `bson:"authenticatedUsers"`
			Privileges []privilege `bson:"authenticatedUserPrivileges"`
		} `bson:"authInfo"`
	}
	if err := bson.Unmarshal(raw, &status); err != nil {
		return r, nil // the same
	}
	r.User = len(status.Auth.Users) > 0
	r.Known = !r.User || len(status.Auth.Privileges) > 0
	if r.User && r.Known {
		r.Lacking = lacking(status.Auth.Privileges, i.engine.db.Name())
	}
	return r, nil
}

// privilege is what somebody may do where.
type privilege struct {
	Resource struct {
		DB          *string `bson:"db"`
		Collection  string  `bson:"collection"`
		AnyResource bool    `bson:"anyResource"`
	} `bson:"resource"`
	Actions []string `bson:"actions"`
}

// on says whether it holds for all collections of a database.
func (p privilege) on(database string) bool {
	if p.Resource.AnyResource {
		return true
	}
	return p.Resource.DB != nil && (*p.Resource.DB == "" || *p.Resource.DB == database) && p.Resource.Collection == ""
}

func lacking(all []privilege, database string) (missing []string) {
	may := map[string]bool{}
	for _, p := range all {
		if p.on(database) {
			for _, action := range p.Actions {
				may[action] = true
			}
		}
	}
	for _, action := range needed {
		if !may[action] && !may["anyAction"] {
			missing = append(missing, action)
		}
	}
	return missing
}

// command runs one that the admin database answers.
func (i *Inspection) command(ctx context.Context, doing, name string) (bson.Raw, error) {
	raw, err := i.engine.client.Database("admin").RunCommand(ctx, bson.D{{Key: name, Value: 1}}).Raw()
	if err != nil {
		return nil, failed(doing, err)
	}
	return raw, nil
}
