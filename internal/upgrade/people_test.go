package upgrade

import "slices"

// The ways in which people of a store come.
const (
	onTelegram = "telegram"
	onWhatsApp = "whatsapp"
)

// person is one conversation of a store, and how it came to be where it is. Steps are what a person writes, "[Label]" a
// button they press, "#" their number, and what begins with "@" something else they do: see walker.do.
type person struct {
	On     string `json:"on"`
	Chat   int64  `json:"chat"`
	Number string `json:"number"`
	Mail   string `json:"mail"`
	Status string `json:"status"`           // of the record; empty: there is none
	Hidden bool   `json:"hidden,omitempty"` // WhatsApp: known by a user id alone

	settled []string // while everything works
	broken  []string // while no message and no letter arrives
	last    []string // at the moment of the kill
}

// The roads that several walk.
var (
	menu   = []string{"hola", "[Continuar]"}
	ask    = road(menu, "[Desbloquear clave]")
	number = road(ask, "#")
	ready  = road(number, "[Sí, es correcto]")
	sent   = road(ready, "[Enviar enlace]")
	opened = road(sent, "@link")
	tried  = road(opened, "[Siguiente]", "[Siguiente]", "[Siguiente]", "[Siguiente]", "[Siguiente]")
	queued = road(menu, "persona")
)

func road(begin []string, then ...string) []string { return append(slices.Clone(begin), then...) }

// cast is everybody of a store: by settled alone, where they are left.
func cast() []person {
	list := []person{
		{settled: menu[:1]}, {settled: menu}, {settled: ask}, {settled: number}, {settled: ready}, {settled: sent},
		{settled: road(sent, "@not-me")}, {settled: opened}, {settled: road(opened, "[Siguiente]", "[Siguiente]")},
		{settled: road(opened, "[No me sale]")}, {settled: tried}, {settled: road(tried, "[Sí, pude entrar]")},
		{settled: road(tried, "[Sí, pude entrar]", "5")}, {settled: road(opened, "@key")},
		{settled: road(menu, "[Atención presencial]")}, {settled: ready, Status: "suspended"}, {settled: ready, Status: "none"},
		{settled: road(menu, "[Presentar queja]")}, {settled: road(menu, "[Presentar queja]", "La página no abre.", "[Registrar]")},
		{settled: road(menu, "[Mis datos]")}, {settled: road(menu, "[Mis datos]", "[Borrar mis datos]")},
		{settled: road(menu, "[Mis datos]", "[Borrar mis datos]", "[Sí, borrar]")},
		{settled: road(menu, "[Paso a paso]")}, {settled: road(menu, "[Paso a paso]", "[Desbloquear clave]", "#")},
		{settled: road(menu, "english")}, {settled: road(menu, "[Idioma / Language]")},
		{settled: road(ready, "[Cómo abrir mi correo]")}, {settled: road(menu, "[Generar clave]", "#", "[Sí, es correcto]", "[Enviar enlace]"), Status: "active"},
		{settled: road(menu, "@block")},

		// With the help desk: in the queue, with an agent, asked whether to leave, resolved, given back.
		{settled: queued}, {settled: road(queued, "@desk tomar")}, {settled: road(queued, "@desk tomar", "@desk decir Buenos días.", "Gracias.", "@desk nota Llamar luego.")},
		{settled: road(queued, "menú")}, {settled: road(queued, "@desk tomar", "@desk resolver")}, {settled: road(ready, "persona", "@desk tomar", "@desk devolver")},
		{settled: road(queued, "@desk tomar", "menú")},

		// Owed to the chat, and letters.
		{settled: ask, broken: []string{"#"}}, {settled: menu, broken: []string{"ayuda"}}, {settled: menu, broken: []string{"ayuda", "menú", "estado"}},
		{settled: ready, broken: []string{"[Enviar enlace]"}}, {settled: sent, broken: []string{"[Reenviar enlace]"}},
		{settled: opened, broken: []string{"@key"}}, {settled: sent, broken: []string{"@link"}},
		{settled: road(queued, "@desk tomar"), broken: []string{"@desk decir Un momento, por favor."}},
		{settled: road(menu, "[Generar clave]", "#", "[Sí, es correcto]"), Status: "active", broken: []string{"[Enviar enlace]"}},

		// Everything that a process owes to its own store is kept in no time: it is owed only at the moment of the kill.
		{settled: road(menu, "[Presentar queja]", "Nadie contesta el teléfono."), last: []string{"[Registrar]"}}, {settled: menu, last: []string{"persona"}},
		{settled: road(queued, "@desk tomar", "@desk resolver", "menú", "mis datos", "[Borrar mis datos]"), last: []string{"[Sí, borrar]"}},
		{settled: sent, last: []string{"@link"}}, {settled: sent, last: []string{"@not-me"}}, {settled: opened, last: []string{"@key"}},
		{settled: road(tried, "[Sí, pude entrar]"), last: []string{"5"}}, {settled: road(queued), last: []string{"@desk tomar"}},
		{settled: road(queued, "@desk tomar"), last: []string{"@desk nota Espera una respuesta."}}, {settled: road(queued, "@desk tomar"), last: []string{"Todavía no puedo entrar."}},
		{last: []string{"hola"}}, {settled: road(queued, "@desk tomar"), last: []string{"@desk decir Ya le ayudo."}}, {settled: sent, last: []string{"@link"}},

		// By WhatsApp.
		{On: onWhatsApp, settled: menu[:1]}, {On: onWhatsApp, settled: sent}, {On: onWhatsApp, settled: road(menu, "@hide", "ayuda")},
		{On: onWhatsApp, settled: opened}, {On: onWhatsApp, settled: queued}, {On: onWhatsApp, settled: menu, broken: []string{"@window", "ayuda"}},
		{On: onWhatsApp, settled: menu, broken: []string{"ayuda", "estado"}}, {On: onWhatsApp, settled: ask, broken: []string{"#"}},
		{On: onWhatsApp, settled: sent, last: []string{"@link"}}, {On: onWhatsApp, settled: menu, last: []string{"persona"}},
	}
	return list
}
