// Package handoff is the help desk: its hours, its queue, which agent has which conversation, and the way back to the bot.
//
// A case stands in the conversation's own document (bot.Handoff). So taking a conversation is one conditional write, two
// agents can never have the same one, and bot and agent can never both answer the same message. The functions here change a
// case within a turn: flows calls them while it steps, and their changes are committed with the rest of the turn or not at
// all. Desk serves the console: what it reads, and the updates that it has the runner answer.
//
// The store lists cases by one sort key, bot.Handoff.Queue: first the status, then, of those that wait, the rank and since
// when. A case that comes back to the queue keeps since when it has waited, and so its position.
//
// Tend does what no agent does, every few seconds in one process. It tells who has come closer, takes conversations from
// agents whose console is gone, and lets the queue follow the hours. Each step is an idempotent update: it changes nothing
// when it comes twice or too late.
package handoff

import (
	"fmt"
	"time"

	"llave/bot"
)

// The ranks of those that wait, first to last. Older people come first (P502): who goes step by step and has had difficulties.
// A record's category is not looked at: the position in the queue is told to somebody who has proved nothing (P307). What the owner of a record says
// who did not ask is nobody's position in the queue: those notices stand before it (Desk.Notices).
const (
	RankSlowly = 1 // goes step by step, and it was hard for them
	RankUsual  = 2
)

// The reasons for which a case ends. Those an agent may choose are Reasons.
const (
	Solved   = "solved"    // the person has what they came for
	InPerson = "in_person" // has to go to an office
	NoAnswer = "no_answer" // the person does not write any more
	NotOurs  = "not_ours"  // about something else
	Misuse   = "misuse"    // insults, attempts at somebody else's key
	Other    = "other"     // what the agent wrote beside it
	Left     = "left"      // the person did not want to wait
	Returned = "returned"  // given back to the bot
	Erased   = "erased"    // the person had their chat forgotten

	ChangedHands = "changed_hands" // the chat's telephone number is somebody else's now
)

// Reasons are what an agent may close a case for, in the order they are offered.
var Reasons = []string{Solved, InPerson, NoAnswer, NotOurs, Misuse, Other}

// New opens a case. It stands nowhere until Wait or Defer.
func New(ref string, rank int, from bot.State, number string, now time.Time) *bot.Handoff {
	return &bot.Handoff{Ref: ref, Rank: rank, From: from, Number: number, Asked: now}
}

// What a queue key begins with.
const (
	QueueWaiting   = "w/"
	QueueScheduled = "s/" // for the next opening
	QueueHeld      = "h/" // followed by the agent's login and a slash
)

// key orders by rank and time; the reference tells apart what came in the same millisecond.
func key(prefix string, h *bot.Handoff) string {
	return fmt.Sprintf("%s%d/%013d/%s", prefix, h.Rank, h.Asked.UnixMilli(), h.Ref)
}

// Wait puts a case into the queue.
func Wait(h *bot.Handoff) {
	h.Status, h.Queue, h.Agent, h.AgentName = bot.HandoffWaiting, key(QueueWaiting, h), "", ""
	Resume(h)
}

// Defer has a case wait for the next opening. Its position is the one it would have had.
func Defer(h *bot.Handoff) {
	h.Status, h.Queue, h.Agent, h.AgentName, h.Told = bot.HandoffScheduled, key(QueueScheduled, h), "", "", 0
	Resume(h)
}

// Hold gives the conversation to an agent.
func Hold(h *bot.Handoff, login, name string, now time.Time) {
	h.Status, h.Agent, h.AgentName = bot.HandoffHeld, login, name
	h.Queue = fmt.Sprintf("%s%s/%013d/%s", QueueHeld, login, h.Asked.UnixMilli(), h.Ref)
	if h.Taken.IsZero() {
		h.Taken = now
	}
	if h.Before == login { // who lost it has it again
		h.Before, h.Lost, h.LostBy, h.LostByName = "", "", "", ""
	}
	Resume(h)
}

// Lose notes how the agent who has a case is about to lose it, and who took it away: "" nobody of the desk.
func Lose(h *bot.Handoff, how, by, byName string) {
	if h.Held() {
		h.Before, h.Lost, h.LostBy, h.LostByName = h.Agent, how, by, byName
	}
}

// Close ends a case. Who had it stays written there.
func Close(h *bot.Handoff, reason string, now time.Time) {
	h.Status, h.Queue, h.Reason, h.Ended, h.Since = bot.HandoffClosed, "", reason, now, time.Time{}
	Resume(h)
}

// Reopen goes on with a case that has ended. It stands nowhere until Wait, Defer or Hold. How it went may be told again.
func Reopen(h *bot.Handoff, now time.Time) {
	h.Status, h.Reason, h.Ended, h.Reopened, h.Agent, h.AgentName, h.Commented = "", "", time.Time{}, now, "", "", false
}

// Postpone puts a case off that an agent has. It stays theirs.
func Postpone(h *bot.Handoff, what string, until time.Time) { h.Postponed, h.Until = what, until }

// Resume ends that.
func Resume(h *bot.Handoff) { h.Postponed, h.Until = "", time.Time{} }

// Halved says whether a position in the queue is worth telling after the one that was told last: the first, and half of it
// or better from then on.
func Halved(told, position int) bool { return told == 0 || position*2 <= told }
