// Package upgrade holds stores as earlier versions wrote them, and shows that this version loses nothing of what is in
// them. testdata has a directory for each, named by the commit whose program wrote it.
//
// The built program wrote each store itself, driven from outside, and was ended as by kill -9. So there are conversations
// in many states, and promises of every kind that nobody has kept yet. dump.jsonl.gz has every document as extended JSON;
// llave.db.gz is the embedded store's own file; about.json says when it was left and who the made-up people are. The tests
// open a copy.
//
// testdata/backups has backups that earlier versions made (llave backup), of stores in which what people wrote is sealed: each goes into an empty
// store of either engine. TestMakeBackup makes one.
//
// Stored data that changes gets its case here: see "Change what is stored" in CONTRIBUTING.md. A store of a later version
// is one more directory, made by TestMakeStores.
package upgrade
