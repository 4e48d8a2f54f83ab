package flows_test

import (
	"strings"
	"testing"

	"llave/bot"
	"llave/flows"
)

// Who wants to be reminded of something else is told that nobody is; a reminder to go on here is set whatever the reason.
func TestRemind_ofOther(t *testing.T) {
	t.Parallel()
	for says, set := range map[string]bool{
		"recuérdeme tomar la pastilla a las 8": false, "recuérdeme a las 8 tomar la pastilla": false, "recuérdeme mañana que tengo que ir al banco": false,
		"hágame acordar de llamar a mi hija en una hora": false, "recuérdeme la cita del médico mañana": false, "recuérdeme que tengo una reunión mañana a las 9": false,
		"recuérdeme mañana comprar el pan": false, "remind me to take my pill at 8": false,
		"recuérdeme mañana": true, "recuérdeme a las 8": true, "recuérdeme en una hora": true, "recuérdeme la próxima semana": true, "recuérdeme el lunes": true,
		"recuérdeme mañana seguir con esto": true, "recuérdeme terminar el trámite mañana": true, "recuérdeme mañana que ahora no puedo": true,
		"recuérdeme mañana cuando salga del trabajo": true, "recuérdeme hacerlo mañana": true, "recuérdeme por favor en la tarde": true, "remind me to finish tomorrow": true,
		"recuérdeme mañana para continuar": true, "recuérdeme el fin de semana": true, "recuérdeme desbloquear mañana": true, "recuérdeme un poco más tarde": true,
	} {
		k := at(t, flows.AskNumber)
		out := k.says(says)
		if got := out.Event != flows.RemindOnlyKey; got != set {
			t.Errorf("%q: %s with %q, %v", says, out.Event, k.reply.Text, k.c.Timers)
		}
		if !set && (!k.due(bot.SignalRemind).IsZero() || !strings.Contains(k.reply.Text, "clave") && !strings.Contains(k.reply.Text, "your key")) {
			t.Errorf("%q: is reminded, or not told: %q", says, k.reply.Text)
		}
	}
}
