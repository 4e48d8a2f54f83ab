package affiliate

import "time"

// ImportMark is how far an import has come, under a key that names the file's contents. It is saved after each batch,
// so that an interrupted import goes on where it was.
type ImportMark struct {
	ID      string    `bson:"_id"`
	Version int64     `bson:"v"`
	Offset  int64     `bson:"offset"` // bytes read
	Line    int64     `bson:"line"`   // lines read
	Hash    string    `bson:"hash"`   // of those bytes: a file that was changed is begun again
	Taken   int64     `bson:"taken"`  // rows stored
	Refused int64     `bson:"refused"`
	Done    bool      `bson:"done"`
	At      time.Time `bson:"at"`
}
