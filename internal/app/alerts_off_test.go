package app

import (
	"testing"

	"llave/bot"
)

// An agent's chat stays linked while the channel is off: only who blocked it is gone.
func TestWriteToAgent_channelOff(t *testing.T) {
	if err := (&App{}).writeToAgent(t.Context(), "1", "hola"); err == nil || bot.KindOf(err) == bot.Gone {
		t.Errorf("got %v", err)
	}
}
