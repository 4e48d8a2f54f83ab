package flows

import (
	"slices"
	"strconv"
	"time"

	"llave/bot"
)

// The notice says what becomes of a person's data before anything is asked (P101), with what the law wants it to say (P752). Which one
// somebody agreed to, and when, is kept in the conversation. Who agreed to an older one is asked once, where nothing is half done.

// The events of a notice that has changed.
const NoticeChanged, NoticeAgreed bot.Event = "NoticeChanged", "NoticeAgreed"

// noticeChanged is the question whether one goes on with a notice that has changed.
const noticeChanged = "notice.changed"

// The slots: a chat that has none of them agreed to the first notice, if any.
const (
	slotNotice      = "notice"       // number of the notice that was agreed to
	slotNoticeAt    = "notice_at"    // when, by RFC 3339; empty: the version before did not note it
	slotNoticeAsked = "notice_asked" // number of the one that was asked about
)

// The notices there have been. What is kept by a later one only is kept of nobody who has not agreed to it.
const (
	firstNotice      = 1
	unheardNotice    = 2 // says that sentences that were not understood are kept
	lawNotice        = 3 // says all that LOPDP 12 wants; nothing of what is not understood is kept
	lawUnheardNotice = 4 // says both
)

// saysUnheard says whether a notice tells that sentences that were not understood are kept.
func saysUnheard(notice int) bool {
	return slices.Contains([]int{unheardNotice, lawUnheardNotice}, notice)
}

// notice is the number of the notice that is shown now.
func (f *flow) notice() int {
	if f.Unheard == 0 {
		return lawNotice
	}
	return lawUnheardNotice
}

// agrees notes that the person goes on with the notice as it is now.
func (f *flow) agrees(t *bot.Turn) {
	t.Remember(slotNotice, strconv.Itoa(f.notice()))
	t.Remember(slotNoticeAt, t.Now.UTC().Format(time.RFC3339))
}

// asksNotice says whether the person is asked about a notice that has changed, instead of what they are answered with [ev]:
// at the menu, or when they come back after long. Never where a link lives or a key is made, nor when it was asked before.
func (f *flow) asksNotice(t *bot.Turn, ev bot.Event) bool {
	place := t.Place()
	atMenu := place.Has(WantsMore) && (ev == SaidHello || ev == AskedMenu)
	if !atMenu && ev != CameBack || place.Is(BeforeTerms, bot.FreeText, LinkLives, InKey) || t.Conv.Handoff.Open() {
		return false
	}
	if max(number(t, slotNotice), firstNotice, number(t, slotNoticeAsked)) >= f.notice() {
		return false
	}
	t.Remember(slotNoticeAsked, strconv.Itoa(f.notice()))
	return true
}

// hearNotice hears the answer to that, and to the whole notice when it was read first.
func (f *flow) hearNotice(t *bot.Turn) bot.Event {
	if t.Place().Is(BeforeTerms) || t.Conv.Text != noticeChanged && t.Conv.Text != "welcome.notice" {
		return ""
	}
	switch t.Choice() {
	case "notice":
		return AskedNotice
	case "continue":
		f.agrees(t)
		return NoticeAgreed
	case "decline":
		t.Empty()
		return Declined
	}
	return ""
}
