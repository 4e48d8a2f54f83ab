package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"llave/bot"
	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/agent"
	"llave/internal/store"
	"llave/internal/unlock"
)

// auditPersonExport is what the audit calls it, with whether it was a record's or a chat's data: not whose.
const auditPersonExport = "person_export"

func (p *program) personExport() *cobra.Command {
	var ofChat, oneLine bool
	cmd := &cobra.Command{
		Use: "export NUMBER|-", Short: "Print all that is kept of a person, as JSON", Args: cobra.ExactArgs(1),
		Long: `Prints what is kept under a national number or foreigner's code: the record, the links that were asked for and what became of them.
With --chat it is what is kept of a chat: a telephone number, Telegram's id of a chat, or either behind its channel
(whatsapp:593991234567, telegram:5551234567).
Who asks for it must have shown who they are: a number says nothing of whose chat it is, and a chat nothing of who types.
"-" reads it from the first line of standard input, so that it stands in no history.
What is sealed is opened; hashes, tokens and keys are not printed. That it was exported stands in the audit, without whose.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			who, err := p.whose(args[0])
			if err != nil {
				return err
			}
			return p.withPerson(cmd.Context(), func(s opened) error {
				data, err := exported(cmd.Context(), s, who, ofChat)
				if err != nil {
					return err
				}
				out := json.NewEncoder(p.stdout)
				out.SetEscapeHTML(false)
				if !oneLine {
					out.SetIndent("", "  ")
				}
				return out.Encode(data)
			})
		},
	}
	cmd.Flags().BoolVar(&ofChat, "chat", false, "NUMBER is a chat: its channel, a colon and what the channel calls it")
	cmd.Flags().BoolVar(&oneLine, "json", false, "print it on one line")
	return cmd
}

// errNothingKept names nobody: the caller knows.
var errNothingKept = errors.New("nothing is kept of that person")

// exported is what the command prints, once the audit says that it does.
func exported(ctx context.Context, s opened, who string, ofChat bool) (data any, err error) {
	now, err := s.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the store's clock: %w", err)
	}
	of := "record"
	if ofChat {
		of = "chat"
		data, err = chatData(ctx, s, who, now)
	} else {
		data, err = recordData(ctx, s, who, now)
	}
	if err != nil {
		return nil, err
	}
	e := store.AuditEntry{ID: auditPersonExport + "/" + rand.Text(), At: now, Who: agent.CommandLine, What: auditPersonExport, Detail: of}
	if err := s.Audit.Append(ctx, e); err != nil {
		return nil, fmt.Errorf("append to the audit: %w", err)
	}
	return data, nil
}

// keptLink is what is kept of a link that was asked for.
type keptLink struct {
	For        string    `json:"for"` // unlock or generate
	Channel    string    `json:"channel,omitempty"`
	Asked      time.Time `json:"asked"`
	MailTaken  time.Time `json:"mail_taken,omitzero"`
	Refused    time.Time `json:"mailbox_refused,omitzero"`
	Used       time.Time `json:"used,omitzero"`
	KeyMade    time.Time `json:"key_made,omitzero"`
	Disowned   time.Time `json:"disowned,omitzero"`
	TakenBack  time.Time `json:"taken_back,omitzero"`
	NotMeCase  string    `json:"case,omitempty"`
	NumberKept bool      `json:"number_kept_sealed,omitempty"`
}

func keptLinks(attempts []unlock.Attempt) (links []keptLink) {
	for _, a := range attempts {
		links = append(links, keptLink{
			For: string(a.Want), Channel: a.Channel, Asked: a.Asked, MailTaken: a.Accepted, Refused: a.Refused, Used: a.Redeemed, KeyMade: a.KeyMade,
			Disowned: a.Voided, TakenBack: a.Revoked, NotMeCase: a.Case, NumberKept: a.Sealed != "",
		})
	}
	return links
}

// keptMember is a record, without the times that nobody has said.
type keptMember struct {
	affiliate.Record
	DataUpdatedAt time.Time `json:"data_updated_at,omitzero"`
	UpdatedAt     time.Time `json:"updated_at,omitzero"`
}

// keptRecord is all that is kept under a number.
type keptRecord struct {
	At          time.Time   `json:"exported_at"`
	Record      *keptMember `json:"record,omitempty"`
	Links       []keptLink  `json:"links,omitempty"`
	Asked       []time.Time `json:"letters_asked_for,omitempty"` // the limits count them
	KeyMade     time.Time   `json:"key_made,omitzero"`
	NoLetters   time.Time   `json:"no_letters_until,omitzero"`
	MailboxFull time.Time   `json:"mailbox_takes_nothing_until,omitzero"`
}

func recordData(ctx context.Context, s opened, typed string, now time.Time) (keptRecord, error) {
	k := keptRecord{At: now}
	number, genuine, err := numberOf(s, typed)
	if err != nil {
		return k, err
	}
	rec, found, err := s.Affiliates.Find(ctx, number)
	if err != nil {
		return k, fmt.Errorf("find the record: %w", err)
	}
	if found {
		k.Record, number = &keptMember{rec, rec.DataUpdatedAt, rec.UpdatedAt}, rec.ID
	}
	d, err := s.Unlocks.Load(ctx, affiliate.Hash(s.vault, number))
	if err != nil {
		return k, fmt.Errorf("find the record's links: %w", err)
	}
	switch {
	case found || d.Version > 0:
	case !genuine:
		return k, fmt.Errorf("%w, and its digits are not those of a cédula: look at it again", errNothingKept)
	default:
		return k, errNothingKept
	}
	k.Links, k.KeyMade, k.NoLetters = keptLinks(d.All()), d.KeyAt, d.Hold
	for _, a := range d.Asks {
		k.Asked = append(k.Asked, a.At)
	}
	if d.Bounced != nil {
		k.MailboxFull = d.Bounced.Until
	}
	return k, nil
}

// keptChat is all that is kept of a chat.
type keptChat struct {
	At            time.Time         `json:"exported_at"`
	Chat          string            `json:"chat"`
	Names         *keptNames        `json:"names,omitempty"`
	Conversation  *flows.PersonData `json:"conversation,omitempty"`
	Cases         []keptFile        `json:"cases,omitempty"`
	Drafts        []keptDraft       `json:"drafts,omitempty"`
	Complaints    []keptFile        `json:"complaints,omitempty"`
	Links         []time.Time       `json:"links_asked_for,omitempty"`
	Messages      []keptMessage     `json:"messages,omitempty"`
	NotUnderstood []keptSentence    `json:"not_understood,omitempty"`
}

type keptNames struct {
	Phone        string   `json:"phone,omitempty"`
	UserID       string   `json:"user_id,omitempty"`
	EarlierPhone []string `json:"earlier_phones,omitempty"`
	EarlierID    []string `json:"earlier_user_ids,omitempty"`
}

type keptFile struct {
	Ref    string           `json:"ref"`
	Made   time.Time        `json:"made"`
	Status string           `json:"status,omitempty"`
	Topic  string           `json:"topic,omitempty"`
	Text   string           `json:"text,omitempty"`
	Rating int              `json:"rating,omitempty"`
	Lines  []flows.SaidLine `json:"lines,omitempty"`
}

// keptDraft is what an agent has begun to write.
type keptDraft struct {
	Ref  string    `json:"ref"`
	At   time.Time `json:"at"`
	Text string    `json:"text,omitempty"`
	Note string    `json:"note,omitempty"`
}

type keptMessage struct {
	At     time.Time `json:"at"`
	Status string    `json:"status,omitempty"`
}

type keptSentence struct {
	Said string    `json:"said"`
	Last time.Time `json:"last"`
}

func chatData(ctx context.Context, s opened, who string, now time.Time) (keptChat, error) {
	data := keptChat{At: now, Chat: who}
	convs, err := chatsCalled(ctx, s.Store, who)
	switch {
	case err != nil:
		return data, err
	case len(convs) == 0:
		return data, errNothingKept
	case len(convs) > 1:
		return data, fmt.Errorf("%w: chats of several channels are called so; put the channel before it: telegram:…, whatsapp:…", errUsage)
	}
	k, err := s.KeptOf(ctx, convs[0])
	if err != nil {
		return data, err
	}
	if k.Conversation != nil {
		c := flows.DataOf(s.vault, *k.Conversation)
		data.Conversation = &c
	}
	if c := k.Contact; c != nil {
		data.Names = &keptNames{c.Phone, c.UserID, c.WasPhone, c.WasID}
	}
	data.addFiles(k)
	for _, d := range k.Drafts {
		data.Drafts = append(data.Drafts, keptDraft{d.Ref, d.At, d.Text, d.Note})
	}
	for _, r := range k.Records {
		data.Links = append(data.Links, r.Asked...)
	}
	for _, d := range k.Deliveries {
		data.Messages = append(data.Messages, keptMessage{d.At, d.Status})
	}
	for _, r := range k.Sentences {
		data.NotUnderstood = append(data.NotUnderstood, keptSentence{r.Said, r.Last})
	}
	return data, nil
}

// addFiles adds cases with their lines, and complaints.
func (data *keptChat) addFiles(k store.Kept) {
	lines := map[string][]bot.Line{}
	for _, l := range k.Lines {
		lines[l.Ref] = append(lines[l.Ref], l.Line)
	}
	for _, f := range k.Complaints {
		data.Complaints = append(data.Complaints, keptFile{Ref: f.Ref, Made: f.Made, Status: f.Status, Topic: f.Topic, Text: f.Body})
	}
	for _, f := range k.Cases {
		file := keptFile{Ref: f.Ref, Made: f.Made, Status: f.Status, Topic: f.Topic, Text: f.Body, Lines: flows.SaidLines(lines[f.Ref])}
		if delete(lines, f.Ref); f.Handoff != nil {
			file.Rating = f.Handoff.Rating
		}
		data.Cases = append(data.Cases, file)
	}
	for _, ref := range slices.Sorted(maps.Keys(lines)) { // of a case whose file is not written yet
		data.Cases = append(data.Cases, keptFile{Ref: ref, Made: lines[ref][0].At, Lines: flows.SaidLines(lines[ref])})
	}
}
