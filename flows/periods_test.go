package flows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"llave/flows"
	"llave/internal/secret"
)

// The notice in the chat, what is said of a person's data and what is said once they are deleted name the periods of the settings, as the
// whole notice does: somebody agrees to what is done (P752).
func TestNotice_periods(t *testing.T) {
	v, err := secret.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	for _, tt := range []struct {
		idle, transcript, complaint time.Duration
		want, not                   []string
	}{
		{day, 30 * day, 365 * day, []string{"Se borra a las 24 horas sin uso, o un día después", "se guarda 30 días", "se guardan un año", "quejas, por un año", "Una copia de todo se pide a "}, nil},
		{48 * time.Hour, 60 * day, 730 * day, []string{"Se borra a las 48 horas sin uso, o 48 horas después", "se guarda 60 días", "se guardan 2 años", "quejas, por 2 años", "guardo 48 horas el paso"}, []string{"24 horas", "30 días", "un año", "un día"}},
		{90 * time.Minute, 36 * time.Hour, 400 * day, []string{"Se borra a las 2 horas sin uso, o 2 horas después", "se guarda 36 horas", "se guardan 400 días"}, []string{"24 horas", "30 días", "un año"}},
		{30 * time.Minute, 24 * time.Hour, 90*day + time.Hour, []string{"Se borra a los 30 minutos sin uso", "se guarda un día", "se guardan 91 días"}, []string{"24 horas", "30 días", "un año"}},
	} {
		e, err := flows.New(flows.Options{
			Records: oneRecord{}, Vault: v, PublicURL: "http://localhost:8080", LinkTTL: 3 * time.Minute,
			Limits: flows.Limits{NumbersHour: 3, NumbersDay: 10, MessagesMinute: 20, ComplaintsHour: 3, ComplaintsDay: 5},
			Idle:   tt.idle, Seen: 192 * time.Hour, Transcript: tt.transcript, Complaint: tt.complaint,
			Erasing: func(string) flows.Erasing { return flows.Deleted },
		})
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, said := range [][]string{{"hola", "ver aviso", "continuar", "mis datos", "borrar mis datos", "sí, borrar"}, {"hola", "paso a paso", "continuar", "mis datos"}} {
			k := newTalk(t)
			k.e = e
			for _, text := range said {
				k.says(text)
				all.WriteString(k.reply.Text + "\n")
			}
		}
		for _, want := range tt.want {
			if !strings.Contains(all.String(), want) {
				t.Errorf("%v, %v, %v: nothing of %q in\n%s", tt.idle, tt.transcript, tt.complaint, want, all.String())
			}
		}
		if i := slices.IndexFunc(tt.not, func(not string) bool { return strings.Contains(all.String(), not) }); i >= 0 {
			t.Errorf("%v, %v, %v: %q in\n%s", tt.idle, tt.transcript, tt.complaint, tt.not[i], all.String())
		}
	}
}
