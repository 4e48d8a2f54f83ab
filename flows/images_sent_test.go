package flows_test

import (
	"fmt"
	"slices"
	"testing"

	"llave/internal/bottest"
	"llave/internal/bottest/world"
)

// Through the whole road, by two people, each image is given to the channel once; after that its id does.
func TestImages_uploadedOnce(t *testing.T) {
	people := "id,id_type,category,full_name,email,data_updated_at,status\n" +
		"1710034065,cedula,affiliate,Persona de Prueba,ana@correo.example,2025-03-01,locked\n"
	for _, on := range []world.Channel{world.Telegram, world.WhatsApp} {
		t.Run(on.Name, func(t *testing.T) {
			t.Parallel()
			w := world.NewOn(t, on, people)
			var shown []string
			for _, chat := range []int64{world.Chat, world.Chat + 1} {
				for _, said := range []string{"hola", "sí", "paso a paso", "desbloquear", known, "sí", "cómo abro mi correo", "1", "1", "1", "ya abrí mi correo"} {
					for _, m := range w.DoIn(chat, func() error { w.Phone.Say(chat, said); return nil }) {
						if m.Image != "" {
							shown = append(shown, m.Image)
						}
					}
				}
			}
			var uploads int
			for _, c := range calls(w, on) {
				if c.Status == 200 && (on.Name == world.WhatsApp.Name || c.Params["photo"] == "") {
					uploads++
				}
			}
			slices.Sort(shown)
			different := slices.Compact(slices.Clone(shown))
			if len(shown) < 2*len(different) || len(different) < 5 || uploads != len(different) {
				t.Errorf("%d uploads for %d images shown %d times: %v", uploads, len(different), len(shown), fmt.Sprint(shown))
			}
		})
	}
}

// calls are those that may hold an image whole.
func calls(w *world.World, on world.Channel) []bottest.BotCall {
	if on.Name == world.WhatsApp.Name {
		return w.Graph.Calls("media")
	}
	return w.API.Calls("sendPhoto")
}
