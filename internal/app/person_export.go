package app

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"llave/bot"
	"llave/flows"
	"llave/internal/affiliate"
	"llave/internal/agent"
	"llave/internal/config"
	"llave/internal/secret"
	"llave/internal/store"
	"llave/internal/unlock"
)

// auditPersonExport is what the audit calls it, with whether it was a record's or a chat's data: not whose.
const auditPersonExport = "person_export"

func (p *program) person() *cobra.Command {
	cmd := &cobra.Command{
		Use: "person", Short: "What is kept of a person", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var names []string
			for _, below := range cmd.Commands() {
				names = append(names, below.Name())
			}
			return fmt.Errorf("%w: a command is needed after person: %s", errUsage, strings.Join(names, ", "))
		},
	}
	cmd.AddCommand(p.personExport())
	return cmd
}

func (p *program) personExport() *cobra.Command {
	var ofChat, oneLine bool
	cmd := &cobra.Command{
		Use: "export NUMBER", Short: "Print all that is kept of a person, as JSON", Args: cobra.ExactArgs(1),
		Long: `Prints what is kept under a national number or foreigner's code: the record, the links that were asked for and what became of them.
With --chat it is what is kept of a chat, named by its channel and what the channel calls it: telegram:12345, whatsapp:593990000001.
Who asks for it must have shown who they are: a number says nothing of whose chat it is, and a chat nothing of who types.
NUMBER may be - : it is the first line of standard input then, and stands in no list of processes and no history.
What is sealed is opened; hashes, tokens and keys are not printed. That it was exported stands in the audit, without whose.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			whose, err := p.named(args[0])
			if err != nil {
				return err
			}
			c, _, err := p.load()
			if err != nil {
				return err
			}
			if err := isThere(c); err != nil {
				return err
			}
			return withStoreOf(cmd.Context(), c, func(s *store.Store, c config.Config) error {
				data, err := exported(cmd.Context(), c, s, whose, ofChat)
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

// named is what an argument names: itself, or for "-" the first line of standard input.
func (p *program) named(arg string) (string, error) {
	if arg == "-" {
		line, err := bufio.NewReader(p.stdin).ReadString('\n')
		if arg = strings.TrimSpace(line); arg == "" {
			return "", fmt.Errorf("%w: the first line of standard input is empty (%w)", errUsage, err)
		}
	}
	return strings.TrimSpace(arg), nil
}

// errNothingKept names nobody: the caller knows.
var errNothingKept = errors.New("nothing is kept of that person")

// exported is what the command prints, once the audit says that it does.
func exported(ctx context.Context, c config.Config, s *store.Store, whose string, ofChat bool) (data any, err error) {
	k, err := keys(c)
	if err != nil {
		return nil, err
	}
	v, err := s.DataKey(ctx, k)
	if err != nil {
		return nil, fmt.Errorf("read the data key (LLAVE_SECRET_KEY): %w", err)
	}
	now, err := s.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the store's clock: %w", err)
	}
	of := "record"
	if ofChat {
		of = "chat"
		data, err = chatData(ctx, s, v, whose, now)
	} else {
		data, err = recordData(ctx, s, v, whose, now)
	}
	if err != nil {
		return nil, err
	}
	e := store.AuditEntry{ID: "person/" + rand.Text(), At: now, Who: agent.CommandLine, What: auditPersonExport, Detail: of}
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

// keptRecord is all that is kept under a number.
type keptRecord struct {
	At          time.Time         `json:"exported_at"`
	Record      *affiliate.Record `json:"record,omitempty"`
	Links       []keptLink        `json:"links,omitempty"`
	Asked       []time.Time       `json:"letters_asked_for,omitempty"` // the limits count them
	KeyMade     time.Time         `json:"key_made,omitzero"`
	NoLetters   time.Time         `json:"no_letters_until,omitzero"`
	MailboxFull time.Time         `json:"mailbox_takes_nothing_until,omitzero"`
}

func recordData(ctx context.Context, s *store.Store, v *secret.Vault, number string, now time.Time) (keptRecord, error) {
	k := keptRecord{At: now}
	rec, found, err := s.Affiliates.Find(ctx, number)
	if err != nil {
		return k, fmt.Errorf("find the record: %w", err)
	}
	if found {
		k.Record, number = &rec, rec.ID
	}
	d, err := s.Unlocks.Load(ctx, affiliate.Hash(v, number))
	if err != nil {
		return k, fmt.Errorf("find the record's links: %w", err)
	}
	if !found && d.Version == 0 {
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
	Complaints    []keptFile        `json:"complaints,omitempty"`
	Links         []keptLink        `json:"links,omitempty"`
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

type keptMessage struct {
	At     time.Time `json:"at"`
	Status string    `json:"status,omitempty"`
}

type keptSentence struct {
	Said string    `json:"said"`
	Last time.Time `json:"last"`
}

func chatData(ctx context.Context, s *store.Store, v *secret.Vault, name string, now time.Time) (keptChat, error) {
	k := keptChat{At: now, Chat: name}
	channel, chat, ok := strings.Cut(name, ":")
	if _, known := erasing[channel]; !ok || !known || chat == "" {
		return k, fmt.Errorf("%w: a chat is called by its channel and what that calls it, such as telegram:12345; channels: %s", errUsage,
			strings.Join(slices.Sorted(maps.Keys(erasing)), ", "))
	}
	conv := bot.ConversationID(channel, chat)
	c, found, err := s.Conversations.Find(ctx, conv)
	if err != nil {
		return k, fmt.Errorf("find the conversation: %w", err)
	}
	if found {
		data := flows.DataOf(v, c)
		k.Conversation = &data
	}
	contact, called, err := s.People.Contact(ctx, channel, chat)
	if err != nil {
		return k, fmt.Errorf("find what the person goes by: %w", err)
	}
	if called {
		k.Names = &keptNames{contact.Phone, contact.UserID, contact.WasPhone, contact.WasID}
	}
	if err := k.readFiles(ctx, s, conv); err != nil {
		return k, err
	}
	attempts, err := s.Unlocks.Of(ctx, conv)
	if err != nil {
		return k, err
	}
	k.Links = keptLinks(attempts)
	sent, err := s.Deliveries.Of(ctx, conv)
	if err != nil {
		return k, err
	}
	for _, d := range sent {
		k.Messages = append(k.Messages, keptMessage{d.At, d.Status})
	}
	rows, err := s.Unheard.Of(ctx, teller(v, conv))
	if err != nil {
		return k, err
	}
	for _, r := range rows {
		k.NotUnderstood = append(k.NotUnderstood, keptSentence{r.Said, r.Last})
	}
	if !found && !called && len(k.Cases)+len(k.Complaints)+len(k.Links)+len(k.Messages)+len(k.NotUnderstood) == 0 {
		return k, errNothingKept
	}
	return k, nil
}

// readFiles reads cases with their lines, and complaints.
func (k *keptChat) readFiles(ctx context.Context, s *store.Store, conv string) error {
	lines, err := s.Desk.LinesOf(ctx, conv)
	if err != nil {
		return err
	}
	for _, of := range []struct {
		table *store.FileTable
		to    *[]keptFile
	}{{s.Cases, &k.Cases}, {s.Complaints, &k.Complaints}} {
		files, err := of.table.Of(ctx, conv)
		if err != nil {
			return err
		}
		for _, f := range files {
			file := keptFile{Ref: f.Ref, Made: f.Made, Status: f.Status, Topic: f.Topic, Text: f.Body, Lines: flows.SaidLines(lines[f.Ref])}
			if delete(lines, f.Ref); f.Handoff != nil {
				file.Rating = f.Handoff.Rating
			}
			*of.to = append(*of.to, file)
		}
	}
	for _, ref := range slices.Sorted(maps.Keys(lines)) { // of a case whose file is not written yet
		k.Cases = append(k.Cases, keptFile{Ref: ref, Made: lines[ref][0].At, Lines: flows.SaidLines(lines[ref])})
	}
	return nil
}
