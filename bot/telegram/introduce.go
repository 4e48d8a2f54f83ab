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
		language, under := t.Language, func(string) string { return "" }
		if i == 0 {
			language = ""
		} else {
			under = func(name string) string { return name }
		}
		parts = append(parts,
			c.profileText("description", under("description"), language, "getMyDescription", "setMyDescription", t.Description),
			c.profileText("short_description", under("short_description"), language, "getMyShortDescription", "setMyShortDescription", t.Short),
			c.profileCommands(under("commands"), language, t.Commands))
	}
	return append(parts, c.menuButton())
}

// partName is what a part is called in a language; "" is every other one.
func partName(part, language string) string {
	if language == "" {
		return part
	}
	return part + "/" + language
}

// inLanguage are the parameters of a call about a language.
func inLanguage(language string) tgbotapi.Params {
	p := tgbotapi.Params{}
	p.AddNonEmpty("language_code", language)
	return p
}

func (c *Channel) profileText(name, under, language, get, set, want string) intro.Part {
	return intro.Part{
		Name: partName(name, language), Under: under, Want: want,
		Read: func(ctx context.Context) (string, error) {
			var shown map[string]string
			err := c.client.call(ctx, callTimeout, get, inLanguage(language), &shown)
			return shown[name], err
		},
		Write: func(ctx context.Context) error {
			p := inLanguage(language)
			p[name] = want
			return c.client.call(ctx, callTimeout, set, p, nil)
		},
	}
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

func (c *Channel) profileCommands(under, language string, commands []intro.Command) intro.Part {
	var list []command
	for _, one := range commands {
		list = append(list, command(one))
	}
	want := listed(list)
	return intro.Part{
		Name: partName("commands", language), Under: under, Want: want,
		Read: func(ctx context.Context) (string, error) {
			var shown []command
			err := c.client.call(ctx, callTimeout, "getMyCommands", inLanguage(language), &shown)
			return listed(shown), err
		},
		Write: func(ctx context.Context) error {
			p := inLanguage(language)
			p["commands"] = want
			return c.client.call(ctx, callTimeout, "setMyCommands", p, nil)
		},
	}
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
