package unlock

import (
	"context"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"llave/bot"
	"llave/internal/address"
	"llave/internal/affiliate"
)

// Fate is what a delivery report says of a letter that the mail server had accepted.
type Fate string

// The fates.
const (
	BadMailbox  Fate = "bad"     // its mailbox is not there, or takes no mail
	FullMailbox Fate = "full"    // its mailbox is full
	Unsent      Fate = "unsent"  // it was given up for no fault of the mailbox: policy, reputation, servers that are away
	Delayed     Fate = "delayed" // it is still tried
)

// For how long a mailbox is remembered from its letter on, unless the record's address changes before.
const (
	badFor  = 30 * 24 * time.Hour
	fullFor = 24 * time.Hour
)

// reportsFor is how long after its letter a report is heeded. Mail servers try for five days (RFC 5321 4.5.4.1).
const reportsFor = 7 * 24 * time.Hour

// What becomes of a report that is not heeded. None of them changes anything.
var (
	ErrLate      = errors.New("report is of a letter of long ago")
	ErrRepeated  = errors.New("report says what was known already")
	ErrForwarded = errors.New("report is of another mailbox than the letter's")
)

// MailDomains are the domains that letters are counted by; all others together are "other".
var MailDomains = []string{"other", "gmail.com", "hotmail.com", "outlook.com", "yahoo.com", "yahoo.es", "live.com", "icloud.com", "iess.gob.ec"}

// fateSignals are what the chat that waits for a letter is told of its fate, where it is told two outcomes.
var fateSignals = map[Fate]string{
	BadMailbox: bot.SignalMailRefused, FullMailbox: bot.SignalMailRefused, Unsent: bot.SignalMailUnsent, Delayed: bot.SignalMailLate,
}

// Bounced is a mailbox of the record's that a report said takes no mail.
type Bounced struct {
	Mailbox string    `bson:"mailbox"` // tag of record and address
	Until   time.Time `bson:"until"`   // it is remembered
}

// Return is what a letter's return address says of it: which letter it was, and nothing that means anything to others. Nothing is
// stored for it. Its parts are keyed hashes, cut short; all of them are under one signature.
type Return struct {
	Document [12]byte // begin of the keyed hash by which the document is found
	Attempt  [4]byte
	Conv     [3]byte // of the conversation that asked; zeros: a letter to the owner
	Mailbox  [3]byte // of record and address, to see that the address has not changed
	domain   byte    // place in MailDomains
	sent     uint32  // seconds since 1970: when the letter was asked for
}

// Sizes of a return address, in bytes. 80 bits of signature are for online guesses alone, each of which is a dialogue by mail.
const (
	returnBody = 12 + 4 + 3 + 3 + 1 + 4
	returnSign = 10
	returnMark = "b-" // so that the local part begins like no person's
)

// returnEncoding has no difference between capitals and small letters, which relays do not keep.
var returnEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Domain is the letter's, one of MailDomains.
func (r Return) Domain() string { return MailDomains[min(int(r.domain), len(MailDomains)-1)] }

func (r Return) body() []byte {
	b := slices.Concat(r.Document[:], r.Attempt[:], r.Conv[:], r.Mailbox[:], []byte{r.domain})
	return binary.BigEndian.AppendUint32(b, r.sent)
}

// SealReturn is the local part of the address: 62 characters, small letters, digits and a dash.
func (s *Service) SealReturn(r Return) string {
	body := r.body()
	return returnMark + returnEncoding.EncodeToString(append(body, s.short("return", string(body), returnSign)...))
}

// OpenReturn reads the local part of a return address, in capitals or small letters. false: it was not given out here.
func (s *Service) OpenReturn(local string) (r Return, ok bool) {
	if !address.IsASCII(local) {
		return r, false
	}
	local = strings.ToLower(local)
	b, err := returnEncoding.DecodeString(strings.TrimPrefix(local, returnMark))
	if err != nil || len(b) != returnBody+returnSign {
		return r, false
	}
	copy(r.Document[:], b)
	copy(r.Attempt[:], b[12:])
	copy(r.Conv[:], b[16:])
	copy(r.Mailbox[:], b[19:])
	r.domain, r.sent = b[22], binary.BigEndian.Uint32(b[23:])
	// Compared as it is written, so that no other spelling of the same bytes is an address of ours.
	return r, subtle.ConstantTimeCompare([]byte(s.SealReturn(r)), []byte(local)) == 1
}

// short is the beginning of a keyed hash, in bytes.
func (s *Service) short(label, data string, n int) []byte {
	b, err := base64.RawURLEncoding.DecodeString(s.Vault.Derive(label, data))
	if err != nil {
		panic(err) // Derive's own alphabet
	}
	return b[:n]
}

// returnOf is the local part of the return address of a letter: of an attempt to an address, for a conversation, "" for a letter to
// the owner, asked for at [sent]. A decoy has one of the same shape, which leads nowhere.
func (s *Service) returnOf(d *Document, a *Attempt, to, conv string, sent time.Time) string {
	r := Return{domain: domainOf(to), sent: uint32(max(0, sent.Unix()))} //nolint:gosec // until the year 2106
	known := a.NotMe
	if d.Live != nil && d.Live.NotMe != "" {
		known = d.Live.NotMe // by which the document is found, from attempt to attempt
	}
	if known == "" {
		known = s.hashNotMe(a.ID)
	}
	if b, err := base64.RawURLEncoding.DecodeString(known); err == nil {
		copy(r.Document[:], b)
	}
	copy(r.Attempt[:], s.short("return-attempt", a.ID, len(r.Attempt)))
	if conv != "" {
		copy(r.Conv[:], s.convTag(a, conv))
	}
	copy(r.Mailbox[:], s.mailboxTag(d.ID, to))
	return s.SealReturn(r)
}

func (s *Service) convTag(a *Attempt, conv string) []byte {
	return s.short("return-conv", a.ID+"|"+conv, 3)
}

// mailboxTag is the same however mail servers write the address.
func (s *Service) mailboxTag(record, to string) []byte {
	if wire, err := address.Wire(to); err == nil {
		to = wire
	}
	return s.short("return-mailbox", record+"|"+strings.ToLower(to), 3)
}

func domainOf(to string) byte {
	_, domain, _ := strings.Cut(to, "@")
	return byte(max(0, slices.Index(MailDomains, strings.ToLower(domain)))) //nolint:gosec // a short list of domains
}

// NoticeReturn is the local part of the return address of a promised letter to the owner at [to].
func (s *Service) NoticeReturn(ctx context.Context, p bot.Promise, to string) (string, error) {
	d, err := s.Documents.Load(ctx, p.Record)
	if err != nil {
		return "", fmt.Errorf("load unlock document: %w", err)
	}
	a := d.attempt(p.Attempt)
	if a == nil {
		a = &Attempt{ID: p.Attempt}
	}
	return s.returnOf(d, a, to, "", p.Made), nil
}

// Returned notes what a delivery report says of a letter, in one replace, once. A bad mailbox is remembered for 30 days from its letter
// on, a full one for a day, unless the link of a letter not older was used: then it is read. The chat whose letter it was is
// told while it waits. It changes nothing in `uniform`, where what a chat hears must not follow one letter's fate.
//
// [named] are the addresses that the report is about, if it says so. Mailboxes and aliases that forward keep the envelope's sender, so
// that what is said of a copy comes here too.
//
// ErrLate: the letter is of more than seven days ago. ErrForwarded: none of the addresses named is the letter's. ErrUnknown: nothing is
// kept of it any more. ErrRepeated: it was known.
func (s *Service) Returned(ctx context.Context, r Return, fate Fate, named []string) error {
	now, err := s.Now(ctx)
	if err != nil {
		return fmt.Errorf("read the store's clock: %w", err)
	}
	if sent := time.Unix(int64(r.sent), 0); now.Sub(sent) >= reportsFor {
		return ErrLate
	}
	if s.Uniform {
		return nil
	}
	found, err := s.byReturn(ctx, r)
	if err != nil {
		return err
	}
	if len(named) > 0 && !slices.ContainsFunc(named, func(to string) bool { return [3]byte(s.mailboxTag(found.ID, to)) == r.Mailbox }) {
		return ErrForwarded
	}
	_, err = s.change(ctx, found.ID, func(d *Document, now time.Time) error {
		a := s.returnedAttempt(d, r)
		if a == nil {
			return ErrUnknown
		}
		once := string(fate) + "/" + r.letter()
		if slices.Contains(a.Returned, once) {
			return ErrRepeated
		}
		a.Returned = append(a.Returned, once)
		s.tellFate(d, a, r, fate, now)
		d.remembers(a, r, fate)
		return nil
	})
	if err == nil {
		s.Kick(found.ID)
	}
	return err
}

// letter tells an attempt's letters apart: by the chat that asked, and when.
func (r Return) letter() string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint32(r.Conv[:], r.sent))
}

// byReturn is the document that a return address is of.
func (s *Service) byReturn(ctx context.Context, r Return) (*Document, error) {
	d, err := s.Documents.FindByPrefix(ctx, "live.not_me", base64.RawURLEncoding.EncodeToString(r.Document[:]))
	if err != nil {
		return nil, fmt.Errorf("find letter: %w", err)
	}
	if d == nil {
		return nil, ErrUnknown
	}
	return d, nil
}

func (s *Service) returnedAttempt(d *Document, r Return) *Attempt {
	all := d.all()
	i := slices.IndexFunc(all, func(a *Attempt) bool {
		return a.Kind != KindDecoy && subtle.ConstantTimeCompare(s.short("return-attempt", a.ID, len(r.Attempt)), r.Attempt[:]) == 1
	})
	if i < 0 {
		return nil
	}
	return all[i]
}

// tellFate owes the chat whose letter it was the word of it, while its link lives. That a letter has not arrived is said of the chat's
// newest one alone: an older one no longer matters.
func (s *Service) tellFate(d *Document, a *Attempt, r Return, fate Fate, now time.Time) {
	if a != d.Live || !a.Lives(now, s.Limits.LinkTTL) {
		return
	}
	what := bot.SendSignal{Signal: fateSignals[fate]}
	if fate == Delayed {
		what.Text = bot.LateReported
	}
	for _, conv := range a.Convs {
		if [3]byte(s.convTag(a, conv)) == r.Conv {
			if (fate == Unsent || fate == Delayed) && d.askedSince(a, conv, r.sent) {
				return
			}
			what.Conv = conv
			s.owe(d, a, now, what.Signal+"/"+r.letter(), what)
			return
		}
	}
}

// askedSince says whether the conversation has asked for another letter of the attempt since that second.
func (d *Document) askedSince(a *Attempt, conv string, sent uint32) bool {
	return slices.ContainsFunc(d.Asks, func(k Asked) bool {
		return k.Attempt == a.ID && strings.HasPrefix(k.Turn, conv+"/") && k.At.Unix() > int64(sent)
	})
}

// remembers notes the mailbox where the report says that it takes no mail.
func (d *Document) remembers(a *Attempt, r Return, fate Fate) {
	sent := time.Unix(int64(r.sent), 0).UTC()
	until := sent.Add(badFor)
	switch {
	case fate == FullMailbox:
		until = sent.Add(fullFor)
	case fate != BadMailbox:
		return
	}
	mailbox := base64.RawURLEncoding.EncodeToString(r.Mailbox[:])
	known := d.Bounced != nil && d.Bounced.Mailbox == mailbox && !until.After(d.Bounced.Until)
	read := !a.Redeemed.IsZero() && !sent.After(a.Redeemed)
	if known || read {
		return
	}
	d.Bounced = &Bounced{Mailbox: mailbox, Until: until}
	d.purgeBy(until)
}

// Reaches says whether letters reach the address of the record with that hash, as far as delivery reports tell.
func (s *Service) Reaches(ctx context.Context, record, to string) (bool, error) {
	d, now, err := s.load(ctx, record)
	if err != nil {
		return false, err
	}
	return !s.hasBounced(d, to) || !now.Before(d.Bounced.Until), nil
}

// forgetBounced drops what is remembered of a mailbox when the record's address has changed since.
func (s *Service) forgetBounced(d *Document, rec affiliate.Record) {
	if !s.hasBounced(d, rec.Email) {
		d.Bounced = nil
	}
}

// hasBounced says whether the mailbox that is remembered is that of the address.
func (s *Service) hasBounced(d *Document, to string) bool {
	return d.Bounced != nil && d.Bounced.Mailbox == base64.RawURLEncoding.EncodeToString(s.mailboxTag(d.ID, to))
}
