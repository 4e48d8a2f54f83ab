package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"llave/bot/intro"
)

// introduce has Telegram show what the bot is and its commands, in each language, and the button that opens them.
func (c *Channel) introduce(ctx context.Context) {
	if c.opt.Introduce == nil {
		return
	}
	intro.Introducer{
		Channel: Name, Parts: c.introduction(), Memory: c.opt.Introduce.Memory, Log: c.log,
		After: func(err error) time.Duration { return retryAfter(err) },
		Over: func(err error) bool { // told by who receives
			var refused *apiError
			return errors.As(err, &refused) && refused.unknownToken()
		},
	}.Run(ctx)
}

// introduction are the parts of the bot's profile. Those of the first language are for everybody whose language has none.
func (c *Channel) introduction() (parts []intro.Part) {
	for i, t := range c.opt.Introduce.Texts {
		in := tongue{c: c}
		if i > 0 {
			in.language = t.Language
		}
		parts = append(parts,
			in.text("description", "getMyDescription", "setMyDescription", t.Description),
			in.text("short_description", "getMyShortDescription", "setMyShortDescription", t.Short),
			in.commands(t.Commands))
	}
	return append(parts, c.menuButton())
}

// tongue is the profile in one language; "" is that of every other one.
type tongue struct {
	c        *Channel
	language string
}

// named is a part of the profile in the language, over that of every other one.
func (in tongue) named(part string) intro.Part {
	if in.language == "" {
		return intro.Part{Name: part}
	}
	return intro.Part{Name: part + "/" + in.language, Under: part}
}

// call is a call about the language.
func (in tongue) call(ctx context.Context, method string, p tgbotapi.Params, result any) error {
	p.AddNonEmpty("language_code", in.language)
	return in.c.client.call(ctx, callTimeout, method, p, result)
}

func (in tongue) text(name, get, set, want string) intro.Part {
	part := in.named(name)
	part.Want = want
	part.Read = func(ctx context.Context) (string, error) {
		var shown map[string]string
		err := in.call(ctx, get, tgbotapi.Params{}, &shown)
		return shown[name], err
	}
	part.Write = func(ctx context.Context) error { return in.call(ctx, set, tgbotapi.Params{name: want}, nil) }
	return part
}

// command is a command as Telegram has it.
type command struct {
	Name        string `json:"command"` // a-z, 0-9 and _, at most 32
	Description string `json:"description"`
}

// listed are commands as they are compared and sent; none are "".
func listed(commands []command) string {
	if len(commands) == 0 {
		return ""
	}
	raw, err := json.Marshal(commands)
	if err != nil {
		panic(err) // two strings
	}
	return string(raw)
}

func (in tongue) commands(commands []intro.Command) intro.Part {
	var list []command
	for _, one := range commands {
		list = append(list, command(one))
	}
	part := in.named("commands")
	part.Want = listed(list)
	part.Read = func(ctx context.Context) (string, error) {
		var shown []command
		err := in.call(ctx, "getMyCommands", tgbotapi.Params{}, &shown)
		return listed(shown), err
	}
	part.Write = func(ctx context.Context) error {
		return in.call(ctx, "setMyCommands", tgbotapi.Params{"commands": part.Want}, nil)
	}
	return part
}

// menuButton is the button beside the input field. Telegram's own choice, "default", is nobody's.
func (c *Channel) menuButton() intro.Part {
	return intro.Part{
		Name: "menu_button", Want: "commands",
		Read: func(ctx context.Context) (string, error) {
			var shown struct{ Type string }
			if err := c.client.call(ctx, callTimeout, "getChatMenuButton", nil, &shown); err != nil || shown.Type == "default" {
				return "", err
			}
			return shown.Type, nil
		},
		Write: func(ctx context.Context) error {
			return c.client.call(ctx, callTimeout, "setChatMenuButton", tgbotapi.Params{"menu_button": `{"type":"commands"}`}, nil)
		},
	}
}
