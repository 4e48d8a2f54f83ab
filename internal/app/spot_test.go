package app_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"llave/internal/bottest/world"
	"llave/internal/store"
	"llave/internal/store/storetest"
)

// watched is a store of which every document that is ever written is seen, also those that are soon written over: replies
// that wait, for instance.
type watched struct {
	store.Engine
	mu      sync.Mutex
	written []written
}

type written struct {
	collection string
	doc        bson.Raw
}

func (w *watched) see(collection string, docs ...bson.Raw) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range docs {
		w.written = append(w.written, written{collection, bytes.Clone(d)})
	}
}

func (w *watched) Insert(ctx context.Context, collection string, doc bson.Raw) error {
	w.see(collection, doc)
	return w.Engine.Insert(ctx, collection, doc)
}

func (w *watched) Replace(ctx context.Context, collection, id string, version int64, doc bson.Raw) error {
	w.see(collection, doc)
	return w.Engine.Replace(ctx, collection, id, version, doc)
}

func (w *watched) BulkUpsert(ctx context.Context, collection string, docs []bson.Raw) error {
	w.see(collection, docs...)
	return w.Engine.BulkUpsert(ctx, collection, docs)
}

// A place that a person shares is kept nowhere, wherever they are when they do (P415): it is in no document that is written,
// nor in the log. Replies that wait hold offices, and how far off they are in coarse steps.
func TestSpot_keptNowhere(t *testing.T) {
	const lat, lon = -0.1514327, -78.4809163
	forms := map[string][]byte{"latitude in digits": []byte("1514327"), "longitude in digits": []byte("4809163")}
	for name, v := range map[string]float64{"latitude": lat, "longitude": lon} {
		forms[name+" as BSON has it"] = binary.LittleEndian.AppendUint64(nil, math.Float64bits(v))
		forms[name+" the other way round"] = binary.BigEndian.AppendUint64(nil, math.Float64bits(v))
	}
	const answer = "Centro de prueba Norte, a menos de 1 km"
	for _, on := range []world.Channel{world.Telegram, world.WhatsApp} {
		t.Run(on.Name, func(t *testing.T) {
			offices := filepath.Join(t.TempDir(), "offices.csv")
			if err := os.WriteFile(offices, []byte("name,province,city,address,lat,lon\nCentro de prueba Norte,Pichincha,Quito,Calle de Prueba 1,-0.1500,-78.4800\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			kept := &watched{Engine: storetest.Bolt(t, storetest.NewClock(time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)).Now)}
			w := world.NewOver(t, on, kept, "LLAVE_OFFICES_FILE="+offices)
			share := func(want string) {
				t.Helper()
				said := ""
				for _, m := range w.Do(func() error { w.Phone.Location(world.Chat, lat, lon); return nil }) {
					said += m.Text
				}
				if !strings.Contains(said, want) {
					t.Errorf("answered %q, want it to say %q", said, want)
				}
			}
			share("¿Quiere empezar?")
			w.Say("sí")
			share(answer) // from the menu
			share(answer) // at the office's question
			w.Say("menú")
			w.Say("1")
			share("No necesito su ubicación")
			w.Say("menú")
			w.Say("presentar queja")
			share("No necesito su ubicación")
			w.Say("persona")
			share("") // an agent's to answer
			w.Say("¿dónde queda?")

			kept.mu.Lock()
			all := slices.Clone(kept.written)
			kept.mu.Unlock()
			answers := 0
			for _, d := range all {
				doc, err := w.App.Store.Opened(t.Context(), d.collection, d.doc)
				if err != nil {
					t.Fatal(err)
				}
				if bytes.Contains(doc, []byte(answer)) {
					answers++
				}
				for form, b := range forms {
					if bytes.Contains(doc, b) {
						t.Errorf("a document holds the place: %s: %s", form, doc)
					}
				}
			}
			if answers < 2 { // in the two bubbles that wait to be sent
				t.Errorf("the answer is in %d of %d documents: this test sees too little", answers, len(all))
			}
			for form, b := range forms {
				if strings.Contains(w.Log.String(), string(b)) {
					t.Errorf("the log holds the place: %s", form)
				}
			}
		})
	}
}
