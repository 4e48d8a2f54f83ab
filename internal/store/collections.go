package store

import (
	"time"

	"llave/internal/alert"
)

// Collection is what is declared of a collection: a name can be had in no other way, so that none is without a retention (P735).
type Collection struct {
	Name  string
	Holds string // what of a person stands in it, and in which fields
	Why   string
	Whole string // how whole documents are sealed; empty: they are not, or by fields alone (secret.Stored)
	Until string // when a document goes; with settings by name
	// Longest is how long anything stays at most after the last that was done for it, with the default settings and no promise unkept;
	// zero: documents are kept, as Until says.
	Longest time.Duration
}

// Collections are all of them.
var Collections []Collection

const day = 24 * time.Hour

func declare(c Collection) string {
	Collections = append(Collections, c)
	return c.Name
}

// The collections. What stands of retention in docs/security.md is written from here.
var (
	Affiliates = declare(Collection{Name: "affiliates",
		Holds: "the institution's record: number (`_id`), `full_name`, `email`, `category`, `status`, dates",
		Why:   "who may unlock, and where the letter goes",
		Until: "kept: the records are the institution's own and come and go by its imports; the service is of no use without them",
	})
	Conversations = declare(Collection{Name: "chats",
		Whole:   "all but times, keepers and the place in the queue, under the chat's key; in it ",
		Holds:   "what a chat is in the middle of: the last lines, masked (`tail`), answers (`slots`), what is owed to it (`promises`), what an agent has said later (`late`), ids of updates (`seen`)",
		Why:     "to answer the next message, once",
		Until:   "emptied `LLAVE_RETENTION_IDLE` after the last word, or the end of a case; deleted `LLAVE_RETENTION_SEEN` after it, or once what it owes beyond bubbles is kept, a month later at most",
		Longest: 9 * day,
	})
	Unlocks = declare(Collection{Name: "unlocks",
		Holds:   "one number's requests with their chats (`asks`), links (`live`, `used`), the hash of a key that was made (`key`), under the number's keyed hash",
		Why:     "limits, the link, `No fui yo`",
		Until:   "each part when it is over: a request after 24 hours, who asked for a link with the link, a link seven days after it was asked for or used, a hold after `LLAVE_NOT_ME_HOLD`, a mailbox that refused after 30 days; the document once nothing is left. A key's hash stays until another key takes its place or it is taken back: it is the key",
		Longest: 30*day + 10*time.Minute,
	})
	Complaints = declare(Collection{Name: "complaints",
		Whole: "all but topic, chat, time and status: ",
		Holds: "what somebody wrote, masked (`body`), and the chat (`conv`)", Why: "so that the institution answers",
		Until: "`LLAVE_RETENTION_COMPLAINT` after it was filed", Longest: 365 * day,
	})
	Cases = declare(Collection{Name: "cases",
		Holds: "what was recorded of a case with a person: times, agent, what it was about (`meaning`), mask of the number, what was found, and the chat (`conv`)", Why: "how the desk works; what became of a notice",
		Until: "`LLAVE_RETENTION_COMPLAINT` after it was opened", Longest: 365 * day,
	})
	Audit = declare(Collection{Name: "audit",
		Holds: "who did what: an agent's login, a deed, the case (`detail`); by the turn of a chat only under its pseudonym; chained by keyed hashes", Why: "so that misuse can be found",
		Until: "`LLAVE_RETENTION_AUDIT` after it, from the chain's beginning on", Longest: 365 * day,
	})
	Leases = declare(Collection{Name: "leases",
		Holds: "nobody: names of jobs and processes", Why: "one process at a time",
		Until: "a process's an hour after it ended; kept: one for each job, so that what a late holder writes can be told",
	})
	Counters = declare(Collection{Name: "counters",
		Holds: "keyed hashes of network addresses, with how often", Why: "limits of wrong links and of sign-ins",
		Until: "a minute after the first", Longest: time.Minute,
	})
	Settings = declare(Collection{Name: "settings",
		Holds: "nobody: wrapped keys, the desk's hours and ready answers, the numbers of cases that are just about to stand in the queue, hashes of images and introductions, how far the sealing anew has come, the end of the audit's chain, the register of breaches (`list`, in the operator's words)", Why: "the same in every process",
		Until: "kept: one document for each setting, in place of the one before",
	})
	Imports = declare(Collection{Name: "imports",
		Holds: "nobody: how far an import of a file has come, under the file's hash", Why: "an import that was interrupted goes on",
		Until: "30 days after its last step: the file is read from the beginning then, which changes nothing", Longest: importsKept,
	})
	Names = declare(Collection{Name: "known",
		Holds: "a keyed hash of each name of a person of WhatsApp, and the chat it leads to", Why: "whose a message is",
		Until: "with the conversation", Longest: 9 * day,
	})
	Book = declare(Collection{Name: "book",
		Whole: "all but hashes of names: ",
		Holds: "who a chat is with, sealed, and its key, wrapped", Why: "to send to them; without it nothing that they wrote can be read",
		Until: "with the conversation, or two days later where there never was one; the key alone once the last line or message has gone that it opens", Longest: 31 * day,
	})
	Erasures = declare(Collection{Name: "erasures",
		Holds: "an erasure that is under way: the name of the chat", Why: "so that it is completed whatever dies",
		Until: "once it is done", Longest: time.Hour,
	})
	Erased = declare(Collection{Name: "erased",
		Holds: "the log of erasures: names of chats that nothing leads from any more", Why: "so that a backup that is put back is erased again",
		Until: "400 days after the erasure, longer than anything is kept that a backup could bring back", Longest: ErasuresKept,
	})
	Deliveries = declare(Collection{Name: "deliveries",
		Whole: "all but chat, status and time, under the chat's key; in it ",
		Holds: "what became of a message (`status`), its chat, and the message itself (`reply`) until it has arrived", Why: "one that did not arrive is sent again",
		Until: "`LLAVE_RETENTION_SEEN` after its last report", Longest: 8 * day,
	})
	Lines = declare(Collection{Name: "lines",
		Whole: "all but chat, case and time, under the chat's key",
		Holds: "what was said in a conversation with a person at the desk, masked (`text`)", Why: "the next agent, and who must answer for what was said",
		Until: "`LLAVE_RETENTION_TRANSCRIPT` after it was said", Longest: 30 * day,
	})
	Drafts = declare(Collection{Name: "drafts",
		Whole: "all but chat and time, under the chat's key; the case and the agent's login are its id",
		Holds: "what an agent has begun to write in a case, masked (`text`, `note`)", Why: "it is there again on another device, or after an accident",
		Until: "once it was sent, or the agent closed the case; 7 days after it was changed last", Longest: draftsKept,
	})
	Presence = declare(Collection{Name: "presence",
		Holds: "when an agent's console was there last", Why: "an agent who vanishes frees their conversations",
		Until: "30 days after it", Longest: presenceKept,
	})
	Agents = declare(Collection{Name: "agents",
		Holds: "login, name, role, the password's hash, the second factor (`totp`), keyed hashes of recovery codes and of browsers that it signed in from", Why: "who may sign in at the desk",
		Until: "kept: an account that is disabled stays, so that its login is nobody else's in the audit; a browser is known for 180 days",
	})
	Sessions = declare(Collection{Name: "sessions",
		Holds: "login and times of a session, under the keyed hash of its token", Why: "who is signed in",
		Until: "when it ends, after 12 hours at most", Longest: 12 * time.Hour,
	})
	Tries = declare(Collection{Name: "tries",
		Holds: "wrong passwords in a row, under the keyed hash of the login and of the network or browser", Why: "so that nobody guesses them",
		Until: "a day after the last", Longest: day,
	})
	Bells = declare(Collection{Name: "bells",
		Holds: "where an agent is told of things with no page open: subscriptions of their browsers and their own chat, sealed, and what they are still to be told (kinds and cases)", Why: "an agent hears of a case",
		Until: "90 days after the agent was last near; a subscription when its push service says that it has ended, or the agent takes it off", Longest: alert.KeptFor,
	})
	PushKeys = declare(Collection{Name: "push_keys",
		Holds: "nobody: the key that push services know us by, sealed", Why: "browsers are subscribed with it",
		Until: "kept: one document, without which every agent would have to subscribe anew",
	})
	Unheard = declare(Collection{Name: "unheard",
		Holds: "a sentence that was not understood, masked (`said`), how often, and for a day by keyed hashes the chats that said it", Why: "so that it is understood the next time",
		Until: "`LLAVE_RETENTION_UNHEARD` after it was last said", Longest: 30 * day,
	})
	Events = declare(Collection{Name: "events",
		Holds: "an event that the institution's programs did not take, sealed: it names a record", Why: "it can be sent again",
		Until: "30 days after it was given up", Longest: 30 * day,
	})
	Counted = declare(Collection{Name: "counted",
		Holds: "nobody: that there was a visit and how far it came, a letter, a complaint, a request for a person; when, to the quarter of an hour; under a keyed hash that leads to nobody", Why: "so that each counts once",
		Until: "its month is closed, 92 days after the month's end", Longest: 124 * day,
	})
	Months = declare(Collection{Name: "months",
		Holds: "nobody: how many of each there were in a month and on each of its days, and what the institution's own table says of it", Why: "the report",
		Until: "kept: they outlive every retention, and one document is a month",
	})
)

// How long documents are kept for which there is no setting.
const (
	importsKept  = 30 * day
	draftsKept   = 7 * day
	presenceKept = 30 * day
)
