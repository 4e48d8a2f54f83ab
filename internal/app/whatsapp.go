package app

import (
	"context"
	"fmt"

	"llave/bot"
	"llave/bot/whatsapp"
	"llave/flows"
	"llave/internal/secret"
	"llave/internal/store"
)

func (a *App) newWhatsApp() (*whatsapp.Channel, error) {
	c := a.options.Config.WhatsApp
	w, err := whatsapp.New(whatsapp.Options{
		Tokens: c.Tokens(), PhoneNumberID: whatsapp.Secret(c.PhoneNumberID), AppSecret: c.AppSecret,
		VerifyToken: c.VerifyToken, APIURL: c.APIURL, APIVersion: c.APIVersion, Template: c.Template,
		Rate: float64(a.options.Config.WhatsAppRate), Handle: a.Handle, People: whatsappPeople{a.Store.People, a.chatLeft},
		Deliveries: whatsappDeliveries{a.Store.Deliveries, a.Vault, a.Store.Book.Message}, Images: flows.Image, Shown: a.Store.Images, Bodies: a.bodies, Count: a.watchChannel(whatsapp.Name),
		Introduce: a.introduction(), Log: a.options.Log, Now: a.options.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("set up WhatsApp: %w", err)
	}
	a.onStop("whatsapp", func(context.Context) error { w.Close(); return nil })
	return w, nil
}

// whatsappPeople is the store's register of people in the channel's words.
type whatsappPeople struct {
	table *store.PeopleTable
	left  store.Left
}

func (p whatsappPeople) Find(ctx context.Context, n whatsapp.Names) (string, error) {
	return p.table.Find(ctx, whatsapp.Name, store.KnownBy(n), p.left)
}

func (p whatsappPeople) Move(ctx context.Context, from, to whatsapp.Names) error {
	return p.table.Move(ctx, whatsapp.Name, store.KnownBy(from), store.KnownBy(to), p.left)
}

// chatLeft tells the conversation of a chat that its number is somebody else's now.
func (a *App) chatLeft(ctx context.Context, chat string) error {
	c, found, err := a.Store.Conversations.Find(ctx, bot.ConversationID(whatsapp.Name, chat))
	if err != nil || !found {
		return err
	}
	if err := a.Runner.Handle(ctx, bot.Update{
		ID: fmt.Sprintf("%s/%d", bot.SignalNumberLost, c.Version), Channel: whatsapp.Name, Chat: chat, Kind: bot.Signal, Signal: bot.SignalNumberLost,
	}); err != nil {
		return fmt.Errorf("close the chat of a number that changed hands: %w", err)
	}
	return nil
}

func (p whatsappPeople) Address(ctx context.Context, chat string) (n whatsapp.Names, err error) {
	n.Phone, n.UserID, err = p.table.Address(ctx, whatsapp.Name, chat)
	return n, err
}

// whatsappDeliveries keeps what became of messages. A message is sealed while it is kept: it may hold a number.
type whatsappDeliveries struct {
	table *store.DeliveryTable
	vault *secret.Vault
	name  func(wamid string) string // what a message is called here
}

func (d whatsappDeliveries) Sent(ctx context.Context, wamid, chat string, r bot.Reply) (*whatsapp.Lost, error) {
	var code int
	doc, err := d.table.Move(ctx, d.name(wamid), string(whatsapp.Accepted), func(before string) bool { return whatsapp.Accepted.Follows(whatsapp.Status(before)) }, func(doc *store.Delivery) {
		code, doc.Code = doc.Code, 0
		doc.Conv, doc.Case, doc.Line = bot.ConversationID(whatsapp.Name, chat), r.Case, r.Line
		if s := whatsapp.Status(doc.Status); s != whatsapp.Delivered && s != whatsapp.Read { // also when the report that it failed was first
			kept := r // sealed anew where a report came in between
			kept.Text, kept.Sealed = d.vault.Seal(secret.Delivery.Of(d.name(wamid)), r.Text), true
			doc.Reply = &kept
		}
	})
	if err != nil || whatsapp.Status(doc.Status) != whatsapp.Failed {
		return nil, err
	}
	return &whatsapp.Lost{Code: code, Again: d.again(doc)}, nil
}

// Moved keeps a report in three calls to the store at most, and waits for nothing: that of a message which is not noted yet, or is not
// ours, is kept as it is.
func (d whatsappDeliveries) Moved(ctx context.Context, wamid string, s whatsapp.Status, code int) (chat string, r *bot.Reply, forward bool, err error) {
	doc, err := d.table.Move(ctx, d.name(wamid), string(s), func(before string) bool {
		return s.Follows(whatsapp.Status(before))
	}, func(doc *store.Delivery) {
		switch {
		case s == whatsapp.Delivered || s == whatsapp.Read:
			doc.Reply = nil // it has arrived
		case s == whatsapp.Failed && doc.Conv == "":
			doc.Code = code
		}
	})
	if err != nil {
		return "", nil, false, err
	}
	_, chat = bot.SplitConversationID(doc.Conv)
	return chat, d.again(doc), doc.Status == string(s), nil
}

// again is the message of a delivery as its conversation would owe it anew: sealed there. One that cannot be opened is as it is, and
// whoever sends it says so.
func (d whatsappDeliveries) again(doc store.Delivery) *bot.Reply {
	if doc.Reply == nil || !doc.Reply.Sealed {
		return doc.Reply
	}
	r := *doc.Reply
	if text, err := d.vault.Open(secret.Delivery.Of(doc.ID), r.Text); err == nil {
		r.Text = d.vault.Seal(secret.Reply.Of(doc.Conv), text)
	}
	return &r
}
