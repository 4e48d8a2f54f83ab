package flows

import (
	"slices"

	"llave/bot"
)

// This file is the map, from top to bottom: the states, what ears must know of them (traits), and the table: every place
// in the order of the procedure, then what holds everywhere, then the help desk's places. Nothing else in the package
// names a state: an ear asks its place (Turn.Place) for a trait or a row of its own.

// The states. Their names are stored: a rename is a migration.
const (
	Start         bot.State = "Start"
	Welcome       bot.State = "Welcome"
	Menu          bot.State = "Menu"
	MenuMore      bot.State = "MenuMore" // the menu's other pages, step by step
	MenuOther     bot.State = "MenuOther"
	MenuLast      bot.State = "MenuLast"
	AskNumber     bot.State = "AskNumber"
	ConfirmNumber bot.State = "ConfirmNumber"
	ReadyToSend   bot.State = "ReadyToSend"
	LinkSent      bot.State = "LinkSent"
	LinkEnded     bot.State = "LinkEnded"
	LinkUnsent    bot.State = "LinkUnsent" // the letter with the link could not be sent
	MailWhere     bot.State = "MailWhere"  // the way to one's mail
	MailPhone     bot.State = "MailPhone"
	MailComputer  bot.State = "MailComputer"
	MailSearch    bot.State = "MailSearch"
	MailSpam      bot.State = "MailSpam"
	OpenPhone     bot.State = "OpenPhone" // the way to one's mail and no further: there is no letter in it yet
	OpenComputer  bot.State = "OpenComputer"
	KeyStep1      bot.State = "KeyStep1"
	KeyStep2      bot.State = "KeyStep2"
	KeyStep3      bot.State = "KeyStep3"
	KeyStep4      bot.State = "KeyStep4"
	KeyStep5      bot.State = "KeyStep5"
	KeyStuck      bot.State = "KeyStuck"
	KeyTried      bot.State = "KeyTried"
	PortalSays    bot.State = "PortalSays" // did not get into the portal: what does it say?
	Rating        bot.State = "Rating"
	Done          bot.State = "Done"
	AtOffice      bot.State = "AtOffice"
	OfferPerson   bot.State = "OfferPerson"
	Complaining   bot.State = "Complaining"
	ComplaintRead bot.State = "ComplaintRead" // what was written of a complaint is read back
	OwnData       bot.State = "OwnData"
	OwnDataSure   bot.State = "OwnDataSure"
	Resume        bot.State = "Resume"
	RemindWhen    bot.State = "RemindWhen" // wants to be reminded: when?
	Language      bot.State = "Language"
	Group         bot.State = "Group"
	WithTicket    bot.State = "WithTicket"  // has a case that waits for the desk to open
	InQueue       bot.State = "InQueue"     // waits for an agent
	WithAgent     bot.State = "WithAgent"   // an agent has the conversation
	LeaveSure     bot.State = "LeaveSure"   // asked whether to leave either
	SameCase      bot.State = "SameCase"    // asked whether it is about the case that has ended
	RatingWords   bot.State = "RatingWords" // asked how a person helped, in a few words
)

// What ears must know of a place, beside bot.FreeText.
const (
	FirstWord   bot.Trait = "first word"     // nothing was said yet: whatever comes is answered with the welcome
	BeforeTerms bot.Trait = "before terms"   // the person has not agreed to go on: nothing is begun, wishes are kept for later
	InGroup     bot.Trait = "in a group"     // several people read along: nothing is heard
	AtDesk      bot.Trait = "at the desk"    // what is written is an agent's to answer, not the bot's
	NoResume    bot.Trait = "no resume"      // nothing is half done here: who comes back after long is not asked whether to go on
	AsksNumber  bot.Trait = "asks a number"  // a number alone is the answer
	ReadsBack   bot.Trait = "reads it back"  // the number just given is to be confirmed
	NeedsNumber bot.Trait = "needs a number" // means nothing without one: taken out of the way back when it is dropped
	FirstLink   bot.Trait = "first link"     // a first link can be asked for
	LinkLives   bot.Trait = "link lives"     // a link was sent, and another can be asked for
	LinkOver    bot.Trait = "link over"      // the link has ended, and another can be asked for
	ToldOfLink  bot.Trait = "told of link"   // what became of a link that was sent is said at once, not on the way back
	InKey       bot.Trait = "key steps"      // the link was used, and the key is being made on the institution's page
	LinkUsedBy  bot.Trait = "link was used"  // to hear that the link was used is no news
	KeyMadeBy   bot.Trait = "key was made"   // to hear that the key was made is no news
	AfterKey    bot.Trait = "after the key"  // asked once, at the end of a procedure, and not returned to in another
	Between     bot.Trait = "between"        // asked in between: what lies behind is gone on with, and has nothing taken out
	Returnable  bot.Trait = "agent's return" // where an agent may have the bot go on
)

// places is the table. Rows of bot.Any hold in every state that has no row of its own for the event.
func (f *flow) places() []bot.Place {
	in, on := bot.In, bot.On

	// What several places share.
	with := func(shared []bot.Row, own ...bot.Row) []bot.Row { return append(slices.Clone(shared), own...) }
	numbers := []bot.Row{ // what can come of a number: asked for, or said with a wish in any state
		on(GaveNumber, ConfirmNumber, "number.read_back"), on(GaveCode, ConfirmNumber, "number.read_back_code"),
		on(GaveUnusual, ConfirmNumber, "number.unusual"), on(GavePhoneLike, ConfirmNumber, "number.is_phone"),
		on(GaveNine, ConfirmNumber, "number.leading_zero"), on(GaveRUC, ConfirmNumber, "number.first_ten"),
		on(WrongCount, AskNumber, "number.wrong_count"), on(GaveMore, AskNumber, "number.more"), on(WrongProvince, AskNumber, "number.wrong_province"),
		on(WrongDigit, AskNumber, "number.check_digit"), on(PhoneOrSlip, AskNumber, "number.phone_or_typo"),
		on(GavePhone, AskNumber, "number.phone"), on(GaveTwo, AskNumber, "number.two"),
		on(WantsCode, AskNumber, "number.ask_code"), on(LostNumber, AskNumber, "number.forgotten"),
	}
	links := []bot.Row{ // what can come of asking for a link wherever one can be asked for
		on(LinkAsked, LinkSent, ""), on(LinkAskedUnsaid, LinkSent, "sent.uniform"), on(LinkAskedAgain, LinkSent, "sent.again"), on(NotSentYet, LinkSent, "sent.late"),
		on(TooManyMails, bot.Stay, "limit.mails"), on(EnoughMails, bot.Stay, "limit.mails_live"), on(TooManyNumbers, bot.Stay, "limit.numbers"), on(NoMailbox, AtOffice, "in_person.outcome"), on(AskedMailHelp, MailWhere, ""),
	}
	page := func(s bot.State, ask string, next bot.State) bot.Place {
		return in(s, ask, f.hearMenu, on(WantsMore, next, ""), on(FoundNearest, AtOffice, "in_person.nearest")).With(NoResume, ToldOfLink).Called("menu")
	}
	mail := func(s bot.State, ask string, rows ...bot.Row) bot.Place {
		return in(s, ask, f.hearMailHelp, with(rows, on(MailOpen, ReadyToSend, ""), on(MailOpenSent, LinkSent, ""),
			on(MailOpenLate, LinkEnded, ""), on(WantsNumber, AskNumber, ""))...).With(NeedsNumber, ToldOfLink).Called("mail")
	}
	search := func(s bot.State, ask string, next bot.State) bot.Place {
		return mail(s, ask, on(WentOn, next, ""), on(GotStuck, OfferPerson, "mail.stuck"), on(NoMailbox, AtOffice, "in_person.outcome"))
	}
	opened := func(s bot.State, ask string) bot.Place {
		return mail(s, ask, on(GotStuck, OfferPerson, "mail.stuck"), on(NoMailbox, AtOffice, "in_person.outcome"))
	}
	complaint := func(s bot.State, ask string, rows ...bot.Row) bot.Place {
		return in(s, ask, f.hearComplaint, with(rows, on(ComplaintNotFiled, OfferPerson, "limit.complaint"), on(ComplaintFull, ComplaintRead, "complaint.full"),
			on(ComplaintAnew, Complaining, "complaint.anew"), on(AskedDrop, ComplaintRead, askedDrop), on(AskedFile, ComplaintRead, "complaint.file"),
			on(AskedMore, bot.Stay, "complaint.more"), on(Complained, Menu, "complaint.done"), on(ComplaintDropped, Menu, "complaint.dropped"),
			on(ComplaintThing, bot.Stay, "complaint.thing"), on(AskedOfComplaint, bot.Stay, "complaint.who"), on(NumberInComplaint, bot.Stay, "complaint.number"))...).With(bot.FreeText)
	}
	step := func(s bot.State, n string, next bot.State) bot.Place {
		return in(s, "key.step"+n, f.hearStep,
			on(WentOn, next, ""), on(GotStuck, KeyStuck, "key.stuck"), on(ResumedLate, KeyStuck, "key.over"), on(WentBack, bot.Back, ""), on(SaidKeyMade, KeyTried, "")).
			With(InKey, LinkUsedBy, Returnable).Called("step")
	}

	return f.orAsk([]bot.Place{
		// The beginning.
		in(Start, "", f.hearStart, on(Greeted, Welcome, ""), on(AnsweredFirst, Welcome, "welcome.answer"), on(SentVoice, Welcome, "welcome.voice"),
			on(SentVoiceAgain, Welcome, "welcome.voice")).
			With(FirstWord, BeforeTerms, NoResume).Called("start"),
		in(Welcome, "welcome.ask", f.hearWelcome,
			on(AskedNotice, bot.Stay, "welcome.notice"), on(Declined, Start, "welcome.declined"), on(Greeted, bot.Stay, "welcome.wish"),
			on(SaidHello, bot.Stay, "")).With(BeforeTerms, NoResume).Called("start"),
		in(Menu, "menu.ask", f.hearMenu,
			on(Greeted, bot.Stay, "menu.again"), on(WantsMore, MenuMore, ""), on(FoundNearest, AtOffice, "in_person.nearest"), on(AskedSlow, bot.Stay, "slow.menu"),
			on(SentVoice, bot.Stay, "voice.help_menu")). // the menu is a list on WhatsApp, which has no place for the image
			With(NoResume, ToldOfLink, Returnable).Called("menu"),
		page(MenuMore, "menu.more", MenuOther), page(MenuOther, "menu.other", MenuLast), page(MenuLast, "menu.last", Menu),

		// Whose key it is.
		in(AskNumber, "number.ask", f.hearNumber,
			on(WroteSecret, bot.Stay, "number.secret"), on(SentPhoto, bot.Stay, "number.no_photo")).With(AsksNumber, Returnable).Called("number"),
		in(ConfirmNumber, "number.read_back", f.hearConfirm,
			on(Eligible, ReadyToSend, ""), on(Unsaid, ReadyToSend, "ready.ask_uniform"), on(NotEligible, AtOffice, "in_person.outcome"),
			on(TooManyNumbers, bot.Stay, "limit.numbers")).With(ReadsBack, NeedsNumber).Called("confirm"),

		// The link, and the way to one's mail.
		in(ReadyToSend, "ready.ask", f.hearReady, links...).With(FirstLink, NeedsNumber, ToldOfLink, Returnable).Called("ready"),
		in(LinkSent, "sent.ask", f.hearSent, with(links,
			on(NotArrived, bot.Stay, "sent.not_arrived"),
			on(MailSent, bot.Stay, "sent.out"), on(MailRestored, bot.Stay, "sent.restored"), on(Arrived, bot.Stay, "sent.arrived"), on(OpenedPage, bot.Stay, "sent.page"))...).
			With(LinkLives, NeedsNumber, ToldOfLink).Called("sent"),
		in(LinkEnded, "ended.ask", f.hearSent, with(links, on(NotArrived, bot.Stay, "ended.not_arrived"))...).With(LinkOver, NeedsNumber).Called("ended"),
		in(LinkUnsent, "ended.unsent", f.hearSent, with(links, on(NotArrived, bot.Stay, ""))...).With(LinkOver, NeedsNumber).Called("ended"),
		mail(MailWhere, "mail.where", on(OnPhone, MailPhone, ""), on(OnComputer, MailComputer, ""),
			on(OnPhoneFirst, OpenPhone, ""), on(OnComputerFirst, OpenComputer, ""), on(NoMailbox, AtOffice, "in_person.outcome")),
		opened(OpenPhone, "mail.open_phone"), opened(OpenComputer, "mail.open_computer"),
		search(MailPhone, "mail.phone", MailSearch), search(MailComputer, "mail.computer", MailSearch), search(MailSearch, "mail.search", MailSpam),
		mail(MailSpam, "mail.spam", on(GotStuck, OfferPerson, "mail.stuck"), on(NoMailbox, AtOffice, "in_person.outcome")),

		// The new key.
		step(KeyStep1, "1", KeyStep2), step(KeyStep2, "2", KeyStep3), step(KeyStep3, "3", KeyStep4), step(KeyStep4, "4", KeyStep5),
		step(KeyStep5, "5", KeyTried),
		in(KeyStuck, "key.stuck", f.hearStuck,
			on(WantsNumber, AskNumber, ""), on(WentOn, bot.Back, ""), on(SaidKeyMade, KeyTried, "")).With(InKey, LinkUsedBy).Called("stuck"),
		in(KeyTried, "key.ask", f.hearTried, on(Entered, Rating, ""), on(NeedsHelp, PortalSays, "")).
			With(InKey, LinkUsedBy, KeyMadeBy, Returnable).Called("tried"),
		in(PortalSays, "portal.ask", f.hearPortal,
			on(Entered, Rating, ""), on(WantsNumber, AskNumber, ""),
			on(NumberRefused, bot.Stay, "portal.number"), on(KeyRefused, bot.Stay, "portal.key"), on(StillLocked, bot.Stay, "portal.locked"),
			on(PortalDown, bot.Stay, "portal.down"), on(PortalOther, bot.Stay, "")).With(InKey, LinkUsedBy, KeyMadeBy).Called("portal"),
		in(Rating, "rating.ask", f.hearRating, on(Rated, Done, "done.thanks"), on(RatedHelp, RatingWords, "")).With(AfterKey, LinkUsedBy, KeyMadeBy).Called("rating"),
		in(RatingWords, "rating.words", f.hearRatingWords, on(RatingTold, Done, "rating.told"), on(RatingEnded, Done, "done.thanks"), on(SaidThanks, Done, "done.thanks"),
			on(SaidHello, Done, "done.thanks"), on(WentBack, Done, "done.thanks")).With(bot.FreeText, AfterKey, NoResume, LinkUsedBy, KeyMadeBy),
		in(Done, "done.ask", f.hearDone,
			on(Greeted, Menu, "menu.again"), on(SaidHello, Menu, "menu.again"), on(SaidThanks, bot.Stay, "done.welcome")).
			With(LinkUsedBy, KeyMadeBy, NoResume).Called("done"),

		// The other ways.
		in(AtOffice, "in_person.ask", f.hearOffice,
			on(FoundOffices, bot.Stay, "in_person.offices"), on(NoOffice, bot.Stay, "in_person.no_office"), on(NoOfficeList, bot.Stay, "in_person.no_list"), on(CorrectedPlace, bot.Stay, ""),
			on(FoundNearest, bot.Stay, "in_person.nearest"), on(SharedInVain, bot.Stay, "in_person.which"),
			on(AskedWhatToBring, bot.Stay, "in_person.bring"), on(AskedContact, bot.Stay, "in_person.contact")).With(ToldOfLink, Returnable).Called("office"),
		in(OfferPerson, "person.offer", f.hearOffer, on(Stayed, bot.Back, "")).With(ToldOfLink).Called("offer"),
		complaint(Complaining, "complaint.ask", on(ComplaintFirst, ComplaintRead, "")).With(Returnable),
		complaint(ComplaintRead, "complaint.read", on(ComplaintFirst, bot.Stay, "complaint.first")),
		in(OwnData, "my_data.ask", f.hearOwnData, on(AskedErase, OwnDataSure, "")).With(ToldOfLink).Called("data"),
		in(OwnDataSure, "my_data.sure", f.hearOwnData,
			on(Erased, Start, "my_data.erased"), on(Kept, Menu, ""), on(NothingToCorrect, bot.Stay, "repeat")).With(ToldOfLink).Called("data"),
		in(Resume, "resume.ask", f.hearResume, on(Resumed, bot.Back, ""), on(Restarted, Menu, "")).With(NoResume, ToldOfLink, Between).Called("resume"),
		in(RemindWhen, "remind.when", f.hearWhen, on(AskedHour, bot.Stay, "remind.hour"), on(SaidNo, bot.Back, "")).With(ToldOfLink, Between),
		in(SameCase, "again.ask", f.hearWhetherSame, on(OtherThan, Menu, "")).With(NoResume, ToldOfLink, Between),
		in(Language, "language.ask", f.hearLanguage, on(ChoseLanguage, bot.Back, "language.now"), on(NothingToCorrect, bot.Stay, "repeat")).Called("language"),
		in(Group, "", f.hearGroup).With(InGroup, NoResume),

		// Everywhere.
		in(bot.Any, "", f.hearAny, slices.Concat(numbers, f.answers.rows(), thingRows(), []bot.Row{
			// words that hold in every state
			on(AskedMenu, Menu, ""), on(WentBack, bot.Back, ""), on(AskedRepeat, bot.Stay, "repeat"), on(AskedHelp, bot.Stay, "help"),
			on(AskedStatus, bot.Stay, "status"), on(AskedLanguage, Language, ""), on(AskedEnglish, bot.Stay, "language.now"), on(AskedSpanish, bot.Stay, "language.now"),
			on(SaidHello, bot.Stay, "hello"), on(SaidThanks, bot.Stay, "thanks"), on(Cancelled, Menu, "menu.cancelled"),
			on(AskedSlow, bot.Stay, "slow.on"), on(AskedQuick, bot.Stay, "slow.off"),
			// what people come for
			on(WantsUnlock, AskNumber, ""), on(WantsGenerate, AskNumber, ""), on(WantsOffice, AtOffice, ""),
			on(WantsComplaint, Complaining, ""), on(ComplaintGathered, ComplaintRead, ""), on(ComplaintTold, ComplaintRead, "complaint.told"),
			on(ComplaintRewritten, ComplaintRead, "complaint.rewritten"), on(ComplaintMended, bot.Stay, "complaint.mended"),
			on(ComplaintAdded, bot.Stay, "complaint.added"),
			on(ComplainedThen, bot.Stay, "complaint.done_then"), on(DroppedThen, bot.Stay, "complaint.dropped_then"), on(AskedMenuUnfiled, Menu, "menu.unfiled"),
			on(TooManyComplaints, OfferPerson, "limit.complaints"), on(WantsOwnData, OwnData, ""),
			on(ForAnother, AskNumber, "another.number"), on(HelpsAnother, bot.Stay, "another.help"),
			on(ForMinor, OfferPerson, "another.minor"), on(ForDeceased, OfferPerson, "another.deceased"),
			bot.Either(AskedPerson, f.handOver, Queued, QueuedAlone, Ticketed, AskedPersonAgain, AskedSame),
			bot.Either(WantsSame, f.reopens, Reopened, Queued, QueuedAlone, Ticketed, AskedPersonAgain, AskedSame), on(AskedAfter, SameCase, ""), on(AskedSame, SameCase, ""),
			on(Reopened, WithAgent, "again.agent"),
			// what else was meant: answers.toml has the rows of its texts
			on(SaidGoodbye, bot.Stay, "goodbye"), on(Insulted, bot.Stay, "insulted"), on(Emergency, bot.Stay, "emergency"),
			on(EmergencyOrWords, bot.Stay, "emergency.words"),
			on(Unclear, bot.Stay, "meant.ask"), on(NotMeantOnce, bot.Stay, "meant.open"), on(NotMeant, bot.Stay, ""),
			on(Reworded, bot.Stay, "reworded"), on(LowVision, bot.Stay, "info.low_vision"), on(WantsAnother, ReadyToSend, ""),
			on(AskedPageLeft, bot.Stay, "info.page_left"), on(PageOver, bot.Stay, "info.page_over"),
			on("info.remind", bot.Stay, "info.remind"), on("info.no_hurry", bot.Stay, "info.no_hurry"),
			on(StatusOfLink, bot.Stay, "status.link"), on(StatusOfLinkAway, bot.Stay, "status.link_away"), on(StatusOfNothing, bot.Stay, "status.none"),
			on(StatusUnlocked, bot.Stay, "status.unlocked"), on(StatusPageOver, bot.Stay, "status.page_over"), on(StatusOfKey, bot.Stay, "status.key"), on(ReadNotice, bot.Stay, "notice.read"),
			on("first.deceased", bot.Stay, "first.deceased"), on("first.minor", bot.Stay, "first.minor"), on("first.person", bot.Stay, "first.person"),
			on(AskedTimeLeft, bot.Stay, "info.time_left"), on(DeadWhileNewLives, bot.Stay, "info.newest"), on(LinkDead, bot.Stay, linkDead),
			on(SaidNo, bot.Stay, "info.fine"), on(WaitsWithLink, bot.Stay, "info.wait_link"),
			on(Abroad, OfferPerson, "person.abroad"), on(CannotGo, OfferPerson, "person.cannot_go"),
			on(Stolen, OfferPerson, "person.stolen"), on(NotMe, OfferPerson, "person.not_me"),
			// later
			on(AskedRemind, RemindWhen, ""), on(RemindSet, bot.Back, "remind.set"), on(RemindMoved, bot.Back, "remind.moved"), on(RemindPast, RemindWhen, "remind.past"),
			on(RemindTooLate, RemindWhen, "remind.limit"), on(RemindTooLateHere, RemindWhen, "remind.window"), on(RemindCancelled, bot.Stay, "remind.cancelled"), on(RemindNone, bot.Stay, "remind.none"),
			on(RemindOnlyKey, bot.Stay, "remind.only"),
			on(AskedRemindToday, RemindWhen, "remind.when_today"), on(RemindPastToday, RemindWhen, "remind.past_today"), on(RemindTooLateToday, RemindWhen, "remind.window_today"),
			on(Reminded, Resume, "remind.now"), on(RemindedAtRest, bot.Stay, "remind.rest"),
			// a notice that says more than the one agreed to
			on(NoticeChanged, bot.Stay, noticeChanged), on(NoticeAgreed, bot.Stay, ""), on(AskedNotice, bot.Stay, "welcome.notice"),
			on(Declined, Start, "welcome.declined"),
			// corrections
			on(OtherNumber, bot.Stay, "number.other"), on(OtherNumberLate, bot.Stay, "number.other_late"), on(SameNumber, bot.Stay, "number.same"),
			on(Corrected, AskNumber, ""), on(NumberDropped, AskNumber, "number.dropped"), on(CorrectedKey, bot.Stay, "correct.key"), on(NothingToCorrect, bot.Stay, "correct.nothing"),
			on(NothingToUndo, bot.Stay, "back.done"), on(AskedErase, OwnDataSure, ""), on(NoMailbox, AtOffice, ""),
			// what is sent but words (the rest is in thingRows)
			on(SentVoiceAgain, OfferPerson, "voice.person"),
			on(WroteTooMuch, bot.Stay, "too_long"), on(WroteSecret, bot.Stay, "secret"),
			on(TooFast, bot.Stay, "limit.messages"), on(CameBack, Resume, ""), on(WroteInGroup, Group, "group.refused"),
			// what becomes of the link, and of a chat left alone
			on(LinkUsed, KeyStep1, "key.unlocked"), on(LinkOpened, KeyStep1, "key.opened"), on(KeyMade, KeyTried, "key.made"),
			on(LinkEndedOnce, LinkEnded, ""), on(LinkEndedTwice, LinkEnded, "ended.twice"),
			on(MailLate, bot.Stay, "mail.late"), on(MailDelayed, bot.Stay, "mail.delayed"), on(MailSent, bot.Stay, "mail.sent"), on(MailRestored, bot.Stay, "mail.restored"),
			on(MailUnsent, LinkUnsent, ""), on(MailRefused, AtOffice, "in_person.outcome"), on(bot.Forgotten, Start, ""),
			// what the bot did not understand
			on(bot.Missed, bot.Stay, "missed"), on(bot.MissedOften, OfferPerson, ""), on(bot.StaleButton, bot.Stay, "stale"),
			on(bot.Ignored, bot.Stay, ""),
			// the help desk: whom an agent helps may be anywhere
			on(Queued, InQueue, "person.queued"), on(QueuedAlone, InQueue, "person.queued_alone"), on(Ticketed, WithTicket, "person.ticket"),
			on(AskedPersonAgain, WithTicket, "person.ask"), on(AskedPosition, bot.Stay, "person.place"), on(PositionMoved, bot.Stay, "person.place"),
			on(AskedPositionAndLink, bot.Stay, "person.place_link"),
			on(FastAtDesk, bot.Stay, "person.fast"), on(CaseFull, bot.Stay, "person.full"), on(WroteWaiting, InQueue, bot.NoText), on(WroteToAgent, WithAgent, bot.NoText),
			on(AskedLeave, LeaveSure, "leave.ask"), on(AskedLeaveAgent, LeaveSure, "leave.ask_agent"),
			on(StayedWaiting, InQueue, "leave.stay"), on(StayedWithAgent, WithAgent, "leave.stay_agent"), on(LeftDesk, Menu, "menu.left"),
			on(AskedStillWaiting, bot.Stay, stillWaiting), on(StillWaits, bot.Stay, "waiting.yes"),
			on(AskedStillAside, bot.Stay, "waiting.aside"), on(StillWaitsOn, bot.Stay, "waiting.on"), on(LeftAside, bot.Stay, "waiting.left"),
			on(DeskOpenedAside, bot.Stay, "person.opened_aside"),
			on(DeskClosed, WithTicket, "person.closed"), on(DeskClosedAside, bot.Stay, "person.closed_aside"),
			on(Taken, WithAgent, "person.taken"), on(Passed, WithAgent, "person.passed"), on(AgentSpoke, WithAgent, bot.NoText),
			on(AgentNoted, bot.Stay, bot.NoText), on(AgentTyped, bot.Stay, bot.NoText), on(QueuedAfter, InQueue, "person.queued_after"), on(TicketedAfter, WithTicket, "person.ticket_after"), on(QueuedAgain, InQueue, "person.queued_again"), on(TicketedAgain, WithTicket, "person.ticket_again"),
			on(HandedBack, bot.Back, "person.back"), on(Resolved, Rating, "person.resolved"), on(ResolvedMisuse, Menu, "person.closed_case"),
			on(AgentSentLink, bot.Stay, "person.link"), on(AgentToOffice, bot.Stay, "person.office"),
			on(Postponed, bot.Stay, "person.postponed"), on(PostponedUnsaid, bot.Stay, bot.NoText), on(CaseResumed, bot.Stay, bot.NoText), on(LateKept, bot.Stay, bot.NoText),
			on(bot.NotYours, bot.Stay, bot.NoText), on(bot.NotSent, bot.Stay, bot.NoText), on(bot.NotThen, bot.Stay, bot.NoText),
		})...),

		// The help desk. What is written in the queue or to an agent has no question of its own: one never goes back there,
		// and the question that stood before still stands.
		in(WithTicket, "person.ask", f.hearTicket, on(DeskOpened, InQueue, "person.opened")).With(ToldOfLink).Called("ticket"),
		in(InQueue, "", f.hearHanded, on(AskedLanguage, bot.Stay, "language.ask"), on(ChoseLanguage, bot.Stay, "person.queued"),
			on(UnlockedWaiting, bot.Stay, "person.unlocked"), on(KeyMadeWaiting, bot.Stay, "person.key_made"),
			on(LinkEndedWaiting, bot.Stay, "person.link_ended"), on(UnsentWaiting, bot.Stay, "person.link_unsent")).With(AtDesk),
		in(WithAgent, "", f.hearHanded).With(AtDesk),
		in(LeaveSure, "", f.hearLeaving, on(AskedRepeat, bot.Stay, "repeat")).With(AtDesk),
	})
}

// Marked lists the states with a trait, in the order of the map.
func Marked(trait bot.Trait) (states []bot.State) {
	for _, p := range (&flow{}).places() {
		if p.Is(trait) {
			states = append(states, p.State)
		}
	}
	return states
}

// ReturnSteps are where an agent may have the bot go on, in the order of the procedure.
var ReturnSteps = Marked(Returnable)
