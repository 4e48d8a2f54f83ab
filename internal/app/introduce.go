package app

import (
	"llave/bot/intro"
	"llave/flows"
)

// introduction is what channels show of the bot; nil: that is the operator's.
func (a *App) introduction() *intro.Introduction {
	if !a.options.Config.Introduce {
		return nil
	}
	in := &intro.Introduction{Memory: a.Store.Intros}
	for _, cat := range a.engine.Languages() {
		in.Texts = append(in.Texts, flows.Introduction(cat))
	}
	return in
}
