package whatsapp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"llave/bot/intro"
)

// introduce has WhatsApp show what the bot is, what can be asked first, and its commands. There is one language for everybody: the
// first.
func (c *Channel) introduce(ctx context.Context) {
	if c.opt.Introduce == nil || len(c.opt.Introduce.Texts) == 0 {
		return
	}
	intro.Introducer{
		Channel: Name, Parts: c.introduction(c.opt.Introduce.Texts[0]), Memory: c.opt.Introduce.Memory, Log: c.log,
		After: func(err error) time.Duration {
			if refused := (*apiError)(nil); errors.As(err, &refused) {
				return refused.after
			}
			return 0
		},
		Over: func(error) bool { return false }, // a permission may be given while it runs
	}.Run(ctx)
}

// command is a command as WhatsApp has it.
type command struct {
	Name        string `json:"command_name"`
	Description string `json:"command_description"`
}

func (c *Channel) introduction(t intro.Texts) []intro.Part {
	var commands []command
	for _, one := range t.Commands {
		commands = append(commands, command(one))
	}
	const profile, automation = "/whatsapp_business_profile", "/conversational_automation"
	return []intro.Part{
		c.profileText("about", t.Short, profile),
		c.profileText("description", t.Description, profile),
		{
			Name: "prompts", Want: listed(t.Prompts),
			Read: func(ctx context.Context) (string, error) {
				a, err := c.client.automation(ctx)
				return listed(a.Prompts), err
			},
			Write: func(ctx context.Context) error { // what is left out stays as it is
				return c.client.manage(ctx, automation, map[string]any{"prompts": t.Prompts}, nil)
			},
		},
		{
			Name: "commands", Want: listed(commands),
			Read: func(ctx context.Context) (string, error) {
				a, err := c.client.automation(ctx)
				return listed(a.Commands), err
			},
			Write: func(ctx context.Context) error {
				return c.client.manage(ctx, automation, map[string]any{"commands": commands}, nil)
			},
		},
	}
}

func (c *Channel) profileText(field, want, path string) intro.Part {
	return intro.Part{
		Name: field, Want: want,
		Read: func(ctx context.Context) (string, error) {
			var answer struct{ Data []map[string]any }
			if err := c.client.manage(ctx, path+"?fields="+field, nil, &answer); err != nil || len(answer.Data) == 0 {
				return "", err
			}
			text, _ := answer.Data[0][field].(string)
			return text, nil
		},
		Write: func(ctx context.Context) error {
			return c.client.manage(ctx, path, map[string]any{"messaging_product": "whatsapp", field: want}, nil)
		},
	}
}

// automation is what WhatsApp offers whoever opens the chat.
type automation struct {
	Prompts  []string
	Commands []command
}

func (c *client) automation(ctx context.Context) (automation, error) {
	var answer struct {
		Automation automation `json:"conversational_automation"`
	}
	err := c.manage(ctx, "?fields=conversational_automation", nil, &answer)
	return answer.Automation, err
}

// listed is a list as it is compared; an empty one is "".
func listed[T any](list []T) string {
	if len(list) == 0 {
		return ""
	}
	raw, err := json.Marshal(list)
	if err != nil {
		panic(err) // of strings
	}
	return string(raw)
}

// manage asks about our number, or with a body changes something of it, in the name of the first token that may: one that writes
// messages need not be allowed to.
func (c *client) manage(ctx context.Context, path string, body, out any) (err error) {
	r := request{address: c.self + path}
	if body != nil {
		r.contentType = "application/json"
		if r.body, err = json.Marshal(body); err != nil {
			panic(err) // of strings
		}
	}
	for _, token := range c.access.Load().tokens {
		err = c.try(ctx, token, r, out)
		if refused := (*apiError)(nil); !errors.As(err, &refused) || refused.meaning().remedy != nextToken && refused.status != http.StatusForbidden {
			return err
		}
	}
	return err
}
