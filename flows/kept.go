package flows

import (
	"maps"
	"slices"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/secret"
)

// PersonData is what a conversation holds of its person, for them to read (P753): what is sealed is opened.
type PersonData struct {
	Began     time.Time         `json:"began,omitzero"`
	LastWord  time.Time         `json:"last_word,omitzero"`
	KeptUntil time.Time         `json:"kept_until,omitzero"`
	Place     string            `json:"place"`
	Language  string            `json:"language,omitempty"`
	Way       string            `json:"way_of_speaking,omitempty"`
	Notice    string            `json:"notice_agreed_to,omitempty"`
	NoticeAt  string            `json:"notice_agreed_at,omitempty"`
	Numbers   []string          `json:"numbers,omitempty"`   // that were written, the confirmed one first
	Complaint []string          `json:"complaint,omitempty"` // one that is being written, part by part
	Remembers map[string]string `json:"remembers,omitempty"` // all else, by our own names
	Reminders []time.Time       `json:"reminders,omitempty"`
	LookedUp  []time.Time       `json:"numbers_looked_up,omitempty"` // when: the limits count them
	Filed     []time.Time       `json:"complaints_filed,omitempty"`
	Said      []SaidLine        `json:"said,omitempty"`
	Later     *SaidLine         `json:"to_be_said_later,omitempty"` // by an agent
}

// SaidLine is a line of what was said, with numbers masked.
type SaidLine struct {
	At   time.Time `json:"at"`
	From string    `json:"from"`
	By   string    `json:"by,omitempty"`
	Text string    `json:"text"`
}

// SaidLines are lines as they are kept.
func SaidLines(lines []bot.Line) (kept []SaidLine) {
	for _, l := range lines {
		kept = append(kept, SaidLine{l.At, l.From, l.By, l.Text})
	}
	return kept
}

// numberSlots and complaintSlots are those that are sealed.
var (
	numberSlots    = []string{slotNumber, slotGiven, slotTyped, slotPart, slotPhone}
	complaintSlots = []string{slotOld, slotComplaint, slotFirst}
)

// DataOf reads it from a conversation. What cannot be opened is named and left out.
func DataOf(v *secret.Vault, c bot.Conversation) PersonData {
	k := PersonData{
		Began: c.Born, LastWord: c.LastAt, KeptUntil: c.KeptTill, Place: string(c.State), Language: c.Lang, Way: c.Way,
		Notice: c.Slots[slotNotice], NoticeAt: c.Slots[slotNoticeAt], Filed: c.Filed, Said: SaidLines(c.Tail), Remembers: maps.Clone(c.Slots),
	}
	if late := c.Late; late != nil {
		k.Later = &SaidLine{late.At, bot.FromAgent, late.Name, late.Text}
	}
	for _, slot := range []string{slotNotice, slotNoticeAt, slotRecord} { // the record's is a hash of a number that is told whole
		delete(k.Remembers, slot)
	}
	opened := func(slot string) (text string, ok bool) {
		sealed := k.Remembers[slot]
		if delete(k.Remembers, slot); sealed == "" {
			return "", false
		}
		text, err := v.Open(secret.Slots[slot].Of(c.ID), sealed)
		if err != nil {
			k.Remembers[slot] = "cannot be opened"
		}
		return text, err == nil
	}
	for _, slot := range numberSlots {
		text, ok := opened(slot)
		if text = strings.ReplaceAll(text, partBreak, " "); ok && !slices.Contains(k.Numbers, text) {
			k.Numbers = append(k.Numbers, text)
		}
	}
	for _, slot := range complaintSlots {
		text, ok := opened(slot)
		if slot == slotFirst {
			_, text, _ = strings.Cut(text, partEnd) // the message's id stands before it
		}
		for _, part := range strings.Split(text, partEnd) {
			if ok && part != "" {
				k.Complaint = append(k.Complaint, part)
			}
		}
	}
	for _, t := range c.Timers {
		if t.Signal == bot.SignalRemind {
			k.Reminders = append(k.Reminders, t.At)
		}
	}
	for _, n := range c.Numbers {
		k.LookedUp = append(k.LookedUp, n.At)
	}
	return k
}
